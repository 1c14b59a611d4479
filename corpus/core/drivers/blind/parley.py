"""Calls into blind/parley.py."""

import asyncio
import contextlib
import os
import socket
import struct

from blind import parley

JUDGE = ["sh", "-c", 'while read -r line; do case $line in *fie*) echo no;; *) echo ok;; esac; done']
HEAD = struct.Struct("!BBH")


def _gateway(box, **options):
    os.makedirs(box.path("logs"), exist_ok=True)
    return parley.ParleyGateway(parley.ParleyOptions(box.path("logs"), **options))


@contextlib.asynccontextmanager
async def _peer(answer):
    """A scripted peer: what it sends once it has been greeted."""
    async def handle(reader, writer):
        try:
            await reader.readline()
            writer.write(answer)
            await writer.drain()
            await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        await asyncio.sleep(0.001)


async def _say(address, *parts):
    """Send all, and read until there is nothing more; an address is a pair, or a path."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await loop.sock_sendall(sock, b"".join(parts))
            sock.shutdown(socket.SHUT_WR)
            while await asyncio.wait_for(loop.sock_recv(sock, 1000), 0.2):
                pass


async def talks_in_a_room(box):
    async with box.using(_gateway(box, filter_command=JUDGE)) as gateway:
        await gateway.start()
        async with box.using(await parley.FrameStream.dial(*gateway.address, "hall", "ada")) as stream:
            await stream.send(parley.TEXT, b"hello")
            await stream.send(parley.PING)
            await asyncio.wait_for(stream.receive(), 0.5)
            await stream.send(parley.TEXT, b"fie")
            await asyncio.wait_for(stream.receive(), 0.5)
            await stream.send(parley.BYE)
            await asyncio.wait_for(stream.receive(), 0.5)


async def reads_what_others_say(box):
    async with box.using(_gateway(box)) as gateway:
        await gateway.start()
        with gateway.room("hall") as room, room.seat("bot"):
            async with box.using(await parley.FrameStream.dial(*gateway.address, "hall", "ada")) as stream:
                await box.take(stream.texts(0.5))
                room.say("bot", "good morning")
                await box.take(stream.texts(0.5))


async def sends_people_away(box):
    async with box.using(_gateway(box)) as gateway:
        await gateway.start()
        await _say(gateway.address, b"GET / HTTP/1.0\n")
        with gateway.room("hall") as room, room.seat("ada"):
            await _say(gateway.address, b"PARLEY hall ada\n")
        await _say(gateway.address, b"PARLEY hall ada\n", HEAD.pack(3, 0, 0))


async def is_full(box):
    async with box.using(_gateway(box, guests=0)) as gateway:
        await gateway.start()
        with box.raises(parley.ParleyError):
            await parley.FrameStream.dial(*gateway.address, "hall", "ada")


async def ends_while_people_talk(box):
    async with box.using(_gateway(box)) as gateway:
        await gateway.start()
        stream = await parley.FrameStream.dial(*gateway.address, "hall", "ada")
        async with box.using(stream):
            await gateway.close()


async def has_a_console(box):
    async with box.using(_gateway(box, console="console")) as gateway:
        await gateway.start()
        await _say("console", b"rooms\nhelp\nquit\n")


async def has_no_place_for_a_console(box):
    async with box.using(_gateway(box, console="nowhere/console")) as gateway:
        with box.raises(OSError):
            await gateway.start()


async def has_a_bad_filter(box):
    async with box.using(_gateway(box, filter_command=["sh", "-c", "read line; echo no"])) as gateway:
        with box.raises(parley.ParleyError):
            await gateway.start()
    async with box.using(_gateway(box, filter_command=["/bin/true"])) as gateway:
        with box.raises(parley.ParleyError, OSError):
            await gateway.start()


async def has_a_filter_that_ends(box):
    async with box.using(await parley.WordFilter.start(["sh", "-c", "read line; echo ok"])) as judge:
        with box.raises(parley.ParleyError, OSError):
            await judge.passes("one")


async def mirrors_a_room(box):
    async with box.using(_gateway(box)) as gateway:
        await gateway.start()
        frames = HEAD.pack(parley.TEXT, 0, 3) + b"hey" + HEAD.pack(parley.PONG, 0, 0) + HEAD.pack(parley.BYE, 0, 0)
        async with _peer(b"WELCOME\n" + frames) as address:
            await gateway.mirror(*address, "hall")


async def mirrors_rubbish(box):
    async with box.using(_gateway(box)) as gateway:
        await gateway.start()
        async with _peer(b"WELCOME\n" + HEAD.pack(7, 0, 0)) as address:
            with box.raises(parley.ParleyError):
                await gateway.mirror(*address, "hall")
        async with _peer(b"FULL\n") as address:
            with box.raises(parley.ParleyError):
                await gateway.mirror(*address, "hall")


async def waits_for_a_sign_of_life(box):
    async with _peer(b"WELCOME\n") as address:
        async with box.using(await parley.FrameStream.dial(*address, "hall", "ada")) as stream:
            with box.raises(parley.ParleyError):
                await box.take(stream.texts(0.002))


def remembers_what_was_said(box):
    room = parley.ChatRoom(box.path(), "hall")
    with box.using(room):
        for number in range(3):
            with room.seat("ada") as queue, room.seat("guest%d" % number):
                room.say("ada", "line %d" % number, but="ada")
                room.say("guest", "line %d" % number)


def keeps_the_last_lines(box):
    with box.using(parley.ChatRoom(box.path(), "hall")) as room:
        for number in box.rounds(parley.HISTORY + 1):
            room.say("ada", "line %d" % number)


def opens_rooms(box):
    gateway = _gateway(box)
    for number in box.rounds(4):
        with gateway.room("room%d" % number) as room:
            with gateway.room("room%d" % number):
                room.say("ada", "hello")
        with box.raises(Exception):
            with gateway.room("hall") as room, room.seat("ada"):
                with room.seat("ada"):
                    pass


def fills_a_queue(box):
    with box.using(parley.ChatRoom(box.path(), "hall")) as room:
        with room.seat("ada"):
            for number in range(parley.BACKLOG + 2):
                room.say("guest", "line %d" % number)
