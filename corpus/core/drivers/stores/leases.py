"""Calls into stores/leases.py."""

import socket

import redis
from stores import leases


def _leases(box, holder="press-1"):
    with redis.Redis("shared") as client:
        client.flushdb()
    return leases.Leases("shared", box.path(), holder)


def takes_and_frees(box):
    with box.using(_leases(box)) as held:
        held.take("plate")
        held.take("ink")
        with box.raises(leases.LeaseTaken):
            held.take("ink")
        held.holders()
        held.snapshot()
        held.free(["plate", "ink"])
        held.count_of(leases.FREED)


def begins_a_new_trail(box):
    box.write("trail", leases.ENTRY.pack(1.0, leases.TAKEN, b"ink") + b"cut")
    with box.using(_leases(box)) as held:
        held.take("plate")
        held.rotate_trail()
        held.count_of(leases.TAKEN)
        held.take("paper")


def stops_reading_the_trail(box):
    box.take(leases.trail_entries(box.write("trail", leases.ENTRY.pack(1.0, leases.TAKEN, b"ink") * 2)))


def server_is_down(box):
    with box.raises(redis.ConnectionError):
        leases.Leases("down", box.path(), "press-1")


def trail_is_a_folder(box):
    box.write("trail/file", "")
    with box.raises(OSError):
        leases.Leases("shared", box.path(), "press-1")


def another_server_takes_over(box):
    with box.using(_leases(box)) as held:
        held.reconnect("shared")
        held.reconnect()
        held.wait_for_news()
        held.wait_for_news(tries=0)
    with box.using(_leases(box)) as held:
        held.close()
        held.reconnect()


def runs_alone(box):
    with box.using(_leases(box)) as held:
        held.run_alone("press", ["/bin/echo", "printed"])
        held.clear_notes(["press", "folder"])
        with leases.local_lock(box.path("press.lock"), "press-2"):
            with box.raises(leases.LeaseTaken):
                held.run_alone("press", ["/bin/echo", "printed"])
        with box.raises(OSError):
            held.run_alone("no/such", ["/bin/echo"])


def hears_of_leases(box):
    with box.using(_leases(box)) as held, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        held.hear(["ink"], lambda address: sender.sendto(b"ink", address))
        held.hear([], None)


def port_is_taken(box):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with box.raises(OSError):
            leases.announce_socket(other.getsockname()[1])
