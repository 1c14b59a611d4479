"""Calls into sensors/weather.py."""

import time

from sensors import weather


def _sensor(connection):
    line = connection.recv(100).decode("ascii")
    name = line.split()[-1] if line.split() else "x"
    connection.sendall(b"nonsense\n" if name == "odd" else b"%s 20.5\n" % name.encode("ascii"))


def polls(box):
    with box.serve(_sensor) as address:
        for name in ("attic-temp", "odd"):
            with box.using(weather.Poller(address, name, weather.Readings(), 0.001)) as poller:
                poller.start()
                time.sleep(0.006)


def never_polls(box):
    with box.using(weather.Poller(("127.0.0.1", 1), "x", weather.Readings(), 0.001)):
        pass


def watches(box):
    with box.using(weather.Watchdog(weather.Readings(), 0.001)) as dog:
        dog.feed()
        time.sleep(0.006)


def reports(box):
    sent = []
    with box.using(weather.Reporter(sent.append)) as reporter:
        reporter.report("dry")


def reports_in_vain(box):
    def fail(text):
        raise OSError(text)

    with box.using(weather.Reporter(fail)) as reporter:
        reporter.report("dry")


def has_a_small_station(box):
    with box.serve(_sensor) as address, box.using(weather.Station(address, 1)) as station:
        station.read_soon("roof-wind")


def has_a_station(box):
    with box.serve(_sensor) as address, box.using(weather.Station(address)) as station:
        station.read_soon("roof-wind")
        station.read_soon("odd")
        station.wait(2, 1)
        station.read_all(["roof-wind"])
        station.readings.mean("roof-wind")


def keeps_readings(box):
    readings = weather.Readings()
    for number in box.rounds(24):
        readings.add("roof-wind", number)
        readings.alarm("alarm %d" % number)
    readings.mean("roof-wind")
    readings.mean("none")
    readings.alarms()


def knows_units(box):
    for number in box.rounds(40):
        weather.unit_of("%d-temp" % number)


def uses_threads(box):
    with box.serve(_sensor) as address:
        weather.read_with_threads(address, ["a-temp", "odd"])
        weather.read_while(address, "a-temp", lambda: time.sleep(0.004))
    weather.means_of([[1.0, 2.0], []])


def makes_a_day(box):
    values = {"attic-temp": 20.5, "roof-rain": 1.0}
    weather.save_day(box.path(), values)
    weather.day_report(values)
    weather.archive(box.path("days.db"), values)


def calls_out(box):
    for _ in box.rounds(2):
        weather.beacon("storm", ("127.0.0.1", 9))
