"""Calls into mail/imapfetch.py."""

import json
import pathlib

from mail import imapfetch

MESSAGE = (
    b"Subject: report\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee there\r\n--x\r\n"
    b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nnumbers\r\n--x--\r\n"
)


def _server(login=b"OK", select=b"OK", version=b"IMAP4rev1"):
    answers = {
        b"CAPABILITY": b"* CAPABILITY %s QUOTA\r\n" % version,
        b"UID": b"* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\n" % (len(MESSAGE), MESSAGE),
        b"GETQUOTAROOT": b'* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 10 512)\r\n',
        b"SELECT": b"* 1 EXISTS\r\n",
        b"EXAMINE": b"* 1 EXISTS\r\n",
        b"LOGOUT": b"* BYE\r\n",
    }
    states = {b"LOGIN": login, b"EXAMINE": select}

    def handle(connection):
        connection.sendall(b"* OK IMAP4 server\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                tag, verb = line.split()[:2]
                connection.sendall(answers.get(verb, b"") + tag + b" " + states.get(verb, b"OK") + b" done\r\n")

    return handle


def _fetcher(box, address=("127.0.0.1", 1), command=("/bin/echo", "secret")):
    account = {"name": "home", "host": address[0], "port": address[1], "user": "me", "password_command": command}
    box.write("accounts.json", json.dumps([account]))
    return imapfetch.MailFetcher(imapfetch.accounts(pathlib.Path(box.path("accounts.json")))[0], pathlib.Path(box.path("mail")))


def fetches(box):
    with box.serve(_server()) as address:
        fetcher = _fetcher(box, address)
        fetcher.fetch("INBOX")
        fetcher.unread()
        fetcher.unread()
        fetcher.last_uid("INBOX")
        fetcher.sync()


def tells_the_quota(box):
    with box.serve(_server()) as address:
        fetcher = _fetcher(box, address)
        fetcher.quota()
        fetcher.quota(wanted=False)


def login_is_refused(box):
    with box.serve(_server(login=b"NO")) as address:
        with box.raises(imapfetch.imaplib.IMAP4.error):
            _fetcher(box, address).fetch("INBOX")


def server_is_old(box):
    with box.serve(_server(version=b"IMAP4")) as address:
        with box.raises(imapfetch.FetchFailed):
            _fetcher(box, address).quota()


def password_is_missing(box):
    with box.serve(_server()) as address:
        with box.raises(imapfetch.BadAccount):
            _fetcher(box, address, ["/bin/false"]).quota()


def mailbox_is_missing(box):
    with box.serve(_server(select=b"NO")) as address:
        with box.raises(imapfetch.FetchFailed):
            _fetcher(box, address).fetch("nowhere")


def other_server(box):
    with box.serve(lambda connection: connection.sendall(b"220 ftp\r\n")) as address:
        with box.raises(imapfetch.FetchFailed):
            _fetcher(box, address).fetch("INBOX")


def looks_into_messages(box):
    fetcher = _fetcher(box)
    path = fetcher.keep(1, MESSAGE)
    fetcher.keep(2, b"Subject: other\r\n\r\nnothing\r\n")
    imapfetch.message_bytes(path)
    fetcher.mentions(b"numbers")
    fetcher.pack_attachments("2020-01-01")
    with box.raises(TypeError):
        fetcher.keep(3, "text")


def index_is_begun_anew(box):
    path = pathlib.Path(box.path("subjects"))
    with box.using(imapfetch.SubjectIndex(path)) as index:
        index.add("1.eml", "one")
        index.begin_anew()
        index.add("2.eml", "two")
        index.close()
        index.begin_anew()
        index.begin_anew()
    with box.using(imapfetch.SubjectIndex(pathlib.Path(box.write("old", "1.eml\tone\n")))) as index:
        index.add("2.eml", "two")
    box.write("more", "broken\n1.eml\tone\n2.eml\ttwo\n")
    list(imapfetch.index_lines(pathlib.Path(box.path("more"))))
    box.take(imapfetch.index_lines(pathlib.Path(box.path("more"))))


def account_lacks_something(box):
    with box.raises(imapfetch.BadAccount):
        imapfetch.accounts(pathlib.Path(box.write("accounts.json", '[{"name": "home"}]')))
