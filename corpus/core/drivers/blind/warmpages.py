"""Calls into blind/warmpages.py."""

import os
import socket
from pathlib import Path

from blind import warmpages


def _pages(box, room=4, keep=4):
    shelf = warmpages.CodeShelf(Path(box.path("shelf")), keep)
    return warmpages.WarmPages(Path(box.path("site")), shelf, room)


def _at(box):
    return Path(box.path("sock"))


def renders_pages(box):
    box.write("site/home", "Hello {{ who }}, welcome to {{ place }}.")
    with box.using(warmpages.PageDaemon(_pages(box), _at(box))):
        warmpages.render_page(_at(box), "home", {"who": "you", "place": 1})
        warmpages.render_page(_at(box), "home", {"who": "me", "place": 2})


def answers_other_requests(box):
    box.write("site/home", "Hello")
    with box.using(warmpages.PageDaemon(_pages(box), _at(box), 1)):
        warmpages.ask_daemon(_at(box), "STATS")
        warmpages.ask_daemon(_at(box), "FORGET home")
        with box.raises(warmpages.TemplateRefused):
            warmpages.ask_daemon(_at(box), "DANCE")


def refuses_templates(box):
    box.write("site/bad", "Hello {{ }}")
    box.write("site/worse", "Hello {{ 1st }}")
    pages = _pages(box)
    for name in ("bad", "worse", "lost", "../bad"):
        with box.raises(warmpages.TemplateRefused):
            pages.code(name)


def tells_of_a_refusal(box):
    os.mkdir(box.path("site"))
    with box.using(warmpages.PageDaemon(_pages(box), _at(box))):
        with box.raises(warmpages.TemplateRefused):
            warmpages.render_page(_at(box), "lost", {})


def gets_rubbish(box):
    with box.using(warmpages.PageDaemon(_pages(box), _at(box), 1)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(2.0)
            sock.connect(box.path("sock"))
            sock.sendall(b"\xff\xfe\n")
            sock.recv(10)


def finds_the_socket_taken(box):
    box.write("sock", "")
    with box.raises(OSError):
        warmpages.PageDaemon(_pages(box), _at(box))


def keeps_code_over_restarts(box):
    box.write("site/home", "Hello {{ who }}")
    for _ in range(2):
        _pages(box).code("home")


def remembers_the_last_pages(box):
    pages = _pages(box, room=3, keep=2)
    for number in box.rounds(5):
        box.write(f"site/page{number}", f"Page {number}")
        pages.code(f"page{number}")
        pages.code(f"page{number}")
    pages.forget("page0")


def thins_out_the_shelf(box):
    shelf = warmpages.CodeShelf(Path(box.path("shelf")), 1)
    for digest in "abc":
        shelf.save(digest, b"code")
    shelf.load("c")
    shelf.load("a")


def tells_listeners(box):
    box.write("site/home", "Hello")
    pages = _pages(box)
    names = []
    with pages.listening(names.append):
        pages.code("home")
    with box.raises(Exception):
        with pages.listening(names.append):
            box.fail()
