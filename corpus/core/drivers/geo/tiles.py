"""Calls into geo/tiles.py."""

import bz2
import tarfile

from geo import tiles

TILES = {(1, 1, 4): b"one", (1, 2, 4): b"two", (9, 9, 4): b"far"}


def _server(connection):
    """Knows the layer `base` and tiles with an even column."""
    stream = connection.makefile("rb")
    while line := stream.readline():
        method, path, _ = line.split()
        while stream.readline().strip():
            pass
        parts = path.split(b"/")
        known = parts[1] in (b"base", b"doc") and not (len(parts) > 4 and int(parts[3]) % 2)
        body = b"tile" if known and method == b"GET" else b""
        head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (b"200 OK" if known else b"404 no", len(body))
        connection.sendall(head + body)
    stream.close()


def reads_a_pack(box):
    path = box.path("a.pack")
    tiles.write_pack(path, TILES)
    with box.using(tiles.Pack(path)) as pack:
        len(pack)
        box.take(pack.tiles(), 2)
        with box.raises(tiles.MissingTile):
            pack.tile(0, 0, 0)
    tiles.neighbours(path, 1, 1, 4)
    tiles.checksum_file(path)


def refuses_what_is_no_pack(box):
    path = box.write("b.pack", "something else entirely")
    with box.raises(tiles.TileError):
        tiles.Pack(path)
    tiles.open_pack_or_none(box.path("missing.pack"))


def writes_no_pack_of_rubbish(box):
    with box.raises(Exception):
        tiles.write_pack(box.path("c.pack"), {(1, 1, 400): b"zoom too large"})


def draws(box):
    with box.serve(_server) as (host, port), box.using(tiles.TileSource(host, port)) as source:
        source.start()
        mosaic = tiles.Mosaic(source, box.path("d.pack"))
        mosaic.cover([(2, 2), (3, 3)], 4)
        mosaic.save()
        source.restart()
        mosaic.cover([(2, 2), (4, 4)], 4)
        source.restart()
        mosaic.cover([(5, 5)], 4)


def is_restarted_first(box):
    source = tiles.TileSource("127.0.0.1", 1)
    with box.using(source):
        source.restart()


def misses_the_layer(box):
    with box.serve(_server) as (host, port), box.raises(tiles.TileError):
        tiles.TileSource(host, port, "sea").start()


def fetches_documents(box):
    with box.serve(_server) as (host, port):
        tiles.fetch_once(host, port, "/doc/legend")
        tiles.fetch_once(host, port, "/other")


def reads_styles(box):
    path = box.write("style.bz2", bz2.compress(b"name Night\nwater black\n"))
    tiles.style_names([path])
    tiles.style_size(path)


def keeps_colours(box):
    with tiles.colour_table(box.path("colours")) as colours:
        colours["wood"] = "#add19e"
    with box.raises(Exception), tiles.colour_table(box.path("colours")):
        box.fail()


def unpacks(box):
    tiles.write_pack(box.path("in.pack"), TILES)
    box.write("note.txt", "delivered")
    with tarfile.open(box.path("delivery.tar"), "w") as delivery:
        delivery.add(box.path("in.pack"), "r1.pack")
        delivery.add(box.path("note.txt"), "note.txt")
    box.write("packs/readme", "x")
    tiles.unpack_region(box.path("delivery.tar"), box.path("packs"))
    tiles.sizes(box.path("packs"))
