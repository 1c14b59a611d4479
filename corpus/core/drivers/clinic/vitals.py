"""Calls into clinic/vitals.py."""

import asyncio
import os
import time

import aiohttp
from clinic import vitals

WARD = "http://localhost:3"


def _ward():
    aiohttp.answers.clear()
    aiohttp.answers.update(
        {
            "/name": (200, b"bed 4\n"),
            "/silence": (200, b""),
            "/curve": (200, b"60 61 90 62"),
            "/bed": (200, b"72\n"),
            "/odd": (200, b"--"),
        }
    )


async def reads(box):
    _ward()
    await vitals.read_monitor(WARD + "/bed")
    await vitals.monitor_name(WARD)
    await vitals.silence(WARD)
    await vitals.read_humming(WARD + "/bed")
    await vitals.read_ward([WARD + "/bed", WARD + "/odd"], 2)
    with box.raises(vitals.MonitorError):
        await vitals.read_monitor(WARD + "/odd")


async def reads_curves(box):
    _ward()
    await vitals.first_above(WARD, 80)
    await vitals.first_above(WARD, 100)
    await vitals.steps_until(WARD, 80)


async def loops(box):
    _ward()
    async with box.using(vitals.PulseLoop(lambda: vitals.read_monitor(WARD + "/bed"), 0.001)) as loop:
        loop.start()
        await asyncio.sleep(0.003)
        for number in box.rounds(10):
            loop.note(60 + number)


async def never_loops(box):
    async with box.using(vitals.PulseLoop(lambda: vitals.read_monitor(WARD), 0.001)):
        pass


async def has_a_link(box):
    _ward()
    async with box.using(vitals.WardLink(WARD)) as link:
        await link.value("bed")


async def goes_round(box):
    _ward()
    async with box.using(vitals.Rounds(WARD)) as rounds:
        rounds.walk(["bed", "bed"])
        await asyncio.sleep(0)
        rounds.leave("bed")


def keeps_charts(box):
    with box.using(vitals.ChartWriter(box.path("chart"))) as writer:
        writer.add("72")


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("chart"))
    with box.using(vitals.ChartWriter(box.path("chart"))) as writer:
        writer.add("72 " * 5000)


def beeps(box):
    with box.using(vitals.Beeper(lambda: None, 0.001)) as beeper:
        beeper.start()
        time.sleep(0.003)


def analyses(box):
    with box.using(vitals.Analysts(max)) as analysts:
        analysts.submit([1.0, 2.0]).result()
        analysts.all([[1.0], [2.0]])
