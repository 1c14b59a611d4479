"""Contact sheets of picture folders: thumbnails in a cache on disk, sheets as portable graymaps.

Pictures are portable graymaps as well (P5, 8 bits). Whoever has a better renderer names its program; it is given a
source, a target and a size, and what it leaves at the target is taken.
"""

import logging
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, lru_cache

logger = logging.getLogger("contactsheet")

IN_MEMORY = 12
LATEST = 16
PATIENCE = 20


class BadPicture(Exception):
    """Not a graymap, or a damaged one."""


@lru_cache(maxsize=24)
def fit(width, height, edge):
    """The size of a thumbnail with this longest edge."""
    longest = max(width, height)
    if longest <= edge:
        return width, height
    return max(1, width * edge // longest), max(1, height * edge // longest)


def read_graymap(path):
    with open(path, "rb") as stream:
        fields = []
        while len(fields) < 4:
            line = stream.readline()
            if not line:
                raise BadPicture("%s: no header" % path)
            fields.extend(line.split(b"#")[0].split())
        if fields[0] != b"P5":
            raise BadPicture("%s: %r is no graymap" % (path, fields[0]))
        width, height = int(fields[1]), int(fields[2])
        pixels = stream.read(width * height)
    if len(pixels) != width * height:
        raise BadPicture("%s: ends early" % path)
    return Picture(width, height, pixels)


class Picture:
    def __init__(self, width, height, pixels):
        self.width = width
        self.height = height
        self.pixels = pixels

    @cached_property
    def mean(self):
        return sum(self.pixels) / len(self.pixels)

    @cached_property
    def histogram(self):
        counts = [0] * 16
        for value in self.pixels:
            counts[value >> 4] += 1
        return tuple(counts)

    def scaled(self, edge):
        width, height = fit(self.width, self.height, edge)
        rows = []
        for y in range(height):
            above = (y * self.height // height) * self.width
            rows.append(bytes(self.pixels[above + x * self.width // width] for x in range(width)))
        return Picture(width, height, b"".join(rows))

    def save(self, path):
        handle = tempfile.NamedTemporaryFile("wb", dir=os.path.dirname(path), delete=False)
        try:
            with handle:
                handle.write(b"P5\n%d %d\n255\n" % (self.width, self.height))
                handle.write(self.pixels)
            os.replace(handle.name, path)
        except BaseException:
            os.unlink(handle.name)
            raise


class Thumbnails:
    """Thumbnails by path, the last ones in memory, all on disk."""

    def __init__(self, folder, edge=32):
        self.folder = folder
        self.edge = edge
        self.refused = deque(maxlen=LATEST)
        self._problem = None
        self._lock = threading.Lock()
        self._recent = OrderedDict()

    def get(self, path):
        with self._lock:
            picture = self._recent.get(path)
            if picture is not None:
                self._recent.move_to_end(path)
                return picture
        picture = self._make(path)
        with self._lock:
            self._recent[path] = picture
            while len(self._recent) > IN_MEMORY:
                self._recent.popitem(last=False)
        return picture

    def try_get(self, path):
        try:
            return self.get(path)
        except (BadPicture, OSError) as error:
            self._problem = str(error)
            self.refused.append(path)
            return None

    def forget(self, path):
        with self._lock:
            self._recent.pop(path, None)

    def held(self):
        with self._lock:
            return len(self._recent)

    def _make(self, path):
        target = os.path.join(self.folder, "%s-%d.pgm" % (os.path.basename(path), self.edge))
        if os.path.exists(target):
            return read_graymap(target)
        picture = read_graymap(path).scaled(self.edge)
        picture.save(target)
        return picture


class External:
    """A program that makes thumbnails."""

    def __init__(self, program):
        self.program = list(program)

    def available(self):
        return shutil.which(self.program[0]) is not None

    def warm_up(self):
        subprocess.run([*self.program, "--version"], stdout=subprocess.DEVNULL)

    def render(self, path, edge):
        with tempfile.TemporaryDirectory(prefix="sheet-") as scratch:
            source = os.path.join(scratch, "source.pgm")
            shutil.copyfile(path, source)
            target = os.path.join(scratch, "target.pgm")
            subprocess.run([*self.program, source, target, str(edge)])
            return read_graymap(target)

    def version(self):
        work = tempfile.mkdtemp()
        try:
            report = os.path.join(work, "report")
            with open(report, "wb") as out:
                subprocess.run([*self.program, "--version"], stdout=out)
            with open(report, "rb") as text:
                return text.readline().strip()
        finally:
            shutil.rmtree(work)


class Watcher:
    """Makes thumbnails in the background for what is put into its queue."""

    def __init__(self, thumbnails):
        self.done = 0
        self._thumbnails = thumbnails
        self._jobs = queue.Queue()
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="thumbnails")
        self._worker.start()

    def add(self, path):
        self._jobs.put(path)

    def _work(self):
        while not self._stopping.is_set():
            try:
                path = self._jobs.get(timeout=0.02)
            except queue.Empty:
                continue
            self._thumbnails.try_get(path)
            self.done += 1

    def close(self):
        self._stopping.set()
        self._worker.join()


def log_to(path):
    """Sends what this module logs to a file until the returned function is called."""
    handler = logging.FileHandler(path, delay=True)
    logger.addHandler(handler)

    def end():
        logger.removeHandler(handler)
        handler.close()

    return end


def make_many(thumbnails, paths, workers=2):
    with ThreadPoolExecutor(workers) as pool:
        made = list(pool.map(thumbnails.try_get, paths))
    return [picture for picture in made if picture is not None]


def sheet(pictures, columns, edge):
    """One picture with all of them in a grid."""
    width = columns * edge
    lines = []
    for start in range(0, len(pictures), columns):
        band = [bytearray(width) for _ in range(edge)]
        for place, picture in enumerate(pictures[start : start + columns]):
            for y in range(picture.height):
                left = place * edge
                row = picture.pixels[y * picture.width : (y + 1) * picture.width]
                band[y][left : left + picture.width] = row
        lines.extend(bytes(row) for row in band)
    return Picture(width, len(lines), b"".join(lines))


def folder_sheet(folder, target, columns=4, edge=32):
    """Writes a contact sheet of all graymaps in a folder; returns how many there are."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".pgm"))
    with tempfile.TemporaryDirectory() as cache:
        thumbnails = Thumbnails(cache, edge)
        pictures = make_many(thumbnails, [os.path.join(folder, name) for name in names])
    if not pictures:
        raise BadPicture("%s: no pictures" % folder)
    sheet(pictures, columns, edge).save(target)
    return len(pictures)


def wait_for(path, patience=PATIENCE):
    """Waits until a file is there, for pictures that are still being copied."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if os.path.exists(path):
            return True
        time.sleep(0.005)
    return False


def discard(path):
    with suppress(FileNotFoundError):
        os.unlink(path)
