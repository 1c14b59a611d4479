"""Pages people: alarms come in, go out over gateways, are repeated until somebody answers, and end in a journal."""

import asyncio
import contextlib
import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx


class PageError(Exception):
    """An alarm can't be read."""


def parse_alarm(text):
    try:
        fields = json.loads(text)
        return fields["to"], fields["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise PageError(text[:40]) from error


async def gateway_up(gateway):
    async with httpx.AsyncClient(base_url=gateway) as probe:
        reply = await probe.get("/health")
        return reply.is_success


async def on_duty(rota):
    async with httpx.AsyncClient(base_url=rota) as asking:
        reply = await asking.get("/duty")
        return reply.text.split()


async def page_once(gateway, to, text):
    client = httpx.AsyncClient(base_url=gateway)
    try:
        reply = await client.post("/page", json={"to": to, "text": text})
        return reply.status_code
    finally:
        await client.aclose()


async def acknowledge(gateway, number):
    client = httpx.AsyncClient(base_url=gateway)
    try:
        await client.post(f"/ack/{number}")
    finally:
        await client.aclose()


async def alarms(source):
    """Alarms of a source, as they come."""
    async with httpx.AsyncClient(base_url=source) as stream:
        reply = await stream.get("/alarms")
        for line in reply.text.splitlines():
            yield parse_alarm(line)


async def first_alarm_for(source, who):
    async with contextlib.aclosing(alarms(source)) as incoming:
        async for to, text in incoming:
            if to == who:
                return text
    return None


async def count_before(source, who):
    count = 0
    async with contextlib.aclosing(alarms(source)) as incoming:
        async for to, _ in incoming:
            if to == who:
                break
            count += 1
    return count


class RepeatingPage:
    """Says the same again until it is stopped."""

    def __init__(self, say, pause):
        self.said = 0
        self.silenced = False
        self._say = say
        self._pause = pause
        self._repeating = None

    def start(self):
        self._repeating = asyncio.create_task(self._repeat())

    async def _repeat(self):
        while True:
            self._say(self.said)
            self.said += 1
            await asyncio.sleep(self._pause)

    async def close(self):
        self.silenced = True
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.gather(self._repeating, return_exceptions=True)
            self.silenced = self._repeating.done()


class GatewayDesk:
    """Pages over one gateway, with one client for all."""

    def __init__(self, gateway):
        self.codes = {}
        self._gateway_client = httpx.AsyncClient(base_url=gateway)

    async def page(self, to, text):
        reply = await self._gateway_client.post("/page", json={"to": to, "text": text})
        self.codes[to] = reply.status_code

    def forget(self, to):
        self.codes.pop(to, None)

    async def close(self):
        await self._gateway_client.aclose()


class Escalation:
    """Pages one after the other, in the background."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._climbing = set()

    async def _climb(self, people, text):
        for who in people:
            await page_once(self._gateway, who, text)
            await asyncio.sleep(0)

    def escalate(self, people, text):
        climbing = asyncio.create_task(self._climb(people, text))
        self._climbing.add(climbing)
        climbing.add_done_callback(self._climbing.discard)

    async def close(self):
        await asyncio.gather(*self._climbing, return_exceptions=True)


async def blink(lamps, pause):
    while True:
        lamps.append(len(lamps) % 2)
        await asyncio.sleep(pause)


async def duty_with_lamp(rota):
    lamps = []
    blinking = asyncio.create_task(blink(lamps, 0.001))
    try:
        return await on_duty(rota)
    finally:
        blinking.cancel()


async def page_rounds(gateway, who, rounds):
    for _ in range(rounds):
        await page_once(gateway, who, "again")
        await asyncio.sleep(0)


async def page_all(gateway, people, rounds):
    paging = [asyncio.create_task(page_rounds(gateway, who, rounds)) for who in people]
    await asyncio.gather(*paging, return_exceptions=True)


class PagerJournal:
    """Writes what happened, in a thread, so that nobody waits for the disk."""

    def __init__(self, path):
        self.written = 0
        self._path = path
        self._entries = queue.Queue()
        self._scribe = threading.Thread(target=self._write)
        self._scribe.start()

    def note(self, text):
        self._entries.put(text)

    def _write(self):
        while True:
            text = self._entries.get()
            if text is None:
                break
            with contextlib.suppress(OSError):
                with open(self._path, "a", encoding="utf-8") as out:
                    out.write(text + "\n")
            self.written += 1

    def close(self):
        self._entries.put(None)
        self._scribe.join()


class BatteryWatch:
    """Looks at the batteries of pagers now and then."""

    def __init__(self, look, pause):
        self.looks = 0
        self._look = look
        self._pause = pause
        self._enough = threading.Event()
        self._looker = threading.Thread(target=self._watch)

    def start(self):
        self._looker.start()

    def _watch(self):
        while not self._enough.wait(self._pause):
            self._look()
            self.looks += 1

    def close(self):
        self._enough.set()
        if self._looker.ident is not None:
            self._looker.join(1)


class Translators:
    """Translates texts beside everything else."""

    def __init__(self, translate):
        self.translated = 0
        self._translate = translate
        self._desk = ThreadPoolExecutor(1)

    def submit(self, text):
        return self._desk.submit(self._translate, text)

    def translate_all(self, texts):
        with ThreadPoolExecutor(2) as many:
            found = list(many.map(self._translate, texts))
        self.translated += len(found)
        return tuple(found)

    def close(self):
        self._desk.shutdown()


def read_while(path, call):
    """Calls something while a thread counts how often the file can be opened."""
    done = threading.Event()
    opened = []

    def read():
        while not done.is_set():
            with contextlib.suppress(OSError):
                with open(path, "rb") as source:
                    opened.append(len(source.read(1)))
            done.wait(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        call()
    finally:
        done.set()
        reader.join()
    return len(opened)
