"""Takes messages off a queue broker and runs handlers on them, for the parcel tracking pipeline.

The broker speaks frames: four bytes of length, a JSON header of that length, and a body whose length the header tells
in ``size``.  Handlers run on a few threads.  A message whose handler fails is tried again after a while; one that keeps
failing ends among the dead letters.  What has been handled is remembered: the broker may deliver a message twice.
"""

from __future__ import annotations

import gzip
import heapq
import json
import logging
import select
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

log = logging.getLogger(__name__)

Address = tuple[str, int]
LENGTH = struct.Struct(">I")
BLOCK = 1 << 16
SPOOL_AT = 1 << 12
KEEP_SECONDS = 14 * 86400


class LinkLost(Exception):
    """The broker has hung up, or sends what is no frame."""


class HandlerFailed(Exception):
    """A message could not be handled this time."""


Handler = Callable[["Delivery"], None]


@dataclass
class Delivery:
    """A message on its way through the consumer."""

    tag: int
    key: str
    kind: str
    body: IO[bytes]
    attempt: int = 1

    def close(self) -> None:
        self.body.close()


class BrokerLine:
    """One connection to the broker."""

    def __init__(self, address: Address, timeout: float = 5.0) -> None:
        self._sock = socket.create_connection(address, timeout)
        try:
            self.send(op="hello", version=2)
            answer = self._header()
            if answer.get("op") != "welcome":
                raise LinkLost(f"{address} answers {answer.get('op')!r}")
        except BaseException:
            self._sock.close()
            raise

    def close(self) -> None:
        self._sock.close()

    def send(self, **header: Any) -> None:
        head = json.dumps(header).encode("utf-8")
        self._sock.sendall(LENGTH.pack(len(head)) + head)

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            block = self._sock.recv(count - len(parts))
            if not block:
                raise LinkLost("the broker has hung up")
            parts += block
        return parts

    def _header(self) -> dict[str, Any]:
        return json.loads(self._exactly(*LENGTH.unpack(self._exactly(LENGTH.size))))

    def receive(self, patience: float) -> Delivery | None:
        """The next message, or None if none has come for so long."""
        readable, _, _ = select.select([self._sock], [], [], patience)
        if not readable:
            return None
        header = self._header()
        if header["op"] != "deliver":
            return None  # the broker asks whether we are there
        body = tempfile.SpooledTemporaryFile(max_size=SPOOL_AT)
        try:
            missing = header["size"]
            while missing:
                block = self._sock.recv(min(missing, BLOCK))
                if not block:
                    raise LinkLost(f"message {header['tag']} ends {missing} bytes early")
                body.write(block)
                missing -= len(block)
            body.seek(0)
            return Delivery(header["tag"], header["key"], header["kind"], body)
        except BaseException:
            body.close()
            raise


