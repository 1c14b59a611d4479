"""Runs jobs in a forked process that may hang, die or fill the screen without any harm."""

import fcntl
import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

import runtime
import stuck
import surroundings

ENDED = "the driver or the module ended the interpreter"
TIMEOUT = "timeout"
_LARGEST_ANSWER = 8 << 20
_LOOK_SECONDS = 0.05


def in_child(make, broken, patience, beat=lambda: None):
    """What `make()` gives, through a process of its own; `broken(reason)` if it gives nothing. Calls `beat` while it waits."""
    child = Child(lambda _: make(), broken)
    try:
        return child.ask(None, patience, beat)
    finally:
        child.end()


class Child:
    """A forked process that answers with `make(job)`, one job after the other. It is of no more use once it was `broken`."""

    def __init__(self, make, broken):
        self.broken = broken
        self.answers, answers = os.pipe()
        jobs, self.jobs = os.pipe()
        self.top = tempfile.mkdtemp(prefix="leakbench-witness-", dir=_fast_folder())
        self.process = os.fork()
        if self.process == 0:
            os.close(self.jobs)
            os.close(self.answers)
            os.setpgid(0, 0)
            _run(jobs, answers, self.top, make, broken)
        os.close(jobs)
        os.close(answers)

    def ask(self, job, patience, beat=lambda: None):
        until = time.monotonic() + patience
        try:
            with open(self.jobs, "wb", closefd=False) as jobs:
                jobs.write(json.dumps(job).encode() + b"\n")
        except BrokenPipeError:
            return self.broken(ENDED)
        text, reason = _read(self.answers, self.process, until, beat)
        return json.loads(text) if text else self.broken(reason)

    def end(self):
        os.close(self.jobs)
        os.close(self.answers)
        try:
            os.killpg(self.process, signal.SIGKILL)
        except OSError:
            pass
        os.waitpid(self.process, 0)
        shutil.rmtree(self.top, ignore_errors=True)


def _fast_folder():
    """Thousands of folders are made and removed: memory is the place for them."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


def _run(jobs, answers, top, make, broken):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # what was there before is not looked at again
    _silence()
    surroundings.set_top(top)
    jobs = _out_of_the_way(jobs)
    runtime.install()
    with open(jobs, encoding="utf-8") as lines:
        for line in lines:
            try:
                answer = make(json.loads(line))
            except BaseException as error:
                trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                answer = broken("the harness failed: " + trace)
            with open(answers, "w", encoding="utf-8", closefd=False) as out:
                out.write(json.dumps(answer) + "\n")
    os._exit(0)


def _out_of_the_way(number):
    """Low numbers are for the module."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(number)
    return moved


def _silence():
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["leakbench"]


def _read(answers, process, until, beat):
    """A line, or nothing and why."""
    text = b""
    waiting = None
    while True:
        ready, _, _ = select.select([answers], [], [], _LOOK_SECONDS)
        if time.monotonic() > until:
            return "", TIMEOUT
        if not ready:
            beat()
            before, waiting = waiting, stuck.waiting(process)
            if waiting is not None and waiting == before:
                os.kill(process, runtime.STUCK)
                waiting = None
            continue
        part = os.read(answers, 1 << 16)
        if not part:
            return "", ENDED
        text += part
        if len(text) > _LARGEST_ANSWER:
            return "", "the answer is too long"
        if text.endswith(b"\n"):
            return text.decode("utf-8"), ""
