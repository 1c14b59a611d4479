"""Calls into relay/pagerd.py."""

import asyncio
import os
import time

import httpx
from relay import pagerd

GATE = "http://localhost:5"


def _gateway():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/health": (200, b""),
            "/duty": (200, b"nurse doctor"),
            "/page": (200, b""),
            "/ack": (200, b""),
            "/alarms": (200, b'{"to": "nurse", "text": "bed 4"}\n{"to": "porter", "text": "door"}\n{"to": "x", "text": "y"}\n'),
        }
    )


async def pages(box):
    _gateway()
    await pagerd.gateway_up(GATE)
    await pagerd.on_duty(GATE)
    await pagerd.page_once(GATE, "nurse", "bed 4")
    await pagerd.acknowledge(GATE, 7)
    await pagerd.duty_with_lamp(GATE)
    await pagerd.page_all(GATE, ["nurse", "porter"], 2)


async def reads_alarms(box):
    _gateway()
    await pagerd.first_alarm_for(GATE, "porter")
    await pagerd.first_alarm_for(GATE, "nobody")
    await pagerd.count_before(GATE, "porter")


async def refuses_alarms(box):
    _gateway()
    httpx.answers["/alarms"] = (200, b"?\n")
    with box.raises(pagerd.PageError):
        await pagerd.first_alarm_for(GATE, "porter")


async def repeats(box):
    async with box.using(pagerd.RepeatingPage(lambda number: None, 0.001)) as page:
        page.start()
        await asyncio.sleep(0.003)


async def never_repeats(box):
    async with box.using(pagerd.RepeatingPage(lambda number: None, 0.001)):
        pass


async def has_a_desk(box):
    _gateway()
    async with box.using(pagerd.GatewayDesk(GATE)) as desk:
        await desk.page("nurse", "bed 4")
        desk.forget("nurse")


async def escalates(box):
    _gateway()
    async with box.using(pagerd.Escalation(GATE)) as escalation:
        escalation.escalate(["nurse", "doctor"], "bed 4")
        await asyncio.sleep(0)


def writes(box):
    with box.using(pagerd.PagerJournal(box.path("journal"))) as journal:
        journal.note("paged")


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("journal"))
    with box.using(pagerd.PagerJournal(box.path("journal"))) as journal:
        journal.note("paged " * 5000)


def watches(box):
    with box.using(pagerd.BatteryWatch(lambda: None, 0.001)) as watch:
        watch.start()
        time.sleep(0.003)


def translates(box):
    with box.using(pagerd.Translators(str.upper)) as desk:
        desk.submit("bed").result()
        desk.translate_all(["bed", "door"])


def reads_meanwhile(box):
    pagerd.read_while(box.write("a", "x"), lambda: time.sleep(0.003))
    pagerd.read_while("/proc/self/mem", lambda: time.sleep(0.003))  # opens, and its first page cannot be read
