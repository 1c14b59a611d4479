"""Calls into logtail.py."""

import os

import logtail

LINES = "2024-05-01 10:00:00 INFO probe 1.2 starts\n2024-05-01 10:00:01 ERROR disk full\n  traceback line\n2024-05-02 09:00:00 WARNING slow\n"


def follows_a_growing_file(box):
    path = box.write("app.log", LINES + "unfinished")
    seen = []
    follower = logtail.Follower(path, box.path("state"), seen.append)
    follower.poll()
    box.write("app.log", LINES + "unfinished business\n")
    follower.poll()


def starts_anew_after_truncation_and_damage(box):
    path = box.write("app.log", LINES)
    follower = logtail.Follower(path, box.path("state"), len)
    follower.poll()
    box.write("app.log", "2024-05-03 08:00:00 INFO short\n")
    follower.poll()
    box.write("state", "{")
    follower.run(pause=0, rounds=2)


def waits_for_a_file_that_is_not_there(box):
    logtail.Follower(box.path("none.log"), box.path("state"), len).run(pause=0, rounds=1)


def hands_out_an_owner(box):
    with box.using(logtail.LogCursor(box.write("app.log", LINES))) as cursor:
        cursor.fresh_lines()


def forwards_what_matters(box):
    forwarder = logtail.SyslogForwarder(("127.0.0.1", 9), tag="test")
    forwarder.forward(LINES.splitlines())


def rotates_and_searches(box):
    path = box.write("app.log", LINES)
    rotator = logtail.Rotator(path, keep=3, limit=10)
    if rotator.due():
        rotator.rotate()
    box.write("app.log", LINES)
    rotator.rotate()
    rotator.search("disk")


def shows_the_end_and_a_digest(box):
    path = box.write("app.log", LINES * 300)
    logtail.last_lines(path, 2)
    path = box.write("short.log", LINES)
    logtail.digest(path)
    logtail.main([path, "--digest"])
    logtail.main([path, "-n", "1"])


def refuses_to_follow_without_permission_to_save(box):
    path = box.write("app.log", LINES)
    os.mkdir(box.path("state"))
    follower = logtail.Follower(path, box.path("state"), len)
    with box.raises(OSError):
        follower.poll()


def unpacks_a_generation(box):
    rotator = logtail.Rotator(box.write("app.log", LINES), keep=3)
    rotator.rotate()
    rotator.unpack(1)
    with box.raises(FileNotFoundError):
        rotator.unpack(2)


def looks_for_a_level_and_busy_days(box):
    path, other = box.write("app.log", LINES), box.write("web.log", LINES)
    logtail.first_of_level(path, "ERROR")
    logtail.first_of_level(path, "CRITICAL")
    logtail.busiest_days([path, other])


def lays_logs_side_by_side(box):
    path, other = box.write("app.log", LINES), box.write("web.log", LINES)
    logtail.side_by_side([path, other], box.path("all.log"))
