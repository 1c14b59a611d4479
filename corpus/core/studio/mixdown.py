"""Mixes takes to one file in the studio: takes are read by threads, meters move, a session is kept on disk.

A take is raw sound, one signed byte a sample. A session is a folder.
"""

import os
import queue
import shutil
import subprocess
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

SCALE = 127


class MixError(Exception):
    """The takes do not go together."""


class SessionFiles:
    """Sound and markers of a session."""

    def __init__(self, folder, name):
        self.samples = 0
        self._mix = open(os.path.join(folder, name + ".mix"), "wb")
        try:
            self._markers = open(os.path.join(folder, name + ".markers"), "w", encoding="utf-8")
        except BaseException:
            self._mix.close()
            raise

    def write(self, values):
        self._mix.write(bytes(value & 0xFF for value in values))
        self.samples += len(values)

    def marker(self, text):
        self._markers.write("%d %s\n" % (self.samples, text))

    def close(self):
        try:
            self._mix.close()
        finally:
            self._markers.close()


class TakeIndex:
    """Where takes are; comments on them are opened if somebody reads them."""

    def __init__(self, folder):
        self._comments_path = os.path.join(folder, "comments")
        self._comments = None
        self._index = open(os.path.join(folder, "takes"), "a", encoding="utf-8")

    def add(self, name):
        self._index.write(name + "\n")

    def comment(self):
        if self._comments is None:
            self._comments = open(self._comments_path, encoding="utf-8")
        return self._comments.readline().strip()

    def close(self):
        if self._comments is not None:
            with suppress(OSError):
                self._comments.close()
            self._comments = None
        self._index.close()


class MeterTrace:
    """The needle of a meter, sample by sample."""

    def __init__(self, path):
        self._needle = open(path, "ab")
        weakref.finalize(self, self._needle.close)

    def move(self, value):
        self._needle.write(bytes([min(SCALE, abs(value))]))

    def close(self):
        self._needle.close()


class DeskKeys:
    """Keys of the mixing desk."""

    def __init__(self, path):
        self.pressed = 0
        self._desk_keys = (self.mute, self.solo)
        self._desk_log = open(path, "a", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def mute(self):
        self.pressed += 1
        self._desk_log.write("mute\n")

    def solo(self):
        self.pressed += 1
        self._desk_log.write("solo\n")

    def close(self):
        self._desk_log.close()


class Levels:
    """Levels of all channels, for whoever draws them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._moved = threading.Condition()
        self._values = {}
        self._moves = 0

    def set(self, channel, value):
        with self._lock:
            self._values[channel] = value
        with self._moved:
            self._moves += 1
            self._moved.notify_all()

    def save(self, path):
        with self._lock:
            with open(path, "w", encoding="ascii") as out:
                for channel in sorted(self._values):
                    out.write("%s %d\n" % (channel, self._values[channel]))

    def loudest(self, path):
        with self._lock:
            with open(path, encoding="ascii") as source:
                return max((int(line.split()[1]) for line in source), default=0)

    def wait_moves(self, count, patience):
        with self._moved:
            return self._moved.wait_for(lambda: self._moves >= count, patience)


class Player:
    """Plays blocks that are put into it."""

    def __init__(self, play):
        self._play = play
        self._blocks = queue.Queue()
        self._speaker = threading.Thread(target=self._run)
        self._speaker.start()

    def put(self, block):
        self._blocks.put(block)

    def _run(self):
        while True:
            block = self._blocks.get()
            if block is None:
                break
            self._play(block)

    def close(self):
        self._blocks.put(None)
        self._speaker.join()


class Metronome:
    """Ticks until it is stopped."""

    def __init__(self, tick, pause):
        self._tick = tick
        self._pause = pause
        self._silence = threading.Event()
        self._pendulum = threading.Thread(target=self._swing)

    def start(self):
        self._pendulum.start()

    def _swing(self):
        while not self._silence.wait(self._pause):
            self._tick()

    def close(self):
        self._silence.set()
        if self._pendulum.ident is not None:
            self._pendulum.join(1)


class Renderer:
    """Renders takes beside everything else."""

    def __init__(self, program):
        self._program = list(program)
        self._renderers = ThreadPoolExecutor(1)

    def render(self, path):
        self._renderers.submit(self._render, path)

    def _render(self, path):
        return subprocess.call([*self._program, path], stdout=subprocess.DEVNULL)

    def close(self):
        self._renderers.shutdown()


def mixed(takes):
    """One take from many of the same length."""
    if len({len(take) for take in takes}) != 1:
        raise MixError("%d takes" % len(takes))
    return [sum(values) // len(takes) for values in zip(*takes)]


def mix(folder, name, takes):
    with closing(SessionFiles(folder, name)) as files:
        files.marker("start")
        files.write(mixed(takes))
        return files.samples


def add_takes(folder, names):
    index = TakeIndex(folder)
    try:
        for name in names:
            index.add(name)
    finally:
        index.close()


def trace(path, values):
    with closing(MeterTrace(path)) as needle:
        for value in values:
            needle.move(value)


def check_desk(path):
    with DeskKeys(path) as desk:
        desk.mute()
        desk.solo()


def lengths(paths):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(os.path.getsize, paths))


def bounce(program, values):
    """Has a program work on sound."""
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "in.raw")
        with open(source, "wb") as out:
            out.write(bytes(values))
        return subprocess.check_output([*program, source])


def snapshot(folder, target):
    """Copies a session; the copy is whole, or not there."""
    work = tempfile.mkdtemp(dir=os.path.dirname(target) or ".")
    try:
        copy = os.path.join(work, "copy")
        shutil.copytree(folder, copy)
        os.replace(copy, target)
    finally:
        shutil.rmtree(work)


def fade(path, start):
    """The end of a take, faded out in a scratch file."""
    descriptor, scratch = tempfile.mkstemp(suffix=".raw")
    try:
        with os.fdopen(descriptor, "wb") as out, open(path, "rb") as source:
            source.seek(start)
            sound = source.read()
            out.write(bytes(value * (len(sound) - place) // len(sound) for place, value in enumerate(sound)))
        return os.path.getsize(scratch)
    finally:
        os.unlink(scratch)


def flush_cards(program):
    subprocess.run([*program, "--flush"], stdin=subprocess.DEVNULL)


def sync_clocks(program):
    subprocess.call([*program, "--sync"])
