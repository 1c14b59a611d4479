"""Calls into press/wiredesk.py."""

import asyncio
import gzip
import os
import time
import zipfile
from contextlib import suppress

import httpx
from press import wiredesk

WIRE = "http://localhost:9"


def _wire():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/stories": (200, b"flood: River over its banks\nelection-2: Second round\nfair: A fair day\n"),
            "/story/flood": (200, b"The river."),
            "/corrections": (200, b""),
        }
    )


async def fetches(box):
    _wire()
    await wiredesk.fetch(WIRE, ["flood"])
    with box.raises(wiredesk.StoryError):
        await wiredesk.fetch(WIRE, ["flood", "fair"])
    with box.raises(wiredesk.StoryError):
        await wiredesk.fetch(WIRE, ["A Story"])


async def looks_for_stories(box):
    _wire()
    await wiredesk.first_about(WIRE, "round")
    await wiredesk.first_about(WIRE, "moon")


async def corrects(box):
    _wire()
    await wiredesk.correct(WIRE, "flood", "no river")
    httpx.answers["/corrections"] = (500, b"")
    await wiredesk.correct(WIRE, "flood", "no river")


async def follows_headlines(box):
    _wire()
    async with box.using(wiredesk.FrontPage(WIRE, 0.001)) as page:
        page.start()
        page.start()
        await asyncio.sleep(0.003)


async def never_follows(box):
    async with box.using(wiredesk.FrontPage(WIRE, 0.001)):
        pass


async def has_a_deadline(box):
    async with box.using(wiredesk.Deadline(3, lambda minutes: None, 0.001)):
        await asyncio.sleep(0.003)


async def sends_corrections(box):
    _wire()
    async with box.using(wiredesk.Corrections([WIRE, WIRE])) as corrections:
        corrections.send("flood", "no river")
        await asyncio.sleep(0)
        corrections.send("fair", "no fair")


def listens(box):
    lines = ["one", ""]
    heard = []
    wiredesk.listen(lambda: lines.pop() if lines else "", heard.append, lambda: time.sleep(0.003))


def sets_text(box):
    with box.using(wiredesk.Galley(box.path("galley"))) as galley:
        galley.column(["The river", "is high."])
        galley.remark("short")


def sets_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("galley.text"))
    with suppress(OSError):
        with box.using(wiredesk.Galley(box.path("galley"))) as galley:
            galley.column(["The river"])
            galley.remark("short")


def looks_into_old_issues(box):
    with gzip.open(box.path("issue"), "wt") as out:
        out.write("The river\nThe fair\n")
    for _ in box.rounds(2):
        with box.using(wiredesk.Issue(box.path("issue"))) as issue:
            issue.about("river")


def has_clippings(box):
    with zipfile.ZipFile(box.path("box.zip"), "w") as archive:
        archive.writestr("a", "The river")
    for _ in box.rounds(2):
        with box.using(wiredesk.Clippings(box.path("box.zip"))) as clippings:
            clippings.cutting("a")


def reads_proofs(box):
    with box.using(wiredesk.Proofreaders(str.title)) as readers:
        readers.give("the river").result()


def has_a_style(box):
    with zipfile.ZipFile(box.path("styles.zip"), "w") as archive:
        archive.writestr("words", "E-Mail\nSmartphone\n")
    for _ in box.rounds(2):
        wiredesk.style_of("e-mail")
        wiredesk.style_of("river")


def ticks(box):
    for _ in box.rounds(2):
        wiredesk.tick(["River over its banks", "A fair day"])


def makes_up(box):
    wiredesk.make_up([("flood", "The river."), ("fair", "A day.")], box.path("issue"))
    with box.raises(wiredesk.StoryError):
        wiredesk.make_up([("A Story", "")], box.path("other"))


def shows_proofs(box):
    wiredesk.proof(["The river", "is high."], lambda path: None)


def takes_letters(box):
    with box.using(wiredesk.Letters(box.path("letters"))) as letters:
        letters.take("Dear editor")


def takes_odd_letters(box):
    with box.using(wiredesk.Letters(box.path("letters"))) as letters:
        letters.take("You will hear from me", fine=False)
        letters.take("Again", fine=False)
