"""Probe the services of a network and tell when they change.

A target is ``kind host port``; kinds are tcp, banner, http, dns and smtp. Probes that fail are repeated once.
States are kept in SQLite, samples in a packed file per day, and a pager program is run for each change.
"""

from __future__ import print_function

import http.client
import json
import logging
import lzma
import mmap
import os
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections import namedtuple
from contextlib import ExitStack, closing, contextmanager
from urllib.request import urlopen

log = logging.getLogger("portprobe")

Target = namedtuple("Target", "kind host port")
HEADERS = (("User-Agent", "portprobe"), ("Connection", "close"))
TABLES = (
    "CREATE TABLE IF NOT EXISTS state (target TEXT PRIMARY KEY, up INTEGER, since REAL)",
    "CREATE INDEX IF NOT EXISTS state_since ON state (since)",
)
Sample = struct.Struct("<dHf")
DNS_QUERY = struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + b"\x07example\x03org\x00\x00\x01\x00\x01"


class ProbeError(Exception):
    """A service does not do what it should."""

    def __init__(self, target, reason):
        super().__init__("%s on %s:%d: %s" % (target.kind, target.host, target.port, reason))
        self.target = target
        self.reason = reason


def _target_lines(path):
    with open(path) as lines:
        return lines.readlines()


def _pager_command(path):
    with open(path) as settings:
        return json.load(settings)


def _banner_line(host, port):
    with socket.create_connection((host, port), timeout=2) as sock, sock.makefile("rb") as stream:
        return stream.readline(256)


def samples_text(path):
    """The raw bytes of a day that is over."""
    with lzma.open(path) as packed:
        return packed.read()


