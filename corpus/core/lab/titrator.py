"""Drives a titrator over its text interface, and writes the curve, the protocol and the balance of what was used.

The instrument is a device file: commands are lines, answers are lines. Without an instrument, ``Dry`` plays one.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

STEP = 0.05


class TitrationError(Exception):
    """The curve can't be used."""


class CurveFile:
    """Points in one file, remarks in another."""

    def __init__(self, base):
        self.points = 0
        self._curve = open(base + ".curve", "w", encoding="ascii")
        try:
            self._remarks = open(base + ".remarks", "w", encoding="utf-8")
        except BaseException:
            self._curve.close()
            raise

    def point(self, volume, value):
        self._curve.write("%.3f %.4f\n" % (volume, value))
        self.points += 1

    def remark(self, text):
        self._remarks.write("%d: %s\n" % (self.points, text))

    def close(self):
        try:
            self._curve.close()
        finally:
            self._remarks.close()


class Burette:
    """How much was used; the calibration is read when somebody asks for exact figures."""

    def __init__(self, folder):
        self.used = 0.0
        self._folder = folder
        self._calibration = None
        self._book = open(os.path.join(folder, "burette"), "a", encoding="ascii")

    def take(self, volume):
        self.used += volume
        self._book.write("%.3f\n" % volume)

    def factor(self):
        if self._calibration is None:
            self._calibration = open(os.path.join(self._folder, "calibration"), encoding="ascii")
        return float(self._calibration.readline() or 1)

    def close(self):
        if self._calibration is not None:
            with suppress(OSError):
                self._calibration.close()
            self._calibration = None
        self._book.close()


class Tracer:
    """Every command as it was sent."""

    def __init__(self, path):
        self._trace = open(path, "a", encoding="ascii")
        weakref.finalize(self, self._trace.close)

    def sent(self, command):
        self._trace.write(command + "\n")

    def close(self):
        self._trace.close()


class Panel:
    """The keys of the instrument, by name; what is pressed is noted."""

    def __init__(self, path):
        self.pressed = 0
        self._keys = {"dose": self.dose, "rinse": self.rinse}
        self._notes = open(path, "a", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def press(self, key):
        self._keys[key]()

    def dose(self):
        self.pressed += 1
        self._notes.write("dose\n")

    def rinse(self):
        self.pressed += 1
        self._notes.write("rinse\n")

    def close(self):
        self._notes.close()


class Stirrer:
    """Stirs until it is stopped."""

    def __init__(self, pause=0.001):
        self.turns = 0
        self._pause = pause
        self._still = threading.Event()
        self._motor = threading.Thread(target=self._turn)
        self._motor.start()

    def _turn(self):
        while not self._still.wait(self._pause):
            self.turns += 1

    def close(self):
        self._still.set()
        self._motor.join(1)


class Samples:
    """Samples that wait, and what became of those that do not."""

    def __init__(self):
        self._guard = threading.Lock()
        self._free = threading.Condition()
        self._results = {}
        self._open = 0

    def begin(self, name):
        with self._free:
            self._open += 1
            self._results[name] = None

    def done(self, name, volume):
        with self._free:
            self._results[name] = volume
            self._open -= 1
            self._free.notify_all()

    def note(self, path, name):
        with self._guard:
            with open(path, "a", encoding="utf-8") as out:
                out.write(name + "\n")

    def latest(self, path):
        with self._guard:
            return os.path.getmtime(path)

    def all_done(self, patience):
        with self._free:
            return self._free.wait_for(lambda: not self._open, patience)


class Evaluation:
    """Evaluates curves beside everything else."""

    def __init__(self, workers=1):
        self._workers = ThreadPoolExecutor(workers)

    def start(self, curve):
        return self._workers.submit(end_point, curve)

    def close(self):
        self._workers.shutdown()


def end_point(curve):
    """The volume at which the curve is steepest."""
    best, at = 0.0, None
    for (v0, y0), (v1, y1) in zip(curve, curve[1:]):
        slope = abs(y1 - y0) / (v1 - v0)
        if slope > best:
            best, at = slope, (v0 + v1) / 2
    if at is None:
        raise TitrationError("the curve is flat")
    return at


def titrate(base, values):
    """Writes a curve and returns its end point."""
    curve = []
    with closing(CurveFile(base)) as out:
        for number, value in enumerate(values):
            out.point(number * STEP, value)
            curve.append((number * STEP, value))
        out.remark("end")
    return end_point(tuple(curve))


def use(folder, volumes):
    burette = Burette(folder)
    try:
        for volume in volumes:
            burette.take(volume)
        return burette.used
    finally:
        burette.close()


def warm_up(path, rounds):
    with Panel(path) as panel:
        for _ in range(rounds):
            panel.press("rinse")
        panel.press("dose")


def evaluate(curves):
    evaluation = Evaluation()
    try:
        waiting = [evaluation.start(curve) for curve in curves]
        return sum(each.result() for each in waiting)
    finally:
        evaluation.close()


def print_curve(program, base):
    """Has a program draw the curve; nobody needs what it says."""
    subprocess.run([*program, base + ".curve"])


def smooth(program, values):
    """Values as a program has smoothed them."""
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "in")
        with open(source, "w", encoding="ascii") as out:
            out.write("\n".join(map(str, values)))
        found = subprocess.check_output([*program, source])
    return [float(line) for line in found.split()]


def keep_raw(folder, base):
    """Moves the files of a curve into a folder, all or none."""
    work = tempfile.mkdtemp(dir=os.path.dirname(folder) or ".")
    try:
        for ending in (".curve", ".remarks"):
            shutil.copy(base + ending, work)
        shutil.copytree(work, folder)
    finally:
        shutil.rmtree(work)


def solubility(name):
    with closing(sqlite3.connect(":memory:")) as table:
        table.execute("CREATE TABLE IF NOT EXISTS salts (name TEXT, grams REAL)")
        row = table.execute("SELECT grams FROM salts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]
