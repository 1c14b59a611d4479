"""Calls into blind/nightshift.py."""

import asyncio
import socket
from pathlib import Path

from blind import nightshift
from blind.nightshift import NightJob


def _shift(box, *jobs, **options):
    return nightshift.Nightshift(jobs, Path(box.path()), **options)


def _job(name="sweep", script="echo swept", every=600.0, **options):
    return NightJob(name, ("sh", "-c", script), every, **options)


async def _until(events, word):
    async for event in events:
        if event.startswith(word):
            break


async def runs_jobs_by_request(box):
    shift = _shift(box, _job(first=600.0, needs=("disk", "net")), _job("other", first=600.0))
    async with box.using(shift):
        await shift.open()
        await shift.run("sweep")
        await box.take(nightshift.ask_shift(shift.address, "run", "sweep"), 2)
        await box.take(nightshift.ask_shift(shift.address, "list"), 3)


async def runs_a_job_when_it_is_due(box):
    shift = _shift(box, _job(every=0.0))
    async with box.using(shift):
        await shift.open()
        events = shift.follow()
        try:
            await _until(events, "ended")
            await _until(events, "ended")
        finally:
            await events.aclose()


async def tells_what_happens(box):
    shift = _shift(box, _job(first=0.002, every=0.01))
    async with box.using(shift):
        await shift.open()
        await box.take(nightshift.ask_shift(shift.address, "follow"))


async def tries_again(box):
    shift = _shift(box, _job(script="exit 3", first=600.0, retries=1))
    async with box.using(shift):
        await shift.open()
        await shift.run("sweep")


async def ends_what_takes_too_long(box):
    shift = _shift(box, _job(script="exec sleep 5", first=600.0, limit=0.003))
    async with box.using(shift):
        await shift.open()
        await shift.run("sweep")


async def waits_for_its_turn(box):
    shift = _shift(box, _job(needs=("disk",), first=600.0), _job("other", needs=("disk",), first=600.0))
    async with box.using(shift):
        await shift.open()
        tasks = [asyncio.create_task(shift.run(name)) for name in ("sweep", "other")]
        await asyncio.wait(tasks)


async def closes_while_a_job_runs(box):
    shift = _shift(box, _job(script="exec sleep 5"))
    async with box.using(shift):
        await shift.open()
        await box.take(shift.follow())


async def cannot_run_a_job(box):
    shift = _shift(box, NightJob("lost", ("/nonexistent/program",), 600.0))
    async with box.using(shift):
        await shift.open()
        events = shift.follow()
        try:
            await _until(events, "cannot")
        finally:
            await events.aclose()


async def refuses_requests(box):
    shift = _shift(box)
    async with box.using(shift):
        await shift.open()
        await box.take(nightshift.ask_shift(shift.address, "run", "nothing"), 2)
        await box.take(nightshift.ask_shift(shift.address, "dance"), 2)
        async with box.raises(nightshift.UnknownJob):
            await shift.run("nothing")


async def cannot_listen(box):
    shift = nightshift.Nightshift([], Path(box.path("x" * 120)))
    shift.folder.mkdir()
    async with box.raises(OSError):
        await shift.open()


async def loses_a_client(box):
    shift = _shift(box, _job(first=600.0))
    async with box.using(shift):
        await shift.open()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(shift.address))
            client.sendall(b"x" * 70000)
            await asyncio.sleep(0.005)


async def is_open_for_a_moment(box):
    shift = _shift(box, _job())
    async with box.using(shift):
        await shift.open()


async def counts_time(box):
    await box.take(nightshift.ticks(-1.0), 3)


async def keeps_a_book(box):
    with box.using(nightshift.RunBook(Path(box.path("runs.db")))) as book:
        await book.open()
        await book.note("sweep", 1.5, "ok")
        await book.last("sweep")


async def has_many_clients(box):
    shift = _shift(box)
    async with box.using(shift):
        await shift.open()
        for _ in box.rounds(4):
            await box.take(nightshift.ask_shift(shift.address, "dance"), 2)
            await asyncio.sleep(0)


async def has_a_slow_follower(box):
    shift = _shift(box, _job(script=":", first=600.0))
    async with box.using(shift):
        await shift.open()
        events = shift.follow()
        waiting = asyncio.create_task(events.__anext__())
        try:
            await asyncio.sleep(0)
            for _ in box.rounds(40):
                await shift.run("sweep")
            await waiting
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
            await events.aclose()
