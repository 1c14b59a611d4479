"""Calls into sim/millgrid.py."""

import io

from sim import millgrid


def _village():
    grid = millgrid.Grid(12)
    bus = grid.bus("north end", 100)
    bus.consumer("saw", 30).share()
    bus.consumer("school", 64)
    return grid, bus


def runs_a_day(box):
    grid, bus = _village()
    out = io.StringIO()
    grid.run("4.5, 9, 13 2 28", out)
    grid.best
    grid.try_run("1 1 1", out)
    grid.try_run("1 gale", out)
    grid.misread()
    bus.fault()
    grid.report()


def trips(box):
    grid, bus = _village()
    dispatcher = millgrid.Dispatcher("third")
    dispatcher.start()
    dispatcher.worst()
    bus.consumer("mill", 40)
    grid.step(9.0)
    grid.report()
    dispatcher.worst()
    dispatcher.stop()
    dispatcher.stop()


def runs_for_long(box):
    grid, bus = _village()
    for number in box.rounds(34):
        grid.step(float(number))
        grid.note("far", "note %d" % number)
        grid.forecast((float(number), 5.0))
        grid.forecast((float(number), 5.0))


def is_watched(box):
    for _ in box.rounds(3):
        with box.using(millgrid.Dispatcher("third")) as dispatcher:
            dispatcher.start()


def parses(box):
    for number in box.rounds(40):
        millgrid.parse_weather("1 2 %d" % number)
        millgrid.power_at(number + 0.5, 10)


def runs_aloud(box):
    grid, bus = _village()
    bus.consumer("mill", 400)
    millgrid.aloud(grid, "4 5", io.StringIO())
