"""Rumours between nodes that know a few neighbours each: a simulation of a gossip protocol.

A mesh makes its nodes, and moves envelopes between them in rounds. A node forgets what it has heard long ago, so
that an old rumour can come round once more; that is what the real thing does as well.
"""

from __future__ import annotations

import hashlib
import logging
import random
import weakref
from collections import deque
from functools import cached_property, lru_cache
from typing import NamedTuple

log = logging.getLogger(__name__)

HEARD = 32
DEAD_LETTERS = 10


class MeshError(Exception):
    pass


class TooFar(MeshError):
    """An envelope has made too many hops."""


class Envelope(NamedTuple):
    sender: str
    rumour: str
    hops: int


@lru_cache(maxsize=40)
def fingerprint(rumour: str) -> str:
    return hashlib.sha256(rumour.encode()).hexdigest()[:12]


@lru_cache(maxsize=20)
def parse_address(text):
    """``name@ring:7`` -> ("name", "ring", 7)"""
    name, _, rest = text.partition("@")
    ring, _, slot = rest.partition(":")
    if not name or not slot.isdigit():
        raise MeshError(f"no address: {text!r}")
    return name, ring, int(slot)


class Observatory:
    """Those who follow what is delivered anywhere."""

    def __init__(self):
        self._listeners = []

    def add_listener(self, listener):
        self._listeners.append(listener)

    def remove_listener(self, listener):
        self._listeners.remove(listener)

    def delivered(self, node, envelope):
        for listener in [*self._listeners]:
            listener(node, envelope)


SKY = Observatory()


def trace(node, envelope):
    log.debug("%s <- %s (%d hops)", node, fingerprint(envelope.rumour), envelope.hops)


class Heartbeat:
    def __init__(self, every, beat):
        self._every = every
        self._since = 0
        self._beat = beat

    def round_passed(self):
        self._since += 1
        if self._since < self._every:
            return
        self._since = 0
        beat = self._beat()
        if beat is not None:
            beat()


class Broom:
    """Says every few rounds how much could not be delivered."""

    def __init__(self, every, swept):
        self._every = every
        self._passed = 0
        self._swept = swept

    def round_passed(self):
        self._passed += 1
        if self._passed % self._every == 0:
            log.debug("%d dead letters", self._swept.undelivered())


class Inbox:
    """What waits for a node; complains to it by name."""

    def __init__(self, node, room):
        self._node = node
        self._room = room
        self._waiting = []

    def put(self, envelope):
        node = self._node()
        if node is not None and len(self._waiting) >= self._room:
            node.drop(envelope)
            return
        self._waiting.append(envelope)

    def take_all(self):
        taken, self._waiting = self._waiting, []
        return taken


class Ledger:
    def __init__(self, owner):
        self._owner = owner
        self._lines = 0

    def enter(self, what):
        self._lines += 1
        return f"{self._owner.address} {self._lines}: {what}"


class Node:
    def __init__(self, mesh, address):
        self.address = address
        self._mesh = weakref.ref(mesh)
        self._heard = []
        self._dropped = deque(maxlen=8)
        self._inbox = Inbox(weakref.ref(self), 16)
        self._ledger = Ledger(weakref.proxy(self))
        self._pulse = Heartbeat(4, weakref.WeakMethod(self._ping))
        self._last_fault = None

    @cached_property
    def ring(self):
        return parse_address(self.address)[1]

    @cached_property
    def slot(self):
        return parse_address(self.address)[2]

    def _ping(self):
        self.spread(Envelope(self.address, "alive", 0))

    def drop(self, envelope):
        self._dropped.append(fingerprint(envelope.rumour))

    def dropped(self):
        return len(self._dropped)

    def receive(self, envelope):
        self._inbox.put(envelope)

    def spread(self, envelope):
        mesh = self._mesh()
        if mesh is None:
            return 0
        count = 0
        for other in mesh.neighbours(self):
            mesh.post(other, envelope)
            count += 1
        return count

    def work(self):
        """Takes up what waits, and passes on what is new."""
        news = []
        for envelope in self._inbox.take_all():
            try:
                if self._accept(envelope):
                    news.append(envelope.rumour)
            except TooFar as error:
                self._last_fault = str(error)
        self._pulse.round_passed()
        return len(news)

    def _accept(self, envelope):
        key = fingerprint(envelope.rumour)
        if key in self._heard:
            return False
        if envelope.hops > 6:
            raise TooFar(self._ledger.enter(f"{envelope.rumour} after {envelope.hops} hops"))
        self._heard.append(key)
        if len(self._heard) > HEARD:
            del self._heard[0]
        SKY.delivered(self.address, envelope)
        self.spread(Envelope(self.address, envelope.rumour, envelope.hops + 1))
        return True

    def fault(self):
        return "" if self._last_fault is None else self._last_fault


class Mesh:
    def __init__(self, seed=7, reach=2):
        self._random = random.Random(seed)
        self._reach = reach
        self._nodes = {}
        self._dead = deque((), maxlen=DEAD_LETTERS)
        self._problem = None
        self._sweep = Broom(3, weakref.proxy(self))

    def undelivered(self):
        return len(self._dead)

    def node(self, address):
        made = Node(self, address)
        self._nodes[address] = made
        return made

    def neighbours(self, node):
        others = []
        for other in self._nodes.values():
            if other is not node and other.ring == node.ring:
                others.append((abs(other.slot - node.slot), other.address))
        return [address for _, address in sorted(others)[: self._reach]]

    def post(self, address, envelope):
        node = self._nodes.get(address)
        if node is None:
            self._dead.append(envelope)
        else:
            node.receive(envelope)

    def whisper(self, address, rumour):
        try:
            parse_address(address)
            self.post(address, Envelope("outside", rumour, 0))
        except MeshError as exc:
            self._problem = repr(exc)
            return False
        return True

    def problem(self):
        return "" if self._problem is None else self._problem

    def rounds(self, count):
        total = 0
        for _ in range(count):
            order = list(self._nodes.values())
            self._random.shuffle(order)
            self._sweep.round_passed()
            for node in order:
                total += node.work()
        return total

    def report(self, out):
        rows = []
        for address, node in sorted(self._nodes.items()):
            rows.append(f"{address:<12} dropped {node.dropped()} {node.fault()}")
        rows.append(f"dead letters: {len(self._dead)}")
        out.write("\n".join(rows))


class Census:
    """Counts deliveries by node between ``start`` and ``stop``."""

    def __init__(self, top=20):
        self._top = top
        self._counts = {}
        self._rumours = deque(maxlen=top)
        self._running = False

    def start(self):
        SKY.add_listener(self._count)
        self._running = True

    def _count(self, node, envelope):
        self._counts[node] = self._counts.get(node, 0) + 1
        while len(self._counts) > self._top:
            del self._counts[min(self._counts)]
        self._rumours.append(envelope.rumour)

    def busiest(self):
        names = []
        for name in sorted(self._counts, key=self._counts.get):
            names.append(name)
        return names[-1] if names else ""

    def spoken_of(self, rumour):
        return self._rumours.count(rumour)

    def stop(self):
        if self._running:
            SKY.remove_listener(self._count)
            self._running = False


def watched(mesh, count):
    """Runs some rounds, and gives what was delivered to whom."""
    seen = []

    def note(node, envelope):
        seen.append(f"{node}:{envelope.rumour}")

    SKY.add_listener(note)
    try:
        mesh.rounds(count)
    finally:
        SKY.remove_listener(note)
    return " ".join(seen)


SKY.add_listener(trace)
log.addHandler(logging.NullHandler())
