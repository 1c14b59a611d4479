"""Place names on disk: a file of records and an index over it, both mapped into memory by readers.

``places.dat`` holds one JSON record per line.  ``places.idx`` begins with a header (magic, number of entries, size
of the record file) and goes on with entries sorted by the folded name: hash, offset, length.  The builder sorts in
runs that are merged, so the source may be larger than memory.
"""
import argparse
import contextlib
import csv
import gzip
import heapq
import json
import mmap
import os
import re
import struct
import sys
import tempfile
import unicodedata
import zlib
from typing import Dict, IO, Iterable, Iterator, List, Optional, Tuple

HEAD = struct.Struct("<4sIQ")
ENTRY = struct.Struct("<IQI")
MAGIC = b"GAZ1"
RUN_LENGTH = 50_000
MARKS = re.compile("[\u0300-\u036f]+")
FIELDS = ("name", "lat", "lon")

Place = Dict[str, object]
Key = Tuple[int, int, int]


class GazetteerError(Exception):
    pass


class StaleIndex(GazetteerError):
    pass


def fold(name: str) -> str:
    return MARKS.sub("", unicodedata.normalize("NFKD", name)).casefold().strip()


def hash_of(name: str) -> int:
    return zlib.crc32(fold(name).encode("utf-8"))


def open_source(path: str) -> IO[str]:
    """A tab separated source as text, compressed or not; the caller closes it."""
    raw = open(path, "rb")
    try:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
    except BaseException:
        raw.close()
        raise
    if not packed:
        raw.close()
        return open(path, encoding="utf-8", newline="")
    raw.close()
    return gzip.open(path, "rt", encoding="utf-8", newline="")


def read_places(path: str) -> Iterator[Place]:
    """The valid lines of a source; bad ones are reported on stderr."""
    source = open_source(path)
    try:
        for number, row in enumerate(csv.reader(source, delimiter="\t"), 1):
            if not row or row[0].startswith("#"):
                continue
            try:
                name, lat, lon = row[:3]
                yield dict(zip(FIELDS, (name, float(lat), float(lon))))
            except ValueError as exc:
                print(f"{path}:{number}: {exc}", file=sys.stderr)
    finally:
        source.close()


class GazetteerBuilder:
    """Collects places, then :meth:`commit` puts both files in place; without it nothing stays."""

    def __init__(self, folder: str, run_length: int = RUN_LENGTH) -> None:
        self.folder, self.run_length = folder, run_length
        self._keys: List[Key] = []
        self._runs: List[IO[bytes]] = []
        self._count = 0
        self._draft = os.path.join(folder, "places.dat.new")
        self._records = open(self._draft, "wb")

    def __enter__(self) -> "GazetteerBuilder":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        runs, self._runs = self._runs, []
        with contextlib.ExitStack() as stack:
            stack.callback(self._records.close)
            for run in runs:
                stack.callback(run.close)

    def add(self, place: Place) -> None:
        line = json.dumps(place, ensure_ascii=False).encode("utf-8") + b"\n"
        self._keys.append((hash_of(str(place["name"])), self._records.tell(), len(line)))
        self._records.write(line)
        self._count += 1
        if len(self._keys) >= self.run_length:
            self._spill()

    def _spill(self) -> None:
        run = tempfile.TemporaryFile(dir=self.folder)
        try:
            for key in sorted(self._keys):
                run.write(ENTRY.pack(*key))
            run.seek(0)
        except BaseException:
            run.close()
            raise
        self._runs.append(run)
        self._keys.clear()

    @staticmethod
    def _entries(run: IO[bytes]) -> Iterator[Key]:
        while entry := run.read(ENTRY.size):
            yield ENTRY.unpack(entry)

    def commit(self) -> int:
        """The number of places that are in place now."""
        self._records.flush()
        size = self._records.tell()
        if not self._count:
            raise GazetteerError("no places at all")
        draft = os.path.join(self.folder, "places.idx.new")
        merged = heapq.merge(sorted(self._keys), *map(self._entries, self._runs))
        with open(draft, "wb") as index:
            index.write(HEAD.pack(MAGIC, self._count, size))
            for key in merged:
                index.write(ENTRY.pack(*key))
        os.replace(self._draft, self._draft[: -len(".new")])
        os.replace(draft, draft[: -len(".new")])
        return self._count


def _map_file(path: str) -> mmap.mmap:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_size == 0:
            raise GazetteerError(f"{path} is empty")
        view = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    except BaseException:
        os.close(fd)
        raise
    try:
        os.close(fd)
    except BaseException:
        view.close()
        raise
    return view


class Gazetteer:
    """Looks places up; :meth:`refresh` goes over to new files after a build."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._index, self._records, self._stamp = self._attach()

    def _attach(self) -> Tuple[mmap.mmap, mmap.mmap, int]:
        path = os.path.join(self.folder, "places.idx")
        with contextlib.ExitStack() as stack:
            stamp = os.stat(path).st_ino
            index = _map_file(path)
            stack.callback(index.close)
            records = _map_file(os.path.join(self.folder, "places.dat"))
            stack.callback(records.close)
            magic, self.count, size = HEAD.unpack_from(index)
            if magic != MAGIC:
                raise GazetteerError(f"{path} is no index")
            if size != len(records):
                raise StaleIndex(path)
            stack.pop_all()
        return index, records, stamp

    def close(self) -> None:
        try:
            self._index.close()
        finally:
            self._records.close()

    def refresh(self) -> bool:
        if os.stat(os.path.join(self.folder, "places.idx")).st_ino == self._stamp:
            return False
        fresh = self._attach()
        old, (self._index, self._records, self._stamp) = (self._index, self._records), fresh
        with contextlib.closing(old[0]), contextlib.closing(old[1]):
            return True

    def _entry(self, number: int) -> Key:
        return ENTRY.unpack_from(self._index, HEAD.size + number * ENTRY.size)

    def find(self, name: str) -> Iterator[Place]:
        wanted, low, high = hash_of(name), 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[0] < wanted:
                low = middle + 1
            else:
                high = middle
        while low < self.count and self._entry(low)[0] == wanted:
            _, offset, length = self._entry(low)
            place = json.loads(self._records[offset : offset + length])
            if fold(place["name"]) == fold(name):
                yield place
            low += 1


def build(folder: str, sources: Iterable[str], run_length: int = RUN_LENGTH) -> int:
    with GazetteerBuilder(folder, run_length) as builder:
        for path in sources:
            with contextlib.closing(read_places(path)) as places:
                for place in places:
                    builder.add(place)
        return builder.commit()


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="gazetteer")
    parser.add_argument("folder")
    parser.add_argument("name")
    args = parser.parse_args(argv)
    try:
        gazetteer = Gazetteer(args.folder)
    except (OSError, GazetteerError) as exc:
        print(exc, file=sys.stderr)
        return 2
    with contextlib.closing(gazetteer):
        for place in gazetteer.find(args.name):
            print("{name}: {lat} {lon}".format(**place))
            return 0
    return 1
