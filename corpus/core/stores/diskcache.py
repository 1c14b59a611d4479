"""A cache of downloaded documents on disk.

Bodies lie compressed in files named after the digest of their key; a shelf holds what is known about each
of them (size, time of storing, validator). Hit counts live in a small dbm file of their own, since they
change with each access and may be lost without harm.
"""
from __future__ import annotations

import bz2
import contextlib
import dataclasses
import dbm
import hashlib
import io
import logging
import os
import shelve
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Callable, Optional

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Entry:
    key: str
    size: int
    stored: float
    validator: str = ""


def digest_of(key: str) -> str:
    return hashlib.sha1(key.encode("utf-8")).hexdigest()


def _load_body(path: Path) -> bytes:
    with bz2.open(path, "rb") as packed:
        return packed.read()


def _format_version(folder: Path) -> str:
    """The layout version noted in the folder; caches from before the note are version 1."""
    note = folder / "VERSION"
    if not note.exists():
        note.write_text("1\n", encoding="ascii")
    with note.open(encoding="ascii") as handle:
        return handle.readline()


class _Span:
    """Times a block and says so in the log if it took long."""

    def __init__(self, label: str, limit: float = 0.5, clock: Callable[[], float] = time.monotonic) -> None:
        self.label = label
        self.limit = limit
        self.clock = clock
        self.items = 0

    def __enter__(self) -> _Span:
        self.started = self.clock()
        return self

    def __exit__(self, *exc_info: object) -> None:
        took = self.clock() - self.started
        if took > self.limit:
            _log.warning("%s: %d items took %.1f s", self.label, self.items, took)


class CacheIndex:
    """The shelf of entries, by digest."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "index"
        self._shelf = shelve.open(os.fspath(self.path))

    def __enter__(self) -> CacheIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._shelf.close()

    def find(self, digest: str) -> Optional[Entry]:
        fields = self._shelf.get(digest)
        return None if fields is None else Entry(**fields)

    def note(self, digest: str, entry: Entry) -> None:
        self._shelf[digest] = dataclasses.asdict(entry)

    def forget(self, digest: str) -> None:
        with contextlib.suppress(KeyError):
            del self._shelf[digest]

    def oldest_first(self) -> list[tuple[str, Entry]]:
        entries = [(digest, Entry(**fields)) for digest, fields in self._shelf.items()]
        return sorted(entries, key=lambda pair: pair[1].stored)


class DiskCache:
    """Documents by key, at most ``limit`` bytes of them."""

    def __init__(self, folder: Path, limit: int = 64 << 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.limit = limit
        if _format_version(folder).strip() != "1":
            raise ValueError(f"{folder} was written by a newer version")

    def get(self, key: str) -> Optional[bytes]:
        digest = digest_of(key)
        try:
            body = _load_body(self.folder / f"{digest}.bz2")
        except FileNotFoundError:
            return None
        with dbm.open(os.fspath(self.folder / "hits"), "c") as hits:
            count = int(hits.get(digest.encode(), b"0"))
            hits[digest.encode()] = str(count + 1).encode()
        return body

    def put(self, key: str, body: bytes, validator: str = "") -> None:
        digest = digest_of(key)
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(bz2.compress(body))
            os.replace(draft, self.folder / f"{digest}.bz2")
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
            raise
        with CacheIndex(self.folder) as index:
            index.note(digest, Entry(key, len(body), time.time(), validator))

    def fetch(self, url: str, timeout: float = 20.0) -> bytes:
        """The document at a URL, from the cache if the server says that it is unchanged."""
        request = urllib.request.Request(url)
        cached = self.get(url)
        with CacheIndex(self.folder) as index:
            entry = index.find(digest_of(url))
            if entry is not None and entry.validator and cached is not None:
                request.add_header("If-None-Match", entry.validator)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                validator = reply.headers.get("ETag", "")
                body = reply.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304 and cached is not None:
                    return cached
            raise
        self.put(url, body, validator)
        return body

    def hits(self) -> dict[str, int]:
        """Hit counts by digest."""
        counts: dict[str, int] = {}
        path = os.fspath(self.folder / "hits")
        if dbm.whichdb(path):
            table = dbm.open(path, "r")
            try:
                for digest in table.keys():
                    counts[digest.decode()] = int(table[digest])
            finally:
                table.close()
        return counts

    def used(self) -> int:
        total = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".bz2"):
                    total += entry.stat().st_size
        return total

    def trim(self) -> int:
        """Drop the oldest entries until the cache fits its limit."""
        excess = self.used() - self.limit
        with _Span("trim") as span:
            with CacheIndex(self.folder) as index:
                for digest, entry in index.oldest_first():
                    if excess <= 0:
                        break
                    path = self.folder / f"{digest}.bz2"
                    excess -= path.stat().st_size if path.exists() else 0
                    path.unlink(missing_ok=True)
                    index.forget(digest)
                    span.items += 1
            dropped = span.items
        return dropped

    def export(self, target: Path) -> int:
        """All bodies in a zip file, each under its digest."""
        archive = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        try:
            paths = sorted(self.folder.glob("*.bz2"))
            for path in paths:
                archive.write(path, path.name)
            archive.comment = b"cache export, %d documents" % len(paths)
        finally:
            archive.close()
        return len(paths)

    def listing(self) -> str:
        with io.StringIO() as out, CacheIndex(self.folder) as index:
            for _, entry in index.oldest_first():
                out.write(f"{entry.size:>10} {entry.key}\n")
            text = out.getvalue()
        return text


def check_export(path: Path) -> list[str]:
    """Names in an exported zip file which cannot be unpacked."""
    broken = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            try:
                bz2.decompress(archive.read(name))
            except (OSError, ValueError, zipfile.BadZipFile):
                broken.append(name)
    return broken
