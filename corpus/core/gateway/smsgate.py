"""A gateway for short messages: providers are asked, messages go out in turns, receipts come back, a ledger is kept.

A provider answers ``/send`` with a number, ``/balance`` with credits and ``/receipts`` with a line ``number state``
for each message that has arrived somewhere.
"""

import asyncio
import contextlib
import csv
import gzip
import logging
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import aiohttp

log = logging.getLogger("smsgate")

STATSD = ("127.0.0.1", 8125)
PART = 153
PREFIXES = (("+41", "CH"), ("+43", "AT"), ("+49", "DE"))


class GatewayError(Exception):
    """A provider says nothing that can be used."""


def split_text(text):
    """Parts of a message that is too long for one."""
    return [text[at : at + PART] for at in range(0, len(text), PART)]


def number_of(text):
    if not text.strip().isdigit():
        raise GatewayError(f"no number: {text[:20]!r}")
    return int(text)


async def credits_left(provider):
    async with aiohttp.ClientSession(provider) as session:
        for _ in range(2):
            async with session.get("/balance") as reply:
                if reply.status == 200:
                    return number_of(await reply.text())
    return 0


async def send_part(provider, to, part):
    session = aiohttp.ClientSession(provider)
    try:
        async with session.post("/send", json={"to": to, "text": part}) as reply:
            return number_of(await reply.text())
    finally:
        await session.close()


async def receipts(provider):
    """Number and state of each message, as the provider tells them."""
    async with aiohttp.ClientSession(provider) as session:
        async with session.get("/receipts") as reply:
            for line in (await reply.text()).splitlines():
                number, _, state = line.partition(" ")
                yield number, state


async def state_of(provider, wanted):
    async with contextlib.aclosing(receipts(provider)) as lines:
        async for number, state in lines:
            if number == wanted:
                return state
    return None


class BalanceWatch:
    """Asks for the credits now and then."""

    def __init__(self, provider, pause):
        self.credits = None
        self._provider = provider
        self._pause = pause
        self._asking = None

    def start(self):
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self):
        while True:
            with contextlib.suppress(GatewayError, aiohttp.ClientError):
                self.credits = await credits_left(self._provider)
            await asyncio.sleep(self._pause)

    async def close(self):
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
            self._asking = None


class SendingTurns:
    """Hands out what waits, a few at a time, so that no provider is flooded."""

    def __init__(self, hand_out, pause, few=4):
        self._hand_out = hand_out
        self._pause = pause
        self._few = few
        self._waiting = deque()
        self._turning = None

    def add(self, to, text):
        self._waiting.append((to, text))

    def start(self):
        if self._turning is None:
            self._turning = asyncio.get_running_loop().create_task(self._turn())

    async def _turn(self):
        while True:
            for _ in range(min(self._few, len(self._waiting))):
                self._hand_out(*self._waiting.popleft())
            await asyncio.sleep(self._pause)

    async def stop(self):
        if self._turning is not None:
            self._turning.cancel()
            await asyncio.gather(self._turning, return_exceptions=True)
            self._turning = None


class LineKeeper:
    """Keeps the line to a provider from being closed on us."""

    def __init__(self, ping, pause):
        self.pings = 0
        self._ping = ping
        self._pause = pause
        self._pinging = asyncio.create_task(self._ping_on(), name="line")

    async def _ping_on(self):
        while True:
            await asyncio.sleep(self._pause)
            try:
                self._ping()
                self.pings += 1
            except OSError as error:
                log.warning("no ping: %s", error)

    async def close(self):
        self._pinging.cancel()
        try:
            await self._pinging
        except asyncio.CancelledError:
            pass
        log.debug("%d pings", self.pings)


class Dispatch:
    """Sends messages in the background, each to its end."""

    def __init__(self, provider):
        self.numbers = {}
        self._provider = provider
        self._sending = set()

    async def _send(self, to, text):
        for part in split_text(text):
            self.numbers[to] = await send_part(self._provider, to, part)

    def send(self, to, text):
        sending = asyncio.create_task(self._send(to, text))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    def forget(self, to):
        self.numbers.pop(to, None)

    async def close(self):
        await asyncio.gather(*self._sending, return_exceptions=True)


