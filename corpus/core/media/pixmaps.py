"""Greyscale pictures for the label printer: PGM in, packed bitmaps out.

The printer takes one bit a pixel, deflated.  Fonts are sheets of glyphs, mapped into memory.
"""

import contextlib
import mmap
import os
import socket
import sqlite3
import struct
import subprocess
import tempfile
import zlib
from collections import namedtuple

Picture = namedtuple("Picture", "width height pixels")

SHEET = struct.Struct("<4sHH")
SPOOL_HEAD = b"LBL2"
THUMBS = "CREATE TABLE IF NOT EXISTS thumb (name TEXT PRIMARY KEY, pixels BLOB)"


class PictureError(ValueError):
    "Not a picture that we can print."


class PrinterGone(ConnectionError):
    "The printer does not answer."


def _comment_free(path):
    "The first line of a PGM file."
    with open(path, "rb") as picture:
        return picture.readline()


def thumbnail_cache(path):
    "The table of pictures that were scaled before."
    db = sqlite3.connect(path)
    try:
        for statement in ("PRAGMA journal_mode = MEMORY", THUMBS):
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    return db


def printer_socket(address):
    "A connection on which the printer has said that it is ready."
    sock = socket.create_connection(address, timeout=5)
    try:
        greeting = sock.recv(16)
        if not greeting.startswith(b"READY"):
            raise PrinterGone(greeting.decode("latin-1") or "no greeting")
    except:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def spooled_rows(path):
    "A function that appends deflated rows to a spool file."
    out = open(path, "wb")
    try:
        out.write(SPOOL_HEAD)
        yield lambda row: out.write(zlib.compress(row))
    finally:
        out.close()


def rows_of(path):
    "The rows of a binary PGM picture, from the top."
    with open(path, "rb") as picture:
        width, height = read_head(picture)
        for _ in range(height):
            row = picture.read(width)
            if len(row) < width:
                raise PictureError("%s ends too early" % path)
            yield row


def read_head(stream):
    "Width and height; the stream stands at the first pixel then."
    if stream.readline().strip() != b"P5":
        raise PictureError("no binary PGM")
    fields = []
    while len(fields) < 3:
        line = stream.readline()
        if not line:
            raise PictureError("no size")
        fields += [int(field) for field in line.partition(b"#")[0].split()]
    return fields[0], fields[1]


def to_bits(row, threshold=128):
    "A row of pixels, eight to a byte; dark is set."
    bits = bytearray((len(row) + 7) // 8)
    for x, value in enumerate(row):
        if value < threshold:
            bits[x >> 3] |= 0x80 >> (x & 7)
    return bytes(bits)


class PixmapFile:
    "A picture on disk, of which single rows are needed."

    def __init__(self, path):
        self.path = path
        self._stream = open(path, "rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._stream.close()

    def load(self):
        self._stream.seek(0)
        width, height = read_head(self._stream)
        pixels = self._stream.read(width * height)
        if len(pixels) < width * height:
            raise PictureError("%s ends too early" % self.path)
        return Picture(width, height, pixels)


class GlyphSheet:
    "Glyphs of one size, side by side in a file that is mapped."

    def __init__(self, path):
        self._file = open(path, "rb")
        try:
            magic, self.width, self.height = SHEET.unpack(self._file.read(SHEET.size))
            if magic != b"GLYF":
                raise PictureError("%s is no sheet of glyphs" % path)
        except BaseException:
            self._file.close()
            raise

    def close(self):
        if self._file:
            self._file.close()
            self._file = None

    def replace(self, path):
        "Go on with a sheet of the same size."
        if self._file:
            self._file.close()
        self._file = open(path, "rb")

    def glyph(self, number):
        size = self.width * self.height
        view = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            start = SHEET.size + number * size
            pixels = view[start : start + size]
        finally:
            view.close()
        return Picture(self.width, self.height, pixels)


class LabelPrinter:
    def __init__(self, folder, address=None):
        self.folder = folder
        self.address = address

    def is_printable(self, path):
        head = _comment_free(path)
        return head.strip() == b"P5"

    def spool_file(self, path, target):
        "Convert a picture row by row; gives the number of rows."
        with spooled_rows(target) as add, contextlib.closing(rows_of(path)) as rows:
            count = 0
            for row in rows:
                add(to_bits(row))
                count += 1
        return count

    def darkness(self, paths):
        "The share of dark pixels in each picture."
        shares = {}
        for path in paths:
            with PixmapFile(path) as picture:
                pixels = picture.load().pixels
                shares[path] = sum(value < 128 for value in pixels) / max(len(pixels), 1)
        return shares

    def crop(self, path, target, height):
        "The upper part of a picture as a picture of its own."
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".pgm")
        try:
            with os.fdopen(fd, "wb") as out:
                picture = self.load(path)
                out.write(b"P5\n%d %d\n255\n" % (picture.width, min(height, picture.height)))
                for y in range(min(height, picture.height)):
                    out.write(picture.pixels[y * picture.width : (y + 1) * picture.width])
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def load(self, path):
        with PixmapFile(path) as picture:
            return picture.load()

    def thumbnail(self, path, step=2):
        with contextlib.closing(thumbnail_cache(os.path.join(self.folder, "thumbs.db"))) as cache:
            known = cache.execute("SELECT pixels FROM thumb WHERE name = ?", (path,)).fetchone()
            if known is not None:
                return known[0]
            picture = self.load(path)
            rows = range(0, picture.height, step)
            small = b"".join(picture.pixels[y * picture.width : (y + 1) * picture.width : step] for y in rows)
            cache.execute("INSERT INTO thumb VALUES (?, ?)", (path, small))
            cache.commit()
        return small

    def forget_thumbnails(self):
        with contextlib.closing(sqlite3.connect(os.path.join(self.folder, "thumbs.db"))) as cache:
            cache.execute("DROP TABLE IF EXISTS thumb")

    def filter_through(self, command, path):
        "Let a command of the printer's maker read a spool file; gives what it writes."
        with open(path, "rb") as source:
            proc = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
            if proc.returncode:
                raise PrinterGone("%s ended with status %d" % (command[0], proc.returncode))
        return out

    def print_spooled(self, path, copies=1):
        "Send a spool file, once for each copy."
        sent = 0
        sock = printer_socket(self.address)
        if copies < 1:
            sock.close()
            return 0
        with contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            job = stack.enter_context(open(path, "rb"))
            for _ in range(copies):
                job.seek(0)
                sent += sock.sendfile(job)
        return sent
