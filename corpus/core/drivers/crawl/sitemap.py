"""Calls into crawl/sitemap.py."""

import asyncio

import aiohttp
from crawl import sitemap

SITE = "http://localhost:8080"


def _site():
    aiohttp.answers.clear()
    aiohttp.answers.update(
        {
            "/sitemap.xml": (200, b"<urlset>\n<loc> /a </loc>\n<loc>/b</loc>\n<loc>/c</loc></urlset>"),
            "/empty.xml": (200, b"<urlset/>"),
            "/a": (200, b"page a"),
            "/b": (200, b"page b"),
            "/down": aiohttp.ClientConnectionError("refused"),
            "/report": (200, b""),
        }
    )


async def fetches(box):
    _site()
    await sitemap.fetch_text(SITE + "/a")
    await sitemap.page_size(SITE + "/a")
    await sitemap.answers(SITE + "/a")
    await sitemap.tell(SITE + "/report", {"a": 1})
    with box.raises(sitemap.SitemapError):
        await sitemap.fetch_text(SITE + "/nowhere")


async def reads_lines(box):
    _site()
    await sitemap.first_location(SITE + "/sitemap.xml")
    await sitemap.first_location(SITE + "/empty.xml")
    await sitemap.count_until(SITE + "/sitemap.xml", "/b")
    await sitemap.count_until(SITE + "/sitemap.xml", "nothing")


async def crawls(box):
    _site()
    async with box.using(sitemap.SiteCrawler(SITE)) as crawler:
        paths = await crawler.pages()
        await crawler.gone(paths)
        await crawler.measure_all(paths)
        for number in box.rounds(26):
            crawler.note_size("/page%d" % number, number)
            sitemap.page_name("/page%d" % number)
            await crawler.status("/down")
        crawler.known_size("/a")


async def links_many(box):
    for number in box.rounds(50):
        sitemap.page_name("/page%d" % number)


async def measures_later(box):
    _site()
    async with box.using(sitemap.SiteCrawler(SITE)) as crawler:
        crawler.measure_soon("/a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        crawler.measure_soon("/b")


async def surveys(box):
    _site()
    await sitemap.survey(SITE)


async def has_no_pages(box):
    _site()
    aiohttp.answers["/sitemap.xml"] = (200, b"")
    with box.raises(sitemap.SitemapError):
        await sitemap.survey(SITE, 0.001)


async def is_busy(box):
    _site()
    await sitemap.busy(SITE + "/a", lambda: None)


async def ticks(box):
    async with box.using(sitemap.Ticker(lambda: None, 0.001)) as ticker:
        ticker.start()
        ticker.start()
        await asyncio.sleep(0.003)


async def never_ticks(box):
    async with box.using(sitemap.Ticker(lambda: None, 0.001)):
        pass
