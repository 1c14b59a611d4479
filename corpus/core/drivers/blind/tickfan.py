"""Calls into blind/tickfan.py."""

import asyncio

import aiohttp

from blind import tickfan

BASE = "http://localhost"


async def _service(box, symbols=("ABC", "XYZ"), interval=0.001, **answers):
    aiohttp.answers.clear()
    aiohttp.answers["quote/ABC"] = (200, b'{"price": 1.5}')
    aiohttp.answers["quote/XYZ"] = (200, b'{"price": "7"}')
    for symbol, answer in answers.items():
        aiohttp.answers["quote/" + symbol] = answer
    return await tickfan.TickerService.start(BASE, box.path("journal"), symbols, interval=interval)


async def feeds_a_consumer(box):
    async with box.using(await _service(box)) as service:
        await box.take(service.ticks("XYZ"))
        await box.take(service.ticks(), 2)


async def feeds_clients(box):
    async with box.using(await _service(box)) as service:
        host, port = service.address
        await box.take(tickfan.follow(host, port, "abc"))
        await box.take(tickfan.follow(host, port), 2)


async def closes_while_clients_wait(box):
    service = await _service(box)
    follower = tickfan.follow(*service.address, "ABC")
    try:
        async with box.using(service):
            await follower.__anext__()
    finally:
        await follower.aclose()


async def ends_the_lines_of_its_clients(box):
    service = await _service(box)
    follower = tickfan.follow(*service.address, "ABC")
    try:
        async with box.using(service):
            await follower.__anext__()
        async for _ in follower:
            pass
    finally:
        await follower.aclose()


async def closes_while_a_consumer_waits(box):
    service = await _service(box)
    async with box.using(service):
        waiting = asyncio.create_task(box.take(service.ticks("NONE")))
        await asyncio.sleep(0)
    await waiting
    await box.take(service.ticks("ABC"), 2)


async def has_a_bad_upstream(box):
    service = await _service(box, ("BAD", "ERR", "LOST", "GONE", "ABC"), BAD=(200, b"{}"), ERR=(200, b"<html>"),
                             LOST=aiohttp.ClientConnectionError("refused"))
    async with box.using(service):
        await box.take(service.ticks())


async def sees_prices_change(box):
    async with box.using(await _service(box)) as service:
        ticks = service.ticks("ABC")
        try:
            await ticks.__anext__()
            aiohttp.answers["quote/ABC"] = (200, b'{"price": 2.5}')
            await ticks.__anext__()
        finally:
            await ticks.aclose()


async def asks_for_one_quote(box):
    aiohttp.answers["quote/ABC"] = (200, b'{"price": 1.5}')
    async with box.using(tickfan.QuoteSource(BASE)) as source:
        await source.quote("ABC")
        async with box.raises(aiohttp.ClientResponseError):
            await source.quote("NONE")


def writes_a_journal(box):
    with box.using(tickfan.TickJournal(box.path("journal"), 40)) as journal:
        for number in range(14):
            journal.append(tickfan.Tick("ABC", number / 2, number))


async def has_no_place_for_a_journal(box):
    async with box.raises(OSError):
        await tickfan.TickerService.start(BASE, box.path("lost", "journal"), ["ABC"])


async def serves_many_consumers(box):
    async with box.using(await _service(box)) as service:
        for _ in box.rounds(40):
            await box.take(service.ticks("ABC"))
            await box.take(tickfan.follow(*service.address, "ABC"))
