"""A client of a message broker: frames over TCP, and a spool on disk for while the broker is away.

A frame is a command, header lines, an empty line and a body that ends with a zero byte. Messages that are
published while the broker is away go to a spool in SQLite, and are sent by ``replay``. A consumer keeps the
number of its last message in an offset file, which is written in one piece.
"""

from __future__ import annotations

import json
import lzma
import os
import select
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import BinaryIO, Callable, Iterator, NamedTuple, Optional

Address = tuple[str, int]

SPOOL_SETUP = (
    "PRAGMA journal_mode = MEMORY",
    "CREATE TABLE IF NOT EXISTS spool (number INTEGER PRIMARY KEY, queue TEXT, body BLOB)",
)


class QueueTrouble(Exception):
    """The broker, or what it sends, is not as it should be."""


class BadFrame(QueueTrouble):
    pass


class NotSubscribed(QueueTrouble):
    pass


class Frame(NamedTuple):
    command: str
    headers: dict[str, str]
    body: bytes

    def encoded(self) -> bytes:
        lines = [self.command, *(f"{name}:{value}" for name, value in self.headers.items()), "", ""]
        return "\n".join(lines).encode("utf-8") + self.body + b"\0"


def read_frame(stream: BinaryIO) -> Optional[Frame]:
    """The next frame, or None at the end of the stream."""
    command = stream.readline().strip()
    if not command:
        return None
    headers = {}
    while line := stream.readline().strip():
        name, colon, value = line.decode("utf-8").partition(":")
        if not colon:
            raise BadFrame(f"header line {line!r}")
        headers[name] = value
    body = bytearray()
    while (byte := stream.read(1)) not in (b"\0", b""):
        body += byte
    return Frame(command.decode("ascii"), headers, bytes(body))


def _offset_text(path: str) -> str:
    with open(path, encoding="ascii") as note:
        return note.readline()


