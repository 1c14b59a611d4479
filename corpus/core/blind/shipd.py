"""Ship log lines to a collector, by way of a spool on disk.

    app.log  --LogTail-->  spool/open  --seal-->  spool/00000017.seg  --POST-->  collector

Lines are taken from the log into the open segment.  Sealed segments are sent oldest
first and removed only after the collector said 2xx.  Records in segments are
``crc32 u32, size u32, line``.
"""

import fcntl
import gzip
import http.client
import logging
import os
import struct
import tempfile
import zlib
from contextlib import ExitStack, closing

LOG = logging.getLogger('shipd')

RECORD = struct.Struct('<II')
SEGMENT_SIZE = 4 << 20


class ShipError(Exception):
    pass


class BadSegment(ShipError):
    pass


def lock_spool(folder):
    """Descriptor that keeps other shippers away for as long as it is open."""
    fd = os.open(os.path.join(folder, 'lock'), os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.write(fd, b'%d\n' % os.getpid())
        return fd
    except BaseException as exc:
        os.close(fd)
        if isinstance(exc, BlockingIOError):
            raise ShipError('%s is in use' % folder)
        raise


class LogTail(object):
    """Complete lines of a log that somebody else writes and renames away."""

    def __init__(self, path, offset=0):
        self.path, self.offset = path, offset
        self._stream = self._inode = None

    def lines(self, limit=1000):
        taken = []
        while len(taken) < limit:
            if self._stream is None and not self._attach():
                break
            line = self._stream.readline()
            if line.endswith(b'\n'):
                self.offset += len(line)
                taken.append(line[:-1])
            elif os.path.exists(self.path) and os.stat(self.path).st_ino != self._inode:
                self.close()        # was renamed and is read to its end
                self.offset = 0
            else:
                self._stream.seek(self.offset)
                break
        return taken

    def _attach(self):
        try:
            stream = open(self.path, 'rb')
        except FileNotFoundError:
            return False
        try:
            status = os.fstat(stream.fileno())
            if status.st_size < self.offset:
                self.offset = 0     # was emptied in place
            stream.seek(self.offset)
        except BaseException:
            stream.close()
            raise
        self._stream, self._inode = stream, status.st_ino
        return True

    def close(self):
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class SegmentLog(object):
    """The end of the spool where lines go in."""

    def __init__(self, folder, size=SEGMENT_SIZE):
        self.folder, self.size = folder, size
        self._path = os.path.join(folder, 'open')
        self._fd = None

    def append(self, line):
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.write(self._fd, RECORD.pack(zlib.crc32(line), len(line)) + line)
        if os.lseek(self._fd, 0, os.SEEK_CUR) >= self.size:
            self.seal()

    def seal(self):
        """Close the open segment and queue it."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        last = max([int(os.path.basename(path)[:8]) for path in sealed(self.folder)], default=0)
        os.rename(self._path, os.path.join(self.folder, '%08d.seg' % (last + 1)))

    close = seal


def sealed(folder):
    """Paths of the sealed segments, oldest first."""
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if entry.name.endswith('.seg'))


def segment_lines(path):
    with open(path, 'rb') as segment:
        while True:
            head = segment.read(RECORD.size)
            if not head:
                return
            if len(head) < RECORD.size:
                raise BadSegment('%s ends within a record' % path)
            crc, size = RECORD.unpack(head)
            line = segment.read(size)
            if zlib.crc32(line) != crc:
                raise BadSegment('%s: wrong checksum' % path)
            yield line


def pack_segment(path):
    """The lines of a segment, gzipped and ready to be sent, as a file."""
    body = tempfile.TemporaryFile()
    try:
        with gzip.GzipFile('', 'wb', 6, body) as packed, closing(segment_lines(path)) as lines:
            for line in lines:
                packed.write(line + b'\n')
        return body
    except BaseException:
        body.close()
        raise


class CollectorLink(object):
    def __init__(self, host, port, timeout=10.0):
        self.host, self.port, self.timeout = host, port, timeout
        self._conn = None

    def post(self, body):
        """Status of the answer.  An idle connection may have gone stale: one more try."""
        headers = {'Content-Encoding': 'gzip', 'Content-Length': str(body.tell())}
        for last in (False, True):
            try:
                if self._conn is None:
                    self._conn = self._dial()
                body.seek(0)
                self._conn.request('POST', '/ingest', body, headers)
                with self._conn.getresponse() as answer:
                    answer.read()
                    return answer.status
            except (OSError, http.client.HTTPException) as exc:
                self.close()
                if last:
                    raise ShipError('%s: %s' % (self.host, exc))

    def _dial(self):
        conn = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            conn.connect()
            return conn
        except BaseException:
            conn.close()
            raise

    def close(self):
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()


class Shipper(object):
    """Everything between one log and one collector."""

    def __init__(self, log, folder, host, port, size=SEGMENT_SIZE):
        self.folder = folder
        self._bookmark = os.path.join(folder, 'bookmark')
        with ExitStack() as stack:
            stack.callback(os.close, lock_spool(folder))
            self.tail = stack.enter_context(closing(LogTail(log, self._load_offset())))
            self.spool = stack.enter_context(closing(SegmentLog(folder, size)))
            self.link = stack.enter_context(closing(CollectorLink(host, port)))
            self._stack = stack.pop_all()

    def close(self):
        self._stack.close()

    def _load_offset(self):
        try:
            with open(self._bookmark) as stream:
                return int(stream.read())
        except (FileNotFoundError, ValueError):
            return 0

    def _save_offset(self):
        fd = os.open(self._bookmark + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            os.write(fd, b'%d\n' % self.tail.offset)
        finally:
            os.close(fd)
        os.rename(self._bookmark + '.new', self._bookmark)

    def run_once(self):
        """Take what the log has, send what is sealed; returns the segments sent."""
        for line in self.tail.lines():
            self.spool.append(line)
        self.spool.seal()
        self._save_offset()
        sent = 0
        for path in sealed(self.folder):
            try:
                body = pack_segment(path)
            except BadSegment as exc:
                LOG.error('%s', exc)
                os.rename(path, path + '.bad')
                continue
            with body:
                status = self.link.post(body)
            if status < 300:
                os.unlink(path)
                sent += 1
            elif status < 500:
                LOG.error('collector refuses %s for good: %d', path, status)
                os.rename(path, path + '.refused')
            else:
                break               # it is ill, later again
        return sent
