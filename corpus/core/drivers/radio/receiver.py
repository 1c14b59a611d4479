"""Calls into radio/receiver.py."""

import io
import os
import time
from contextlib import suppress

from radio import receiver


def records(box):
    receiver.record(box.path(), "news", io.BytesIO(bytes(600)), 2)
    receiver.excerpt(box.path("news.raw"), 2, 8)
    with box.raises(receiver.ReceiverError):
        receiver.record(box.path(), "short", io.BytesIO(b"x"), 2)


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("news.raw"))
    with suppress(OSError):
        receiver.record(box.path(), "news", io.BytesIO(bytes(10)), 1)


def plans(box):
    receiver.plan(box.path(), [(0, "news")])


def adds(box):
    with box.using(receiver.Schedule(box.path())) as schedule:
        schedule.add(0, "news")


def looks_back(box):
    box.write("schedule.old", "0 jazz\n")
    with box.using(receiver.Schedule(box.path())) as schedule:
        schedule.first_older()


def measures(box):
    for _ in box.rounds(2):
        receiver.measure(box.path("levels"), [b"ab", b""])
    receiver.level_of([b"ab"])


def presses(box):
    receiver.press_all(box.path("log"), "++-")


def tunes(box):
    with box.using(receiver.Tuner(io.BytesIO(bytes(300)))) as tuner:
        tuner.on()
        tuner.blocks.get(timeout=1)
        time.sleep(0.003)


def stays_off(box):
    with box.using(receiver.Tuner(io.BytesIO())):
        pass


def announces(box):
    with box.using(receiver.Announcer(lambda text: None)) as announcer:
        announcer.say("news")


def has_presets(box):
    presets = receiver.Presets()
    presets.set("1", "jazz")
    presets.save(box.path("presets"))
    presets.load(box.path("presets"))


def encodes(box):
    with box.using(receiver.Encoder(["/bin/true"])) as encoder:
        encoder.encode(box.path("news.raw"))


def tells(box):
    for _ in box.rounds(2):
        receiver.now_playing("news", ("127.0.0.1", 9))
    receiver.rescan(["/bin/true"])
    receiver.settle()
    receiver.forget(box.path("none"))
