"""A hub that hands work to the machines of a build farm, for sites without a message broker.

Everything is lines over TCP.  A peer says::

    PUSH lane size      followed by the payload; answered by ``QUEUED id``
    PULL lane           answered by ``JOB id size`` and the payload, or ``EMPTY``
    DONE id, FAIL id    a job is finished, or goes back to the end of its lane
    WATCH               from now on every change comes as a line ``EVENT word id``

Payloads live in a spool folder, so they survive a hub that is restarted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import tempfile
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import BinaryIO, Optional

log = logging.getLogger("taskhub")

Address = tuple[str, int]
GREETING = b"TASKHUB 1\n"
BLOCK = 1 << 15
LINE_LIMIT = 512


class HubError(Exception):
    """The other side broke the protocol, or refused."""


class _Peer:
    def __init__(self, sock: socket.socket, name: str) -> None:
        self.sock, self.name = sock, name
        self.inbox = bytearray()
        self.watching = False

    def next_request(self) -> Optional[tuple[list[str], bytes]]:
        """A whole request that has arrived, or None."""
        line, newline, rest = bytes(self.inbox).partition(b"\n")
        if not newline:
            if len(line) > LINE_LIMIT:
                raise HubError("endless line")
            return None
        words = line.decode("ascii", "replace").split()
        size = int(words[2]) if len(words) == 3 and words[0] == "PUSH" and words[2].isdigit() else 0
        if len(rest) < size:
            return None
        self.inbox[:] = rest[size:]
        return words, rest[:size]


class TaskHub:
    """The server.  Call :meth:`step` in a loop; :meth:`close` when done."""

    def __init__(self, spool: Path, port: int = 0, history_limit: int = 1 << 20) -> None:
        self.spool = spool
        self.lanes: dict[str, deque[str]] = defaultdict(deque)
        self._running: dict[str, str] = {}
        self._peers: list[_Peer] = []
        self._history_limit = history_limit
        self._history: Optional[BinaryIO] = None
        spool.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", port))
            self._listener.listen(16)
            self._listener.setblocking(False)
            self._selector.register(self._listener, selectors.EVENT_READ, None)
            self.address: Address = self._listener.getsockname()
            self._recover()
            self._base = stack.pop_all()

    def _recover(self) -> None:
        with os.scandir(self.spool) as entries:
            for entry in entries:
                ident, _, lane = entry.name.partition("@")
                if not lane:
                    continue
                self.lanes[lane].append(ident)

    def close(self) -> None:
        history, self._history = self._history, None
        peers, self._peers = self._peers, []
        with contextlib.ExitStack() as stack:
            stack.callback(self._base.close)
            if history is not None:
                stack.callback(history.close)
            for peer in peers:
                stack.callback(peer.sock.close)

    def step(self, timeout: float = 1.0) -> int:
        """Wait for peers and answer what they have asked; how many were ready."""
        ready = self._selector.select(timeout)
        for key, _ in ready:
            if key.data is None:
                self._welcome()
            else:
                self._attend(key.data)
        return len(ready)

    def _welcome(self) -> None:
        try:
            conn, origin = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # gone again
        try:
            conn.setblocking(False)
            peer = _Peer(conn, "%s:%d" % origin[:2])
            conn.sendall(GREETING)
            self._selector.register(conn, selectors.EVENT_READ, peer)
        except BaseException:
            conn.close()
            raise
        self._peers.append(peer)

    def _attend(self, peer: _Peer) -> None:
        try:
            data = peer.sock.recv(BLOCK)
            peer.inbox += data
            while data and (request := peer.next_request()) is not None:
                peer.sock.sendall(self._answer(peer, *request))
        except BlockingIOError:
            return
        except (OSError, HubError) as exc:
            log.info("%s dropped: %s", peer.name, exc)
            data = b""
        if not data:
            self._dismiss(peer)

    def _dismiss(self, peer: _Peer) -> None:
        try:
            self._selector.unregister(peer.sock)
        finally:
            peer.sock.close()
        self._peers.remove(peer)

    def _answer(self, peer: _Peer, words: list[str], payload: bytes) -> bytes:
        if len(words) == 3 and words[0] == "PUSH":
            ident = self._store(words[1], payload)
            self._note("queued", ident)
            return b"QUEUED %s\n" % ident.encode()
        if len(words) == 2 and words[0] == "PULL":
            return self._hand_out(words[1])
        if len(words) == 2 and words[0] in ("DONE", "FAIL") and words[1] in self._running:
            lane = self._running.pop(words[1])
            if words[0] == "FAIL":
                self.lanes[lane].append(words[1])
            else:
                os.unlink(self.spool / f"{words[1]}@{lane}")
            self._note(words[0].lower(), words[1])
            return b"OK\n"
        if words == ["WATCH"]:
            peer.watching = True
            return b"OK\n"
        raise HubError("unknown request " + " ".join(words))

    def _store(self, lane: str, payload: bytes) -> str:
        fd, draft = tempfile.mkstemp(prefix="", suffix=".part", dir=self.spool)
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(payload)
            ident = Path(draft).stem
            os.replace(draft, self.spool / f"{ident}@{lane}")
        except BaseException:
            os.unlink(draft)
            raise
        self.lanes[lane].append(ident)
        return ident

    def _hand_out(self, lane: str) -> bytes:
        while lane in self.lanes:
            ident = self.lanes[lane].popleft()
            if not self.lanes[lane]:
                del self.lanes[lane]
            try:
                with open(self.spool / f"{ident}@{lane}", "rb") as handle:
                    payload = handle.read()
            except FileNotFoundError:
                continue  # withdrawn by hand
            self._running[ident] = lane
            return b"JOB %s %d\n%s" % (ident.encode(), len(payload), payload)
        return b"EMPTY\n"

    def _note(self, word: str, ident: str) -> None:
        """Into the history, and to everybody who watches."""
        path = self.spool / "history"
        if self._history is not None and self._history.tell() > self._history_limit:
            full, self._history = self._history, None
            full.close()
            os.replace(path, self.spool / "history.1")
        if self._history is None:
            self._history = path.open("ab", buffering=0)
        self._history.write(b"%d %s %s\n" % (time.time(), word.encode(), ident.encode()))
        for peer in [peer for peer in self._peers if peer.watching]:
            try:
                peer.sock.sendall(b"EVENT %s %s\n" % (word.encode(), ident.encode()))
            except OSError:
                peer.watching = False  # the next read tells why
