"""Walk the release pages of projects, politely, and fetch what is new.

A page is plain HTML; links to archives are releases, links to pages below the one it started from are walked.  Every
host is asked at a pace of its own, and more slowly when it says that it is too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import tempfile
from collections import OrderedDict, deque
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import AsyncIterator, Callable, Iterator, Optional
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

logger = logging.getLogger(__name__)

ARCHIVE = re.compile(r"(?P<project>[\w-]+?)-(?P<version>\d[\w.]*?)\.(?:tar|tar\.gz|zip)$")
TOO_MUCH = (429, 503)
PAGE_LIMIT = 1 << 20


class CrawlError(Exception):
    """A page or an archive is not what it should be."""


@dataclass(frozen=True)
class FoundRelease:
    project: str
    version: str
    url: str
    digest: Optional[str] = None

    @property
    def filename(self) -> str:
        return self.url.rpartition("/")[2]


class _ReleaseAnchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        if tag == "a":
            self.found.extend(value for key, value in attrs if key == "href" and value)


class HostPace:
    """Says when a host may be asked again; hosts that were not asked for long are forgotten."""

    def __init__(self, gap: float, room: int = 64) -> None:
        self._gap, self._room = gap, room
        self._due: OrderedDict[str, float] = OrderedDict()

    def _reserve(self, host: str, gap: float) -> float:
        now = asyncio.get_running_loop().time()
        due = max(now, self._due.pop(host, now))
        self._due[host] = due + gap
        while len(self._due) > self._room:
            self._due.popitem(last=False)
        return due - now

    async def turn(self, host: str) -> None:
        delay = self._reserve(host, self._gap)
        if delay > 0:
            await asyncio.sleep(delay)

    def slow_down(self, host: str) -> None:
        self._reserve(host, self._gap * 10)


class KnownReleases:
    """The addresses that were fetched before, one a line; only the last ones are kept in mind."""

    def __init__(self, path: Path, room: int = 5000) -> None:
        self._room = room
        self._known: OrderedDict[str, None] = OrderedDict()
        self._file = open(path, "a+", encoding="utf-8")
        try:
            self._file.seek(0)
            for line in self._file:
                self._note(line.rstrip("\n"))
        except BaseException:
            self._file.close()
            raise

    def _note(self, url: str) -> None:
        self._known[url] = None
        if len(self._known) > self._room:
            self._known.popitem(last=False)

    def __contains__(self, release: FoundRelease) -> bool:
        return release.url in self._known

    def add(self, release: FoundRelease) -> None:
        self._file.write(release.url + "\n")
        self._file.flush()
        self._note(release.url)

    def close(self) -> None:
        self._file.close()


class ReleaseWatch:
    def __init__(self, *, gap: float = 0.5, at_once: int = 4, attempts: int = 3, pages: int = 500) -> None:
        self.at_once, self.attempts, self.pages = at_once, attempts, pages
        self._pace = HostPace(gap)
        self._watchers: list[Callable[[str, int], None]] = []
        self._client = httpx.AsyncClient(headers={"User-Agent": "releasewatch/1"}, follow_redirects=True)

    async def __aenter__(self) -> ReleaseWatch:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    @contextlib.contextmanager
    def reporting(self, watcher: Callable[[str, int], None]) -> Iterator[None]:
        """Call ``watcher`` with address and status of every answer meanwhile."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @contextlib.asynccontextmanager
    async def _ask(self, url: str) -> AsyncIterator[httpx.Response]:
        host = urlsplit(url).netloc
        for attempt in range(self.attempts):
            await self._pace.turn(host)
            async with self._client.stream("GET", url) as response:
                for watcher in list(self._watchers):
                    watcher(url, response.status_code)
                if response.status_code in TOO_MUCH:
                    self._pace.slow_down(host)
                    continue
                response.raise_for_status()
                yield response
                return
        raise CrawlError(f"{url}: too busy, {self.attempts} times")

    async def _links(self, url: str) -> list[str]:
        """Where a page leads; nowhere, if there is something wrong with it."""
        parser = _ReleaseAnchors()
        size = 0
        try:
            async with self._ask(url) as response:
                async with contextlib.aclosing(response.aiter_bytes()) as blocks:
                    async for block in blocks:
                        size += len(block)
                        if size > PAGE_LIMIT:
                            raise CrawlError(f"{url}: too large")
                        parser.feed(block.decode("utf-8", "replace"))
        except (httpx.HTTPError, CrawlError) as exc:
            logger.warning("%s", exc)
            return []
        return [urljoin(url, link) for link in parser.found]

    async def releases(self, start: str) -> AsyncIterator[FoundRelease]:
        """Releases as their pages come in, each once."""
        frontier, seen = deque([start]), {start}
        pending: set[asyncio.Task] = set()
        done: set[asyncio.Task] = set()
        try:
            while frontier or pending:
                while frontier and len(pending) < self.at_once:
                    pending.add(asyncio.create_task(self._links(frontier.popleft())))
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for link in sum(await asyncio.gather(*done), []):
                    address, fragment = urldefrag(link)
                    if address in seen or len(seen) >= self.pages:
                        continue
                    seen.add(address)
                    if match := ARCHIVE.search(address):
                        yield FoundRelease(*match.groups(), address, fragment.partition("sha256=")[2] or None)
                    elif address.startswith(start):
                        frontier.append(address)
        finally:
            done.clear()
            await cancel_visits(pending)

    async def fetch(self, release: FoundRelease, folder: Path) -> Path:
        """Save an archive under its name, once it is complete and has the digest it should have."""
        digest = hashlib.sha256()
        target = folder / release.filename
        draft = tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False)
        try:
            with draft:
                async with self._ask(release.url) as response:
                    async with contextlib.aclosing(response.aiter_bytes(1 << 16)) as blocks:
                        async for block in blocks:
                            digest.update(block)
                            draft.write(block)
            if release.digest not in (None, digest.hexdigest()):
                raise CrawlError(f"{release.url}: wrong digest")
            os.replace(draft.name, target)
        except BaseException:
            os.unlink(draft.name)
            raise
        return target


async def cancel_visits(tasks: set[asyncio.Task]) -> None:
    try:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        tasks.clear()


async def mirror_new(start: str, folder: Path, *, gap: float = 0.5) -> list[Path]:
    """Fetch what was not fetched before; what fails is tried again by the next run."""
    fetched = []
    with contextlib.closing(KnownReleases(folder / "known.txt")) as known:
        async with ReleaseWatch(gap=gap) as watch, contextlib.aclosing(watch.releases(start)) as releases:
            async for release in releases:
                if release in known:
                    continue
                try:
                    fetched.append(await watch.fetch(release, folder))
                except (httpx.HTTPError, CrawlError, OSError) as exc:
                    logger.warning("%s: %s", release.filename, exc)
                    continue
                known.add(release)
    return fetched
