"""What there is around a run: folders, descriptors, threads, children, the environment; and what the run has left of it."""

import gc
import os
import re
import shutil
import sys
import tempfile
import threading
import warnings

import exits
import stuck
from probe import descriptor_of, descriptors


class Surroundings:
    """What there was before the run, to tell what it has left."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="leakbench-", dir=_TOP)
        self.work = os.path.join(self.base, "work")
        self.temp = os.path.join(self.base, "temp")
        os.mkdir(self.work)
        os.mkdir(self.temp)
        self.descriptors = descriptors()
        self.threads = set(threading.enumerate())
        self.children = children()
        self.home = os.getcwd()
        self.path = list(sys.path)
        os.environ.pop("TMPDIR", None)
        self.environment = dict(os.environ._data)  # encoded: it is copied for each run
        self.warned = []

    def enter(self):
        self.filters = warnings.filters[:]
        self.shown = warnings._showwarnmsg_impl
        warnings.simplefilter("always", ResourceWarning)
        warnings._showwarnmsg_impl = self._warn
        os.chdir(self.work)
        tempfile.tempdir = self.temp
        os.environ["TMPDIR"] = self.temp

    def fresh(self):
        """Another empty folder, for the next round; the one before goes."""
        os.chdir(self.base)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work = tempfile.mkdtemp(prefix="work-", dir=self.base)
        os.chdir(self.work)
        return self.work

    def _warn(self, message):
        if issubclass(message.category, ResourceWarning):
            self.warned.append((id(message.source), _ADDRESS.sub("", str(message.message))))

    def leave(self):
        exits.registered.clear()
        warnings.filters[:] = self.filters
        getattr(warnings, "_filters_mutated", lambda: None)()
        warnings._showwarnmsg_impl = self.shown
        os.chdir(self.home)
        tempfile.tempdir = None
        os.environ.pop("TMPDIR", None)
        if os.environ._data != self.environment:
            os.environ.clear()
            for name, value in self.environment.items():
                os.environb[name] = value
        sys.path[:] = self.path

    def left(self, run, opened):
        """What is there now, was not there before, and belongs to no known acquisition."""
        known = {id(held.value) for held, _ in opened}
        for thread in set(threading.enumerate()) - self.threads:
            if id(thread) not in run.registry.by_id and id(thread) not in run.registry.drivers:
                stuck.join(thread, 0.3)
                if thread.is_alive() and id(thread) not in known:
                    yield "thread", thread.name
        processes = {getattr(held.value, "pid", None) for held in run.registry.held}
        processes |= {getattr(each, "pid", None) for each in run.registry.drivers.values()}
        for child in children() - self.children - processes:
            yield "child", f"process {child}"
        for name in sorted(os.listdir(self.temp)):
            path = os.path.join(self.temp, name)
            if not any(path in (held.path, getattr(held.value, "name", None)) for held, _ in opened):
                yield "temp-file", name
        hidden = any(held.number is None and held.path is None and descriptor_of(held.value) is None for held, _ in opened)
        if not hidden:  # else the descriptor is most likely that of what is known to be open
            yield from self._descriptors(run)

    def _descriptors(self, run):
        run.registry.forget_pools()
        explained = run.registry.explained()
        more = descriptors() - self.descriptors - explained
        if more:
            gc.collect()
        for number in sorted(more & descriptors()):
            yield "descriptor", re.sub(r"\[\d+\]", "", _target(number))

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


def what_is_there():
    """What no run may change for the next one."""
    return descriptors(), children(), set(threading.enumerate()), os.getcwd()


_TOP = None
_ADDRESS = re.compile(r"\b(fd|raddr|laddr|0x)\S*")  # what differs from run to run


def set_top(folder):
    global _TOP
    _TOP = folder


def _target(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return "?"


def children():
    found = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children") as source:
                found.update(map(int, source.read().split()))
    except OSError:
        pass
    return found
