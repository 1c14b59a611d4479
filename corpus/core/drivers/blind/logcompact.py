"""Calls into blind/logcompact.py."""

import gzip

from blind import logcompact


def _filled(box):
    box.write("app.log", "one\ntwo\n")
    box.write("app.log.1", "older\n")
    box.write("app.log.2.gz", gzip.compress(b"old\n"))
    box.write("app.log.3.gz", gzip.compress(b"very old\n"))
    box.write("tiny.log", "")
    box.write("notes.txt", "no log")


def rotates_a_folder(box):
    _filled(box)
    logcompact.Rotator(box.path(), keep=3).run()
    logcompact.Rotator(box.path(), keep=3).run()


def archives_what_falls_off(box):
    _filled(box)
    rotator = logcompact.Rotator(box.path(), keep=2, archive=True)
    rotator.run()
    box.write("app.log", "three\n")
    rotator.run()


def goes_on_after_a_log_that_cannot_be_rotated(box):
    _filled(box)
    box.write("broken.log", "text\n")
    box.write("broken.log.1/file", "a folder in the way")
    logcompact.Rotator(box.path()).run()


def finds_the_folder_taken(box):
    with box.using(logcompact.DirectoryLock(box.path())) as lock:
        lock.acquire()
        with box.raises(logcompact.LockedError):
            logcompact.Rotator(box.path()).run()


def verifies(box):
    _filled(box)
    box.write("app.log.4.gz", "no gzip")
    box.write("app.log.5.gz", gzip.compress(b"cut off" * 100)[:-12])
    logcompact.Rotator(box.path()).verify()


def finds_last_lines(box):
    logcompact.last_line(box.write("a.log", "one\ntwo\nthr"))
    logcompact.last_line(box.write("b.log", "no end"))
    logcompact.last_line(box.write("c.log", ""))


def runs_from_the_command_line(box):
    _filled(box)
    logcompact.main(["--verify", box.path()])
    logcompact.main(["-k", "2", "-a", box.path(), box.path("missing")])
