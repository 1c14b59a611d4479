"""Calls into wire/kvtext.py."""

import base64
import contextlib
import gzip
import socket
import struct
import threading
from pathlib import Path

from wire import kvtext

VALUES = {"a": b"one", "b": b"two\n"}


def _daemon(greeting=b"kvtext 1\n", values=VALUES, put=b"OK 0\n"):
    """A scripted server; it ends the connection after what it does not know."""
    def handle(connection):
        connection.sendall(greeting)
        with connection.makefile("rb") as requests:
            for line in requests:
                words = line.decode("ascii").split()
                if words[0] == "PUT":
                    requests.read(int(words[2]))
                    connection.sendall(put)
                elif words[0] == "KEYS":
                    listing = "\n".join([*values, "lost"]).encode("ascii")
                    connection.sendall(b"OK %d\n%s" % (len(listing), listing))
                elif words[0] == "GET" and words[1] in values:
                    value = values[words[1]]
                    connection.sendall(b"OK %d\n%s" % (len(value), value))
                elif words[0] == "GET":
                    connection.sendall(b"NO\n")
                else:
                    return
    return handle


def _dial(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=2)


def _say(server, requests):
    with _dial(server) as sock, sock.makefile("rb") as answers:
        answers.readline()
        for request in requests:
            sock.sendall(request)
            answers.readline()


def _hang_up(server):
    """Announce a payload and reset the connection."""
    with _dial(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(b"PUT a 999\n")


@contextlib.contextmanager
def _customer(server, *visits):
    """Visits the server from a thread, and asks it to quit until it does."""
    ended = threading.Event()

    def come_and_go():
        server.ready.wait()
        for visit in visits:
            with contextlib.suppress(OSError):
                visit()
        while server.port and not ended.is_set():
            with contextlib.suppress(OSError):
                _say(server, [b"QUIT\n"])

    thread = threading.Thread(target=come_and_go, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        server.ready.set()
        thread.join()


def checks_the_greeting(box):
    with box.serve(_daemon()) as (host, port):
        kvtext.KvClient(host, port).check()


def refuses_another_greeting(box):
    with box.serve(_daemon(greeting=b"ftp 220\n")) as (host, port):
        with box.raises(kvtext.ProtocolError):
            kvtext.KvClient(host, port).check()


def gets_values(box):
    with box.serve(_daemon()) as (host, port):
        client = kvtext.KvClient(host, port)
        client.get("a")
        client.get("nothing")


def refuses_a_broken_answer(box):
    def handle(connection):
        connection.sendall(b"kvtext 1\n")
        connection.recv(64)
        connection.sendall(b"OK 9\nshort")

    with box.serve(handle) as (host, port):
        with box.raises(kvtext.ProtocolError):
            kvtext.KvClient(host, port).get("a")


def stores_values_but_long_ones(box):
    values = {**VALUES, "long": bytes(kvtext.MAX_PAYLOAD + 1)}
    with box.serve(_daemon()) as (host, port):
        kvtext.KvClient(host, port).put_all(values)


def is_refused_a_value(box):
    with box.serve(_daemon(put=b"ERR full\n")) as (host, port):
        with box.raises(kvtext.ProtocolError):
            kvtext.KvClient(host, port).put_all(VALUES)


def dumps_and_restores(box):
    path = Path(box.path("dump.gz"))
    with box.serve(_daemon()) as (host, port):
        client = kvtext.KvClient(host, port)
        client.dump(path)
        client.restore(path)


def refuses_to_restore_a_line_without_value(box):
    path = Path(box.write("dump.gz", gzip.compress(b"a " + base64.b64encode(b"one") + b"\nb\n")))
    with box.raises(kvtext.ProtocolError):
        kvtext.KvClient("127.0.0.1", 9).restore(path)


def stops_a_server(box):
    with box.serve(_daemon()) as (host, port):
        kvtext.KvClient(host, port).stop_server()


def serves_until_quit(box):
    server = kvtext.KvServer(Path(box.path("values.json")))
    server.load()
    requests = [b"PUT a 3\none", b"GET a\n", b"GET b\n", b"KEYS\n", b"PUT a\n"]
    with _customer(server, lambda: _say(server, requests)):
        server.serve()
    server.load()


def serves_on_a_used_port(box):
    server = kvtext.KvServer(Path(box.path("values.json")))
    with socket.create_server(("127.0.0.1", 0)) as other:
        with box.raises(OSError):
            server.serve(other.getsockname()[1])


def loses_a_customer(box):
    server = kvtext.KvServer(Path(box.path("values.json")))
    with _customer(server, lambda: _hang_up(server)):
        server.serve()


def restores_files(box):
    paths = [Path(box.write(f"{key}.gz", gzip.compress(value))) for key, value in VALUES.items()]
    with box.serve(_daemon()) as (host, port):
        kvtext.KvClient(host, port).restore_all(paths)
