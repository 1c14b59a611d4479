"""Named signals inside one process: who is interested subscribes, whoever has news publishes.

Receivers are plain functions or bound methods. Methods are held weakly: a receiver that nobody else needs is
dropped in silence. ``Recorder`` and ``Throttle`` are the two receivers that most programs want.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import Any, Callable, Hashable, Iterator

log = logging.getLogger(__name__)

Receiver = Callable[[str, Any], None]

DEAD_LETTERS = 20
SEEN_KEYS = 40


class SignalError(LookupError):
    """No signal has this name."""


class Registry:
    """Signals by name."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._receivers: dict[str, list[Any]] = {}
        self.dead_letters: deque[tuple[str, Any]] = deque(maxlen=DEAD_LETTERS)

    def declare(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._receivers.setdefault(name, [])

    def forget(self, name: str) -> None:
        with self._lock:
            self._receivers.pop(name, None)

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._receivers)

    def subscribe(self, name: str, receiver: Receiver) -> None:
        """The receiver is held strongly until ``unsubscribe``."""
        with self._lock:
            self._list(name).append(receiver)

    def unsubscribe(self, name: str, receiver: Receiver) -> None:
        with self._lock:
            held = self._receivers.get(name, [])
            if receiver in held:
                held.remove(receiver)

    def publish(self, name: str, news: Any = None) -> int:
        """Tells everyone; returns how many there were."""
        with self._lock:
            receivers = list(self._list(name))
        if not receivers:
            self.dead_letters.append((name, news))
        for receiver in receivers:
            try:
                receiver(name, news)
            except Exception:
                log.exception("a receiver of %s failed", name)
        return len(receivers)

    def _list(self, name: str) -> list[Any]:
        try:
            return self._receivers[name]
        except KeyError:
            raise SignalError(name) from None


class WeakReceiver:
    """Passes news on to a method as long as its object lives."""

    def __init__(self, method: Callable[[str, Any], None]) -> None:
        self._method = weakref.WeakMethod(method)
        self.misses = 0

    def __call__(self, name: str, news: Any) -> None:
        method = self._method()
        if method is None:
            self.misses += 1
        else:
            method(name, news)


class Recorder:
    """Writes news to a file, a line each."""

    def __init__(self, registry: Registry, path: str, names: tuple[str, ...]) -> None:
        self.lines = 0
        self._failure: str | None = None
        self._registry = registry
        self._names = names
        self._out = open(path, "a", encoding="utf-8")
        self._handler: logging.Handler | None = None

    def start(self) -> None:
        for name in self._names:
            self._registry.subscribe(name, self._write)

    def close(self) -> None:
        try:
            for name in self._names:
                self._registry.unsubscribe(name, self._write)
        finally:
            self._out.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _write(self, name: str, news: Any) -> None:
        try:
            self._out.write(f"{time.time():.3f} {name} {news!r}\n")
            self.lines += 1
        except (OSError, ValueError) as error:
            self._failure = str(error)


class Throttle:
    """Passes each key on at most once in a while."""

    def __init__(self, receiver: Receiver, pause: float) -> None:
        self._receiver = receiver
        self._pause = pause
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: str, news: Hashable) -> None:
        now = time.monotonic()
        with self._lock:
            last = self._seen.get(news)
            fresh = last is None or now - last >= self._pause
            if fresh:
                self._seen[news] = now
                self._seen.move_to_end(news)
            while len(self._seen) > SEEN_KEYS:
                self._seen.popitem(last=False)
        if fresh:
            self._receiver(name, news)

    def waiting(self) -> int:
        with self._lock:
            return len(self._seen)


class Gate:
    """Lets threads wait until a signal has been given."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._condition = threading.Condition()
        self._given = 0
        self._registry = registry
        self._name = name

    def open(self) -> None:
        self._registry.subscribe(self._name, self._note)

    def close(self) -> None:
        self._registry.unsubscribe(self._name, self._note)

    def _note(self, name: str, news: Any) -> None:
        with self._condition:
            self._given += 1
            self._condition.notify_all()

    def wait(self, times: int, timeout: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._given >= times, timeout)


class Mirror:
    """Shows the latest news of each signal to a display that may go away first."""

    def __init__(self, registry: Registry) -> None:
        self.latest: dict[str, Any] = {}
        self._problem: str | None = None
        self._receiver = WeakReceiver(self.note)
        self._registry = registry

    def follow(self, name: str) -> None:
        try:
            self._registry.subscribe(name, self._receiver)
        except SignalError as error:
            self._problem = repr(error)

    def unfollow(self, name: str) -> None:
        self._registry.unsubscribe(name, self._receiver)

    def note(self, name: str, news: Any) -> None:
        self.latest[name] = news


@contextmanager
def logged(registry: Registry, name: str, path: str) -> Iterator[logging.Logger]:
    """News of one signal in a log file of its own, for the length of a block."""
    channel = logging.getLogger(f"{__name__}.{name}")
    handler = logging.FileHandler(path, encoding="utf-8")
    try:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        channel.addHandler(handler)
        try:
            yield channel
        finally:
            channel.removeHandler(handler)
    finally:
        handler.close()


def replay(registry: Registry, path: str) -> int:
    """Publishes what a file of ``name text`` lines holds."""
    counts = []
    with open(path, encoding="utf-8") as source:
        for line in source:
            name, _, text = line.rstrip("\n").partition(" ")
            counts.append(registry.publish(name, text))
    return sum(counts)


class Farewell:
    """Publishes one last signal when the program ends, unless it is called off."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry = registry
        self._name = name

    def arm(self) -> None:
        atexit.register(self.say)

    def disarm(self) -> None:
        atexit.unregister(self.say)

    def say(self) -> None:
        self._registry.publish(self._name)
