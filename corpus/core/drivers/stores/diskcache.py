"""Calls into stores/diskcache.py."""

import zipfile
from pathlib import Path

from stores import diskcache


def _cache(box, limit=1000):
    return diskcache.DiskCache(Path(box.path("cache")), limit)


def keeps_and_exports(box):
    cache = _cache(box)
    cache.put("a", b"one" * 50)
    cache.put("b", b"two" * 50)
    cache.get("a")
    cache.get("a")
    cache.get("c")
    cache.hits()
    cache.used()
    cache.listing()
    cache.export(Path(box.path("all.zip")))
    diskcache.check_export(Path(box.path("all.zip")))


def trims(box):
    cache = _cache(box, limit=50)
    cache.put("a", b"one" * 50)
    cache.trim()
    cache.put("b", b"two" * 50)
    cache.trim()
    cache.hits()


def refuses_a_newer_layout(box):
    box.write("cache/VERSION", "2\n")
    with box.raises(ValueError):
        _cache(box)


def cannot_store(box):
    cache = _cache(box)
    box.write("cache/%s.bz2/file" % diskcache.digest_of("a"), "")
    with box.raises(OSError):
        cache.put("a", b"one")


def finds_broken_members(box):
    with zipfile.ZipFile(box.path("all.zip"), "w") as packed:
        packed.writestr("a.bz2", "not packed")
    diskcache.check_export(Path(box.path("all.zip")))


def fetches_and_revalidates(box):
    def server(connection):
        request = connection.recv(4096)
        if b"If-None-Match" in request or b"If-none-match" in request:
            connection.sendall(b"HTTP/1.0 304 Not Modified\r\n\r\n")
        elif b"/good" in request:
            connection.sendall(b'HTTP/1.0 200 OK\r\nETag: "1"\r\nContent-Length: 4\r\n\r\ntext')
        else:
            connection.sendall(b"HTTP/1.0 500 Broken\r\nContent-Length: 0\r\n\r\n")

    with box.serve(server) as (host, port):
        cache = _cache(box)
        cache.fetch(f"http://{host}:{port}/good")
        cache.fetch(f"http://{host}:{port}/good")
        with box.raises(OSError):
            cache.fetch(f"http://{host}:{port}/bad")
