"""Calls into blind/taskhub.py."""

import os
import socket
from pathlib import Path

from blind import taskhub


def _visit(hub, *requests):
    """One peer after the other says what it has to say, and goes."""
    for request in requests:
        with socket.create_connection(hub.address, timeout=2) as sock:
            hub.step(1)
            sock.sendall(request)
            hub.step(1)
        hub.step(0)


def _ident(box, lane):
    return next(name.partition("@")[0] for name in os.listdir(box.path("spool")) if name.endswith("@" + lane))


def hands_a_job_out(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"PUSH wheel 4\nspam", b"PULL wheel\nPULL wheel\n")
        _visit(hub, b"DONE %s\n" % _ident(box, "wheel").encode())


def has_no_such_lane(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"PUSH no/lane 4\nspam")


def takes_a_failed_job_back(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"PUSH wheel 4\nspam", b"PULL wheel\n")
        _visit(hub, b"FAIL %s\n" % _ident(box, "wheel").encode())


def finds_jobs_after_a_restart(box):
    box.write("spool/notes.txt", "left by somebody")
    box.write("spool/abc@wheel", "spam")
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"PULL wheel\n")


def passes_over_a_withdrawn_job(box):
    box.write("spool/abc@wheel", "spam")
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        os.unlink(box.path("spool", "abc@wheel"))
        _visit(hub, b"PULL wheel\n")


def tells_watchers(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        with socket.create_connection(hub.address, timeout=2) as watcher:
            hub.step(1)
            watcher.sendall(b"WATCH\n")
            hub.step(1)
            with socket.create_connection(hub.address, timeout=2) as other:
                hub.step(1)
                other.sendall(b"PUSH wheel 4\nspa")
                hub.step(1)
                other.sendall(b"m")
                hub.step(1)


def rotates_the_history(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")), history_limit=10)) as hub:
        _visit(hub, b"PUSH wheel 1\naPUSH wheel 1\nbPUSH wheel 1\nc")


def drops_a_peer_that_talks_rubbish(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"GET / HTTP/1.1\n")


def drops_a_peer_without_an_end(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        _visit(hub, b"x" * 2000)


def waits_for_nobody(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        hub.step(0)


def starts_on_a_used_port(box):
    with box.using(taskhub.TaskHub(Path(box.path("spool")))) as hub:
        with box.raises(OSError):
            taskhub.TaskHub(Path(box.path("spool")), hub.address[1])
