"""Reads the sitemaps of a site and says which pages have gone, moved or grown.

    crawler = SiteCrawler("http://localhost:8080")
    gone = await crawler.gone(await crawler.pages())
    await crawler.close()
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections import OrderedDict, deque
from functools import lru_cache

import aiohttp

log = logging.getLogger(__name__)

KEPT_SIZES = 24
KEPT_ERRORS = 12
LOC = re.compile(r"<loc>\s*([^<\s]+)\s*</loc>")


class SitemapError(Exception):
    pass


@lru_cache(maxsize=48)
def page_name(url):
    """What stands behind the last slash, without a query."""
    return url.split("?")[0].rstrip("/").rpartition("/")[2]


def locations(text):
    found = []
    for match in LOC.finditer(text):
        found.append(match.group(1))
    if not found:
        raise SitemapError("no locations")
    return tuple(found)


async def fetch_text(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            if reply.status != 200:
                raise SitemapError(f"{url}: {reply.status}")
            return await reply.text()


async def page_size(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            body = await reply.read()
    return len(body)


async def sitemap_lines(url):
    """Lines of a sitemap as they come in."""
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            text = await reply.text()
            for line in text.splitlines():
                yield line.strip()


async def first_location(url):
    async with contextlib.aclosing(sitemap_lines(url)) as lines:
        async for line in lines:
            match = LOC.search(line)
            if match:
                return match.group(1)
    return None


async def count_until(url, word):
    seen = 0
    async with contextlib.aclosing(sitemap_lines(url)) as lines:
        async for line in lines:
            if word in line:
                break
            seen += 1
    return seen


async def answers(url):
    """Whether anything answers there at all."""
    session = aiohttp.ClientSession()
    try:
        async with session.head(url) as reply:
            return reply.status < 500
    finally:
        await session.close()


async def tell(url, counts):
    session = aiohttp.ClientSession(headers={"X-Report": "sitemap"})
    try:
        async with session.post(url, json=counts) as reply:
            reply.raise_for_status()
    finally:
        await session.close()


class Ticker:
    """Calls something again and again while it is open."""

    def __init__(self, call, pause):
        self.ticks = 0
        self._call = call
        self._pause = pause
        self._task = None

    def start(self):
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            self.ticks += 1
            self._call()
            await asyncio.sleep(self._pause)

    async def close(self):
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None


class SiteCrawler:
    """Asks one site, many pages at a time."""

    def __init__(self, base):
        self.base = base
        self._last_error = None
        self.errors = deque(maxlen=KEPT_ERRORS)
        self._sizes = OrderedDict()
        self._lock = threading.Lock()
        self._noting = set()
        self._session = aiohttp.ClientSession(base)

    async def pages(self):
        async with self._session.get("/sitemap.xml") as reply:
            return locations(await reply.text())

    async def status(self, path):
        try:
            async with self._session.get(path) as reply:
                return reply.status
        except aiohttp.ClientError as error:
            self._last_error = str(error)
            self.errors.append(path)
            return 0

    async def gone(self, paths):
        found = []
        for path in paths:
            if await self.status(path) == 404:
                found.append(path)
        return sorted(found)

    async def measure(self, path):
        async with self._session.get(path) as reply:
            body = await reply.read()
        self.note_size(path, len(body))

    def note_size(self, path, size):
        with self._lock:
            self._sizes[path] = size
            while len(self._sizes) > KEPT_SIZES:
                self._sizes.popitem(last=False)

    def known_size(self, path):
        with self._lock:
            return self._sizes.get(path)

    def measure_soon(self, path):
        noting = asyncio.create_task(self.measure(path))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def measure_all(self, paths):
        measuring = [asyncio.create_task(self.measure(path)) for path in paths]
        await asyncio.gather(*measuring, return_exceptions=True)

    async def close(self):
        try:
            for noting in list(self._noting):
                noting.cancel()
            await asyncio.gather(*self._noting, return_exceptions=True)
        finally:
            await self._session.close()


async def report_progress(crawler, pause):
    while True:
        log.info("%s: %d errors", crawler.base, len(crawler.errors))
        await asyncio.sleep(pause)


async def survey(base, pause=0.5):
    """Measures all pages of a site; says in the log how it gets on."""
    crawler = SiteCrawler(base)
    try:
        watching = asyncio.create_task(report_progress(crawler, pause))
        try:
            paths = await crawler.pages()
            await crawler.measure_all(paths)
            return {path: crawler.known_size(path) for path in paths}
        finally:
            watching.cancel()
    finally:
        await crawler.close()


async def busy(base, call):
    ticker = Ticker(call, 0.001)
    ticker.start()
    try:
        return await answers(base)
    finally:
        await ticker.close()