class ProviderLink:
    """One session for all that is asked of a provider."""

    def __init__(self, provider):
        self.asked = 0
        self._provider_session = aiohttp.ClientSession(provider)

    async def states(self, numbers):
        found = {}
        for number in numbers:
            self.asked += 1
            async with self._provider_session.get(f"/state/{number}") as reply:
                if reply.status == 200:
                    found[number] = await reply.text()
        return found

    async def close(self):
        await self._provider_session.close()


async def count_receipts(provider, out):
    async for _, state in receipts(provider):
        out[state] = out.get(state, 0) + 1


async def survey(providers):
    """How many messages are in which state, of all providers at once."""
    states = {}
    counting = [asyncio.create_task(count_receipts(provider, states)) for provider in providers]
    await asyncio.gather(*counting, return_exceptions=True)
    return states


class ModemWatch:
    """Looks whether the emergency modem is plugged in."""

    def __init__(self, device, pause=0.001):
        self.seen = 0
        self._device = device
        self._pause = pause
        self._enough = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="modem")
        self._watcher.start()

    def _watch(self):
        while not self._enough.wait(self._pause):
            if os.path.exists(self._device):
                self.seen += 1

    def close(self):
        self._enough.set()
        self._watcher.join(1)


class SimConsole:
    """What can be done with the card in the modem, by name; each use is noted."""

    def __init__(self, notes):
        self.unlocked = False
        self._verbs = {"unlock": self.unlock, "lock": self.lock}
        self._notes = open(notes, "a", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def do(self, verb):
        self._verbs[verb]()
        self._notes.write(verb + "\n")

    def unlock(self):
        self.unlocked = True

    def lock(self):
        self.unlocked = False

    def close(self):
        self._notes.close()


class OldLedger:
    """A packed ledger of some month; it is read a line at a time."""

    def __init__(self, path):
        self._rows = gzip.open(path, "rt", encoding="utf-8")
        weakref.finalize(self, self._rows.close)

    def next_row(self):
        return self._rows.readline().rstrip("\n").split(";")

    def close(self):
        self._rows.close()


class Checkers:
    """Has texts checked for what providers do not carry."""

    def __init__(self, check):
        self.checked = 0
        self._check = check
        self._checkers = ThreadPoolExecutor(1)

    def submit(self, text):
        return self._checkers.submit(self._check, text)

    def all_fine(self, texts):
        with ThreadPoolExecutor(2) as team:
            for fine in team.map(self._check, texts):
                self.checked += 1
                if not fine:
                    return False
        return True

    def close(self):
        self._checkers.shutdown()


def exercise_card(notes, verbs):
    with SimConsole(notes) as card:
        for verb in verbs:
            card.do(verb)


def count(name, values):
    """Tells the statistics, which may be there or not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for value in values:
            sock.sendto(f"sms.{name}:{value}|c".encode("ascii"), STATSD)


def country_of(number):
    with contextlib.closing(sqlite3.connect(":memory:")) as plan:
        plan.execute("CREATE TABLE IF NOT EXISTS plan (prefix TEXT PRIMARY KEY, country TEXT)")
        for prefix, country in PREFIXES:
            plan.execute("INSERT OR REPLACE INTO plan VALUES (?, ?)", (prefix, country))
        row = plan.execute("SELECT country FROM plan WHERE ? LIKE prefix || '%'", (number,)).fetchone()
        return None if row is None else row[0]


def bundle(ledgers, target):
    """Puts ledgers into one archive, under the names that the book-keeping wants."""
    work = tempfile.mkdtemp()
    try:
        for month, rows in ledgers:
            with open(os.path.join(work, f"sms-{month}.csv"), "w", newline="", encoding="utf-8") as out:
                for row in rows:
                    csv.writer(out).writerow(row)
        shutil.make_archive(target, "zip", work)
    finally:
        shutil.rmtree(work)
