"""Outputs of build steps, shared by all builds of one machine through a server on a Unix socket.

A request is one line, ``VERB KEY [SIZE]``, and so is its answer::

    GET key            FD size | NO       the open file travels along as ancillary data
    PUT key size       OK                 ``size`` bytes follow the request

Keys are hex digests of whatever went into the step.  Objects are plain files in ``objects/``, their sizes and last
uses stand in ``index.db``.  What was not used for longest goes first when the store is larger than its limit.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import selectors
import socket
import sqlite3
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

log = logging.getLogger("forgecache")

BLOCK = 1 << 16
LINE_LIMIT = 256
KEY = re.compile(r"[0-9a-f]{8,64}\Z")
SCHEMA = "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL)"


class StoreInUse(Exception):
    """Another server works on the folder or on the socket."""


class PeerBroken(Exception):
    """The other side did not keep to the protocol."""


class ObjectDraft:
    """An object that is not complete yet.  Gone after `close`, unless it was committed."""

    def __init__(self, folder: str) -> None:
        self.file = tempfile.NamedTemporaryFile(prefix="draft-", dir=folder, delete=False)
        self._kept = False

    def commit(self, path: str) -> None:
        self.file.flush()
        os.fchmod(self.file.fileno(), 0o444)
        os.replace(self.file.name, path)
        self._kept = True

    def close(self) -> None:
        try:
            self.file.close()
        finally:
            if not self._kept:
                self._kept = True
                os.unlink(self.file.name)


class ForgeStore:
    """Objects and their index.  One process at a time; its threads may share it."""

    def __init__(self, folder: str, limit: int = 1 << 30) -> None:
        self.folder = folder
        self.limit = limit
        self._objects = os.path.join(folder, "objects")
        self._guard = threading.Lock()
        os.makedirs(self._objects, exist_ok=True)
        with contextlib.ExitStack() as stack:
            lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreInUse(folder) from None
            self._db = sqlite3.connect(os.path.join(folder, "index.db"), check_same_thread=False)
            stack.callback(self._db.close)
            self._db.execute(SCHEMA)
            self._db.commit()
            self.close = stack.pop_all().close

    def receive(self, key: str, size: int, source: BinaryIO) -> None:
        """Take ``size`` bytes from ``source`` as the object of a key."""
        draft = ObjectDraft(self.folder)
        try:
            left = size
            while left:
                block = source.read(min(left, BLOCK))
                if not block:
                    raise PeerBroken(f"{key} ends {left} bytes early")
                draft.file.write(block)
                left -= len(block)
            with self._guard, self._db:
                self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (key, size, time.time()))
                draft.commit(os.path.join(self._objects, key))
        finally:
            draft.close()
        self._trim()

    def lend(self, key: str) -> tuple[int, int] | None:
        """A descriptor of an object and its size.  The descriptor is the caller's to close."""
        with self._guard:
            row = self._db.execute("SELECT size FROM objects WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            fd = os.open(os.path.join(self._objects, key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            log.warning("%s is in the index only", key)
            self._forget([key])
            return None
        try:
            intact = os.fstat(fd).st_size == row[0]
            if intact:
                with self._guard, self._db:
                    self._db.execute("UPDATE objects SET used = ? WHERE key = ?", (time.time(), key))
        except BaseException:
            os.close(fd)
            raise
        if intact:
            return fd, row[0]
        os.close(fd)
        log.warning("%s has not %d bytes any more", key, row[0])
        self._forget([key])
        return None

    def _forget(self, keys: list[str]) -> None:
        with self._guard, self._db:
            self._db.executemany("DELETE FROM objects WHERE key = ?", [(key,) for key in keys])
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._objects, key))

    def _trim(self) -> None:
        doomed = []
        with self._guard, contextlib.closing(self._db.cursor()) as cursor:
            excess = cursor.execute("SELECT SUM(size) FROM objects").fetchone()[0] - self.limit
            if excess <= 0:
                return
            for key, size in cursor.execute("SELECT key, size FROM objects ORDER BY used, key"):
                doomed.append(key)
                excess -= size
                if excess <= 0:
                    break
        self._forget(doomed)


