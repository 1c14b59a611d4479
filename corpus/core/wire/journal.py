"""Append-only journal of binary records, kept in numbered segments.

A segment begins with a header (magic, version, number) and goes on with records: length, CRC-32, payload.
Sealed segments are compressed; a checkpoint file names the last record that has been shipped to the replica.
"""

import io
import lzma
import mmap
import os
import socket
import struct
import tempfile
import time
import zlib

HEADER = struct.Struct('>4sHI')
RECORD = struct.Struct('>II')
MAGIC = b'JRNL'
VERSION = 2


class CorruptSegment(Exception):
    pass


def _read_segment_header(path):
    """The raw header of a segment, sealed or not."""
    with open(path, 'rb') as segment:
        return segment.read(HEADER.size)


def _read_checkpoint(folder):
    path = os.path.join(folder, 'checkpoint')
    if not os.path.exists(path):
        return '0 0'
    with io.open(path, 'r', encoding='ascii') as handle:
        return handle.readline()


def frame(payload):
    with io.BytesIO() as buffer:
        buffer.write(RECORD.pack(len(payload), zlib.crc32(payload)))
        buffer.write(payload)
        framed = buffer.getvalue()
    return framed


class _SegmentWriter:
    """Appends framed records to one segment file."""

    def __init__(self, path, number):
        self.number = number
        self._file = open(path, 'ab')

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._file.close()

    def append(self, payload):
        if self._file.tell() == 0:
            self._file.write(HEADER.pack(MAGIC, VERSION, self.number))
        self._file.write(frame(payload))


class _SegmentMap:
    """A segment mapped into memory, for random access without reading all of it."""

    def __init__(self, path):
        self.path = path
        self._map = None
        try:
            with open(path, 'rb') as handle:
                self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        except BaseException:
            if self._map is not None:
                self._map.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._map.close()

    def payload_at(self, offset):
        length, crc = RECORD.unpack_from(self._map, offset)
        start = offset + RECORD.size
        payload = self._map[start:start + length]
        if zlib.crc32(payload) != crc:
            raise CorruptSegment('%s: bad record at %d' % (self.path, offset))
        return payload

    def payloads(self):
        offset, found = HEADER.size, []
        while offset < len(self._map):
            found.append(self.payload_at(offset))
            offset += RECORD.size + len(found[-1])
        return found


class _ReplicaLink:
    """Ships records to a replica, which acknowledges each with one byte."""

    def __init__(self, host, port):
        self.shipped = 0
        self._sock = socket.create_connection((host, port), timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._sock.close()

    def ship(self, payload):
        self._sock.sendall(frame(payload))
        if self._sock.recv(1) != b'\x06':
            raise ConnectionError('replica refused record %d' % self.shipped)
        self.shipped += 1


class Journal:
    """The journal in one folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def segments(self):
        """Paths of the open segments, oldest first."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith('.seg') and entry.stat().st_size >= HEADER.size:
                    found.append(entry.path)
        return sorted(found)

    def append(self, number, payloads):
        path = os.path.join(self.folder, '%08d.seg' % number)
        with _SegmentWriter(path, number) as writer:
            for payload in payloads:
                writer.append(payload)
        return path

    def verify(self, path):
        """The number of good records, and the offset at which the first bad one begins (or None)."""
        magic, version, _ = HEADER.unpack(_read_segment_header(path))
        if magic != MAGIC or version > VERSION:
            raise CorruptSegment(path)
        good, offset, bad = 0, HEADER.size, None
        with open(path, 'rb') as handle:
            handle.seek(offset)
            while bad is None:
                head = handle.read(RECORD.size)
                if not head:
                    break
                if len(head) < RECORD.size:
                    bad = offset
                    continue
                length, crc = RECORD.unpack(head)
                if zlib.crc32(handle.read(length)) != crc:
                    bad = offset
                else:
                    good += 1
                    offset += RECORD.size + length
        return good, bad

    def truncate_torn(self, path):
        """Cut a torn tail off; what is lost goes to a side file."""
        good, bad = self.verify(path)
        if bad is None:
            return good
        segment = open(path, 'r+b')
        try:
            segment.seek(bad)
            torn = segment.read()
            if torn:
                with open(path + '.torn', 'ab') as side:
                    side.write(torn)
            segment.truncate(bad)
        finally:
            segment.close()
        return good

    def seal(self, path):
        """Compress a segment and remove the plain file."""
        target = path[:-len('.seg')] + '.xz'
        source = io.open(path, 'rb')
        try:
            with lzma.open(target, 'wb') as packed:
                while block := source.read(1 << 16):
                    packed.write(block)
        finally:
            source.close()
        os.unlink(path)
        return target

    def sealed_digest(self, paths):
        crc = 0
        with tempfile.TemporaryFile(dir=self.folder) as spool:
            for path in sorted(paths):
                with lzma.open(path) as packed:
                    spool.write(packed.read())
            spool.seek(0)
            while block := spool.read(1 << 16):
                crc = zlib.crc32(block, crc)
        return crc

    def replicate(self, host, port):
        """Ship what the checkpoint says the replica has not got yet."""
        done = int(_read_checkpoint(self.folder).split()[0])
        seen = 0
        with _ReplicaLink(host, port) as link:
            for path in self.segments():
                with _SegmentMap(path) as mapped:
                    for payload in mapped.payloads():
                        if seen >= done:
                            link.ship(payload)
                        seen += 1
            shipped = link.shipped
        self._write_checkpoint(done + shipped)
        return shipped

    def _write_checkpoint(self, count):
        draft = os.path.join(self.folder, 'checkpoint.new')
        handle = io.open(draft, 'w', encoding='ascii')
        try:
            handle.write('%d %d\n' % (count, time.time()))
            handle.flush()
            os.fsync(handle.fileno())
        finally:
            handle.close()
        os.replace(draft, os.path.join(self.folder, 'checkpoint'))
