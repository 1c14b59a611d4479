'''A small full-text index, for the notes and mails that pile up on one machine.

What is indexed together becomes a segment: a file that never changes, with the postings of each word and a table of
the words behind them.  Readers map segments into memory and keep the last few open.  When there are many segments,
:meth:`WordIndex.merge` makes one of them.  Names of documents are in ``docs.db``, names of segments in ``current``.
'''

import contextlib
import fcntl
import gzip
import heapq
import itertools
import json
import logging
import mmap
import os
import re
import sqlite3
import struct
import tarfile
import tempfile
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Dict, Iterator, List, Tuple

_log = logging.getLogger('wordmill')

MAGIC = b'WMSEG2\n'
FOOTER = struct.Struct('<QII')
POSTING = struct.Struct('<II')
WORD = re.compile(r'\w{2,30}')
SUFFIXES = ('.txt', '.md', '.eml', '.gz')
Postings = Dict[int, int]


class DamagedSegment(Exception):
    '''A file that is no segment, or not all of it.'''


class SegmentDraft:
    '''A segment in the making, which gets its name when it is complete.'''

    def __init__(self, path: str) -> None:
        self.path = path
        self._table: Dict[str, Tuple[int, int]] = {}
        self._out = open(path + '.part', 'wb')
        try:
            self._out.write(MAGIC)
        except BaseException:
            self._abandon()
            raise

    def __enter__(self) -> 'SegmentDraft':
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._complete()
        except BaseException:
            self._abandon()
            raise

    def add(self, word: str, postings: Postings) -> None:
        self._table[word] = (self._out.tell(), len(postings))
        self._out.write(b''.join(POSTING.pack(*pair) for pair in sorted(postings.items())))

    def _complete(self) -> None:
        table = zlib.compress(json.dumps(self._table).encode('utf-8'))
        footer = FOOTER.pack(self._out.tell(), len(table), zlib.crc32(table))
        self._out.write(table + footer)
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        os.replace(self.path + '.part', self.path)

    def _abandon(self) -> None:
        try:
            self._out.close()
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + '.part')


class MappedSegment:
    __slots__ = ('path', 'table', 'pins', '_map')

    def __init__(self, path: str) -> None:
        self.path, self.pins, self._map = path, 0, None
        try:
            with open(path, 'rb') as source:
                self._map = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
            at, length, check = FOOTER.unpack(self._map[-FOOTER.size:])
            table = self._map[at:at + length]
            if self._map[:len(MAGIC)] != MAGIC or zlib.crc32(table) != check:
                raise DamagedSegment(f'{path} is damaged')
            self.table = json.loads(zlib.decompress(table))
        except BaseException:
            self.close()
            raise

    def postings(self, word: str) -> Postings:
        at, count = self.table.get(word, (0, 0))
        return dict(POSTING.iter_unpack(self._map[at:at + count * POSTING.size]))

    def close(self) -> None:
        if self._map is not None:
            self._map.close()


class SegmentShelf:
    '''Open segments. The least recently used ones are closed when there are too many, but never one in use.'''

    def __init__(self, folder: str, size: int) -> None:
        self.folder, self.size = folder, size
        self._open: 'OrderedDict[str, MappedSegment]' = OrderedDict()

    @contextlib.contextmanager
    def pinned(self, name: str) -> Iterator[MappedSegment]:
        segment = self._open.get(name)
        if segment is None:
            segment = self._open[name] = MappedSegment(os.path.join(self.folder, name))
        self._open.move_to_end(name)
        segment.pins += 1
        try:
            yield segment
        finally:
            segment.pins -= 1
            self._shrink()

    def _shrink(self) -> None:
        idle = [name for name, segment in self._open.items() if not segment.pins]
        for name in idle[:max(0, len(self._open) - self.size)]:
            self.forget(name)

    def forget(self, name: str) -> None:
        segment = self._open.pop(name, None)
        if segment is not None:
            segment.close()

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            while self._open:
                stack.callback(self._open.popitem()[1].close)


def walk_texts(root: str) -> Iterator[str]:
    '''Files below a folder that look like text, but for hidden ones.'''
    levels = [os.scandir(root)]
    try:
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop().close()
            elif entry.is_dir(follow_symlinks=False):
                levels.append(os.scandir(entry.path))
            elif entry.name.endswith(SUFFIXES) and not entry.name.startswith('.'):
                yield entry.path
    finally:
        with contextlib.ExitStack() as stack:
            for level in levels:
                stack.callback(level.close)


def _open_text(path: str) -> IO[str]:
    if path.endswith('.gz'):
        return gzip.open(path, 'rt', encoding='utf-8', errors='replace')
    return open(path, encoding='utf-8', errors='replace')


def count_words(path: str, most: int = 1 << 20) -> Counter:
    counts: Counter = Counter()
    stream = _open_text(path)
    try:
        for line in stream:
            counts.update(WORD.findall(line.lower()))
            if len(counts) > most:
                break
    finally:
        stream.close()
    return counts


class WordIndex:
    '''An index in a folder of its own; there is one writer at a time, and this is it.'''

    def __init__(self, folder: str, open_segments: int = 4, answers: int = 16) -> None:
        self.folder, self.remembered = folder, answers
        self._fresh: Dict[str, Postings] = defaultdict(dict)
        self._answers: 'OrderedDict[str, List[str]]' = OrderedDict()
        os.makedirs(folder, exist_ok=True)
        self._guard = os.open(self._path('lock'), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._docs = sqlite3.connect(self._path('docs.db'), isolation_level=None)
            try:
                self._docs.execute('CREATE TABLE IF NOT EXISTS docs (id INTEGER PRIMARY KEY, path TEXT)')
                self.segments = self._read_current()
            except BaseException:
                self._docs.close()
                raise
        except BaseException:
            os.close(self._guard)
            raise
        self._shelf = SegmentShelf(folder, open_segments)

    def close(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        try:
            self._shelf.close()
        finally:
            try:
                self._docs.close()
            finally:
                os.close(guard)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _read_current(self) -> List[str]:
        if not os.path.exists(self._path('current')):
            return []
        with open(self._path('current'), encoding='ascii') as source:
            return source.read().split()

    def _write_current(self, names: List[str]) -> None:
        fd, draft = tempfile.mkstemp(prefix='current-', dir=self.folder)
        try:
            try:
                os.write(fd, '\n'.join(names).encode('ascii'))
            finally:
                os.close(fd)
            os.replace(draft, self._path('current'))
        except BaseException:
            os.unlink(draft)
            raise
        self.segments = names
        self._answers.clear()

    def add_tree(self, root: str, workers: int = 2) -> int:
        '''Index what is below a folder; the number of documents. Files that cannot be read are passed over.'''
        added = 0
        waiting: 'deque[Tuple[str, Future]]' = deque()
        with contextlib.closing(walk_texts(root)) as paths, ThreadPoolExecutor(workers, 'count') as pool:
            for path in paths:
                waiting.append((path, pool.submit(count_words, path)))
                if len(waiting) >= 4 * workers:
                    added += self._enter(*waiting.popleft())
            while waiting:
                added += self._enter(*waiting.popleft())
        self.flush()
        return added

    def _enter(self, path: str, future: Future) -> int:
        try:
            counts = future.result()
        except (OSError, EOFError) as exc:
            _log.warning('%s: %s', path, exc)
            return 0
        number = self._docs.execute('INSERT INTO docs (path) VALUES (?)', (path,)).lastrowid
        for word, count in counts.items():
            self._fresh[word][number] = count
        return 1

    def flush(self) -> None:
        if self._fresh:
            with SegmentDraft(self._path(self._new_name())) as draft:
                for word in sorted(self._fresh):
                    draft.add(word, self._fresh[word])
            self._write_current(self.segments + [os.path.basename(draft.path)])
            self._fresh.clear()

    def _new_name(self) -> str:
        return next(name for name in map('seg{:06d}'.format, itertools.count(1)) if not os.path.exists(self._path(name)))

    def merge(self) -> None:
        if len(self.segments) < 2:
            return
        with contextlib.ExitStack() as stack:
            parts = [stack.enter_context(self._shelf.pinned(name)) for name in self.segments]
            draft = stack.enter_context(SegmentDraft(self._path(self._new_name())))
            for word, _ in itertools.groupby(heapq.merge(*(sorted(part.table) for part in parts))):
                merged: Postings = {}
                for part in parts:
                    merged.update(part.postings(word))
                draft.add(word, merged)
        stale = self.segments
        self._write_current([os.path.basename(draft.path)])
        for name in stale:
            self._shelf.forget(name)
            os.unlink(self._path(name))

    def search(self, query: str) -> List[str]:
        '''Documents that have all the words, the best ones first.'''
        if query in self._answers:
            self._answers.move_to_end(query)
            return self._answers[query]
        scores: Counter = Counter()
        wanted = WORD.findall(query.lower())
        for name in self.segments:
            with self._shelf.pinned(name) as segment:
                postings = [segment.postings(word) for word in wanted]
                if not postings or not all(postings):
                    continue
                for number in set(postings[0]).intersection(*postings[1:]):
                    scores[number] = sum(each[number] for each in postings)
        find = 'SELECT path FROM docs WHERE id = ?'
        answer = [self._docs.execute(find, (each,)).fetchone()[0] for each, _ in scores.most_common()]
        self._answers[query] = answer
        while len(self._answers) > self.remembered:
            self._answers.popitem(last=False)
        return answer

    def export(self, target: str) -> None:
        '''Copy the index as it is now into an archive.'''
        with tempfile.TemporaryDirectory(prefix='wordmill-') as scratch:
            copy = sqlite3.connect(os.path.join(scratch, 'docs.db'))
            try:
                self._docs.backup(copy)
            finally:
                copy.close()
            with tarfile.open(target, 'w:gz') as archive:
                archive.add(os.path.join(scratch, 'docs.db'), 'docs.db')
                for name in ['current', *self.segments]:
                    if os.path.exists(self._path(name)):
                        archive.add(self._path(name), name)
