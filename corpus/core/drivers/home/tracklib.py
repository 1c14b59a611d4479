"""Calls into home/tracklib.py."""

import bz2
import gzip
import os
import time
from contextlib import suppress

from home import tracklib


def imports(box):
    box.write("tracks/readme", "")
    tracklib.import_tracks(box.path("tracks"), ["a", "b"])


def writes_points_only(box):
    with box.using(tracklib.TrackWriter(box.path("t.gz"))) as track:
        track.point(1.0, 2.0)


def writes_marks(box):
    with box.using(tracklib.TrackWriter(box.path("t.gz"))) as track:
        track.point(1.0, 2.0)
        track.mark("hut")
        track.mark("peak")


def reads(box):
    path = box.write("t.gz", gzip.compress(b"1.0,2.0\n3.0,4.0\n"))
    with box.using(tracklib.TrackReader(path)) as reader:
        reader.points()


def merges(box):
    first = box.write("a.gz", gzip.compress(b"1.0,2.0\n"))
    second = box.write("b.bz2", bz2.compress(b"3.0,4.0\n"))
    with box.using(tracklib.Merger(first, second)) as merger:
        merger.head()
        merger.head()
        merger.tail()
        merger.tail()


def takes_the_tail_only(box):
    second = box.write("b.bz2", bz2.compress(b"3.0,4.0\n"))
    with box.using(tracklib.Merger("none", second)) as merger:
        merger.tail()


def keeps_a_journal(box):
    with box.using(tracklib.ImportLog(box.path("journal"))) as journal:
        journal.write("new", "a")
        journal.write("gone", "a")


def looks_up_heights(box):
    tracklib.heights(box.write("tiles", bytes(range(64))), [1, 2, 3])


def indexes_places(box):
    with box.using(tracklib.PlaceIndex(box.path("places"))) as index:
        index.add({"hut": (47.1, 8.5), "peak": (47.2, 8.6)})


def indexes_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("places.spots"))
    with suppress(OSError):
        with box.using(tracklib.PlaceIndex(box.path("places"))) as index:
            index.add({"hut": (47.1, 8.5)})


def walks(box):
    tracklib.walk(box.path("diary"), [[100, 200], [50]])


def tracks_live(box):
    with box.using(tracklib.LiveTrack(lambda: (47.1, 8.5))):
        time.sleep(0.003)


def finds_the_longest(box):
    short = box.write("a.gz", gzip.compress(b"1.0,2.0\n"))
    tracklib.longest([box.write("b.gz", gzip.compress(b"1.0,2.0\n3.0,4.0\n")), short])


def has_pictures(box):
    with box.using(tracklib.TourPictures(box.path("album"))) as album:
        album.add("hut.jpg", b"JFIF")


def has_captions(box):
    with box.using(tracklib.TourPictures(box.path("album"))) as album:
        album.add("hut.jpg", b"JFIF", "the hut")
        album.add("peak.jpg", b"JFIF", "the peak")
