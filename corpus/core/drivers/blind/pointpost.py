"""Calls into blind/pointpost.py."""

import asyncio
import contextlib
import gzip
import socket
from pathlib import Path

import httpx

from blind import pointpost


def _uploader(box, answer=(200, b""), **options):
    httpx.answers.clear()
    httpx.answers["/points"] = answer
    httpx.answers["/muted"] = (200, b"cpu\n\nload\n")
    options = {"pause": 0.0, "interval": 0.01, "retries": 1, **options}
    return pointpost.Uploader("http://localhost", Path(box.path("spool")), **options)


async def posts_batches(box):
    uploader = _uploader(box, batch=2)
    async with box.using(uploader):
        await uploader.start()
        for number in range(5):
            uploader.record("load", number)
        await asyncio.sleep(0.002)
        with uploader.timed("nap"):
            await asyncio.sleep(0)


async def posts_now_and_then(box):
    uploader = _uploader(box, interval=0.001)
    async with box.using(uploader):
        await uploader.start()
        uploader.record("load", 1)
        await asyncio.sleep(0.004)


async def parks_and_replays(box):
    uploader = _uploader(box, httpx.ConnectError("refused"))
    async with box.using(uploader):
        await uploader.start()
        uploader.record("load", 1)
        await uploader.flush()
        httpx.answers["/points"] = (503, b"")
        uploader.record("load", 2)
        await uploader.flush()
        httpx.answers["/points"] = (204, b"")
        box.write("spool/0.gz", b"rubbish")
        box.write("spool/1.gz", gzip.compress(b"[1, 2, 3]")[:-4])
        uploader.record("load", 3)


async def is_refused(box):
    uploader = _uploader(box, (400, b"no"))
    async with box.using(uploader):
        await uploader.start()
        uploader.record("load", 1)


async def takes_datagrams(box):
    uploader = _uploader(box)
    async with box.using(uploader):
        await uploader.start()
        address = await uploader.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"load 1.5\nrubbish\n", address)
        await asyncio.sleep(0.002)


async def reads_what_is_muted(box):
    uploader = _uploader(box)
    async with box.using(uploader):
        await uploader.start()
        await box.take(uploader.muted())
        await box.take(uploader.muted(), 3)
        httpx.answers["/muted"] = (404, b"")
        await box.take(uploader.muted())


async def has_no_room(box):
    uploader = _uploader(box, capacity=4)
    async with box.using(uploader):
        await uploader.start()
        for number in box.rounds(6):
            uploader.record("load", number)


async def is_used_too_early(box):
    uploader = _uploader(box)
    async with box.raises(pointpost.UploadError):
        await uploader.flush()
    async with box.using(uploader):
        uploader.record("load", 1)


async def cannot_use_its_spool(box):
    box.write("spool", "in the way")
    uploader = _uploader(box, (503, b""), interval=0.001)
    with contextlib.suppress(OSError):  # of the last flush, should it come first
        async with box.using(uploader):
            await uploader.start()
            uploader.record("load", 1)
            await asyncio.sleep(0.01)


async def is_closed_while_it_posts(box):
    uploader = _uploader(box, (503, b""), interval=0.001, pause=0.01)
    async with box.using(uploader):
        await uploader.start()
        uploader.record("load", 1)
        await asyncio.sleep(0.004)


async def is_entered(box):
    async with _uploader(box) as uploader:
        uploader.record("load", 1)


def parks_a_few_batches(box):
    spool = pointpost.BatchSpool(Path(box.path("spool")), keep=3)
    for number in box.rounds(5):
        spool.park(b"%d" % number)
    for name in spool.names():
        spool.load(name)
        spool.discard(name)
    spool.names()


def parks_what_it_can(box):
    spool = pointpost.BatchSpool(Path(box.path("spool")), keep=1)
    spool.park(b"1")
    spool.park(b"2")
    with box.raises(TypeError):
        spool.park("no bytes")


async def is_started_twice(box):
    uploader = _uploader(box)
    async with box.using(uploader):
        await uploader.start()
        async with box.raises(pointpost.UploadError):
            await uploader.start()
