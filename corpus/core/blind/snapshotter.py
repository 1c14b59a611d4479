#!/usr/bin/env python3
"""Make, verify, convert, restore and prune snapshots of a directory.

A snapshot is NAME-YYYYmmddTHHMMSS.tar.gz (or .zip) whose last member,
``.manifest.json``, lists the SHA-256 of every file.
"""
from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
import os
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

log = logging.getLogger("snapshotter")

MANIFEST = ".manifest.json"
STAMP = "%Y%m%dT%H%M%S"
BLOCK = 1 << 18


class SnapshotError(Exception):
    pass


@dataclass
class Entry:
    path: Path
    name: str
    digest: str = ""


def digest_of(stream) -> str:
    sha = hashlib.sha256()
    while chunk := stream.read(BLOCK):
        sha.update(chunk)
    return sha.hexdigest()


class TreeWalker:
    def __init__(self, root: Path, exclude: tuple[str, ...] = ()):
        self.root = root
        self.exclude = exclude

    def entries(self) -> list[Entry]:
        found: list[Entry] = []
        self._descend(self.root, found)
        return sorted(found, key=lambda entry: entry.name)

    def _descend(self, directory: Path, found: list[Entry]) -> None:
        with os.scandir(directory) as it:
            for item in it:
                path = Path(item.path)
                if any(path.match(pattern) for pattern in self.exclude):
                    continue
                if item.is_dir(follow_symlinks=False):
                    self._descend(path, found)
                elif item.is_file(follow_symlinks=False):
                    found.append(Entry(path, path.relative_to(self.root).as_posix()))


class SnapshotWriter:
    """Writes below a temporary name, so a crash never leaves half a snapshot."""

    def __init__(self, root: Path, store: Path, name: str, exclude: tuple[str, ...] = ()):
        self.walker = TreeWalker(root, exclude)
        self.store = store
        self.name = name

    def write(self, kind: str = "tar") -> Path:
        suffix = ".zip" if kind == "zip" else ".tar.gz"
        target = self.store / f"{self.name}-{time.strftime(STAMP)}{suffix}"
        with tempfile.TemporaryDirectory(prefix=".snap-", dir=self.store) as work:
            partial = Path(work, "partial")
            entries = self.walker.entries()
            for entry in entries:
                with entry.path.open("rb") as source:
                    entry.digest = digest_of(source)
            if kind == "zip":
                self._write_zip(partial, entries)
            else:
                self._write_tar(partial, entries)
            os.replace(partial, target)
        log.info("%s: %d files", target.name, len(entries))
        return target

    @staticmethod
    def _manifest(entries: list[Entry]) -> bytes:
        return json.dumps({entry.name: entry.digest for entry in entries}, indent=1).encode()

    def _write_zip(self, partial: Path, entries: list[Entry]) -> None:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for entry in entries:
                archive.write(entry.path, entry.name)
            archive.writestr(MANIFEST, self._manifest(entries))

    def _write_tar(self, partial: Path, entries: list[Entry]) -> None:
        archive = tarfile.open(partial, "w:gz", compresslevel=6)
        try:
            for entry in entries:
                archive.add(entry.path, entry.name, recursive=False)
            payload = self._manifest(entries)
            info = tarfile.TarInfo(MANIFEST)
            info.size, info.mtime = len(payload), int(time.time())
            archive.addfile(info, io.BytesIO(payload))
        finally:
            archive.close()


class Snapshot:
    """Read access, the same for both formats; close it or use ``with``."""

    def __init__(self, path: Path):
        self.path = path
        self._tar: tarfile.TarFile | None = None
        self._zip: zipfile.ZipFile | None = None
        try:
            if path.suffix == ".zip":
                self._zip = zipfile.ZipFile(path)
            else:
                self._tar = tarfile.open(path)
            with self._member(MANIFEST) as stream:
                self.manifest: dict[str, str] = json.load(stream)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, KeyError, ValueError) as exc:
            self.close()
            raise SnapshotError(f"{path}: not a snapshot ({exc})") from exc
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        archive, self._tar, self._zip = self._tar or self._zip, None, None
        if archive is not None:
            archive.close()

    def _member(self, name: str):
        if self._zip is not None:
            return self._zip.open(name)
        stream = self._tar.extractfile(name)
        if stream is None:
            raise KeyError(f"{name} is not a regular file")
        return stream

    def verify(self) -> list[str]:
        bad = []
        for name, expected in self.manifest.items():
            try:
                with self._member(name) as stream:
                    if digest_of(stream) != expected:
                        bad.append(name)
            except (KeyError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as exc:
                log.warning("%s: %s: %s", self.path, name, exc)
                bad.append(name)
        return bad

    def restore(self, target: Path) -> int:
        """Unpack next to ``target`` first, then move everything into place."""
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=target) as work:
            for name in self.manifest:
                pure = PurePosixPath(name)
                if pure.is_absolute() or ".." in pure.parts:
                    raise SnapshotError(f"{self.path}: unsafe member {name!r}")
                staged = Path(work, *pure.parts)
                staged.parent.mkdir(parents=True, exist_ok=True)
                with self._member(name) as source, open(staged, "wb") as out:
                    shutil.copyfileobj(source, out, BLOCK)
            for name in self.manifest:
                final = target / name
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(work, name), final)
        return len(self.manifest)

    def to_zip(self, target: Path) -> None:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for name in (*self.manifest, MANIFEST):
                with self._member(name) as source, archive.open(name, "w") as out:
                    shutil.copyfileobj(source, out, BLOCK)


def prune(store: Path, name: str, keep: int) -> list[Path]:
    snapshots = []
    with os.scandir(store) as it:
        for item in it:
            if item.is_file() and item.name.startswith(f"{name}-"):
                snapshots.append(Path(item.path))
    doomed = sorted(snapshots, key=lambda path: path.name)[:-keep] if keep else []
    for path in doomed:
        log.info("removing %s", path)
        path.unlink()
    return doomed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="snapshotter", description=__doc__)
    parser.add_argument("command", choices=("create", "verify", "restore"))
    parser.add_argument("source", type=Path, help="directory or snapshot")
    parser.add_argument("target", type=Path, nargs="?", default=Path("."))
    parser.add_argument("--zip", dest="kind", action="store_const", const="zip", default="tar")
    args = parser.parse_args(argv)
    try:
        if args.command == "create":
            print(SnapshotWriter(args.source, args.target, args.source.resolve().name).write(args.kind))
            return 0
        with Snapshot(args.source) as snapshot:
            if args.command == "restore":
                print(f"{snapshot.restore(args.target)} files restored")
                return 0
            return 1 if snapshot.verify() else 0
    except (SnapshotError, OSError) as exc:
        log.error("%s", exc)
        return 1


if __name__ == "__main__":
    sys.exit(main())
