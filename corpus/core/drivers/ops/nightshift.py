"""Calls into ops/nightshift.py."""

import gzip
import os
import time
from contextlib import suppress

from ops import nightshift

PLAN = "hello: /bin/echo all is well\nnothing: /bin/true\n"


def _answer(connection):
    while line := connection.recv(100):
        connection.sendall(b"yes, " + line)


def runs_a_plan(box):
    nightshift.run_plan(PLAN, box.path("night"))
    nightshift.run_plan("bad: /bin/false", box.path("other"))
    with box.raises(nightshift.NightPlanError):
        nightshift.run_plan("hello", box.path("third"))


def logs_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("night.out"))
    with suppress(OSError):
        with box.using(nightshift.NightLog(box.path("night"))) as night:
            night.add("hello", 1, "all is well\n")


def keeps_a_watchbook(box):
    with box.using(nightshift.Watchbook(box.path())) as book:
        book.count()


def notes_on_paper(box):
    with box.using(nightshift.Watchbook(box.path())) as book:
        book.note("a noise")
        book.note("a cat")


def reads_yesterdays_log(box):
    with gzip.open(box.path("old"), "wt") as out:
        out.write("hello: all is well\nother: no\n")
    for _ in box.rounds(2):
        with box.using(nightshift.YesterdaysLog(box.path("old"))) as old:
            old.of("hello")


def asks_on_the_hotline(box):
    with box.serve(_answer) as address:
        for _ in box.rounds(2):
            with box.using(nightshift.Hotline(address)) as line:
                line.ask("asleep?")


def blinks(box):
    nightshift.blink(box.path("board"), ["green", "red"])


def watches_the_load(box):
    with box.using(nightshift.LoadWatch(lambda: 0.5)) as watch:
        time.sleep(0.003)
        watch.highest()


def announces(box):
    with box.using(nightshift.YardVoice(box.path("speaker"))) as announcer:
        announcer.start()
        announcer.start()
        announcer.say("all is well")


def never_announces(box):
    with box.using(nightshift.YardVoice(box.path("speaker"))):
        pass


def inspects(box):
    box.write("yard/cat.tmp", "")
    box.write("yard/dog", "")
    with box.using(nightshift.Inspectors(lambda name: name.endswith(".tmp"))) as inspectors:
        inspectors.look(box.path("yard")).result()
        inspectors.look_into([box.path("yard")])


def calls_programs(box):
    nightshift.sync_disks(["/bin/true"], ["a", "b"])
    nightshift.wake(["/bin/true"])


def signals(box):
    for _ in box.rounds(2):
        nightshift.signal_life(2)
        nightshift.severity("late")
        nightshift.severity("odd")


def packs_the_night(box):
    nightshift.morning_parcel([box.write("a", "1"), box.write("b", "2")], box.path("night"))


def mails(box):
    nightshift.morning_mail(["all is well", "a cat"], lambda path: None)


def speaks(box):
    nightshift.speak(box.path("speaker"), "all is well")
