"""Calls into logs/rotor.py."""

import gzip
import os
import socket
import sqlite3

from logs import rotor

LINES = "# opened\n2024-03-01T10:00:00 start\n2024-03-01T10:05:00 ERROR disk\n2024-03-01T10:06:00 stop\n"


def writes_and_rotates(box):
    with box.using(rotor.Rotor(box.path(), "web", limit=60)) as log:
        log.write("start")
        log.write("a line that is long enough to be the last")
        log.close()
        log.reopen()
    with box.using(rotor.Rotor(box.path(), "web")) as log:
        log.write("again")


def goes_on_with_a_log(box):
    with box.using(rotor.append_mode(box.write("web.log", LINES))) as log:
        log.write("again\n")


def packs_and_searches(box):
    with box.using(rotor.Rotor(box.path(), "web")) as log:
        log.pack(1)
        box.write("web.log.1", LINES)
        packed = log.pack(1)
        log.covering("2024-03-01T10:01:00")
        log.search([packed, log.path], "ERROR")
        log.search([packed], "start", most=1)
        log.empty_all([packed])


def reads_reports(box):
    rotor.crash_report(box.write("crash.gz", gzip.compress(b"Traceback")))


def is_being_rotated(box):
    with box.using(rotor.Rotor(box.path(), "web")) as log, rotor.rotation_lock(box.path()):
        with box.raises(rotor.NotRotated):
            log.rotate()


def merges_logs(box):
    first, second = box.write("a.log", LINES), box.write("b.log", LINES)
    with box.using(rotor.Rotor(box.path(), "web")) as log:
        log.merge([first, second], box.path("all.log"))
        with box.raises(FileNotFoundError):
            log.merge([first, box.path("c.log")], box.path("all.log"))


def filters_a_log(box):
    path = box.write("a.log", LINES)
    with box.using(rotor.Rotor(box.path(), "web")) as log:
        log.through(["/bin/cat"], path)
        with box.raises(rotor.LogError):
            log.through(["/bin/false"], path)


def refuses_an_index_that_is_none(box):
    with box.raises(sqlite3.DatabaseError):
        rotor.RotorIndex(box.write("index.db", b"rubbish" * 300))


def forwards_to_the_daemon(box):
    path = box.write("a.log", LINES)
    with box.using(rotor.Rotor(box.path(), "web")) as log, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind("daemon")
        log.forward(path, "daemon")
        log.forward(path, "daemon", urgent=True)
        with box.raises(rotor.LogError):
            log.forward(box.path("none.log"), "daemon")


def daemon_is_gone(box):
    with box.raises(OSError):
        rotor.syslog_socket(os.path.join("no", "daemon"), room=4096)


def fails_in_the_block(box):
    with box.raises(RuntimeError), rotor.rotation_lock(box.path()):
        box.fail()


def reading_stops_early(box):
    box.take(rotor.lines_with(box.write("a.log", LINES), "2024"))


def counts_errors_and_unpacks(box):
    with box.using(rotor.Rotor(box.path(), "web")) as log:
        log.errors_in([box.write("a.log", LINES), box.write("b.log", LINES)])
        box.write("web.log.1", LINES)
        log.unpack(log.pack(1), box.path("plain.log"))
        with box.raises(OSError):
            log.unpack(box.write("c.bz2", "no bzip2 file"), box.path("c.log"))
