"""Calls into chat/roomd.py."""

import asyncio

import httpx
from chat import roomd

URL = "http://localhost:9"


def _archive():
    httpx.answers.clear()
    httpx.answers.update(
        {
            "/history": (200, b"guest: hello\nother: hi\nguest: bye\n"),
            "/motto": (200, b"be kind\n"),
            "/transcripts": (200, b""),
            "/members": (200, b'["guest"]'),
        }
    )


async def _talk(port, lines):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(lines)
        writer.write_eof()
        await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def hosts(box):
    async with box.using(roomd.Room(box.path("t"))) as room:
        port = await room.open()
        await room.open()
        room.tidy_up()
        await _talk(port, b"guest\nhello\n/quit\n")
        await _talk(port, b"other\nhi\n/dance\n")
        room.recent()


async def has_a_rude_guest(box):
    async with box.using(roomd.Room(box.path("t"))) as room:
        await _talk(await room.open(), b"third\n\xff\xfe\n")


async def goes_on_for_long(box):
    async with box.using(roomd.Room(box.path("t"))) as room:
        for number in box.rounds(24):
            await room.tell("line %d\n" % number)
            room.ban("nick%d" % number)
            roomd.tidy_nick("nick %d" % number)
        room.banned("nick1")


async def knows_many_nicks(box):
    for number in box.rounds(40):
        roomd.tidy_nick("nick %d" % number)


async def announces(box):
    async with box.using(roomd.Room(box.path("t"))) as room:
        room.tidy_up()
        room.announce("later\n", 0.5)
        room.announce("now\n", 0)
        await asyncio.sleep(0.003)


async def a_line_is_cut(box):
    class Cut:
        def write(self, data):
            raise ConnectionResetError("gone")

    for _ in box.rounds(2):
        room = roomd.Room(box.path("t"))
        guest = roomd.Guest(room, "guest", Cut())
        await guest.hear(guest.greeting)
        await guest.say("hello")


async def reads_history(box):
    _archive()
    await roomd.last_of(URL + "/history", "other")
    await roomd.last_of(URL + "/history", "third")
    await roomd.how_far(URL + "/history", "hi")


async def asks_the_archive(box):
    _archive()
    await roomd.timed_motto(URL)
    await roomd.mottos([URL, URL])
    await roomd.is_member(URL, "guest")
    await roomd.hand_in(URL, box.write("t", "guest: hello\n"))


async def keeps_a_transcript(box):
    await roomd.keep_transcript(box.path("t"), ["guest: hello\n"])
    roomd.forget(box.path("t"))
    roomd.forget(box.path("t"))
