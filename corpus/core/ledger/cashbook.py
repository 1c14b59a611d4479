"""The cash book of a small shop: bookings, receipts on paper and on disk, a till that opens, a monthly export."""

import csv
import io
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

TABLE = "CREATE TABLE IF NOT EXISTS bookings (day TEXT, text TEXT, cents INTEGER)"


class BookError(Exception):
    """The book does not add up."""


class Daybook:
    """Bookings of a day as text, and their sums beside them."""

    def __init__(self, folder, day):
        self.cents = 0
        self._lines = open(os.path.join(folder, day + ".book"), "a", encoding="utf-8")
        try:
            self._sums = open(os.path.join(folder, day + ".sums"), "a", encoding="ascii")
        except BaseException:
            self._lines.close()
            raise

    def book(self, text, cents):
        self.cents += cents
        self._lines.write("%d %s\n" % (cents, text))
        self._sums.write("%d\n" % self.cents)

    def close(self):
        try:
            self._lines.close()
        finally:
            self._sums.close()


class ReceiptRoll:
    """Receipts are appended; the header comes from a file if a receipt asks for one."""

    def __init__(self, path, header_path):
        self._header_path = header_path
        self._header = None
        self._roll = open(path, "a", encoding="utf-8")

    def print(self, text):
        self._roll.write(text + "\n")

    def header(self):
        if self._header is None:
            self._header = open(self._header_path, encoding="utf-8")
        return self._header.readline().strip()

    def close(self):
        if self._header is not None:
            with suppress(OSError):
                self._header.close()
            self._header = None
        self._roll.close()


class TillTape:
    """What the till does, second by second."""

    def __init__(self, path):
        self._tape = open(path, "a", encoding="ascii")
        weakref.finalize(self, self._tape.close)

    def note(self, what):
        self._tape.write(what + "\n")

    def close(self):
        self._tape.close()


class TillKeys:
    """Keys of the till."""

    def __init__(self, path):
        self.opened = 0
        self._actions = {"open": self.open_drawer, "beep": self.beep}
        self._out = open(path, "a", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def hit(self, key):
        self._actions[key]()

    def open_drawer(self):
        self.opened += 1
        self._out.write("open\n")

    def beep(self):
        self._out.write("\a\n")

    def openings(self):
        return self.opened

    def close(self):
        self._out.close()


class Book:
    """All bookings, in a database."""

    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        try:
            self._db.execute(TABLE)
        except BaseException:
            self._db.close()
            raise

    def add(self, day, text, cents):
        with self._lock:
            self._db.execute("INSERT INTO bookings VALUES (?, ?, ?)", (day, text, cents))
            self._db.commit()

    def balance(self):
        with self._lock:
            return self._db.execute("SELECT coalesce(sum(cents), 0) FROM bookings").fetchone()[0]

    def export(self, path):
        with self._lock:
            rows = self._db.execute("SELECT day, text, cents FROM bookings ORDER BY day").fetchall()
            with open(path, "w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows(rows)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._db.close()


class Reminder:
    """Reminds of the bank, again and again, until somebody has gone there."""

    def __init__(self, remind, pause):
        self.reminded = 0
        self._remind = remind
        self._pause = pause
        self._gone = threading.Event()
        self._ticker = threading.Thread(target=self._tick)

    def start(self):
        self._ticker.start()

    def _tick(self):
        while not self._gone.is_set():
            self.reminded += 1
            self._remind()
            self._gone.wait(self._pause)

    def close(self):
        self._gone.set()
        if self._ticker.ident is not None:
            self._ticker.join(1)


class Printing:
    """Prints receipts while the till goes on."""

    def __init__(self, program):
        self._program = list(program)
        self._printers = ThreadPoolExecutor(1)

    def print(self, text):
        self._printers.submit(self._print, text)

    def _print(self, text):
        return subprocess.run(self._program, input=text.encode("utf-8"), stdout=subprocess.DEVNULL).returncode

    def close(self):
        self._printers.shutdown()


def balance_of(path):
    with Book(path) as book:
        return book.balance()


def book_day(folder, day, entries):
    with closing(Daybook(folder, day)) as book:
        for text, cents in entries:
            book.book(text, cents)
        return book.cents


def print_receipt(path, header_path, lines):
    roll = ReceiptRoll(path, header_path)
    try:
        for line in lines:
            roll.print(line)
    finally:
        roll.close()


def cash_up(path, drawers):
    with TillKeys(path) as till:
        for _ in range(drawers):
            till.hit("open")
        till.hit("beep")
        return till.openings()


def rounding(cents):
    """To five cents, as the table of the bank says."""
    with closing(sqlite3.connect(":memory:")) as table:
        return table.execute("SELECT 5 * round(? / 5.0)", (cents,)).fetchone()[0]


def check_parity():
    with closing(sqlite3.connect(":memory:")) as table:
        table.execute("CREATE TABLE IF NOT EXISTS parity (bit INTEGER)")
        return table.execute("SELECT count(*) FROM parity").fetchone()[0] == 0


def month(folder, name, target):
    """Packs the books of a month; the target is there at the end, or is not there."""
    work = tempfile.mkdtemp(dir=os.path.dirname(target) or ".")
    try:
        draft = os.path.join(work, "month.zip")
        with zipfile.ZipFile(draft, "w") as pack:
            for file in sorted(os.listdir(folder)):
                if file.startswith(name):
                    pack.write(os.path.join(folder, file), file)
        if not zipfile.is_zipfile(draft):
            raise BookError(name)
        os.replace(draft, target)
    finally:
        shutil.rmtree(work)


def preview(rows):
    with tempfile.TemporaryDirectory(prefix="preview-") as work:
        path = os.path.join(work, "rows.csv")
        with open(path, "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(rows)
        with open(path, encoding="utf-8") as source:
            return source.read()


def beep(program):
    subprocess.run([*program], stdin=subprocess.DEVNULL)


def lock_drawer(program):
    subprocess.call([*program, "--lock"])


def read_coins(text):
    """Coins by value, from lines ``value count``."""
    coins = {}
    for value, count in csv.reader(io.StringIO(text), delimiter=" "):
        coins[int(value)] = int(count)
    return coins