def _route_table(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as table:
        return json.load(table)


def dead_letters(path: str) -> str:
    """What could never be delivered, packed by ``bury``."""
    with lzma.open(path, "rt", encoding="utf-8") as letters:
        return letters.read()


def connect(address: Address, login: str) -> socket.socket:
    """A socket on which the broker has accepted us."""
    sock = socket.create_connection(address, timeout=5)
    try:
        sock.sendall(Frame("CONNECT", {"login": login}, b"").encoded())
        with sock.makefile("rb") as stream:
            reply = read_frame(stream)
            if reply is None or reply.command != "CONNECTED":
                raise QueueTrouble(f"{address[0]} does not let {login} in")
    except BaseException:
        sock.close()
        raise
    return sock


def open_spool(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2)
    try:
        for statement in SPOOL_SETUP:
            db.execute(statement)
        db.commit()
    except BaseException as error:
        db.close()
        raise QueueTrouble(f"{path}: no spool: {error}") from error
    return db


@contextmanager
def wake_pipe() -> Iterator[tuple[int, Callable[[], int]]]:
    """A descriptor to select on, and what makes it readable."""
    reader, writer = os.pipe()
    try:
        yield reader, lambda: os.write(writer, b"!")
    finally:
        try:
            os.close(writer)
        finally:
            os.close(reader)


def recorded(path: str) -> Iterator[Frame]:
    """The frames of a recording, for tests of consumers."""
    with open(path, "rb") as stream:
        while (frame := read_frame(stream)) is not None:
            yield frame


class FrameRecorder:
    """Writes frames to a file as they came over the wire."""

    def __init__(self, path: str) -> None:
        self.frames = 0
        self._out = open(path, "wb")

    def __enter__(self) -> FrameRecorder:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._out.close()

    def record(self, frame: Frame) -> None:
        self._out.write(frame.encoded())
        self.frames += 1


class FrameConsumer:
    """Takes the messages of one queue, and acknowledges them."""

    def __init__(self, address: Address, login: str, offset_path: str) -> None:
        self.address = address
        self.login = login
        self.offset_path = offset_path
        self._sock: Optional[socket.socket] = None

    def start(self, queue: str) -> None:
        if self._sock is not None:
            raise QueueTrouble("started twice")
        self._sock = connect(self.address, self.login)
        try:
            self._sock.sendall(Frame("SUBSCRIBE", {"queue": queue, "after": str(self.offset())}, b"").encoded())
        except BaseException:
            sock, self._sock = self._sock, None
            sock.close()
            raise

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def reconnect(self) -> None:
        if self._sock:
            self._sock.close()
        self._sock = connect(self.address, self.login)

    def offset(self) -> int:
        if not os.path.exists(self.offset_path):
            return 0
        text = _offset_text(self.offset_path)
        return int(text or 0)

    def save_offset(self, number: int) -> None:
        fd, draft = tempfile.mkstemp(dir=os.path.dirname(self.offset_path))
        try:
            with os.fdopen(fd, "w", encoding="ascii") as note:
                note.write(f"{number}\n")
                note.flush()
                os.fsync(fd)
            os.replace(draft, self.offset_path)
        except BaseException:
            os.unlink(draft)
            raise

    def messages(self, limit: int) -> list[Frame]:
        """At most so many messages; fewer if the broker hangs up."""
        if self._sock is None:
            raise NotSubscribed("start first")
        taken: list[Frame] = []
        with self._sock.makefile("rb") as stream:
            while len(taken) < limit:
                frame = read_frame(stream)
                if frame is None:
                    break
                if frame.command == "ERROR":
                    raise QueueTrouble(frame.body.decode("utf-8", "replace"))
                taken.append(frame)
                self._sock.sendall(Frame("ACK", {"number": frame.headers["number"]}, b"").encoded())
        if taken:
            self.save_offset(int(taken[-1].headers["number"]))
        return taken

    def readable(self, wake: int, seconds: float) -> bool:
        ready, _, _ = select.select([wake, self._sock], [], [], seconds)
        return self._sock in ready


class Publisher:
    """Sends messages to queues, as the routes say."""

    def __init__(self, folder: str, address: Address) -> None:
        self.folder = folder
        self.address = address
        self.routes = _route_table(os.path.join(folder, "routes.json"))

    @property
    def spool_path(self) -> str:
        return os.path.join(self.folder, "spool.db")

    def publish(self, topic: str, body: bytes) -> bool:
        """Send a message, or spool it."""
        queue = self.routes.get(topic, "other")
        try:
            sock = connect(self.address, "publisher")
        except OSError:
            self.spool(queue, body)
            return False
        try:
            sock.sendall(Frame("SEND", {"queue": queue}, body).encoded())
        finally:
            sock.close()
        return True

    def publish_output(self, topic: str, command: list[str]) -> bool:
        """Publish what a command prints."""
        proc = subprocess.Popen(command, stdout=subprocess.PIPE)
        out, _ = proc.communicate()
        return self.publish(topic, out)

    def spool(self, queue: str, body: bytes) -> None:
        with closing(open_spool(self.spool_path)) as db:
            with db:
                db.execute("INSERT INTO spool (queue, body) VALUES (?, ?)", (queue, body))

    def spooled(self) -> int:
        if not os.path.exists(self.spool_path):
            return 0
        with closing(sqlite3.connect(self.spool_path)) as db:
            return db.execute("SELECT count(*) FROM spool").fetchone()[0]

    def replay(self) -> int:
        """Send what was spooled; the number of messages that have gone."""
        gone = 0
        with ExitStack() as stack:
            db = stack.enter_context(closing(open_spool(self.spool_path)))
            sock = stack.enter_context(connect(self.address, "publisher"))
            for number, queue, body in db.execute("SELECT number, queue, body FROM spool ORDER BY number").fetchall():
                sock.sendall(Frame("SEND", {"queue": queue}, body).encoded())
                db.execute("DELETE FROM spool WHERE number = ?", (number,))
                db.commit()
                gone += 1
        return gone

    def probe(self, send: bool = True) -> Optional[str]:
        """What the broker says about itself, if it is to be asked."""
        sock = connect(self.address, "probe")
        if not send:
            sock.close()
            return None
        with sock, sock.makefile("rb") as stream:
            sock.sendall(Frame("STATUS", {}, b"").encoded())
            reply = read_frame(stream)
        return reply.body.decode("utf-8") if reply else None

    def bury(self, paths: list[str]) -> int:
        """Pack recordings of what cannot be delivered; the number of frames."""
        count = 0
        for path in paths:
            with open(path, "rb") as source, lzma.open(path + ".xz", "wb") as packed:
                while block := source.read(1 << 16):
                    packed.write(block)
            with suppress(FileNotFoundError):
                os.unlink(path)
            count += 1
        return count

    def record(self, path: str, bodies: list[bytes]) -> int:
        """Prepare a recording, and mark that it is whole."""
        with FrameRecorder(path) as recorder:
            for number, body in enumerate(bodies, 1):
                recorder.record(Frame("MESSAGE", {"number": str(number)}, body))
            frames = recorder.frames
        with open(path + ".done", "w", encoding="ascii"):
            pass
        return frames
