"""Calls into statusd.py."""

import contextlib
import os
import socket
import threading
import time

import statusd


def _daemon(box):
    return statusd.StatusDaemon(statusd.History(box.path("history.db")), box.path("state.json"))


class _Visitor:
    """Stands for the event that says the daemon is up: calls on it from a thread of its own."""

    def __init__(self, daemon, visit):
        self.daemon = daemon
        self.thread = threading.Thread(target=self._run, args=(visit,))

    def set(self):
        self.thread.start()

    def _run(self, visit):
        with contextlib.suppress(OSError):
            visit(*self.daemon.ports)
        while True:
            try:
                _get(self.daemon.ports[1], b"/stop")
            except ConnectionRefusedError:
                return
            except OSError:
                continue  # this request failed, it still runs

    def join(self):
        if self.thread.ident is not None:
            self.thread.join()


def _get(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
        sock.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        while sock.recv(4096):
            pass


def _serve(box, visit):
    daemon = _daemon(box)
    visitor = _Visitor(daemon, visit)
    try:
        daemon.run(tick=0.01, ready=visitor)
    finally:
        visitor.join()


def serves_pages_until_stopped(box):
    box.write("state.json", '{"old": [0.1, 1.0]}')

    def visit(beats, pages):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"web 10", ("127.0.0.1", beats))
            sock.sendto(b"rubbish", ("127.0.0.1", beats))
        time.sleep(0.02)
        for path in (b"/status", b"/history", b"/none"):
            _get(pages, path)

    _serve(box, visit)


def is_stopped_before_it_runs(box):
    daemon = _daemon(box)
    daemon.stopping = True
    daemon.run()


def survives_a_client_that_hangs_up(box):
    def visit(beats, pages):
        for ending in (b"", b"\r\n"):
            with socket.create_connection(("127.0.0.1", pages), timeout=1) as sock:
                sock.sendall(ending)
    _serve(box, visit)


def refuses_a_port_in_use(box):
    daemon = _daemon(box)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with box.raises(OSError):
            daemon.run(beat_port=taken.getsockname()[1])


def hands_out_a_port(box):
    with box.using(statusd.HeartbeatPort()) as port:
        statusd.send_beats(["web", "db"], port.number)
        os.fstat(port.fileno())
        port.drain()


def keeps_a_history(box):
    history = statusd.History(box.path("history.db"))
    history.record([])
    history.record([(1.0, "web", "silent"), (2.0, "web", "back")])
    history.recent()


def asks_a_daemon(box):
    def answer(connection):
        connection.recv(1024)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with box.serve(answer) as (host, port):
        statusd.alive(host, port)
        statusd.ask(host, port, "/status")
