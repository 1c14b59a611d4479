"""Calls into clients/linkcheck.py."""

import io
import json
import zipfile

import aiohttp
import httpx
from clients import linkcheck

SITE = "http://localhost/"
FIRST = b'<p><a href="two.html">two</a><img src="gone.png"><a href="http://example.org/x">x</a><a href="http://127.0.0.1/down">y</a><a href="/old/1">z</a>'


def _checker(box, start=200, robots=200):
    aiohttp.answers.clear()
    aiohttp.answers["/two.html"] = (200, b"<a href='/'>back</a>")
    aiohttp.answers["/gone.png"] = (404, b"")
    aiohttp.answers["/robots.txt"] = (robots, b"User-agent: *")
    aiohttp.answers[SITE] = (start, FIRST)
    httpx.answers.clear()
    httpx.answers["example.org"] = (200, b"fine")
    httpx.answers["down"] = httpx.ConnectError("down")
    box.write("site.json", json.dumps({"start": SITE}))
    box.write("ignore", SITE + "old/\n")
    return linkcheck.LinkChecker(box.path())


async def checks(box):
    checker = _checker(box)
    await checker.check()
    checker.report()
    checker.merge(["report.csv"])
    checker.summary([200, 404])
    checker.summary()


def runs_from_the_shell(box):
    _checker(box)
    linkcheck.main(box.path())
    box.write("lock", "")
    linkcheck.main(box.path())


async def site_is_away(box):
    with box.raises(linkcheck.NoSite):
        await _checker(box, start=500).check()


async def measures_sizes(box):
    await _checker(box).sizes([SITE + "two.html", SITE + "gone.png"])


async def session_is_renewed(box):
    checker = _checker(box, robots=404)
    async with box.using(linkcheck.PageFetcher(checker.settings)) as fetcher:
        await fetcher.start()
        await fetcher.renew()
        await fetcher.page(SITE + "two.html")
        await fetcher.aclose()
        await fetcher.renew()


def makes_a_web_report(box):
    checker = _checker(box)
    checker.keep(SITE, 404, "")
    checker.report()
    checker.web_report(["/bin/cat"])
    box.take(linkcheck.broken_in(box.path("report.csv")))
    list(linkcheck.broken_in(box.write("old.csv", "200,one.html\n404,two.html\n")))


def reads_tables(box):
    linkcheck.known_redirects(box.write("redirects.csv", "a,b\nc\n"))
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("one.html", "<p>")
    linkcheck.snapshot_page(box.write("site.zip", pack.getvalue()), "one.html")


async def blocks_fail(box):
    with box.raises(RuntimeError), linkcheck.csv_report(box.path("report.csv")):
        box.fail()
    with box.raises(RuntimeError):
        async with linkcheck.outside_client(1):
            box.fail()
