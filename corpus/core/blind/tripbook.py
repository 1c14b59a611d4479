"""tripbook -- a timetable feed as one SQLite file that journey planners read.

    with_errors = tripbook.load_feed('feed.zip', 'trips.db')
    print(*tripbook.departures('trips.db', 'harbour', '08:15:00'))

A feed is a zip archive or a folder with the usual tables: stops.txt, routes.txt, trips.txt, stop_times.txt.  The
book is written under another name and takes the place of the old one when it is complete.  Rows that cannot be
used go to ``trips.db.rejects``, and how many there were is what load_feed() returns.
"""

import contextlib
import csv
import fcntl
import heapq
import io
import logging
import os
import pickle
import sqlite3
import subprocess
import tempfile
import zipfile

log = logging.getLogger('tripbook')

SCHEMA = '''
CREATE TABLE stop (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE route (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE trip (id TEXT PRIMARY KEY, route TEXT NOT NULL REFERENCES route);
CREATE TABLE call (trip TEXT NOT NULL, stop TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE change (kind TEXT NOT NULL, id TEXT NOT NULL);
'''
NEXT_CALLS = '''
SELECT trip.id, route.name, at FROM call JOIN trip ON trip.id = call.trip JOIN route ON route.id = trip.route
WHERE stop = ? AND at >= ? ORDER BY at
'''


class FeedProblem(Exception):
    """The feed as a whole cannot be used."""


class BadRow(ValueError):
    """One row cannot be used."""


def seconds_of(text):
    """'25:10:00' is ten past one on the day after."""
    try:
        hours, minutes, seconds = [int(part) for part in text.strip().split(':')]
    except ValueError:
        raise BadRow('no time: %r' % text)
    return (hours * 60 + minutes) * 60 + seconds


class FeedTable(object):
    """Rows of a table, as dicts.  Owns the stream it is given once it is made."""

    def __init__(self, name, raw, columns):
        self.name = name
        self._text = io.TextIOWrapper(raw, 'utf-8-sig', newline='')
        self._rows = csv.DictReader(self._text)
        missing = set(columns).difference(self._rows.fieldnames or ())
        if missing:
            raise FeedProblem('%s has no column %s' % (name, ', '.join(sorted(missing))))

    def __iter__(self):
        for row in self._rows:
            yield self._rows.line_num, row

    def close(self):
        self._text.close()


class FeedFolder(object):
    def __init__(self, path):
        self.path = path
        self._archive = None
        if not os.path.isdir(path):
            self._archive = zipfile.ZipFile(path)

    def _stream(self, name):
        if self._archive is not None:
            return self._archive.open(name)
        return open(os.path.join(self.path, name), 'rb')

    def table(self, name, *columns):
        try:
            raw = self._stream(name)
        except (KeyError, FileNotFoundError):
            raise FeedProblem('there is no %s' % name)
        try:
            return FeedTable(name, raw, columns)
        except BaseException:
            raw.close()
            raise

    def close(self):
        if self._archive is not None:
            self._archive.close()


class SortedRuns(object):
    """Sorts more items than fit into memory, by way of temporary files."""

    def __init__(self, length=50000):
        self._length = length
        self._items = []
        self._runs = []

    def add(self, item):
        self._items.append(item)
        if len(self._items) >= self._length:
            self._spill()

    def _spill(self):
        self._items.sort()
        run = tempfile.TemporaryFile(prefix='tripbook-')
        try:
            for item in self._items:
                pickle.dump(item, run)
            run.seek(0)
        except BaseException:
            run.close()
            raise
        self._runs.append(run)
        self._items = []

    @staticmethod
    def _items_of(run):
        while True:
            try:
                yield pickle.load(run)
            except EOFError:
                return

    def __iter__(self):
        self._items.sort()
        return heapq.merge(self._items, *[self._items_of(run) for run in self._runs])

    def close(self):
        while self._runs:
            run = self._runs.pop()
            try:
                run.close()
            except OSError as exc:
                log.debug('temporary file: %s', exc)


class TripBook(object):
    """The book as it is written.  What was not published is removed by close()."""

    def __init__(self, path):
        self.path, self.draft = path, path + '.new'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.draft)
        self.db = sqlite3.connect(self.draft)
        try:
            self.db.executescript(SCHEMA)
        except BaseException:
            self.close()
            raise

    def fill(self, statement, rows):
        with self.db:
            self.db.executemany(statement, rows)

    @contextlib.contextmanager
    def previous(self):
        """The book that is in use, as schema 'old'."""
        self.db.execute('ATTACH DATABASE ? AS old', (self.path,))
        try:
            yield
            self.db.commit()
        except BaseException:
            self.db.rollback()
            raise
        finally:
            self.db.execute('DETACH DATABASE old')

    def note_changes(self):
        if not os.path.exists(self.path):
            return
        with self.previous():
            for kind in ('stop', 'route', 'trip'):
                self.db.execute("INSERT INTO change SELECT '%s', id FROM main.%s WHERE id NOT IN (SELECT id FROM old.%s)"
                                % (kind, kind, kind))

    def publish(self):
        self.db.execute('CREATE INDEX call_at ON call (stop, at)')
        self.db.commit()
        self.db.close()
        os.replace(self.draft, self.path)

    def close(self):
        try:
            self.db.close()
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.draft)


