"""Client for energy meter gateways that speak MBG over TCP.

A frame is ``length u16 | kind u8 | sequence u8 | payload``, big endian.  The gateway
opens with a nonce, we answer with an HMAC over it, and from then on we ask and it
answers.  Gateways drop idle peers without a word, so a question that finds the
session dead is asked once more over a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, Optional

logger = logging.getLogger("meterbus")

Address = tuple[str, int]
HEAD = struct.Struct("!HBB")
PROBE, HERE = b"MBG?", b"MBG!"
Kind = IntEnum("Kind", "NONCE PROOF WELCOME READ VALUES FOLLOW VALUE END FAULT BYE")


class MeterError(Exception):
    """Whatever goes wrong between us and a gateway."""


class GatewayDown(MeterError):
    pass


class Reading(NamedTuple):
    meter: int
    taken: int
    kwh: float


def unpack_readings(payload: bytes) -> list[Reading]:
    try:
        return [Reading(*fields) for fields in struct.iter_unpack("!IId", payload)]
    except struct.error as exc:
        raise MeterError(f"odd payload of {len(payload)} bytes") from exc


class FrameTrace:
    """Hex dump of the traffic; starts a new file once the old one is large."""

    def __init__(self, path: Path, limit: int = 1 << 20) -> None:
        self.path, self.limit = path, limit
        self._fd: Optional[int] = None

    def record(self, arrow: str, frame: bytes) -> None:
        if self._fd is None:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.write(self._fd, f"{time.time():.3f} {arrow} {frame.hex()}\n".encode())
        if os.fstat(self._fd).st_size >= self.limit:
            self.close()
            os.replace(self.path, self.path.with_suffix(".old"))

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class MeterSession:
    """One authenticated connection.  It exists only if the handshake succeeded."""

    def __init__(self, address: Address, secret: bytes, timeout: float = 3.0,
                 trace: Optional[FrameTrace] = None) -> None:
        self.address, self._trace = address, trace
        self._sequence = 0
        self._sock: Optional[socket.socket] = socket.create_connection(address, timeout)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kind, nonce = self.receive()
            if kind is not Kind.NONCE:
                raise MeterError(f"{address}: expected a nonce, got {kind.name}")
            self.ask(Kind.PROOF, hmac.digest(secret, nonce, hashlib.sha256), Kind.WELCOME)
        except BaseException:
            self._hang_up()
            raise

    def fileno(self) -> int:
        return self._sock.fileno()

    def _hang_up(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def close(self) -> None:
        if self._sock is None:
            return
        try:
            self.send(Kind.BYE)
        except OSError as exc:
            logger.debug("%s was gone already: %s", self.address, exc)
        finally:
            self._hang_up()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        self._sequence = (self._sequence + 1) & 0xFF
        frame = HEAD.pack(len(payload), kind, self._sequence) + payload
        if self._trace is not None:
            self._trace.record(">", frame)
        self._sock.sendall(frame)

    def receive(self) -> tuple[Kind, bytes]:
        head = self._exactly(HEAD.size)
        size, number, _ = HEAD.unpack(head)
        payload = self._exactly(size)
        if self._trace is not None:
            self._trace.record("<", head + payload)
        if number == Kind.FAULT:
            raise MeterError(payload.decode("ascii", "replace"))
        try:
            return Kind(number), payload
        except ValueError:
            raise MeterError(f"{self.address}: unknown frame {number}") from None

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._sock.recv(size - len(parts))
            if not part:
                raise ConnectionResetError(f"{self.address} closed within a frame")
            parts += part
        return bytes(parts)

    def ask(self, kind: Kind, payload: bytes, expected: Kind) -> bytes:
        self.send(kind, payload)
        answer, content = self.receive()
        if answer is not expected:
            raise MeterError(f"{kind.name} was answered by {answer.name}")
        return content


def first_alive(addresses: Iterable[Address], secret: bytes,
                trace: Optional[FrameTrace] = None) -> MeterSession:
    """A session with the first gateway that lets us in; the caller closes it."""
    problems = []
    for address in addresses:
        try:
            return MeterSession(address, secret, trace=trace)
        except OSError as exc:
            problems.append(f"{address[0]}:{address[1]}: {exc}")
    raise GatewayDown("; ".join(problems) or "no gateway is known")


class MeterClient:
    def __init__(self, addresses: Sequence[Address], secret: bytes,
                 trace: Optional[FrameTrace] = None) -> None:
        self.addresses = addresses
        self._secret, self._trace = secret, trace
        self._session: Optional[MeterSession] = None

    def __enter__(self) -> MeterClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _ask(self, kind: Kind, payload: bytes, expected: Kind) -> bytes:
        for fresh in (False, True):
            if self._session is None:
                self._session = first_alive(self.addresses, self._secret, self._trace)
            try:
                return self._session.ask(kind, payload, expected)
            except OSError as exc:
                self.close()
                if fresh:
                    raise GatewayDown(str(exc)) from exc
                logger.info("session lost (%s), trying once more", exc)
        raise AssertionError("unreachable")

    def read(self, meter: int) -> list[Reading]:
        return unpack_readings(self._ask(Kind.READ, struct.pack("!I", meter), Kind.VALUES))

    def follow(self, meter: int) -> Iterator[Reading]:
        """Readings as they come in, over a session of their own."""
        session = first_alive(self.addresses, self._secret, self._trace)
        try:
            session.send(Kind.FOLLOW, struct.pack("!I", meter))
            while True:
                kind, payload = session.receive()
                if kind is Kind.END:
                    return
                yield from unpack_readings(payload)
        finally:
            session.close()


def watch_all(addresses: Sequence[Address], secret: bytes, meter: int,
              seconds: float) -> list[Reading]:
    """Listen to several gateways at once; those that are down do not count."""
    readings: list[Reading] = []
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for address in addresses:
            try:
                session = stack.enter_context(closing(MeterSession(address, secret)))
            except OSError as exc:
                logger.warning("%s: %s", address, exc)
                continue
            session.send(Kind.FOLLOW, struct.pack("!I", meter))
            selector.register(session, selectors.EVENT_READ)
        end = time.monotonic() + seconds
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                kind, payload = key.fileobj.receive()
                if kind is Kind.END:
                    selector.unregister(key.fileobj)
                else:
                    readings += unpack_readings(payload)
    return readings


def discover(target: Address = ("255.255.255.255", 4711), wait: float = 1.0) -> Iterator[Address]:
    """Addresses of the gateways that answer a broadcast, as the answers arrive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(wait)
        sock.sendto(PROBE, target)
        while True:
            try:
                packet, (host, _) = sock.recvfrom(64)
            except TimeoutError:
                return
            if len(packet) == 6 and packet.startswith(HERE):
                yield host, int.from_bytes(packet[4:], "big")
