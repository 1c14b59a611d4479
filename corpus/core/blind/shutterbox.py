"""Sorts photos into folders by the month they were taken in.

Photos come from folders, zip archives or tar archives.  When they were taken is read from their EXIF block; what has
none goes to ``undated``.  No photo is filed twice, whatever it is called: checksums are kept on a shelf beside the
folders.  Each run is written down in ``journal.jsonl``, so that the last one can be taken back.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import logging
import mmap
import os
import shelve
import shutil
import struct
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Iterator

log = logging.getLogger("shutterbox")

SUFFIXES = {".jpg", ".jpeg", ".jpe"}
SEGMENT = struct.Struct(">BBH")
APP1, SCAN, END = 0xE1, 0xDA, 0xD9
EXIF_IFD, DATE_TIME, DATE_ORIGINAL = 0x8769, 0x0132, 0x9003
BLOCK = 1 << 17


class NotAPhoto(ValueError):
    """The file is no JPEG file, or a damaged one."""


class SorterBusy(RuntimeError):
    """Another run works on the same folders."""


def is_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not os.path.basename(name).startswith("._")


def photo_digest(path: str | Path) -> str:
    summer = hashlib.blake2b(digest_size=20)
    buffer = bytearray(BLOCK)
    fd = os.open(path, os.O_RDONLY)
    try:
        with memoryview(buffer) as view:
            while size := os.readv(fd, [buffer]):
                summer.update(view[:size])
    finally:
        os.close(fd)
    return summer.hexdigest()


def dates_in(tiff: bytes) -> dict[int, str]:
    """The date fields of an EXIF block, by tag."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        raise NotAPhoto("no byte order")
    dates: dict[int, str] = {}
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    tables = [start]
    while tables and len(dates) < 2:
        at = tables.pop()
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for number in range(count):
            tag, _, size, value = struct.unpack_from(order + "HHII", tiff, at + 2 + 12 * number)
            if tag == EXIF_IFD:
                tables.append(value)
            elif tag in (DATE_TIME, DATE_ORIGINAL):
                dates[tag] = tiff[value:value + size].decode("ascii", "replace").strip("\0 ")
    return dates


class MappedPhoto:
    """A photo in memory, as far as it is looked at."""

    def __init__(self, path: str | Path) -> None:
        with ExitStack() as stack:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, self.fd)
            self.size = os.fstat(self.fd).st_size
            if self.size < SEGMENT.size:
                raise NotAPhoto(f"{path} is too short")
            self._content = stack.enter_context(mmap.mmap(self.fd, self.size, access=mmap.ACCESS_READ))
            if self._content[:3] != b"\xff\xd8\xff":
                raise NotAPhoto(f"{path} does not begin like a photo")
            self._held = stack.pop_all()

    def close(self) -> None:
        self._held.close()

    def segments(self) -> Iterator[tuple[int, bytes]]:
        """Kinds and bodies of the segments before the picture itself."""
        at = 2
        while at + SEGMENT.size <= self.size:
            mark, kind, length = SEGMENT.unpack_from(self._content, at)
            if mark != 0xFF or kind in (SCAN, END):
                return
            yield kind, self._content[at + SEGMENT.size:at + 2 + length]
            at += 2 + length

    def taken(self) -> datetime | None:
        dates: dict[int, str] = {}
        for kind, body in self.segments():
            if kind == APP1 and body.startswith(b"Exif\0\0"):
                try:
                    dates = dates_in(body[6:])
                except (struct.error, NotAPhoto) as exc:
                    log.info("damaged EXIF block: %s", exc)
                break
        for tag in (DATE_ORIGINAL, DATE_TIME):
            with suppress(KeyError, ValueError):
                return datetime.strptime(dates[tag], "%Y:%m:%d %H:%M:%S")
        return None

    def copy_to(self, target: int) -> None:
        done = 0
        while done < self.size:
            done += os.sendfile(target, self.fd, done, self.size - done)


class FolderSource:
    """Photos below a folder, where they lie."""

    def __init__(self, path: str | Path) -> None:
        self._levels = [os.scandir(path)]

    def photos(self, bench: str) -> Iterator[tuple[str, str]]:
        while self._levels:
            entry = next(self._levels[-1], None)
            if entry is None:
                self._levels.pop().close()
            elif entry.is_dir(follow_symlinks=False):
                self._levels.append(os.scandir(entry.path))
            elif is_photo(entry.name):
                yield entry.path, entry.path

    def close(self) -> None:
        with ExitStack() as stack:
            for level in self._levels:
                stack.callback(level.close)
            self._levels = []


