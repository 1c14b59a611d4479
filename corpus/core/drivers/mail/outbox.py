"""Calls into mail/outbox.py."""

import json
import os

from mail import outbox


def _relay(connection):
    connection.sendall(b"220 relay\r\n")
    with connection.makefile("rb") as reader:
        while line := reader.readline():
            connection.sendall(_reply(line, reader))


def _reply(line, reader):
    verb = line[:4].upper()
    if verb == b"RCPT" and b"nobody" in line:
        return b"550 unknown\r\n"
    if verb == b"DATA":
        return b"354 go on\r\n"
    if verb.startswith(b"."):
        return b"250 taken\r\n"
    return b"250 fine\r\n" if verb in (b"EHLO", b"MAIL", b"RCPT", b"RSET", b"QUIT") else b""


def _refuses(connection):
    connection.sendall(b"554 go away\r\n")
    connection.recv(100)


def _box(box, address=("127.0.0.1", 1)):
    box.write("relay.json", json.dumps({"host": address[0], "port": address[1], "helo": "host.example.org"}))
    return outbox.Outbox(box.path())


def sends(box):
    with box.serve(_relay) as address:
        mails = _box(box, address)
        mails.drop("To: a@example.org\n\nhello\n")
        mails.drop("To: nobody@example.org\n\nhello\n")
        mails.drop("Subject: for whom?\n\nhello\n")
        mails.flush()
        mails.summary()
        mails.worst()
    with box.using(outbox.BounceTable(box.path("bounces.db"))) as bounces:
        for _ in range(2):
            bounces.refuse("root@localhost")
        mails.worst()
    os.unlink(box.path("bounces.db"))
    with box.using(outbox.BounceTable(box.path("bounces.db"))):
        mails.worst()
    mails.pack()


def sends_nothing_large(box):
    with box.serve(_relay) as address:
        mails = _box(box, address)
        box.write("new/large", "To: a@example.org\n\n" + "x" * (1 << 20))
        mails.flush()


def packs(box):
    mails = _box(box)
    box.write("sent/one", "To: a@example.org\n\nhello\n")
    box.write("sent/two.bz2", "")
    mails.pack()
    outbox.archived_message(box.path("sent", "one.bz2"))
    mails.touch()
    box.write("failed/three", "To: nobody@example.org\n\nhello\n")
    mails.requeue(["three"])


def signs(box):
    mails = _box(box)
    box.write("signature", "the machine\n")
    mails.drop("To: a@example.org\n\nhello\n")
    list(outbox.pending_headers(box.path("new")))
    with box.raises(UnicodeEncodeError):
        mails.drop("\ud800")


def relay_refuses(box):
    with box.serve(_refuses) as address:
        mails = _box(box, address)
        with box.raises(outbox.RelayRefused):
            mails.flush()
        with box.raises(outbox.RelayRefused):
            outbox.open_relay(*address, "host.example.org")


def mails_output(box):
    mails = _box(box)
    mails.drop_output(["/bin/echo", "done"], "backup")
    mails.drop_output(["/bin/true"], "backup")


def turns_the_month(box):
    with box.using(outbox.OutboxJournal(box.path(), "2020-01")) as journal:
        journal.write("a", "sent")
        journal.turn("2020-02")
        journal.close()
        journal.turn("2020-03")
        journal.write("b", "sent")
        journal.turn("2020-04")
    box.write("journal-2020-04", '\n{"state": "sent"}\n')
    list(outbox.journal_entries(box.path("journal-2020-04")))
    box.take(outbox.journal_entries(box.path("journal-2020-04")))


def is_notified(box):
    mails = _box(box)
    mails.notified("one.sock")
    mails.notified("one.sock")
    mails.notified("two.sock", wanted=False)
    os.makedirs(box.path("three.sock"))
    with box.raises(OSError):
        outbox.notify_socket("three.sock")


def head_is_read(box):
    outbox.head_of(box.write("one", "To: a\nSubject: b\n\nbody\n"))
    outbox.head_of(box.write("two", "To: a\nSubject: b\n"))


def lock_is_given_back(box):
    with box.raises(RuntimeError), outbox.folder_lock(box.path("lock")):
        box.fail()
