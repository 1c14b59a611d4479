"""Calls into gateway/smsgate.py."""

import asyncio
import gzip
import time

import aiohttp
from gateway import smsgate

GATE = "http://localhost:6"


def _provider():
    aiohttp.answers.clear()
    aiohttp.answers.update(
        {
            "/balance": (200, b"120\n"),
            "/send": (200, b"7"),
            "/receipts": (200, b"7 arrived\n8 lost\n9 arrived\n"),
            "/state/7": (200, b"arrived"),
        }
    )


async def asks(box):
    _provider()
    await smsgate.credits_left(GATE)
    await smsgate.state_of(GATE, "8")
    await smsgate.state_of(GATE, "1")
    await smsgate.survey([GATE, GATE])
    aiohttp.answers["/balance"] = (500, b"")
    await smsgate.credits_left(GATE)


async def is_not_understood(box):
    _provider()
    aiohttp.answers["/send"] = (200, b"later")
    with box.raises(smsgate.GatewayError):
        await smsgate.send_part(GATE, "+41 1", "hello")


async def watches_the_balance(box):
    _provider()
    async with box.using(smsgate.BalanceWatch(GATE, 0.001)) as watch:
        watch.start()
        watch.start()
        await asyncio.sleep(0.003)


async def never_watches(box):
    async with box.using(smsgate.BalanceWatch(GATE, 0.001)):
        pass


async def takes_turns(box):
    turns = smsgate.SendingTurns(lambda to, text: None, 0.001, few=1)
    async with box.using(turns):
        turns.add("+41 1", "hello")
        turns.add("+41 2", "hello")
        turns.start()
        turns.start()
        await asyncio.sleep(0.003)


async def has_no_turn(box):
    async with box.using(smsgate.SendingTurns(print, 0.001)):
        pass


async def keeps_the_line(box):
    async with box.using(smsgate.LineKeeper(lambda: None, 0.001)):
        await asyncio.sleep(0.003)


async def dispatches(box):
    _provider()
    async with box.using(smsgate.Dispatch(GATE)) as dispatch:
        dispatch.send("+41 1", "x" * 160)
        await asyncio.sleep(0)
        dispatch.forget("+41 1")


async def has_a_link(box):
    _provider()
    async with box.using(smsgate.ProviderLink(GATE)) as link:
        await link.states(["7", "8"])


def watches_the_modem(box):
    with box.using(smsgate.ModemWatch(box.path())):
        time.sleep(0.003)


def uses_the_card(box):
    smsgate.exercise_card(box.path("notes"), ["unlock", "lock"])


def reads_an_old_ledger(box):
    with gzip.open(box.path("old.gz"), "wt") as out:
        out.write("7;arrived\n")
    for _ in box.rounds(2):
        with box.using(smsgate.OldLedger(box.path("old.gz"))) as ledger:
            ledger.next_row()


def checks(box):
    with box.using(smsgate.Checkers(str.isascii)) as checkers:
        checkers.submit("hello").result()
        checkers.all_fine(["hello", "there"])
        checkers.all_fine(["hello", "…"])


def counts(box):
    for _ in box.rounds(2):
        smsgate.count("sent", [1, 2])


def looks_up_countries(box):
    for _ in box.rounds(2):
        smsgate.country_of("+4179")
        smsgate.country_of("+1")


def bundles(box):
    may, june = [("7", "arrived"), ("8", "lost")], [("9", "arrived")]
    smsgate.bundle([("may", may), ("june", june)], box.path("ledgers"))
