"""An append-only store of small records in segment files.

A record is ``length, crc, payload``. Writers append to the youngest segment; readers map whole segments
into memory. Sealed segments can be packed with LZMA. One process at a time may write.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import lzma
import mmap
import os
import struct
import tempfile
import zlib
from typing import BinaryIO, Iterable, Iterator

MAGIC = b"SEG1"
HEADER = struct.Struct("<II")


class SegmentError(ValueError):
    """A segment is damaged, or is none."""


class Busy(RuntimeError):
    """Another process writes to the store."""


def unpacked_segment(path: str) -> bytes:
    """A packed segment as it was when it was written."""
    with lzma.open(path) as packed:
        return packed.read()


def encode(payload: bytes) -> bytes:
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def decode(data: bytes, start: int = 0) -> Iterator[bytes]:
    """The payloads of a segment; a record cut off at the end is passed over."""
    while start + HEADER.size <= len(data):
        length, crc = HEADER.unpack_from(data, start)
        start += HEADER.size
        payload = bytes(data[start : start + length])
        if len(payload) < length:
            return
        if zlib.crc32(payload) != crc:
            raise SegmentError(f"bad checksum at {start}")
        yield payload
        start += length


def create_segment(path: str, durable: bool = True) -> BinaryIO:
    """A new segment, open for appending."""
    segment = io.FileIO(path, "x")
    try:
        segment.write(MAGIC)
        if durable:
            os.fsync(segment.fileno())
    except BaseException:
        segment.close()
        os.unlink(path)
        raise
    return segment


def lock_store(folder: str) -> BinaryIO:
    """The lock of the store; whoever holds the file open is the writer."""
    lock = open(os.path.join(folder, "LOCK"), "ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise Busy(folder) from None
    except BaseException:
        lock.close()
        raise
    return lock


@contextlib.contextmanager
def mapped_segment(path: str) -> Iterator[mmap.mmap]:
    """A segment as read-only memory."""
    with open(path, "rb") as segment:
        view = mmap.mmap(segment.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            if view[: len(MAGIC)] != MAGIC:
                raise SegmentError(f"{path} is no segment")
            yield view
        finally:
            view.close()


def sealed_records(path: str) -> Iterator[bytes]:
    """The records of a sealed segment, packed or not."""
    with lzma.open(path) if path.endswith(".xz") else open(path, "rb") as segment:
        segment.seek(len(MAGIC))
        while header := segment.read(HEADER.size):
            if len(header) < HEADER.size:
                raise SegmentError(f"{path} is cut off")
            yield segment.read(HEADER.unpack(header)[0])


class SegmentReader:
    """Random access to one segment."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "rb")

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def at(self, offset: int) -> bytes:
        self._file.seek(offset)
        length, crc = HEADER.unpack(self._file.read(HEADER.size))
        payload = self._file.read(length)
        if zlib.crc32(payload) != crc:
            raise SegmentError(f"{self.path}: bad checksum at {offset}")
        return payload


class SegmentStore:
    """The writing side."""

    def __init__(self, folder: str, limit: int = 1 << 20) -> None:
        self.folder = folder
        self.limit = limit
        self._active: BinaryIO | None = None
        self._lock = lock_store(folder)
        try:
            self.number = max([int(name[:6]) for name in os.listdir(folder) if name.endswith(".seg")], default=0)
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        try:
            if self._active is not None:
                self._active.close()
        finally:
            self._lock.close()

    def segment_path(self, number: int) -> str:
        return os.path.join(self.folder, f"{number:06}.seg")

    def rotate(self) -> None:
        """Seal the active segment and begin the next one."""
        if self._active is not None:
            self._active.close()
        self.number += 1
        self._active = io.FileIO(self.segment_path(self.number), "x")
        self._active.write(MAGIC)

    def append(self, payload: bytes) -> tuple[int, int]:
        """Write a record; gives the place where it can be found again."""
        if self._active is None or self._active.tell() + len(payload) > self.limit:
            self.rotate()
        place = (self.number, self._active.tell())
        self._active.write(encode(payload))
        return place

    def read(self, place: tuple[int, int]) -> bytes:
        number, offset = place
        with SegmentReader(self.segment_path(number)) as reader:
            payload = reader.at(offset)
        return payload

    def sync(self) -> None:
        """Make the names of new segments durable as well."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def find(self, word: bytes) -> bytes | None:
        """The first record with a word in it, youngest segment first."""
        for number in range(self.number, 0, -1):
            with mapped_segment(self.segment_path(number)) as view:
                if view.find(word) < 0:
                    continue
                hits = [payload for payload in decode(view[:], len(MAGIC)) if word in payload]
            if hits:
                return hits[0]
        return None

    def pack(self, number: int) -> str:
        """Pack a sealed segment, which disappears when that went well."""
        source = self.segment_path(number)
        packed = lzma.open(source + ".xz", "wb")
        good = False
        try:
            packed.write(MAGIC)
            with contextlib.closing(sealed_records(source)) as sealed:
                for payload in sealed:
                    packed.write(encode(payload))
            good = True
        finally:
            if good:
                packed.close()
                os.unlink(source)
            else:
                packed.close()
                os.unlink(source + ".xz")
        return source + ".xz"

    def compact(self, numbers: Iterable[int], keep: set[str]) -> str:
        """Merge segments into one file of the records whose digests are to be kept."""
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".merge")
        try:
            with os.fdopen(fd, "wb") as merged, contextlib.ExitStack() as stack:
                merged.write(MAGIC)
                for number in numbers:
                    reader = stack.enter_context(mapped_segment(self.segment_path(number)))
                    for payload in decode(reader[:], len(MAGIC)):
                        if hashlib.sha1(payload).hexdigest() in keep:
                            merged.write(encode(payload))
            target = os.path.join(self.folder, "merged.seg.new")
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
        return target

    def load_hints(self) -> dict[str, list[int]]:
        """The places of keys as noted at the last shutdown; without a note there are none."""
        path = os.path.join(self.folder, "hints.json")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="ascii") as hints:
            return json.load(hints)

    def save_hints(self, hints: dict[str, list[int]]) -> None:
        out = open(os.path.join(self.folder, "hints.json"), "w", encoding="ascii")
        try:
            json.dump(hints, out)
        finally:
            out.close()
