"""Fetches stock quotes from one upstream and fans them out, within the process and over TCP.

A TCP client sends one line with the symbols it wants (an empty one: all) and gets ``SYMBOL price`` lines.  Who reads
too slowly loses the oldest ticks, never the newest.  A journal keeps what was published, up to two files of a size.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from typing import AsyncIterator, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

import aiohttp

log = logging.getLogger("tickfan")

BACKLOG = 32
JOURNAL_BYTES = 1 << 20
MOST_CLIENTS = 100


class TickerError(Exception):
    """The upstream gave something that is no quote."""


class Tick(NamedTuple):
    symbol: str
    price: float
    at: float

    def encode(self) -> bytes:
        return f"{self.symbol} {self.price:.4f}\n".encode("ascii")


class TickJournal:
    """Published ticks, one a line; a full file becomes ``NAME.1``."""

    def __init__(self, path: str, limit: int = JOURNAL_BYTES) -> None:
        self.path, self.limit = path, limit
        self._out = open(path, "ab")

    def append(self, tick: Tick) -> None:
        if self._out.tell() >= self.limit:
            self._rotate()
        self._out.write(b"%d %s" % (tick.at, tick.encode()))
        self._out.flush()

    def _rotate(self) -> None:
        self._out.close()
        os.replace(self.path, self.path + ".1")
        self._out = open(self.path, "ab")

    def close(self) -> None:
        self._out.close()


class Subscription:
    """The ticks that one consumer has still to see."""

    def __init__(self, symbols: FrozenSet[str], backlog: int) -> None:
        self.symbols = symbols
        self._pending: deque[Tick] = deque(maxlen=backlog)
        self._wake = asyncio.Event()
        self._ended = False

    def wants(self, symbol: str) -> bool:
        return not self.symbols or symbol in self.symbols

    def offer(self, tick: Tick) -> None:
        self._pending.append(tick)
        self._wake.set()

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    async def next(self) -> Optional[Tick]:
        """The next tick, or None after the last one."""
        while not self._pending:
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popleft()


class QuoteSource:
    """The upstream, which answers ``GET /quote/SYMBOL`` with a JSON object."""

    def __init__(self, base_url: str, timeout: float = 5.0) -> None:
        self._session = aiohttp.ClientSession(base_url, timeout=aiohttp.ClientTimeout(total=timeout))

    async def close(self) -> None:
        await self._session.close()

    async def quote(self, symbol: str) -> Tick:
        async with self._session.get(f"/quote/{symbol}") as response:
            response.raise_for_status()
            answer = await response.json()
        try:
            return Tick(symbol, float(answer["price"]), time.time())
        except (KeyError, TypeError, ValueError):
            raise TickerError(f"no price for {symbol}") from None


class TickerService:
    """Polls and publishes from :meth:`start` until :meth:`close`."""

    def __init__(self, symbols: Iterable[str], interval: float = 1.0, backlog: int = BACKLOG) -> None:
        self.symbols = tuple(symbols)
        self.interval, self.backlog = interval, backlog
        self.address: Optional[Tuple[str, int]] = None
        self.latest: Dict[str, Tick] = {}
        self._subscriptions: List[Subscription] = []
        self._clients: Dict["asyncio.Task[None]", asyncio.StreamWriter] = {}
        self._running = False
        self._owned = contextlib.AsyncExitStack()

    @classmethod
    async def start(cls, base_url: str, journal: str, symbols: Iterable[str], *, interval: float = 1.0,
                    backlog: int = BACKLOG, port: int = 0) -> "TickerService":
        service = cls(symbols, interval, backlog)
        async with contextlib.AsyncExitStack() as stack:
            source = QuoteSource(base_url)
            stack.push_async_callback(source.close)
            history = TickJournal(journal)
            stack.callback(history.close)
            server = await asyncio.start_server(service._accept, "127.0.0.1", port)
            stack.push_async_callback(service._end_clients)
            stack.callback(server.close)
            service.address = server.sockets[0].getsockname()[:2]
            service._running = True
            poller = asyncio.create_task(service._poll(source, history))
            stack.push_async_callback(_cancel_all, {poller})
            service._owned = stack.pop_all()
        return service

    async def close(self) -> None:
        self._running = False
        owned, self._owned = self._owned, contextlib.AsyncExitStack()
        await owned.aclose()

    async def _poll(self, source: QuoteSource, history: TickJournal) -> None:
        try:
            while True:
                for symbol in self.symbols:
                    try:
                        tick = await source.quote(symbol)
                    except (aiohttp.ClientError, TickerError, OSError, ValueError) as exc:
                        log.warning("%s: %s", symbol, exc)
                        continue
                    history.append(tick)
                    self._publish(tick)
                await asyncio.sleep(self.interval)
        finally:
            self._running = False
            for subscription in self._subscriptions:
                subscription.end()

    def _publish(self, tick: Tick) -> None:
        known = self.latest.get(tick.symbol)
        self.latest[tick.symbol] = tick
        if known is None or known.price != tick.price:
            for subscription in self._subscriptions:
                if subscription.wants(tick.symbol):
                    subscription.offer(tick)

    async def ticks(self, *symbols: str) -> AsyncIterator[Tick]:
        """What is known now, then changes, until the service ends."""
        subscription = Subscription(frozenset(symbols), self.backlog)
        for tick in self.latest.values():
            if subscription.wants(tick.symbol):
                subscription.offer(tick)
        if not self._running:
            subscription.end()
        self._subscriptions.append(subscription)
        try:
            while (tick := await subscription.next()) is not None:
                yield tick
        finally:
            self._subscriptions.remove(subscription)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._running or len(self._clients) >= MOST_CLIENTS:
            writer.close()
            return
        try:
            task = asyncio.create_task(self._serve(reader, writer))
        except BaseException:
            writer.close()
            raise
        self._clients[task] = writer
        task.add_done_callback(self._dismiss)

    def _dismiss(self, task: "asyncio.Task[None]") -> None:
        writer = self._clients.pop(task, None)
        if writer is not None:
            writer.close()
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.warning("a client was dropped: %s", task.exception())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = (await reader.readline()).decode("ascii", "replace").upper().split()
        async with contextlib.aclosing(self.ticks(*wanted)) as ticks:
            async for tick in ticks:
                writer.write(tick.encode())
                await writer.drain()

    async def _end_clients(self) -> None:
        clients = dict(self._clients)
        try:
            await _cancel_all(set(clients))
        finally:
            for task in clients:
                self._dismiss(task)


async def _cancel_all(tasks: Set["asyncio.Task[None]"]) -> None:
    """Cancel tasks, and see all of them end."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def follow(host: str, port: int, *symbols: str) -> AsyncIterator[Tuple[str, float]]:
    """The client's side: quotes of a ticker service as they come."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(" ".join(symbols).encode("ascii") + b"\n")
        await writer.drain()
        while line := await reader.readline():
            symbol, _, price = line.decode("ascii").partition(" ")
            yield symbol, float(price)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
