#!/usr/bin/env python3
"""podcatch: fetch the episodes of podcasts, unpack their chapters, keep a play list.

    podcatch.py FOLDER          fetch what is new
    podcatch.py FOLDER list     print the play list

Feeds stand one per line in FOLDER/feeds. An episode is fetched over HTTP or FTP, in pieces if the server
can do that; its duration is measured if it is a wave file.
"""

import contextlib
import ftplib
import gzip
import hashlib
import json
import os
import posixpath
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import wave
import zipfile
from xml.etree import ElementTree

TABLES = (
    "CREATE TABLE IF NOT EXISTS episode (url TEXT PRIMARY KEY, file TEXT, digest TEXT)",
    "CREATE INDEX IF NOT EXISTS episode_digest ON episode (digest)",
)
PIECE = 1 << 15


class PodcastError(Exception):
    """A feed or an episode cannot be had."""


def _feed_addresses(path):
    with open(path, encoding="utf-8") as lines:
        return lines.readlines()


def _feed_bytes(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        return reply.read()


def chapters_of(path):
    """The chapter marks that come in a zip file beside an episode."""
    with zipfile.ZipFile(path) as pack, pack.open("chapters.json") as marks:
        return json.load(marks)


def show_notes(path):
    """Notes of an episode, as they were kept."""
    with gzip.open(path, "rt", encoding="utf-8") as notes:
        return notes.read()


def duration(path):
    """Seconds of a wave file."""
    with wave.open(path, "rb") as sound:
        return sound.getnframes() / sound.getframerate()


def reach(parts, timeout=5):
    """An FTP session with the server of an episode, logged in as anybody."""
    server = ftplib.FTP(timeout=timeout)
    try:
        server.connect(parts.hostname, parts.port or 21)
        server.login()
        for folder in parts.path.split("/")[1:-1]:
            server.cwd(folder)
    except BaseException:
        server.close()
        raise
    return server


def open_part(path, offset):
    """The unfinished file of an episode, set to where it goes on."""
    part = open(path, "r+b" if offset else "w+b")
    try:
        if part.seek(0, os.SEEK_END) < offset:
            raise PodcastError(f"{path} is too short")
        part.seek(offset)
        part.truncate()
    except:
        part.close()
        raise
    return part


@contextlib.contextmanager
def catalogue(path):
    """A cursor on the table of episodes."""
    db = sqlite3.connect(path)
    try:
        for statement in TABLES:
            db.execute(statement)
        with db:
            yield db.cursor()
    finally:
        db.close()


def pieces(url, start=0):
    """The bytes of an episode from an offset on, piece by piece."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(request, timeout=5) as reply:
        while piece := reply.read(PIECE):
            yield piece


def playable(path):
    """Files of a play list that are there."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#") and os.path.exists(line.strip()):
                yield line.strip()


