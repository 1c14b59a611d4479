# -*- coding: utf-8 -*-
"""Log files of a service: written, rotated, packed away, searched and sent off.

The active file is ``NAME.log``.  At a rotation it becomes ``NAME.log.1``; older ones are packed with bzip2
and noted in an index (SQLite), so that a search need only look at files of the right time.
"""
import bz2
import contextlib
import fcntl
import gzip
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing

STAMP = "%Y-%m-%dT%H:%M:%S"


class LogError(Exception):
    pass


class NotRotated(LogError):
    """Somebody else is rotating the same files."""


def _last_line(path):
    """The state that a rotation left behind: its last line counts."""
    with open(path, "r") as state:
        return state.readlines()[-1:]


def _packed_text(path):
    with bz2.open(path, "rt", encoding="utf-8", errors="replace") as packed:
        return packed.read()


def crash_report(path):
    """What a dying process managed to write."""
    with gzip.open(path, "rb") as report:
        return report.read()


def filter_rules(path):
    with open(path) as rules:
        return json.load(rules)


def syslog_socket(path):
    """A datagram socket to the system's log daemon."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def append_mode(path, mode=0o640):
    """A log file to append to, which the group may read."""
    stream = open(path, "a", encoding="utf-8", errors="backslashreplace")
    try:
        os.chmod(path, mode)
        if stream.tell() == 0:
            stream.write("# opened %s\n" % time.strftime(STAMP))
            stream.flush()
    except:
        stream.close()
        raise
    return stream


@contextlib.contextmanager
def rotation_lock(folder):
    """Held while files are renamed."""
    fd = os.open(os.path.join(folder, ".rotating"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotRotated(folder) from None
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def muted_stderr(path):
    """Send what children print to standard error to a file, during the block."""
    saved = os.dup(2)
    try:
        try:
            with open(path, "ab") as sink:
                os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
    finally:
        os.close(saved)


def lines_with(path, word):
    """Matching lines of a log file, packed or not."""
    with bz2.open(path, "rt") if path.endswith(".bz2") else open(path) as lines:
        for line in lines:
            if word in line:
                yield line.rstrip("\n")


class RotorIndex:
    """Which packed file covers which time."""

    def __init__(self, path):
        self._db = sqlite3.connect(path)
        try:
            self._db.execute("CREATE TABLE IF NOT EXISTS packed (name TEXT PRIMARY KEY, first TEXT, last TEXT)")
        except BaseException:
            self._db.close()
            raise

    def close(self):
        self._db.close()

    def note(self, name, first, last):
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO packed VALUES (?, ?, ?)", (name, first, last))


class PackedWriter:
    """Writes a packed log file."""

    def __init__(self, path):
        self.first = self.last = ""
        self._out = bz2.open(path, "wt", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._out.close()

    def add(self, line):
        stamp = line[:19]
        self.first = self.first or stamp
        self.last = stamp
        self._out.write(line)


class Rotor:
    """The log of one service."""

    def __init__(self, folder, name, limit=1000000):
        self.folder = folder
        self.path = os.path.join(folder, name + ".log")
        self.limit = limit
        self._stream = append_mode(self.path)

    def close(self):
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def write(self, text):
        self._stream.write("%s %s\n" % (time.strftime(STAMP), text))
        if self._stream.tell() >= self.limit:
            self.rotate()

    def rotate(self):
        """Begin a new file; what was there before is ``.1`` now."""
        with rotation_lock(self.folder):
            os.replace(self.path, self.path + ".1")
            self.reopen()
        with open(self.path + ".state", "a") as state:
            state.write("rotated %s\n" % time.strftime(STAMP))

    def reopen(self):
        if self._stream is not None:
            self._stream.close()
        self._stream = open(self.path, "a", encoding="utf-8", errors="backslashreplace")

    def pack(self, number):
        """Pack ``.1`` away under a number; gives the name, or None if there is nothing."""
        target = "%s.%03d.bz2" % (self.path, number)
        try:
            source = open(self.path + ".1", encoding="utf-8")
        except FileNotFoundError:
            return None
        with source, PackedWriter(target) as packed:
            for line in source:
                if not line.startswith("#"):
                    packed.add(line)
            first, last = packed.first, packed.last
        with closing(RotorIndex(os.path.join(self.folder, "index.db"))) as index:
            index.note(os.path.basename(target), first, last)
        os.unlink(self.path + ".1")
        return target

    def covering(self, stamp):
        """Packed files in which a moment may be found."""
        path = os.path.join(self.folder, "index.db")
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT name FROM packed WHERE first <= ? AND last >= ? ORDER BY name"
            names = [name for (name,) in db.execute(query, (stamp, stamp))]
        return [os.path.join(self.folder, name) for name in names]

    def last_rotation(self):
        state = _last_line(self.path + ".state")
        return state[0].partition(" ")[2].strip() if state else None

    def search(self, paths, word, most=10):
        """The first lines with a word, over all of some files."""
        hits = []
        for path in paths:
            with closing(lines_with(path, word)) as found:
                for line in found:
                    hits.append(line)
                    if len(hits) == most:
                        return hits
        return hits

    def line_counts(self, paths):
        counts = {}
        for path in paths:
            text = _packed_text(path)
            counts[os.path.basename(path)] = text.count("\n")
        return counts

    def empty_all(self, paths):
        """Cut files to nothing, but leave them where they are."""
        for path in paths:
            with open(path, "w"):
                pass

    def sizes(self):
        with os.scandir(self.folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())

    def merge(self, paths, target):
        """Put several logs in order of time into one file."""
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as merged, contextlib.ExitStack() as stack:
                lines = []
                for path in paths:
                    log = stack.enter_context(open(path, encoding="utf-8"))
                    lines += [line for line in log if not line.startswith("#")]
                merged.writelines(sorted(lines))
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def through(self, command, path):
        """What a filter command makes of a log file."""
        with muted_stderr(self.path + ".errors"), open(path, "rb") as source:
            proc = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
        return out

    def forward(self, path, server, urgent=False):
        """Hand the urgent lines of a file to the log daemon."""
        sock = syslog_socket(server)
        if not os.path.exists(path):
            sock.close()
            raise LogError("no such log: %s" % path)
        sent = 0
        try:
            with open(path, "rb") as log:
                for line in log:
                    if urgent and b"ERROR" not in line:
                        continue
                    sock.send(line)
                    sent += 1
        finally:
            sock.close()
        return sent
