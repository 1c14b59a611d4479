# -*- coding: utf-8 -*-
"""Raster tiles: read from and written to packs, drawn from a source server when missing.

A pack is one file: a header of fixed size entries (x, y, zoom, offset, length), then the tiles one behind the
other.  Packs are read by many processes at once and therefore mapped.
"""
import bz2
import contextlib
import http.client
import io
import mmap
import os
import shelve
import struct
import tarfile
import tempfile
import threading

MAGIC = b"TPK1"
HEAD = struct.Struct("<4sI")
ENTRY = struct.Struct("<IIBxxxII")


class TileError(Exception):
    pass


class MissingTile(TileError, KeyError):
    pass


class Pack:
    """A pack that is open for reading.

    The map is kept, the file is not: a map does not need it.
    """

    def __init__(self, path):
        self.path = path
        self._map = None
        try:
            with open(path, "rb") as stored:
                self._map = mmap.mmap(stored.fileno(), 0, access=mmap.ACCESS_READ)
            self._index = self._read_index()
        except BaseException:
            if self._map is not None:
                self._map.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        self._map.close()

    def _read_index(self):
        magic, count = HEAD.unpack_from(self._map)
        if magic != MAGIC:
            raise TileError("%s is no pack" % self.path)
        index = {}
        for number in range(count):
            x, y, zoom, offset, length = ENTRY.unpack_from(self._map, HEAD.size + number * ENTRY.size)
            index[x, y, zoom] = offset, length
        return index

    def __len__(self):
        return len(self._index)

    def tile(self, x, y, zoom):
        try:
            offset, length = self._index[x, y, zoom]
        except KeyError:
            raise MissingTile((x, y, zoom)) from None
        return bytes(self._map[offset:offset + length])

    def tiles(self):
        for key in sorted(self._index):
            yield key, self.tile(*key)


def write_pack(path, tiles):
    """Write all tiles into a pack at once; readers of the old one keep the old one."""
    tiles = sorted(tiles.items())
    fd, draft = tempfile.mkstemp(dir=os.path.dirname(path) or ".")
    with os.fdopen(fd, "wb") as out:
        try:
            out.write(HEAD.pack(MAGIC, len(tiles)))
            offset = HEAD.size + len(tiles) * ENTRY.size
            for (x, y, zoom), data in tiles:
                out.write(ENTRY.pack(x, y, zoom, offset, len(data)))
                offset += len(data)
            for _, data in tiles:
                out.write(data)
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise


def open_pack_or_none(path):
    """A pack, or nothing where a region has none yet."""
    pack = None
    with contextlib.suppress(FileNotFoundError):
        pack = Pack(path)
    return pack


def neighbours(path, x, y, zoom):
    """The tiles around one tile, as far as the pack has them."""
    found = {}
    with Pack(path) as pack:
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                try:
                    found[dx, dy] = pack.tile(x + dx, y + dy, zoom)
                except MissingTile:
                    continue
    return found


class TileSource:
    """A server that draws tiles, with one connection that is kept."""

    def __init__(self, host, port, layer="base"):
        self.host, self.port, self.layer = host, port, layer
        self._lock = threading.Lock()
        self._connection = None

    def start(self):
        """Connect and look whether the layer is served."""
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=3)
        try:
            self._connection.request("HEAD", "/%s/" % self.layer)
            with self._connection.getresponse() as answer:
                if answer.status != 200:
                    raise TileError("no layer %s" % self.layer)
        except BaseException:
            self._connection.close()
            raise

    def restart(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=3)

    def stop(self):
        if self._connection is not None:
            self._connection.close()

    def draw(self, x, y, zoom):
        with self._lock:
            self._connection.request("GET", "/%s/%d/%d/%d" % (self.layer, zoom, x, y))
            with self._connection.getresponse() as answer:
                if answer.status == 404:
                    raise MissingTile((x, y, zoom))
                return answer.read()


def fetch_once(host, port, path):
    """One document over a connection of its own; None if there is no such one."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            document = answer.read() if answer.status == 200 else None
    finally:
        connection.close()
    return document


def _read_style(path):
    with bz2.open(path, "rt", encoding="utf-8") as style:
        return style.read()


def style_names(paths):
    """Names of styles by path: what follows `name` at the start of a line."""
    names = {}
    for path in paths:
        text = _read_style(path)
        for line in text.splitlines():
            if line.startswith("name "):
                names[path] = line[5:].strip()
    return names


def style_size(path):
    return len(_read_style(path))


@contextlib.contextmanager
def colour_table(path):
    """A shelf of colours by feature class."""
    shelf = shelve.open(path)
    try:
        shelf.setdefault("water", "#aad3df")
        yield shelf
    finally:
        shelf.close()


def unpack_region(archive, folder):
    """Take the packs out of a delivery; names of those that were taken."""
    taken = []
    with tarfile.open(archive) as delivery:
        for member in delivery:
            if not member.isfile() or not member.name.endswith(".pack"):
                continue
            target = os.path.join(folder, os.path.basename(member.name))
            with delivery.extractfile(member) as packed, open(target, "wb") as out:
                out.write(packed.read())
            taken.append(target)
    return taken


def sizes(folder):
    """Number of tiles of all packs of a folder."""
    found = {}
    names = sorted(os.listdir(folder))
    for name in names:
        with open(os.path.join(folder, name), "rb") as stored:
            head = stored.read(HEAD.size)
            if head[:4] == MAGIC:
                found[name] = HEAD.unpack(head)[1]
    return found


def checksum_file(path):
    """CRC of a pack beside it, readable by the delivery tools; flushed to the disk before it is trusted."""
    out = os.open(path + ".crc", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    try:
        os.write(out, b"%d\n" % os.path.getsize(path))
        os.fsync(out)
    finally:
        os.close(out)


class Mosaic:
    """Draws missing tiles into memory and writes them out as a pack in the end."""

    def __init__(self, source, path):
        self.source = source
        self.path = path
        self.tiles = {}

    def cover(self, area, zoom):
        missing = 0
        pack = open_pack_or_none(self.path)
        try:
            for x, y in area:
                if pack is not None and (x, y, zoom) in dict(pack.tiles()):
                    continue
                try:
                    self.tiles[x, y, zoom] = self.source.draw(x, y, zoom)
                except MissingTile:
                    missing += 1
        finally:
            if pack is not None:
                pack.close()
        return missing

    def save(self):
        write_pack(self.path, self.tiles)
        preview = io.BytesIO()
        for data in self.tiles.values():
            preview.write(data[:16])
        return preview.getvalue()
