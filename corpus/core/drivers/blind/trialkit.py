"""Calls into blind/trialkit.py."""

import contextlib
import logging
import os
import socket

from blind import trialkit


@contextlib.contextmanager
def _case(base=trialkit.TrialCase, **attributes):
    """A test case between its ``setUp`` and its clean-up."""
    attributes["runTest"] = lambda self: None
    case = type("Case", (base,), attributes)()
    try:
        case.setUp()
        yield case
    finally:
        case.doCleanups()


def _ask(address, *lines):
    with socket.create_connection(address, 1.0) as sock:
        for line in lines:
            sock.sendall(line + b"\n")
            sock.recv(100)


def fills_a_tree(box):
    with _case(files={"a.txt": "spam", "b/c.bin": b"eggs"}) as case:
        with case.assertLeavesAlone("a.txt"):
            case.tree.write("b/c.bin", "ham")
        with box.raises(AssertionError):
            with case.assertLeavesAlone():
                case.tree.write("a.txt", "ham")


def keeps_a_tree(box):
    with _case(files={"a.txt": "spam", "b/c.bin": b""}, keepIn=box.path()):
        pass
    with box.using(trialkit.ScratchTree(parent=box.path())) as tree:
        tree.keep(box.path("tree.tar.gz"))


def starts_a_child(box):
    with _case() as case:
        case.startChild(["sh", "-c", "echo hello; echo ready; exec sleep 5"], ready="ready")


def has_a_stubborn_child(box):
    with _case() as case:
        child = case.startChild(["sh", "-c", "trap '' TERM; echo ready; exec sleep 5"], ready="ready", patience=1.0)
        child.stop(0.01)


def has_a_child_that_ends(box):
    with _case() as case:
        with box.raises(trialkit.TrialError):
            case.startChild(["sh", "-c", "echo sorry"], ready="ready")


def has_a_child_that_keeps_quiet(box):
    with _case() as case:
        with box.raises(trialkit.TrialError):
            case.startChild(["sleep", "5"], ready="ready", patience=0.01)


def does_not_find_the_child(box):
    with _case() as case:
        with box.raises(OSError):
            case.startChild(["/nonexistent/server"])


def leases_ports(box):
    ports = range(23510, 23514)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], *ports]
        with _case() as case:
            case.leasePort(folder=box.path(), ports=ports[:2])
            case.leasePort(folder=box.path(), ports=ports[:3])
            with box.raises(trialkit.TrialError):
                case.leasePort(folder=box.path(), ports=ports[:1])


def talks_with_a_peer(box):
    with _case() as case:
        _ask(case.startPeer(b"220 hello", b"250 fine").address, b"HELO", b"NOOP")
        _ask(case.startPeer(b"220 hello", b"250 fine").address, b"HELO")
        case.startPeer(b"never said")


def takes_what_is_printed(box):
    with _case() as case, open(box.path("out"), "wb", buffering=0) as out:
        with case.assertPrints("spam", out.fileno()):
            os.write(out.fileno(), b"spam")
        with box.raises(AssertionError):
            with case.assertPrints("eggs", out.fileno()):
                os.write(out.fileno(), b"spam")
        with box.raises(RuntimeError):
            with case.assertPrints("spam", out.fileno()):
                box.fail()


def taps_a_closed_descriptor(box):
    with box.raises(OSError):
        trialkit.StreamTap(999)


def traps_a_log(box):
    for _ in box.rounds(3):
        with _case() as case:
            case.trapLog("trial.one")
            case.trapLog("trial.two")
            logging.getLogger("trial.one").warning("spam")


def uses_the_parts(box):
    with box.using(trialkit.PortLease(box.path())):
        pass
    with box.using(trialkit.ScriptedPeer([b"hello"])) as peer:
        _ask(peer.address, b"HELO")
    with box.using(trialkit.ScratchTree({"a": "b"})) as tree:
        with box.using(trialkit.ChildProcess(["echo", "hi"], tree.path, box.path("log"))) as child:
            child.waitFor("hi")
    with open(box.path("out"), "wb") as out, box.using(trialkit.StreamTap(out.fileno())) as tap:
        tap.text()
