"""Calls into blind/overseer.py."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from blind import overseer
from blind.overseer import ChildSpec


def _path(box, *parts):
    return Path(box.path(*parts))


def _tell(box, stack, *commands):
    """Puts commands into the control socket's queue, before anybody reads them."""
    for command in commands:
        peer = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        peer.connect(str(box.path("control")))
        peer.sendall(command.encode() + b"\n")


def answers_commands(box):
    with box.using(overseer.Overseer([ChildSpec("echo", ["cat"])], _path(box))) as boss:
        with ExitStack() as stack:
            _tell(box, stack, "status", "dance", "reopen", "quit")
            boss.run()


def starts_children_again_and_gives_up(box):
    specs = [ChildSpec("greeter", ["sh", "-c", "printf \"hello $WHO\\nrest\""], 1, {"WHO": "you"})]
    box.write("control", "left over")
    with box.using(overseer.Overseer(specs, _path(box))) as boss:
        boss.run()


def answers_when_a_child_is_down(box):
    specs = [ChildSpec("gone", ["cat"]), ChildSpec("echo", ["cat"])]
    with box.using(overseer.Overseer(specs, _path(box))) as boss, ExitStack() as stack:
        boss.children[0].stop()
        _tell(box, stack, "status", "reopen", "quit")
        boss.run()


def is_woken_up(box):
    with box.using(overseer.Overseer([ChildSpec("echo", ["cat"])], _path(box))) as boss:
        boss.wake()
        boss.run()


def insists_on_the_end_of_a_child(box):
    specs = [ChildSpec("deaf", ["sleep", "0.05"])]
    with box.using(overseer.Overseer(specs, _path(box), grace=0.001)):
        pass


def cannot_start_its_second_child(box):
    specs = [ChildSpec("echo", ["cat"]), ChildSpec("missing", ["/nonexistent/program"])]
    with box.raises(OSError):
        overseer.Overseer(specs, _path(box))


def finds_another_one_running(box):
    with box.using(overseer.Overseer([], _path(box))):
        with box.raises(overseer.OverseerError):
            overseer.Overseer([], _path(box))


def cannot_listen(box):
    folder = _path(box, "x" * 120)
    os.mkdir(folder)
    with box.raises(OSError):
        overseer.Overseer([], folder)


def looks_after_one_child(box):
    child = overseer.SupervisedChild(ChildSpec("echo", ["cat"]), _path(box), 1.0)
    with box.using(child):
        child.start()
        child.pump()


def reads_lines(box):
    list(overseer.output_lines(["sh", "-c", "echo a; echo b"], _path(box)))
    box.take(overseer.output_lines(["sh", "-c", "echo a; echo b"], _path(box)))
    with box.raises(overseer.OverseerError):
        list(overseer.output_lines(["sh", "-c", "echo a; exit 3"], _path(box)))


def runs_on_a_terminal(box):
    overseer.run_on_terminal(["echo", "hello"])
    overseer.run_on_terminal(["echo", "hello"], limit=2)
    with box.raises(OSError):
        overseer.run_on_terminal(["/nonexistent/program"])
