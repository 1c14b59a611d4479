"""Small client for beanstalkd-compatible work queues.

Reconnects when the daemon goes away and can park jobs in a spool file while it
is down.  Delivery is *at least once*.
"""

import base64
import contextlib
import json
import logging
import os
import selectors
import socket
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, Iterable, List, NamedTuple, Optional, Tuple

log = logging.getLogger("beanline")

DEFAULT_PORT = 11300
MAX_LINE, CRLF = 1024, b"\r\n"


class QueueError(Exception):
    pass


class ConnectionLost(QueueError):
    pass


class Job(NamedTuple):
    id: int
    body: bytes


class Connection:
    """One socket plus its buffered reader."""

    def __init__(self, host: str, port: int, timeout: float = 5.0) -> None:
        self.host, self.port = host, port
        self.timeout = timeout
        self._sock: Optional[socket.socket] = None
        self._reader: Optional[BinaryIO] = None

    connected = property(lambda self: self._sock is not None)

    def open(self) -> None:
        if self._sock is not None:
            return
        sock = self._dial_unix() if self.host.startswith("/") else self._dial_tcp()
        try:
            reader = sock.makefile("rb")
        except BaseException:
            sock.close()
            raise
        self._sock, self._reader = sock, reader

    def _dial_tcp(self) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), self.timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "SO_KEEPALIVE"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _dial_unix(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.host)
            return sock
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        sock, self._sock = self._sock, None
        reader, self._reader = self._reader, None
        try:
            if reader is not None:
                reader.close()
        finally:
            if sock is not None:
                sock.close()

    def exchange(self, line: str, body: Optional[bytes] = None) -> Tuple[List[str], bytes]:
        """Send one command and return (words of the reply, payload)."""
        if not self.connected:
            raise ConnectionLost("not connected")
        request = line.encode("ascii") + CRLF
        if body is not None:
            request += body + CRLF
        try:
            self._sock.sendall(request)
            reply = self._reader.readline(MAX_LINE)
            if not reply.endswith(CRLF):
                raise OSError("truncated reply %r" % reply)
            words = reply.decode("ascii").split()
            payload = b""
            if words and words[0] in ("RESERVED", "FOUND", "OK"):
                size = int(words[-1])
                payload = self._reader.read(size + 2)[:size]
                if len(payload) != size:
                    raise OSError("peer closed after %d of %d bytes" % (len(payload), size))
        except (OSError, ValueError) as exc:
            self.close()
            raise ConnectionLost(str(exc)) from exc
        return words, payload


class QueueClient:
    """High level client; safe to keep for the lifetime of a worker."""

    def __init__(self, host="localhost", port=DEFAULT_PORT, tube="default",
                 spool: Optional[Path] = None, retries: int = 3, backoff: float = 0.2):
        self._conn = Connection(host, port)
        self.tube, self.spool = tube, spool
        self.retries, self.backoff = retries, backoff

    def __enter__(self) -> "QueueClient":
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        self._conn.close()

    def _ensure_open(self) -> None:
        if self._conn.connected:
            return
        try:
            self._conn.open()
        except OSError as exc:
            raise ConnectionLost(str(exc)) from exc
        self._conn.exchange(f"use {self.tube}")  # the daemon forgets it on disconnect
        self._conn.exchange(f"watch {self.tube}")

    def _call(self, line: str, body: Optional[bytes], *expected: str):
        for attempt in range(self.retries + 1):
            try:
                self._ensure_open()
                words, payload = self._conn.exchange(line, body)
                break
            except ConnectionLost as exc:
                self._conn.close()
                if attempt == self.retries:
                    raise
                log.info("reconnecting to %s after: %s", self._conn.host, exc)
                time.sleep(self.backoff * (2 ** attempt))
        if not words or words[0] not in expected:
            raise QueueError(f"{line.split()[0]}: {' '.join(words) or 'empty reply'}")
        return words, payload

    def put(self, body: bytes, priority: int = 1024, ttr: int = 60) -> int:
        words, _ = self._call(f"put {priority} 0 {ttr} {len(body)}", body, "INSERTED")
        return int(words[1])

    def reserve(self, timeout: int = 0) -> Optional[Job]:
        words, payload = self._call(f"reserve-with-timeout {timeout}", None, "RESERVED", "TIMED_OUT")
        return Job(int(words[1]), payload) if words[0] == "RESERVED" else None

    def delete(self, job_id: int) -> None:
        self._call(f"delete {job_id}", None, "DELETED")

    def put_or_spool(self, body: bytes) -> Optional[int]:
        try:
            return self.put(body)
        except ConnectionLost:
            if self.spool is None:
                raise
        with self.spool.open("ab") as fh:
            fh.write(base64.b64encode(body) + b"\n")
        return None

    def replay_spool(self) -> int:
        """Send what was spooled; whatever cannot be sent stays there."""
        if self.spool is None or not self.spool.exists():
            return 0
        sent, kept = 0, []
        source = self.spool.open("rb")
        try:
            for line in source:
                if kept:  # keep the order
                    kept.append(line)
                    continue
                try:
                    self.put(base64.b64decode(line))
                    sent += 1
                except ConnectionLost:
                    kept.append(line)
        finally:
            source.close()
        if not kept:
            self.spool.unlink()
            return sent
        fd, tmp = tempfile.mkstemp(dir=self.spool.parent)
        try:
            with os.fdopen(fd, "wb") as fh:
                fh.writelines(kept)
            os.replace(tmp, self.spool)
        except BaseException:
            os.unlink(tmp)
            raise
        return sent

    def drain_to(self, path: Path) -> int:
        """Move every ready job into a JSON-lines file."""
        count = 0
        with open(path, "a", encoding="ascii") as out:
            while (job := self.reserve(0)) is not None:
                body = base64.b64encode(job.body).decode()
                out.write(json.dumps({"id": job.id, "body": body}) + "\n")
                out.flush()  # on disk before the daemon forgets it
                self.delete(job.id)
                count += 1
        return count


def probe(addresses: Iterable[Tuple[str, int]], timeout: float = 2.0) -> List[Tuple[str, int]]:
    """Return those (ip, port) pairs that accept connections, all at once."""
    alive = []
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for address in addresses:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.setblocking(False)
            sock.connect_ex(address)
            selector.register(sock, selectors.EVENT_WRITE, address)
        end = time.monotonic() + timeout
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(max(0.0, end - time.monotonic())):
                if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    alive.append(key.data)
                selector.unregister(key.fileobj)
    return alive
