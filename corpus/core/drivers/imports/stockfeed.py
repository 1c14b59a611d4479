"""Calls into imports/stockfeed.py."""

import contextlib
import os
import socket
import sqlite3
import zipfile
from pathlib import Path

from imports import stockfeed


def _importer(box):
    os.mkdir(box.path("drop"))
    return stockfeed.Importer(Path(box.path("drop")), "northwind")


def takes_every_format(box):
    importer = _importer(box)
    box.write("drop/a.csv", "SKU;amount\napple;3\npear;-1\n\nplum\nfig;many\n")
    box.write("drop/b.lst", "* list of 1 May\n" + "APPLE".ljust(16) + "7\n\n")
    with zipfile.ZipFile(box.path("drop", "d.zip"), "w") as packed:
        packed.writestr("x/d.csv", "plum;9\nempty\n")
        packed.writestr("readme.txt", "thanks")
    importer.run(Path(box.path("stock.db")))
    importer.run(Path(box.path("stock.db")))
    importer.totals(Path(box.path("stock.db")))


def refuses_a_wrong_heading(box):
    importer = _importer(box)
    box.write("drop/a.csv", "article;amount\napple;3\n")
    with box.raises(stockfeed.FeedError):
        importer.run(Path(box.path("stock.db")))


def folder_is_locked(box):
    importer = _importer(box)
    with stockfeed.drop_folder_lock(Path(box.path("drop"))), box.raises(BlockingIOError):
        importer.run(Path(box.path("stock.db")))


def consumers_stop_early(box):
    box.take(stockfeed.fixed_width(Path(box.write("b.lst", "APPLE".ljust(16) + "7\nPLUM\n"))))


def switches_books(box):
    with box.using(stockfeed.StockBook(Path(box.path("old.db")))) as book:
        book.take("northwind", "a.csv", [stockfeed.StockLine("apple", "1")])
        book.switch(Path(box.path("new.db")))
        book.known("a.csv")
        book.close()
        book.switch(Path(box.path("old.db")))
        book.switch(Path(box.path("new.db")))


def refuses_a_book_that_is_none(box):
    with box.raises(Exception):
        stockfeed.StockBook(Path(box.write("stock.db", b"rubbish" * 300)))


def merges_lists(box):
    importer = _importer(box)
    box.write("drop/a.lst", "one\r\n")
    box.write("drop/b.lst", "two")
    importer.merge(["a.lst", "b.lst"], Path(box.path("all.lst")))
    with box.raises(FileNotFoundError):
        importer.merge(["a.lst", "c.lst"], Path(box.path("all.lst")))


def announces_to_shops(box):
    importer = _importer(box)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shop:
        shop.bind(("127.0.0.1", 0))
        importer.announce(shop.getsockname(), ["APPLE", "FIG", "FIG"])
        importer.announce(shop.getsockname(), [])


def has_no_channel(box):
    with box.raises(stockfeed.FeedError):
        stockfeed.price_channel(("127.0.0.1", "no port"))
    with box.raises(stockfeed.FeedError):
        stockfeed.price_channel(("127.0.0.1", "no port"), broadcast=False)


def rejects_fail_in_the_block(box):
    with box.raises(RuntimeError), stockfeed.reject_list(Path(box.path("rejects.txt"))) as reject:
        reject("apple;x", "not a number")
        box.fail()


def book_is_newer(box):
    with contextlib.closing(sqlite3.connect(box.path("stock.db"))) as book:
        book.execute("PRAGMA user_version = 2")
    with box.raises(stockfeed.FeedError):
        stockfeed.StockBook(Path(box.path("stock.db")))
