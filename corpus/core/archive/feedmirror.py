"""Mirrors the entries of feeds into folders, as long as it is told to.

Everything that talks to servers goes through aiohttp; files are small, and written in one piece.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile

import aiohttp

ENTRY = re.compile(r"<entry id='([^']+)'>(.*?)</entry>", re.S)


class FeedError(Exception):
    """No feed, or none that can be read."""


def entries_of(text):
    found = ENTRY.findall(text)
    if not found and "<feed" not in text:
        raise FeedError(text[:30])
    return found


def file_name(entry_id):
    return hashlib.sha1(entry_id.encode("utf-8")).hexdigest()[:12] + ".txt"


def write_entry(folder, entry_id, text):
    """Writes an entry; who reads the folder sees the old one or the new one."""
    scratch = tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8")
    try:
        with scratch:
            scratch.write(text)
        os.replace(scratch.name, os.path.join(folder, file_name(entry_id)))
    except BaseException:
        os.unlink(scratch.name)
        raise


async def fetch_feed(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            reply.raise_for_status()
            return await reply.text()


async def feed_title(url):
    session = aiohttp.ClientSession()
    try:
        async with session.get(url) as reply:
            text = await reply.text()
    finally:
        await session.close()
    match = re.search(r"<title>(.*?)</title>", text)
    return match.group(1) if match else ""


async def ping(url, topic):
    session = aiohttp.ClientSession(headers={"X-Topic": topic})
    try:
        async with session.post(url) as reply:
            return reply.status
    finally:
        await session.close()


async def entries(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            for entry in entries_of(await reply.text()):
                yield entry


async def newest(url):
    async with contextlib.aclosing(entries(url)) as stream:
        async for entry_id, text in stream:
            return entry_id, text.strip()
    return None


async def position_in(url, wanted):
    place = 0
    async with contextlib.aclosing(entries(url)) as stream:
        async for entry_id, _ in stream:
            if entry_id == wanted:
                break
            place += 1
    return place


class MirrorLoop:
    """Mirrors one feed again and again."""

    def __init__(self, url, folder, pause):
        self.url = url
        self.folder = folder
        self.rounds = 0
        self.over = False
        self._pause = pause
        self._mirroring = None

    def start(self):
        self._mirroring = asyncio.create_task(self._mirror())

    async def _mirror(self):
        while True:
            with contextlib.suppress(aiohttp.ClientError, FeedError, OSError):
                await mirror_once(self.url, self.folder)
            self.rounds += 1
            await asyncio.sleep(self._pause)

    async def close(self):
        self.over = True
        if self._mirroring is not None:
            self._mirroring.cancel()
            await asyncio.gather(self._mirroring, return_exceptions=True)
            self.over = self._mirroring.done()


class HubLink:
    """Tells a hub what is new."""

    def __init__(self, hub):
        self.told = 0
        self._hub_session = aiohttp.ClientSession(hub)

    async def tell(self, topic):
        async with self._hub_session.post("/publish", json=topic) as reply:
            if reply.status == 200:
                self.told += 1

    async def close(self):
        await self._hub_session.close()


class Prefetcher:
    """Fetches what somebody may want next."""

    def __init__(self):
        self.texts = {}
        self._fetching = set()

    async def _fetch(self, url):
        self.texts[url] = await fetch_feed(url)

    def want(self, url):
        fetching = asyncio.create_task(self._fetch(url))
        self._fetching.add(fetching)
        fetching.add_done_callback(self._fetching.discard)

    def drop(self, url):
        self.texts.pop(url, None)

    async def close(self):
        await asyncio.gather(*self._fetching, return_exceptions=True)


async def mirror_once(url, folder):
    text = await fetch_feed(url)
    for entry_id, entry in entries_of(text):
        write_entry(folder, entry_id, entry)


async def mirror_all(urls, folder):
    mirroring = [asyncio.create_task(mirror_once(url, folder)) for url in urls]
    await asyncio.gather(*mirroring, return_exceptions=True)


async def spin(signs, pause):
    while True:
        signs.append("|/-"[len(signs) % 3])
        await asyncio.sleep(pause)


async def fetch_with_sign(url):
    signs = []
    spinning = asyncio.create_task(spin(signs, 0.001))
    try:
        return await fetch_feed(url)
    finally:
        spinning.cancel()
