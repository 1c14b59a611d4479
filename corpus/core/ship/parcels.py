"""The desk where parcels leave a small company: carriers are asked, labels are printed, and what is under way is followed.

A carrier answers ``/rates/COUNTRY`` with ``{"cents": 690}``, ``/labels`` with the text of a label and ``/track/NUMBER``
with a line for each place where the parcel was seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import weakref
from contextlib import aclosing, suppress
from pathlib import Path
from typing import AsyncIterator, Callable, Iterable, Optional, TextIO

import httpx
import requests

TARIFFS = "http://localhost:8/tariffs"
COPIES = 2


class CarrierError(Exception):
    """A carrier refuses, or talks nonsense."""


class LabelError(ValueError):
    """What was sent is no label."""


def cents_of(text: str) -> int:
    try:
        return int(json.loads(text)["cents"])
    except (ValueError, KeyError, TypeError) as error:
        raise CarrierError(text[:40]) from error


async def cheapest_rate(carriers: Iterable[str], country: str) -> Optional[int]:
    rates = []
    for carrier in carriers:
        async with httpx.AsyncClient(base_url=carrier) as client:
            reply = await client.get(f"/rates/{country}")
            if reply.is_success:
                rates.append(cents_of(reply.text))
    return min(rates, default=None)


async def order_label(carrier: str, address: str) -> str:
    client = httpx.AsyncClient(base_url=carrier)
    try:
        reply = await client.post("/labels", json={"address": address})
        if not reply.text.startswith("LABEL"):
            raise LabelError(reply.text[:20])
        return reply.text
    finally:
        await client.aclose()


async def sightings(carrier: str, number: str) -> AsyncIterator[str]:
    """Where a parcel was seen, the last place first."""
    async with httpx.AsyncClient(base_url=carrier) as client:
        reply = await client.get(f"/track/{number}")
        for line in reply.text.splitlines():
            if line:
                yield line


async def seen_at(carrier: str, number: str, place: str) -> bool:
    async with aclosing(sightings(carrier, number)) as places:
        async for seen in places:
            if seen == place:
                return True
    return False


class TrackLoop:
    """Follows one parcel until somebody loses interest."""

    def __init__(self, carrier: str, number: str, pause: float) -> None:
        self.place = ""
        self._carrier = carrier
        self._number = number
        self._pause = pause
        self._following: Optional[asyncio.Task[None]] = None

    async def start(self) -> None:
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            async for place in sightings(self._carrier, self._number):
                self.place = place
            await asyncio.sleep(self._pause)

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None


class PickupClock:
    """Calls somebody at every full turn, as long as the desk is open."""

    def __init__(self, call: Callable[[int], None], pause: float) -> None:
        self.turns = 0
        self._call = call
        self._pause = pause
        self._turning: Optional[asyncio.Task[None]] = None

    async def __aenter__(self) -> PickupClock:
        self._turning = asyncio.ensure_future(self._turn())
        return self

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            self.turns += 1
            self._call(self.turns)

    async def __aexit__(self, *exc_info: object) -> None:
        self._turning.cancel()
        with suppress(asyncio.CancelledError):
            await self._turning
        self.turns = 0


class LabelOrders:
    """Orders labels while the desk goes on."""

    def __init__(self, carrier: str) -> None:
        self.labels: dict[str, str] = {}
        self._carrier = carrier
        self._ordering: set[asyncio.Task[None]] = set()

    async def _order(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            with suppress(LabelError):
                self.labels[address] = await order_label(self._carrier, address)

    def order(self, addresses: Iterable[str]) -> None:
        ordering = asyncio.create_task(self._order(addresses))
        self._ordering.add(ordering)
        ordering.add_done_callback(self._ordering.discard)

    def take(self, address: str) -> Optional[str]:
        return self.labels.pop(address, None)

    async def close(self) -> None:
        await asyncio.gather(*self._ordering, return_exceptions=True)


class CarrierDesk:
    """Asks one carrier on behalf of everybody."""

    def __init__(self, carrier: str) -> None:
        self.refused = 0
        self._carrier_client = httpx.AsyncClient(base_url=carrier)

    async def rate(self, country: str) -> int:
        reply = await self._carrier_client.get(f"/rates/{country}")
        if not reply.is_success:
            self.refused += 1
            raise CarrierError(country)
        return cents_of(reply.text)

    async def aclose(self) -> None:
        await self._carrier_client.aclose()


class LabelFeeder:
    """Writes labels to the printer one after the other; a thread waits for the slow thing."""

    def __init__(self, device: str) -> None:
        self.printed = 0
        self._device = device
        self._labels: queue.Queue[Optional[str]] = queue.Queue()
        self._feeder = threading.Thread(target=self._feed, name="labels")
        self._feeder.start()

    def add(self, label: str) -> None:
        self._labels.put(label)

    def _feed(self) -> None:
        for label in iter(self._labels.get, None):
            with suppress(OSError):
                print_label(self._device, label)
            self.printed += 1

    def close(self) -> None:
        self._labels.put(None)
        self._feeder.join()


class ScaleWatch:
    """Reads the scale again and again, and keeps the last weight."""

    def __init__(self, read: Callable[[], float], pause: float = 0.001) -> None:
        self.grams = 0.0
        self._read = read
        self._pause = pause
        self._idle = threading.Event()
        self._weigher: Optional[threading.Thread] = None

    def start(self) -> None:
        if self._weigher is None:
            self._weigher = threading.Thread(target=self._weigh)
            self._weigher.start()

    def _weigh(self) -> None:
        while not self._idle.is_set():
            self.grams = self._read()
            self._idle.wait(self._pause)

    def close(self) -> None:
        self._idle.set()
        if self._weigher is not None:
            self._weigher.join(1)
            self._weigher = None


class RampPanel:
    """The buttons at the ramp; what is pressed stands in a book."""

    def __init__(self, book: str) -> None:
        self.up = False
        self._on_press = {"raise": self.raise_ramp, "lower": self.lower_ramp}
        self._book = open(book, "a", encoding="ascii")

    def __enter__(self) -> RampPanel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def press(self, button: str) -> None:
        self._on_press[button]()
        self._book.write(f"{button}\n")

    def raise_ramp(self) -> None:
        self.up = True

    def lower_ramp(self) -> None:
        self.up = False

    def close(self) -> None:
        self._book.close()


class ReturnsBook:
    """What comes back; damage is described apart, in a file that most days do without."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._damage: Optional[TextIO] = None
        self._returned = open(path, "a", encoding="utf-8")

    def enter(self, number: str, damage: str = "") -> None:
        self._returned.write(number + "\n")
        if damage:
            if self._damage is None:
                self._damage = open(self.path + ".damage", "a", encoding="utf-8")
            self._damage.write(f"{number} {damage}\n")

    def close(self) -> None:
        if self._damage is not None:
            with suppress(OSError):
                self._damage.close()
            self._damage = None
        self._returned.close()


