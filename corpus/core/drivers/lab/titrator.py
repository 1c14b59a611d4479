"""Calls into lab/titrator.py."""

import os
from contextlib import suppress

from lab import titrator

VALUES = [1.0, 1.1, 3.0, 3.1]


def titrates(box):
    titrator.titrate(box.path("a"), VALUES)
    titrator.keep_raw(box.path("kept"), box.path("a"))


def finds_no_end_point(box):
    with box.raises(titrator.TitrationError):
        titrator.titrate(box.path("b"), [1.0, 1.0])


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("a.curve"))
    with suppress(OSError):
        titrator.titrate(box.path("a"), VALUES)


def closes_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("a.curve"))
    with suppress(OSError):
        with box.using(titrator.CurveFile(box.path("a"))) as curve:
            curve.point(0, 1)
            curve.remark("x")


def uses_the_burette(box):
    titrator.use(box.path(), [0.5, 1.0])


def takes(box):
    with box.using(titrator.Burette(box.path())) as burette:
        burette.take(1.0)


def calibrates(box):
    box.write("calibration", "1.02\n")
    with box.using(titrator.Burette(box.path())) as burette:
        burette.take(0.5)
        burette.factor()
        burette.factor()


def traces(box):
    for _ in box.rounds(2):
        with box.using(titrator.Tracer(box.path("trace"))) as tracer:
            tracer.sent("DOSE 1")


def warms_up(box):
    titrator.warm_up(box.path("panel"), 2)


def stirs(box):
    with box.using(titrator.Stirrer()) as stirrer:
        stirrer.turns


def keeps_samples(box):
    samples = titrator.Samples()
    samples.begin("a")
    samples.note(box.path("names"), "a")
    samples.latest(box.path("names"))
    samples.done("a", 1.0)
    samples.all_done(0.01)


def evaluates(box):
    titrator.evaluate([[(0.0, 1.0), (1.0, 2.0)]])


def asks_programs(box):
    titrator.print_curve(["/bin/true"], box.path("a"))
    titrator.smooth(["/bin/cat"], VALUES)


def looks_up(box):
    for _ in box.rounds(2):
        titrator.solubility("salt")
