"""A store of blobs: an append-only pack file, an index in SQLite, and a lock file so that one process writes.

The pack holds blobs one after the other; the index says where. ``Store`` is for writers, ``Reader`` for readers,
``Batch`` collects several blobs and writes them together or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import sqlite3
import threading
import weakref
from collections import OrderedDict
from contextlib import ExitStack, closing, suppress
from typing import BinaryIO, Iterator, Optional

TABLE = "CREATE TABLE IF NOT EXISTS blobs (name TEXT PRIMARY KEY, start INTEGER, size INTEGER, sha TEXT)"
CACHED = 16


class StoreError(Exception):
    """The store can't do that."""


class Locked(StoreError):
    pass


class PackWriter:
    """Appends to the pack file, and keeps a journal of where each blob begins."""

    def __init__(self, folder: str) -> None:
        self.written = 0
        with ExitStack() as stack:
            self._pack: Optional[BinaryIO] = stack.enter_context(open(os.path.join(folder, "pack"), "ab"))
            self._journal: Optional[BinaryIO] = stack.enter_context(open(os.path.join(folder, "journal"), "ab"))
            stack.pop_all()

    def append(self, blob: bytes) -> int:
        if self._pack is None or self._journal is None:
            raise StoreError("closed")
        start = self._pack.tell()
        self._pack.write(blob)
        self._journal.write(b"%d\n" % start)
        self.written += len(blob)
        return start

    def close(self) -> None:
        try:
            if self._pack is not None:
                pack, self._pack = self._pack, None
                pack.close()
        finally:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class StoreLock:
    """The right to write, held by a descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: Optional[int] = None

    def take(self) -> None:
        if self._fd is not None:
            raise StoreError("taken already")
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise Locked(self.path) from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def __enter__(self) -> StoreLock:
        self.take()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class PackIndex:
    """Where the blobs are."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False)
        try:
            self._db.execute(TABLE)
        except BaseException:
            self._db.close()
            raise

    def put(self, name: str, start: int, blob: bytes) -> None:
        row = (name, start, len(blob), hashlib.sha256(blob).hexdigest())
        self._db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", row)

    def find(self, name: str) -> tuple[int, int]:
        row = self._db.execute("SELECT start, size FROM blobs WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        return row

    def names(self) -> list[str]:
        found = []
        for (name,) in self._db.execute("SELECT name FROM blobs ORDER BY name"):
            found.append(name)
        return found

    def commit(self) -> None:
        self._db.commit()

    def rollback(self) -> None:
        self._db.rollback()

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> PackIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._db.close()


class Store:
    """For the one that writes."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._problem: Optional[str] = None
        self._mutex = threading.Lock()
        self._lock = StoreLock(os.path.join(folder, "lock"))
        with ExitStack() as stack:
            stack.enter_context(self._lock)
            self._index = stack.enter_context(PackIndex(os.path.join(folder, "index.db")))
            self._writer = stack.enter_context(PackWriter(folder))
            stack.pop_all()

    def put(self, name: str, blob: bytes) -> None:
        with self._mutex:
            self._index.put(name, self._writer.append(blob), blob)
            self._index.commit()

    def try_put(self, name: str, blob: bytes) -> bool:
        try:
            self.put(name, blob)
        except (StoreError, OSError, sqlite3.Error) as error:
            self._problem = str(error)
            return False
        return True

    def batch(self) -> Batch:
        return Batch(self)

    def put_all(self, blobs: dict[str, bytes]) -> int:
        with self._mutex:
            try:
                for name, blob in blobs.items():
                    self._index.put(name, self._writer.append(blob), blob)
                self._index.commit()
            except BaseException:
                self._index.rollback()
                raise
        return len(blobs)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            try:
                self._index.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Batch:
    """Blobs to be written together."""

    def __init__(self, store: Store) -> None:
        self._store = weakref.proxy(store)
        self._blobs: dict[str, bytes] = {}

    def add(self, name: str, blob: bytes) -> None:
        self._blobs[name] = blob

    def write(self) -> int:
        return self._store.put_all(self._blobs)


class Reader:
    """Blobs by name, through a map of the pack; the latest are kept."""

    def __init__(self, folder: str) -> None:
        self.hits = 0
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._guard = threading.Lock()
        with ExitStack() as stack:
            self._index = stack.enter_context(PackIndex(os.path.join(folder, "index.db")))
            pack = stack.enter_context(open(os.path.join(folder, "pack"), "rb"))
            self._map = stack.enter_context(mmap.mmap(pack.fileno(), 0, access=mmap.ACCESS_READ))
            pack.close()
            stack.pop_all()

    def get(self, name: str) -> bytes:
        with self._guard:
            if name in self._recent:
                self.hits += 1
                return self._recent[name]
            start, size = self._index.find(name)
            blob = self._recent[name] = self._map[start : start + size]
            if len(self._recent) > CACHED:
                self._recent.popitem(last=False)
        return blob

    def __iter__(self) -> Iterator[str]:
        return iter(self._index.names())

    def close(self) -> None:
        try:
            with suppress(BufferError):
                self._map.close()
        finally:
            self._index.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Tally:
    """Counts in a file what was asked for; another process may read it at any time."""

    def __init__(self, path: str) -> None:
        self._out = open(path, "w", encoding="ascii")
        self._net = weakref.finalize(self, self._out.close)

    def note(self, name: str) -> None:
        self._out.write(name + "\n")

    def close(self) -> None:
        self._net.detach()
        self._out.close()


def check(folder: str) -> list[str]:
    """Names of blobs that are not what the index says."""
    wrong = []
    with closing(sqlite3.connect(os.path.join(folder, "index.db"))) as db, open(os.path.join(folder, "pack"), "rb") as pack:
        for name, start, size, sha in db.execute("SELECT name, start, size, sha FROM blobs"):
            pack.seek(start)
            if hashlib.sha256(pack.read(size)).hexdigest() != sha:
                wrong.append(name)
    return wrong


def import_folder(store: Store, folder: str) -> int:
    batch = store.batch()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as source:
            batch.add(name, source.read())
    return batch.write()


def export(folder: str, name: str, target: str) -> int:
    with Reader(folder) as reader:
        blob = reader.get(name)
        with open(target, "wb") as out:
            return out.write(blob)
