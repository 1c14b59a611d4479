"""Calls into stores/ticketbox.py."""

import os
from pathlib import Path

from stores import ticketbox

MESSAGE = b"From: Desk <desk@example.org>\r\nSubject: Printer\r\nMessage-ID: <1@example.org>\r\n\r\nIt burns.\r\n"


def _store(box):
    return ticketbox.TicketStore(Path(box.path("tickets.db")))


def _importer(box):
    return ticketbox.MailboxImporter(_store(box), Path(box.path("raw.gz")))


def _imap(password=b"secret", odd=False):
    """An IMAP server that knows two messages."""

    def answer(connection):
        stream = connection.makefile("rwb")
        with stream:
            stream.write(b"* OK ready\r\n")
            stream.flush()
            for line in stream:
                tag, _, command = line.strip().partition(b" ")
                words = command.split()
                if words[0] == b"LOGIN" and password not in command:
                    stream.write(tag + b" NO wrong\r\n")
                    stream.flush()
                    continue
                if words[0] == b"CAPABILITY":
                    stream.write(b"* CAPABILITY IMAP4REV1\r\n")
                elif words[0] == b"EXAMINE":
                    stream.write(b"* 2 EXISTS\r\n")
                elif words[:2] == [b"UID", b"search"] or words[:2] == [b"UID", b"SEARCH"]:
                    stream.write(b"* SEARCH 1 2\r\n")
                elif words[0] == b"UID":
                    if odd and words[2] == b"2":
                        stream.write(tag + b" NO gone\r\n")
                        stream.flush()
                        continue
                    stream.write(b"* 1 FETCH (UID %s RFC822 {%d}\r\n" % (words[2], len(MESSAGE)) + MESSAGE + b")\r\n")
                elif words[0] == b"LOGOUT":
                    stream.write(b"* BYE\r\n")
                stream.write(tag + b" OK done\r\n")
                stream.flush()
                if words[0] == b"LOGOUT":
                    return

    return answer


def _password(box, text="secret\n", mode=0o600):
    path = box.write("password", text)
    os.chmod(path, mode)
    return Path(path)


def pulls_new_messages_once(box):
    importer = _importer(box)
    with box.serve(_imap()) as (host, port):
        importer.pull(host, port, "desk", _password(box))
        importer.pull(host, port, "desk", _password(box))


def skips_what_the_server_refuses(box):
    importer = _importer(box)
    with box.serve(_imap(odd=True)) as (host, port):
        importer.pull(host, port, "desk", _password(box, mode=0o644))


def does_not_get_in(box):
    importer = _importer(box)
    with box.serve(_imap()) as (host, port):
        with box.raises(Exception):
            importer.pull(host, port, "desk", _password(box, "wrong\n"))


def keeps_tickets(box):
    store = _store(box)
    store.add("<1@example.org>", "Printer", "It burns.")
    store.add("<2@example.org>", "Re: [#1] Printer", "Still.")
    store.add("<3@example.org>", "Re: [#9] Scanner", "Lost.")
    store.unseen([1, 2])
    store.mark_seen([1])
    store.unseen([1, 2])
    store.summary()
    store.dump(Path(box.path("dump.sql")))


def says_that_nothing_is_open(box):
    _store(box).summary()


def hands_out_an_owner(box):
    importer = _importer(box)
    importer.load_ignored(Path(box.write("ignored.json", '["Spam@example.org"]')))


def imports_an_mbox(box):
    importer = _importer(box)
    importer.load_ignored(Path(box.write("ignored.json", '["spam@example.org"]')))
    text = b"From desk Mon Jan  1 00:00:00 2024\n" + MESSAGE.replace(b"\r\n", b"\n") + b"\n"
    spam = text.replace(b"desk@example.org", b"spam@example.org")
    importer.import_mbox(Path(box.write("old.mbox", text + spam)))


def imports_an_export(box):
    importer = _importer(box)
    importer.import_export(Path(box.write("desk.csv", "id,subject,text\n1,Printer,burns\n2,,\n3,Toner,\n")))


def refuses_a_database_that_is_none(box):
    box.write("tickets.db", "x" * 2000)
    with box.raises(Exception):
        _store(box)


def looks_into_the_archive(box):
    importer = _importer(box)
    with box.serve(_imap()) as (host, port):
        importer.pull(host, port, "desk", _password(box))
    ticketbox.archived_message(importer.archive, 1)
    ticketbox.archived_message(importer.archive, 2)


def copies_tickets(box):
    store = _store(box)
    store.add("<1@example.org>", "Printer", "It burns.")
    store.copy_to(Path(box.path("copy.db")))
    with box.raises(FileExistsError):
        store.copy_to(Path(box.path("copy.db")))
    with box.raises(Exception):
        ticketbox.TicketStore(Path(box.path("copy.db"))).copy_to(Path(box.path("no", "copy.db")))
    box.write("tickets.db", "x" * 2000)
    with box.raises(Exception):
        store.copy_to(Path(box.path("other.db")))


def imports_letters(box):
    importer = _importer(box)
    other = MESSAGE.replace(b"1@example", b"2@example")
    importer.import_letters([Path(box.write("1.eml", MESSAGE)), Path(box.write("2.eml", other))])