def dialled(target):
    """A connected socket, with what a mail server says first read away."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(2)
        sock.connect((target.host, target.port))
        if target.kind == "smtp" and not sock.recv(512).startswith(b"220"):
            raise ProbeError(target, "greeting")
    except BaseException:
        sock.close()
        raise
    return sock


def web_connection(target):
    """A connection on which a request is on its way."""
    conn = http.client.HTTPConnection(target.host, target.port, timeout=2)
    try:
        conn.connect()
        conn.putrequest("HEAD", "/")
        for name, value in HEADERS:
            conn.putheader(name, value)
        conn.endheaders()
    except:
        conn.close()
        raise
    return conn


@contextmanager
def state_table(path):
    """A cursor on the table of states; what was written is committed in the end."""
    db = sqlite3.connect(path)
    try:
        for statement in TABLES:
            db.execute(statement)
        with db:
            yield db.cursor()
    finally:
        db.close()


def samples_in(path):
    """(time, port, seconds) of all samples of a day."""
    with open(path, "rb") as day:
        while True:
            record = day.read(Sample.size)
            if len(record) < Sample.size:
                return
            yield Sample.unpack(record)


class LatencyMap:
    """Samples of a day in memory, for searching."""

    def __init__(self, path):
        self.path = path
        self._map = None
        try:
            with open(path, "rb") as day:
                self._map = mmap.mmap(day.fileno(), 0, access=mmap.ACCESS_READ)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        if self._map is not None:
            self._map.close()

    def slowest(self):
        return max((each[2] for each in Sample.iter_unpack(self._map[: len(self._map) // Sample.size * Sample.size])), default=0.0)


class SampleLog:
    """Appends samples to the file of the day."""

    def __init__(self, folder, day):
        self.folder = folder
        self.day = day
        self._out = None

    def path(self):
        return os.path.join(self.folder, self.day + ".samples")

    def open(self):
        self._out = open(self.path(), "ab")
        try:
            size = self._out.seek(0, os.SEEK_END)
            if size % Sample.size:
                # Half a record is left behind by a power failure.
                self._out.truncate(size - size % Sample.size)
        except BaseException:
            self._out.close()
            raise

    def close(self):
        if self._out is not None:
            self._out.close()

    def next_day(self, day):
        if self._out is not None:
            self._out.close()
        self.day = day
        self._out = open(self.path(), "ab")

    def add(self, target, seconds):
        self._out.write(Sample.pack(time.time(), target.port, seconds))


class Prober:
    def __init__(self, folder):
        self.folder = folder
        self.changes = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def targets(self):
        lines = _target_lines(self.path("targets"))
        found = []
        for line in lines:
            words = line.split()
            if words:
                found.append(Target(words[0], words[1], int(words[2])))
        return found

    def probe(self, target):
        """Seconds that the service took to answer."""
        started = time.monotonic()
        if target.kind == "banner":
            banner = _banner_line(target.host, target.port)
            if not banner.strip():
                raise ProbeError(target, "no banner")
        elif target.kind == "http":
            self._probe_http(target)
        elif target.kind == "dns":
            self._probe_dns(target)
        else:
            sock = dialled(target)
            if target.kind == "tcp":
                sock.close()
                return time.monotonic() - started
            with sock:
                sock.sendall(b"QUIT\r\n")
                sock.recv(512)
        return time.monotonic() - started

    def _probe_http(self, target):
        conn = web_connection(target)
        try:
            with conn.getresponse() as reply:
                if reply.status >= 500:
                    raise ProbeError(target, reply.status)
        finally:
            conn.close()

    def _probe_dns(self, target):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.settimeout(2)
            sock.sendto(DNS_QUERY, (target.host, target.port))
            if sock.recv(512)[:2] != DNS_QUERY[:2]:
                raise ProbeError(target, "foreign answer")
        finally:
            sock.close()

    def open_ports(self, host, ports):
        """Which of these ports somebody listens on."""
        found = []
        for port in ports:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                sock.settimeout(0.5)
                if sock.connect_ex((host, port)) != 0:
                    continue
                found.append(port)
        return found

    def measure(self, target, samples):
        """Whether the service is up, at the second attempt perhaps."""
        for attempt in (1, 2):
            try:
                samples.add(target, self.probe(target))
            except (OSError, ProbeError, http.client.HTTPException) as error:
                log.info("attempt %d: %s", attempt, error)
                continue
            return True
        return False

    def round(self):
        """Probe all targets once; the changes."""
        day = time.strftime("%Y-%m-%d")
        changes = []
        samples = SampleLog(self.folder, day)
        samples.open()
        with ExitStack() as stack:
            stack.callback(samples.close)
            cursor = stack.enter_context(state_table(self.path("states.db")))
            for target in self.targets():
                name = "%s %s %d" % target
                up = self.measure(target, samples)
                before = cursor.execute("SELECT up FROM state WHERE target = ?", (name,)).fetchone()
                if before is None or before[0] != up:
                    changes.append((name, up))
                    cursor.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (name, up, time.time()))
        for change in changes:
            self.page(*change)
        return changes

    def page(self, name, up):
        """Run the pager program; a pager that fails is only noted."""
        text = ("%s is %s\n" % (name, "up" if up else "down")).encode()
        proc = subprocess.Popen(_pager_command(self.path("pager.json")), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = proc.communicate(text)
        if proc.returncode:
            log.error("the pager says %r", out)

    def down(self):
        found = []
        with closing(sqlite3.connect(self.path("states.db"))) as db:
            for name, up in db.execute("SELECT target, up FROM state ORDER BY since"):
                if not up:
                    found.append(name)
        return found

    def slowest(self, day):
        with LatencyMap(self.path(day + ".samples")) as latencies:
            seconds = latencies.slowest()
        return seconds

    def pack(self, days):
        for day in days:
            with open(self.path(day + ".samples"), "rb") as plain, lzma.open(self.path(day + ".xz"), "wb") as packed:
                while record := plain.read(Sample.size * 512):
                    packed.write(record)

    def share(self, url):
        """Leave what another prober sees in a file of our own; whether it sees anything."""
        with urlopen(url, timeout=2) as reply:
            data = reply.read()
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
            os.replace(draft, self.path("other"))
        except BaseException:
            os.unlink(draft)
            raise
        return bool(data)

    def acknowledge(self, names):
        """Touch a file for each service that somebody cares for already."""
        for name in names:
            with open(self.path(name.replace(" ", "-") + ".ack"), "w"):
                pass

    def heartbeat(self):
        fd = os.open(self.path("heartbeat"), os.O_WRONLY | os.O_CREAT)
        try:
            os.write(fd, b"%d\n" % time.time())
            os.fsync(fd)
        finally:
            os.close(fd)
