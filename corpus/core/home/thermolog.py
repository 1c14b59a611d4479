"""Collects readings of thermometers: a binary log with a text index, alarms to a peer, counters to statsd."""

from __future__ import annotations

import bz2
import gzip
import socket
import struct
import threading
import time
import weakref
from contextlib import ExitStack, closing, suppress
from typing import BinaryIO, Callable, Iterable, Iterator, Optional, TextIO

STATSD = ("127.0.0.1", 8125)
READING = struct.Struct("!dHf")


class Reading:
    __slots__ = ("taken", "sensor", "celsius")

    def __init__(self, sensor: int, celsius: float, taken: Optional[float] = None) -> None:
        self.taken = time.time() if taken is None else taken
        self.sensor = sensor
        self.celsius = celsius

    def pack(self) -> bytes:
        return READING.pack(self.taken, self.sensor, self.celsius)


def count(name: str, number: int = 1) -> None:
    """One datagram to statsd; nobody waits for an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(f"thermo.{name}:{number}|c".encode(), STATSD)


class ThermoLog:
    """Readings in the order of arrival, and an index of where each sensor's begin."""

    def __init__(self, path: str) -> None:
        self._seen: set[int] = set()
        self._log: BinaryIO = open(path, "ab")
        try:
            self._index: TextIO = open(f"{path}.index", "a", encoding="ascii")
        except BaseException:
            self._log.close()
            raise

    def add(self, reading: Reading) -> None:
        if reading.sensor not in self._seen:
            self._index.write(f"{reading.sensor} {self._log.tell()}\n")
            self._seen.add(reading.sensor)
        self._log.write(reading.pack())

    def close(self) -> None:
        try:
            self._index.close()
        finally:
            self._log.close()


class AlarmLink:
    """Tells a peer what is too hot, and keeps a note of it. The peer is called when there is something to say."""

    def __init__(self, notes: str, peer: tuple[str, int], limit: float = 60.0) -> None:
        self.peer = peer
        self.limit = limit
        self._conn: Optional[socket.socket] = None
        self._notes: TextIO = open(notes, "a", encoding="utf-8")

    def check(self, reading: Reading) -> bool:
        if reading.celsius < self.limit:
            return False
        self._notes.write(f"{reading.sensor}: {reading.celsius:.1f}\n")
        if self._conn is None:
            self._conn = socket.create_connection(self.peer, timeout=2.0)
        self._conn.sendall(reading.pack())
        return True

    def close(self) -> None:
        with ExitStack() as stack:
            if self._conn is not None:
                stack.callback(self._conn.close)
            stack.callback(self._notes.close)


class Sampler:
    """Reads one thermometer at its own pace."""

    def __init__(self, read: Callable[[], float], pause: float) -> None:
        self.latest = 0.0
        self._read = read
        self._pause = pause
        self._enough = threading.Event()
        self._sampling = threading.Thread(target=self._sample, name="sampler")
        self._sampling.start()

    def _sample(self) -> None:
        while not self._enough.wait(self._pause):
            self.latest = self._read()

    def close(self) -> None:
        self._enough.set()
        self._sampling.join(2)


class HourlyMeans:
    """Means by the hour; hours with frost stand in a list of their own, begun with the first."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._frost: Optional[TextIO] = None
        self._means = gzip.open(path, "at", encoding="ascii")

    def add(self, hour: int, values: list[float]) -> None:
        mean = sum(values) / len(values)
        self._means.write(f"{hour} {mean:.2f}\n")
        if min(values) < 0:
            if self._frost is None:
                self._frost = open(f"{self.path}.frost", "a", encoding="ascii")
            self._frost.write(f"{hour}\n")

    def close(self) -> None:
        if self._frost is not None:
            with suppress(OSError):
                self._frost.close()
            self._frost = None
        self._means.close()


class Export:
    """Values for others: raw ones in packed form, and rounded ones where somebody has asked for them."""

    def __init__(self, path: str) -> None:
        self._rounded: Optional[TextIO] = None
        self._raw = bz2.open(path, "wt", encoding="ascii")

    def round_to(self, path: str) -> None:
        if self._rounded is None:
            self._rounded = open(path, "w", encoding="ascii")

    def add(self, values: Iterable[float]) -> None:
        for value in values:
            self._raw.write(f"{value!r}\n")
            if self._rounded is not None:
                self._rounded.write(f"{value:.0f}\n")

    def close(self) -> None:
        try:
            if self._rounded is not None:
                self._rounded.close()
        finally:
            self._raw.close()


class Calibrated:
    """A list of values that are put right by an offset, which may still change."""

    def __init__(self, path: str, offset: float = 0.0) -> None:
        self.offset = offset
        self._right = lambda celsius: celsius + self.offset
        self._out = gzip.open(path, "wt", encoding="ascii")

    def put(self, celsius: float) -> None:
        self._out.write(f"{self._right(celsius):.3f}\n")

    def close(self) -> None:
        self._out.close()


class Replay:
    """The readings of a log, one after the other."""

    def __init__(self, path: str) -> None:
        self._stream: BinaryIO = open(path, "rb")
        weakref.finalize(self, self._stream.close)

    def __iter__(self) -> Iterator[Reading]:
        while block := self._stream.read(READING.size):
            taken, sensor, celsius = READING.unpack(block)
            yield Reading(sensor, celsius, taken)

    def close(self) -> None:
        self._stream.close()


class Inspector:
    """Answers words about a log: `last`, `hottest`."""

    def __init__(self, path: str) -> None:
        self._answers = {"last": self.last, "hottest": self.hottest}
        self._stream: BinaryIO = open(path, "rb")

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def answer(self, word: str) -> Optional[float]:
        return self._answers[word]()

    def _values(self) -> list[float]:
        self._stream.seek(0)
        return [celsius for _, _, celsius in READING.iter_unpack(self._stream.read())]

    def last(self) -> Optional[float]:
        values = self._values()
        return values[-1] if values else None

    def hottest(self) -> Optional[float]:
        return max(self._values(), default=None)

    def close(self) -> None:
        self._stream.close()


def ask(path: str, words: list[str]) -> list[Optional[float]]:
    with Inspector(path) as inspector:
        return [inspector.answer(word) for word in words]


def calibrate(source: str, target: str, offset: float) -> int:
    """Puts all values of a text file right; empty lines do not count."""
    count = 0
    with closing(Calibrated(target, offset)) as right:
        with open(source, encoding="ascii") as lines:
            for line in lines:
                if line.strip():
                    right.put(float(line))
                    count += 1
    return count
