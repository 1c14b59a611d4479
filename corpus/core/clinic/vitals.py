"""Vital signs of patients: monitors are read, values are smoothed, stations are told, everything is kept."""

from __future__ import annotations

import asyncio
import threading
import queue
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import AsyncIterator, Awaitable, Callable, Iterable, Optional

import aiohttp

SMOOTHED = 8


class MonitorError(Exception):
    """A monitor says nothing that can be used."""


def value_of(text: str) -> float:
    try:
        return float(text.strip())
    except ValueError as error:
        raise MonitorError(text[:20]) from error


async def read_monitor(url: str) -> float:
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            return value_of(await reply.text())


async def monitor_name(url: str) -> str:
    session = aiohttp.ClientSession()
    try:
        async with session.get(url + "/name") as reply:
            return (await reply.text()).strip()
    finally:
        await session.close()


async def silence(url: str) -> int:
    session = aiohttp.ClientSession()
    try:
        async with session.post(url + "/silence") as reply:
            return reply.status
    finally:
        await session.close()


async def curve(url: str) -> AsyncIterator[float]:
    """The last minute, value by value."""
    async with aiohttp.ClientSession() as session:
        async with session.get(url + "/curve") as reply:
            for text in (await reply.text()).split():
                yield value_of(text)


async def first_above(url: str, limit: float) -> Optional[float]:
    async with aclosing(curve(url)) as values:
        async for value in values:
            if value > limit:
                return value
    return None


async def steps_until(url: str, limit: float) -> int:
    steps = 0
    async with aclosing(curve(url)) as values:
        async for value in values:
            if value > limit:
                break
            steps += 1
    return steps


class PulseLoop:
    """Reads a pulse again and again."""

    def __init__(self, read: Callable[[], Awaitable[float]], pause: float) -> None:
        self.ended = False
        self.last = 0.0
        self._read = read
        self._pause = pause
        self._beats: deque[float] = deque(maxlen=SMOOTHED)
        self._reading: Optional[asyncio.Task[None]] = None

    def start(self) -> None:
        self._reading = asyncio.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            with suppress(MonitorError, OSError):
                self.note(await self._read())
            await asyncio.sleep(self._pause)

    def note(self, value: float) -> None:
        self._beats.append(value)
        self.last = sum(self._beats) / len(self._beats)

    async def close(self) -> None:
        self.ended = True
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
            self.ended = self._reading.done()


class WardLink:
    """One session for all monitors of a ward."""

    def __init__(self, base: str) -> None:
        self.asked = 0
        self._ward_session = aiohttp.ClientSession(base)

    async def value(self, bed: str) -> float:
        self.asked += 1
        async with self._ward_session.get("/" + bed) as reply:
            return value_of(await reply.text())

    async def close(self) -> None:
        await self._ward_session.close()


class Rounds:
    """Walks over the beds in the background."""

    def __init__(self, base: str) -> None:
        self.seen: dict[str, float] = {}
        self._base = base
        self._walking: set[asyncio.Task[None]] = set()

    async def _walk(self, beds: Iterable[str]) -> None:
        for bed in beds:
            self.seen[bed] = await read_monitor(f"{self._base}/{bed}")
            await asyncio.sleep(0)

    def walk(self, beds: Iterable[str]) -> None:
        walking = asyncio.create_task(self._walk(beds))
        self._walking.add(walking)
        walking.add_done_callback(self._walking.discard)

    def leave(self, bed: str) -> None:
        self.seen.pop(bed, None)

    async def close(self) -> None:
        await asyncio.gather(*self._walking, return_exceptions=True)


async def hum(tones: list[int], pause: float) -> None:
    while True:
        tones.append(440)
        await asyncio.sleep(pause)


async def read_humming(url: str) -> float:
    tones: list[int] = []
    humming = asyncio.create_task(hum(tones, 0.001))
    try:
        return await read_monitor(url)
    finally:
        humming.cancel()


async def read_often(url: str, times: int) -> None:
    for _ in range(times):
        await read_monitor(url)
        await asyncio.sleep(0)


async def read_ward(urls: Iterable[str], times: int) -> None:
    reading = [asyncio.create_task(read_often(url, times)) for url in urls]
    await asyncio.gather(*reading, return_exceptions=True)


class ChartWriter:
    """Keeps charts on disk; a thread writes."""

    def __init__(self, path: str) -> None:
        self.rows = 0
        self._path = path
        self._pending: queue.Queue[Optional[str]] = queue.Queue()
        self._writer = threading.Thread(target=self._run)
        self._writer.start()

    def add(self, row: str) -> None:
        self._pending.put(row)

    def _run(self) -> None:
        while True:
            row = self._pending.get()
            if row is None:
                break
            with suppress(OSError):
                with open(self._path, "a", encoding="ascii") as out:
                    out.write(row + "\n")
            self.rows += 1

    def close(self) -> None:
        self._pending.put(None)
        self._writer.join()


class Beeper:
    """Beeps as long as something is wrong."""

    def __init__(self, beep: Callable[[], None], pause: float) -> None:
        self.beeps = 0
        self._beep = beep
        self._pause = pause
        self._calm = threading.Event()
        self._sounder = threading.Thread(target=self._sound)

    def start(self) -> None:
        self._sounder.start()

    def _sound(self) -> None:
        while not self._calm.is_set():
            self._beep()
            self.beeps += 1
            self._calm.wait(self._pause)

    def close(self) -> None:
        self._calm.set()
        if self._sounder.ident is not None:
            self._sounder.join(1)


class Analysts:
    """Analyses curves in other threads."""

    def __init__(self, analyse: Callable[[list[float]], float]) -> None:
        self.analysed = 0
        self._analyse = analyse
        self._analysts = ThreadPoolExecutor(1)

    def submit(self, values: list[float]):
        return self._analysts.submit(self._analyse, values)

    def all(self, curves: Iterable[list[float]]) -> tuple[float, ...]:
        with ThreadPoolExecutor(2) as team:
            found = list(team.map(self._analyse, curves))
        self.analysed += len(found)
        return tuple(found)

    def close(self) -> None:
        self._analysts.shutdown()
