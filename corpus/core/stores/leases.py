"""Leases: who may work on what, over several machines.

The truth is in Redis; lock files keep the processes of one machine apart.  What happens goes to a trail.
"""
import errno
import fcntl
import mmap
import os
import pickle
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager

import redis

ENTRY = struct.Struct(">dB15s")
PREFIX = "lease:"
TAKEN, FREED, LOST = range(3)


class LeaseError(Exception):
    pass


class LeaseTaken(LeaseError):
    def __init__(self, name, holder):
        super().__init__("%s is held by %s" % (name, holder))
        self.holder = holder


def _holder_note(path):
    with open(path, encoding="utf-8") as note:
        return note.readline()


def _shared_value(host, name):
    with redis.Redis(host) as client:
        return client.get(PREFIX + name)


def open_trail(path):
    """The trail, positioned behind its last whole entry."""
    trail = open(path, "ab", buffering=0)
    try:
        cut = trail.tell() % ENTRY.size
        if cut:
            trail.truncate(trail.tell() - cut)
            trail.seek(0, os.SEEK_END)
    except BaseException as error:
        trail.close()
        raise LeaseError("trail %s is unusable" % path) from error
    return trail


def announce_socket(port):
    """A datagram socket on which other processes of this machine hear of freed leases."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.settimeout(2)
    except:
        sock.close()
        raise
    return sock


@contextmanager
def local_lock(path, holder):
    """The lock file of a lease, with its holder in it."""
    lock = open(path, "a+", encoding="utf-8")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise LeaseTaken(path, _holder_note(path).strip()) from None
        lock.truncate(0)
        lock.write(holder + "\n")
        lock.flush()
        yield lock
    finally:
        lock.close()


@contextmanager
def redis_session(host):
    client = redis.Redis(host)
    try:
        yield client
    finally:
        client.close()


def trail_entries(path):
    """The entries of a trail, oldest first."""
    with open(path, "rb") as trail:
        while True:
            data = trail.read(ENTRY.size)
            if len(data) < ENTRY.size:
                break
            when, what, name = ENTRY.unpack(data)
            yield when, what, name.rstrip(b"\0").decode("utf-8")


class LeaseHistory:
    """Old leases in a SQLite file."""

    def __init__(self, path):
        self._db = sqlite3.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._db.close()

    def keep(self, entries):
        with self._db:
            self._db.execute("CREATE TABLE IF NOT EXISTS entry (at REAL, what INTEGER, name TEXT)")
            self._db.executemany("INSERT INTO entry VALUES (?, ?, ?)", entries)


class Leases:
    """The leases of one process."""

    def __init__(self, host, folder, holder):
        self.host = host
        self.folder = folder
        self.holder = holder
        self._client = redis.Redis(host)
        try:
            self._client.ping()
            self._trail = open_trail(os.path.join(folder, "trail"))
        except BaseException:
            self._client.close()
            raise

    def close(self):
        try:
            if self._client is not None:
                self._client.close()
                self._client = None
        finally:
            self._trail.close()

    def reconnect(self, host=None):
        """Another server takes over, or the same one is back."""
        self.host = host or self.host
        if self._client is not None:
            self._client.close()
        self._client = redis.Redis(self.host)

    def rotate_trail(self):
        """Begin a new trail; the old one goes to the history."""
        path = os.path.join(self.folder, "trail")
        with LeaseHistory(os.path.join(self.folder, "history.db")) as history:
            history.keep(list(trail_entries(path)))
        self._trail.close()
        self._trail = open(path, "wb", buffering=0)

    def _note(self, what, name):
        self._trail.write(ENTRY.pack(time.time(), what, name.encode("utf-8")[:15]))

    def take(self, name, seconds=60):
        if not self._client.set(PREFIX + name, self.holder, nx=True, ex=seconds):
            holder = _shared_value(self.host, name)
            raise LeaseTaken(name, (holder or b"nobody").decode("utf-8"))
        self._note(TAKEN, name)

    def free(self, names):
        with self._client.pipeline() as batch:
            for name in names:
                batch.delete(PREFIX + name)
            batch.execute()
        for name in names:
            self._note(FREED, name)

    def holders(self):
        found = {}
        with redis_session(self.host) as client:
            for key in client.scan_iter(match=PREFIX + "*"):
                found[key[len(PREFIX) :]] = (client.get(key) or b"").decode("utf-8")
        return found

    def wait_for_news(self, tries=3):
        """The next message on the channel of freed leases, or None."""
        with redis.Redis(self.host) as client, client.pubsub() as news:
            news.subscribe(PREFIX + "freed")
            for _ in range(tries):
                message = news.get_message(timeout=1.0)
                if message and message["type"] == "message":
                    return message["data"]
            self._note(LOST, "news")
        return None

    def snapshot(self):
        """Keep what is known for a time without the server."""
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "wb") as out:
                pickle.dump(self.holders(), out)
            os.replace(draft, os.path.join(self.folder, "snapshot"))
        except BaseException:
            os.unlink(draft)
            raise

    def run_alone(self, name, command):
        """Run a command while nobody else on this machine may; gives its output."""
        with local_lock(os.path.join(self.folder, name + ".lock"), self.holder):
            proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
        return out

    def count_of(self, what):
        """How often something happened, counted in memory."""
        path = os.path.join(self.folder, "trail")
        with open(path, "rb") as trail:
            if os.fstat(trail.fileno()).st_size == 0:
                return 0
            with mmap.mmap(trail.fileno(), 0, access=mmap.ACCESS_READ) as view:
                kinds = view[8 :: ENTRY.size]
        return kinds.count(what)

    def clear_notes(self, names):
        for name in names:
            with open(os.path.join(self.folder, name + ".lock"), "w"):
                pass

    def hear(self, wanted, subscribe):
        """Whether the next datagram names a lease that is wanted; ``subscribe`` is told where we listen."""
        sock = announce_socket(0)
        if not wanted:
            sock.close()
            return False
        try:
            subscribe(sock.getsockname())
            name = sock.recv(64).decode("utf-8")
        finally:
            sock.close()
        return name in wanted
