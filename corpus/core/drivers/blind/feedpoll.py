"""Calls into blind/feedpoll.py."""

import smtplib
from contextlib import suppress
from unittest import mock

from blind import feedpoll

FEED = b"""<rss><channel>
<item><guid>a1</guid><title>First</title></item>
<item><link>http://example.org/2</link></item>
<item><title>Neither guid nor link</title></item>
</channel></rss>"""
MAIL = b"Message-ID: <1@example.org>\r\nSubject: Report\r\n\r\nAll is well.\r\n"


def _http(status, body=b"", *headers, length=None):
    """A server that gives the same answer to every request."""
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    answer = "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def handle(connection):
        with suppress(OSError):
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                block = connection.recv(4096)
                if not block:
                    return
                request += block
            connection.sendall(answer)
    return handle


def _imap(select="OK"):
    def handle(connection):
        with suppress(OSError), connection.makefile("rwb") as stream:
            stream.write(b"* OK IMAP4rev1 ready\r\n")
            stream.flush()
            for line in stream:
                tag, command, *rest = line.split()
                verdict = b"OK"
                if command == b"CAPABILITY":
                    stream.write(b"* CAPABILITY IMAP4rev1\r\n")
                elif command == b"EXAMINE":
                    stream.write(b"* 2 EXISTS\r\n")
                    verdict = select.encode()
                elif command == b"SEARCH":
                    stream.write(b"* SEARCH 1 2\r\n")
                elif command == b"FETCH" and rest[0] == b"1":
                    stream.write(b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\n" % (len(MAIL), MAIL))
                elif command == b"LOGOUT":
                    stream.write(b"* BYE\r\n")
                stream.write(b"%s %s done\r\n" % (tag, verdict))
                stream.flush()
                if command == b"LOGOUT":
                    return
    return handle


def _smtp(connection, extension=b""):
    hello = b"250-localhost\r\n250 " + extension if extension else b"250 localhost"
    replies = {b"EHLO": hello, b"STAR": b"454 not now", b"MAIL": b"250 ok", b"RCPT": b"250 ok",
               b"DATA": b"354 go on", b"QUIT": b"221 bye", b"RSET": b"250 ok"}
    with suppress(OSError), connection.makefile("rwb") as stream:
        stream.write(b"220 localhost\r\n")
        stream.flush()
        for line in stream:
            command = line[:4].upper()
            stream.write(replies.get(command, b"502 what?") + b"\r\n")
            stream.flush()
            if command == b"QUIT":
                return
            if command == b"DATA":
                while stream.readline() not in (b".\r\n", b""):
                    pass
                stream.write(b"250 queued\r\n")
                stream.flush()


def _url(address, path="/feed.xml", scheme="http"):
    return f"{scheme}://{address[0]}:{address[1]}{path}"


def _poll(box, handle):
    with box.serve(handle) as address:
        source = feedpoll.FeedSource(_url(address), feedpoll.State(box.path("state.json")))
        return list(source.poll())


def _get(box, handle, path="/cast.mp3"):
    with box.serve(handle) as address:
        feedpoll.Downloader(box.path()).download(_url(address, path))


def a_whole_run(box):
    with box.serve(_http("200 OK", FEED, 'ETag: "7"')) as feed, box.serve(_imap()) as imap, \
            box.serve(_smtp) as smtp:
        urls = box.write("urls", f"# feeds\n{_url(feed)}\n\n{_url(feed, '/other.xml')}\n")
        mails = feedpoll.MailSource(imap[0], "me", "secret", box.path("mbox"), imap[1])
        mailer = feedpoll.DigestMailer(*smtp, starttls=True)
        feedpoll.run(urls, box.path("state.json"), mails, mailer, "me@example.org")


def a_run_in_which_everything_is_down(box):
    with box.serve(_http("500 Oops")) as feed, box.serve(_imap("NO")) as imap:
        urls = box.write("urls", _url(feed) + "\n")
        box.write("state.json", "not json")
        mails = feedpoll.MailSource(imap[0], "me", "secret", box.path("mbox"), imap[1])
        feedpoll.run(urls, box.path("state.json"), mails)


def keeps_its_state(box):
    state = feedpoll.State(box.path("state.json")).load()
    state.data["a"] = 1
    state.save()
    feedpoll.State(box.path("state.json")).load()


def keeps_the_old_state_if_the_new_one_cannot_be_written(box):
    state = feedpoll.State(box.path("state.json"))
    state.data["a"] = object()
    with box.raises(TypeError):
        state.save()


def polls_a_feed_that_has_not_changed(box):
    with box.serve(_http("304 Not Modified")) as address:
        state = feedpoll.State(box.path("state.json"))
        state.data[_url(address)] = {"etag": '"7"', "ids": []}
        list(feedpoll.FeedSource(_url(address), state).poll())


def polls_a_feed_that_is_gone(box):
    with box.raises(feedpoll.FetchError):
        _poll(box, _http("410 Gone", b"<html/>"))


def polls_a_feed_whose_server_is_down(box):
    with box.serve(_http("200 OK")) as address:
        pass
    source = feedpoll.FeedSource(_url(address), feedpoll.State(box.path("state.json")))
    with box.raises(feedpoll.FetchError):
        list(source.poll())


def polls_a_feed_that_is_no_xml(box):
    with box.raises(feedpoll.FetchError):
        _poll(box, _http("200 OK", b"<rss>"))


def polls_a_feed_that_is_too_large(box):
    with mock.patch.object(feedpoll, "MAX_BODY", 16), box.raises(feedpoll.FetchError):
        _poll(box, _http("200 OK", FEED))


def polls_a_feed_that_breaks_off(box):
    with box.raises(feedpoll.FetchError):
        _poll(box, _http("200 OK", FEED[:20], length=500))


def asks_for_sizes(box):
    downloader = feedpoll.Downloader(box.path())
    with box.serve(_http("200 OK", length=1234)) as address:
        downloader.size_of(_url(address, "/cast.mp3"))
    with box.serve(_http("404 Not Found")) as address:
        downloader.size_of(_url(address, ""))


def asks_for_a_size_where_nobody_speaks_tls(box):
    def refuse(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with box.serve(refuse) as address, box.raises(OSError):
        feedpoll.Downloader(box.path()).size_of(_url(address, "/", "https"))


def downloads(box):
    _get(box, _http("200 OK", b"sound" * 20000))
    _get(box, _http("200 OK", b"sound"), "/")


def resumes_a_download(box):
    box.write("cast.mp3", b"sou")
    _get(box, _http("206 Partial Content", b"nd"))


def resumes_a_download_that_is_complete(box):
    box.write("cast.mp3", b"sound")
    _get(box, _http("416 Range Not Satisfiable"))


def downloads_what_is_not_there(box):
    with box.raises(feedpoll.FetchError):
        _get(box, _http("404 Not Found", b"no"))


def mails_nothing_to_a_server_that_hangs_up(box):
    def hang_up(connection):
        connection.sendall(b"220 localhost\r\n")

    with box.serve(hang_up) as address, box.raises(OSError):
        feedpoll.DigestMailer(*address).send("me@example.org", [("a1", "First")])


def mails_nothing_to_a_server_that_will_not_hide_it(box):
    with box.serve(lambda connection: _smtp(connection, b"STARTTLS")) as address, box.raises(smtplib.SMTPException):
        feedpoll.DigestMailer(*address, starttls=True).send("me@example.org", [("a1", "First")])
