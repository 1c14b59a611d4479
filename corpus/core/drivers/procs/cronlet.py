"""Calls into procs/cronlet.py."""

import contextlib
import json
import os
import socket
import threading

from procs import cronlet


def _cronlet(box, **jobs):
    for name, description in jobs.items():
        box.write(f"jobs/{name}.json", json.dumps(description))
    return cronlet.Cronlet(box.path())


def runs_jobs(box):
    cron = _cronlet(box, greet={"command": ["/bin/cat"], "every": 0, "input": "hello"}, fail={"command": ["/bin/false"]})
    cron.run(1)
    cron.failing()
    cron.sizes()
    cronlet.output_of(box.path(), "greet")
    cron.first_complaint("hello")
    cron.first_complaint("nothing")
    for word in ("hello", "nothing"):
        list(cronlet.log_lines(box.path("out", "greet.log.gz"), word))


def job_is_killed(box):
    cron = _cronlet(box, dies={"command": ["/bin/sh", "-c", "echo dying >&2; kill -9 $$"]})
    cron.keep_state("dies", b"42")
    cron.run_job(cron.jobs()[0])


def job_has_no_command(box):
    with box.raises(cronlet.JobBroken):
        _cronlet(box, bad={}).run(1)


def folder_is_taken(box):
    cron = _cronlet(box)
    fd = cronlet.take_folder(box.path("lock"))
    try:
        with box.raises(cronlet.FolderTaken):
            cron.run(1)
    finally:
        os.close(fd)
    cron.run(0)


def archives(box):
    cron = _cronlet(box)
    box.write("out/a.log", "text")
    cron.sizes()
    cron.archive(box.path("logs.tar"))


def has_lost_its_logs(box):
    cron = _cronlet(box)
    os.rmdir(box.path("out"))
    with box.raises(FileNotFoundError):
        cron.archive(box.path("logs.tar"))


def rotates_events(box):
    with box.using(cronlet.EventLog(box.path("events"), 40)) as events:
        events.open()
        events.say("something happened, something that is long")
        events.say("more")


def answers_questions(box):
    cron = _cronlet(box)
    cron.note("one", 1)
    over = threading.Event()
    thread = threading.Thread(target=_asks, args=(box.path("control"), over), daemon=True)
    thread.start()
    try:
        cron.serve_control("control", 2)
    finally:
        over.set()
        thread.join()


def _asks(path, over):
    for question in (b"failing\n", b"weather\n"):
        while not over.is_set():
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.connect(path)
                sock.sendall(question)
                sock.recv(64)
                break
            over.wait(0.001)


def asks(box):
    cron = _cronlet(box)
    cron.note("one", 1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("control")
        listener.listen()

        def answer():
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                peer.recv(64)
                peer.sendall(b"0\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            cronlet.ask("control", "failing")
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect("control")
            thread.join()


def socket_is_there(box):
    box.write("control", "")
    cronlet.control_socket("control").close()
    os.makedirs(box.path("folder"))
    with box.raises(OSError):
        cronlet.control_socket("folder")


def stops_reading(box):
    cron = _cronlet(box, greet={"command": ["/bin/echo", "hello\nhello"]})
    cron.run(1)
    box.take(cronlet.log_lines(box.path("out", "greet.log.gz"), "hello"))


def copies_jobs(box):
    _cronlet(box, one={"command": ["/bin/true"]})
    os.makedirs(box.path("other", "jobs"))
    for _ in range(2):
        cronlet.copy_jobs(["one.json"], box.path(), box.path("other"))


def blocks_fail(box):
    with box.raises(RuntimeError), cronlet.borrowed_stdin("text"):
        box.fail()
    with box.raises(RuntimeError), cronlet.results_of(box.path()):
        box.fail()


def state_cannot_be_kept(box):
    with box.raises(TypeError):
        _cronlet(box).keep_state("one", "text")
