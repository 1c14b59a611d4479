"""Calls into blind/fieldpoll.py."""

import contextlib
import os
import socket
import time

from blind import fieldpoll


def _line(name, value):
    text = f"{name}={value}"
    check = 0
    for each in text.encode():
        check ^= each
    return f"{text}*{check:02X}\n".encode()


@contextlib.contextmanager
def _port(*lines):
    """The far end of a serial line, and the path of the near one."""
    with contextlib.ExitStack() as stack:
        far, near = os.openpty()
        stack.callback(os.close, far)
        stack.callback(os.close, near)
        for line in lines:
            os.write(far, line)
        yield far, os.ttyname(near)


def _module(*lines):
    def handle(connection):
        connection.recv(64)
        connection.sendall(b"".join(lines))
        time.sleep(0.002)
    return handle


def _unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def _poller(box, *lines, limit=1000000, **options):
    with box.using(fieldpoll.ProbeLog(box.path("log.csv"), limit)) as log:
        with box.using(fieldpoll.FieldPoller(lines, log, nap=0.02, **options)) as poller:
            yield poller


def polls_a_serial_line(box):
    with _port(_line("soil1", 30.5), b"soil1=3*00\nrubbish\n", _line("soil2", 7)) as (_, path):
        with _poller(box, fieldpoll.SerialLine(path, retry=0.001), status=box.path("status")) as poller:
            poller.run(2, 0.05)


def polls_modules(box):
    with box.serve(_module(_line("vent1", 1), _line("vent2", 0))) as (host, port):
        with _poller(box, fieldpoll.TcpModule(host, port, retry=0.001)) as poller:
            poller.run(2, 0.05)


def tries_again(box):
    with box.serve(_module(_line("vent1", 1))) as (host, port):
        lines = [
            fieldpoll.TcpModule(host, port, retry=0.001),
            fieldpoll.TcpModule(host, _unused_port(), retry=60.0),
            fieldpoll.SerialLine(box.path("missing"), retry=60.0),
            fieldpoll.SerialLine(box.write("plain", ""), retry=60.0),
        ]
        with _poller(box, *lines) as poller:
            poller.run(2, 0.05)


def loses_a_serial_line(box):
    with _port() as (_, path):
        with _poller(box, fieldpoll.SerialLine(path, retry=60.0), fieldpoll.SerialLine(path, retry=60.0)) as poller:
            poller.stop()
            poller.run()


def sees_a_module_hang_up(box):
    line = fieldpoll.TcpModule("127.0.0.1", _unused_port())
    with box.using(line):
        with contextlib.suppress(OSError):
            line.open()
            line.ready()


def is_sent_to_everybody(box):
    line = fieldpoll.TcpModule("127.255.255.255", 9)
    with box.using(line), box.raises(OSError):
        line.open()


def reads_what_is_there(box):
    with _port() as (far, path):
        line = fieldpoll.SerialLine(path)
        with box.using(line):
            line.open()
            line.ready()
            line.ask(b"?")
            os.write(far, _line("soil1", 1)[:4])
            line.ready()


def polls_in_the_background(box):
    with _port(_line("soil1", 30.5)) as (_, path):
        with _poller(box, fieldpoll.SerialLine(path, retry=0.001)) as poller:
            with fieldpoll.inBackground(poller):
                poller.latest.get("soil1")
            with box.raises(Exception):
                with fieldpoll.inBackground(poller):
                    box.fail()


def packs_full_logs(box):
    with box.using(fieldpoll.ProbeLog(box.path("log.csv"), 30)) as log:
        for number in range(6):
            log.add(fieldpoll.ProbeValue(1.5, "soil1", number))


def has_no_place_for_the_status(box):
    with _port(_line("soil1", 30.5)) as (_, path):
        os.makedirs(box.path("status", "is a folder"))
        with _poller(box, fieldpoll.SerialLine(path, retry=0.001), status=box.path("status")) as poller:
            with box.raises(OSError):
                poller.run(1, 0.05)


def finds_ports(box):
    with _port(_line("id", 4)) as (_, path), _port() as (_, silent), _port(b"rubbish\n") as (_, odd):
        fieldpoll.findPorts([box.path("missing"), path, silent, odd], 0.002)


def goes_on_polling(box):
    with _port() as (far, path):
        with _poller(box, fieldpoll.SerialLine(path, retry=0.001), status=box.path("status")) as poller:
            for number in box.rounds(4):
                os.write(far, _line("soil1", number))
                poller.run(1, 0.05)
