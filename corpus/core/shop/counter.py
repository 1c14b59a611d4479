"""The counter of a shop: price rules, carts, stock alarms, a journal of sales and a customer display.

Amounts are whole cents throughout. The stock lives in memory; saving it is done elsewhere.
"""

import logging
import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Callable, Dict, List, Optional

logger = logging.getLogger("shop.counter")

JOURNAL_LENGTH = 40
PARKED = 6


class SaleError(Exception):
    """Something cannot be sold as asked."""


@dataclass(frozen=True)
class Article:
    number: str
    label: str
    cents: int


@lru_cache(maxsize=50)
def euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"


@lru_cache(maxsize=32)
def check_digit(number: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(number)):
        total += int(digit) * (3 if place % 2 == 0 else 1)
    return -total % 10


class Alarms:
    def __init__(self) -> None:
        self._observers: List[Callable[[str, int], None]] = []

    def add_observer(self, observer: Callable[[str, int], None]) -> None:
        self._observers.append(observer)

    def remove_observer(self, observer: Callable[[str, int], None]) -> None:
        self._observers.remove(observer)

    def raise_alarm(self, number: str, left: int) -> None:
        for observer in tuple(self._observers):
            observer(number, left)


class Threshold:
    """Calls back when a count has fallen to a level, once."""

    def __init__(self, level: int, on_low: Callable) -> None:
        self._level = level
        self._armed = True
        self._on_low = on_low

    def look(self, number: str, left: int) -> None:
        if left > self._level:
            self._armed = True
        elif self._armed:
            self._armed = False
            tell = self._on_low()
            if tell is not None:
                tell(number, left)


class ParkingBell:
    """Rings for each cart that is parked beside too many others."""

    def __init__(self, room: int, on_full: Callable) -> None:
        self._room = room
        self._on_full = on_full

    def arrived(self, name: str, count: int) -> None:
        if count > self._room:
            ring = self._on_full()
            if ring is not None:
                ring(name, count)


class Shelf:
    def __init__(self, stock: "Stock", article: Article, count: int) -> None:
        self.article = article
        self.count = count
        self._stock = weakref.proxy(stock)

    def take(self, wanted: int) -> None:
        if wanted > self.count:
            raise SaleError(f"{self.article.label}: {self.count} left, {wanted} wanted")
        self.count -= wanted
        self._stock.taken(self.article.number, self.count)


class Stock:
    def __init__(self, alarms: Alarms, level: int = 2) -> None:
        self._alarms = alarms
        self._shelves: Dict[str, Shelf] = {}
        self._threshold = Threshold(level, weakref.WeakMethod(self._low))

    def put(self, article: Article, count: int) -> Shelf:
        self._shelves[article.number] = Shelf(self, article, count)
        return self._shelves[article.number]

    def fill(self, article: Article, count: int) -> None:
        shelf = Shelf(self, article, count)
        self._shelves[article.number] = shelf

    def shelf(self, number: str) -> Shelf:
        if number not in self._shelves:
            raise SaleError(f"there is no article {number}")
        return self._shelves[number]

    def taken(self, number: str, left: int) -> None:
        self._threshold.look(number, left)

    def _low(self, number: str, left: int) -> None:
        self._alarms.raise_alarm(number, left)


class Line:
    """Some of one article in a cart."""

    def __init__(self, cart: "Cart", article: Article, count: int) -> None:
        self._cart = weakref.ref(cart)
        self.article = article
        self.count = count

    @cached_property
    def sum(self) -> int:
        return self.article.cents * self.count

    def share(self) -> float:
        cart = self._cart()
        return 0.0 if cart is None else self.sum / max(1, cart.total())

    def text(self) -> str:
        return f"{self.count:>3} {self.article.label:<16} {euros(self.sum):>8}"