class SeenLedger:
    """Keys of the messages that have been handled."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.execute("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, at REAL)")
            self._db.execute("DELETE FROM seen WHERE at < ?", (time.time() - KEEP_SECONDS,))
        except BaseException:
            self._db.close()
            raise

    def knows(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone() is not None

    def remember(self, key: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, time.time()))

    def close(self) -> None:
        self._db.close()


class DeadLetters:
    """What nobody could handle, one JSON object a line. A full file is packed away."""
    def __init__(self, path: Path, limit: int = 1 << 20) -> None:
        self.path, self.limit = path, limit
        self._out: IO[str] | None = None

    def add(self, delivery: Delivery, reason: str) -> None:
        delivery.body.seek(0)
        letter = {"key": delivery.key, "why": reason, "body": delivery.body.read().decode("latin-1")}
        if self._out is None:
            self._out = self.path.open("a", encoding="utf-8")
        self._out.write(json.dumps(letter) + "\n")
        self._out.flush()
        if self._out.tell() >= self.limit:
            self.close()
            self._pack()

    def _pack(self) -> None:
        target = self.path.with_suffix(f".{time.time_ns()}.gz")
        try:
            with open(self.path, "rb") as plain, gzip.open(target, "wb") as packed:
                shutil.copyfileobj(plain, packed)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        self.path.unlink()

    def close(self) -> None:
        out, self._out = self._out, None
        if out is not None:
            out.close()


class QueueConsumer:
    """Consumes one queue until it is told to stop. The owner closes it."""

    def __init__(self, address: Address, queue: str, handlers: Mapping[str, Handler], folder: Path, *,
                 workers: int = 4, prefetch: int = 8, pauses: Sequence[float] = (1.0, 60.0), poll: float = 0.5) -> None:
        self.address, self.queue, self.handlers = address, queue, handlers
        self.prefetch, self.pauses, self.poll = prefetch, pauses, poll
        self.stopping = False
        self._running: dict[Future[None], Delivery] = {}
        self._delayed: list[tuple[float, int, Delivery]] = []
        with ExitStack() as stack:
            self._seen = stack.enter_context(closing(SeenLedger(folder / "seen.db")))
            self._dead = stack.enter_context(closing(DeadLetters(folder / "dead.jsonl")))
            self._link = self._dial()
            stack.callback(lambda: self._link.close())
            self._pool = ThreadPoolExecutor(workers, thread_name_prefix=queue)
            stack.callback(self._end_pool)
            self._owned = stack.pop_all()

    def close(self) -> None:
        self.stopping = True
        self._owned.close()

    def _dial(self) -> BrokerLine:
        for pause in self.pauses:
            try:
                return self._subscribe()
            except (OSError, LinkLost) as exc:
                log.warning("%s: %s", self.queue, exc)
                time.sleep(pause)
        return self._subscribe()

    def _subscribe(self) -> BrokerLine:
        link = BrokerLine(self.address)
        try:
            link.send(op="consume", queue=self.queue, prefetch=self.prefetch)
        except BaseException:
            link.close()
            raise
        return link

    def _end_pool(self) -> None:
        try:
            self._pool.shutdown(wait=True, cancel_futures=True)
        finally:
            self._forget_all()

    def _forget_all(self) -> None:
        """The broker delivers again what was not acknowledged."""
        with ExitStack() as stack:
            stack.callback(self._running.clear)
            stack.callback(self._delayed.clear)
            for delivery in (*self._running.values(), *(entry[2] for entry in self._delayed)):
                stack.callback(delivery.close)

    def run(self, limit: int | None = None) -> int:
        """Until ``stopping`` is set, or ``limit`` messages are settled; the number of those."""
        settled = 0
        while not self.stopping and (limit is None or settled < limit):
            try:
                self._start_due()
                if len(self._running) < self.prefetch:
                    delivery = self._link.receive(self._patience())
                    if delivery is not None:
                        settled += self._admit(delivery)
                settled += self._settle()
            except (LinkLost, ConnectionError) as exc:
                log.warning("%s: %s", self.queue, exc)
                self._relink()
        return settled

    def _patience(self) -> float:
        due = self._delayed[0][0] - time.monotonic() if self._delayed else self.poll
        return 0.0 if self._running else max(0.0, min(self.poll, due))

    def _admit(self, delivery: Delivery) -> int:
        with ExitStack() as stack:
            stack.callback(delivery.close)
            if self._seen.knows(delivery.key):
                log.info("%s was delivered again", delivery.key)
            elif delivery.kind not in self.handlers:
                self._dead.add(delivery, f"no handler for {delivery.kind}")
            else:
                self._start(delivery)
                stack.pop_all()
                return 0
            self._link.send(op="ack", tag=delivery.tag)
        return 1

    def _start(self, delivery: Delivery) -> None:
        self._running[self._pool.submit(self.handlers[delivery.kind], delivery)] = delivery

    def _start_due(self) -> None:
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            self._start(self._delayed[0][2])
            heapq.heappop(self._delayed)

    def _settle(self) -> int:
        """Look after the handlers that have ended; waits for one if there is no room for more."""
        full = len(self._running) >= self.prefetch
        done, _ = wait(self._running, self.poll if full else 0.02, return_when=FIRST_COMPLETED)
        return sum(self._conclude(self._running.pop(future), future) for future in done)

    def _conclude(self, delivery: Delivery, future: Future[None]) -> int:
        with ExitStack() as stack:
            stack.callback(delivery.close)
            error = future.exception()
            if error is None:
                self._seen.remember(delivery.key)
            elif delivery.attempt <= len(self.pauses):
                delivery.body.seek(0)
                due = time.monotonic() + self.pauses[delivery.attempt - 1]
                delivery.attempt += 1
                heapq.heappush(self._delayed, (due, delivery.tag, delivery))
                stack.pop_all()
                return 0
            else:
                self._dead.add(delivery, str(error))
            self._link.send(op="ack", tag=delivery.tag)
        return 1

    def _relink(self) -> None:
        wait(self._running)
        self._forget_all()
        self._link.close()
        self._link = self._dial()


class CommandHandler:
    """Hands the bodies of messages to a program, on its standard input."""

    def __init__(self, argv: Sequence[str], timeout: float = 30.0) -> None:
        self.argv, self.timeout = list(argv), timeout

    def __call__(self, delivery: Delivery) -> None:
        with subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
            try:
                shutil.copyfileobj(delivery.body, child.stdin)
                child.stdin.close()
                code = child.wait(self.timeout)
            finally:
                child.kill()
        if code:
            raise HandlerFailed(f"{self.argv[0]} ends with {code}")


def letters_in(folder: Path) -> Iterator[dict[str, Any]]:
    """All dead letters of a consumer, those in packed files first."""
    for path in sorted(folder.glob("dead.*")):
        stream = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8")
        with stream:
            for line in stream:
                if not line.endswith("\n"):
                    log.warning("%s: half a line", path)
                    break
                yield json.loads(line)
