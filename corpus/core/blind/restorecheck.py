"""Verifies backups: compares the files of a backup with its manifest, on several threads.

A manifest is a text file of ``sha256  size  name`` lines, plain or gzipped, as the backup wrote it.  Checksums of
files that have not changed since they were read last come from a cache in the user's cache folder.
"""
from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import queue
import sys
import tarfile
import threading
from collections import Counter, OrderedDict
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Iterator, NamedTuple, Optional

CHUNK = 1 << 18
DEFAULT_ENTRIES = 20_000
MOST_FINDINGS = 1_000


class VerifyError(Exception):
    """The verification as a whole is impossible."""


class Entry(NamedTuple):
    digest: str
    size: int
    name: str


@dataclass
class Report:
    counts: Counter = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def note(self, verdict: str, name: str) -> None:
        self.counts[verdict] += 1
        if verdict != "ok" and len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"{verdict}: {name}")

    @property
    def good(self) -> bool:
        return not self.findings


def open_manifest(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def read_manifest(path: Path) -> Iterator[Entry]:
    with open_manifest(path) as lines:
        for number, line in enumerate(lines, 1):
            parts = line.rstrip("\n").split("  ", 2)
            if len(parts) != 3 or not parts[1].isdigit():
                raise VerifyError(f"{path.name}:{number}: not an entry")
            yield Entry(parts[0], int(parts[1]), parts[2])


class ChecksumCache:
    """Checksums by path, size and time of change; the least recently used go first."""

    def __init__(self, path: Path, limit: int = DEFAULT_ENTRIES) -> None:
        self.path, self.limit = path, limit
        self._guard = threading.Lock()
        self._known: OrderedDict[str, tuple[int, int, str]] = OrderedDict()
        self._dirty = False
        with suppress(FileNotFoundError), path.open(encoding="utf-8") as source:
            try:
                self._known.update((name, tuple(row)) for name, row in json.load(source).items())
            except (ValueError, AttributeError, TypeError):
                self._known.clear()  # it is only a cache

    def __len__(self) -> int:
        return len(self._known)

    def lookup(self, path: str, stat: os.stat_result) -> Optional[str]:
        with self._guard:
            row = self._known.get(path)
            if row is None or row[:2] != (stat.st_size, stat.st_mtime_ns):
                return None
            self._known.move_to_end(path)
            return row[2]

    def remember(self, path: str, stat: os.stat_result, digest: str) -> None:
        with self._guard:
            self._known[path] = (stat.st_size, stat.st_mtime_ns, digest)
            self._known.move_to_end(path)
            while len(self._known) > self.limit:
                self._known.popitem(last=False)
            self._dirty = True

    def save(self) -> None:
        with self._guard:
            if not self._dirty:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            out = NamedTemporaryFile("w", encoding="utf-8", dir=self.path.parent, delete=False)
            try:
                with out:
                    json.dump(self._known, out)
                os.replace(out.name, self.path)
            except BaseException:
                os.unlink(out.name)
                raise
            self._dirty = False


def _hash_stream(stream: IO[bytes]) -> str:
    summer = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        summer.update(chunk)
    return summer.hexdigest()


class Verifier:
    """Compares entries with the files below a folder.  :meth:`close` ends the threads and saves the cache."""

    def __init__(self, root: Path, cache: ChecksumCache, workers: int = 4) -> None:
        self.root, self.cache = root, cache
        self.report = Report()
        self._todo: queue.SimpleQueue[Optional[Entry]] = queue.SimpleQueue()
        self._room = threading.Semaphore(workers * 8)
        self._guard = threading.Lock()
        self._threads: list[threading.Thread] = []
        try:
            for number in range(workers):
                thread = threading.Thread(target=self._work, name=f"verify-{number}")
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self._end_threads()
            raise

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _end_threads(self) -> None:
        threads, self._threads = self._threads, []
        with ExitStack() as stack:
            for thread in threads:
                stack.callback(thread.join)
            for _ in threads:
                self._todo.put(None)

    def close(self) -> None:
        """Wait for what was submitted; the report is complete then."""
        try:
            self._end_threads()
        finally:
            self.cache.save()

    def submit(self, entry: Entry) -> None:
        if not self._threads:
            raise VerifyError("the verifier is closed")
        self._room.acquire()
        self._todo.put(entry)

    def _work(self) -> None:
        while (entry := self._todo.get()) is not None:
            try:
                verdict = self._verdict(entry)
            except FileNotFoundError:
                verdict = "missing"
            except Exception as exc:
                verdict = f"unreadable ({type(exc).__name__})"
            finally:
                self._room.release()
            with self._guard:
                self.report.note(verdict, entry.name)

    def _verdict(self, entry: Entry) -> str:
        path = self.root / entry.name
        with path.open("rb") as stream:
            stat = os.fstat(stream.fileno())
            if stat.st_size != entry.size:
                return "wrong size"
            digest = self.cache.lookup(str(path), stat)
            if digest is None:
                digest = _hash_stream(stream)
                self.cache.remember(str(path), stat, digest)
        return "ok" if digest == entry.digest else "damaged"


def verify_folder(root: Path, manifest: Path, cache: ChecksumCache, workers: int = 4) -> Report:
    with Verifier(root, cache, workers) as verifier, closing(read_manifest(manifest)) as entries:
        for entry in entries:
            verifier.submit(entry)
    return verifier.report


def verify_archive(archive: Path, manifest: Path) -> Report:
    """The same for a tar archive, which is read once from front to end."""
    report = Report()
    with closing(read_manifest(manifest)) as entries:
        expected = {entry.name: entry for entry in entries}
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            entry = expected.pop(member.name, None)
            if entry is None or not member.isfile():
                report.note("unexpected", member.name)
                continue
            with tar.extractfile(member) as stream:
                digest = _hash_stream(stream)
            report.note("ok" if digest == entry.digest else "damaged", member.name)
    for name in expected:
        report.note("missing", name)
    return report


def main(argv: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="restorecheck")
    parser.add_argument("backup", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "restorecheck.json")
    args = parser.parse_args(argv)
    try:
        if args.backup.is_dir():
            report = verify_folder(args.backup, args.manifest, ChecksumCache(args.cache))
        else:
            report = verify_archive(args.backup, args.manifest)
    except (OSError, VerifyError, tarfile.TarError) as exc:
        print(exc, file=sys.stderr)
        return 2
    for finding in report.findings:
        print(finding)
    return 0 if report.good else 1
