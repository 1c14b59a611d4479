"""Calls into blind/partnerdrop.py."""

import contextlib
import ftplib
import smtplib
import socket

from blind import partnerdrop

FILES = {"out/o1.csv": b"7;chair\n" * 2000, "out/o2.csv": b""}


def _transfer(connection, listener, word, path, files):
    with listener, listener.accept()[0] as data:
        if word == "NLST":
            data.sendall("".join(name + "\r\n" for name in files).encode())
        elif word == "RETR":
            data.sendall(files[path])
        else:
            while data.recv(4096):
                pass
    connection.sendall(b"226 done\r\n")


def _site(files=FILES, login=b"230 welcome\r\n"):
    """A scripted server with passive transfers."""
    answers = {"USER": b"331 and now the word\r\n", "PASS": login, "RNFR": b"350 go on\r\n", "QUIT": b"221 bye\r\n"}

    def handle(connection):
        connection.sendall(b"220 ready\r\n")
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            requests = stack.enter_context(connection.makefile("r", newline="\r\n"))
            for line in requests:
                word, _, path = line.strip().partition(" ")
                if word == "PASV":
                    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                    listener.settimeout(2)
                    port = listener.getsockname()[1]
                    connection.sendall(b"227 passive (127,0,0,1,%d,%d)\r\n" % divmod(port, 256))
                elif word == "NLST" and not files:
                    connection.sendall(b"550 nothing there\r\n")
                elif word == "NLST" and "?" in files:
                    connection.sendall(b"530 not for you\r\n")
                elif word in ("NLST", "RETR", "STOR"):
                    connection.sendall(b"150 here it comes\r\n")
                    _transfer(connection, listener, word, path, files)
                else:
                    connection.sendall(answers.get(word, b"250 fine\r\n"))
    return handle


def _postman(recipient=b"250 fine\r\n", greeting=b"250 fine\r\n"):
    answers = {"EHLO": greeting, "STAR": b"454 not today\r\n", "RCPT": recipient, "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}

    def handle(connection):
        connection.sendall(b"220 ready\r\n")
        with contextlib.suppress(OSError), connection.makefile("r", newline="\r\n") as requests:
            for line in requests:
                word = line[:4].upper().strip()
                connection.sendall(answers.get(word, b"250 fine\r\n"))
                if word == "DATA":
                    for text in requests:
                        if text == ".\r\n":
                            connection.sendall(b"250 taken\r\n")
                            break
    return handle


def _login(address):
    return partnerdrop.PartnerSite(*address, "us", "swordfish")


def exchanges_files(box):
    box.write("outbox/i1.csv", "8;table\n")
    box.write("outbox/.hidden", "")
    box.write("inbox/note", "")
    with box.serve(_site()) as address:
        with box.using(_login(address)) as site:
            partnerdrop.exchange(site, box.path("inbox"), box.path("outbox"))


def finds_nothing_to_fetch(box):
    with box.serve(_site({})) as address:
        with box.using(_login(address)) as site:
            site.names("out")


def may_not_list(box):
    with box.serve(_site({"?": b""})) as address:
        with box.using(_login(address)) as site:
            with box.raises(ftplib.error_perm):
                site.names("out")


def reads_the_beginning_only(box):
    with box.serve(_site()) as address:
        with box.using(_login(address)) as site:
            box.take(site.blocks("out/o1.csv"))


def is_not_let_in(box):
    with box.serve(_site(login=b"530 no\r\n")) as address:
        with contextlib.suppress(partnerdrop.DropError):
            _login(address)


def finds_no_server(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
    with contextlib.suppress(OSError):
        _login(address)


def mails_a_report(box):
    with box.serve(_postman()) as address:
        partnerdrop.mail_report(*address, ["in o1.csv"])


def mails_to_nobody(box):
    with box.serve(_postman(recipient=b"550 unknown\r\n")) as address:
        partnerdrop.mail_report(*address, ["in o1.csv"])


def mails_without_the_promised_encryption(box):
    with box.serve(_postman(greeting=b"250-localhost\r\n250 STARTTLS\r\n")) as address:
        with box.raises(smtplib.SMTPResponseException):
            partnerdrop.mail_report(*address, ["in o1.csv"])
