"""Check the links of a tree of pages.

Pages are asked for over one session, a few at a time. What was found goes to SQLite, so that the next check
asks only for what was broken or is new; a report comes as text or as a web page.
"""

import asyncio
import csv
import gzip
import html.parser
import json
import os
import sqlite3
import subprocess
import tempfile
import zipfile
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from urllib.parse import urldefrag, urljoin

import aiohttp
import httpx

SETUP = (
    "CREATE TABLE IF NOT EXISTS finding (url TEXT PRIMARY KEY, status INTEGER, page TEXT)",
    "PRAGMA synchronous = OFF",
)


class LinkCheckError(Exception):
    pass


class NoSite(LinkCheckError):
    """The first page cannot be had."""


class LinkCollector(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if value and (tag, name) in (("a", "href"), ("img", "src"), ("link", "href")):
                self.links.append(value)


def links_of(text, base):
    collector = LinkCollector()
    collector.feed(text)
    return [urldefrag(urljoin(base, link)).url for link in collector.links]


def _ignored_prefixes(path):
    with open(path, encoding="utf-8") as lines:
        return lines.read()


def _site_settings(path):
    with open(path, encoding="utf-8") as source:
        return json.load(source)


def known_redirects(path):
    """(from, to) pairs of a table that editors keep by hand."""
    with open(path, newline="", encoding="utf-8") as table:
        return [tuple(row) for row in csv.reader(table) if len(row) == 2]


def snapshot_page(path, name):
    """A page out of a snapshot of the site."""
    with zipfile.ZipFile(path) as snapshot, snapshot.open(name) as page:
        return page.read()


def open_findings(path):
    db = sqlite3.connect(path)
    try:
        for statement in SETUP:
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    return db


async def open_session(settings):
    """A session that has seen the first page of the site."""
    session = aiohttp.ClientSession(headers={"User-Agent": settings.get("agent", "linkcheck")})
    try:
        async with session.get(settings["start"]) as reply:
            if reply.status != 200:
                raise NoSite(settings["start"])
    except BaseException:
        await session.close()
        raise
    return session


@asynccontextmanager
async def outside_client(seconds):
    """For links that lead out of the site."""
    client = httpx.AsyncClient(timeout=seconds, follow_redirects=True)
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def csv_report(path):
    """A writer for rows of a report."""
    out = open(path, "w", newline="", encoding="utf-8")
    try:
        yield csv.writer(out)
    finally:
        out.close()


def broken_in(path):
    """Addresses that an earlier report calls broken."""
    with open(path, newline="", encoding="utf-8") as rows:
        for row in csv.reader(rows):
            if row and row[0] != "200":
                yield row[-1]


class CheckTrace:
    """Every request of a check, packed, to look into later."""

    def __init__(self, path):
        self.requests = 0
        self._out = gzip.open(path, "wt", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._out.close()

    def note(self, status, url):
        self._out.write(f"{status} {url}\n")
        self.requests += 1


class PageFetcher:
    """Asks for pages, over a session that is renewed when the server wants that."""

    def __init__(self, settings):
        self.settings = settings
        self._session = None

    async def start(self):
        self._session = await open_session(self.settings)
        try:
            async with self._session.get(urljoin(self.settings["start"], "/robots.txt")) as reply:
                self.robots = await reply.text() if reply.status == 200 else ""
        except BaseException:
            await self._session.close()
            raise

    async def aclose(self):
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def renew(self):
        if self._session is not None:
            await self._session.close()
        self._session = await open_session(self.settings)

    async def page(self, url):
        """(status, text) of a page; the text of what is no page is empty."""
        reply = await self._session.get(url)
        try:
            if reply.status != 200:
                return reply.status, ""
            body = await reply.read()
        finally:
            reply.release()
        return 200, body.decode("utf-8", "replace") if body[:1] == b"<" else ""


class LinkChecker:
    def __init__(self, folder):
        self.folder = folder
        self.settings = _site_settings(os.path.join(folder, "site.json"))
        prefixes = _ignored_prefixes(os.path.join(folder, "ignore"))
        self.ignored = ("mailto:", *prefixes.split())

    def path(self, name):
        return os.path.join(self.folder, name)

    async def check(self, limit=100):
        """Follow the links from the first page on; the number of pages seen."""
        start = self.settings["start"]
        seen, pending = {start}, [(start, "")]
        async with AsyncExitStack() as stack:
            fetcher = PageFetcher(self.settings)
            await fetcher.start()
            stack.push_async_callback(fetcher.aclose)
            outside = await stack.enter_async_context(outside_client(5))
            with CheckTrace(self.path("trace.gz")) as trace:
                while pending and len(seen) < limit:
                    url, page = pending.pop()
                    if url.startswith(start):
                        status, text = await fetcher.page(url)
                    else:
                        status, text = await self.head(outside, url), ""
                    trace.note(status, url)
                    self.keep(url, status, page)
                    fresh = [link for link in links_of(text, url) if link not in seen and not link.startswith(self.ignored)]
                    seen.update(fresh)
                    pending += [(link, url) for link in fresh]
        return len(seen)

    async def head(self, client, url):
        try:
            async with client.stream("GET", url) as reply:
                return reply.status_code
        except httpx.HTTPError:
            return 0

    async def sizes(self, urls):
        """Bytes of each page."""
        found = {}
        async with aiohttp.ClientSession() as session:
            for url in urls:
                async with session.get(url) as reply:
                    if reply.status != 200:
                        continue
                    found[url] = len(await reply.read())
        return found

    def keep(self, url, status, page):
        with closing(open_findings(self.path("findings.db"))) as db, db:
            db.execute("INSERT OR REPLACE INTO finding VALUES (?, ?, ?)", (url, status, page))

    def broken(self):
        found = []
        with closing(sqlite3.connect(self.path("findings.db"))) as db:
            for status, page, url in db.execute("SELECT status, page, url FROM finding ORDER BY url"):
                if status != 200:
                    found.append((status, page, url))
        return found

    def summary(self, wanted=()):
        """Numbers of the findings for each status, or of those that are wanted."""
        db = open_findings(self.path("findings.db"))
        if not wanted:
            db.close()
            return {}
        try:
            rows = db.execute("SELECT status, count(*) FROM finding GROUP BY status").fetchall()
        finally:
            db.close()
        return {status: count for status, count in rows if status in wanted}

    def report(self):
        rows = self.broken()
        with csv_report(self.path("report.csv")) as writer:
            writer.writerows(rows)
        return len(rows)

    def web_report(self, command):
        """The report as a web page, made by a formatter that reads the table."""
        with ExitStack() as stack:
            table = stack.enter_context(open(self.path("report.csv"), "rb"))
            proc = subprocess.Popen(command, stdin=table, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".html")
        try:
            with os.fdopen(fd, "wb") as page:
                page.write(out)
            os.replace(draft, self.path("report.html"))
        except BaseException:
            os.unlink(draft)
            raise

    def merge(self, names):
        """Broken addresses of several reports in one list."""
        count = 0
        out = open(self.path("broken.txt"), "w", encoding="utf-8")
        try:
            for name in names:
                with closing(broken_in(self.path(name))) as urls:
                    for url in urls:
                        out.write(url + "\n")
                        count += 1
        finally:
            out.close()
        return count

    def lock(self):
        """Mark that a check is on; whether it was not on before."""
        try:
            fd = os.open(self.path("lock"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        try:
            os.write(fd, b"%d\n" % os.getpid())
        finally:
            os.close(fd)
        return True


def main(folder):
    checker = LinkChecker(folder)
    if checker.lock():
        try:
            asyncio.run(checker.check())
            checker.report()
        finally:
            os.unlink(checker.path("lock"))
