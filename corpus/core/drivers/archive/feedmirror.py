"""Calls into archive/feedmirror.py."""

import asyncio

import aiohttp
from archive import feedmirror

FEED = "http://localhost:6/feed"


def _server():
    aiohttp.answers.clear()
    aiohttp.answers.update(
        {
            "/feed": (200, b"<feed><title>t</title><entry id='a'> one </entry><entry id='b'>two</entry></feed>"),
            "/none": (200, b"<feed></feed>"),
            "/page": (200, b"<html>"),
            "/ping": (200, b""),
            "/publish": (200, b""),
        }
    )


async def mirrors(box):
    _server()
    box.write("f/x", "")
    await feedmirror.mirror_once(FEED, box.path("f"))
    await feedmirror.mirror_all([FEED, FEED], box.path("f"))
    with box.raises(feedmirror.FeedError):
        await feedmirror.mirror_once("http://localhost:6/page", box.path("f"))


async def asks(box):
    _server()
    await feedmirror.feed_title(FEED)
    await feedmirror.feed_title("http://localhost:6/none")
    await feedmirror.ping("http://localhost:6/ping", "news")
    await feedmirror.fetch_with_sign(FEED)


async def reads_entries(box):
    _server()
    await feedmirror.newest(FEED)
    await feedmirror.newest("http://localhost:6/none")
    await feedmirror.position_in(FEED, "b")


async def mirrors_for_long(box):
    _server()
    box.write("f/x", "")
    async with box.using(feedmirror.MirrorLoop(FEED, box.path("f"), 0.001)) as loop:
        loop.start()
        await asyncio.sleep(0.003)


async def never_mirrors(box):
    async with box.using(feedmirror.MirrorLoop(FEED, box.path("f"), 0.001)):
        pass


async def tells_a_hub(box):
    _server()
    async with box.using(feedmirror.HubLink("http://localhost:6")) as hub:
        await hub.tell("news")


async def fetches_ahead(box):
    _server()
    async with box.using(feedmirror.Prefetcher()) as prefetcher:
        prefetcher.want(FEED)
        await asyncio.sleep(0)
        prefetcher.drop(FEED)
