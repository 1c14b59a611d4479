"""Calls into blind/beanline.py."""

import base64
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

from blind import beanline


def _daemon(jobs=(), drop_after=None, verdict=b"INSERTED 7"):
    """A work queue that hands out `jobs` and hangs up after `drop_after` puts."""
    ready = list(jobs)

    def handle(connection):
        puts = 0
        with suppress(OSError), connection.makefile("rwb") as stream:
            for line in stream:
                words = line.split()
                if words[0] == b"put":
                    stream.read(int(words[-1]) + 2)
                    if puts == drop_after:
                        return
                    puts += 1
                    reply = verdict + b"\r\n"
                elif words[0].startswith(b"reserve"):
                    reply = b"TIMED_OUT\r\n"
                    if ready:
                        body = ready.pop(0)
                        reply = b"RESERVED 7 %d\r\n%s\r\n" % (len(body), body)
                elif words[0] == b"delete":
                    reply = b"DELETED\r\n"
                elif words[0] == b"use":
                    reply = b"USING %s\r\n" % words[1]
                else:
                    reply = b"WATCHING 1\r\n"
                stream.write(reply)
                stream.flush()
    return handle


def _says(reply):
    def handle(connection):
        with suppress(OSError):
            connection.recv(1024)
            connection.sendall(reply)
    return handle


def _closed_port(box):
    with box.serve(_says(b"")) as (_, port):
        return port


@contextmanager
def _client(box, address, **options):
    client = beanline.QueueClient(*address, retries=1, backoff=0.0, **options)
    with box.using(client):
        yield client


def works_through_a_queue(box):
    with box.serve(_daemon([b"one", b"two"])) as address, _client(box, address) as client:
        client.put(b"hello")
        job = client.reserve()
        client.delete(job.id)
        client.reserve()
        client.reserve()


def drains_into_a_file(box):
    with box.serve(_daemon([b"one", b"two"])) as address, _client(box, address) as client:
        client.drain_to(Path(box.path("drained.jsonl")))


def is_told_something_unexpected(box):
    with box.serve(_daemon(verdict=b"DRAINING")) as address, _client(box, address) as client:
        with box.raises(beanline.QueueError):
            client.put(b"hello")


def parks_jobs_while_the_daemon_is_down(box):
    spool = Path(box.path("spool"))
    with _client(box, ("127.0.0.1", _closed_port(box)), spool=spool) as client:
        client.put_or_spool(b"one")
        client.put_or_spool(b"two")
        client.replay_spool()


def does_not_park_without_a_spool(box):
    with _client(box, ("127.0.0.1", _closed_port(box))) as client:
        client.replay_spool()
        with box.raises(beanline.ConnectionLost):
            client.put_or_spool(b"one")


def replays_everything(box):
    spool = Path(box.path("spool"))
    spool.write_bytes(base64.b64encode(b"one") + b"\n" + base64.b64encode(b"two") + b"\n")
    with box.serve(_daemon()) as address, _client(box, address, spool=spool) as client:
        client.put_or_spool(b"zero")
        client.replay_spool()
        client.replay_spool()


def replays_until_the_daemon_hangs_up(box):
    spool = Path(box.path("spool"))
    spool.write_bytes(b"".join(base64.b64encode(b"job %d" % n) + b"\n" for n in range(4)))
    with box.serve(_daemon(drop_after=0)) as address, _client(box, address, spool=spool) as client:
        client.replay_spool()


def loses_a_connection_within_a_reply(box):
    with box.serve(_says(b"RESERVED 7 100\r\nshort")) as (host, port):
        with box.using(beanline.Connection(host, port)) as connection:
            connection.open()
            with box.raises(beanline.ConnectionLost):
                connection.exchange("reserve")
            with box.raises(beanline.ConnectionLost):
                connection.exchange("reserve")


def gets_half_a_line(box):
    with box.serve(_says(b"RESER")) as (host, port):
        with box.using(beanline.Connection(host, port)) as connection:
            connection.open()
            connection.open()
            with box.raises(beanline.ConnectionLost):
                connection.exchange("put 1 0 60 5", b"hello")


def dials_a_local_socket(box):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(box.path("queue.sock")))
        listener.listen()
        with box.using(beanline.Connection(str(box.path("queue.sock")), 0)) as connection:
            connection.open()


def finds_no_local_socket(box):
    with box.using(beanline.Connection("/nonexistent/queue.sock", 0)) as connection:
        with box.raises(OSError):
            connection.open()


def probes_live_and_dead_addresses(box):
    dead = "127.0.0.1", _closed_port(box)
    with box.serve(_says(b"")) as address:
        beanline.probe([address, dead], timeout=0.5)
        beanline.probe([], timeout=0.5)
