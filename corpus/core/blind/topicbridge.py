"""Carry messages from one broker to another, and into web hooks.

The brokers speak a small relative of MQTT.  A frame is a kind, a number and the length of its body; frames with a
number other than 0 are acknowledged by that number.  The body of a message is its topic, a zero byte, and what was
published.  Patterns know ``+`` for one level of a topic and ``#`` for the rest.
"""

import asyncio
import hashlib
import json
import logging
import os
import struct
from collections import OrderedDict
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import AsyncIterator, Optional

import aiohttp

logger = logging.getLogger(__name__)

GONE, HELLO, WELCOME, SUBSCRIBE, UNSUBSCRIBE, ACK, PUBLISH, PING = range(8)
HEAD = struct.Struct("!BHI")
BODY_LIMIT = 1 << 20
PATIENCE = 3.0


class LinkDown(Exception):
    """The broker refused, broke the protocol, or has gone."""


def topic_fits(pattern: str, topic: str) -> bool:
    wanted, given = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        del given[len(wanted):]
    return len(wanted) == len(given) and all(a in ("+", b) for a, b in zip(wanted, given))


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """The next frame; GONE if there is none, or none that makes sense."""
    try:
        kind, number, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        if size <= BODY_LIMIT:
            return kind, number, await reader.readexactly(size)
    except (EOFError, ConnectionError) as exc:
        logger.info("link ends: %s", exc)
    return GONE, 0, b""


async def end_link_tasks(tasks: list) -> None:
    """Cancel tasks, wait until they have ended, and empty the list."""
    try:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        tasks.clear()


class BrokerLink:
    """A connection to a broker; made by `connect`, ended by `close`."""

    def __init__(self, reader, writer, depth: int, interval: float) -> None:
        self._reader, self._writer = reader, writer
        self._depth, self._interval = depth, interval
        self._inboxes: list[tuple[str, asyncio.Queue]] = []
        self._pending: dict[int, asyncio.Future] = {}
        self._tasks: list[asyncio.Task] = []
        self._number, self.lost = 0, False

    @classmethod
    async def connect(cls, host: str, port: int, name: str, *, depth: int = 100, interval: float = 30.0) -> "BrokerLink":
        reader, writer = await asyncio.open_connection(host, port)
        link = cls(reader, writer, depth, interval)
        try:
            await link._greet(name)
        except BaseException:
            await link.close()
            raise
        return link

    async def _greet(self, name: str) -> None:
        await self._send(HELLO, 0, name.encode())
        try:
            kind, _, body = await asyncio.wait_for(read_frame(self._reader), PATIENCE)
        except asyncio.TimeoutError:
            raise LinkDown("no greeting") from None
        if kind != WELCOME:
            raise LinkDown(f"refused: {body!r}")
        for work in (self._pump, self._beat):
            self._tasks.append(asyncio.create_task(work()))

    async def close(self) -> None:
        self.lost = True
        try:
            await end_link_tasks(self._tasks)
        finally:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _send(self, kind: int, number: int, body: bytes = b"") -> None:
        self._writer.write(HEAD.pack(kind, number, len(body)) + body)
        await self._writer.drain()

    async def _beat(self) -> None:
        while not self.lost:
            await asyncio.sleep(self._interval)
            await self._send(PING, 0)

    async def _pump(self) -> None:
        """Hand out what arrives, until nothing does any more."""
        try:
            kind = None
            while kind != GONE:
                kind, number, body = await read_frame(self._reader)
                if kind == ACK:
                    answer = self._pending.pop(number, None)
                    if answer is not None and not answer.done():
                        answer.set_result(True)
                elif kind == PUBLISH:
                    name, _, payload = body.partition(b"\0")
                    topic = name.decode("utf-8", "replace")
                    for _, inbox in [each for each in self._inboxes if topic_fits(each[0], topic)]:
                        self._put(inbox, (topic, payload))
        finally:
            self.lost = True
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_result(False)
            for _, inbox in self._inboxes:
                self._put(inbox, None)

    @staticmethod
    def _put(inbox: asyncio.Queue, item) -> None:
        if inbox.full():
            inbox.get_nowait()
        inbox.put_nowait(item)

    async def _request(self, kind: int, body: bytes) -> None:
        if self.lost:
            raise LinkDown("not connected")
        self._number = number = self._number % 0xFFFF + 1
        self._pending[number] = answer = asyncio.get_running_loop().create_future()
        try:
            await self._send(kind, number, body)
            await asyncio.wait([answer], timeout=PATIENCE)
            if not answer.done() or not answer.result():
                raise LinkDown("no acknowledgement")
        except ConnectionError as exc:
            raise LinkDown(f"not sent: {exc}") from None
        finally:
            self._pending.pop(number, None)

    async def publish(self, topic: str, payload: bytes) -> None:
        await self._request(PUBLISH, topic.encode() + b"\0" + payload)

    async def messages(self, pattern: str) -> AsyncIterator[tuple[str, bytes]]:
        """What is published from now on; ends with the link."""
        entry = pattern, asyncio.Queue(self._depth)
        self._inboxes.append(entry)
        try:
            await self._request(SUBSCRIBE, pattern.encode())
            while (message := await entry[1].get()) is not None:
                yield message
        finally:
            self._inboxes.remove(entry)
            if not self.lost:
                with suppress(ConnectionError):
                    await self._send(UNSUBSCRIBE, 0, pattern.encode())


