"""The worker's side of the task hub: pull a job from a lane, build it, report, go on.

Speaks version 1 of the hub's line protocol (``PUSH``, ``PULL``, ``DONE``, ``FAIL``, ``WATCH``).  Several hubs may
be named; the first one that answers is used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Iterator, Optional

log = logging.getLogger("hubworker")

Address = tuple[str, int]
GREETING = "TASKHUB 1"
BLOCK = 1 << 15
LINE_LIMIT = 512


class HubRefused(Exception):
    """The hub broke the protocol, or there is none."""


class HubClient:
    """One connection of a worker or of somebody who has work."""

    def __init__(self, address: Address, timeout: float = 10.0) -> None:
        sock = socket.create_connection(address, timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._answers = sock.makefile("rb")
        except BaseException:
            sock.close()
            raise
        self._sock = sock
        try:
            if self._line() != GREETING:
                raise HubRefused(f"{address}: no hub there")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> HubClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._answers.close()
        finally:
            self._sock.close()

    def _line(self) -> str:
        raw = self._answers.readline(LINE_LIMIT)
        if not raw.endswith(b"\n"):
            raise HubRefused("the hub went away")
        return raw.decode("ascii").strip()

    def ask(self, request: str, payload: bytes = b"") -> list[str]:
        self._sock.sendall(request.encode("ascii") + b"\n" + payload)
        return self._line().split()

    def push(self, lane: str, payload: bytes) -> str:
        return self.ask(f"PUSH {lane} {len(payload)}", payload)[1]

    def pull_into(self, lane: str, target: Path) -> Optional[str]:
        """Save the next payload; the id of its job, or None if there is nothing to do."""
        words = self.ask(f"PULL {lane}")
        if words == ["EMPTY"]:
            return None
        missing = int(words[2])
        out = target.open("wb")
        try:
            while missing:
                block = self._answers.read(min(missing, BLOCK))
                if not block:
                    raise HubRefused(f"payload of {words[1]} ends {missing} bytes early")
                out.write(block)
                missing -= len(block)
        finally:
            out.close()
        return words[1]

    def push_file(self, lane: str, source: Path) -> str:
        """Announce the size of a file and send it in blocks."""
        with source.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            self._sock.sendall(f"PUSH {lane} {size}\n".encode("ascii"))
            while block := handle.read(BLOCK):
                self._sock.sendall(block)
        return self._line().split()[1]

    def events(self) -> Iterator[list[str]]:
        self.ask("WATCH")
        while True:
            yield self._line().split()[1:]


def watch(address: Address, wanted: str) -> Iterator[str]:
    """Ids of jobs as they become ``wanted``, over a connection of its own."""
    with HubClient(address) as client:
        for word, ident in client.events():
            if word == wanted:
                yield ident


def first_hub(addresses: Iterable[Address], timeout: float = 3.0) -> HubClient:
    """A client of the first hub that answers; the caller closes it."""
    refused = []
    for address in addresses:
        try:
            client = HubClient(address, timeout)
        except (OSError, HubRefused) as exc:
            refused.append(f"{address[0]}:{address[1]}: {exc}")
            continue
        if refused:
            log.warning("passed over: %s", "; ".join(refused))
        return client
    raise HubRefused("no hub answers: " + "; ".join(refused))


@contextlib.contextmanager
def build_log(folder: Path, ident: str) -> Iterator[BinaryIO]:
    """A log that gets its name once the build is through; of a failed one ``.failed`` is kept."""
    draft = folder / f"{ident}.running"
    handle = open(draft, "wb")
    try:
        yield handle
    except BaseException:
        os.replace(draft, folder / f"{ident}.failed")
        raise
    else:
        os.replace(draft, folder / f"{ident}.log")
    finally:
        handle.close()


def supply(addresses: Iterable[Address], lane: str, sources: Iterable[Path]) -> list[str]:
    """Queue files; directories and what has vanished are passed over."""
    queued = []
    client = first_hub(addresses)
    try:
        for source in sources:
            if not source.is_file():
                log.info("%s is no file", source)
                continue
            queued.append(client.push_file(lane, source))
    finally:
        client.close()
    return queued


def work(address: Address, lane: str, logs: Path, build: Callable[[Path, BinaryIO], None]) -> int:
    """Pull and build until the lane is empty; the number of jobs that were built."""
    built = 0
    with tempfile.TemporaryDirectory(prefix="hubworker-") as folder, HubClient(address) as client:
        payload = Path(folder, "payload")
        while (ident := client.pull_into(lane, payload)) is not None:
            try:
                with build_log(logs, ident) as out:
                    build(payload, out)
            except Exception as exc:
                log.warning("job %s: %s", ident, exc)
                client.ask(f"FAIL {ident}")
                break
            client.ask(f"DONE {ident}")
            built += 1
    return built
