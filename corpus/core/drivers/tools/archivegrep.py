"""Calls into tools/archivegrep.py."""

import bz2
import os
import pathlib
import socket
import threading
import time
import wave
import zipfile

from tools import archivegrep

LINES = ["a timeout", "", "fine", "timeout again"]


def _folder(box):
    box.write("logs/a.log", "\n".join(LINES))
    box.write("logs/timeout.txt", "x")
    return box.path("logs")


def searches_packed_files(box):
    archivegrep.pack_gzip(box.path("a.gz"), LINES)
    archivegrep.pack_xz(box.path("a.xz"), LINES)
    grep = archivegrep.ArchiveGrep("timeout")
    grep.search_gzip(box.path("a.gz"))
    grep.search_xz(box.path("a.xz"))
    grep.gzip_size(box.path("a.gz"))
    grep.xz_longest(box.path("a.xz"))


def searches_bzip(box):
    with bz2.open(box.path("a.bz2"), "wt") as out:
        out.write("\n".join(LINES))
    archivegrep.ArchiveGrep("timeout", 1).search_bzip(box.path("a.bz2"))
    grep = archivegrep.ArchiveGrep("timeout")
    grep.search_bzip(box.path("a.bz2"))
    grep.bzip_lines(box.path("a.bz2"))


def searches_archives(box):
    folder = _folder(box)
    archivegrep.pack_zip(box.path("a.zip"), folder)
    archivegrep.pack_tar(box.path("a.tar.gz"), folder)
    grep = archivegrep.ArchiveGrep("timeout")
    grep.search_zip(box.path("a.zip"))
    grep.search_tar(box.path("a.tar.gz"))
    grep.tar_total(box.path("a.tar.gz"))
    grep.zip_newest(box.path("a.zip"))


def searches_archives_of_others(box):
    with zipfile.ZipFile(box.path("a.zip"), "w") as pack:
        pack.writestr(zipfile.ZipInfo("b.log", (2022, 1, 1, 0, 0, 0)), "fine\na timeout\n")
        pack.writestr(zipfile.ZipInfo("b.txt", (2020, 1, 1, 0, 0, 0)), "a timeout\n")
    box.write("logs/.hidden", "x")
    box.write("logs/old/a.log", "x")
    archivegrep.pack_tar(box.path("a.tar.gz"), box.path("logs"))
    grep = archivegrep.ArchiveGrep("timeout")
    grep.search_zip(box.path("a.zip"))
    grep.zip_newest(box.path("a.zip"))
    grep.tar_total(box.path("a.tar.gz"))


def searches_files(box):
    path = os.path.join(_folder(box), "a.log")
    grep = archivegrep.ArchiveGrep("timeout")
    grep.search_map(path)
    grep.search_blocks(path)
    grep.search_blocks(box.path("logs", "timeout.txt"))
    with box.raises(archivegrep.GrepError):
        grep.search_map(box.write("empty", ""))


def searches_a_database(box):
    archivegrep.store_lines(box.path("a.db"), LINES)
    archivegrep.ArchiveGrep("timeout").search_database(box.path("a.db"))


def searches_a_stream(box):
    def talk(connection):
        connection.sendall(b"a timeout")

    with box.serve(talk) as address:
        archivegrep.ArchiveGrep("timeout").search_stream(address)
        archivegrep.ArchiveGrep("error").search_stream(address)


def measures_sound(box):
    with wave.open(box.path("a.wav"), "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(bytes([10, 200, 30]))
    archivegrep.loud_frames(box.path("a.wav"), 100)


def serves_once(box):
    def call():
        for _ in range(200):
            words = pathlib.Path(box.path("port")).read_text().split() if os.path.exists(box.path("port")) else []
            if len(words) == 2:
                host, port = words
                with socket.create_connection((host, int(port)), 2) as peer:
                    while peer.recv(100):
                        pass
                return
            time.sleep(0.002)

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        archivegrep.listen_once(box.path("port"), LINES)
    finally:
        caller.join(2)
