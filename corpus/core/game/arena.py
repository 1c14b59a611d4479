"""A turn-based skirmish on a grid: units, orders from a script, a feed of events and a heads-up display.

The arena owns its units; a unit knows the arena it stands in, but does not keep it. Displays and recorders
listen to the feed for as long as they are shown. Nothing here draws: ``Hud.lines`` gives text.
"""

from __future__ import annotations

import logging
import re
import weakref
from collections import OrderedDict, deque
from functools import cached_property, lru_cache
from typing import Callable, Iterator, NamedTuple

log = logging.getLogger(__name__)

FEED_LENGTH = 24
TERRAIN_CACHE = 16


class OrderError(ValueError):
    """A line of a script that is no order, or cannot be carried out."""


class Place(NamedTuple):
    column: int
    row: int

    def steps_to(self, other: "Place") -> int:
        return abs(self.column - other.column) + abs(self.row - other.row)


class Happening(NamedTuple):
    turn: int
    kind: str
    text: str


@lru_cache(maxsize=32)
def order_pattern(verb: str) -> re.Pattern[str]:
    """The form of an order: ``march scout 3,4``."""
    return re.compile(rf"{re.escape(verb)}\s+(\w+)(?:\s+(\d+),(\d+))?$")


@lru_cache(maxsize=48)
def damage(power: int, armour: int) -> int:
    """What gets through the armour; at least a scratch."""
    return max(1, power - armour * 2 // 3)


class Feed:
    """Everything that happens, for whoever listens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Happening], None]] = []
        self._latest: deque[Happening] = deque(maxlen=FEED_LENGTH)

    def subscribe(self, listener: Callable[[Happening], None]) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[Happening], None]) -> None:
        self._listeners.remove(listener)

    def publish(self, happening: Happening) -> None:
        self._latest.append(happening)
        for listener in tuple(self._listeners):
            listener(happening)

    def latest(self, kind: str) -> list[str]:
        return [happening.text for happening in self._latest if happening.kind == kind]


class Fuse:
    """Goes off after some turns, if what it belongs to is still there."""

    def __init__(self, turns: int, on_end: Callable[[], Callable[[], None] | None]) -> None:
        self.turns = turns
        self._on_end = on_end

    def tick(self) -> bool:
        self.turns -= 1
        if self.turns > 0:
            return False
        action = self._on_end()
        if action is not None:
            action()
        return True


class Daybreak:
    """Does everybody some good, every few turns."""

    def __init__(self, field: "Arena", every: int) -> None:
        self._field = field
        self._every = every
        self._turns = 0

    def turn_passed(self) -> None:
        self._turns += 1
        if self._turns % self._every == 0:
            for unit in self._field.standing():
                unit.health = min(20, unit.health + 1)


class Scout:
    """Looks round for a unit."""

    def __init__(self, unit: "Unit", sight: int) -> None:
        self._unit = unit
        self._sight = sight

    def sees(self, other: "Unit") -> bool:
        return self._unit.place.steps_to(other.place) <= self._sight


class Unit:
    def __init__(self, name: str, place: Place, arena: "Arena", power: int = 6, armour: int = 3) -> None:
        self.name = name
        self.place = place
        self.health = 20
        self.power = power
        self.armour = armour
        self._arena = weakref.ref(arena)
        self._scout = Scout(weakref.proxy(self), sight=4)
        self._fuse = Fuse(3, weakref.WeakMethod(self._rest))

    @cached_property
    def badge(self) -> str:
        return self.name[:3].upper() + "*" * (self.power // 3)

    @cached_property
    def reach(self) -> frozenset[Place]:
        near = []
        for column in range(-2, 3):
            for row in range(-2, 3):
                if abs(column) + abs(row) <= 2:
                    near.append(Place(column, row))
        return frozenset(near)

    def _rest(self) -> None:
        self.health = min(20, self.health + 2)

    def end_turn(self) -> None:
        if self._fuse.tick():
            self._fuse.turns = 3

    def march(self, place: Place) -> None:
        arena = self._arena()
        if arena is None:
            raise OrderError(f"{self.name} stands nowhere")
        if Place(place.column - self.place.column, place.row - self.place.row) not in self.reach:
            raise OrderError(f"{self.name} cannot march so far")
        self.place = place
        arena.tell("march", f"{self.badge} to {place.column},{place.row}")

    def strike(self, other: "Unit") -> int:
        if not self._scout.sees(other):
            raise OrderError(f"{self.name} does not see {other.name}")
        lost = damage(self.power, other.armour)
        other.health -= lost
        return lost


class Arena:
    def __init__(self, size: int, feed: Feed) -> None:
        self.size = size
        self.turn = 1
        self._feed = feed
        self._units: dict[str, Unit] = {}
        self._terrain: OrderedDict[Place, str] = OrderedDict()
        self._dawn = Daybreak(weakref.proxy(self), every=6)
        self._muster_fault: str | None = None

    def muster(self, name: str, column: int, row: int, power: int = 6) -> Unit:
        unit = Unit(name, Place(column, row), self, power=power)
        self._units[name] = unit
        return unit

    def unit(self, name: str) -> Unit:
        try:
            return self._units[name]
        except KeyError:
            raise OrderError(f"nobody is called {name}") from None

    def standing(self) -> Iterator[Unit]:
        return (unit for unit in self._units.values() if unit.health > 0)

    def ground(self, place: Place) -> str:
        """What a place looks like; worked out from its numbers, and remembered for a while."""
        if place not in self._terrain:
            seed = (place.column * 31 + place.row * 17) % 7
            self._terrain[place] = "forest" if seed == 0 else "hill" if seed == 3 else "grass"
            if len(self._terrain) > TERRAIN_CACHE:
                self._terrain.popitem(last=False)
        return self._terrain[place]

    def tell(self, kind: str, text: str) -> None:
        self._feed.publish(Happening(self.turn, kind, text))

    def muster_all(self, text: str) -> int:
        """Units from lines like ``scout 1,2``; stops at the first that is none."""
        count = 0
        try:
            for line in text.splitlines():
                name, numbers = line.split()
                column, row = numbers.split(",")
                self.muster(name, int(column), int(row))
                count += 1
        except ValueError as error:
            self._muster_fault = repr(error)
        return count

    def muster_fault(self) -> str:
        return "none" if self._muster_fault is None else self._muster_fault

    def end_turn(self) -> None:
        for unit in self.standing():
            unit.end_turn()
        self._dawn.turn_passed()
        self.turn += 1
        log.debug("turn %d", self.turn)


class Script:
    """Orders, one a line; stops at the first that cannot be carried out."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._fault: str | None = None
        self._done = 0

    def run(self, text: str) -> bool:
        self._fault = None
        try:
            for line in text.splitlines():
                if line.strip():
                    self.carry_out(line.strip())
                    self._done += 1
        except OrderError as error:
            self._fault = str(error)
            return False
        return True

    def state(self) -> str:
        return f"{self._done} done" + (f", then: {self._fault}" if self._fault is not None else "")

    def carry_out(self, line: str) -> None:
        verb = line.split()[0]
        found = order_pattern(verb).match(line)
        if found is None:
            raise OrderError(f"cannot read {line!r}")
        unit = self._arena.unit(found[1])
        if verb == "march" and found[2]:
            unit.march(Place(int(found[2]), int(found[3])))
        elif verb == "strike":
            for other in self._arena.standing():
                if other is not unit:
                    self._arena.tell("strike", f"{unit.badge} takes {unit.strike(other)}")
        else:
            raise OrderError(f"no order is called {verb}")


class Hud:
    """The last lines of the feed, and how the units are."""

    def __init__(self, feed: Feed, height: int = 5) -> None:
        self._height = height
        self._shown: list[str] = []
        self._feed = feed
        self._feed.subscribe(self._note)
        self.visible = True

    def _note(self, happening: Happening) -> None:
        self._shown.append(f"{happening.turn:>3} {happening.text}")
        while len(self._shown) > self._height:
            del self._shown[0]

    def lines(self, arena: Arena) -> str:
        rows = []
        for unit in arena.standing():
            rows.append(f"{unit.badge:<6}{unit.health:>3} {arena.ground(unit.place)}")
        return "\n".join([*rows, *self._shown])

    def close(self) -> None:
        if self.visible:
            self._feed.unsubscribe(self._note)
            self.visible = False


def print_field(arena: Arena, out) -> None:
    """The ground with the units on it, a row a line."""
    rows = []
    taken = {unit.place: unit.badge[0] for unit in arena.standing()}
    for row in range(min(arena.size, 8)):
        places = [Place(column, row) for column in range(min(arena.size, 8))]
        rows.append("".join(taken.get(place, arena.ground(place)[0]) for place in places))
    out.write("\n".join(rows))


def replay(script: str, size: int = 12) -> str:
    """Plays a script in an arena of its own, and gives the report."""
    feed = Feed()
    report = []

    def listen(happening: Happening) -> None:
        report.append(happening.text)

    feed.subscribe(listen)
    try:
        arena = Arena(size, feed)
        arena.muster("scout", 1, 1)
        arena.muster("guard", 2, 2, power=9)
        Script(arena).run(script)
    finally:
        feed.unsubscribe(listen)
    return "; ".join(report)


log.addHandler(logging.NullHandler())
