"""Calls into mesh/gossip.py."""

import io

from mesh import gossip


def _mesh():
    mesh = gossip.Mesh()
    for number in range(4):
        mesh.node("n%d@inner:%d" % (number, number))
    return mesh


def spreads_a_rumour(box):
    mesh = _mesh()
    with box.using(gossip.Census()) as census:
        census.start()
        mesh.whisper("n0@inner:0", "rain")
        mesh.rounds(6)
        census.busiest()
        census.spoken_of("rain")
    mesh.report(io.StringIO())


def sends_astray(box):
    mesh = _mesh()
    mesh.whisper("nowhere", "rain")
    mesh.problem()
    mesh.whisper("n9@inner:9", "rain")
    node = mesh.node("far@outer:1")
    node.receive(gossip.Envelope("x", "old", 9))
    node.work()
    node.fault()
    for number in range(20):
        node.receive(gossip.Envelope("x", "r%d" % number, 0))
    node.dropped()


def goes_on_for_long(box):
    mesh = _mesh()
    node = mesh.node("solo@far:1")
    with box.using(gossip.Census(top=12)) as census:
        census.start()
        for number in box.rounds(44):
            mesh.whisper("gone%d@inner:1" % number, "rain")
            node.receive(gossip.Envelope("x", "rumour %d" % number, 0))
            node.work()
            gossip.SKY.delivered("node %d" % number, gossip.Envelope("x", "y", 0))
            node.drop(gossip.Envelope("x", "z", 0))


def is_watched(box):
    mesh = _mesh()
    mesh.whisper("n1@inner:1", "snow")
    gossip.watched(mesh, 2)


def counts(box):
    for _ in box.rounds(3):
        with box.using(gossip.Census()) as census:
            census.start()


def parses(box):
    for number in box.rounds(44):
        gossip.fingerprint("rumour %d" % number)
        gossip.parse_address("a@b:%d" % number)
