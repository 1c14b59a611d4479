# -*- coding: utf-8 -*-
"""Log files of a service: written, rotated, packed away, searched and sent off.

The active file is ``NAME.log``.  At a rotation it becomes ``NAME.log.1``; older ones are packed with bzip2
and noted in an index (SQLite), so that a search need only look at files of the right time.
"""
import bz2
import contextlib
import fcntl
import gzip
import io
import os
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing

STAMP = "%Y-%m-%dT%H:%M:%S"
INDEX = (
    "CREATE TABLE IF NOT EXISTS packed (name TEXT PRIMARY KEY, first TEXT, last TEXT)",
    "CREATE INDEX IF NOT EXISTS packed_first ON packed (first)",
)


class LogError(Exception):
    pass


class NotRotated(LogError):
    """Somebody else is rotating the same files."""


def crash_report(path):
    """What a dying process managed to write."""
    with gzip.open(path, "rb") as report:
        return report.read()


def syslog_socket(path, room=0):
    """A datagram socket to the system's log daemon, with room for a burst of lines if wanted."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def append_mode(path, mode=0o640):
    """A log file to append to, which the group may read."""
    stream = io.open(path, "a", encoding="utf-8", errors="backslashreplace")
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


def lines_with(path, word):
    """Matching lines of a log file, packed or not."""
    with bz2.open(path, "rt") if path.endswith(".bz2") else io.open(path) as lines:
        for line in lines:
            if word in line:
                yield line.rstrip("\n")


class RotorIndex:
    """Which packed file covers which time."""

    def __init__(self, path):
        self._db = sqlite3.connect(path)
        try:
            for statement in INDEX:
                self._db.execute(statement)
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
        with io.open(self.path + ".state", "a") as state:
            state.write("rotated %s\n" % time.strftime(STAMP))

    def reopen(self):
        if self._stream is not None:
            self._stream.close()
        self._stream = io.open(self.path, "a", encoding="utf-8", errors="backslashreplace")

    def pack(self, number):
        """Pack ``.1`` away under a number; gives the name, or None if there is nothing."""
        target = "%s.%03d.bz2" % (self.path, number)
        try:
            source = io.open(self.path + ".1", encoding="utf-8")
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
        paths = []
        with closing(sqlite3.connect(os.path.join(self.folder, "index.db"))) as db:
            query = "SELECT name FROM packed WHERE first <= ? AND last >= ? ORDER BY name"
            for (name,) in db.execute(query, (stamp, stamp)):
                paths.append(os.path.join(self.folder, name))
        return paths

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

    def errors_in(self, paths):
        """Numbers of lines that tell of errors."""
        count = 0
        for path in paths:
            with io.open(path, encoding="utf-8") as log:
                count += sum(1 for line in log if " ERROR " in line)
        return count

    def unpack(self, packed, target):
        """A packed file as plain text; a damaged one gives none."""
        out = io.open(target, "w", encoding="utf-8")
        intact = False
        try:
            with bz2.open(packed, "rt", encoding="utf-8") as lines:
                out.writelines(lines)
            intact = True
        finally:
            if intact:
                out.close()
                os.chmod(target, 0o640)
            else:
                out.close()
                os.unlink(target)

    def empty_all(self, paths):
        """Cut files to nothing, but leave them where they are."""
        for path in paths:
            with io.open(path, "w"):
                pass

    def merge(self, paths, target):
        """Put several logs in order of time into one file."""
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as merged, contextlib.ExitStack() as stack:
                lines = []
                for path in paths:
                    log = stack.enter_context(io.open(path, encoding="utf-8"))
                    lines += [line for line in log if not line.startswith("#")]
                merged.writelines(sorted(lines))
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def through(self, command, path):
        """What a filter command makes of a log file."""
        with io.open(path, "rb") as source:
            proc = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
            if proc.returncode:
                raise LogError("%s ended with status %d" % (command[0], proc.returncode))
        return out

    def forward(self, path, server, urgent=False):
        """Hand the urgent lines of a file to the log daemon."""
        sock = syslog_socket(server)
        if not os.path.exists(path):
            sock.close()
            raise LogError("no such log: %s" % path)
        sent = 0
        try:
            with io.open(path, "rb") as log:
                for line in log:
                    if urgent and b"ERROR" not in line:
                        continue
                    sock.send(line)
                    sent += 1
        finally:
            sock.close()
        return sent
