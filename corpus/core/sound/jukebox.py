# -*- coding: utf-8 -*-
"""A jukebox: a library of tracks, a queue, credits, and displays that follow.

Playing is the business of a deck, which is told what to start and calls back when a track has ended.
"""

import atexit
import logging
import weakref
from collections import deque
from functools import cached_property, lru_cache

LOG = logging.getLogger("jukebox")

HISTORY = 18
REFUSED_KEPT = 9
LABEL_WIDTH = 28


class NoCredit(Exception):
    pass


class BadTrack(ValueError):
    pass


@lru_cache(30)
def sort_key(title):
    """``The Wall`` stands under W."""
    lowered = title.casefold()
    for article in ("the ", "a ", "an "):
        if lowered.startswith(article):
            return lowered[len(article):]
    return lowered


@lru_cache(maxsize=24, typed=True)
def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return "%d:%02d" % (minutes, rest)


class Board:
    """Where displays sign up."""

    def __init__(self):
        self._displays = []

    def connect(self, display):
        self._displays.append(display)

    def disconnect(self, display):
        self._displays.remove(display)

    def show(self, text):
        for display in list(self._displays):
            display(text)


BOARD = Board()


def log_text(text):
    LOG.debug("shown: %s", text)


class Album:
    def __init__(self, name, year=None):
        self.name = name
        self.year = year
        self._tracks = []

    @cached_property
    def heading(self):
        return self.name if self.year is None else "%s (%d)" % (self.name, self.year)

    def track(self, title, seconds):
        if seconds <= 0:
            raise BadTrack("%s lasts %r seconds" % (title, seconds))
        track = Track(title, seconds, album=self)
        self._tracks.append(track)
        return track

    def length(self):
        return sum(track.seconds for track in self._tracks)

    def listing(self):
        lines = []
        for number, track in enumerate(self._tracks, 1):
            lines.append("%2d. %s" % (number, track.label))
        return "\n".join(lines)


class Track:
    def __init__(self, title, seconds, album):
        self.title = title
        self.seconds = seconds
        self._album = weakref.ref(album)

    @cached_property
    def label(self):
        text = "%s %s" % (self.title, clock(self.seconds))
        return text if len(text) <= LABEL_WIDTH else text[: LABEL_WIDTH - 1] + "…"

    def origin(self):
        album = self._album()
        return "unknown" if album is None else album.heading


class Deck:
    """Plays one track after the other; time is told by ``pass_time``."""

    def __init__(self, on_end):
        self._left = 0
        self._on_end = on_end

    def start(self, track):
        self._left = track.seconds

    def pass_time(self, seconds):
        if self._left <= 0:
            return
        self._left -= seconds
        if self._left <= 0:
            on_end = self._on_end()
            if on_end is not None:
                on_end()


class Snippet:
    """The beginning of a track, for those who cannot choose."""

    def __init__(self, seconds, on_over):
        self._seconds = seconds
        self._on_over = on_over

    def play(self, track):
        heard = min(self._seconds, track.seconds)
        on_over = self._on_over()
        if on_over is not None:
            on_over(track.title, heard)


class CoinSlot:
    def __init__(self, machine, price):
        self._machine = machine
        self._price = price

    def drop(self, cents):
        machine = self._machine()
        if machine is not None:
            machine.credit += cents // self._price


class Jukebox:
    def __init__(self, price=50):
        self.credit = 0
        self._played = deque(maxlen=HISTORY)
        self._waiting = deque()
        self._refused = []
        self._why = None
        self._deck = Deck(weakref.WeakMethod(self._ended))
        self._slot = CoinSlot(weakref.ref(self), price)
        self._preview = Snippet(10, weakref.WeakMethod(self._preview_over))
        self._unread = None

    def _preview_over(self, title, seconds):
        BOARD.show("%s of %s: choose!" % (clock(seconds), title))

    def preview(self, track):
        BOARD.show(track.title)
        self._preview.play(track)

    def insert(self, cents):
        self._slot.drop(cents)

    def choose(self, track):
        try:
            self._pay()
        except NoCredit as exc:
            self._why = str(exc)
            self._refused.append(track.title)
            if len(self._refused) > REFUSED_KEPT:
                self._refused.pop(0)
            return False
        self._waiting.append(track)
        if len(self._waiting) == 1:
            self._start()
        return True

    def _pay(self):
        if self.credit < 1:
            raise NoCredit("insert a coin")
        self.credit -= 1

    def _start(self):
        track = self._waiting[0]
        self._deck.start(track)
        BOARD.show("%s / %s" % (track.label, track.origin()))

    def _ended(self):
        self._played.append(self._waiting.popleft().title)
        if self._waiting:
            self._start()

    def pass_time(self, seconds):
        self._deck.pass_time(seconds)

    def charts(self, out):
        """The titles of the last plays, the most played first."""
        ranked = []
        for title in set(self._played):
            ranked.append((-self._played.count(title), sort_key(title), title))
        for count, _, title in sorted(ranked):
            out.write("%3d %s\n" % (-count, title))

    def load(self, album, text):
        """Tracks from lines like ``The Pier;185``."""
        try:
            for line in text.splitlines():
                title, _, seconds = line.partition(";")
                album.track(title, float(seconds))
        except ValueError as exc:
            self._unread = repr(exc)
            return False
        return True

    def unread(self):
        return "" if self._unread is None else self._unread

    def why(self):
        return "" if self._why is None else self._why

    def refused(self):
        return tuple(self._refused)


class Ticker:
    """Shows what plays in a line of limited length."""

    def __init__(self, write):
        self._write = write
        self._running = False

    def start(self):
        BOARD.connect(self._text)
        self._running = True

    def _text(self, text):
        self._write(text[:40].ljust(40))

    def stop(self):
        if self._running:
            BOARD.disconnect(self._text)
            self._running = False


class Takings:
    """Counts plays by title, and writes them out in the end: on ``close``, or as the program ends."""

    def __init__(self, path):
        self._path = path
        self._counts = {}
        atexit.register(self._write_out)

    def count(self, title):
        self._counts[title] = self._counts.get(title, 0) + 1
        while len(self._counts) > 15:
            least = min(self._counts, key=self._counts.get)
            del self._counts[least]

    def _write_out(self):
        rows = []
        for title, count in self._counts.items():
            rows.append("%s\t%d\n" % (title, count))
        with open(self._path, "w", encoding="utf-8") as out:
            out.writelines(rows)

    def close(self):
        atexit.unregister(self._write_out)
        self._write_out()


def check(tracks, out):
    """Says which titles come twice."""
    titles = []
    for title, _ in tracks:
        titles.append(sort_key(title))
    twice = sorted({title for title in titles if titles.count(title) > 1})
    out.write("%d twice: %s" % (len(twice), ", ".join(twice)))


def overheard(job, stream):
    """Runs a job with the log of the jukebox going to a stream as well."""
    handler = logging.StreamHandler(stream)
    LOG.addHandler(handler)
    try:
        return job()
    finally:
        LOG.removeHandler(handler)
        handler.flush()


BOARD.connect(log_text)
LOG.addHandler(logging.NullHandler())
