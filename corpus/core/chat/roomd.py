"""A chat room over TCP: lines in, lines out, one task per guest, a transcript on disk.

    room = Room("transcript.txt")
    port = await room.open()
    ...
    await room.close()
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import weakref
from collections import deque
from contextlib import aclosing, suppress
from functools import cached_property, lru_cache
from typing import AsyncIterator, Optional

import httpx

log = logging.getLogger("roomd")

RECENT = 16
BANNED_AT = 20


class ChatError(Exception):
    """A guest breaks the rules."""


@lru_cache(maxsize=32)
def tidy_nick(nick: str) -> str:
    return "".join(c for c in nick if c.isalnum())[:12] or "guest"


def parse_line(raw: bytes) -> tuple[str, str]:
    """Command and rest of a line."""
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ChatError("not UTF-8") from error
    if text.startswith("/"):
        command, _, rest = text[1:].partition(" ")
        return command, rest
    return "say", text


class Guest:
    """Somebody in a room, which it does not keep alive."""

    def __init__(self, room: Room, nick: str, writer: asyncio.StreamWriter) -> None:
        self.nick = tidy_nick(nick)
        self.room = weakref.proxy(room)
        self._problem: Optional[str] = None
        self.writer = writer

    @cached_property
    def greeting(self) -> str:
        return f"welcome, {self.nick}\n"

    async def hear(self, text: str) -> None:
        try:
            self.writer.write(text.encode("utf-8"))
            await self.writer.drain()
        except ConnectionError as error:
            self._problem = repr(error)

    async def say(self, text: str) -> None:
        await self.room.tell(f"{self.nick}: {text}\n")


class Transcript:
    """What was said."""

    def __init__(self, path: str) -> None:
        self.lines = 0
        self._out = open(path, "a", encoding="utf-8")

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def add(self, text: str) -> None:
        self._out.write(text)
        self.lines += 1

    def close(self) -> None:
        self._out.close()


class Room:
    """The room, its door and its guests."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._banned: list[str] = []
        self._guests: dict[str, Guest] = {}
        self._server: Optional[asyncio.base_events.Server] = None
        self._janitor: Optional[asyncio.Task[None]] = None
        self._announcing: set[asyncio.Task[None]] = set()
        self.sweeps = 0

    async def open(self, port: int = 0) -> int:
        if self._server is None:
            self._server = await asyncio.start_server(self._visit, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    def tidy_up(self) -> None:
        self._janitor = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            self.sweeps += 1

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            nick = tidy_nick((await reader.readline()).decode("utf-8", "replace").strip())
            guest = Guest(self, nick, writer)
            self._guests[guest.nick] = guest
            try:
                await guest.hear(guest.greeting)
                await self._listen(guest, reader)
            finally:
                self._guests.pop(guest.nick, None)
        finally:
            writer.close()

    async def _listen(self, guest: Guest, reader: asyncio.StreamReader) -> None:
        while raw := await reader.readline():
            command, rest = parse_line(raw)
            if command == "quit":
                return
            if command == "say":
                await guest.say(rest)

    async def tell(self, text: str) -> None:
        self._recent.append(text)
        for guest in list(self._guests.values()):
            await guest.hear(text)

    def ban(self, nick: str) -> None:
        self._banned.append(nick)
        if len(self._banned) > BANNED_AT:
            self._banned.pop(0)

    def banned(self, nick: str) -> bool:
        return nick in self._banned

    def recent(self) -> list[str]:
        lines = []
        for text in self._recent:
            lines.append(text.rstrip("\n"))
        return list(lines)

    def announce(self, text: str, pause: float) -> None:
        """Says something later."""
        announcing = asyncio.create_task(self._announce(text, pause))
        self._announcing.add(announcing)
        announcing.add_done_callback(self._announcing.discard)

    async def _announce(self, text: str, pause: float) -> None:
        await asyncio.sleep(pause)
        await self.tell(text)

    async def stop_tidying(self) -> None:
        if self._janitor is not None:
            self._janitor.cancel()
            await asyncio.gather(self._janitor, return_exceptions=True)
            self._janitor = None

    async def close(self) -> None:
        try:
            if self._server is not None:
                self._server.close()
                self._server = None
        finally:
            try:
                await self.stop_tidying()
            finally:
                for announcing in list(self._announcing):
                    announcing.cancel()
                await asyncio.gather(*self._announcing, return_exceptions=True)


async def keep_transcript(path: str, texts: list[str]) -> int:
    with Transcript(path) as transcript:
        for text in texts:
            transcript.add(text)
        return transcript.lines


async def history(url: str) -> AsyncIterator[str]:
    """Older lines, from the archive of all rooms."""
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", url) as reply:
            async for line in reply.aiter_lines():
                yield line


async def last_of(url: str, nick: str) -> Optional[str]:
    async with aclosing(history(url)) as lines:
        async for line in lines:
            if line.startswith(nick + ":"):
                return line
    return None


async def how_far(url: str, text: str) -> int:
    steps = 0
    async with aclosing(history(url)) as lines:
        async for line in lines:
            steps += 1
            if text in line:
                break
    return steps


async def motto(url: str) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        reply = await client.get("/motto")
        return reply.text.strip()


async def hand_in(url: str, path: str) -> None:
    client = httpx.AsyncClient(base_url=url)
    try:
        with open(path, encoding="utf-8") as source:
            await client.post("/transcripts", json=source.read().splitlines())
    finally:
        await client.aclose()


async def is_member(url: str, nick: str) -> bool:
    client = httpx.AsyncClient(base_url=url)
    try:
        reply = await client.get("/members")
        return nick in json.loads(reply.text)
    finally:
        await client.aclose()


async def count_down(out: list[int], pause: float) -> None:
    while True:
        out.append(len(out))
        await asyncio.sleep(pause)


async def timed_motto(url: str) -> tuple[str, int]:
    """The motto, and how often the clock ticked meanwhile."""
    ticks: list[int] = []
    ticking = asyncio.create_task(count_down(ticks, 0.001))
    try:
        return await motto(url), len(ticks)
    finally:
        ticking.cancel()


async def mottos(urls: list[str]) -> int:
    asking = [asyncio.create_task(motto(url)) for url in urls]
    await asyncio.gather(*asking, return_exceptions=True)
    return len(urls)


def forget(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
