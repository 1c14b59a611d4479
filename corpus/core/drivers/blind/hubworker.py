"""Calls into blind/hubworker.py."""

import socket
from pathlib import Path

from blind import hubworker


def _hub(jobs=(), greeting=b"TASKHUB 1\n", sent=None):
    """A scripted hub; of a payload it sends as much as ``sent`` says."""
    def handle(connection):
        left = list(jobs)
        connection.sendall(greeting)
        with connection.makefile("rb") as requests:
            for line in requests:
                words = line.decode("ascii").split()
                if words[0] == "PUSH":
                    requests.read(int(words[2]))
                    connection.sendall(b"QUEUED q1\n")
                elif words[0] == "PULL" and left:
                    payload = left.pop(0)
                    connection.sendall(b"JOB j%d %d\n%s" % (len(left), len(payload), payload[:sent]))
                    if sent is not None:
                        return
                elif words[0] == "PULL":
                    connection.sendall(b"EMPTY\n")
                elif words[0] == "WATCH":
                    connection.sendall(b"OK\nEVENT queued q1\nEVENT done q1\nEVENT done q2\n")
                else:
                    connection.sendall(b"OK\n")
    return handle


def _build(payload, out):
    out.write(payload.read_bytes().upper())


def _stumble(payload, out):
    raise ValueError("no compiler")


def _unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[:2]


def works_until_the_lane_is_empty(box):
    with box.serve(_hub([b"spam", b"eggs"])) as address:
        hubworker.work(address, "wheel", Path(box.path()), _build)


def reports_a_failed_build(box):
    with box.serve(_hub([b"spam", b"eggs"])) as address:
        hubworker.work(address, "wheel", Path(box.path()), _stumble)


def pushes_and_pulls(box):
    with box.serve(_hub([b"spam"])) as address:
        with box.using(hubworker.HubClient(address)) as client:
            client.push("wheel", b"spam")
            client.pull_into("wheel", Path(box.path("payload")))
            client.pull_into("wheel", Path(box.path("payload")))


def gets_half_a_payload(box):
    with box.serve(_hub([b"spam"], sent=2)) as address:
        with box.using(hubworker.HubClient(address)) as client:
            with box.raises(hubworker.HubRefused):
                client.pull_into("wheel", Path(box.path("payload")))


def supplies_files(box):
    source = Path(box.write("a.txt", "spam"))
    with box.serve(_hub()) as address:
        hubworker.supply([_unused_port(), address], "wheel", [source, Path(box.path("lost"))])


def finds_no_hub(box):
    with box.serve(_hub(greeting=b"220 mail\n")) as address:
        with box.raises(hubworker.HubRefused):
            hubworker.first_hub([_unused_port(), address])


def takes_the_first_hub(box):
    with box.serve(_hub()) as address:
        with box.using(hubworker.first_hub([address])) as client:
            client.push("wheel", b"spam")


def watches_one_job(box):
    with box.serve(_hub()) as address:
        box.take(hubworker.watch(address, "done"))


def watches_until_the_hub_goes(box):
    def handle(connection):
        connection.sendall(b"TASKHUB 1\n")
        connection.recv(64)
        connection.sendall(b"OK\nEVENT done q1\n")

    with box.serve(handle) as address:
        with box.raises(hubworker.HubRefused):
            list(hubworker.watch(address, "done"))


def keeps_the_log_of_a_build(box):
    with hubworker.build_log(Path(box.path()), "j1") as out:
        out.write(b"fine")
    with box.raises(Exception):
        with hubworker.build_log(Path(box.path()), "j2") as out:
            box.fail()
