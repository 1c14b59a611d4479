"""Runs one job in a forked process that may hang, die or fill the screen without any harm."""

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
    reader, writer = os.pipe()
    top = tempfile.mkdtemp(prefix="leakbench-witness-", dir=_fast_folder())
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setpgid(0, 0)
        _run(writer, top, make, broken)
    os.close(writer)
    try:
        text, reason = _read(reader, child, time.monotonic() + patience, beat)
    finally:
        os.close(reader)
        _end(child)
        shutil.rmtree(top, ignore_errors=True)
    return json.loads(text) if text else broken(reason)


def _fast_folder():
    """Thousands of folders are made and removed: memory is the place for them."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


def _run(writer, top, make, broken):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # what was there before is not looked at again
    _silence()
    surroundings.set_top(top)
    runtime.install()
    try:
        answer = make()
    except BaseException as error:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        answer = broken("the harness failed: " + trace)
    with open(writer, "w", encoding="utf-8") as out:
        json.dump(answer, out)
    os._exit(0)


def _silence():
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["leakbench"]


def _read(reader, child, until, beat):
    parts = []
    waiting = None
    while True:
        ready, _, _ = select.select([reader], [], [], _LOOK_SECONDS)
        if time.monotonic() > until:
            return "", TIMEOUT
        if not ready:
            beat()
            waiting = _woken(child, waiting)
            continue
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts).decode("utf-8"), ENDED
        parts.append(part)
        if sum(map(len, parts)) > _LARGEST_ANSWER:
            return "", "the answer is too long"


def _woken(child, before):
    """Tells a child whose threads have all waited since the last look, and will for ever. What they wait for is the next `before`."""
    now = stuck.waiting(child)
    if now is not None and now == before:
        os.kill(child, runtime.STUCK)
        return None
    return now


def _end(child):
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(child, 0)
