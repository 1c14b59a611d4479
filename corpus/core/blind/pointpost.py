"""Collects measurements and posts them in batches to a telemetry service.

``record()`` never waits and never fails: what there is no room for is counted and dropped.  Batches that the service
does not take now are parked in a spool folder and sent again after the next success.  Other programs of the machine
may send ``name value`` lines as datagrams.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx

log = logging.getLogger("pointpost")


class UploadError(Exception):
    """The service cannot be reached or does not take a batch now; a later try may succeed."""


class Refused(Exception):
    """The service will never take this batch."""


class Point(NamedTuple):
    name: str
    value: float
    at: float


class BatchSpool:
    """Parked batches, one file each; the oldest are given up for new ones."""

    def __init__(self, folder: Path, keep: int = 100) -> None:
        self.folder, self.keep = folder, keep

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        with os.scandir(self.folder) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(".gz"))

    def park(self, body: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{uuid.uuid4().hex}"
        try:
            with gzip.open(draft, "wb") as out:
                out.write(body)
            os.replace(draft, self.folder / f"{time.time_ns():020d}.gz")
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        for name in self.names()[: -self.keep]:
            log.warning("the spool is full, %s is given up", name)
            self.discard(name)

    def load(self, name: str) -> bytes:
        with gzip.open(self.folder / name, "rb") as source:
            return source.read()

    def discard(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


class _Lines(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[str, float], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: object) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            name, _, value = line.rpartition(" ")
            try:
                self._take(name, float(value))
            except ValueError:
                log.info("no measurement: %.60r", line)


class Uploader:
    """Use it with ``async with``, or ``await start()`` and ``await close()``."""

    def __init__(self, url: str, spool: Path, *, batch: int = 100, interval: float = 5.0, capacity: int = 10_000,
                 retries: int = 2, pause: float = 0.5, keep: int = 100) -> None:
        self.url, self.batch, self.interval = url, batch, interval
        self.retries, self.pause, self._capacity = retries, pause, capacity
        self.dropped = self.sent = 0
        self._spool = BatchSpool(spool, keep)
        self._pending: deque[Point] = deque()
        self._full = asyncio.Event()
        self._sending = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None
        self._disk: ThreadPoolExecutor | None = None
        self._owned = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Uploader:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def start(self) -> None:
        if self._client is not None:
            raise UploadError("the uploader is running")
        async with contextlib.AsyncExitStack() as stack:
            client = httpx.AsyncClient(base_url=self.url, timeout=10.0)
            stack.push_async_callback(client.aclose)
            disk = ThreadPoolExecutor(1, thread_name_prefix="pointpost")
            stack.callback(disk.shutdown)
            flusher = asyncio.create_task(self._run())
            stack.push_async_callback(_ended, flusher)
            self._client, self._disk, self._owned = client, disk, stack.pop_all()

    async def listen(self, port: int = 0) -> tuple[str, int]:
        """Take datagrams until the end; the address they go to."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Lines(self.record), ("127.0.0.1", port))
        self._owned.callback(transport.close)
        return transport.get_extra_info("sockname")[:2]

    async def close(self) -> None:
        """Send or park what is left, and end."""
        owned, self._owned = self._owned, contextlib.AsyncExitStack()
        async with owned:
            if self._client is not None:
                try:
                    await self.flush()
                finally:
                    self._client = self._disk = None

    def record(self, name: str, value: float) -> None:
        if len(self._pending) >= self._capacity:
            self.dropped += 1
            return
        self._pending.append(Point(name, value, time.time()))
        if len(self._pending) >= self.batch:
            self._full.set()

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes, also if it fails."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.record(name, time.perf_counter() - begin)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._full.wait(), self.interval)
            self._full.clear()
            try:
                await self.flush()
            except OSError as exc:
                log.error("the spool cannot be used: %s", exc)

    async def flush(self) -> None:
        """Post all that is pending, in batches."""
        if self._client is None:
            raise UploadError("the uploader is not running")
        async with self._sending:
            while self._pending:
                size = min(self.batch, len(self._pending))
                points = [self._pending.popleft() for _ in range(size)]
                try:
                    await self._deliver(points)
                except asyncio.CancelledError:
                    self._pending.extendleft(reversed(points))
                    raise

    async def _deliver(self, points: list[Point]) -> None:
        body = json.dumps([point._asdict() for point in points]).encode("utf-8")
        try:
            await self._post(body)
        except Refused as exc:
            log.error("%d points are lost: %s", len(points), exc)
            self.dropped += len(points)
        except UploadError as exc:
            log.warning("%d points are parked: %s", len(points), exc)
            await self._on_disk(self._spool.park, body)
        else:
            self.sent += len(points)
            await self._replay()

    async def _on_disk(self, function: Callable, *args: object) -> object:
        return await asyncio.get_running_loop().run_in_executor(self._disk, function, *args)

    async def _post(self, body: bytes) -> None:
        for attempt in range(self.retries + 1):
            if attempt:
                await asyncio.sleep(self.pause * attempt)
            try:
                response = await self._client.post("/points", content=body)
            except httpx.RequestError as exc:
                problem = str(exc)
                continue
            if response.is_success:
                return
            problem = f"status {response.status_code}"
            if response.status_code < 500:
                raise Refused(problem)
        raise UploadError(problem)

    async def _replay(self) -> None:
        for name in await self._on_disk(self._spool.names):
            try:
                await self._post(await self._on_disk(self._spool.load, name))
            except UploadError:
                return
            except (Refused, EOFError, gzip.BadGzipFile) as exc:
                log.error("%s is given up: %s", name, exc)
            await self._on_disk(self._spool.discard, name)

    async def muted(self) -> AsyncIterator[str]:
        """The names that the service does not want any more, as it lists them."""
        async with self._client.stream("GET", "/muted") as response:
            if not response.is_success:
                return
            async for line in response.aiter_lines():
                if name := line.strip():
                    yield name


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is not None:
        log.error("uploading had stopped: %r", task.exception())
