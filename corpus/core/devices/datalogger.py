"""A data logger: channels are sampled, samples go to files, and a console shows what happens.

Every instrument has its own log, every run its own folder. A run ends with ``close``, whatever has happened.
"""

import functools
import gzip
import lzma
import os
import sqlite3
import weakref
import zipfile
from collections import deque
from contextlib import ExitStack, closing, suppress

SCHEMA = "CREATE TABLE IF NOT EXISTS samples (channel TEXT, at REAL, value REAL)"
SHOWN = 10


class LoggerError(Exception):
    """A run can't go on."""


class Sample:
    __slots__ = ("channel", "at", "value")

    def __init__(self, channel, at, value):
        self.channel = channel
        self.at = at
        self.value = value

    def row(self):
        return self.channel, self.at, self.value


class SampleFile:
    """Samples as text, with marks beside them in a file of their own."""

    def __init__(self, folder, channel):
        self.count = 0
        base = os.path.join(folder, channel)
        self._data = open(base + ".txt", "a", encoding="ascii")
        try:
            self._marks = open(base + ".marks", "a", encoding="ascii")
        except BaseException:
            self._data.close()
            raise

    def write(self, sample):
        self._data.write("%.3f %.6f\n" % (sample.at, sample.value))
        self.count += 1

    def mark(self, text):
        self._marks.write("%d %s\n" % (self.count, text))

    def close(self):
        try:
            self._data.close()
        finally:
            self._marks.close()


