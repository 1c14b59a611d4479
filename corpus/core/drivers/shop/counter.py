"""Calls into shop/counter.py."""

import io
import logging

from shop import counter

LAMP = counter.Article("4006381333939", "Lamp", 1995)
BULB = counter.Article("4006381333932", "Bulb", 249)


def _shop():
    stock = counter.Stock(counter.Alarms())
    stock.put(LAMP, 3)
    stock.fill(BULB, 400)
    return counter.Counter("left", stock)


def sells(box):
    desk = _shop()
    cart = counter.Cart()
    cart.add(LAMP).share()
    cart.add(BULB, 4)
    cart.receipt()
    desk.ring_up(cart)
    desk.day()
    desk.print_journal(io.StringIO())
    desk.refusal()


def refuses(box):
    desk = _shop()
    cart = counter.Cart()
    cart.add(LAMP, 4)
    desk.ring_up(cart)
    other = counter.Cart()
    other.add(counter.Article("1", "Moon", 1))
    desk.ring_up(other)
    desk.refusal()


def scans(box):
    stock = counter.Stock(counter.Alarms())
    stock.put(LAMP, 3)
    scanner = counter.Scanner(stock)
    cart = counter.Cart()
    scanner.scan(cart, "4006381333939\n")
    scanner.scan(cart, "77")
    scanner.message()


def runs_low(box):
    alarms = counter.Alarms()
    stock = counter.Stock(alarms)
    with box.using(counter.OrderList(alarms)) as orders:
        shelf = stock.put(LAMP, 5)
        for _ in range(5):
            shelf.take(1)
        for number in box.rounds(14):
            alarms.raise_alarm(str(number), 1)
        orders.text()


def opens_lists(box):
    alarms = counter.Alarms()
    for _ in box.rounds(3):
        with box.using(counter.OrderList(alarms)):
            pass


def sells_for_long(box):
    desk = _shop()
    for number in box.rounds(44):
        cart = counter.Cart()
        cart.add(BULB)
        desk.park("cart %d" % number, cart)
        desk.parked("cart 0")
        desk.ring_up(cart)


def parks_too_many(box):
    desk = _shop()
    for number in range(7):
        desk.park("cart %d" % number, counter.Cart())


def says_prices(box):
    for number in box.rounds(54):
        counter.euros(number * 7)
        counter.check_digit("40063813339%02d" % number)


def logs_sales(box):
    logging.getLogger("shop.counter").setLevel(logging.INFO)
    for _ in box.rounds(3):
        with box.using(counter.SalesLog(box.path("sales.log"))):
            pass
    desk = _shop()
    with box.using(counter.SalesLog(box.path("sales.log"))):
        cart = counter.Cart()
        cart.add(BULB, 2)
        desk.ring_up(cart)
