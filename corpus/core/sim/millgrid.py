"""Simulation of a small power grid: mills feed buses, buses feed consumers, breakers trip, a dispatcher looks on.

Time goes in steps of a minute. The weather is a list of wind speeds; what the grid makes of it is a report.
"""
import logging
import sys
import weakref
from collections import OrderedDict, deque
from functools import cached_property, lru_cache

LOG = logging.getLogger("millgrid")
STEPS_KEPT = 30
TRIPS_KEPT = 12


class GridError(Exception):
    pass


class Overload(GridError):
    def __init__(self, name, load, limit):
        super().__init__(f"{name}: {load} of {limit} kW")
        self.load = load


@lru_cache(maxsize=36)
def power_at(speed, blade):
    """Kilowatts of a mill with blades of so many metres."""
    if speed < 3 or speed > 25:
        return 0
    return round(min(speed, 13) ** 3 * blade * blade / 900)


@lru_cache(maxsize=20)
def parse_weather(text):
    speeds = []
    for word in text.replace(",", " ").split():
        speeds.append(float(word))
    return tuple(speeds)


class Watchers:
    def __init__(self):
        self._watchers = []

    def add_watcher(self, watcher):
        self._watchers.append(watcher)

    def remove_watcher(self, watcher):
        self._watchers.remove(watcher)

    def tell(self, place, value):
        for watcher in self._watchers[:]:
            watcher(place, value)


TRIPS = Watchers()


def trip_to_log(place, value):
    LOG.info("%s tripped at %s kW", place, value)


class Relay:
    """Acts once a value has been too high for some steps."""

    def __init__(self, patience, action):
        self._patience = patience
        self._count = 0
        self._action = action

    def feel(self, too_high):
        self._count = self._count + 1 if too_high else 0
        if self._count < self._patience:
            return False
        self._count = 0
        act = self._action()
        if act is not None:
            act()
        return True


class Doldrums:
    """Notes when nothing was made for some steps."""

    def __init__(self, patience, grid):
        self._patience = patience
        self._idle = 0
        self._grid = grid

    def step(self, made):
        self._idle = 0 if made else self._idle + 1
        grid = self._grid()
        if grid is not None and self._idle == self._patience:
            grid.note("grid", "no wind")


class Gauge:
    def __init__(self, device, size):
        self._device = device
        self._readings = deque(maxlen=size)

    def read(self):
        self._readings.append(self._device.load)
        return self._readings[-1]

    def mean(self):
        return sum(self._readings) / len(self._readings)


class Breaker:
    def __init__(self, line, limit):
        self._line = weakref.ref(line)
        self.limit = limit
        self.closed = True

    def check(self, load):
        line = self._line()
        if line is not None and load > self.limit:
            raise Overload(line.name, load, self.limit)


class Consumer:
    def __init__(self, bus, name, load):
        self._bus = weakref.proxy(bus)
        self.name = name
        self.load = load
        self._gauge = Gauge(weakref.proxy(self), 8)

    def share(self):
        return self.load / max(1, self._bus.demand())

    def step(self):
        return self._gauge.read()


class Bus:
    """A bus bar with its consumers behind one breaker."""

    def __init__(self, grid, name, limit):
        self.name = name
        self._owner = weakref.ref(grid)
        self._consumers = []
        self._breaker = Breaker(self, limit)
        self._relay = Relay(2, weakref.WeakMethod(self._shed))
        self._fault = None

    @cached_property
    def tag(self):
        return self.name.upper().replace(" ", "-")

    def consumer(self, name, load):
        taken = Consumer(self, name, load)
        self._consumers.append(taken)
        return taken

    def demand(self):
        return sum(consumer.load for consumer in self._consumers)

    def _shed(self):
        greatest = max(self._consumers, key=lambda consumer: consumer.load)
        greatest.load = greatest.load * 3 // 4
        grid = self._owner()
        if grid is not None:
            grid.note(self.tag, "shed")

    def step(self):
        load = sum(consumer.step() for consumer in self._consumers)
        try:
            self._breaker.check(load)
        except Overload as trip:
            self._fault = str(trip)
            TRIPS.tell(self.name, trip.load)
            return 0
        self._relay.feel(load * 10 > self._breaker.limit * 9)
        return load

    def fault(self):
        return "" if self._fault is None else f"{self.name}: {self._fault}"


class Grid:
    def __init__(self, blades):
        self._blades = blades
        self._buses = {}
        self._made = deque(maxlen=STEPS_KEPT)
        self._notes = []
        self._forecasts = OrderedDict()
        self._calm = Doldrums(3, weakref.ref(self))
        self._misread = None

    @cached_property
    def best(self):
        return power_at(13.0, self._blades)

    def bus(self, name, limit):
        self._buses[name] = Bus(self, name, limit)
        return self._buses[name]

    def note(self, place, text):
        self._notes.append((place, text))
        if len(self._notes) >= TRIPS_KEPT:
            del self._notes[0]

    def step(self, speed):
        made = power_at(speed, self._blades)
        used = sum(bus.step() for bus in self._buses.values())
        self._made.append(made - used)
        self._calm.step(made)
        return made - used

    def forecast(self, speeds):
        """What a stretch of weather would give; asked for again and again while the dispatcher plans."""
        if speeds in self._forecasts:
            self._forecasts.move_to_end(speeds)
        else:
            self._forecasts[speeds] = sum(power_at(speed, self._blades) for speed in speeds)
            while len(self._forecasts) > 10:
                self._forecasts.popitem(last=False)
        return self._forecasts[speeds]

    def run(self, weather, out):
        rows = []
        for minute, speed in enumerate(parse_weather(weather)):
            rows.append(f"{minute:>4} {speed:>5.1f} {self.step(speed):>6}")
        out.write("\n".join(rows) + "\n")

    def try_run(self, weather, out):
        try:
            self.run(weather, out)
        except ValueError as error:
            self._misread = str(error)
            return False
        return True

    def misread(self):
        return "" if self._misread is None else self._misread

    def report(self):
        lines = []
        for place, text in self._notes:
            lines.append(f"{place}: {text}")
        for bus in self._buses.values():
            if bus.fault():
                lines.append(bus.fault())
        return "; ".join(lines)


class Dispatcher:
    """Hears of trips while on duty."""

    def __init__(self, name):
        self.name = name
        self._heard = {}
        self._on_duty = False

    def start(self):
        TRIPS.add_watcher(self._hear)
        self._on_duty = True

    def _hear(self, place, value):
        self._heard[place] = value

    def worst(self):
        ranked = []
        for place, value in self._heard.items():
            ranked.append((value, place))
        best = 0
        for value, place in sorted(ranked, reverse=True):
            best = max(best, value)
            break
        return best

    def stop(self):
        if self._on_duty:
            TRIPS.remove_watcher(self._hear)
            self._on_duty = False


def aloud(grid, weather, stream=sys.stderr):
    """Runs the grid with everything that is logged going to a stream."""
    handler = logging.StreamHandler(stream)
    LOG.addHandler(handler)
    try:
        for speed in parse_weather(weather):
            grid.step(speed)
    finally:
        LOG.removeHandler(handler)
        handler.flush()


TRIPS.add_watcher(trip_to_log)
LOG.addHandler(logging.NullHandler())
