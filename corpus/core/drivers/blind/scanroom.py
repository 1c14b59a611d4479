"""Calls into blind/scanroom.py."""

import json
import os

from blind import scanroom

UPPER = [["/bin/cat"], ["/usr/bin/tr", "a-z", "A-Z"]]


def _room(box, commands=UPPER, **options):
    os.makedirs(box.path("in"), exist_ok=True)
    os.makedirs(box.path("out"), exist_ok=True)
    return scanroom.ScanRoom(box.path("in"), box.path("out"), commands, **options)


def _job(box, name, *pages, listed=None):
    names = []
    for number, content in enumerate(pages):
        names.append("p%d.pnm" % number)
        box.write("in/%s/p%d.pnm" % (name, number), content)
    box.write("in/%s/job.json" % name, json.dumps({"pages": listed or names}))


def works_through_an_inbox(box):
    room = _room(box)
    _job(box, "monday", "one", "one")
    box.write("in/half/p0.pnm", "no job file yet")
    told = []
    with room.listening(lambda job, word: told.append((job, word))):
        room.run_once()


def sets_a_damaged_job_aside(box):
    room = _room(box)
    box.write("in/bad/job.json", "{")
    room.run_once()
    box.write("in/bad/job.json", "{}")
    room.run_once()


def misses_a_page(box):
    room = _room(box)
    _job(box, "short", "one", listed=["p0.pnm", "p7.pnm"])
    room.run_once()


def has_a_tool_that_fails(box):
    room = _room(box, [["/bin/sh", "-c", "echo no ink >&2; exit 3"]])
    _job(box, "dry", "one")
    room.run_once()


def has_a_tool_that_fails_without_a_word(box):
    room = _room(box, [["/bin/false"]])
    _job(box, "dry", "one")
    room.run_once()


def has_a_slow_tool(box):
    room = _room(box, [["/bin/sleep", "5"]], grace=0.01)
    _job(box, "slow", "one")
    room.run_once()


def has_no_tools(box):
    with box.raises(scanroom.ScanError):
        scanroom.ToolChain([], box.write("a", "a"), box.path("b"))


def runs_a_chain(box):
    with box.using(scanroom.ToolChain(UPPER, box.write("a", "a"), box.path("b"))) as chain:
        chain.finish()


def gives_a_chain_up(box):
    with box.using(scanroom.ToolChain([["/bin/sleep", "5"], ["/bin/cat"]], box.write("a", "a"), box.path("b"))):
        pass


def does_not_find_a_tool(box):
    with box.raises(OSError):
        scanroom.ToolChain([["/bin/cat"], ["/nonexistent/ocr"]], box.write("a", "a"), box.path("b"))


def shares_an_inbox(box):
    with scanroom.inbox_lock(box.path()):
        with box.raises(scanroom.Busy):
            with scanroom.inbox_lock(box.path()):
                pass


def keeps_a_few_texts(box):
    room = _room(box, [["/bin/cat"]])
    for number in box.rounds(scanroom.KEPT_TEXTS + 2):
        _job(box, "job%d" % number, "page %d" % number)
        room.run_once()
