"""Calls into fleet/tracker.py."""

import asyncio

import httpx
from fleet import tracker

SERVICE = "http://localhost:7"


def _service():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/position/bus": (200, b'{"lat": 50.0, "lon": 8.0}'),
            "/position/odd": (200, b"?"),
            "/orders": (200, b""),
            "/events": (200, b"bus start\ncar stop\nbus stop\n"),
            "/notices": (200, b""),
        }
    )


async def asks(box):
    _service()
    await tracker.position_of(SERVICE, "bus")
    await tracker.is_known(SERVICE, "bus")
    await tracker.send_home(SERVICE, "bus")
    with box.raises(tracker.TrackError):
        await tracker.position_of(SERVICE, "odd")


async def follows_events(box):
    _service()
    await tracker.first_event(SERVICE, "car")
    await tracker.first_event(SERVICE, "van")
    await tracker.events_before(SERVICE, "stop")


async def adds_up(box):
    async with box.using(tracker.OdometerLoop(lambda: 1.0, 0.001)) as odometer:
        odometer.start()
        await asyncio.sleep(0.003)


async def stands_still(box):
    async with box.using(tracker.OdometerLoop(lambda: 1.0, 0.001)):
        pass


async def has_a_desk(box):
    _service()
    async with box.using(tracker.DispatchDesk(SERVICE)) as desk:
        await desk.near(["bus", "odd"], tracker.Position(50.0, 8.0), 10)


async def gives_notice(box):
    _service()
    async with box.using(tracker.Notices(SERVICE)) as notices:
        notices.send("late")
        await asyncio.sleep(0)


async def is_watched(box):
    _service()
    await tracker.watched_position(SERVICE, "bus")


async def pokes(box):
    _service()
    await tracker.poke_all(SERVICE, ["bus", "odd"])
