"""A chat gateway on asyncio streams.

Guests open a TCP connection, say ``PARLEY room name`` in one line, get ``WELCOME`` or a refusal, and go on in frames
much like those of WebSocket: an opcode, a flag for the mask, a length, four bytes of mask, the payload.  Gateways can
mirror rooms of each other.  Lines may pass a filter, a child process that answers ``ok`` or ``no``.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import itertools
import logging
import os
import re
import secrets
import struct
from collections import deque
from collections.abc import AsyncIterator, Coroutine

logger = logging.getLogger(__name__)

TEXT, BYE, PING, PONG = 1, 8, 9, 10
FRAME_HEAD = struct.Struct("!BBH")
MASKED = 0x80
HISTORY = 20
BACKLOG = 64
NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")


class ParleyError(Exception):
    """The peer does not speak as it should, or does not want to speak to us."""


def with_mask(payload: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(payload, itertools.cycle(mask)))


async def until_first(*works: Coroutine) -> None:
    """Run works side by side until the first one ends; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class FrameStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mask: bool = False) -> None:
        self._reader, self._writer, self._mask = reader, writer, mask

    @classmethod
    async def dial(cls, host: str, port: int, room: str, name: str, patience: float = 5.0) -> "FrameStream":
        """A guest's stream, ready for frames."""
        stream = cls(*await asyncio.wait_for(asyncio.open_connection(host, port), patience), mask=True)
        try:
            await stream.say_line(f"PARLEY {room} {name}")
            answer = await asyncio.wait_for(stream.hear_line(), patience)
            if answer != "WELCOME":
                raise ParleyError(f"not let in: {answer}")
        except BaseException:
            await stream.close()
            raise
        return stream

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def say_line(self, line: str) -> None:
        self._writer.write(line.encode() + b"\n")
        await self._writer.drain()

    async def hear_line(self) -> str:
        return (await self._reader.readline()).decode("utf-8", "replace").rstrip()

    async def send(self, opcode: int, payload: bytes = b"") -> None:
        mask = secrets.token_bytes(4) if self._mask else b""
        head = FRAME_HEAD.pack(opcode, MASKED if mask else 0, len(payload))
        self._writer.write(head + mask + (with_mask(payload, mask) if mask else payload))
        await self._writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        opcode, flags, size = FRAME_HEAD.unpack(await self._reader.readexactly(FRAME_HEAD.size))
        mask = await self._reader.readexactly(4) if flags & MASKED else b""
        payload = await self._reader.readexactly(size)
        return opcode, with_mask(payload, mask) if mask else payload

    async def texts(self, idle: float = 60.0) -> AsyncIterator[str]:
        """What the other side says.  One that keeps quiet is asked once whether it is there."""
        asked = False
        while True:
            try:
                opcode, payload = await asyncio.wait_for(self.receive(), idle)
            except asyncio.TimeoutError:
                if asked:
                    raise ParleyError("no sign of life") from None
                asked = True
                await self.send(PING)
                continue
            except asyncio.IncompleteReadError:
                return
            asked = False
            if opcode == TEXT:
                yield payload.decode("utf-8", "replace")
            elif opcode == PING:
                await self.send(PONG, payload)
            elif opcode == BYE:
                return
            elif opcode != PONG:
                raise ParleyError(f"no opcode: {opcode}")


