"""recpack: many small records in one file.

    header   magic "RPK1", flags u16, reserved u16, count u32, index offset u64
    records  payloads back to back (zlib'ed if FLAG_ZLIB is set)
    index    per record: key length u16, offset u64, size u32, crc u32, key

Little endian throughout.  Packs are immutable; `Writer` builds a temporary
file next to the target and moves it into place on close.
"""

import hashlib
import io
import mmap
import os
import struct
import tempfile
import zlib
from contextlib import ExitStack

MAGIC = b"RPK1"
HEADER = struct.Struct("<4sHHIQ")
ENTRY = struct.Struct("<HQII")
FLAG_ZLIB = 1


class PackError(Exception):
    pass


class Writer:
    def __init__(self, path, compress=False):
        self.path = os.fspath(path)
        self.flags = FLAG_ZLIB if compress else 0
        self._index = {}
        tmp = tempfile.NamedTemporaryFile(
            dir=os.path.dirname(self.path) or ".", suffix=".tmp", delete=False)
        try:
            tmp.write(bytes(HEADER.size))
        except BaseException:
            self._discard(tmp)
            raise
        self._tmp = tmp

    @staticmethod
    def _discard(tmp):
        try:
            tmp.close()
        finally:
            os.unlink(tmp.name)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def add(self, key, data):
        if key in self._index:
            raise PackError(f"duplicate key {key!r}")
        if self.flags & FLAG_ZLIB:
            data = zlib.compress(data)
        self._index[key] = (self._tmp.tell(), len(data), zlib.crc32(data))
        self._tmp.write(data)

    def add_file(self, key, path):
        with open(path, "rb", buffering=0) as src:
            self.add(key, src.readall())

    def abort(self):
        tmp, self._tmp = self._tmp, None
        if tmp is not None:
            self._discard(tmp)

    def close(self):
        if self._tmp is None:
            return
        tmp = self._tmp
        try:
            where = tmp.tell()
            for key, (off, size, crc) in self._index.items():
                raw = key.encode()
                tmp.write(ENTRY.pack(len(raw), off, size, crc) + raw)
            tmp.seek(0)
            tmp.write(HEADER.pack(MAGIC, self.flags, 0, len(self._index), where))
            tmp.close()
            os.replace(tmp.name, self.path)
        except BaseException:
            self.abort()
            raise
        self._tmp = None


class Reader:
    def __init__(self, path):
        self.path = os.fspath(path)
        with ExitStack() as stack:
            fp = stack.enter_context(open(self.path, "rb"))
            if os.fstat(fp.fileno()).st_size < HEADER.size:
                raise PackError(f"{self.path}: too short")
            self._map = stack.enter_context(mmap.mmap(fp.fileno(), 0, access=mmap.ACCESS_READ))
            self._index = self._load_index()
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._stack.close()  # no-op the second time

    def _load_index(self):
        magic, self.flags, _, count, pos = HEADER.unpack_from(self._map)
        if magic != MAGIC:
            raise PackError(f"{self.path}: bad magic {magic!r}")
        index = {}
        try:
            for _ in range(count):
                klen, off, size, crc = ENTRY.unpack_from(self._map, pos)
                pos += ENTRY.size
                index[self._map[pos:pos + klen].decode()] = off, size, crc
                pos += klen
        except (struct.error, UnicodeDecodeError) as exc:
            raise PackError(f"{self.path}: damaged index") from exc
        return index

    def __len__(self):
        return len(self._index)

    def __iter__(self):
        return iter(self._index)

    def __getitem__(self, key):
        off, size, crc = self._index[key]
        data = self._map[off:off + size]
        if zlib.crc32(data) != crc:
            raise PackError(f"{self.path}: crc mismatch for {key!r}")
        return zlib.decompress(data) if self.flags & FLAG_ZLIB else data

    def verify(self):
        """-> {key: problem}"""
        bad = {}
        for key in self:
            try:
                self[key]
            except (PackError, zlib.error) as exc:
                bad[key] = str(exc)
        return bad

    def extract(self, target):
        """Write every record below directory `target`; returns the paths."""
        paths = []
        root = os.path.realpath(target)
        for key in self:
            path = os.path.realpath(os.path.join(root, key))
            if os.path.commonpath((root, path)) != root:
                raise PackError(f"key {key!r} points outside of {target}")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                view = memoryview(self[key])
                while view:  # os.write may be short
                    view = view[os.write(fd, view):]
            finally:
                os.close(fd)
            paths.append(path)
        return paths


class PackSet:
    """Several packs seen as one; later packs shadow earlier ones."""

    def __init__(self, paths):
        self._packs = []
        with ExitStack() as stack:
            for path in paths:
                self._packs.insert(0, stack.enter_context(Reader(path)))
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._packs.clear()
        self._stack.close()

    def get(self, key, default=None):
        for pack in self._packs:
            try:
                return pack[key]
            except KeyError:
                continue
        return default

    def merge(self, target, compress=False):
        with Writer(target, compress) as out:
            for key in sorted({k for pack in self._packs for k in pack}):
                out.add(key, self.get(key))
            return len(out._index)


def pack_tree(root, target, compress=True):
    """Pack all regular files below root, keys are relative paths."""
    out = Writer(target, compress)
    try:
        todo = [root]
        while todo:
            with os.scandir(todo.pop()) as it:
                for entry in it:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        out.add_file(os.path.relpath(entry.path, root), entry.path)
        out.close()
    finally:
        out.abort()  # does nothing after a successful close


def checksum(path):
    h = hashlib.sha256()
    with io.FileIO(path) as raw, io.BufferedReader(raw) as buf:
        for chunk in iter(lambda: buf.read(1 << 16), b""):
            h.update(chunk)
    return h.hexdigest()
