"""Calls into energy/solarhub.py."""

import asyncio
import bz2
import os
import time
from contextlib import suppress

import aiohttp
from energy import solarhub

PLANT = "http://localhost:4"


def _plant():
    aiohttp.answers.clear()
    aiohttp.answers.update(
        {
            "/power": (200, b"812"),
            "/switch": (200, b""),
            "/faults": (200, b"12 fan\n40 arc\n41 isolation\n"),
            "/name": (200, b"roof"),
        }
    )


async def asks(box):
    _plant()
    await solarhub.power_of(PLANT)
    await solarhub.timed_power(PLANT)
    await solarhub.switch(PLANT, ["fan", "string"])
    await solarhub.restart_plant([PLANT, PLANT], ["string"])
    aiohttp.answers["/power"] = (503, b"")
    with box.raises(solarhub.InverterError):
        await solarhub.power_of(PLANT)


async def looks_for_faults(box):
    _plant()
    await solarhub.first_serious(PLANT, {"40"})
    await solarhub.first_serious(PLANT, {"99"})


async def follows_the_power(box):
    _plant()
    async with box.using(solarhub.PowerLoop(PLANT, 0.001)) as loop:
        loop.start()
        loop.start()
        await asyncio.sleep(0.003)


async def gets_no_power(box):
    _plant()
    aiohttp.answers["/power"] = (200, b"much")
    async with box.using(solarhub.PowerLoop(PLANT, 0.001)) as loop:
        loop.start()
        await asyncio.sleep(0.003)


async def never_follows(box):
    async with box.using(solarhub.PowerLoop(PLANT, 0.001)):
        pass


async def dims(box):
    async with box.using(solarhub.Dimmer(lambda step: None, 0.001)):
        await asyncio.sleep(0.003)


async def shows_pages(box):
    _plant()
    async with box.using(solarhub.PlantLink(PLANT)) as link:
        await link.page(["name", "power"])


def reads_the_mains(box):
    with box.using(solarhub.MainsMeter(box.write("mains", "17\n18\n"))):
        time.sleep(0.003)


def keeps_a_book(box):
    with box.using(solarhub.DayBook(box.path("day"))) as book:
        book.add(8, 120)


def remarks(box):
    with box.using(solarhub.DayBook(box.path("day"))) as book:
        book.remark("clouds")
        book.add(9, 80)
        book.remark("snow")


def remarks_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("day.remarks"))
    with suppress(OSError):
        with box.using(solarhub.DayBook(box.path("day"))) as book:
            book.remark("clouds")


def adds_up_old_sums(box):
    with bz2.open(box.path("old"), "wt") as out:
        out.write("08 120\n09 80\n")
    for _ in box.rounds(2):
        with box.using(solarhub.OldSums(box.path("old"))) as sums:
            sums.total()


def reads_telegrams(box):
    box.write("raw", b"\x02ab\x01c")
    for _ in box.rounds(2):
        with box.using(solarhub.Telegrams(box.path("raw"))) as telegrams:
            telegrams.next()


def drills(box):
    solarhub.drill(box.path("protocol"), "trt")


def knows_limits(box):
    for _ in box.rounds(2):
        solarhub.limit_of("barn")
        solarhub.limit_of("moon")


def draws(box):
    solarhub.draw(["/bin/true"], [("may", [1, 2]), ("june", [3])])


def packs(box):
    solarhub.pack([box.write("a", "1"), box.write("b", "2")], box.path("packed"))


def reads_the_last_line(box):
    solarhub.last_line(box.write("mains", "17\n18\n\n"))
