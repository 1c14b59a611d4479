'''A cache of compiled objects for a build tool, shared by all work trees of one machine.

An entry is a zip archive named after the digest of everything that went into the compilation: `object` holds
the output, `stderr` what the compiler said.  A log beside the entries remembers which were used last.
'''

from __future__ import annotations

import hashlib
import mmap
import os
import sqlite3
import subprocess
import tempfile
import zipfile
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Iterable, Iterator

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, used INTEGER NOT NULL)
"""
LARGE = 16 * 1024


class CacheError(Exception):
    '''The cache cannot be used; building goes on without it.'''


def digest_of(paths: Iterable[Path], arguments: Iterable[str]) -> str:
    '''Digest over the command line and the content of all inputs.'''
    digest = hashlib.sha256()
    for argument in arguments:
        digest.update(argument.encode() + b'\0')
    for path in paths:
        with open(path, 'rb') as source:
            size = os.fstat(source.fileno()).st_size
            if size == 0:
                continue
            if size < LARGE:
                digest.update(source.read())
            else:
                with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    digest.update(mapped)
    return digest.hexdigest()


def _first_line(path: Path) -> str:
    with open(path, encoding='utf-8') as source:
        return source.readline()


def schema_version(folder: Path) -> int:
    '''The number in the `VERSION` file; caches from before there was one are version 1.'''
    if not (folder / 'VERSION').exists():
        return 1
    line = _first_line(folder / 'VERSION')
    return int(line)


class UsageLog:
    '''Lines `digest hit|miss` since the last sweep.'''

    def __init__(self, path: Path):
        self.path = path
        self._lines = open(path, 'a', encoding='ascii')

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._lines.close()

    def note(self, digest: str, hit: bool):
        self._lines.write(f"{digest} {'hit' if hit else 'miss'}\n")

    def restart(self):
        '''Begin an empty log; the old one stays as `.1`.'''
        self._lines.close()
        os.replace(self.path, f'{self.path}.1')
        self._lines = open(self.path, 'a', encoding='ascii')


class ObjectCache:
    def __init__(self, folder: Path, limit: int = 1 << 30):
        self.folder = Path(folder)
        self.limit = limit
        self._index = None

    def open(self):
        '''Open the index, and make it where there is none.'''
        self.folder.mkdir(parents=True, exist_ok=True)
        self._index = sqlite3.connect(self.folder / 'index.db')
        try:
            self._index.execute('PRAGMA busy_timeout = 500')
            self._index.execute(SCHEMA)
            self._index.commit()
        except BaseException:
            self._index.close()
            raise

    def reopen(self):
        '''For a child process, which must not use the connection of its parent.'''
        if self._index:
            self._index.close()
        self._index = sqlite3.connect(self.folder / 'index.db')

    def close(self):
        if self._index is not None:
            self._index.close()

    def fetch(self, digest: str, target: Path) -> str | None:
        '''Unpack an entry; what the compiler had said, or None if there is no such entry.'''
        try:
            with zipfile.ZipFile(self._path(digest)) as entry, open(target, 'wb') as out:
                out.write(entry.read('object'))
                messages = entry.read('stderr')
        except (FileNotFoundError, zipfile.BadZipFile):
            return None
        self._index.execute('UPDATE entry SET used = used + 1 WHERE digest = ?', (digest,))
        self._index.commit()
        return messages.decode('utf-8', 'replace')

    def store(self, digest: str, output: Path, messages: str) -> None:
        '''Add an entry; readers see all of it or nothing.'''
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix='.zip')
        with os.fdopen(fd, 'w+b') as packed:
            try:
                with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as entry:
                    entry.write(output, 'object')
                    entry.writestr('stderr', messages)
                os.replace(draft, self._path(digest))
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft)
                raise
        size = os.path.getsize(self._path(digest))
        self._index.execute('INSERT OR REPLACE INTO entry VALUES (?, ?, 0)', (digest, size))
        self._index.commit()

    def entries(self) -> Iterator[tuple[str, int]]:
        '''Digest and size of all entries, those used least first.'''
        yield from self._index.execute('SELECT digest, size FROM entry ORDER BY used, digest')

    def evict(self) -> list[str]:
        '''Remove entries until the rest fits; their digests.'''
        gone = []
        total = sum(size for _, size in self.entries())
        for digest, size in list(self.entries()):
            if total <= self.limit:
                break
            self._path(digest).unlink(missing_ok=True)
            self._index.execute('DELETE FROM entry WHERE digest = ?', (digest,))
            total -= size
            gone.append(digest)
        self._index.commit()
        return gone

    def damaged(self) -> list[str]:
        '''Entries whose archive cannot be read.'''
        found = []
        for digest, _ in list(self.entries()):
            try:
                with zipfile.ZipFile(self._path(digest)) as entry:
                    if entry.testzip() is None:
                        continue
                    found.append(digest)
            except (OSError, zipfile.BadZipFile):
                found.append(digest)
        return found

    def export(self, digests: Iterable[str], target: Path) -> int:
        '''One archive with many entries, for another machine; how many there were.'''
        count = 0
        with ExitStack() as stack:
            bundle = stack.enter_context(zipfile.ZipFile(target, 'w'))
            for digest in digests:
                entry = self._path(digest)
                if not entry.exists():
                    continue
                bundle.write(entry, entry.name)
                count += 1
        return count

    def _path(self, digest: str) -> Path:
        return self.folder / f'{digest}.zip'


def open_bundle(path: Path, wanted: str) -> zipfile.ZipFile:
    '''An exported archive that has the entry; closing it is up to the caller.'''
    bundle = zipfile.ZipFile(path)
    try:
        bundle.getinfo(f'{wanted}.zip')
    except BaseException:
        bundle.close()
        raise
    return bundle


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    '''While the block runs, nobody else sweeps the cache.'''
    marker = os.open(folder / 'sweep.lock', os.O_CREAT | os.O_EXCL | os.O_RDWR)
    try:
        yield marker
    finally:
        try:
            os.close(marker)
        finally:
            os.unlink(folder / 'sweep.lock')


def totals(folder: Path) -> tuple[int, int]:
    '''Number and size of the entries, without opening the cache for writing.'''
    with closing(sqlite3.connect(folder / 'index.db')) as index:
        row = index.execute('SELECT COUNT(*), COALESCE(SUM(size), 0) FROM entry').fetchone()
    return row


def stray_files(folder: Path, cache: ObjectCache) -> list[str]:
    '''Archives that the index does not know, from builds that were killed.'''
    known = {digest for digest, _ in cache.entries()}
    with os.scandir(folder) as found:
        return sorted(item.name for item in found if item.name.endswith('.zip') and item.name[:-4] not in known)


def compile_cached(cache: ObjectCache, log: UsageLog, command: list[str], source: Path, target: Path) -> str:
    '''Compile unless that has been done before; what the compiler says.'''
    digest = digest_of([source], command)
    messages = cache.fetch(digest, target)
    if messages is not None:
        log.note(digest, True)
        return messages
    process = subprocess.Popen([*command, str(source), str(target)], stderr=subprocess.PIPE)
    _, said = process.communicate()
    messages = said.decode('utf-8', 'replace')
    if process.returncode != 0:
        raise CacheError(messages)
    cache.store(digest, target, messages)
    log.note(digest, False)
    return messages


def build(folder: Path, command: list[str], sources: Iterable[Path]) -> int:
    '''Compile some sources; the number of files written.'''
    done = 0
    cache = ObjectCache(folder)
    try:
        cache.open()
        with UsageLog(folder / 'usage.log') as log:
            for source in sources:
                compile_cached(cache, log, command, source, source.with_suffix('.o'))
                done += 1
    finally:
        cache.close()
    return done