class ArchiveSource:
    """Photos in an archive, unpacked one at a time."""

    def __init__(self, path: str | Path) -> None:
        self._archive: zipfile.ZipFile | tarfile.TarFile
        if zipfile.is_zipfile(path):
            self._archive = zipfile.ZipFile(path)
        else:
            self._archive = tarfile.open(path)

    def close(self) -> None:
        self._archive.close()

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        if isinstance(self._archive, zipfile.ZipFile):
            for name in filter(is_photo, self._archive.namelist()):
                yield name, self._archive.open(name)
            return
        for member in self._archive:
            if is_photo(member.name) and (stream := self._archive.extractfile(member)) is not None:
                yield member.name, stream

    def photos(self, bench: str) -> Iterator[tuple[str, str]]:
        for name, stream in self._members():
            with ExitStack() as stack:
                with stream, tempfile.NamedTemporaryFile(dir=bench, suffix=".jpg", delete=False) as spool:
                    stack.callback(os.unlink, spool.name)
                    shutil.copyfileobj(stream, spool, BLOCK)
                yield name, spool.name


def source_of(path: str | Path) -> FolderSource | ArchiveSource:
    return FolderSource(path) if os.path.isdir(path) else ArchiveSource(path)


@dataclass
class SortReport:
    filed: list[str] = field(default_factory=list)
    known: int = 0
    refused: list[str] = field(default_factory=list)


class PhotoBox:
    """The folders, the checksums and the journal.  One run at a time."""

    def __init__(self, root: str | Path, workers: int = 2) -> None:
        self.root = Path(root)
        self.workers = workers
        self.root.mkdir(parents=True, exist_ok=True)
        self._journal = self._claim()
        try:
            self._seen = shelve.open(str(self.root / "checksums"))
        except BaseException:
            self._journal.close()
            raise

    def _claim(self) -> IO[str]:
        journal = open(self.root / "journal.jsonl", "a+", encoding="utf-8")
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as exc:
            journal.close()
            if isinstance(exc, BlockingIOError):
                raise SorterBusy(str(self.root)) from None
            raise
        return journal

    def close(self) -> None:
        try:
            self._seen.close()
        finally:
            self._journal.close()

    def sort(self, path: str | Path) -> SortReport:
        report = SortReport()
        with ExitStack() as stack:
            source = stack.enter_context(closing(source_of(path)))
            bench = stack.enter_context(tempfile.TemporaryDirectory(prefix="shutterbox-"))
            pool = stack.enter_context(ThreadPoolExecutor(self.workers))
            stack.callback(self._write_down, report)
            for name, place in stack.enter_context(closing(source.photos(bench))):
                digest = pool.submit(photo_digest, place)
                try:
                    with closing(MappedPhoto(place)) as photo:
                        if digest.result() in self._seen:
                            report.known += 1
                            continue
                        filed = self._file_in(photo, os.path.basename(name))
                except NotAPhoto as exc:
                    log.warning("%s: %s", name, exc)
                    report.refused.append(name)
                else:
                    self._seen[digest.result()] = filed
                    report.filed.append(filed)
        return report

    def _write_down(self, report: SortReport) -> None:
        self._journal.write(json.dumps(report.filed) + "\n")
        self._journal.flush()

    def _file_in(self, photo: MappedPhoto, name: str) -> str:
        taken = photo.taken()
        folder = self.root / (taken.strftime("%Y-%m") if taken else "undated")
        folder.mkdir(exist_ok=True)
        fd, draft = tempfile.mkstemp(prefix=".in-", dir=folder)
        try:
            photo.copy_to(fd)
            if taken:
                os.utime(fd, (taken.timestamp(), taken.timestamp()))
            target = self._free_name(draft, folder, name)
        finally:
            try:
                os.close(fd)
            finally:
                os.unlink(draft)
        return str(target.relative_to(self.root))

    @staticmethod
    def _free_name(draft: str, folder: Path, name: str) -> Path:
        """Give a file its name, or one like it; what is there stays."""
        stem, suffix = os.path.splitext(name)
        for number in range(1, 1000):
            target = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
            try:
                os.link(draft, target)
            except FileExistsError:
                continue
            return target
        raise FileExistsError(f"{folder / name}, a thousand times")

    def take_back(self) -> list[str]:
        """Undo the last run: its photos go, and are not known any more."""
        self._journal.seek(0)
        runs = [json.loads(line) for line in self._journal]
        last = runs.pop() if runs else []
        for name in last:
            with suppress(FileNotFoundError):
                self._seen.pop(photo_digest(self.root / name), None)
                os.unlink(self.root / name)
        self._journal.truncate(0)
        for run in runs:
            self._journal.write(json.dumps(run) + "\n")
        self._journal.flush()
        return last


@contextmanager
def photo_box(root: str | Path) -> Iterator[PhotoBox]:
    box = PhotoBox(root)
    try:
        yield box
    finally:
        box.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--undo", action="store_true")
    parser.add_argument("root")
    parser.add_argument("sources", nargs="*")
    options = parser.parse_args(arguments)
    with photo_box(options.root) as box:
        if options.undo:
            print(*box.take_back(), sep="\n")
        for source in options.sources:
            report = box.sort(source)
            print(f"{source}: {len(report.filed)} filed, {report.known} known, {len(report.refused)} refused")
    return 0
