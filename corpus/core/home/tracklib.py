"""A library of recorded tracks: points in a file, way marks beside it, a journal of what was imported."""

import bz2
import contextlib
import gzip
import mmap
import threading
import weakref
import zipfile


def parse_point(line):
    lat, lon = line.split(",")
    return float(lat), float(lon)


class TrackWriter:
    """Points to a packed file, and marks to a small one. Marks are rare: their file is made for the first."""

    def __init__(self, path):
        self.path = path
        self._marks = None
        self._points = gzip.open(path, "wt", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def point(self, lat, lon):
        self._points.write(f"{lat},{lon}\n")

    def mark(self, name):
        if self._marks is None:
            self._marks = open(f"{self.path}.marks", "w", encoding="utf-8")
        self._marks.write(name + "\n")

    def close(self):
        try:
            if self._marks is not None:
                self._marks.close()
        finally:
            self._points.close()


class TrackReader:
    def __init__(self, path):
        self.path = path
        self._lines = gzip.open(path, "rt", encoding="ascii")
        weakref.finalize(self, self._lines.close)

    def points(self):
        return [parse_point(line) for line in self._lines]

    def close(self):
        if self._lines is not None:
            self._lines.close()
            self._lines = None


class Merger:
    """Two tracks to one; each source is opened when its turn comes."""

    def __init__(self, first, second):
        self.names = (first, second)
        self._first = None
        self._second = None

    def head(self):
        if self._first is None:
            self._first = gzip.open(self.names[0], "rt", encoding="ascii")
        return self._first.readline()

    def tail(self):
        if self._second is None:
            self._second = bz2.open(self.names[1], "rt", encoding="ascii")
        return self._second.readlines()[-1:]

    def close(self):
        with contextlib.ExitStack() as stack:
            if self._first is not None:
                stack.callback(self._first.close)
            if self._second is not None:
                stack.callback(self._second.close)


class ImportLog:
    def __init__(self, path):
        self._out = open(path, "a", encoding="utf-8")
        self._kinds = {"new": self.new, "gone": self.gone}

    def write(self, kind, name):
        self._kinds[kind](name)

    def new(self, name):
        self._out.write(f"+ {name}\n")

    def gone(self, name):
        self._out.write(f"- {name}\n")

    def close(self) -> None:
        out, self._out = self._out, None
        if out is not None:
            out.close()

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()


class PlaceIndex:
    """Places by name in one file, and where they are in another."""

    def __init__(self, base):
        self.count = 0
        self._names = bz2.open(f"{base}.names", "wt", encoding="utf-8")
        try:
            self._spots = gzip.open(f"{base}.spots", "wt", encoding="ascii")
        except BaseException:
            self._names.close()
            raise

    def add(self, places):
        for name, (lat, lon) in places.items():
            self._names.write(name + "\n")
            self._spots.write(f"{lat:.5f},{lon:.5f}\n")
            self.count += 1

    def close(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._names.close)
            stack.callback(self._spots.close)


class TourPictures:
    """Pictures of a tour in an archive, captions in a file that is begun with the first."""

    def __init__(self, base):
        self.base = base
        self._captions = None
        self._pictures = zipfile.ZipFile(f"{base}.zip", "a")

    def add(self, name, data, caption=None):
        self._pictures.writestr(name, data)
        if caption is not None:
            if self._captions is None:
                self._captions = open(f"{self.base}.captions", "a", encoding="utf-8")
            self._captions.write(f"{name}: {caption}\n")

    def close(self):
        if self._captions is not None:
            try:
                self._captions.close()
            except OSError:
                pass
            self._captions = None
        self._pictures.close()


class Leg:
    """A part of a tour, which tells it how far one has come."""

    def __init__(self, tour):
        self.tour = tour
        self.metres = 0

    def go(self, metres):
        self.metres += metres
        self.tour.note(self.metres)


class Tour:
    """Legs of a tour, as they are walked."""

    def __init__(self, path):
        self._leg = Leg(self)
        self._diary = open(path, "a", encoding="ascii")

    def walk(self, steps):
        for metres in steps:
            self._leg.go(metres)

    def note(self, metres):
        self._diary.write(f"{metres}\n")

    def close(self):
        self._diary.close()


class LiveTrack:
    """Asks a receiver for the place while one walks."""

    def __init__(self, locate, pause=0.001):
        self.points = []
        self._locate = locate
        self._pause = pause
        self._arrived = threading.Event()
        self._asking = threading.Thread(target=self._ask, name="live")
        self._asking.start()

    def _ask(self):
        while not self._arrived.is_set():
            point = self._locate()
            if point is not None:
                self.points.append(point)
            self._arrived.wait(self._pause)

    def close(self):
        self._arrived.set()
        self._asking.join(1)


class TileMap:
    """Heights in a mapped file."""

    def __init__(self, path):
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(open(path, "rb"))
            self._map = stack.enter_context(mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ))
            raw.close()
            stack.pop_all()

    def height(self, x):
        return self._map[x]

    def close(self):
        self._map.close()


def import_tracks(folder, names):
    with ImportLog(f"{folder}/journal") as journal:
        for name in names:
            with TrackWriter(f"{folder}/{name}.gz") as track:
                track.point(47.1, 8.5)
                track.mark(name)
            journal.write("new", name)


def heights(path, places):
    tiles = TileMap(path)
    try:
        return [tiles.height(x) for x in places]
    finally:
        tiles.close()


def walk(path, days):
    with contextlib.closing(Tour(path)) as tour:
        for steps in days:
            tour.walk(steps)


def longest(paths):
    """The track with the most points."""
    best, most = None, 0
    for path in paths:
        with gzip.open(path, "rt", encoding="ascii") as lines:
            count = 0
            for line in lines:
                count += "," in line
        if count > most:
            best, most = path, count
    return best
