"""Follows the vehicles of a fleet: positions come from a service, events are pushed to a dispatcher.

The service answers ``/position/ID`` with ``{"lat": …, "lon": …}`` and ``/events`` with one event a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from contextlib import aclosing, suppress
from typing import AsyncIterator, Callable, Iterable, NamedTuple, Optional

import httpx

log = logging.getLogger(__name__)


class TrackError(Exception):
    """A position can't be had."""


class Position(NamedTuple):
    lat: float
    lon: float

    def distance(self, other: Position) -> float:
        """In metres; good enough for a town."""
        north = (self.lat - other.lat) * 111_320
        east = (self.lon - other.lon) * 111_320 * math.cos(math.radians(self.lat))
        return math.hypot(north, east)


def parse_position(text: str) -> Position:
    try:
        fields = json.loads(text)
        return Position(float(fields["lat"]), float(fields["lon"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TrackError(text[:40]) from error


async def position_of(service: str, vehicle: str) -> Position:
    async with httpx.AsyncClient(base_url=service) as client:
        reply = await client.get(f"/position/{vehicle}")
        return parse_position(reply.text)


async def is_known(service: str, vehicle: str) -> bool:
    client = httpx.AsyncClient(base_url=service)
    try:
        reply = await client.get(f"/position/{vehicle}")
        return reply.is_success
    finally:
        await client.aclose()


async def send_home(service: str, vehicle: str) -> None:
    client = httpx.AsyncClient(base_url=service)
    try:
        await client.post(f"/orders/{vehicle}", json={"order": "home"})
    finally:
        await client.aclose()


async def events(service: str) -> AsyncIterator[tuple[str, str]]:
    """Vehicle and event, as they come."""
    async with httpx.AsyncClient(base_url=service) as client:
        reply = await client.get("/events")
        for line in reply.text.splitlines():
            vehicle, _, event = line.partition(" ")
            yield vehicle, event


async def first_event(service: str, vehicle: str) -> Optional[str]:
    async with aclosing(events(service)) as stream:
        async for who, event in stream:
            if who == vehicle:
                return event
    return None


async def events_before(service: str, event: str) -> int:
    count = 0
    async with aclosing(events(service)) as stream:
        async for _, what in stream:
            if what == event:
                break
            count += 1
    return count


class OdometerLoop:
    """Adds up what a vehicle drives."""

    def __init__(self, measure: Callable[[], float], pause: float) -> None:
        self.metres = 0.0
        self.ended = False
        self._measure = measure
        self._pause = pause
        self._loop_task: Optional[asyncio.Task[None]] = None

    def start(self) -> None:
        self._loop_task = asyncio.create_task(self._add_up())

    async def _add_up(self) -> None:
        while True:
            self.metres += self._measure()
            await asyncio.sleep(self._pause)

    async def close(self) -> None:
        self.ended = True
        if self._loop_task is not None:
            self._loop_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop_task
            self.metres = round(self.metres, 1)


class DispatchDesk:
    """Asks for positions on behalf of a dispatcher."""

    def __init__(self, service: str) -> None:
        self.asked = 0
        self._desk_client = httpx.AsyncClient(base_url=service)

    async def near(self, vehicles: Iterable[str], place: Position, metres: float) -> list[str]:
        found = []
        for vehicle in vehicles:
            self.asked += 1
            reply = await self._desk_client.get(f"/position/{vehicle}")
            with suppress(TrackError):
                if parse_position(reply.text).distance(place) <= metres:
                    found.append(vehicle)
        return sorted(found)

    async def close(self) -> None:
        await self._desk_client.aclose()


class Notices:
    """Sends notices without keeping anybody waiting."""

    def __init__(self, service: str) -> None:
        self.sent = 0
        self._service = service
        self._under_way: set[asyncio.Task[None]] = set()

    async def _send(self, text: str) -> None:
        async with httpx.AsyncClient(base_url=self._service) as client:
            await client.post("/notices", json=[text])
        self.sent += 1

    def send(self, text: str) -> None:
        sending = asyncio.create_task(self._send(text))
        self._under_way.add(sending)
        sending.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._under_way, return_exceptions=True)


async def heartbeat(beats: list[int], pause: float) -> None:
    while True:
        beats.append(len(beats))
        await asyncio.sleep(pause)


async def watched_position(service: str, vehicle: str) -> Position:
    """Like ``position_of``, with a sign of life in the log."""
    beats: list[int] = []
    beating = asyncio.create_task(heartbeat(beats, 0.001))
    try:
        return await position_of(service, vehicle)
    finally:
        beating.cancel()


async def poke(service: str, vehicle: str) -> None:
    with suppress(TrackError):
        place = await position_of(service, vehicle)
        log.debug("%s: %s", vehicle, place)


async def poke_all(service: str, vehicles: Iterable[str]) -> None:
    poking = [asyncio.create_task(poke(service, vehicle)) for vehicle in vehicles]
    await asyncio.gather(*poking, return_exceptions=True)
