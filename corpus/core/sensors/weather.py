"""A weather station: sensors are read by threads, values are averaged, alarms are raised, reports are sent.

Sensors speak a line protocol over TCP: ``READ name`` is answered by ``name value``.
"""

from __future__ import annotations

import json
import logging
import multiprocessing.pool
import os
import queue
import socket
import sqlite3
import tempfile
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import lru_cache
from typing import Callable, Optional

Value = tuple[str, float]

log = logging.getLogger(__name__)

KEPT_VALUES = 20
KEPT_ALARMS = 10


class SensorError(Exception):
    """A sensor says nothing, or nonsense."""


@lru_cache(maxsize=32)
def unit_of(name: str) -> str:
    for ending, unit in (("temp", "C"), ("wind", "m/s"), ("rain", "mm")):
        if name.endswith(ending):
            return unit
    return ""


def parse_value(line: str) -> Value:
    try:
        name, value = line.split()
        return name, float(value)
    except ValueError as error:
        raise SensorError(line) from error


def read_once(address: tuple[str, int], name: str) -> Value:
    with socket.create_connection(address, timeout=2) as link:
        link.sendall(f"READ {name}\n".encode("ascii"))
        with link.makefile("r", encoding="ascii") as reader:
            return parse_value(reader.readline())


class Readings:
    """The latest values, by sensor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT_VALUES))
        self._latest: deque[Value] = deque(maxlen=KEPT_VALUES)
        self._alarms: list[str] = []

    def add(self, name: str, value: float) -> None:
        with self._lock:
            self._values[name].append(value)
            self._latest.append((name, value))

    def mean(self, name: str) -> float:
        with self._lock:
            values = self._values[name]
            return sum(values) / len(values) if values else 0.0

    def alarm(self, text: str) -> None:
        with self._lock:
            self._alarms.append(text)
            while len(self._alarms) > KEPT_ALARMS:
                self._alarms.pop(0)

    def alarms(self) -> list[str]:
        with self._lock:
            return sorted(self._alarms)


class Poller:
    """Reads one sensor in a thread of its own."""

    def __init__(self, address: tuple[str, int], name: str, readings: Readings, pause: float) -> None:
        self._failure: Optional[str] = None
        self.rounds = 0
        self._address = address
        self._name = name
        self._readings = readings
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self.rounds += 1
            try:
                name, value = read_once(self._address, self._name)
                self._readings.add(name, value)
            except (OSError, SensorError) as error:
                self._failure = str(error)

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(1)


class Watchdog:
    """Raises an alarm if nobody has fed it for a while."""

    def __init__(self, readings: Readings, patience: float) -> None:
        self.barks = 0
        self._readings = readings
        self._patience = patience
        self._fed = time.monotonic()
        self._active = True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def feed(self) -> None:
        self._fed = time.monotonic()

    def _watch(self) -> None:
        while self._active:
            if time.monotonic() - self._fed > self._patience:
                self.barks += 1
                self._readings.alarm(f"nothing for {self._patience} s")
                self._fed = time.monotonic()
            time.sleep(0.002)

    def close(self) -> None:
        self._active = False
        self._thread.join(1)


class Reporter:
    """Sends reports, one after the other, in the order in which they were made."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._lost: Optional[str] = None
        self._send = send
        self._reports: queue.Queue[Optional[str]] = queue.Queue()
        self._sender = threading.Thread(target=self._work)
        self._sender.start()

    def report(self, text: str) -> None:
        self._reports.put(text)

    def _work(self) -> None:
        for text in iter(self._reports.get, None):
            try:
                self._send(text)
            except OSError as error:
                self._lost = str(error)

    def close(self) -> None:
        self._reports.put(None)
        self._sender.join()


class Station:
    """All sensors of a place."""

    def __init__(self, address: tuple[str, int], workers: int = 2) -> None:
        self.address = address
        self.readings = Readings()
        self._problem: Optional[str] = None
        self._condition = threading.Condition()
        self._rounds = 0
        self._pool = ThreadPoolExecutor(workers)

    def read_soon(self, name: str) -> None:
        self._pool.submit(self._read, name)

    def _read(self, name: str) -> None:
        try:
            self.readings.add(*read_once(self.address, name))
        except (OSError, SensorError) as error:
            self._problem = repr(error)
        with self._condition:
            self._rounds += 1
            self._condition.notify_all()

    def wait(self, rounds: int, patience: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._rounds >= rounds, patience)

    def read_all(self, names: list[str]) -> dict[str, float]:
        with ThreadPoolExecutor(2) as pool:
            values = list(pool.map(lambda name: read_once(self.address, name), names))
        return dict(values)

    def close(self) -> None:
        self._pool.shutdown()


def read_with_threads(address: tuple[str, int], names: list[str], count: int = 2) -> int:
    """Reads sensors with a few threads; returns how many answered."""
    jobs: queue.Queue[Optional[str]] = queue.Queue()
    done: list[str] = []

    def work() -> None:
        while True:
            name = jobs.get()
            if name is None:
                break
            with suppress(OSError, SensorError):
                done.append(read_once(address, name)[0])

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        for name in names:
            jobs.put(name)
    finally:
        for _ in workers:
            jobs.put(None)
        for worker in workers:
            worker.join()
    return len(done)


def read_while(address: tuple[str, int], name: str, call: Callable[[], None]) -> int:
    """Reads a sensor again and again while something else runs."""
    readings = Readings()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with suppress(OSError, SensorError):
                readings.add(*read_once(address, name))
            stop.wait(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        call()
    finally:
        stop.set()
        reader.join()
    return len(readings.alarms())


def means_of(series: list[list[float]]) -> list[float]:
    with multiprocessing.pool.ThreadPool(2) as pool:
        return pool.map(lambda values: sum(values) / max(1, len(values)), series)


def save_day(folder: str, values: dict[str, float]) -> str:
    """Writes a day beside its place first; gives the path."""
    handle = tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False)
    try:
        with handle:
            json.dump(values, handle)
        target = os.path.join(folder, "day.json")
        os.replace(handle.name, target)
        return target
    except BaseException:
        os.unlink(handle.name)
        raise


def day_report(values: dict[str, float]) -> str:
    lines = []
    with tempfile.TemporaryFile("w+") as scratch:
        for name, value in sorted(values.items()):
            scratch.write(f"{name} {value} {unit_of(name)}\n")
        scratch.seek(0)
        for line in scratch:
            lines.append(line.rstrip())
    return "; ".join(lines)


def archive(path: str, values: dict[str, float]) -> int:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS day (name TEXT, value REAL)")
        db.executemany("INSERT INTO day VALUES (?, ?)", values.items())
        db.commit()
        return db.execute("SELECT count(*) FROM day").fetchone()[0]


def beacon(text: str, address: tuple[str, int]) -> int:
    """Says something to whoever listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(text.encode("utf-8"), address)
