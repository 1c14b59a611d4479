"""Calls into agents/hostagent.py."""

import json
import os

from agents import hostagent


def _agent(box, address=("127.0.0.1", 1)):
    box.write("proc/loadavg", "0.10 0.20 0.30 1/200 4242\n")
    box.write("proc/net/dev", "Inter-| Receive\n lo: 120 1 0\n eth0: 0 0 0\n")
    box.write("proc/meminfo", "MemTotal: 1000 kB\nHugePages: 0\nMemFree: 500 kB\n")
    box.write("sensors/core", "42000\n")
    box.write("sensors/disk", "31000\n")
    box.write("plugins.json", json.dumps({"echo": ["/bin/echo", "depth 3"], "bad": ["/bin/false"]}))
    return hostagent.HostAgent(box.path(), address, box.path("proc"))


def _reads(connection):
    while connection.recv(4096):
        pass


def measures(box):
    agent = _agent(box)
    agent.load()
    agent.interfaces()
    agent.sensors(["core", "disk"])
    dict(hostagent.meminfo(box.path("proc", "meminfo")))
    box.take(hostagent.meminfo(box.path("proc", "meminfo")))


def asks_plugins(box):
    _agent(box).plugins()


def learns(box):
    def web(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with box.serve(web) as (host, port):
        agent = _agent(box)
        agent.learn(f"http://{host}:{port}/plugins")
        agent.plugins()


def notes_volumes(box):
    agent = _agent(box)
    agent.note_volume("/", 1000)
    agent.fill_rate("/")
    agent.note_volume("/", 900)
    agent.fill_rate("/")


def delivers(box):
    with box.serve(_reads) as address:
        _agent(box, address).flush([("load.1", "0.1")])


def carbon_is_away(box):
    agent = _agent(box)
    agent.flush([("load.1", "0.1"), ("load.5", "0.2")])
    for name in os.listdir(box.path()):
        if name.startswith("spool-"):
            hostagent.spooled_text(box.path(name))
    with box.serve(_reads) as address:
        _agent(box, address).drain()


def carbon_drops_us(box):
    with box.serve(_reads) as address, box.using(hostagent.CarbonLink(address, "x")) as link:
        link.send(["a 1 1\n"])
        link.reconnect()
        link.send(["a 2 2\n"])
        link.close()
        link.reconnect()
        link.reconnect()


def publishes(box):
    agent = _agent(box)
    agent.publish({"state": "fine"})
    agent.beat()
    with box.raises(TypeError):
        agent.publish({"state": object()})


def claims(box):
    fd = hostagent.claim(box.path("pid"))
    try:
        with box.raises(hostagent.AlreadyRunning):
            hostagent.claim(box.path("pid"))
    finally:
        os.close(fd)
    os.close(hostagent.claim(box.path("pid")))


def takes_orders(box):
    agent = _agent(box)
    agent.orders("one.sock")
    agent.orders("two.sock", wanted=False)
    agent.orders("two.sock")
    os.makedirs(box.path("three.sock"))
    with box.raises(OSError):
        hostagent.order_socket("three.sock")


def history_block_fails(box):
    with box.raises(RuntimeError), hostagent.volume_history(box.path("volumes.db")):
        box.fail()
