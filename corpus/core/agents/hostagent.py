"""An agent that measures its host and sends the numbers to a carbon server.

Numbers that cannot be delivered wait in a spool, one file for each flush. Plug-ins are programs that print
``name value`` lines; a disk history in SQLite lets the agent tell how fast a volume fills.
"""

import fcntl
import gzip
import json
import logging
import os
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from urllib.request import urlopen

log = logging.getLogger("hostagent")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS level (at REAL, volume TEXT, free INTEGER)",
    "CREATE INDEX IF NOT EXISTS level_volume ON level (volume, at)",
)
KEEPALIVE = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY))
LOAD_NAMES = ("load.1", "load.5", "load.15")


class AgentError(Exception):
    """The agent cannot go on with its present configuration."""


class AlreadyRunning(AgentError):
    pass


def _proc_text(path):
    with open(path, encoding="ascii") as source:
        return source.read()


def _plugin_table(path):
    with open(path, encoding="utf-8") as source:
        return json.load(source)


def spooled_text(path):
    """What waits in one file of the spool, for the command ``hostagent show``."""
    with gzip.open(path, "rt", encoding="ascii") as packed:
        return packed.read()


def claim(path):
    """Become the only agent on this host; the descriptor keeps the claim."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_size:
            log.info("an agent was here before")
            os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
    except BlockingIOError:
        os.close(fd)
        raise AlreadyRunning(path) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


def order_socket(path):
    """Where ``hostagent flush`` sends its orders to."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if os.path.exists(path):
            os.unlink(path)
        sock.bind(path)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def volume_history(path):
    """A cursor on the table of fill levels, in one transaction."""
    db = sqlite3.connect(path)
    try:
        for statement in SCHEMA:
            db.execute(statement)
        with db:
            yield db.cursor()
    finally:
        db.close()


def meminfo(path="/proc/meminfo"):
    """(name, bytes) of each line that is measured in kB."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[2] == "kB":
                yield words[0].rstrip(":"), int(words[1]) * 1024


class SpoolFile:
    """One flush that could not be delivered."""

    def __init__(self, path):
        self.path = path
        self.lines = 0
        self._out = gzip.open(path, "wt", compresslevel=4, encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._out.close()

    def put(self, line):
        self._out.write(line)
        self.lines += 1


class CarbonLink:
    """A connection to a carbon server that is made again when the server has dropped it."""

    def __init__(self, address, prefix):
        self.address = address
        self.prefix = prefix
        self._sock = socket.create_connection(address, timeout=3)
        try:
            for level, option in KEEPALIVE:
                self._sock.setsockopt(level, option, 1)
        except BaseException:
            self._sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def reconnect(self):
        if self._sock is not None:
            self._sock.close()
        self._sock = socket.create_connection(self.address, timeout=3)

    def send(self, lines):
        data = "".join(f"{self.prefix}.{line}" for line in lines).encode("ascii")
        try:
            self._sock.sendall(data)
        except BrokenPipeError:
            self.reconnect()
            self._sock.sendall(data)


class HostAgent:
    def __init__(self, folder, address, proc="/proc"):
        self.folder = folder
        self.address = address
        self.proc = proc

    def _path(self, *parts):
        return os.path.join(self.folder, *parts)

    def load(self):
        text = _proc_text(os.path.join(self.proc, "loadavg"))
        return list(zip(LOAD_NAMES, text.split()))

    def interfaces(self):
        """(name, received bytes) of each interface that has received anything."""
        found = []
        with open(os.path.join(self.proc, "net", "dev"), encoding="ascii") as table:
            for line in table:
                name, colon, counters = line.partition(":")
                if not colon:
                    continue
                received = int(counters.split()[0])
                if received:
                    found.append((f"net.{name.strip()}", received))
        return found

    def learn(self, url):
        """Take the table of plug-ins from the configuration server."""
        with urlopen(url, timeout=3) as reply:
            table = reply.read()
        out = open(self._path("plugins.json"), "wb")
        try:
            out.write(table)
            out.flush()
            os.fsync(out.fileno())
        finally:
            out.close()

    def plugins(self):
        """The numbers of all plug-ins; one that fails is left out."""
        numbers = []
        for name, command in sorted(_plugin_table(self._path("plugins.json")).items()):
            proc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            out, _ = proc.communicate()
            if proc.returncode:
                log.warning("plug-in %s ended with %d", name, proc.returncode)
                continue
            for line in out.decode("ascii", "replace").splitlines():
                key, _, value = line.partition(" ")
                numbers.append((f"{name}.{key}", value))
        return numbers

    def sensors(self, names):
        """The first line of each sensor file, in thousandths."""
        readings = []
        for name in names:
            with open(self._path("sensors", name), encoding="ascii") as sensor:
                readings.append((f"sensor.{name}", int(sensor.readline()) / 1000))
        return readings

    def note_volume(self, volume, free):
        with volume_history(self._path("volumes.db")) as cursor:
            cursor.execute("INSERT INTO level VALUES (?, ?, ?)", (time.time(), volume, free))

    def fill_rate(self, volume):
        """Bytes per second that the volume loses, or None while it is not known."""
        with closing(sqlite3.connect(self._path("volumes.db"))) as db:
            levels = db.execute("SELECT at, free FROM level WHERE volume = ? ORDER BY at", (volume,)).fetchall()
            if len(levels) < 2:
                return None
            seconds = levels[-1][0] - levels[0][0]
        return (levels[0][1] - levels[-1][1]) / max(seconds, 1e-3)

    def flush(self, numbers):
        """Deliver the numbers, or keep them for later."""
        now = int(time.time())
        lines = [f"{name} {value} {now}\n" for name, value in numbers]
        try:
            with CarbonLink(self.address, socket.gethostname().partition(".")[0]) as link:
                link.send(lines)
        except OSError as error:
            log.info("carbon is away: %s", error)
            with SpoolFile(self._path(f"spool-{time.time_ns()}.gz")) as spool:
                for line in lines:
                    spool.put(line)
            return False
        return True

    def drain(self):
        """Deliver what has been spooled; the number of files that are gone."""
        gone = 0
        for name in sorted(os.listdir(self.folder)):
            if not name.startswith("spool-"):
                continue
            with ExitStack() as stack:
                lines = stack.enter_context(gzip.open(self._path(name), "rt", encoding="ascii"))
                link = stack.enter_context(CarbonLink(self.address, "late"))
                link.send(lines.readlines())
            os.unlink(self._path(name))
            gone += 1
        return gone

    def publish(self, state):
        """Write the state where the status page looks for it, whole or not at all."""
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as out:
                json.dump(state, out)
            os.replace(draft, self._path("state.json"))
        except BaseException:
            os.unlink(draft)
            raise

    def beat(self):
        """Touch the file that the watchdog looks at."""
        fd = os.open(self._path("alive"), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.utime(fd)
            os.fsync(fd)
        finally:
            os.close(fd)

    def orders(self, sock_path, wanted=True):
        """The order that waits on the socket, if there is one and orders are taken."""
        sock = order_socket(sock_path)
        if not wanted:
            sock.close()
            return None
        try:
            order = sock.recv(32)
        except BlockingIOError:
            order = b""
        finally:
            sock.close()
        return order.decode("ascii")