class PlayListWriter:
    """An M3U file."""

    def __init__(self, path):
        self.entries = 0
        self._out = open(path, "w", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._out.close()

    def add(self, title, path):
        self._out.write(f"#EXTINF:-1,{title}\n{path}\n")
        self.entries += 1


class PlayerLink:
    """Remote control of the player that listens on a socket."""

    def __init__(self, address):
        self.address = address
        self._sock = None

    def __enter__(self):
        self._sock = socket.create_connection(self.address, timeout=2)
        try:
            for line in (b"hello podcatch\n", b"clear\n"):
                self._sock.sendall(line)
        except BaseException:
            self._sock.close()
            raise
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def again(self):
        """The player was restarted."""
        if self._sock is not None:
            self._sock.close()
        self._sock = socket.create_connection(self.address, timeout=2)

    def queue(self, path):
        self._sock.sendall(b"queue " + os.fsencode(path) + b"\n")


class Catcher:
    def __init__(self, folder, player=None):
        self.folder = folder
        self.player = player

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def feeds(self):
        lines = _feed_addresses(self.path("feeds"))
        return [line.strip() for line in lines if line.strip()]

    def episodes(self, feed):
        """(title, address) of what a feed offers."""
        try:
            data = _feed_bytes(feed)
        except urllib.error.HTTPError as error:
            with error:
                raise PodcastError(f"{feed}: {error.code}") from None
        found = []
        for item in ElementTree.fromstring(data).iter("item"):
            enclosure = item.find("enclosure")
            if enclosure is not None:
                found.append((item.findtext("title", ""), enclosure.get("url", "")))
        return found

    def cover(self, url):
        with urllib.request.urlopen(url, timeout=5) as picture:
            data = picture.read()
        self.store("cover.jpg", data)

    def store(self, name, data):
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
            os.replace(draft, self.path(name))
        except BaseException:
            os.unlink(draft)
            raise

    def fetch(self, url):
        """Fetch an episode; the name of its file."""
        parts = urllib.parse.urlsplit(url)
        name = posixpath.basename(parts.path)
        part_path = self.path(name + ".part")
        start = os.path.getsize(part_path) if os.path.exists(part_path) else 0
        with open_part(part_path, start) as part:
            if parts.scheme == "ftp":
                self._fetch_ftp(parts, part, start)
                os.replace(part_path, self.path(name))
                return name
            with contextlib.closing(pieces(url, start)) as body:
                for piece in body:
                    part.write(piece)
        os.replace(part_path, self.path(name))
        return name

    def _fetch_ftp(self, parts, part, start):
        server = reach(parts)
        try:
            server.retrbinary("RETR " + posixpath.basename(parts.path), part.write, PIECE, rest=start or None)
        finally:
            server.close()

    def digest(self, name):
        sha = hashlib.sha256()
        episode = open(self.path(name), "rb")
        try:
            while block := episode.read(PIECE):
                sha.update(block)
        finally:
            episode.close()
        return sha.hexdigest()

    def run(self):
        """Fetch all that is new."""
        new = 0
        with catalogue(self.path("episodes.db")) as cursor:
            for feed in self.feeds():
                for title, url in self.episodes(feed):
                    if cursor.execute("SELECT 1 FROM episode WHERE url = ?", (url,)).fetchone():
                        continue
                    name = self.fetch(url)
                    cursor.execute("INSERT INTO episode VALUES (?, ?, ?)", (url, name, self.digest(name)))
                    new += 1
        return new

    def doubles(self):
        """Digests that more than one episode has."""
        seen, found = set(), []
        with contextlib.closing(sqlite3.connect(self.path("episodes.db"))) as db:
            for (digest,) in db.execute("SELECT digest FROM episode ORDER BY url"):
                if digest in seen:
                    found.append(digest)
                seen.add(digest)
        return found

    def tag(self, name, command):
        """What a tag reader prints about an episode."""
        fd = os.open(self.path(name), os.O_RDONLY)
        try:
            if os.fstat(fd).st_size == 0:
                return ""
            proc = subprocess.Popen(command, stdin=fd, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
        finally:
            os.close(fd)
        return out.decode("utf-8", "replace").strip()

    def play_list(self, names):
        with PlayListWriter(self.path("list.m3u")) as target:
            for name in names:
                target.add(os.path.splitext(name)[0], self.path(name))
            count = target.entries
        return count

    def queue_all(self):
        with contextlib.ExitStack() as stack:
            link = stack.enter_context(PlayerLink(self.player))
            paths = stack.enter_context(contextlib.closing(playable(self.path("list.m3u"))))
            for path in paths:
                link.queue(path)

    def forget(self, names):
        """Leave empty files in place of episodes, so that nothing fetches them again."""
        for name in names:
            with open(self.path(name), "wb"):
                pass


if __name__ == "__main__":
    catcher = Catcher(sys.argv[1])
    if "list" in sys.argv[2:]:
        print("\n".join(playable(catcher.path("list.m3u"))))
    else:
        print(catcher.run(), "new")