@dataclass(frozen=True)
class TopicRoute:
    pattern: str
    prefix: str = ""
    hook: Optional[str] = None


class TopicBridge:
    """Everything that fits a route goes over; what could not be delivered goes into a file."""

    def __init__(self, source: BrokerLink, target: BrokerLink, routes: list[TopicRoute], spill: str, recent=500) -> None:
        self.source, self.target, self.routes = source, target, routes
        self._recent_limit = recent
        self._recent: OrderedDict[bytes, None] = OrderedDict()
        self._spill = open(spill, "ab", buffering=0)
        self._session: Optional[aiohttp.ClientSession] = None

    async def close(self) -> None:
        session, self._session = self._session, None
        try:
            if session is not None:
                await session.close()
        finally:
            self._spill.close()

    async def run(self) -> None:
        """Carry messages until the source goes away."""
        self._session = self._session or aiohttp.ClientSession(headers={"User-Agent": "topicbridge"})
        tasks: list[asyncio.Task] = []
        try:
            for route in self.routes:
                tasks.append(asyncio.create_task(self._carry(route)))
            await asyncio.gather(*tasks)
        finally:
            await end_link_tasks(tasks)

    async def _carry(self, route: TopicRoute) -> None:
        async with aclosing(self.source.messages(route.pattern)) as messages:
            async for topic, payload in messages:
                if self._seen(route, topic, payload):
                    continue
                try:
                    await self._hand_over(route, topic, payload)
                except (LinkDown, OSError, aiohttp.ClientError) as exc:
                    logger.warning("%s: %s", topic, exc)
                    self._spill.write(json.dumps({"topic": topic, "payload": payload.hex()}).encode() + b"\n")

    def _seen(self, route: TopicRoute, topic: str, payload: bytes) -> bool:
        """Whether the same went this way lately: two bridges may point at each other."""
        digest = hashlib.sha1(f"{route.pattern}\0{topic}\0".encode() + payload).digest()
        known = digest in self._recent
        self._recent[digest] = self._recent.pop(digest, None)
        if len(self._recent) > self._recent_limit:
            self._recent.popitem(last=False)
        return known

    async def _hand_over(self, route: TopicRoute, topic: str, payload: bytes) -> None:
        if route.hook is None:
            return await self.target.publish(route.prefix + topic, payload)
        async with self._session.post(route.hook, data=payload, headers={"X-Topic": topic}) as response:
            response.raise_for_status()


async def replay(spill: str, link: BrokerLink) -> None:
    """Publish what was spilled, and remove the file once all of it went out."""
    with open(spill, encoding="ascii") as lines:
        for line in lines:
            message = json.loads(line)
            await link.publish(message["topic"], bytes.fromhex(message["payload"]))
    os.unlink(spill)