class ForgeServer:
    """Answers on a socket.  With no workers, connections are served one after the other within `serve`."""

    def __init__(self, store: ForgeStore, path: str, workers: int = 4) -> None:
        self.store = store
        self.path = path
        self._guard = threading.Lock()
        self._live: set[socket.socket] = set()
        with contextlib.ExitStack() as stack:
            self._listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            self._bind()
            stack.callback(self._unbind)
            self._listener.listen(16)
            wake, self._alarm = socket.socketpair()
            stack.callback(self._alarm.close)
            stack.callback(wake.close)
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(wake, selectors.EVENT_READ)
            self._pool = ThreadPoolExecutor(workers, "forgecache") if workers else None
            if self._pool is not None:
                stack.callback(self._pool.shutdown)
            stack.callback(self._hang_up)
            self._held = stack.pop_all()

    def _bind(self) -> None:
        """A socket file that nobody listens to any more is replaced."""
        try:
            self._listener.bind(self.path)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
                if knock.connect_ex(self.path) == 0:
                    raise StoreInUse(self.path) from None
            os.unlink(self.path)
            self._listener.bind(self.path)

    def _unbind(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _hang_up(self) -> None:
        with self._guard:
            for connection in self._live:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._held.close()

    def stop(self) -> None:
        """Let `serve` return; may be called from anywhere."""
        self._alarm.send(b"x")

    def serve(self, idle: float | None = None) -> None:
        """Take connections until `stop`, or until nobody came for ``idle`` seconds."""
        while ready := self._selector.select(idle):
            for key, _ in ready:
                if key.fileobj is not self._listener:
                    return
                self._admit()

    def _admit(self) -> None:
        connection, _ = self._listener.accept()
        with self._guard:
            self._live.add(connection)
        try:
            if self._pool is not None:
                self._pool.submit(self._attend, connection)
                return
        except BaseException:
            self._let_go(connection)
            raise
        self._attend(connection)

    def _let_go(self, connection: socket.socket) -> None:
        with self._guard:
            self._live.discard(connection)
            connection.close()

    def _attend(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(30.0)
            with connection.makefile("rb") as requests:
                while line := requests.readline(LINE_LIMIT):
                    self._answer(connection, line.decode("ascii").split(), requests)
        except (OSError, ValueError, LookupError, PeerBroken) as exc:
            log.info("connection given up: %s", exc)
        finally:
            self._let_go(connection)

    def _answer(self, connection: socket.socket, words: list[str], requests: BinaryIO) -> None:
        verb, key = words[:2]
        if not KEY.match(key):
            raise PeerBroken(f"no key: {key!r}")
        if verb == "PUT":
            self.store.receive(key, int(words[2]), requests)
            connection.sendall(b"OK\n")
        elif verb == "GET":
            self._hand_over(connection, key)
        else:
            raise PeerBroken(f"no verb: {verb!r}")

    def _hand_over(self, connection: socket.socket, key: str) -> None:
        lent = self.store.lend(key)
        if lent is None:
            connection.sendall(b"NO\n")
            return
        try:
            socket.send_fds(connection, [b"FD %d\n" % lent[1]], [lent[0]])
        finally:
            os.close(lent[0])


class ForgeClient:
    """A build's connection to the server, which may be about to start."""

    def __init__(self, path: str, attempts: int = 5, pause: float = 0.05) -> None:
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(10.0)
                sock.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                attempts -= 1
                if attempts <= 0:
                    raise
            except BaseException:
                sock.close()
                raise
            time.sleep(pause)
        self._sock = sock

    def close(self) -> None:
        self._sock.close()

    def _ask(self, request: str) -> tuple[list[str], list[int]]:
        """An answer comes in one piece; what travels along is closed by the caller."""
        self._sock.sendall(request.encode("ascii") + b"\n")
        line, fds, _, _ = socket.recv_fds(self._sock, LINE_LIMIT, 4)
        if line.endswith(b"\n"):
            return line.split(), fds
        with contextlib.ExitStack() as stack:
            for fd in fds:
                stack.callback(os.close, fd)
        raise PeerBroken("the server went away")

    def push(self, key: str, source: str) -> None:
        with open(source, "rb") as content:
            self._sock.sendall(b"PUT %s %d\n" % (key.encode("ascii"), os.fstat(content.fileno()).st_size))
            self._sock.sendfile(content)
        answer = self._sock.recv(LINE_LIMIT)
        if answer != b"OK\n":
            raise PeerBroken(f"{key} was not taken: {answer!r}")

    def pull(self, key: str, target: str) -> bool:
        """Copy an object to a file; false if there is none."""
        words, fds = self._ask(f"GET {key}")
        with contextlib.ExitStack() as stack:
            for fd in fds:
                stack.callback(os.close, fd)
            if words[0] != b"FD" or not fds:
                return False
            left = int(words[1])
            out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            stack.callback(os.close, out)
            while left:
                block = os.read(fds[0], min(left, BLOCK))
                if not block:
                    raise PeerBroken(f"{key} is shorter than was said")
                left -= os.write(out, block)
        return True
