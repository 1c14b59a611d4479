"""Calls into sound/jukebox.py."""

import io

from sound import jukebox


def _album():
    album = jukebox.Album("Low Tide", 1979)
    album.track("The Pier", 185)
    album.track("A very long night in the harbour", 240.5)
    return album


def plays(box):
    album = _album()
    first = album.track("Gulls", 60)
    machine = jukebox.Jukebox()
    machine.insert(150)
    for _ in range(5):
        machine.choose(first)
    machine.pass_time(30)
    machine.pass_time(40)
    machine.pass_time(70)
    machine.charts(io.StringIO())
    machine.why()
    machine.refused()
    machine.preview(first)
    machine.load(album, "Foam;120\nSpray;90.5")
    machine.load(album, "Foam;long")
    machine.unread()
    album.listing()
    album.length()


def refuses_bad_tracks(box):
    with box.raises(jukebox.BadTrack):
        jukebox.Album("Nothing").track("Silence", 0)
    jukebox.Album("Nothing").heading


def plays_for_long(box):
    album = _album()
    track = album.track("Gulls", 1)
    machine = jukebox.Jukebox()
    for number in box.rounds(20):
        machine.insert(50)
        machine.choose(track)
        machine.pass_time(2)
        machine.choose(track)


def counts_for_long(box):
    with box.using(jukebox.Takings(box.path("takings"))) as takings:
        for number in box.rounds(18):
            takings.count("title %d" % number)


def shows(box):
    for _ in box.rounds(3):
        with box.using(jukebox.Ticker(print)) as ticker:
            ticker.start()


def counts_again(box):
    for _ in box.rounds(3):
        with box.using(jukebox.Takings(box.path("takings"))):
            pass


def sorts(box):
    for number in box.rounds(34):
        jukebox.sort_key("The song %d" % number)
        jukebox.clock(60.5 + number)


def checks(box):
    jukebox.check([("The Wall", 1), ("Wall", 2), ("Sea", 3)], io.StringIO())


def is_overheard(box):
    jukebox.overheard(lambda: jukebox.BOARD.show("hello"), io.StringIO())
