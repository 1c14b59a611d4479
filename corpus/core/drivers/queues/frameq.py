"""Calls into queues/frameq.py."""

import os

from queues import frameq


def _broker(greeting="CONNECTED", answer="MESSAGE"):
    def handle(connection):
        with connection.makefile("rb") as stream:
            while (frame := frameq.read_frame(stream)) is not None:
                for reply in _replies(frame.command):
                    connection.sendall(reply.encoded())

    def _replies(command):
        if command == "CONNECT":
            return [frameq.Frame(greeting, {}, b"")]
        if command == "SUBSCRIBE":
            return [frameq.Frame(answer, {"number": str(number)}, b"text") for number in (1, 2)]
        return [frameq.Frame("STATUS", {}, b"fine")] if command == "STATUS" else []

    return handle


def _publisher(box, address=("127.0.0.1", 1)):
    box.write("routes.json", '{"weather": "sky"}')
    return frameq.Publisher(box.path(), address)


def consumes(box):
    with box.serve(_broker()) as address, box.using(frameq.FrameConsumer(address, "me", box.path("offset"))) as consumer:
        consumer.start("sky")
        with frameq.wake_pipe() as (reader, wake):
            wake()
            consumer.readable(reader, 0)
        consumer.messages(2)
        with box.raises(frameq.QueueTrouble):
            consumer.start("sky")
        consumer.reconnect()
        consumer.close()
        consumer.reconnect()
        consumer.offset()


def broker_hangs_up(box):
    def handle(connection):
        connection.recv(1000)
        connection.sendall(frameq.Frame("CONNECTED", {}, b"").encoded())
        connection.recv(1000)

    with box.serve(handle) as address, box.using(frameq.FrameConsumer(address, "me", box.path("offset"))) as consumer:
        consumer.start("sky")
        consumer.messages(1)


def broker_has_an_error(box):
    with box.serve(_broker(answer="ERROR")) as address:
        with box.using(frameq.FrameConsumer(address, "me", box.path("offset"))) as consumer:
            with box.raises(frameq.NotSubscribed):
                consumer.messages(1)
            consumer.start("sky")
            with box.raises(frameq.QueueTrouble):
                consumer.messages(1)


def broker_keeps_us_out(box):
    with box.serve(_broker(greeting="ERROR")) as address:
        with box.raises(frameq.QueueTrouble):
            frameq.connect(address, "me")


def publishes(box):
    with box.serve(_broker()) as address:
        publisher = _publisher(box, address)
        publisher.publish("weather", b"rain")
        publisher.publish_output("weather", ["/bin/echo", "sun"])
        publisher.probe()
        publisher.probe(send=False)


def spools_and_replays(box):
    publisher = _publisher(box)
    publisher.spooled()
    publisher.publish("weather", b"rain")
    publisher.publish("news", b"none")
    publisher.spooled()
    with box.serve(_broker()) as address:
        _publisher(box, address).replay()


def spool_is_damaged(box):
    box.write("spool.db", "rubbish" * 200)
    with box.raises(frameq.QueueTrouble):
        _publisher(box).spool("sky", b"rain")


def records(box):
    publisher = _publisher(box)
    publisher.record(box.path("one"), [b"a", b"b"])
    list(frameq.recorded(box.path("one")))
    box.take(frameq.recorded(box.path("one")))
    publisher.bury([box.path("one")])
    frameq.dead_letters(box.path("one.xz"))


def recording_is_damaged(box):
    box.write("one", "MESSAGE\nrubbish\n\n")
    with box.raises(frameq.BadFrame):
        list(frameq.recorded(box.path("one")))


def pipe_block_fails(box):
    with box.raises(RuntimeError), frameq.wake_pipe():
        box.fail()


def offset_cannot_be_saved(box):
    consumer = frameq.FrameConsumer(("127.0.0.1", 1), "me", box.path("offset"))
    os.mkdir(box.path("offset"))
    with box.raises(OSError):
        consumer.save_offset(1)
