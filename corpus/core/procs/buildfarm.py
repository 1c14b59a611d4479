"""Runs the steps of a build on this machine: several at a time, with a log for each and a scratch folder for all.

A plan is a list of steps; a step is a name, a command and the names of steps that must be done before it.
"""

import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

log = logging.getLogger("buildfarm")

LATEST = 12


class PlanError(Exception):
    """The plan can't be carried out."""


class StepFailed(Exception):
    def __init__(self, step, code):
        super().__init__(f"{step.name} ended with {code}")
        self.step = step
        self.code = code


class Step:
    def __init__(self, name, command, after=()):
        self.name = name
        self.command = list(command)
        self.after = tuple(after)


class Plan:
    """Steps in an order in which they can run."""

    def __init__(self, steps):
        self.steps = {step.name: step for step in steps}
        for step in steps:
            for name in step.after:
                if name not in self.steps:
                    raise PlanError(f"{step.name} waits for {name}, which is no step")

    def layers(self):
        done, layers = set(), []
        waiting = dict(self.steps)
        while waiting:
            ready = [step for step in waiting.values() if done.issuperset(step.after)]
            if not ready:
                raise PlanError("steps wait for each other: " + ", ".join(sorted(waiting)))
            layers.append(ready)
            for step in ready:
                done.add(step.name)
                del waiting[step.name]
        return layers


class Journal:
    """What happened, in a file and in memory."""

    def __init__(self, path):
        self.latest = deque(maxlen=LATEST)
        self._lock = threading.Lock()
        self._out = open(path, "a", encoding="utf-8")

    def note(self, text):
        with self._lock:
            self.latest.append(text)
            self._out.write(text + "\n")

    def last(self):
        with self._lock:
            return self.latest[-1] if self.latest else None

    def close(self):
        self._out.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()


class Farm:
    """Carries plans out."""

    def __init__(self, journal, workers=2):
        self.journal = journal
        self.failures = []
        self._workers = workers
        self._stopped = threading.Event()
        self._running = {}
        self._guard = threading.Condition()

    def run(self, plan):
        with ThreadPoolExecutor(self._workers) as pool:
            for layer in plan.layers():
                codes = list(pool.map(self._run_step, layer))
                for step, code in zip(layer, codes):
                    if code:
                        self.failures.append(step.name)
                        raise StepFailed(step, code)

    def _run_step(self, step):
        with self._guard:
            self._running[step.name] = time.monotonic()
            self._guard.notify_all()
        try:
            with tempfile.TemporaryDirectory(prefix="step-") as scratch:
                code = subprocess.call(step.command, cwd=scratch, stdin=subprocess.DEVNULL)
        finally:
            with self._guard:
                self._running.pop(step.name, None)
                self._guard.notify_all()
        self.journal.note(f"{step.name}: {code}")
        return code

    def wait_idle(self, patience):
        with self._guard:
            return self._guard.wait_for(lambda: not self._running, patience)

    def running(self):
        with self._guard:
            return sorted(self._running)


class Heartbeat:
    """Touches a file while the build is alive."""

    def __init__(self, path, pause=0.01):
        self.path = path
        self.beats = 0
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self):
        self._thread.start()

    def _beat(self):
        while not self._stop.is_set():
            self.beats += 1
            with suppress(OSError):
                os.utime(self.path)
            self._stop.wait(self._pause)

    def stop(self):
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()


class Notifier:
    """Tells what is put into it to a program, one at a time, from a thread of its own."""

    def __init__(self, program):
        self._problem = None
        self._program = list(program)
        self._texts = queue.Queue()
        self._thread = threading.Thread(target=self._tell)
        self._thread.start()

    def tell(self, text):
        self._texts.put(text)

    def _tell(self):
        while True:
            text = self._texts.get()
            if text is None:
                return
            try:
                subprocess.run([*self._program, text], stdin=subprocess.DEVNULL)
            except OSError as error:
                self._problem = str(error)

    def close(self):
        self._texts.put(None)
        self._thread.join()


def clean(folder):
    """Has the tools remove what they made."""
    subprocess.call([sys.executable, "-S", "-c", "pass"], cwd=folder)
    log.info("cleaned %s", folder)


def sync():
    subprocess.run(["/bin/true"])


def tool_version(command):
    out, path = tempfile.mkstemp(suffix=".txt")
    try:
        with os.fdopen(out, "w+b") as report:
            subprocess.check_call([*command, "--version"], stdout=report)
            report.seek(0)
            return report.readline().strip()
    finally:
        os.unlink(path)


def unpack(archive, target):
    """Unpacks beside the target first, so that the target is whole or not there."""
    scratch = tempfile.mkdtemp(dir=os.path.dirname(target) or ".")
    try:
        shutil.unpack_archive(archive, os.path.join(scratch, "tree"))
        os.replace(os.path.join(scratch, "tree"), target)
    finally:
        shutil.rmtree(scratch)


@contextmanager
def ignoring_hangup():
    """Goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def step_log(path):
    handler = logging.FileHandler(path, encoding="utf-8")
    log.addHandler(handler)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        handler.close()


def summary(journal, names):
    lines = []
    for name in names:
        lines.append(f"{name}\n")
    last = journal.last()
    if last is not None:
        lines.append(last)
    return "".join(lines)


def build(steps, folder, workers=2):
    """Runs the steps; the journal and the heartbeat stand in the folder."""
    beat = os.path.join(folder, "alive")
    with open(beat, "w", encoding="ascii") as mark:
        mark.write(str(os.getpid()))
    with Journal(os.path.join(folder, "journal")) as journal:
        heart = Heartbeat(beat)
        heart.start()
        try:
            Farm(journal, workers).run(Plan(steps))
        finally:
            heart.stop()
        return summary(journal, [step.name for step in steps])