class RejectFile(object):
    """Made when the first row is rejected."""

    def __init__(self, path):
        self.path = path
        self.count = 0
        self._out = None

    def add(self, table, line, reason):
        if self._out is None:
            self._out = open(self.path, 'w', encoding='utf-8')
        self._out.write('%s:%d: %s\n' % (table, line, reason))
        self.count += 1

    def close(self):
        out, self._out = self._out, None
        if out is not None:
            out.close()


class FeedImport(object):
    """One run.  Whatever is opened on the way leaves a hook, and close() calls them, last one first."""

    def __init__(self, feed, book):
        self._hooks = []
        try:
            self.feed = self._keep(FeedFolder(feed))
            self.book = self._keep(TripBook(book))
            self.rejects = self._keep(RejectFile(book + '.rejects'))
        except BaseException:
            self.close()
            raise

    def _keep(self, thing):
        self._hooks.append(thing.close)
        return thing

    def close(self):
        problem = None
        while self._hooks:
            try:
                self._hooks.pop()()
            except Exception as exc:
                problem = problem or exc
        if problem is not None:
            try:
                raise problem
            finally:
                problem = None  # its traceback holds this frame

    def _copy(self, name, columns, statement, known=None):
        """Copy columns of a table; the ids that were taken."""
        table = self.feed.table(name, *columns)
        try:
            taken = {}
            for line, row in table:
                values = [row[column] for column in columns]
                if known is not None and values[1] not in known:
                    self.rejects.add(name, line, 'unknown: %s' % values[1])
                elif values[0] in taken:
                    self.rejects.add(name, line, 'twice: %s' % values[0])
                else:
                    taken[values[0]] = values
            self.book.fill(statement, taken.values())
        finally:
            table.close()
        return set(taken)

    def _calls(self, trips, stops):
        runs = SortedRuns()
        table = None
        try:
            table = self.feed.table('stop_times.txt', 'trip_id', 'stop_id', 'departure_time')
            for line, row in table:
                try:
                    if row['trip_id'] not in trips or row['stop_id'] not in stops:
                        raise BadRow('unknown trip or stop')
                    runs.add((row['trip_id'], seconds_of(row['departure_time']), row['stop_id']))
                except BadRow as exc:
                    self.rejects.add(table.name, line, exc)
            self.book.fill('INSERT INTO call (trip, at, stop) VALUES (?, ?, ?)', runs)
        finally:
            runs.close()
            if table is not None:
                table.close()

    def run(self):
        stops = self._copy('stops.txt', ['stop_id', 'stop_name'], 'INSERT INTO stop VALUES (?, ?)')
        routes = self._copy('routes.txt', ['route_id', 'route_short_name'], 'INSERT INTO route VALUES (?, ?)')
        trips = self._copy('trips.txt', ['trip_id', 'route_id'], 'INSERT INTO trip VALUES (?, ?)', routes)
        self._calls(trips, stops)
        self.book.note_changes()
        self.book.publish()
        return self.rejects.count


def validate(command, feed):
    """Let a validator of the site look at the feed; its first line that says ERROR is enough."""
    with subprocess.Popen(list(command) + [feed], stdout=subprocess.PIPE, universal_newlines=True) as child:
        try:
            for line in child.stdout:
                if line.startswith('ERROR'):
                    raise FeedProblem(line.strip())
            if child.wait() != 0:
                raise FeedProblem('%s ended with %d' % (command[0], child.returncode))
        finally:
            child.kill()


def load_feed(feed, book, validator=None):
    if validator:
        validate(validator, feed)
    lock = os.open(book + '.lock', os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = FeedImport(feed, book)
        try:
            return run.run()
        finally:
            run.close()
    finally:
        os.close(lock)


def departures(book, stop, after):
    """Trips that leave a stop from a time on, with the names of their lines."""
    db = sqlite3.connect('file:%s?mode=ro' % book, uri=True)
    try:
        yield from db.execute(NEXT_CALLS, (stop, seconds_of(after)))
    finally:
        db.close()
