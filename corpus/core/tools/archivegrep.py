"""Searches old logs, whatever they were packed with, and counts what stands in them.

    grep = ArchiveGrep("timeout", limit=20)
    grep.search_gzip("app.log.1.gz")
    grep.search_zip("2023.zip")
    print(grep.hits)
"""

import bz2
import gzip
import lzma
import mmap
import os
import socket
import sqlite3
import tarfile
import wave
import zipfile
from contextlib import closing

BLOCK = 4096


class GrepError(Exception):
    """A file can't be searched."""


class ArchiveGrep:
    """Looks for one word; stops at a number of hits."""

    def __init__(self, word, limit=100):
        self.word = word
        self.needle = word.encode("utf-8")
        self.limit = limit
        self.hits = 0
        self.places = {}

    def _hit(self, place, number):
        self.hits += 1
        self.places[place] = number

    @property
    def enough(self):
        return self.hits >= self.limit

    def search_gzip(self, path):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if self.word in line:
                    self._hit(path, number)

    def search_bzip(self, path):
        with bz2.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if self.enough:
                    break
                if self.word in line:
                    self._hit(path, number)

    def search_xz(self, path):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            number = 0
            for line in lines:
                number += 1
                if self.word in line:
                    self._hit(path, number)

    def search_zip(self, path):
        with zipfile.ZipFile(path) as pack:
            for name in pack.namelist():
                if not name.endswith(".log"):
                    continue
                with pack.open(name) as member:
                    for number, line in enumerate(member, 1):
                        if self.needle in line:
                            self._hit(name, number)

    def search_tar(self, path):
        with tarfile.open(path) as pack:
            for info in pack:
                if info.isfile() and self.word in info.name:
                    self._hit(info.name, 0)

    def search_map(self, path):
        with open(path, "rb") as raw:
            if os.fstat(raw.fileno()).st_size == 0:
                raise GrepError("%s is empty" % path)
            with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as text:
                at = text.find(self.needle)
                while at >= 0 and not self.enough:
                    self._hit(path, at)
                    at = text.find(self.needle, at + 1)

    def search_database(self, path):
        with closing(sqlite3.connect(path)) as db:
            for number, text in db.execute("SELECT rowid, text FROM lines"):
                if self.word in text:
                    self._hit(path, number)

    def search_stream(self, address):
        with socket.create_connection(address, timeout=2) as peer:
            kept = b""
            while True:
                block = peer.recv(BLOCK)
                if not block:
                    break
                kept = (kept + block)[-BLOCK:]
            if self.needle in kept:
                self._hit(address, 0)

    def search_blocks(self, path):
        with open(path, "rb", buffering=0) as raw:
            kept, number = b"", 0
            while block := raw.read(BLOCK):
                number += 1
                if self.needle in kept + block:
                    self._hit(path, number)
                kept = block[-len(self.needle) :]

    def gzip_size(self, path):
        size = 0
        with gzip.open(path) as raw:
            while block := raw.read(BLOCK):
                size += len(block)
        return size

    def bzip_lines(self, path):
        count = 0
        with bz2.open(path) as raw:
            for line in raw:
                if line.strip():
                    count += 1
        return count

    def xz_longest(self, path):
        longest = b""
        with lzma.open(path) as raw:
            for line in raw:
                if len(line) > len(longest):
                    longest = line
        return longest

    def tar_total(self, path):
        total = 0
        with tarfile.open(path) as pack:
            for info in pack:
                if info.isfile():
                    total += info.size
        return total

    def zip_newest(self, path):
        newest = None
        with zipfile.ZipFile(path) as pack:
            for info in pack.infolist():
                if newest is None or info.date_time > newest:
                    newest = info.date_time
        return newest


def pack_gzip(path, lines):
    written = 0
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for line in lines:
            if line:
                written += out.write(line + "\n")
    return written


def pack_xz(path, lines):
    with lzma.open(path, "wt", encoding="utf-8") as out:
        for line in lines:
            if line:
                out.write(line + "\n")


def pack_zip(path, folder):
    count = 0
    with zipfile.ZipFile(path, "w") as pack:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".log"):
                pack.write(os.path.join(folder, name), name)
                count += 1
    return count


def pack_tar(path, folder):
    with tarfile.open(path, "w:gz") as pack:
        for name in sorted(os.listdir(folder)):
            if not name.startswith("."):
                pack.add(os.path.join(folder, name), name)


def store_lines(path, lines):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS lines (text TEXT)")
        for line in lines:
            if line:
                db.execute("INSERT INTO lines VALUES (?)", (line,))
        db.commit()


def loud_frames(path, level):
    """How many frames of a recorded call are louder than that."""
    loud = 0
    with wave.open(path, "rb") as sound:
        for _ in range(sound.getnframes()):
            if max(sound.readframes(1)) > level:
                loud += 1
    return loud


def listen_once(port_file, lines):
    """Serves lines to one caller; writes the port for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(2)
        with open(port_file, "w", encoding="ascii") as note:
            for part in server.getsockname()[:2]:
                note.write("%s\n" % part)
        peer, _ = server.accept()
        with peer:
            for line in lines:
                if line:
                    peer.sendall(line.encode("utf-8") + b"\n")