class WordFilter:
    """The child that judges lines."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._turn = asyncio.Lock()

    @classmethod
    async def start(cls, command: list[str]) -> "WordFilter":
        pipe = asyncio.subprocess.PIPE
        word_filter = cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))
        try:
            if not await word_filter.passes("hello"):
                raise ParleyError(f"{command[0]} lets nothing pass")
        except BaseException:
            await word_filter.close()
            raise
        return word_filter

    async def passes(self, text: str) -> bool:
        async with self._turn:
            self._child.stdin.write(text.replace("\n", " ").encode() + b"\n")
            await self._child.stdin.drain()
            answer = await self._child.stdout.readline()
        if not answer:
            raise ParleyError("the filter has ended")
        return answer.strip() == b"ok"

    async def close(self) -> None:
        end = asyncio.ensure_future(self._child.wait())
        try:
            if self._child.returncode is None:
                self._child.kill()
            await asyncio.shield(end)
        finally:
            await end


class ChatRoom:
    """Members, the last lines, and a transcript that is continued in a new file every day."""

    def __init__(self, folder: str, name: str) -> None:
        self.name, self.users = name, 0
        self._folder = folder
        self._seats: dict[str, asyncio.Queue] = {}
        self._history: deque[str] = deque(maxlen=HISTORY)
        self._day = self._transcript = None

    def _transcript_of(self, day: datetime.date):
        if day != self._day:
            self.close()
            path = os.path.join(self._folder, f"{self.name}-{day:%Y%m%d}.txt")
            self._transcript = open(path, "a", encoding="utf-8", buffering=1)
            self._day = day
        return self._transcript

    def close(self) -> None:
        transcript, self._transcript, self._day = self._transcript, None, None
        if transcript is not None:
            transcript.close()

    @contextlib.contextmanager
    def seat(self, guest: str):
        """A queue of what is said while somebody is here, beginning with what was said before."""
        if guest in self._seats:
            raise ParleyError(f"{guest} is here already")
        queue = self._seats[guest] = asyncio.Queue(BACKLOG)
        try:
            for line in self._history:
                queue.put_nowait(line)
            self.say("*", f"{guest} comes in", but=guest)
            yield queue
        finally:
            del self._seats[guest]
            self.say("*", f"{guest} has left")

    def say(self, guest: str, text: str, but: str = "") -> None:
        line = f"{guest}: {text}"
        self._transcript_of(datetime.date.today()).write(line + "\n")
        self._history.append(line)
        for name, queue in self._seats.items():
            if name == but:
                continue
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(line)


@dataclasses.dataclass
class ParleyOptions:
    folder: str
    filter_command: list[str] = dataclasses.field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    console: str = ""
    guests: int = 100
    idle: float = 60.0


class ParleyGateway:
    def __init__(self, options: ParleyOptions) -> None:
        self.options = options
        self.address = options.host, options.port
        self._rooms: dict[str, ChatRoom] = {}
        self._sessions: set[asyncio.Task] = set()
        self._places = asyncio.Semaphore(options.guests)
        self._held = contextlib.AsyncExitStack()
        self._filter = None

    async def start(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if self.options.filter_command:
                self._filter = await WordFilter.start(self.options.filter_command)
                stack.push_async_callback(self._filter.close)
            stack.push_async_callback(self._end_sessions)
            server = await asyncio.start_server(self._guest, self.options.host, self.options.port, start_serving=False)
            stack.callback(server.close)
            self.address = server.sockets[0].getsockname()[:2]
            await server.start_serving()
            if self.options.console:
                console = await asyncio.start_unix_server(self._operator, self.options.console, start_serving=False)
                stack.callback(self._end_console, console)
                await console.start_serving()
            self._held = stack.pop_all()

    async def close(self) -> None:
        await self._held.aclose()

    def _end_console(self, console: asyncio.Server) -> None:
        with contextlib.suppress(FileNotFoundError), contextlib.closing(console):
            os.unlink(self.options.console)

    async def _end_sessions(self) -> None:
        for task in self._sessions:
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions)

    @contextlib.asynccontextmanager
    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        """A stream that is closed, and a task that is known, as long as it lasts."""
        task = asyncio.current_task()
        self._sessions.add(task)
        stream = FrameStream(reader, writer)
        try:
            yield stream
        except (ParleyError, OSError, asyncio.TimeoutError) as exc:
            logger.info("session ends: %s", exc)
        finally:
            self._sessions.discard(task)
            await stream.close()

    async def _guest(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._session(reader, writer) as stream:
            if self._places.locked():
                await stream.say_line("FULL")
                return
            async with self._places:
                words = (await asyncio.wait_for(stream.hear_line(), self.options.idle)).split()
                if len(words) != 3 or words[0] != "PARLEY" or not all(map(NAME.fullmatch, words[1:])):
                    await stream.say_line("WHAT")
                    return
                with self.room(words[1]) as room, room.seat(words[2]) as queue:
                    await stream.say_line("WELCOME")
                    await until_first(self._listen(stream, room, words[2]), self._tell(stream, queue))

    @contextlib.contextmanager
    def room(self, name: str):
        """A room is there as long as somebody uses it."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = ChatRoom(self.options.folder, name)
        room.users += 1
        try:
            yield room
        finally:
            room.users -= 1
            if not room.users:
                del self._rooms[name]
                room.close()

    async def _listen(self, stream: FrameStream, room: ChatRoom, guest: str) -> None:
        async with contextlib.aclosing(stream.texts(self.options.idle)) as texts:
            async for text in texts:
                if self._filter is None or await self._filter.passes(text):
                    room.say(guest, text, but=guest)
                else:
                    await stream.send(TEXT, b"*: not said")
        await stream.send(BYE)

    @staticmethod
    async def _tell(stream: FrameStream, queue: asyncio.Queue) -> None:
        while True:
            await stream.send(TEXT, (await queue.get()).encode())

    async def _operator(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._session(reader, writer) as stream:
            while line := await stream.hear_line():
                if line == "quit":
                    break
                await stream.say_line(" ".join(sorted(self._rooms)) if line == "rooms" else "rooms or quit")

    async def mirror(self, host: str, port: int, room_name: str, name: str = "mirror") -> None:
        """Carry a room of another gateway over into the room of that name here, until one of them ends."""
        stream = await FrameStream.dial(host, port, room_name, name)
        try:
            with self.room(room_name) as room, room.seat(name) as queue:
                await until_first(self._listen(stream, room, name), self._tell(stream, queue))
        finally:
            await stream.close()
