"""Calls into blind/dockhand.py."""

import json
import sqlite3
import struct
import subprocess
from pathlib import Path

from blind import dockhand


def _frame(**header):
    body = header.pop("body", b"")
    if header.get("op") == "deliver":
        header.setdefault("size", len(body))
    head = json.dumps(header).encode()
    return struct.pack(">I", len(head)) + head + body


def _read(stream):
    length = stream.read(4)
    return json.loads(stream.read(struct.unpack(">I", length)[0])) if length else None


def _broker(*sessions, welcome="welcome"):
    """Each session is what one connection is sent after it has asked for a queue."""
    left = list(sessions)

    def handle(connection):
        with connection.makefile("rb") as stream:
            while (header := _read(stream)) is not None:
                if header["op"] == "hello":
                    connection.sendall(_frame(op=welcome))
                elif header["op"] == "consume" and left:
                    frames = left.pop(0) if len(left) > 1 else left[0]
                    connection.sendall(b"".join(frames))
                    if frames[-1] is HALF:
                        return
    return handle


def _message(tag, kind="label", body=b"spam"):
    return _frame(op="deliver", tag=tag, key=f"m{tag}", kind=kind, body=body)


HALF = _frame(op="deliver", tag=9, key="m9", kind="label", size=40, body=b"half")


def _consumer(box, address, pauses=(0.001,), prefetch=1, **handlers):
    return dockhand.QueueConsumer(address, "parcels", handlers, Path(box.path()), workers=1, prefetch=prefetch, pauses=pauses,
                                  poll=0.3)


def _print(delivery):
    delivery.body.read()


def _jam(delivery):
    raise dockhand.HandlerFailed("the printer is jammed")


def _parcel(box, body):
    return dockhand.Delivery(1, "m1", "label", open(box.write("body", body), "rb"))


def handles_messages(box):
    with box.serve(_broker([_message(1), _frame(op="there"), _message(1), _message(2, body=b"x" * 9000)])) as address:
        with box.using(_consumer(box, address, label=_print)) as consumer:
            consumer.run(3)


def handles_some_at_once(box):
    with box.serve(_broker([_message(1), _message(2)])) as address:
        with box.using(_consumer(box, address, prefetch=2, label=_print)) as consumer:
            consumer.run(2)


def buries_what_fails_again(box):
    with box.serve(_broker([_message(1)])) as address:
        with box.using(_consumer(box, address, label=_jam)) as consumer:
            consumer.run(1)
    box.take(dockhand.letters_in(Path(box.path())))


def buries_what_nobody_handles(box):
    with box.serve(_broker([_message(1, "slip")])) as address:
        with box.using(_consumer(box, address, label=_print)) as consumer:
            consumer.run(1)


def is_cut_off(box):
    with box.serve(_broker([_message(1), HALF], [_message(9)])) as address:
        with box.using(_consumer(box, address, label=_print)) as consumer:
            consumer.run(2)


def ends_with_messages_that_wait(box):
    with box.serve(_broker([_message(1), _message(2), _message(3, "slip")])) as address:
        with box.using(_consumer(box, address, (0.001, 60.0), 5, label=_jam)) as consumer:
            consumer.run(1)


def cannot_reach_the_broker(box):
    with box.serve(_broker(welcome="busy")) as address:
        with box.raises(dockhand.LinkLost):
            _consumer(box, address)


def is_not_to_run(box):
    with box.serve(_broker()) as address:
        with box.using(_consumer(box, address)) as consumer:
            consumer.stopping = True
            consumer.run()


def waits_for_nothing(box):
    with box.serve(_broker()) as address:
        with box.using(dockhand.BrokerLine(address)) as link:
            link.receive(0.001)


def feeds_a_program(box):
    delivery = _parcel(box, "spam\n")
    try:
        dockhand.CommandHandler(["cat"])(delivery)
    finally:
        delivery.close()


def feeds_a_program_that_fails(box):
    delivery = _parcel(box, "spam\n")
    try:
        with box.raises(dockhand.HandlerFailed):
            dockhand.CommandHandler(["sh", "-c", "cat; exit 3"])(delivery)
        with box.raises(subprocess.TimeoutExpired):
            dockhand.CommandHandler(["sleep", "5"], timeout=0.01)(delivery)
    finally:
        delivery.close()


def packs_dead_letters(box):
    delivery = _parcel(box, "spam\n")
    try:
        with box.using(dockhand.DeadLetters(Path(box.path("dead.jsonl")), limit=100)) as dead:
            for number in range(3):
                dead.add(delivery, f"failure {number}")
    finally:
        delivery.close()
    list(dockhand.letters_in(Path(box.path())))


def reads_half_a_letter(box):
    box.write("dead.jsonl", '{"key": "m1"}\n{"key":')
    list(dockhand.letters_in(Path(box.path())))


def remembers(box):
    with box.using(dockhand.SeenLedger(Path(box.path("seen.db")))) as seen:
        seen.remember("m1")
    with box.using(dockhand.SeenLedger(Path(box.path("seen.db")))) as seen:
        seen.knows("m1")


def remembers_nothing(box):
    with box.raises(sqlite3.DatabaseError):
        dockhand.SeenLedger(Path(box.write("seen.db", "rubbish" * 100)))


def consumes_for_long(box):
    with box.serve(_broker([_message(tag) for tag in range(14)])) as address:
        with box.using(_consumer(box, address, label=_print)) as consumer:
            for _ in box.rounds(4):
                consumer.run(1)
