"""Calls into blind/forgecache.py."""

import contextlib
import os
import socket
import threading

from blind import forgecache

KEY, OTHER = "0123abcd", "4567cdef"


@contextlib.contextmanager
def _asked(path, *requests):
    """A connection whose requests lie there before anybody reads them."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(2.0)
        sock.connect(path)
        for each in requests:
            sock.sendall(each)
        sock.shutdown(socket.SHUT_WR)
        yield sock


@contextlib.contextmanager
def _peer(box, *answers, fds=()):
    """A server that answers what it was told, whatever it is asked."""
    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                for each in answers:
                    connection.recv(256)
                    socket.send_fds(connection, [each], list(fds))

    path = box.path("peer")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(2.0)
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as last:
                last.connect(path)
            thread.join()


@contextlib.contextmanager
def _running(server):
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield
    finally:
        try:
            server.stop()
        except (OSError, RuntimeError):
            server.stop()
        thread.join()


def stores_and_lends(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with open(box.write("a.o", b"spam" * 5), "rb") as source:
            store.receive(KEY, 20, source)
        fd, _ = store.lend(KEY)
        os.close(fd)
        store.lend(OTHER)


def gets_half_an_object(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with open(box.write("a.o", b"spam"), "rb") as source:
            with box.raises(forgecache.PeerBroken):
                store.receive(KEY, 20, source)


def finds_objects_damaged(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        for key in (KEY, OTHER):
            with open(box.write("a.o", b"spam"), "rb") as source:
                store.receive(key, 4, source)
        os.unlink(box.path("store", "objects", KEY))
        os.unlink(box.path("store", "objects", OTHER))
        box.write("store/objects/" + OTHER, b"sp")
        store.lend(KEY)
        store.lend(OTHER)


def keeps_to_its_limit(box):
    with box.using(forgecache.ForgeStore(box.path("store"), limit=10)) as store:
        for number in range(3):
            with open(box.write("a.o", b"spam%d" % number), "rb") as source:
                store.receive("%08x" % number, 5, source)
            with open(box.write("b.o", b"eggs%d" % number), "rb") as source:
                store.receive("%08x" % (number + 100), 5, source)
        with open(box.write("c.o", b"spam" * 2), "rb") as source:
            store.receive(KEY, 8, source)


def is_in_use(box):
    with box.using(forgecache.ForgeStore(box.path("store"))):
        with box.raises(forgecache.StoreInUse):
            forgecache.ForgeStore(box.path("store"))


def answers_one_after_the_other(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=0)) as server:
            with _asked(server.path, b"PUT 0123abcd 4\nspam", b"GET 0123abcd\nGET 99999999\nGET 12121212\n"):
                server.serve(idle=0.01)


def hears_no_request(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=0)) as server:
            with _asked(server.path, b"GET\n"), _asked(server.path, b"FRY 0123abcd\n"), _asked(server.path, b"GET pie\n"):
                server.serve(idle=0.01)
            with _asked(server.path, b"PUT 0123abcd\n"):
                server.serve(idle=0.01)


def forgets_its_connections(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=0)) as server:
            for number in box.rounds(4):
                with _asked(server.path, b"GET key%d\n" % number):
                    server.serve(idle=0.002)


def is_told_to_stop(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=0)) as server:
            server.stop()
            server.serve()


def serves_with_workers(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=2)) as server:
            with _asked(server.path, b"GET 12121212\n") as sock:
                server.serve(idle=0.01)
                sock.recv(64)


def serves_clients(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=2)) as server, _running(server):
            with box.using(forgecache.ForgeClient(server.path)) as client:
                client.push(KEY, box.write("a.o", b"spam"))
                client.pull(KEY, box.path("b.o"))
                client.pull(OTHER, box.path("c.o"))


def takes_the_place_of_a_dead_server(box):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(box.path("sock"))
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.using(forgecache.ForgeServer(store, box.path("sock"), workers=1)):
            with box.raises(forgecache.StoreInUse):
                forgecache.ForgeServer(store, box.path("sock"))


def cannot_bind(box):
    with box.using(forgecache.ForgeStore(box.path("store"))) as store:
        with box.raises(OSError):
            forgecache.ForgeServer(store, box.path("nowhere", "sock"))


def finds_no_server(box):
    with box.raises(OSError):
        forgecache.ForgeClient(box.path("sock"), attempts=2, pause=0.0)
    with box.raises(OSError):
        forgecache.ForgeClient(box.path("x" * 200))


def loses_its_server(box):
    with _peer(box, b"FD 4") as path, open(box.write("a", b"spam"), "rb") as content:
        with box.using(forgecache.ForgeClient(path)) as client:
            with box.raises(forgecache.PeerBroken):
                client.pull(KEY, box.path("b"))
            with box.raises(OSError, forgecache.PeerBroken):
                client.push(KEY, box.path("a"))


def pushes_in_vain(box):
    with _peer(box, b"FULL\n") as path, box.using(forgecache.ForgeClient(path)) as client:
        with box.raises(forgecache.PeerBroken):
            client.push(KEY, box.write("empty.o", b""))


def is_sent_half_a_line(box):
    with open(box.write("a", b"spam"), "rb") as content, _peer(box, b"FD 4", fds=[content.fileno()] * 2) as path:
        with box.using(forgecache.ForgeClient(path)) as client:
            with box.raises(forgecache.PeerBroken):
                client.pull(KEY, box.path("b"))


def is_sent_too_little(box):
    with open(box.write("a", b"spam"), "rb") as content, _peer(box, b"FD 9\n", fds=[content.fileno()]) as path:
        with box.using(forgecache.ForgeClient(path)) as client:
            with box.raises(forgecache.PeerBroken):
                client.pull(KEY, box.path("b"))
