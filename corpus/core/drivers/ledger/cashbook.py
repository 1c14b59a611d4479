"""Calls into ledger/cashbook.py."""

import os
import sqlite3
import time
from contextlib import suppress

from ledger import cashbook


def books_a_day(box):
    box.write("b/x", "")
    cashbook.book_day(box.path("b"), "may-01", [("bread", 250)])
    cashbook.month(box.path("b"), "may", box.path("may.zip"))


def the_disk_is_full(box):
    os.symlink("/dev/full", box.path("may-01.book"))
    with suppress(OSError):
        cashbook.book_day(box.path(), "may-01", [("bread", 250)])


def finds_a_folder_in_its_place(box):
    os.mkdir(box.path("may-01.sums"))
    with box.raises(OSError):
        cashbook.Daybook(box.path(), "may-01")


def is_closed_on_a_full_disk(box):
    os.symlink("/dev/full", box.path("may-01.book"))
    with suppress(OSError):
        with box.using(cashbook.Daybook(box.path(), "may-01")) as book:
            book.book("bread", 250)


def prints_a_receipt(box):
    cashbook.print_receipt(box.path("roll"), box.path("header"), ["bread 2.50"])


def rolls(box):
    with box.using(cashbook.ReceiptRoll(box.path("roll"), box.path("header"))) as roll:
        roll.print("bread")


def has_a_header(box):
    with box.using(cashbook.ReceiptRoll(box.path("roll"), box.write("header", "shop\n"))) as roll:
        roll.print(roll.header())
        roll.print(roll.header())


def tapes(box):
    for _ in box.rounds(2):
        with box.using(cashbook.TillTape(box.path("tape"))) as tape:
            tape.note("open")


def cashes_up(box):
    cashbook.cash_up(box.path("keys"), 2)


def keeps_a_book(box):
    with box.using(cashbook.Book(box.path("book.db"))) as book:
        book.add("may-01", "bread", 250)
        book.balance()
        book.export(box.path("out.csv"))
    cashbook.balance_of(box.path("book.db"))


def refuses_a_book_that_is_none(box):
    with box.raises(sqlite3.DatabaseError):
        cashbook.Book(box.write("book.db", "rubbish" * 100))


def reminds(box):
    with box.using(cashbook.Reminder(lambda: None, 0.001)) as reminder:
        reminder.start()
        time.sleep(0.003)


def prints(box):
    with box.using(cashbook.Printing(["/bin/cat"])) as printing:
        printing.print("bread")


def rounds_cents(box):
    for _ in box.rounds(2):
        cashbook.rounding(252)
        cashbook.check_parity()
    cashbook.read_coins("5 2\n10 1\n")


def previews(box):
    cashbook.preview([["may-01", "bread", 250]])
    cashbook.beep(["/bin/true"])
    cashbook.lock_drawer(["/bin/true"])
