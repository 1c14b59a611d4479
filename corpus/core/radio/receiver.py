"""Records radio programmes from a stream: a ring of the last minutes, a recording, a schedule, signals for listeners.

The stream is whatever ``open_stream`` returns: an object with ``read``. Times are seconds since midnight.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import BinaryIO, Callable, Iterable, Optional

BLOCK = 256


class ReceiverError(Exception):
    """Nothing can be heard."""


class Recording:
    """Sound, and the cues at which something begins."""

    def __init__(self, folder: str, name: str) -> None:
        self.size = 0
        self._sound: BinaryIO = open(os.path.join(folder, name + ".raw"), "wb")
        try:
            self._cues = open(os.path.join(folder, name + ".cue"), "w", encoding="utf-8")
        except BaseException:
            self._sound.close()
            raise

    def write(self, block: bytes) -> None:
        self._sound.write(block)
        self.size += len(block)

    def cue(self, title: str) -> None:
        self._cues.write(f"{self.size} {title}\n")

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._sound.close()
        finally:
            self._cues.close()


class Schedule:
    """What is recorded when; changes are noted, older ones are read if somebody asks."""

    def __init__(self, folder: str) -> None:
        self._older_path = os.path.join(folder, "schedule.old")
        self._older: Optional[object] = None
        self._changes = open(os.path.join(folder, "schedule"), "a", encoding="utf-8")

    def add(self, start: int, name: str) -> None:
        self._changes.write(f"{start} {name}\n")

    def first_older(self) -> str:
        if self._older is None:
            self._older = open(self._older_path, encoding="utf-8")
        return self._older.readline()

    def close(self) -> None:
        if self._older is not None:
            try:
                self._older.close()
            except OSError:
                pass
            self._older = None
        self._changes.close()


class Level:
    """The loudness of what was heard, a byte each."""

    def __init__(self, path: str) -> None:
        self._levels = open(path, "ab")
        weakref.finalize(self, self._levels.close)

    def add(self, block: bytes) -> None:
        self._levels.write(bytes([max(block, default=0)]))

    def close(self) -> None:
        self._levels.close()


class RemoteControl:
    """Commands of a remote control."""

    def __init__(self, path: str) -> None:
        self.volume = 5
        self._buttons = {"+": self.louder, "-": self.softer}
        self._log = open(path, "a", encoding="ascii")

    def __enter__(self) -> RemoteControl:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def press(self, button: str) -> None:
        self._log.write(button + "\n")
        self._buttons[button]()

    def louder(self) -> None:
        self.volume = min(10, self.volume + 1)

    def softer(self) -> None:
        self.volume = max(0, self.volume - 1)

    def level(self) -> int:
        return self.volume

    def close(self) -> None:
        self._log.close()


class Tuner:
    """Reads the stream in a thread and hands blocks out."""

    def __init__(self, source: BinaryIO) -> None:
        self.blocks: queue.Queue[bytes] = queue.Queue()
        self._source = source
        self._off = threading.Event()
        self._reader = threading.Thread(target=self._read, name="tuner")

    def on(self) -> None:
        self._reader.start()

    def _read(self) -> None:
        while not self._off.is_set():
            block = self._source.read(BLOCK)
            self.blocks.put(block)
            if not block:
                self._off.wait(0.001)

    def off(self) -> None:
        self._off.set()
        if self._reader.ident is not None:
            self._reader.join(1)

    close = off


class Announcer:
    """Tells listeners, one after the other."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._texts: queue.Queue[Optional[str]] = queue.Queue()
        self._voice = threading.Thread(target=self._speak)
        self._voice.start()

    def say(self, text: str) -> None:
        self._texts.put(text)

    def _speak(self) -> None:
        while True:
            text = self._texts.get()
            if text is None:
                break
            self._tell(text)

    def close(self) -> None:
        self._texts.put(None)
        self._voice.join()


class Presets:
    """Stations by key, shared by all that listen."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._stations: dict[str, str] = {}

    def set(self, key: str, station: str) -> None:
        with self._lock:
            self._stations[key] = station

    def save(self, path: str) -> None:
        with self._lock:
            with open(path, "w", encoding="utf-8") as out:
                for key in sorted(self._stations):
                    out.write(f"{key} {self._stations[key]}\n")

    def load(self, path: str) -> int:
        with self._lock:
            with open(path, encoding="utf-8") as source:
                for line in source:
                    key, _, station = line.rstrip("\n").partition(" ")
                    self._stations[key] = station
            return len(self._stations)


class Encoder:
    """Encodes recordings in the background."""

    def __init__(self, program: Iterable[str]) -> None:
        self._program = list(program)
        self._pool = ThreadPoolExecutor(1)

    def encode(self, path: str) -> None:
        self._pool.submit(self._run, path)

    def _run(self, path: str) -> int:
        return subprocess.call([*self._program, path], stdout=subprocess.DEVNULL)

    def close(self) -> None:
        self._pool.shutdown()


def record(folder: str, name: str, source: BinaryIO, blocks: int) -> int:
    """Records some blocks; returns how many bytes there were."""
    with Recording(folder, name) as recording:
        recording.cue("start")
        for _ in range(blocks):
            block = source.read(BLOCK)
            if not block:
                raise ReceiverError(f"{name}: the stream has ended")
            recording.write(block)
        return recording.size


def plan(folder: str, entries: Iterable[tuple[int, str]]) -> None:
    schedule = Schedule(folder)
    try:
        for start, name in entries:
            schedule.add(start, name)
    finally:
        schedule.close()


def measure(path: str, blocks: Iterable[bytes]) -> None:
    with closing(Level(path)) as level:
        for block in blocks:
            level.add(block)


def press_all(path: str, buttons: str) -> int:
    with RemoteControl(path) as remote:
        for button in buttons:
            remote.press(button)
        return remote.level()


def now_playing(title: str, address: tuple[str, int]) -> int:
    """Tells displays in the house what is on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shout:
        return shout.sendto(title.encode("utf-8"), address)


def rescan(program: Iterable[str]) -> None:
    subprocess.run([*program, "--rescan"], stdin=subprocess.DEVNULL)


def settle() -> None:
    subprocess.call([sys.executable, "-S", "-c", "pass"])


def excerpt(path: str, start: int, size: int) -> bytes:
    """A piece of a recording, cut in a scratch file as tools want it."""
    scratch = tempfile.NamedTemporaryFile(suffix=".raw", delete=False)
    try:
        with scratch:
            with open(path, "rb") as source:
                source.seek(start)
                scratch.write(source.read(size))
        with open(scratch.name, "rb") as piece:
            return piece.read()
    finally:
        os.unlink(scratch.name)


def level_of(blocks: Iterable[bytes]) -> float:
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "levels")
        measure(path, blocks)
        with open(path, "rb") as levels:
            values = levels.read()
        return sum(values) / max(1, len(values))


def forget(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
