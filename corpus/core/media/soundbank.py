"""Announcements of a bus: samples out of a bank are joined to one wave file, which a command plays.

A bank is a zip file with wave files and an index. What was joined before stays in a folder, since joining
takes longer than a bus stops. The player reads raw samples from a pipe.
"""

from __future__ import annotations

import array
import json
import mmap
import os
import sqlite3
import subprocess
import tempfile
import wave
import zipfile
from contextlib import ExitStack, closing, contextmanager
from typing import Iterable, Iterator

RATE = 8000


class SoundError(Exception):
    """A sample is missing, or has another format than the rest."""


def _sidecar_text(path: str) -> str:
    """What is spoken in a sample."""
    with open(os.path.splitext(path)[0] + ".txt", encoding="utf-8") as text:
        return text.read()


def create_sound(path: str, rate: int = RATE) -> wave.Wave_write:
    """A wave file for 16 bit mono, ready to take frames."""
    sound = wave.open(path, "wb")
    try:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
    except BaseException:
        sound.close()
        raise
    return sound


def open_sound(path: str) -> wave.Wave_read:
    """A wave file that is known to be 16 bit mono."""
    sound = wave.open(path, "rb")
    try:
        if (sound.getnchannels(), sound.getsampwidth()) != (1, 2):
            raise SoundError(f"{path} is not 16 bit mono")
    except:
        sound.close()
        raise
    return sound


@contextmanager
def sample_memory(path: str) -> Iterator[memoryview]:
    """The samples of a raw file as numbers, without reading them all."""
    with open(path, "rb") as raw:
        area = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            with memoryview(area) as octets, octets.cast("h") as samples:
                yield samples
        finally:
            area.close()


def sound_blocks(path: str, size: int = 1024) -> Iterator[bytes]:
    """The frames of a wave file in blocks, as players want them."""
    with wave.open(path, "rb") as sound:
        while block := sound.readframes(size):
            yield block


class SampleBank:
    """The bank that comes with a timetable."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> SampleBank:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def frames(self, word: str) -> bytes:
        """The frames of one word; the bank says in which member they are."""
        index = json.loads(self._zip.read("index.json"))
        if word not in index:
            raise SoundError(f"{word!r} is not in {self.path}")
        with self._zip.open(index[word]) as member, wave.open(member, "rb") as sound:
            return sound.readframes(sound.getnframes())


class PlayLog:
    """What was played at which stop."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = sqlite3.connect(path)
        try:
            for statement in ("PRAGMA synchronous = OFF", "CREATE TABLE IF NOT EXISTS played (stop TEXT, words TEXT)"):
                self._db.execute(statement)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        if self._db:
            self._db.close()
            self._db = None

    def reopen(self) -> None:
        if self._db:
            self._db.close()
        self._db = sqlite3.connect(self.path)

    def note(self, stop: str, words: Iterable[str]) -> None:
        with self._db:
            self._db.execute("INSERT INTO played VALUES (?, ?)", (stop, " ".join(words)))


class Announcer:
    def __init__(self, bank: str, folder: str) -> None:
        self.bank = bank
        self.folder = folder

    def stops_played(self) -> list[str]:
        stops: list[str] = []
        with closing(sqlite3.connect(os.path.join(self.folder, "played.db"))) as db:
            for (stop,) in db.execute("SELECT stop FROM played ORDER BY rowid"):
                if stop not in stops:
                    stops.append(stop)
        return stops

    def spoken(self, paths: Iterable[str]) -> str:
        words = []
        for path in paths:
            text = _sidecar_text(path)
            words.append(text.strip())
        return " ".join(words)

    def announcement(self, words: list[str]) -> str:
        """The file with these words, joined unless it is there already."""
        target = os.path.join(self.folder, "-".join(words) + ".wav")
        if os.path.exists(target):
            return target
        draft = create_sound(target + ".part")
        complete = False
        try:
            with SampleBank(self.bank) as bank:
                for word in words:
                    draft.writeframes(bank.frames(word))
            complete = True
        finally:
            if complete:
                draft.close()
                os.replace(target + ".part", target)
            else:
                draft.close()
                os.unlink(target + ".part")
        return target

    def loudest(self, paths: Iterable[str]) -> int:
        peak = 0
        for path in paths:
            with open_sound(path) as sound:
                samples = array.array("h", sound.readframes(sound.getnframes()))
                peak = max(peak, max(map(abs, samples), default=0))
        return peak

    def is_silent(self, path: str) -> bool:
        """Whether nothing in a raw file is louder than a whisper."""
        with sample_memory(path) as samples:
            for value in samples:
                if abs(value) > 200:
                    return False
        return True

    def to_raw(self, path: str) -> str:
        """The bare samples of a wave file in a file next to it."""
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".raw")
        try:
            with os.fdopen(fd, "wb") as raw:
                with open_sound(path) as sound:
                    while block := sound.readframes(4096):
                        raw.write(block)
            os.replace(draft, path + ".raw")
        except BaseException:
            os.unlink(draft)
            raise
        return path + ".raw"

    def mix(self, paths: Iterable[str], target: str) -> int:
        """Lay several sounds over each other; gives the number of samples."""
        total = array.array("h")
        with ExitStack() as stack:
            out = stack.enter_context(create_sound(target))
            for path in paths:
                sound = stack.enter_context(wave.open(path, "rb"))
                samples = array.array("h", sound.readframes(sound.getnframes()))
                total.extend([0] * (len(samples) - len(total)))
                for at, value in enumerate(samples):
                    total[at] = max(-32768, min(32767, total[at] + value))
            out.writeframes(total.tobytes())
        return len(total)

    def play(self, stop: str, words: list[str], command: list[str]) -> bytes:
        """Let a command play an announcement; what it prints goes to the log of the bus."""
        path = self.announcement(words)
        proc = subprocess.Popen(command + [path], stdout=subprocess.PIPE)
        out, _ = proc.communicate()
        if proc.returncode:
            raise SoundError(f"{command[0]} ended with status {proc.returncode}")
        with closing(PlayLog(os.path.join(self.folder, "played.db"))) as log:
            log.note(stop, words)
        return out

    def stream(self, path: str, device: str) -> int:
        """Feed a sound to the device file; gives the number of bytes that it took."""
        taken = 0
        fd = os.open(device, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o600)
        try:
            with closing(sound_blocks(path)) as pieces:
                for piece in pieces:
                    taken += os.write(fd, piece)
        finally:
            os.close(fd)
        return taken

    def mute(self) -> None:
        """The mark by which the driver's cabin switches announcements off."""
        with open(os.path.join(self.folder, "MUTE"), "wb"):
            pass

    def seconds(self, path: str) -> float:
        sound = wave.open(path, "rb")
        try:
            length = sound.getnframes() / sound.getframerate()
        finally:
            sound.close()
        return length
