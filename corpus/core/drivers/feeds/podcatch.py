"""Calls into feeds/podcatch.py."""

import gzip
import io
import socket
import wave
import zipfile

from feeds import podcatch

FEED = """<rss><channel>
<item><title>one</title><enclosure url="http://{0}:{1}/one.mp3"/></item>
<item><title>two</title><enclosure url="http://{0}:{1}/two.mp3"/></item><item/></channel></rss>"""


def _web(connection):
    host, port = connection.getsockname()
    with connection.makefile("rb") as lines:
        path = lines.readline().split()[1]
        while lines.readline().strip():
            pass
    body = FEED.format(host, port).encode() if path == b"/feed" else b"sound"
    state = b"404 Not Found" if path == b"/nothing" else b"200 OK"
    connection.sendall(b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (state, len(body), body))


def _ftp(connection):
    connection.sendall(b"220 ready\r\n")
    with socket.create_server(("127.0.0.1", 0)) as data, connection.makefile("rb") as lines:
        data.settimeout(1)
        port = data.getsockname()[1]
        answers = {b"USER": b"230 in\r\n", b"EPSV": b"229 here (|||%d|)\r\n" % port}
        answers[b"PASV"] = b"227 here (127,0,0,1,%d,%d)\r\n" % divmod(port, 256)
        for line in lines:
            verb = line[:4]
            if verb == b"RETR":
                connection.sendall(b"150 comes\r\n")
                with data.accept()[0] as out:
                    out.sendall(b"sound")
                connection.sendall(b"226 done\r\n")
            else:
                connection.sendall(answers.get(verb, b"350 go on\r\n" if verb == b"REST" else b"200 fine\r\n"))


def catches(box):
    with box.serve(_web) as (host, port):
        box.write("feeds", f"http://{host}:{port}/feed\n\n")
        catcher = podcatch.Catcher(box.path())
        catcher.run()
        catcher.run()
        catcher.doubles()
        catcher.play_list(["one.mp3", "two.mp3"])
        catcher.cover(f"http://{host}:{port}/cover")


def goes_on_with_a_part(box):
    box.write("one.mp3.part", "so")
    with box.serve(_web) as (host, port):
        url = f"http://{host}:{port}/one.mp3"
        podcatch.Catcher(box.path()).fetch(url)
        box.take(podcatch.pieces(url))


def fetches_over_ftp(box):
    box.write("two.mp3.part", "so")
    with box.serve(_ftp) as (host, port):
        catcher = podcatch.Catcher(box.path())
        catcher.fetch(f"ftp://{host}:{port}/pub/one.mp3")
        catcher.fetch(f"ftp://{host}:{port}/pub/two.mp3")


def part_is_too_short(box):
    with box.raises(podcatch.PodcastError):
        podcatch.open_part(box.write("one.mp3.part", "so"), 9)


def feed_is_gone(box):
    with box.serve(_web) as (host, port):
        with box.raises(podcatch.PodcastError):
            podcatch.Catcher(box.path()).episodes(f"http://{host}:{port}/nothing")


def reads_what_came_along(box):
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("chapters.json", "[]")
    podcatch.chapters_of(box.write("one.zip", pack.getvalue()))
    podcatch.show_notes(box.write("one.gz", gzip.compress(b"notes")))
    with wave.open(box.path("one.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(80))
    podcatch.duration(box.path("one.wav"))


def asks_a_tag_reader(box):
    box.write("one.mp3", "title")
    podcatch.Catcher(box.path()).tag("one.mp3", ["/bin/cat"])
    box.write("two.mp3", "")
    podcatch.Catcher(box.path()).tag("two.mp3", ["/bin/cat"])


def queues(box):
    def player(connection):
        while connection.recv(1000):
            pass

    with box.serve(player) as address:
        catcher = podcatch.Catcher(box.path(), address)
        box.write("one.mp3", "sound")
        catcher.play_list(["one.mp3", "two.mp3"])
        catcher.queue_all()
        with box.using(podcatch.PlayerLink(address)) as link:
            link.again()
            link.queue("one.mp3")
            link.again()
            link.close()
            link.again()
            link.queue("two.mp3")


def stops_reading_a_list(box):
    box.write("one.mp3", "sound")
    box.take(podcatch.playable(box.write("list", "#\none.mp3\none.mp3\n")))


def forgets(box):
    podcatch.Catcher(box.path()).forget(["one.mp3", "two.mp3"])


def store_fails(box):
    with box.raises(TypeError):
        podcatch.Catcher(box.path()).store("name", "text")
