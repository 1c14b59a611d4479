"""Calls into clients/pricewatch.py."""

import asyncio

import httpx
from clients import pricewatch

SHOP = "http://localhost:1"


def _answers():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/price/tea": (200, b'{"cents": 350}'),
            "/price/cup": (200, b'{"cents": 999}'),
            "/price/odd": (200, b"sold out"),
            "/price/off": httpx.ConnectError("refused"),
            "/changes": (200, b"cup\n\ntea\npot\n"),
            "/report": (200, b""),
        }
    )


async def asks_for_prices(box):
    _answers()
    await pricewatch.fetch_price(SHOP, "tea")
    await pricewatch.cheapest([SHOP, "http://localhost:2"], "tea")
    await pricewatch.cheapest([SHOP], "off")
    await pricewatch.has_article(SHOP, "cup")
    with box.raises(pricewatch.PriceError):
        await pricewatch.fetch_price(SHOP, "odd")


async def follows_changes(box):
    _answers()
    await pricewatch.first_change(SHOP, {"tea"})
    await pricewatch.first_change(SHOP, {"spoon"})
    await pricewatch.some_changes(SHOP, 2)


async def surveys(box):
    _answers()
    await pricewatch.survey([SHOP, "http://localhost:2"], "tea")
    await pricewatch.within(SHOP, "tea", 1)


async def gives_up_waiting(box):
    _answers()
    await pricewatch.within(SHOP, "tea", 0)


async def watches(box):
    _answers()
    offers = []
    async with box.using(pricewatch.Watch(SHOP, 0.001)) as watch:
        watch.wish("tea", 400)
        watch.drop(watch.wish("cup", 100))
        watch.wish("odd", 1)
        watch.start(offers.append)
        watch.start(offers.append)
        await asyncio.sleep(0.003)
        for _ in box.rounds(30):
            await watch.look(offers.append)


async def keeps_a_board(box):
    _answers()
    async with box.using(pricewatch.Board(0.001)) as board:
        await board.add(SHOP, "tea", 400)
        await board.add(SHOP, "cup", 400)
        await asyncio.sleep(0.003)


async def delivers_late(box):
    _answers()
    async with box.using(pricewatch.Board(5)) as board:
        await board.add(SHOP, "tea", 400)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def loads(box):
    pricewatch.load_wishes(box.write("wishes", "http://localhost:1 tea 400\n"))