class Console:
    """Shows lines on a terminal or in a file; the commands call its methods."""

    def __init__(self, path):
        self.path = path
        self.shown = deque(maxlen=SHOWN)
        self.commands = {"show": self.show, "again": self.again}
        self._out = open(path, "a", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def show(self, text):
        self.shown.append(text)
        self._out.write(text + "\n")

    def again(self, text):
        for line in list(self.shown):
            if text in line:
                self._out.write(line + "\n")

    def close(self):
        self._out.close()


class Protocol:
    """What is done before a run; each step is written down."""

    def __init__(self, path):
        self._warm_up = functools.partial(self.note, "warm up")
        self._file = lzma.open(path, "at", encoding="utf-8")

    def note(self, step):
        self._file.write(step + "\n")

    def carry_out(self, steps):
        self._warm_up()
        for step in steps:
            self.note(step)

    def close(self):
        self._file.close()


class Events:
    """Events of a run in packed form; errors also as plain text, if there are any."""

    def __init__(self, base):
        self._errors = None
        self._base = base
        self._all = lzma.open(base + ".events", "wt", encoding="utf-8")

    def add(self, lines):
        for line in lines:
            self._all.write(line + "\n")
            if line.startswith("E"):
                if self._errors is None:
                    self._errors = open(self._base + ".errors", "w", encoding="utf-8")
                self._errors.write(line + "\n")

    def close(self):
        try:
            if self._errors is not None:
                self._errors.close()
        finally:
            self._all.close()


class RawTap:
    """The bytes as they came from the instrument."""

    def __init__(self, path):
        self.size = 0
        self._out = open(path, "wb")

    def put(self, data):
        self._out.write(data)
        self.size += len(data)

    def close(self):
        self._out.close()


class Archive:
    """Older samples, and the notes on them, which are opened when somebody reads them."""

    def __init__(self, folder):
        self._notes_path = os.path.join(folder, "notes.gz")
        self._notes = None
        self._zip = zipfile.ZipFile(os.path.join(folder, "old.zip"), "a")

    def add(self, name, text):
        self._zip.writestr(name, text)

    def names(self):
        found = []
        for info in self._zip.infolist():
            found.append(info.filename)
        return sorted(found)

    def note(self):
        if self._notes is None:
            self._notes = gzip.open(self._notes_path, "rt", encoding="utf-8")
        return self._notes.readline()

    def close(self):
        if self._notes is not None:
            with suppress(OSError):
                self._notes.close()
            self._notes = None
        self._zip.close()


class SampleBase:
    """Samples in a database; a net under it for programs that end in a hurry."""

    def __init__(self, path):
        self._db = sqlite3.connect(path)
        try:
            self._db.execute(SCHEMA)
        except BaseException:
            self._db.close()
            raise

    def store(self, samples):
        self._db.executemany("INSERT INTO samples VALUES (?, ?, ?)", [sample.row() for sample in samples])
        self._db.commit()

    def mean(self, channel):
        row = self._db.execute("SELECT avg(value) FROM samples WHERE channel = ?", (channel,)).fetchone()
        return row[0]

    def close(self):
        self._db.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._db.close()


class Spool:
    """Lines that wait for a slow printer; the file is given back when the spool is forgotten, at the latest."""

    def __init__(self, path):
        self._file = open(path, "w+", encoding="utf-8")
        weakref.finalize(self, self._file.close)

    def add(self, line):
        self._file.write(line + "\n")

    def close(self):
        self._file.close()


class Run:
    """One run: channels with their files, a base for all, a console."""

    def __init__(self, folder, console):
        self.folder = folder
        self._problem = None
        self._console = console
        self._files = {}

    def sample(self, channel, at, value):
        file = self._files.get(channel)
        if file is None:
            file = self._files[channel] = SampleFile(self.folder, channel)
        file.write(Sample(channel, at, value))

    def mark(self, text):
        for file in self._files.values():
            file.mark(text)
        self._console.show("mark: " + text)

    def settings(self):
        """Settings of the run by name, empty if there are none."""
        found = {}
        try:
            with open(os.path.join(self.folder, "settings"), encoding="utf-8") as source:
                for line in source:
                    name, _, value = line.partition("=")
                    found[name.strip()] = value.strip()
        except OSError as error:
            self._problem = str(error)
        return found

    def index(self):
        with open(os.path.join(self.folder, "index"), "w", encoding="ascii") as out:
            for channel in sorted(self._files):
                out.write("%s %d\n" % (channel, self._files[channel].count))

    def close(self):
        with ExitStack() as stack:
            while self._files:
                stack.callback(self._files.popitem()[1].close)


def record(folder, samples):
    """Writes a run of samples, and returns what was shown."""
    with Console(os.path.join(folder, "console")) as console:
        run = Run(folder, console)
        try:
            for channel, at, value in samples:
                run.sample(channel, at, value)
            run.mark("end")
            run.index()
        finally:
            run.close()
        return list(console.shown)


def keep(folder, samples):
    with SampleBase(os.path.join(folder, "samples.db")) as base:
        base.store([Sample(*row) for row in samples])


def mean(folder, channel):
    with SampleBase(os.path.join(folder, "samples.db")) as base:
        return base.mean(channel)


def tap(path, chunks):
    raw = RawTap(path)
    try:
        for chunk in chunks:
            raw.put(chunk)
        if not raw.size:
            raise LoggerError("%s: the instrument is silent" % path)
    finally:
        raw.close()


def shelve_old(folder, names):
    with closing(Archive(folder)) as archive:
        for name in names:
            archive.add(name, "old")
        return archive.names()


def first_note(folder):
    with closing(Archive(folder)) as archive:
        return archive.note()


def spool(path, lines):
    with closing(Spool(path)) as waiting:
        for line in lines:
            waiting.add(line)


def engine_version():
    with closing(sqlite3.connect(":memory:")) as db:
        return db.execute("SELECT sqlite_version()").fetchone()[0]


def scales(text):
    """Factors by channel, from lines ``channel factor``."""
    factors = []
    for line in text.splitlines():
        channel, factor = line.split()
        factors.append((channel, float(factor)))
    return dict(factors)


def prepare(path, rounds):
    with closing(Protocol(path)) as protocol:
        for steps in rounds:
            protocol.carry_out(steps)


def count_events(path, letter):
    with lzma.open(path, "rt", encoding="utf-8") as events:
        return sum(1 for line in events if line.startswith(letter))
