"""Calls into blind/releasewatch.py."""

import hashlib
from pathlib import Path

import httpx

from blind import releasewatch

START = "http://localhost/pub/"
SUM = hashlib.sha256(b"archive").hexdigest()


def _site(**pages):
    httpx.answers.clear()
    httpx.answers["spam-1.0.tar"] = (200, b"archive")
    httpx.answers["eggs-2.1.zip"] = (200, b"another")
    httpx.answers["down-1.0.zip"] = (500, b"")
    httpx.answers["pub/old"] = (200, b'<a href="/pub/">up</a><a href="/pub/older"></a><a href="spam-0.9.tar"></a>')
    httpx.answers["pub/busy"] = (429, b"")
    httpx.answers["pub/gone"] = httpx.ConnectError("gone")
    httpx.answers["pub/huge"] = (200, b" " * (releasewatch.PAGE_LIMIT + 1))
    front = (f'<a href="spam-1.0.tar#sha256={SUM}">1.0</a><a href="eggs-2.1.zip#sha256=0"></a><a href="down-1.0.zip"></a>'
             '<a href="old">old</a><a href="busy"></a><a href="gone"></a><a href="huge"></a><a href="/other">x</a><a name="y">')
    httpx.answers["localhost/pub/"] = (200, front.encode())


def _release(name, digest=None):
    return releasewatch.FoundRelease("spam", "1.0", START + name, digest)


async def mirrors_twice(box):
    _site()
    for _ in range(2):
        await releasewatch.mirror_new(START, Path(box.path()), gap=0.0)


async def takes_one_release(box):
    _site()
    async with box.using(releasewatch.ReleaseWatch(gap=0.0, at_once=1)) as watch:
        await box.take(watch.releases(START))


async def walks_a_few_pages(box):
    _site()
    async with box.using(releasewatch.ReleaseWatch(gap=0.0002, at_once=2, attempts=2, pages=6)) as watch:
        await box.take(watch.releases(START), 50)


async def fetches_archives(box):
    _site()
    async with box.using(releasewatch.ReleaseWatch(gap=0.0)) as watch:
        await watch.fetch(_release("spam-1.0.tar", SUM), Path(box.path()))
        await watch.fetch(_release("spam-1.0.tar"), Path(box.path()))
        with box.raises(releasewatch.CrawlError):
            await watch.fetch(_release("spam-1.0.tar", "0"), Path(box.path()))
        with box.raises(httpx.HTTPError):
            await watch.fetch(_release("down-1.0.zip"), Path(box.path()))
        with box.raises(releasewatch.CrawlError):
            await watch.fetch(_release("busy"), Path(box.path()))


async def reports_answers(box):
    _site()
    async with box.using(releasewatch.ReleaseWatch(gap=0.0)) as watch:
        with watch.reporting(lambda url, status: None):
            await watch.fetch(_release("spam-1.0.tar"), Path(box.path()))
        with box.raises(Exception):
            with watch.reporting(print):
                box.fail()


async def paces_many_hosts(box):
    pace = releasewatch.HostPace(0.0, room=3)
    for number in box.rounds(4):
        await pace.turn(f"host{number}")
        pace.slow_down(f"host{number}")


def remembers_releases(box):
    path = Path(box.path("known.txt"))
    with box.using(releasewatch.KnownReleases(path, room=3)) as known:
        for number in box.rounds(4):
            known.add(_release(f"spam-{number}.tar"))
    with box.using(releasewatch.KnownReleases(path, room=1)) as known:
        _release("spam-1.tar") in known


def cannot_read_what_is_known(box):
    with box.raises(ValueError):
        releasewatch.KnownReleases(Path(box.write("known.txt", b"\xff\xff\n")))
