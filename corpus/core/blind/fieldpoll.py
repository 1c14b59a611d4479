"""Polls the sensors of a greenhouse: probes on serial lines, and modules on TCP.

All of them send lines like ``soil4=31.5*7C``; the two digits are the exclusive-or of the bytes before the star.
One selector watches all lines.  A line that breaks is closed and tried again later.
"""

import contextlib
import csv
import errno
import fcntl
import functools
import heapq
import itertools
import logging
import lzma
import math
import operator
import os
import selectors
import shutil
import socket
import tempfile
import termios
import threading
import time
from typing import NamedTuple

logger = logging.getLogger("greenhouse.fieldpoll")

BLOCK = 512


class LineDown(OSError):
    """The other end has gone away."""


class ProbeValue(NamedTuple):
    at: float
    probe: str
    value: float


def parseLine(raw):
    """A reading, or None for what was garbled on the way."""
    text, star, check = raw.strip().partition(b"*")
    try:
        if not star or functools.reduce(operator.xor, text, 0) != int(check, 16):
            return None
        name, _, value = text.decode("ascii").partition("=")
        return ProbeValue(time.time(), name, float(value))
    except ValueError:
        return None


class Framer:
    """Cuts what arrives into lines."""

    def __init__(self):
        self._rest = b""

    def feed(self, block):
        *lines, self._rest = (self._rest + block).split(b"\n")
        readings = [parseLine(line) for line in lines]
        return [reading for reading in readings if reading is not None]


