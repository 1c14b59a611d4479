"""Follow and rotate the log files of a service.

The follower remembers in a state file how far it has read (inode and offset), so that it neither repeats
nor misses lines over restarts and rotations.
"""

import argparse
import collections
import contextlib
import gzip
import io
import json
import logging
import os
import re
import shutil
import socket
import sys
import time

LOGGER = logging.getLogger("logtail")

LINE = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<clock>[\d:.,]+)\s+(?P<level>[A-Z]+)\s+(?P<text>.*)")
BLOCK = 8192


def _head_line(path):
    """First line of a log file, which names the program and its version."""
    with open(path, encoding="utf-8", errors="replace") as log:
        return log.readline()


def parse_line(line):
    """(day, level, text) of a log line; lines of tracebacks give None."""
    match = LINE.match(line)
    if match is None:
        return None
    return match["day"], match["level"], match["text"].rstrip()


class LogCursor:
    """An open log file and the position up to which its lines have been handled."""

    def __init__(self, path, offset=0):
        self.path = path
        self.offset = offset
        self._log = open(path, "rb")

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self.close()

    def close(self):
        self._log.close()

    @property
    def inode(self):
        return os.fstat(self._log.fileno()).st_ino

    def fresh_lines(self):
        """Whole lines since the last call."""
        self._log.seek(0, os.SEEK_END)
        if self._log.tell() < self.offset:
            LOGGER.info("%s was truncated", self.path)
            self.offset = 0
        self._log.seek(self.offset)
        lines = []
        for raw in self._log:
            if not raw.endswith(b"\n"):
                break
            self.offset += len(raw)
            lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
        return lines


class Follower:
    """Hands new lines to a callback and keeps its position on disk."""

    def __init__(self, path, state_path, handle_line):
        self.path = path
        self.state_path = state_path
        self.handle_line = handle_line

    def _load_state(self):
        state = {}
        try:
            with open(self.state_path, encoding="ascii") as stored:
                state = json.load(stored)
        except FileNotFoundError:
            LOGGER.debug("no state yet for %s", self.path)
        except ValueError:
            LOGGER.warning("%s is damaged, starting anew", self.state_path)
        return state

    def _save_state(self, inode, offset):
        draft = self.state_path + "~"
        with open(draft, "w", encoding="ascii") as out:
            json.dump({"inode": inode, "offset": offset}, out)
        os.replace(draft, self.state_path)

    def poll(self):
        """Handle what has been written since the last poll; the number of lines."""
        state = self._load_state()
        with LogCursor(self.path) as cursor:
            if state.get("inode") == cursor.inode:
                cursor.offset = state.get("offset", 0)
            lines = cursor.fresh_lines()
            for line in lines:
                self.handle_line(line)
            self._save_state(cursor.inode, cursor.offset)
        return len(lines)

    def run(self, pause=1.0, rounds=None):
        while rounds is None or rounds > 0:
            with contextlib.suppress(FileNotFoundError):
                self.poll()
            time.sleep(pause)
            rounds = None if rounds is None else rounds - 1


class SyslogForwarder:
    """Sends lines of some levels on to a syslog daemon, one datagram each."""

    priorities = {"ERROR": 11, "CRITICAL": 10, "WARNING": 12}

    def __init__(self, address=("127.0.0.1", 514), tag="logtail"):
        self.address = address
        self.tag = tag
        self.sent = 0

    def forward(self, lines):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            for line in lines:
                parsed = parse_line(line)
                if parsed is None or parsed[1] not in self.priorities:
                    continue
                datagram = "<%d>%s: %s" % (self.priorities[parsed[1]], self.tag, parsed[2])
                sock.sendto(datagram.encode("utf-8")[:1024], self.address)
                self.sent += 1
        finally:
            sock.close()


class Rotator:
    """Keeps ``keep`` compressed generations of a log file, the newest as ``.1.gz``."""

    def __init__(self, path, keep=7, limit=10 << 20):
        self.path = path
        self.keep = keep
        self.limit = limit

    def due(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) > self.limit

    def rotate(self):
        """Compress the file and start it anew; programs that append to it are not disturbed."""
        for generation in range(self.keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._name(generation), self._name(generation + 1))
        source = open(self.path, "r+b")
        try:
            with gzip.open(self._name(1), "wb") as packed:
                shutil.copyfileobj(source, packed)
            source.truncate(0)
        finally:
            source.close()

    def search(self, pattern):
        """Matching lines of all generations, oldest first."""
        wanted = re.compile(pattern)
        hits = []
        for generation in range(self.keep, 0, -1):
            if not os.path.exists(self._name(generation)):
                continue
            with gzip.open(self._name(generation), "rt", encoding="utf-8", errors="replace") as old:
                for line in old:
                    if wanted.search(line):
                        hits.append(line.rstrip("\n"))
        return hits

    def unpack(self, generation):
        """Write a generation beside the log, as ``.N``, for programs that cannot read gzip files."""
        target = "%s.%d" % (self.path, generation)
        plain = open(target, "wb")
        whole = False
        try:
            with gzip.open(self._name(generation), "rb") as packed:
                shutil.copyfileobj(packed, plain)
            whole = True
        finally:
            if whole:
                plain.close()
                shutil.copystat(self._name(generation), target)
            else:
                plain.close()
                os.unlink(target)
        return target

    def _name(self, generation):
        return "%s.%d.gz" % (self.path, generation)


def last_lines(path, count):
    """The last lines of a file, read from its end in blocks."""
    data = b""
    with open(path, "rb") as log:
        position = log.seek(0, os.SEEK_END)
        while position > 0 and data.count(b"\n") <= count:
            step = min(BLOCK, position)
            position -= step
            log.seek(position)
            data = log.read(step) + data
    return data.decode("utf-8", "replace").splitlines()[-count:]


def first_of_level(path, level):
    """(day, text) of the first line of a level, or None."""
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            parsed = parse_line(line)
            if parsed is not None and parsed[1] == level:
                return parsed[0], parsed[2]
    return None


def busiest_days(paths, most=3):
    """Days with the most lines, over all of some files."""
    days = collections.Counter()
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as log:
            days.update(line[:10] for line in log if LINE.match(line))
    return [day for day, _ in days.most_common(most)]


def side_by_side(paths, target):
    """Write the lines of several services in order of time, each with the name of its file before it."""
    with contextlib.ExitStack() as stack:
        merged = stack.enter_context(open(target, "w", encoding="utf-8"))
        entries = []
        for path in paths:
            log = stack.enter_context(open(path, encoding="utf-8", errors="replace"))
            entries += [(line[:19], os.path.basename(path), line) for line in log.readlines()]
        for _, name, line in sorted(entries):
            merged.write("%s: %s" % (name, line))


def digest(path):
    """Numbers of lines per day and level, as a text."""
    counts = collections.Counter()
    with io.open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            parsed = parse_line(line)
            if parsed is not None:
                counts[parsed[:2]] += 1
    with io.StringIO() as report:
        report.write(_head_line(path))
        for (day, level), count in sorted(counts.items()):
            print(day, level.ljust(8), count, file=report)
        text = report.getvalue()
    return text


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("-n", "--lines", type=int, default=10)
    parser.add_argument("--digest", action="store_true", help="count lines instead of showing them")
    options = parser.parse_args(argv)
    lines = [digest(options.log)] if options.digest else last_lines(options.log, options.lines)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
