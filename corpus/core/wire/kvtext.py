"""Client and small server for the text protocol of the key/value daemon.

A request is one line, ``GET key``, ``PUT key length`` (followed by the payload), ``KEYS`` or ``QUIT``.
The server greets with ``kvtext 1`` and answers ``OK length`` plus payload, ``NO`` or ``ERR reason``.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Iterator

log = logging.getLogger(__name__)

Address = tuple[str, int]
MAX_PAYLOAD = 1 << 20


class ProtocolError(Exception):
    """The other side said something that is not in the protocol."""


@contextlib.contextmanager
def _elapsed() -> Iterator[list[float]]:
    """Collect the duration of the block as the only item of a list."""
    took: list[float] = []
    started = time.perf_counter()
    try:
        yield took
    finally:
        took.append(time.perf_counter() - started)


def _greeting(address: Address) -> bytes:
    """What the server says before it is asked anything."""
    with socket.create_connection(address, timeout=3) as sock:
        return sock.recv(64)


class _KvLink:
    """One connection, one request at a time."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._pending = bytearray()
        self._sock = socket.create_connection(address, timeout=timeout)

    def __enter__(self) -> _KvLink:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def read_line(self) -> str:
        while b"\n" not in self._pending:
            self._fill()
        line, _, rest = bytes(self._pending).partition(b"\n")
        self._pending[:] = rest
        return line.decode("ascii").rstrip("\r")

    def read_exactly(self, length: int) -> bytes:
        while len(self._pending) < length:
            self._fill()
        payload = bytes(self._pending[:length])
        del self._pending[:length]
        return payload

    def ask(self, request: str, payload: bytes = b"") -> bytes | None:
        """Send one request; the payload of the answer, or None for ``NO``."""
        with io.BytesIO() as frame:
            frame.write(request.encode("ascii") + b"\n")
            frame.write(payload)
            self._sock.sendall(frame.getvalue())
        answer = self.read_line()
        if answer == "NO":
            return None
        word, _, detail = answer.partition(" ")
        if word != "OK":
            raise ProtocolError(detail or answer)
        return self.read_exactly(int(detail))

    def _fill(self) -> None:
        chunk = self._sock.recv(4096)
        if not chunk:
            raise ProtocolError("connection closed in the middle of an answer")
        self._pending += chunk


class KvClient:
    """Short-lived connections to one server."""

    def __init__(self, host: str, port: int, timeout: float = 5.0) -> None:
        self.address = (host, port)
        self.timeout = timeout

    def check(self) -> str:
        """The version the server announces."""
        name, _, version = _greeting(self.address).decode("ascii", "replace").strip().partition(" ")
        if name != "kvtext":
            raise ProtocolError(f"unexpected greeting {name!r}")
        return version

    def get(self, key: str) -> bytes | None:
        with _KvLink(self.address, self.timeout) as link:
            link.read_line()
            value = link.ask(f"GET {key}")
        return value

    def put_all(self, values: dict[str, bytes]) -> float:
        """Store all values over one connection; the seconds it took."""
        with _elapsed() as took:
            with _KvLink(self.address, self.timeout) as link:
                link.read_line()
                for key, value in values.items():
                    if len(value) > MAX_PAYLOAD:
                        log.warning("value of %s is too long, skipped", key)
                        continue
                    link.ask(f"PUT {key} {len(value)}", value)
        return took[0]

    def dump(self, path: Path) -> int:
        """Write all pairs as lines of ``key base64`` to a gzip file."""
        count = 0
        with _KvLink(self.address, self.timeout) as link, gzip.open(path, "wt", encoding="ascii") as out:
            link.read_line()
            listing = link.ask("KEYS") or b""
            for key in listing.decode("ascii").split():
                value = link.ask(f"GET {key}")
                if value is not None:
                    out.write(f"{key} {base64.b64encode(value).decode('ascii')}\n")
                    count += 1
        return count

    def restore(self, path: Path) -> int:
        values: dict[str, bytes] = {}
        with gzip.open(path, "rt", encoding="ascii") as source:
            for number, line in enumerate(source, 1):
                key, separator, encoded = line.rstrip("\n").partition(" ")
                if not separator:
                    raise ProtocolError(f"{path}:{number}: no value")
                values[key] = base64.b64decode(encoded)
        self.put_all(values)
        return len(values)

    def restore_all(self, paths: list[Path]) -> None:
        """Store the values of packed files that are named as their keys are."""
        values: dict[str, bytes] = {}
        for path in paths:
            with gzip.open(path, "rb") as source:
                values[path.stem] = source.read(MAX_PAYLOAD)
        self.put_all(values)

    def stop_server(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.address)
            sock.sendall(b"QUIT\n")
            while sock.recv(256):
                pass
        finally:
            sock.close()


class KvServer:
    """Serves a dictionary, one connection after the other, with a snapshot on disk."""

    def __init__(self, snapshot: Path) -> None:
        self.port = 0
        self.ready = threading.Event()
        self._snapshot = snapshot
        self._values: dict[str, bytes] = {}
        self._stopping = False

    def load(self) -> None:
        if not self._snapshot.exists():
            return
        with self._snapshot.open(encoding="ascii") as handle:
            stored = json.load(handle)
        self._values = {key: base64.b64decode(value) for key, value in stored.items()}

    def save(self) -> None:
        stored = {key: base64.b64encode(value).decode("ascii") for key, value in self._values.items()}
        draft = self._snapshot.with_suffix(".new")
        with draft.open("w", encoding="ascii") as handle:
            json.dump(stored, handle, indent=1, sort_keys=True)
        os.replace(draft, self._snapshot)

    def serve(self, port: int = 0) -> None:
        """Answer until a client sends ``QUIT``."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(8)
            self.port = listener.getsockname()[1]
            self.ready.set()
            while not self._stopping:
                conn, peer = listener.accept()
                with conn:
                    self._converse(conn, peer)
        finally:
            listener.close()
        self.save()

    def _converse(self, conn: socket.socket, peer: Address) -> None:
        try:
            conn.sendall(b"kvtext 1\n")
            with conn.makefile("rwb") as stream:
                for raw in stream:
                    words = raw.decode("ascii", "replace").split()
                    payload = b""
                    if len(words) == 3 and words[0] == "PUT" and words[2].isdigit():
                        payload = stream.read(min(int(words[2]), MAX_PAYLOAD))
                    stream.write(self._answer(words, payload))
                    stream.flush()
                    if self._stopping:
                        break
        except OSError as error:
            log.info("lost %s:%s: %s", *peer, error)

    def _answer(self, words: list[str], payload: bytes) -> bytes:
        match words:
            case ["GET", key]:
                value = self._values.get(key)
                return b"NO\n" if value is None else b"OK %d\n%s" % (len(value), value)
            case ["PUT", key, _]:
                self._values[key] = payload
                return b"OK 0\n"
            case ["KEYS"]:
                listing = "\n".join(sorted(self._values)).encode("ascii")
                return b"OK %d\n%s" % (len(listing), listing)
            case ["QUIT"]:
                self._stopping = True
                return b"OK 0\n"
        return b"ERR unknown request\n"
