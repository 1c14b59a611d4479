"""Calls into blind/topicbridge.py."""

import asyncio
import contextlib

import aiohttp

from blind import topicbridge
from blind.topicbridge import TopicRoute

NEWS = [("lab/1/heat", b"20"), ("lab/2/heat", b"21"), ("lab/1/heat", b"20"), ("yard/rain", b"3")]


def _frame(kind, number, body=b""):
    return topicbridge.HEAD.pack(kind, number, len(body)) + body


def _broker(news=(), welcome=topicbridge.WELCOME, deaf=(), raw=b"", stay=False, subscribers=1):
    """A scripted broker: acknowledges what it is not deaf to, and tells its news to who subscribes."""
    def handle(connection):
        waited = subscribers
        with connection.makefile("rb") as stream:
            while len(head := stream.read(topicbridge.HEAD.size)) == topicbridge.HEAD.size:
                kind, number, size = topicbridge.HEAD.unpack(head)
                stream.read(size)
                if kind == topicbridge.HELLO:
                    connection.sendall(_frame(welcome, 0, b"go away"))
                elif kind in deaf:
                    return
                elif number:
                    connection.sendall(_frame(topicbridge.ACK, number))
                waited -= kind == topicbridge.SUBSCRIBE
                if kind == topicbridge.SUBSCRIBE and not waited:
                    for topic, payload in news:
                        connection.sendall(_frame(topicbridge.PUBLISH, 0, topic.encode() + b"\0" + payload))
                    connection.sendall(raw)
                    if not stay:
                        return
    return handle


@contextlib.asynccontextmanager
async def _link(box, address, **options):
    link = await topicbridge.BrokerLink.connect(*address, "driver", **options)
    async with box.using(link):
        yield link


async def carries_messages(box):
    aiohttp.answers.clear()
    aiohttp.answers["hook/good"] = (200, b"")
    aiohttp.answers["hook/bad"] = (500, b"")
    routes = [TopicRoute("lab/+/heat", "far/"), TopicRoute("yard/#", hook="http://localhost/hook/good"),
              TopicRoute("yard/#", hook="http://localhost/hook/bad")]
    with box.serve(_broker(NEWS, subscribers=3)) as near, box.serve(_broker()) as far:
        async with _link(box, near) as source, _link(box, far) as target:
            bridge = topicbridge.TopicBridge(source, target, routes, box.path("spill"), recent=2)
            async with box.using(bridge):
                await bridge.run()


async def carries_one_route(box):
    with box.serve(_broker(NEWS)) as near, box.serve(_broker()) as far:
        async with _link(box, near) as source, _link(box, far) as target:
            bridge = topicbridge.TopicBridge(source, target, [TopicRoute("lab/+/heat")], box.path("spill"))
            async with box.using(bridge):
                await bridge.run()


async def spills_what_the_target_refuses(box):
    with box.serve(_broker(NEWS)) as near, box.serve(_broker(deaf=(topicbridge.PUBLISH,))) as far:
        async with _link(box, near) as source, _link(box, far) as target:
            bridge = topicbridge.TopicBridge(source, target, [TopicRoute("#")], box.path("spill"))
            async with box.using(bridge):
                await bridge.run()
    with box.serve(_broker()) as far:
        async with _link(box, far) as target:
            await topicbridge.replay(box.path("spill"), target)


async def never_runs(box):
    with box.serve(_broker()) as far:
        async with _link(box, far) as link:
            async with box.using(topicbridge.TopicBridge(link, link, [], box.path("spill"))):
                pass


async def takes_one_message(box):
    with box.serve(_broker(NEWS, stay=True)) as address:
        async with _link(box, address) as link:
            await box.take(link.messages("lab/#"))


async def drops_what_nobody_reads(box):
    with box.serve(_broker(NEWS * 3)) as address:
        async with _link(box, address, depth=2) as link:
            messages = link.messages("#")
            await box.take(messages, 20)


async def is_refused(box):
    with box.serve(_broker(welcome=topicbridge.PING)) as address:
        with box.raises(topicbridge.LinkDown):
            await topicbridge.BrokerLink.connect(*address, "driver")


async def gets_no_greeting(box):
    with box.serve(lambda connection: connection.recv(64)) as address:
        with box.raises(topicbridge.LinkDown):
            await topicbridge.BrokerLink.connect(*address, "driver")


async def gets_a_monstrous_frame(box):
    with box.serve(_broker(NEWS, raw=topicbridge.HEAD.pack(5, 0, 1 << 30), stay=True)) as address:
        async with _link(box, address) as link:
            await box.take(link.messages("#"), 20)
            with box.raises(topicbridge.LinkDown):
                await link.publish("late", b"")


async def sends_beats(box):
    with box.serve(_broker()) as address:
        async with _link(box, address, interval=0.001) as link:
            await link.publish("a/b", b"1")
            await asyncio.sleep(0.003)


async def remembers_recent_messages(box):
    news = [("lab/heat", b"%d" % number) for number in box.rounds(6)]
    with box.serve(_broker(news)) as near, box.serve(_broker()) as far:
        async with _link(box, near) as source, _link(box, far) as target:
            bridge = topicbridge.TopicBridge(source, target, [TopicRoute("lab/heat")], box.path("spill"), recent=4)
            async with box.using(bridge):
                await bridge.run()


def _silent(connection):
    while connection.recv(64):
        pass


async def waits_for_a_greeting_in_vain(box):
    patience, topicbridge.PATIENCE = topicbridge.PATIENCE, 0.002
    try:
        with box.serve(_silent) as address:
            with box.raises(topicbridge.LinkDown):
                await topicbridge.BrokerLink.connect(*address, "driver")
    finally:
        topicbridge.PATIENCE = patience
