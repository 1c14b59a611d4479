"""Calls into blind/meterbus.py."""

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from blind import meterbus
from blind.meterbus import Kind

SECRET = b"secret"
VALUES = struct.pack("!IId", 17, 1700000000, 12.5) * 2


def _frame(kind, payload=b""):
    return meterbus.HEAD.pack(len(payload), kind, 0) + payload


WELCOME = _frame(Kind.NONCE, b"0123456789abcdef"), _frame(Kind.WELCOME)


def _gateway(*answers, hangs_up_after=None):
    """A gateway that says one thing after the other, whatever it is asked."""
    def handle(connection):
        with suppress(OSError):
            connection.sendall(answers[0])
            for answer in answers[1:]:
                if not connection.recv(4096):
                    return
                connection.sendall(answer)
            if hangs_up_after is None:
                while connection.recv(4096):
                    pass
    return handle


def _forgetful(*answers):
    """A gateway whose first connection breaks off after the handshake."""
    calls = []

    def handle(connection):
        calls.append(connection)
        first = len(calls) == 1
        _gateway(*(WELCOME if first else (*WELCOME, *answers)),
                 hangs_up_after=1 if first else None)(connection)
    return handle


def _closed_port(box):
    with box.serve(lambda connection: None) as address:
        return address


@contextmanager
def _client(box, *addresses, trace=None):
    with box.using(meterbus.MeterClient(addresses, SECRET, trace)) as client:
        yield client


def reads_meters(box):
    values = _frame(Kind.VALUES, VALUES)
    with box.serve(_gateway(*WELCOME, values, values)) as address:
        with _client(box, _closed_port(box), address) as client:
            client.read(17)
            client.read(18)


def traces_what_it_reads(box):
    values = _frame(Kind.VALUES, VALUES)
    with box.serve(_gateway(*WELCOME, values, values)) as address:
        with box.using(meterbus.FrameTrace(Path(box.path("frames.txt")), limit=150)) as trace:
            with _client(box, address, trace=trace) as client:
                client.read(17)
                client.read(18)


def reads_over_a_new_session_when_the_old_one_is_gone(box):
    with box.serve(_forgetful(_frame(Kind.VALUES, VALUES))) as address:
        with _client(box, address) as client:
            client.read(17)


def reads_from_a_gateway_that_always_hangs_up(box):
    with box.serve(_gateway(*WELCOME, hangs_up_after=1)) as address:
        with _client(box, address) as client, box.raises(meterbus.GatewayDown):
            client.read(17)


def finds_no_gateway(box):
    with _client(box, _closed_port(box)) as client, box.raises(meterbus.GatewayDown):
        client.read(17)
    with box.raises(meterbus.GatewayDown):
        meterbus.first_alive([], SECRET)


def is_answered_in_odd_ways(box):
    odd = (_frame(Kind.FAULT, b"no such meter"), _frame(Kind.VALUE, VALUES), _frame(99),
           _frame(Kind.VALUES, b"short"))
    for answer in odd:
        with box.serve(_gateway(*WELCOME, answer)) as address, _client(box, address) as client:
            with box.raises(meterbus.MeterError):
                client.read(17)


def is_not_let_in(box):
    for answers in ((_frame(Kind.BYE),), (WELCOME[0], _frame(Kind.FAULT, b"wrong proof"))):
        with box.serve(_gateway(*answers)) as address, box.raises(meterbus.MeterError):
            meterbus.MeterSession(address, SECRET)


def follows_a_meter(box):
    value, end = _frame(Kind.VALUE, VALUES), _frame(Kind.END)
    with box.serve(_gateway(*WELCOME, value + value + end)) as address:
        with _client(box, address) as client:
            list(client.follow(17))
            box.take(client.follow(17))


def follows_a_meter_that_sends_rubbish(box):
    with box.serve(_gateway(*WELCOME, _frame(Kind.VALUE, b"short"))) as address:
        with _client(box, address) as client, box.raises(meterbus.MeterError):
            list(client.follow(17))


def watches_two_gateways(box):
    value, end = _frame(Kind.VALUE, VALUES), _frame(Kind.END)
    with box.serve(_gateway(*WELCOME, value + end)) as first, \
            box.serve(_gateway(*WELCOME, end)) as second:
        meterbus.watch_all([first, _closed_port(box), second], SECRET, 17, seconds=5.0)


def watches_for_a_moment(box):
    with box.serve(_gateway(*WELCOME)) as address:
        meterbus.watch_all([address], SECRET, 17, seconds=0.002)


@contextmanager
def _responder(*answers):
    """Answers a broadcast; a datagram of its own ends it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer():
            packet, peer = sock.recvfrom(64)
            if packet == meterbus.PROBE:
                for content in answers:
                    sock.sendto(content, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join()


def discovers_gateways(box):
    with _responder(b"rubbish", meterbus.HERE + b"\x12\x67") as target:
        list(meterbus.discover(target, wait=0.01))
    with _responder(meterbus.HERE + b"\x12\x67") as target:
        box.take(meterbus.discover(target, wait=1.0))
