"""A status daemon: collects heartbeats over UDP and tells over HTTP who has gone silent.

Heartbeats are datagrams ``name interval``. One thread, one selector, no dependencies.
"""

import contextlib
import http.client
import io
import json
import logging
import os
import selectors
import socket
import sqlite3
import time

log = logging.getLogger("statusd")

GRACE = 3.0


def _uptime_of(proc="/proc/uptime"):
    """Seconds since boot, as the kernel prints them."""
    with open(proc) as source:
        return source.readline()


def _status_line(host, port):
    """What the daemon answers to a bare request line; for checks from a shell."""
    with socket.create_connection((host, port), timeout=2) as sock:
        sock.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        return sock.recv(1024)


class Beat:
    __slots__ = ("name", "interval", "seen")

    def __init__(self, name, interval, seen):
        self.name = name
        self.interval = interval
        self.seen = seen

    def late(self, now):
        return now - self.seen > self.interval * GRACE


class HeartbeatPort:
    """The UDP socket that heartbeats arrive on."""

    def __init__(self, port=0):
        self.dropped = 0
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(("127.0.0.1", port))
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self._sock = sock

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def fileno(self):
        return self._sock.fileno()

    @property
    def number(self):
        return self._sock.getsockname()[1]

    def close(self):
        self._sock.close()

    def drain(self):
        """All heartbeats that have arrived."""
        beats = []
        with contextlib.suppress(BlockingIOError):
            while True:
                words = self._sock.recvfrom(512)[0].decode("utf-8", "replace").split()
                try:
                    beats.append(Beat(words[0], float(words[1]), time.time()))
                except (IndexError, ValueError):
                    self.dropped += 1
        return beats


class History:
    """State changes, kept in SQLite for the weekly report."""

    def __init__(self, path):
        self.path = path
        db = sqlite3.connect(path)
        try:
            db.execute("CREATE TABLE IF NOT EXISTS change (at REAL, name TEXT, state TEXT)")
            db.commit()
        finally:
            db.close()

    def record(self, changes):
        if not changes:
            return
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            db.executemany("INSERT INTO change VALUES (?, ?, ?)", changes)
            db.commit()

    def recent(self, limit=50):
        """The last changes as a text table."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            rows = db.execute("SELECT at, name, state FROM change ORDER BY at DESC LIMIT ?", (limit,)).fetchall()
        with io.StringIO() as table:
            for at, name, state in rows:
                stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
                table.write(f"{stamp}  {state:<6} {name}\n")
            text = table.getvalue()
        return text


class StatusDaemon:
    """Ties the heartbeat socket, the HTTP port and the history together."""

    def __init__(self, history, state_path):
        self.history = history
        self.state_path = state_path
        self.beats = {}
        self.silent = set()
        self.stopping = False
        self.ports = (0, 0)

    def run(self, beat_port=0, http_port=0, tick=0.2, ready=None):
        """Serve until ``/stop`` is asked for."""
        self._load()
        listener = socket.create_server(("127.0.0.1", http_port))
        try:
            with HeartbeatPort(beat_port) as heartbeats, selectors.DefaultSelector() as selector:
                selector.register(listener, selectors.EVENT_READ)
                selector.register(heartbeats, selectors.EVENT_READ)
                self.ports = (heartbeats.number, listener.getsockname()[1])
                if ready is not None:
                    ready.set()
                while not self.stopping:
                    for key, _ in selector.select(tick):
                        if key.fileobj is listener:
                            self._serve_one(listener)
                        else:
                            self._note(heartbeats.drain())
                    self._review(time.time())
                log.info("%d datagrams dropped", heartbeats.dropped)
        finally:
            listener.close()
        self._save()

    def _serve_one(self, listener):
        conn, peer = listener.accept()
        try:
            conn.settimeout(2.0)
            with conn.makefile("rwb") as stream:
                words = stream.readline(4096).decode("latin-1").split()
                path = words[1] if len(words) > 1 else "/"
                status, body = self._page(path)
                stream.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode("latin-1"))
                stream.write(body)
        except OSError as error:
            log.info("request of %s:%s failed: %s", *peer, error)
        finally:
            conn.close()

    def _page(self, path):
        if path == "/status":
            silent = sorted(self.silent)
            page = {"silent": silent, "known": len(self.beats), "uptime": _uptime_of().split()[0]}
            return ("503 Silent" if silent else "200 OK"), json.dumps(page).encode("utf-8")
        if path == "/history":
            return "200 OK", self.history.recent().encode("utf-8")
        if path == "/stop":
            self.stopping = True
            return "200 OK", b"stopping\n"
        return "404 Not Found", b""

    def _note(self, beats):
        for beat in beats:
            self.beats[beat.name] = beat

    def _review(self, now):
        late = {name for name, beat in self.beats.items() if beat.late(now)}
        changes = [(now, name, "silent") for name in late - self.silent]
        changes += [(now, name, "back") for name in self.silent - late]
        self.silent = late
        self.history.record(changes)

    def _load(self):
        if not os.path.exists(self.state_path):
            return
        with open(self.state_path, encoding="utf-8") as handle:
            known = json.load(handle)
        for name, (interval, seen) in known.items():
            self.beats[name] = Beat(name, interval, seen)

    def _save(self):
        known = {beat.name: (beat.interval, beat.seen) for beat in self.beats.values()}
        with open(self.state_path, "w", encoding="utf-8") as handle:
            json.dump(known, handle)


def send_beats(names, port, interval=10.0):
    """Send one heartbeat for each name."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        for name in names:
            sock.sendto(f"{name} {interval}".encode("utf-8"), ("127.0.0.1", port))
    finally:
        sock.close()


def alive(host, port):
    return b" 200 " in _status_line(host, port).partition(b"\r\n")[0]


def ask(host, port, path):
    """(status, body) of a page of the daemon."""
    conn = http.client.HTTPConnection(host, port, timeout=5)
    try:
        conn.request("GET", path)
        with conn.getresponse() as reply:
            status, body = reply.status, reply.read()
    finally:
        conn.close()
    return status, body