class Cart:
    def __init__(self) -> None:
        self._lines: List[Line] = []

    def add(self, article: Article, count: int = 1) -> Line:
        line = Line(self, article, count)
        self._lines.append(line)
        return line

    def total(self) -> int:
        return sum(line.sum for line in self._lines)

    def receipt(self) -> str:
        rows = []
        for line in self._lines:
            rows.append(line.text())
        rows.append(f"{'total':<20} {euros(self.total()):>8}")
        return "\n".join(rows)

    def sell(self, stock: Stock) -> int:
        numbers = []
        for line in self._lines:
            if check_digit(line.article.number) == 0:
                numbers.append(line.article.number)
            stock.shelf(line.article.number).take(line.count)
        logger.debug("%d articles of ours: %s", len(numbers), " ".join(numbers))
        return self.total()


class Scanner:
    """Turns what a reader sends into articles."""

    def __init__(self, stock: Stock) -> None:
        self._known = stock
        self._misread: Optional[str] = None

    def scan(self, cart: Cart, text: str) -> bool:
        try:
            article = self._known.shelf(text.strip()).article
        except SaleError as error:
            self._misread = repr(error)
            return False
        cart.add(article)
        return True

    def message(self) -> str:
        return "" if self._misread is None else self._misread


class Drawer:
    def __init__(self, owner: "Counter") -> None:
        self._owner = owner
        self._cents = 0

    def put_in(self, cents: int) -> str:
        self._cents += cents
        return f"{self._owner.title}: {euros(self._cents)}"


class Counter:
    def __init__(self, title: str, stock: Stock) -> None:
        self.title = title
        self._goods = stock
        self._journal = deque(maxlen=JOURNAL_LENGTH)
        self._parked: "OrderedDict[str, Cart]" = OrderedDict()
        self._drawer = Drawer(weakref.proxy(self))
        self._refusal: Optional[str] = None
        self._bell = ParkingBell(PARKED, weakref.WeakMethod(self._crowded))

    def _crowded(self, name: str, count: int) -> None:
        logger.info("%s is one of %d carts that wait", name, count)

    def park(self, name: str, cart: Cart) -> None:
        """Puts a cart aside; of too many, the oldest is forgotten."""
        self._parked[name] = cart
        self._parked.move_to_end(name)
        self._bell.arrived(name, len(self._parked))
        if len(self._parked) > PARKED:
            self._parked.popitem(last=False)

    def parked(self, name: str) -> Optional[Cart]:
        return self._parked.get(name)

    def ring_up(self, cart: Cart) -> bool:
        self._refusal = None
        try:
            cents = cart.sell(self._goods)
        except SaleError as error:
            self._refusal = str(error)
            self._journal.append(("refused", 0))
            return False
        self._journal.append(("sold", cents))
        logger.info("%s", self._drawer.put_in(cents))
        return True

    def refusal(self) -> str:
        return "" if self._refusal is None else self._refusal

    def day(self) -> int:
        return sum(cents for _, cents in self._journal)

    def print_journal(self, out) -> None:
        lines = []
        for kind, cents in self._journal:
            lines.append(f"{kind:<8}{euros(cents):>9}")
        out.write("\n".join(lines))


class OrderList:
    """Gathers what runs low, as long as it is open."""

    def __init__(self, alarms: Alarms) -> None:
        self._low: Dict[str, int] = {}
        self._alarms = alarms
        self._alarms.add_observer(self._note)

    def _note(self, number: str, left: int) -> None:
        self._low[number] = left
        while len(self._low) > 12:
            self._low.pop(next(iter(self._low)))

    def text(self) -> str:
        return ", ".join(f"{number} ({left})" for number, left in sorted(self._low.items()))

    def close(self) -> None:
        self._alarms.remove_observer(self._note)


class SalesLog:
    def __init__(self, path: str) -> None:
        self._handler = logging.FileHandler(path, delay=True)
        self._logger = logging.getLogger("shop.counter")
        self._logger.addHandler(self._handler)

    def close(self) -> None:
        self._logger.removeHandler(self._handler)
        self._handler.close()


logger.addHandler(logging.NullHandler())
