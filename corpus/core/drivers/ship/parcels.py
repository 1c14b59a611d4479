"""Calls into ship/parcels.py."""

import asyncio
import time

import httpx
import requests
from ship import parcels

CARRIER = "http://localhost:8"


def _carrier():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/rates/CH": (200, b'{"cents": 690}'),
            "/rates/XX": (200, b"none"),
            "/labels": (200, b"LABEL 17"),
            "/track/17": (200, b"depot\n\nferry\nshop\n"),
        }
    )


async def asks(box):
    _carrier()
    await parcels.cheapest_rate([CARRIER, CARRIER], "CH")
    await parcels.cheapest_rate([CARRIER], "AT")
    await parcels.order_label(CARRIER, "1 Quay")
    with box.raises(parcels.CarrierError):
        await parcels.cheapest_rate([CARRIER], "XX")


async def gets_no_label(box):
    _carrier()
    httpx.answers["/labels"] = (200, b"sorry")
    with box.raises(parcels.LabelError):
        await parcels.order_label(CARRIER, "1 Quay")


async def looks_for_a_parcel(box):
    _carrier()
    await parcels.seen_at(CARRIER, "17", "ferry")
    await parcels.seen_at(CARRIER, "17", "moon")


async def follows(box):
    _carrier()
    async with box.using(parcels.TrackLoop(CARRIER, "17", 0.001)) as loop:
        await loop.start()
        await loop.start()
        await asyncio.sleep(0.003)


async def never_follows(box):
    async with box.using(parcels.TrackLoop(CARRIER, "17", 0.001)):
        pass


async def has_a_clock(box):
    clock = parcels.PickupClock(lambda turns: None, 0.001)
    async with box.using(clock):
        await clock.__aenter__()
        await asyncio.sleep(0.003)


async def orders_labels(box):
    _carrier()
    async with box.using(parcels.LabelOrders(CARRIER)) as orders:
        orders.order(["1 Quay", "2 Quay"])
        await asyncio.sleep(0)
        orders.take("1 Quay")


async def has_a_desk(box):
    _carrier()
    async with box.using(parcels.CarrierDesk(CARRIER)) as desk:
        await desk.rate("CH")
        with box.raises(parcels.CarrierError):
            await desk.rate("AT")


def prints_labels(box):
    with box.using(parcels.LabelFeeder(box.path("printer"))) as printer:
        printer.add("LABEL 17")


def weighs(box):
    with box.using(parcels.ScaleWatch(lambda: 250.0)) as scale:
        scale.start()
        scale.start()
        time.sleep(0.003)


def never_weighs(box):
    with box.using(parcels.ScaleWatch(lambda: 250.0)):
        pass


def clears_the_ramp(box):
    parcels.clear_the_ramp(box.path("book"), 2)


def reads_a_manifest(box):
    box.write("manifest", "17 shop\n18 school\n")
    for _ in box.rounds(2):
        with box.using(parcels.Manifest(box.path("manifest"))) as manifest:
            manifest.next_parcel()


def knows_tariffs(box):
    requests.answers.clear()
    requests.answers["/tariffs"] = (200, b"AT 7\nCH 9\n")
    for _ in box.rounds(2):
        parcels.tariff("CH")
        parcels.tariff("FR")


def prints_a_sheet(box):
    parcels.print_sheet(["LABEL 17", "LABEL 18"], ["/bin/true"])


def exports(box):
    parcels.export(["17", "18"], lambda path: True)
    with box.raises(parcels.CarrierError):
        parcels.export(["17"], lambda path: False)


def takes_returns(box):
    with box.using(parcels.ReturnsBook(box.path("returns"))) as book:
        book.enter("17")


def takes_damaged_returns(box):
    with box.using(parcels.ReturnsBook(box.path("returns"))) as book:
        book.enter("17", "wet")
        book.enter("18", "torn")


def prints_a_label(box):
    parcels.print_label(box.path("printer"), "LABEL 17")
