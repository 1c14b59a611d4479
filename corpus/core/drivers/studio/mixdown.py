"""Calls into studio/mixdown.py."""

import os
import time
from contextlib import suppress

from studio import mixdown

TAKES = [[1, 2, 3], [3, 4, 5]]


def mixes(box):
    box.write("s/x", "")
    mixdown.mix(box.path("s"), "song", TAKES)
    mixdown.snapshot(box.path("s"), box.path("copy"))
    with box.raises(mixdown.MixError):
        mixdown.mix(box.path("s"), "song", [[1], []])


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("song.mix"))
    with suppress(OSError):
        mixdown.mix(box.path(), "song", TAKES)


def closes_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("song.mix"))
    with suppress(OSError):
        with box.using(mixdown.SessionFiles(box.path(), "song")) as files:
            files.write([1])
            files.marker("x")


def adds_takes(box):
    mixdown.add_takes(box.path(), ["one"])
    with box.using(mixdown.TakeIndex(box.path())) as index:
        index.add("two")


def reads_comments(box):
    box.write("comments", "good\n")
    with box.using(mixdown.TakeIndex(box.path())) as index:
        index.add(index.comment())
        index.add(index.comment())


def traces(box):
    for _ in box.rounds(2):
        mixdown.trace(box.path("needle"), [1, -2])
    mixdown.check_desk(box.path("desk"))


def has_levels(box):
    levels = mixdown.Levels()
    levels.set("voice", 3)
    levels.save(box.path("levels"))
    levels.loudest(box.path("levels"))
    levels.wait_moves(1, 0.01)


def plays(box):
    with box.using(mixdown.Player(lambda block: None)) as player:
        player.put(b"x")


def ticks(box):
    with box.using(mixdown.Metronome(lambda: None, 0.001)) as metronome:
        metronome.start()
        time.sleep(0.003)


def never_ticks(box):
    with box.using(mixdown.Metronome(lambda: None, 0.001)):
        pass


def renders(box):
    with box.using(mixdown.Renderer(["/bin/true"])) as renderer:
        renderer.render(box.path("a"))


def uses_programs(box):
    mixdown.bounce(["/bin/cat"], [1, 2])
    mixdown.flush_cards(["/bin/true"])
    mixdown.sync_clocks(["/bin/true"])


def fades(box):
    path = box.write("take", "abcdef")
    mixdown.fade(path, 2)
    mixdown.lengths([path])