class Manifest:
    """What is on the lorry, a line a parcel."""

    def __init__(self, path: str) -> None:
        self._list = open(path, encoding="utf-8")
        weakref.finalize(self, self._list.close)

    def next_parcel(self) -> str:
        return self._list.readline().strip()

    def close(self) -> None:
        self._list.close()


def print_label(device: str, label: str) -> None:
    with open(device, "a", encoding="utf-8") as out:
        for _ in range(COPIES):
            out.write(label + "\f")


def clear_the_ramp(book: str, times: int) -> None:
    with RampPanel(book) as ramp:
        for _ in range(times):
            ramp.press("raise")
            ramp.press("lower")


def tariff(country: str) -> Optional[str]:
    """The line of a country in the table that all carriers share."""
    with requests.Session() as session:
        for line in session.get(TARIFFS).text.splitlines():
            if line.startswith(country):
                return line
        return None


def print_sheet(labels: Iterable[str], command: list[str]) -> None:
    """Has a program print a sheet of labels."""
    folder = Path(tempfile.mkdtemp(prefix="labels-"))
    try:
        for number, label in enumerate(labels):
            folder.joinpath(f"{number}.txt").write_text(label, encoding="utf-8")
        subprocess.run([*command, folder], stdin=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder)


def export(numbers: Iterable[str], send: Callable[[str], bool]) -> int:
    """Sends the numbers of a day as a file, and says how many there were."""
    count = 0
    fd, path = tempfile.mkstemp(".csv")
    try:
        with os.fdopen(fd, "w", encoding="ascii") as out:
            for number in numbers:
                out.write(number + "\n")
                count += 1
        if not send(path):
            raise CarrierError("nobody took the numbers")
    finally:
        os.unlink(path)
    return count
