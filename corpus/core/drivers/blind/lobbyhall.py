"""Calls into blind/lobbyhall.py."""

import contextlib
import socket
import time

from blind import lobbyhall

REFEREE = ["sh", "-c", 'echo "the winner is"; echo "$1"', "referee"]


def _lobby(box, referee=REFEREE, **options):
    return lobbyhall.LobbyServer(referee, box.path("results"), **options)


@contextlib.contextmanager
def _guest(lobby):
    """Gives a function that sends a line and reads up to a line that begins with a word."""
    with socket.create_connection(lobby.address, 1.0) as sock, sock.makefile("r", encoding="utf-8") as lines:
        def ask(line, word):
            if line:
                sock.sendall(line.encode() + b"\n")
            for answer in lines:
                if answer.startswith(word):
                    return answer
            return None
        ask("", "WELCOME")
        yield ask


def plays_a_match(box):
    with box.using(_lobby(box)) as lobby:
        with _guest(lobby) as one, _guest(lobby) as two:
            one("NAME ada", "OK")
            one("SIT oak", "SITS")
            one("SAY hello", "SAID")
            two("SIT oak", "SITS")
            one("", "RESULT")
            two("LIST", "TABLES")
            two("LEAVE", "OK")
            one("QUIT", "never")


def breaks_rules(box):
    with box.using(_lobby(box, size=1, referee=["sh", "-c", "exit 3"])) as lobby:
        with _guest(lobby) as one, _guest(lobby) as two:
            one("NAME ada", "OK")
            two("NAME ada", "NO")
            two("DANCE", "NO")
            one("SIT oak", "RESULT")
            two("SIT oak", "NO")


def changes_tables(box):
    with box.using(_lobby(box)) as lobby:
        with _guest(lobby) as one:
            one("SIT oak", "SITS")
            one("SIT elm", "SITS")


def is_full(box):
    with box.using(_lobby(box, limit=0)) as lobby:
        with socket.create_connection(lobby.address, 1.0) as sock:
            sock.recv(10)


def sends_the_idle_away(box):
    with box.using(_lobby(box, idle=0.01)) as lobby:
        with _guest(lobby) as one:
            one("", "never")


def ends_while_a_match_goes_on(box):
    with box.using(_lobby(box, size=1, referee=["sh", "-c", "exec sleep 5"])) as lobby:
        with _guest(lobby) as one:
            one("SIT oak", "SITS")
            time.sleep(0.01)


def ends_at_once(box):
    with box.using(_lobby(box)):
        pass


def cannot_write_results(box):
    with box.raises(OSError):
        lobbyhall.LobbyServer(REFEREE, box.path("nowhere", "results"))


def is_watched(box):
    with box.using(_lobby(box)) as lobby:
        with lobby.watched(lambda event, name: None):
            with _guest(lobby) as one:
                one("QUIT", "never")
        with box.raises(Exception):
            with lobby.watched(print):
                box.fail()


def welcomes_many(box):
    with box.using(_lobby(box)) as lobby:
        for number in box.rounds(5):
            with _guest(lobby) as one:
                one(f"SIT table{number}", "SITS")
                one("SAY bye", "SAID")
                one("QUIT", "never")


def keeps_the_last_words(box):
    with box.using(_lobby(box)) as lobby:
        with _guest(lobby) as one:
            one("SIT oak", "SITS")
            for number in box.rounds(22):
                one(f"SAY {number}", "SAID")
