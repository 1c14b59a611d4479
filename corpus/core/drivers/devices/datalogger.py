"""Calls into devices/datalogger.py."""

import gzip
import os
import sqlite3
from contextlib import suppress

from devices import datalogger

SAMPLES = [("t1", 0.0, 20.5), ("t2", 0.5, 21.0), ("t1", 1.0, 20.6)]


def records(box):
    box.write("settings", "rate = 5\n")
    datalogger.record(box.path(), SAMPLES)


def a_disk_is_full(box):
    os.symlink("/dev/full", box.path("t1.txt"))
    with suppress(OSError):
        datalogger.record(box.path(), SAMPLES)


def files_are_full(box):
    os.symlink("/dev/full", box.path("t1.txt"))
    with suppress(OSError):
        with box.using(datalogger.SampleFile(box.path(), "t1")) as file:
            file.write(datalogger.Sample("t1", 0, 1))


def a_folder_is_in_the_way(box):
    os.mkdir(box.path("t1.marks"))
    with box.raises(OSError):
        datalogger.SampleFile(box.path(), "t1")


def refuses_samples_that_are_none(box):
    with box.raises(sqlite3.DatabaseError):
        datalogger.SampleBase(box.write("samples.db", "rubbish" * 100))


def reads_settings(box):
    box.write("settings", "rate = 5\n")
    with box.using(datalogger.Console(box.path("console"))) as console:
        run = datalogger.Run(box.path(), console)
        with box.using(run):
            run.settings()


def has_no_settings(box):
    with box.using(datalogger.Console(box.path("console"))) as console:
        with box.using(datalogger.Run(box.path(), console)) as run:
            run.settings()


def shows_again(box):
    with box.using(datalogger.Console(box.path("console"))) as console:
        for number in box.rounds(14):
            console.show("line %d" % number)
        console.again("line")


def keeps(box):
    datalogger.keep(box.path(), SAMPLES)
    datalogger.mean(box.path(), "t1")


def taps(box):
    datalogger.tap(box.path("raw"), [b"ab", b"c"])
    with box.raises(datalogger.LoggerError):
        datalogger.tap(box.path("raw"), [])


def shelves(box):
    datalogger.shelve_old(box.path(), ["a", "b"])


def reads_notes(box):
    with gzip.open(box.path("notes.gz"), "wt") as notes:
        notes.write("first\n")
    datalogger.first_note(box.path())
    with box.using(datalogger.Archive(box.path())) as archive:
        archive.note()
        archive.note()
        archive.close()


def spools(box):
    datalogger.spool(box.path("spool"), ["a", "b"])


def asks_the_engine(box):
    for _ in box.rounds(2):
        datalogger.engine_version()
        datalogger.scales("t1 0.5\nt2 2\n")


def prepares(box):
    datalogger.prepare(box.path("protocol"), [["zero", "range"], ["zero"]])


def has_events(box):
    with box.using(datalogger.Events(box.path("run"))) as events:
        events.add(["I start", "I end"])
    datalogger.count_events(box.path("run.events"), "I")


def has_errors(box):
    with box.using(datalogger.Events(box.path("run"))) as events:
        events.add(["I start", "E too hot", "E too cold"])


def has_errors_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("run.errors"))
    with suppress(OSError):
        with box.using(datalogger.Events(box.path("run"))) as events:
            events.add(["E too hot"])
