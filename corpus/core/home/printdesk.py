"""The desk of a print shop: jobs in a database, a spool on disk, what was printed in a ledger."""

import shelve
import sqlite3
import zipfile
from contextlib import ExitStack, closing

PRICES = ":memory:"


class JobRefused(Exception):
    pass


def price_of(pages, colour=False):
    """The price list is small, and made anew."""
    with closing(sqlite3.connect(PRICES)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS price (colour INTEGER PRIMARY KEY, cents INTEGER)")
        db.executemany("INSERT OR REPLACE INTO price VALUES (?, ?)", [(0, 4), (1, 19)])
        (cents,) = db.execute("SELECT cents FROM price WHERE colour = ?", (int(colour),)).fetchone()
    return pages * cents


class Ledger(object):
    """Who printed what; both files are written to, and either may fail on a full disk."""

    def __init__(self, folder):
        self._rows = open(folder + "/ledger.csv", "a")
        try:
            self._totals = shelve.open(folder + "/totals")
        except Exception:
            self._rows.close()
            raise

    def enter(self, who, pages, cents):
        self._rows.write("%s,%d,%d\n" % (who, pages, cents))
        self._totals[who] = self._totals.get(who, 0) + cents

    def total(self, who):
        return self._totals.get(who, 0)

    def close(self):
        try:
            self._totals.close()
        finally:
            self._rows.close()


class Spool:
    """Pages of a job in an archive that is begun with the first one."""

    def __init__(self, folder):
        self.folder = folder
        self._archive = None
        self._names = open(folder + "/names", "w")

    def put(self, name, data):
        if not data:
            raise JobRefused(name)
        self._names.write(name + "\n")
        if self._archive is None:
            self._archive = zipfile.ZipFile(self.folder + "/job.zip", "w")
        self._archive.writestr(name, data)

    def stop(self):
        with ExitStack() as stack:
            if self._archive is not None:
                stack.callback(self._archive.close)
            stack.callback(self._names.close)


class Proofs:
    """Proofs for customers: text at once, pictures in an archive if there are any."""

    def __init__(self, folder):
        self.folder = folder
        self._pictures = None
        self._texts = open(folder + "/proofs.txt", "w")

    def text(self, lines):
        for line in lines:
            self._texts.write(line + "\n")

    def picture(self, name, data):
        if self._pictures is None:
            self._pictures = zipfile.ZipFile(self.folder + "/pictures.zip", "a")
        self._pictures.writestr(name, data)

    def close(self):
        if self._pictures is not None:
            try:
                self._pictures.close()
            except OSError:
                pass
            self._pictures = None
        self._texts.close()


class PaperStock:
    """Paper in the cellar, by kind; orders are written down when there are some."""

    def __init__(self, folder):
        self.folder = folder
        self._orders = None
        self._sheets = shelve.open(folder + "/paper")

    def take(self, kind, count):
        left = self._sheets.get(kind, 0) - count
        self._sheets[kind] = max(0, left)
        if left < 0:
            self._order(kind, -left)

    def _order(self, kind, count):
        if self._orders is None:
            self._orders = open(self.folder + "/orders.txt", "a")
        self._orders.write("%s: %d\n" % (kind, count))

    def close(self):
        with ExitStack() as stack:
            stack.callback(self._sheets.close)
            if self._orders is not None:
                stack.callback(self._orders.close)


class JobQueue:
    """Jobs that wait, the oldest first."""

    def __init__(self, path):
        self._hooks = [self._number]
        self._db = sqlite3.connect(path, isolation_level=None)

    def _number(self, who):
        return "%s-%d" % (who, len(self))

    def __len__(self):
        self._begin()
        return self._db.execute("SELECT count(*) FROM job").fetchone()[0]

    def _begin(self):
        self._db.execute("CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, who TEXT, name TEXT)")

    def push(self, who):
        self._begin()
        name = [hook(who) for hook in self._hooks][-1]
        self._db.execute("INSERT INTO job (who, name) VALUES (?, ?)", (who, name))
        return name

    def pop(self):
        self._begin()
        row = self._db.execute("SELECT id, name FROM job ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return None
        self._db.execute("DELETE FROM job WHERE id = ?", row[:1])
        return row[1]

    def close(self):
        self._db.close()


def submit(path, names):
    with closing(JobQueue(path)) as queue:
        return [queue.push(name) for name in names]


def drain(path):
    done = []
    with closing(JobQueue(path)) as queue:
        while True:
            name = queue.pop()
            if name is None:
                break
            done.append(name)
    return done


class Counter:
    """The pages that a printer says it has printed; asked at both ends of a job."""

    def __init__(self, path):
        self.path = path
        self.first = None

    def begin(self):
        with open(self.path) as lines:
            self.first = int(lines.readline())

    def pages(self):
        with open(self.path) as lines:
            last = int(lines.readline())
        return last - self.first


def busiest(path):
    """Who has the most pages in a ledger that is closed."""
    pages = {}
    with open(path) as rows:
        for row in rows:
            who, count, _ = row.split(",")
            pages[who] = pages.get(who, 0) + int(count)
    return max(pages, key=pages.get, default=None)
