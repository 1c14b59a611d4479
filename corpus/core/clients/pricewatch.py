"""Watches prices in the shops of a list, and tells when one falls below what somebody wants to pay.

A shop answers ``/price/ARTICLE`` with ``{"cents": 1299}`` and ``/changes`` with a line for each article whose price
has changed. Everything runs in one event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import AsyncIterator, Callable, Iterable, Optional

import httpx

log = logging.getLogger(__name__)

HISTORY = 24


class PriceError(Exception):
    """A shop does not say what it should."""


@dataclass(frozen=True)
class Wish:
    shop: str
    article: str
    limit: int


@dataclass(frozen=True)
class Offer:
    wish: Wish
    cents: int

    @property
    def good(self) -> bool:
        return self.cents <= self.wish.limit


def parse_price(text: str) -> int:
    try:
        return int(json.loads(text)["cents"])
    except (ValueError, KeyError, TypeError) as error:
        raise PriceError(f"no price in {text[:40]!r}") from error


async def fetch_price(shop: str, article: str) -> int:
    async with httpx.AsyncClient(base_url=shop) as client:
        reply = await client.get(f"/price/{article}")
        reply.raise_for_status()
        return parse_price(reply.text)


async def cheapest(shops: Iterable[str], article: str) -> Optional[tuple[str, int]]:
    """The shop with the lowest price, of those that answer."""
    prices = []
    for shop in shops:
        async with httpx.AsyncClient(base_url=shop) as client:
            try:
                reply = await client.get(f"/price/{article}")
                prices.append((parse_price(reply.text), shop))
            except (httpx.HTTPError, PriceError) as error:
                log.warning("%s: %s", shop, error)
    if not prices:
        return None
    cents, shop = min(prices)
    return shop, cents


async def change_lines(shop: str) -> AsyncIterator[str]:
    """Articles whose price has changed, as the shop sends them."""
    async with httpx.AsyncClient(base_url=shop) as client:
        async with client.stream("GET", "/changes") as reply:
            async for line in reply.aiter_lines():
                if line:
                    yield line


async def first_change(shop: str, articles: set[str]) -> Optional[str]:
    async with aclosing(change_lines(shop)) as lines:
        async for line in lines:
            if line in articles:
                return line
    return None


async def some_changes(shop: str, count: int) -> list[str]:
    found: list[str] = []
    async with aclosing(change_lines(shop)) as lines:
        async for line in lines:
            found.append(line)
            if len(found) == count:
                break
    return found


async def has_article(shop: str, article: str) -> bool:
    client = httpx.AsyncClient(base_url=shop)
    try:
        reply = await client.get(f"/price/{article}")
        return reply.is_success
    finally:
        await client.aclose()


async def report(shop: str, wish: Wish, cents: int) -> None:
    client = httpx.AsyncClient(base_url=shop)
    try:
        await client.post("/report", json={"article": wish.article, "cents": cents})
    finally:
        await client.aclose()


class Watch:
    """Asks one shop again and again."""

    def __init__(self, shop: str, pause: float) -> None:
        self.shop = shop
        self._problem: Optional[str] = None
        self.history: deque[Offer] = deque(maxlen=HISTORY)
        self._pause = pause
        self._wishes: list[Wish] = []
        self._client = httpx.AsyncClient(base_url=shop)
        self._poller: Optional[asyncio.Task[None]] = None

    def wish(self, article: str, limit: int) -> Wish:
        wish = Wish(self.shop, article, limit)
        self._wishes.append(wish)
        return wish

    def drop(self, wish: Wish) -> None:
        if wish in self._wishes:
            self._wishes.remove(wish)

    def start(self, tell: Callable[[Offer], None]) -> None:
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(tell))

    async def _poll(self, tell: Callable[[Offer], None]) -> None:
        while True:
            await self.look(tell)
            await asyncio.sleep(self._pause)

    async def look(self, tell: Callable[[Offer], None]) -> None:
        for wish in list(self._wishes):
            try:
                reply = await self._client.get(f"/price/{wish.article}")
                offer = Offer(wish, parse_price(reply.text))
            except (httpx.HTTPError, PriceError) as error:
                self._problem = f"{wish.article}: {error}"
                continue
            self.history.append(offer)
            if offer.good:
                tell(offer)

    async def aclose(self) -> None:
        try:
            if self._poller is not None:
                self._poller.cancel()
                await asyncio.gather(self._poller, return_exceptions=True)
                self._poller = None
        finally:
            await self._client.aclose()

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class Board:
    """Everything that is watched."""

    def __init__(self, pause: float = 60.0) -> None:
        self.pause = pause
        self.good: list[Offer] = []
        self._watches: dict[str, Watch] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()

    async def add(self, shop: str, article: str, limit: int) -> Wish:
        async with self._lock:
            watch = self._watches.get(shop)
            if watch is None:
                watch = self._watches[shop] = Watch(shop, self.pause)
        wish = watch.wish(article, limit)
        watch.start(self._found)
        return wish

    def _found(self, offer: Offer) -> None:
        self.good = [kept for kept in self.good if kept.wish != offer.wish] + [offer]
        delivery = asyncio.create_task(self._deliver(offer))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, offer: Offer) -> None:
        for _ in range(3):
            if await self._reported(offer):
                return
            await asyncio.sleep(self.pause)

    async def _reported(self, offer: Offer) -> bool:
        try:
            await report(offer.wish.shop, offer.wish, offer.cents)
        except Exception as error:
            log.warning("not delivered: %s", error)
            return False
        return True

    async def close(self) -> None:
        try:
            for delivery in list(self._deliveries):
                delivery.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)
        finally:
            async with AsyncExitStack() as stack:
                for watch in self._watches.values():
                    stack.push_async_callback(watch.aclose)
                self._watches = {}


async def survey(shops: Iterable[str], article: str) -> dict[str, int]:
    """Prices of all shops, asked at the same time."""
    tasks = {shop: asyncio.create_task(fetch_price(shop, article)) for shop in shops}
    try:
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {shop: task.result() for shop, task in tasks.items() if task.exception() is None}
    finally:
        for task in tasks.values():
            task.cancel()


async def within(shop: str, article: str, patience: float) -> Optional[int]:
    asking = asyncio.create_task(fetch_price(shop, article))
    try:
        return await asyncio.wait_for(asking, patience)
    except asyncio.TimeoutError:
        return None


def load_wishes(path: str) -> list[Wish]:
    with open(path, encoding="utf-8") as source:
        rows = []
        for line in source:
            shop, article, limit = line.split()
            rows.append(Wish(shop, article, int(limit)))
    return list(rows)
