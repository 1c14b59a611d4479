"""Calls into home/thermolog.py."""

import time
from contextlib import suppress

from home import thermolog


def _log(box):
    path = box.path("log")
    with box.using(thermolog.ThermoLog(path)) as log:
        log.add(thermolog.Reading(1, 20.5, 1.0))
        log.add(thermolog.Reading(2, 70.5, 2.0))
        log.add(thermolog.Reading(1, 21.0, 3.0))
    return path


def logs(box):
    _log(box)


def replays(box):
    path = _log(box)
    with box.using(thermolog.Replay(path)) as replay:
        list(replay)


def asks(box):
    path = _log(box)
    thermolog.ask(path, ["last", "hottest"])


def inspects_by_hand(box):
    path = box.write("empty", b"")
    with box.using(thermolog.Inspector(path)) as inspector:
        inspector.answer("last")
        inspector.answer("hottest")


def notes_nothing(box):
    with box.using(thermolog.AlarmLink(box.path("notes"), ("127.0.0.1", 9))) as link:
        link.check(thermolog.Reading(1, 20.5))


def raises_the_alarm(box):
    def handle(connection):
        connection.recv(64)

    with box.serve(handle) as address:
        with box.using(thermolog.AlarmLink(box.path("notes"), address)) as link:
            link.check(thermolog.Reading(1, 70.5))
            link.check(thermolog.Reading(1, 80.5))


def counts(box):
    thermolog.count("readings")
    thermolog.count("alarms", 2)


def samples(box):
    with box.using(thermolog.Sampler(lambda: 20.5, 0.001)):
        time.sleep(0.003)


def has_means(box):
    with box.using(thermolog.HourlyMeans(box.path("means"))) as means:
        means.add(8, [1.0, 2.0])


def has_frost(box):
    with box.using(thermolog.HourlyMeans(box.path("means"))) as means:
        means.add(4, [-1.0, 2.0])
        means.add(5, [-2.0])


def exports(box):
    with box.using(thermolog.Export(box.path("raw"))) as export:
        export.add([20.5, 21.0])
        export.round_to(box.path("rounded"))
        export.round_to(box.path("rounded"))
        export.add([20.5])


def exports_to_a_full_disk(box):
    with suppress(OSError):
        with box.using(thermolog.Export(box.path("raw"))) as export:
            export.round_to("/dev/full")
            export.add([20.5])


def calibrates(box):
    thermolog.calibrate(box.write("values", "20.5\n\n21\n"), box.path("right"), -0.5)
