"""Collects readings of thermometers: a binary log with a text index, alarms to a peer, counters to statsd."""

from __future__ import annotations

import socket
import struct
import time
import weakref
from contextlib import ExitStack
from typing import BinaryIO, Iterator, Optional, TextIO

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
