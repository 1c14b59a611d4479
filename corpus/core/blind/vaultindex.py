"""Index of what is in a folder full of backup archives (tar.*, zip and plain files).

``build`` walks the archives and sorts the records outside of memory into one index file:

    "VIX2", count u32, then per record: size u16, JSON [name, archive, bytes, mtime]
    an array of u64 offsets, in the order of names; its own offset is the last u64

``VaultIndex`` looks names up by bisection in the mapped file and opens members.
"""

from __future__ import annotations

import bisect
import heapq
import json
import logging
import lzma
import mmap
import os
import struct
import tarfile
import tempfile
import time
import zipfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import IO, NamedTuple

logger = logging.getLogger(__name__)

MAGIC = b"VIX2"
COUNT, SIZE, END = struct.Struct("<I"), struct.Struct("<H"), struct.Struct("<Q")
RUN_LENGTH = 50_000
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


class VaultError(Exception):
    pass


class VaultRecord(NamedTuple):
    name: str
    archive: str
    size: int
    mtime: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> VaultRecord:
        return cls(*json.loads(raw))


def archives_below(root: str) -> Iterator[str]:
    """Relative paths of everything below `root` that is a regular file."""
    todo = [root]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                    yield os.path.relpath(entry.path, root)


def tar_records(root: str, archive: str) -> Iterator[VaultRecord]:
    with tarfile.open(os.path.join(root, archive), "r:*") as tar:
        for member in tar:
            if member.isfile():
                yield VaultRecord(member.name, archive, member.size, int(member.mtime))


def zip_records(root: str, archive: str) -> Iterator[VaultRecord]:
    bundle = zipfile.ZipFile(os.path.join(root, archive))
    try:
        for info in bundle.infolist():
            if not info.is_dir():
                mtime = int(time.mktime((*info.date_time, 0, 0, -1)))
                yield VaultRecord(info.filename, archive, info.file_size, mtime)
    finally:
        bundle.close()


def records_of(root: str, archive: str) -> Iterator[VaultRecord]:
    if archive.endswith(TAR_SUFFIXES):
        yield from tar_records(root, archive)
    elif archive.endswith(".zip"):
        yield from zip_records(root, archive)
    else:
        status = os.stat(os.path.join(root, archive))
        yield VaultRecord(os.path.basename(archive), archive, status.st_size, int(status.st_mtime))


@contextmanager
def stored_member(path: str, name: str) -> Iterator[IO[bytes]]:
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as bundle, bundle.open(name) as member:
            yield member
    else:
        with tarfile.open(path, "r:*") as tar, tar.extractfile(name) as member:
            yield member


class RunSorter:
    """Sorts more records than fit into memory."""

    def __init__(self, length: int = RUN_LENGTH) -> None:
        self._length = length
        self._records: list[VaultRecord] = []
        self._runs: list[IO[bytes]] = []

    def add(self, record: VaultRecord) -> None:
        self._records.append(record)
        if len(self._records) >= self._length:
            self._spill()

    def _spill(self) -> None:
        run = tempfile.TemporaryFile(prefix="vaultrun-")
        try:
            with lzma.open(run, "wb", preset=0) as packed:
                for record in sorted(self._records):
                    packed.write(json.dumps(record).encode() + b"\n")
        except BaseException:
            run.close()
            raise
        self._runs.append(run)
        self._records.clear()

    def merged(self) -> Iterator[VaultRecord]:
        with ExitStack() as stack:
            sources: list[Iterable[VaultRecord]] = [sorted(self._records)]
            for run in self._runs:
                run.seek(0)
                packed = stack.enter_context(lzma.open(run, "rb"))
                sources.append(map(VaultRecord.from_bytes, packed))
            yield from heapq.merge(*sources)

    def close(self) -> None:
        with ExitStack() as stack:
            for run in self._runs:
                stack.callback(run.close)
        self._runs.clear()


@contextmanager
def appearing(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its place at `path` only if the block succeeds."""
    out = tempfile.NamedTemporaryFile(dir=os.path.dirname(path) or ".", delete=False)
    try:
        with out:
            yield out
        os.replace(out.name, path)
    except BaseException:
        os.unlink(out.name)
        raise


def build(root: str, target: str, run_length: int = RUN_LENGTH) -> int:
    """Index everything below `root`; archives that are damaged are left out."""
    with closing(RunSorter(run_length)) as sorter:
        with closing(archives_below(root)) as archives:
            for archive in archives:
                try:
                    with closing(records_of(root, archive)) as records:
                        for record in records:
                            sorter.add(record)
                except (tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError) as exc:
                    logger.warning("%s: %s", archive, exc)
        offsets = array("Q")
        with appearing(target) as out, closing(sorter.merged()) as merged:
            out.write(MAGIC + bytes(COUNT.size))
            for record in merged:
                raw = json.dumps(record).encode()
                offsets.append(out.tell())
                out.write(SIZE.pack(len(raw)) + raw)
            end = out.tell()
            offsets.tofile(out)
            out.write(END.pack(end))
            out.seek(len(MAGIC))
            out.write(COUNT.pack(len(offsets)))
    return len(offsets)


class VaultIndex:
    def __init__(self, path: str, root: str) -> None:
        self.path, self.root = path, root
        self._view: mmap.mmap | None = None
        try:
            fd = os.open(path, os.O_RDONLY)
            try:
                if os.fstat(fd).st_size < len(MAGIC) + COUNT.size + END.size:
                    raise VaultError(f"{path} is too short for an index")
                self._view = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(fd)        # the mapping has its own
            self._count, self._array = self._read_ends()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VaultIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        if self._view is not None:
            self._view.close()

    def _read_ends(self) -> tuple[int, int]:
        if self._view[:len(MAGIC)] != MAGIC:
            raise VaultError(f"{self.path} is no index")
        count, = COUNT.unpack_from(self._view, len(MAGIC))
        start, = END.unpack_from(self._view, len(self._view) - END.size)
        if start + END.size * (count + 1) != len(self._view):
            raise VaultError(f"{self.path} is cut off")
        return count, start

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> VaultRecord:
        if not 0 <= number < self._count:
            raise IndexError(number)
        offset, = END.unpack_from(self._view, self._array + END.size * number)
        size, = SIZE.unpack_from(self._view, offset)
        return VaultRecord.from_bytes(self._view[offset + SIZE.size:offset + SIZE.size + size])

    def find(self, name: str) -> Iterator[VaultRecord]:
        """All versions of `name`, whatever archives they are in."""
        number = bisect.bisect_left(self, (name,))
        while number < self._count and self[number].name == name:
            yield self[number]
            number += 1

    def open_member(self, record: VaultRecord) -> IO[bytes]:
        """A stream with the content; the caller closes it."""
        path = os.path.join(self.root, record.archive)
        if not record.archive.endswith((".zip", *TAR_SUFFIXES)):
            return open(path, "rb")
        copy = tempfile.TemporaryFile()
        try:
            with stored_member(path, record.name) as member:
                while block := member.read(1 << 16):
                    copy.write(block)
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy
