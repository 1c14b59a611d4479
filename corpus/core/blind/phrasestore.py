"""Translation memory: what was translated before, found again when it is nearly the same.

One SQLite file holds the pairs of all projects.  A project is opened from the
store, and writes what is decided in it to a journal of its own, which the
translators' office collects.  Exchange with other programs is by TMX files,
plain or packed with gzip.
"""

import difflib
import gzip
import os
import re
import sqlite3
import tempfile
import time
import weakref
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SCHEMA = '''
CREATE TABLE IF NOT EXISTS phrase (
    project TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (project, source));
CREATE INDEX IF NOT EXISTS phrase_size ON phrase (project, size);
'''
BLOCK = 64 * 1024
FUZZY_SPREAD = 0.25


class StoreBusy(Exception):
    """Another program works with the store."""


class BadExchangeFile(Exception):
    pass


def normalized(text):
    return re.sub(r'\s+', ' ', text).strip()


class StoreClaim(object):
    """A file beside the store that says who works with it."""

    def __init__(self, path):
        self.path = path
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            raise StoreBusy('%s exists' % path) from None
        self._fd = fd
        try:
            os.write(fd, b'%d\n' % os.getpid())
        except BaseException:
            self.close()
            raise

    def close(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            try:
                os.close(fd)
            finally:
                os.unlink(self.path)


class PhraseStore(object):
    def __init__(self, path, room=128):
        self.path, self._room = path, room
        self._exact = OrderedDict()
        self._projects = {}
        self._observers = []
        with ExitStack() as stack:
            stack.enter_context(closing(StoreClaim(path + '.lock')))
            self._db = stack.enter_context(closing(sqlite3.connect(path)))
            self._db.executescript(SCHEMA)
            self._owned = stack.pop_all()

    def close(self):
        """Ends the projects that are still open, too."""
        with self._owned, ExitStack() as stack:
            for project in list(self._projects.values()):
                stack.callback(project.close)
        self._exact.clear()
        self._observers.clear()

    def project(self, name):
        """The one project of that name; the store keeps it until either is closed."""
        if name not in self._projects:
            self._projects[name] = PhraseProject(self, name)
        return self._projects[name]

    @contextmanager
    def observing(self, observer):
        """Calls ``observer(project, source)`` for all that is remembered meanwhile."""
        self._observers.append(observer)
        try:
            yield
        finally:
            if observer in self._observers:
                self._observers.remove(observer)

    def remember(self, project, pairs):
        count = 0
        with self._db:
            for source, target in pairs:
                source = normalized(source)
                self._db.execute('INSERT OR REPLACE INTO phrase VALUES (?, ?, ?, ?)', (project, source, target, len(source)))
                self._exact.pop((project, source), None)
                for observer in list(self._observers):
                    observer(project, source)
                count += 1
        return count

    def exact(self, project, source):
        key = project, normalized(source)
        if key in self._exact:
            self._exact.move_to_end(key)
            return self._exact[key]
        with closing(self._db.execute('SELECT target FROM phrase WHERE project = ? AND source = ?', key)) as rows:
            row = rows.fetchone()
        if row is None:
            return None
        self._exact[key] = row[0]
        if len(self._exact) > self._room:
            self._exact.popitem(last=False)
        return row[0]

    def similar(self, project, source, at_least=0.7):
        """Yields (likeness, source, target), in no order."""
        source = normalized(source)
        spread = len(source) * FUZZY_SPREAD
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2(source)
        with closing(self._db.cursor()) as rows:
            rows.execute('SELECT source, target FROM phrase WHERE project = ? AND size BETWEEN ? AND ?',
                         (project, len(source) - spread, len(source) + spread))
            for known, target in rows:
                matcher.set_seq1(known)
                if matcher.quick_ratio() >= at_least and (likeness := matcher.ratio()) >= at_least:
                    yield likeness, known, target

    def export(self, project, path, language):
        """Writes a TMX file, which takes the place of an older one when it is complete."""
        fd, draft = tempfile.mkstemp('.draft', dir=os.path.dirname(path) or '.')
        try:
            with os.fdopen(fd, 'wb') as raw, ExitStack() as stack:
                packed = path.endswith('.gz')
                out = stack.enter_context(gzip.GzipFile('', 'wb', fileobj=raw, mtime=0)) if packed else raw
                out.write(b'<tmx version="1.4"><body>\n')
                rows = self._db.execute('SELECT source, target FROM phrase WHERE project = ?', (project,))
                stack.callback(rows.close)
                for source, target in rows:
                    out.write(('<tu><tuv><seg>%s</seg></tuv><tuv lang="%s"><seg>%s</seg></tuv></tu>\n' % (
                        escape(source), language, escape(target))).encode('utf-8'))
                out.write(b'</body></tmx>\n')
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise

    def load(self, project, paths, workers=2):
        """Parses files side by side, and remembers what is in those that are sound."""
        count, damaged = 0, []
        with ThreadPoolExecutor(workers) as pool:
            for path, pairs in zip(paths, pool.map(sound_pairs, paths)):
                if pairs is None:
                    damaged.append(path)
                else:
                    count += self.remember(project, pairs)
        return count, damaged

    def backup(self, path):
        with closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)


class PhraseProject(object):
    """A project's part of the store."""

    def __init__(self, store, name, recent=20):
        self.name = name
        self._store = weakref.ref(store)
        self.recent = deque(maxlen=recent)
        self._journal = open('%s.%s.journal' % (store.path, name), 'a', encoding='utf-8')

    def _living_store(self):
        store = self._store()
        if store is None or self._journal.closed:
            raise ValueError('%s is closed' % self.name)
        return store

    def decide(self, source, target):
        self._living_store().remember(self.name, [(source, target)])
        self._journal.write('%s\t%s\t%s\n' % (time.strftime('%Y-%m-%d'), normalized(source), normalized(target)))
        self.recent.append(source)

    def suggest(self, source, limit=3):
        """Targets, the best first."""
        store = self._living_store()
        target = store.exact(self.name, source)
        if target is not None:
            return [target]
        return [target for _, _, target in sorted(store.similar(self.name, source), reverse=True)[:limit]]

    def close(self):
        try:
            store = self._store()
            if store is not None and store._projects.get(self.name) is self:
                del store._projects[self.name]
        finally:
            self._journal.close()


def parse_exchange(path):
    """The pairs of a TMX file, whose units have two variants each."""
    pairs = []
    parser = ElementTree.XMLPullParser(['end'])
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as handle:
        try:
            for block in iter(lambda: handle.read(BLOCK), b''):
                parser.feed(block)
                for _, element in parser.read_events():
                    if element.tag == 'tu':
                        source, target = [seg.text or '' for seg in element.iter('seg')]
                        pairs.append((source, target))
                        element.clear()
            parser.close()
        except (ElementTree.ParseError, ValueError, EOFError) as exc:
            raise BadExchangeFile('%s: %s' % (path, exc)) from None
    return pairs


def sound_pairs(path):
    """The pairs of a TMX file, or None if it cannot be read."""
    try:
        return parse_exchange(path)
    except (BadExchangeFile, OSError):
        return None