class SerialLine:
    """A serial port of our own: locked against other programs, and left as it was found."""

    wants = selectors.EVENT_READ

    def __init__(self, path, speed=termios.B9600, retry=5.0):
        self.name, self.speed, self.retry = path, speed, retry
        self._fd = self._before = None

    def open(self):
        self._framer = Framer()
        fd = os.open(self.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.isatty(fd):
                raise LineDown(errno.ENOTTY, "%s is no serial port" % self.name)
            before = termios.tcgetattr(fd)
            raw = list(before)
            raw[0] = raw[1] = raw[3] = 0
            raw[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
            raw[4] = raw[5] = self.speed
            termios.tcsetattr(fd, termios.TCSANOW, raw)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._before = fd, before

    def fileno(self):
        return self._fd

    def ask(self, request):
        os.write(self._fd, request + b"\r\n")

    def ready(self):
        try:
            block = os.read(self._fd, BLOCK)
        except BlockingIOError:
            return []
        if not block:
            raise LineDown(errno.EPIPE, "%s was unplugged" % self.name)
        return self._framer.feed(block)

    def close(self):
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            termios.tcsetattr(fd, termios.TCSANOW, self._before)
        except termios.error as exc:
            logger.info("%s: %s", self.name, exc)
        finally:
            os.close(fd)


class TcpModule:
    """A module that sends its readings once it has been greeted."""

    wants = selectors.EVENT_WRITE

    def __init__(self, host, port, greeting=b"STREAM\n", retry=5.0):
        self.name, self.address = "%s:%d" % (host, port), (host, port)
        self.greeting, self.retry = greeting, retry
        self._sock = None

    def open(self):
        self.wants = selectors.EVENT_WRITE
        self._framer = Framer()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(self.address)
            if code not in (0, errno.EINPROGRESS):
                raise LineDown(code, os.strerror(code))
        except BaseException:
            sock.close()
            raise
        self._sock = sock

    def fileno(self):
        return self._sock.fileno()

    def ready(self):
        if self.wants == selectors.EVENT_WRITE:
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise LineDown(code, os.strerror(code))
            self._sock.sendall(self.greeting)
            self.wants = selectors.EVENT_READ
            return []
        block = self._sock.recv(BLOCK)
        if not block:
            raise LineDown(errno.EPIPE, "%s has hung up" % self.name)
        return self._framer.feed(block)

    def close(self):
        if self._sock is not None:
            self._sock.close()


class ProbeLog:
    """Readings as CSV. A full file is packed and gets a number."""

    def __init__(self, path, limit=1000000):
        self.path, self.limit = path, limit
        self._file = open(path, "a", newline="")
        self._writer = csv.writer(self._file)

    def add(self, reading):
        self._writer.writerow((round(reading.at, 3), reading.probe, reading.value))
        if self._file.tell() >= self.limit:
            self._roll()

    def _roll(self):
        self._file.close()
        number = next(n for n in itertools.count(1) if not os.path.exists("%s.%d.xz" % (self.path, n)))
        with open(self.path, "rb") as plain, lzma.open("%s.%d.xz" % (self.path, number), "wb", preset=0) as packed:
            shutil.copyfileobj(plain, packed)
        self._file = open(self.path, "w", newline="")
        self._writer = csv.writer(self._file)

    def close(self):
        self._file.close()


class FieldPoller:
    """Watches all lines until it is stopped, which any thread may do."""

    def __init__(self, lines, log, status=None, nap=1.0):
        self.log, self.status, self.nap = log, status, nap
        self.latest = {}
        self.down = {}
        self._timers = []
        self._order = itertools.count()
        self._lines = []
        self._stopped = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = None
        try:
            self._selector = selectors.DefaultSelector()
            self._selector.register(self._wake, selectors.EVENT_READ, None)
            for line in lines:
                self._bringUp(line)
        except BaseException:
            self.close()
            raise

    def close(self):
        with contextlib.ExitStack() as teardown:
            wake, self._wake = self._wake, None
            if wake is not None:
                teardown.callback(os.close, wake)
            if self._selector is not None:
                teardown.callback(self._selector.close)
            for line in self._lines:
                teardown.callback(line.close)
            self._lines = []

    def stop(self):
        self._stopped = True
        os.eventfd_write(self._wake, 1)

    def _bringUp(self, line):
        try:
            line.open()
        except OSError as exc:
            self._postpone(line, exc)
            return
        self._lines.append(line)
        self._selector.register(line, line.wants, line)
        self.down.pop(line.name, None)

    def _takeDown(self, line, reason):
        self._selector.unregister(line)
        line.close()
        self._lines.remove(line)
        self._postpone(line, reason)

    def _postpone(self, line, reason):
        logger.warning("%s: %s, again in %.1f s", line.name, reason, line.retry)
        self.down[line.name] = str(reason)
        heapq.heappush(self._timers, (time.monotonic() + line.retry, next(self._order), line))

    def run(self, enough=math.inf, seconds=math.inf):
        """Until it is stopped, or has logged so many readings, or so long; the number of readings."""
        logged = 0
        end = time.monotonic() + seconds
        while not self._stopped and logged < enough and time.monotonic() < end:
            due = self._timers[0][0] - time.monotonic() if self._timers else self.nap
            for key, _ in self._selector.select(max(0.0, min(due, self.nap))):
                if key.data is None:
                    os.eventfd_read(self._wake)
                else:
                    logged += self._serve(key.data)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._bringUp(heapq.heappop(self._timers)[2])
        return logged

    def _serve(self, line):
        try:
            wanted = line.wants
            readings = line.ready()
        except OSError as exc:
            self._takeDown(line, exc)
            return 0
        if line.wants != wanted:
            self._selector.modify(line, line.wants, line)
        for reading in readings:
            self.latest[reading.probe] = reading
            self.log.add(reading)
        if readings and self.status is not None:
            self.writeStatus()
        return len(readings)

    def writeStatus(self):
        """The latest readings, for whoever shows them; never half of them."""
        out = tempfile.NamedTemporaryFile("w", dir=os.path.dirname(self.status), prefix=".status-", delete=False)
        try:
            with out:
                for name in sorted(self.latest):
                    out.write("%s %g\n" % (name, self.latest[name].value))
            os.replace(out.name, self.status)
        except BaseException:
            os.unlink(out.name)
            raise


@contextlib.contextmanager
def inBackground(poller):
    """Polls in a thread of its own while the block runs."""
    thread = threading.Thread(target=poller.run, name="fieldpoll")
    thread.start()
    try:
        yield poller
    finally:
        try:
            poller.stop()
        finally:
            thread.join()


def findPorts(paths, patience=1.0):
    """Those of the paths at whose other end a probe answers."""
    found = []
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for path in paths:
            line = SerialLine(path)
            try:
                line.open()
            except OSError as exc:
                logger.info("%s: %s", path, exc)
                continue
            stack.callback(line.close)
            line.ask(b"ID?")
            selector.register(line, selectors.EVENT_READ, line)
        deadline = time.monotonic() + patience
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(deadline - time.monotonic()):
                selector.unregister(key.fileobj)
                if key.data.ready():
                    found.append(key.data.name)
    return sorted(found)
