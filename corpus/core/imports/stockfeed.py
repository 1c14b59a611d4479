"""Import of stock lists that suppliers leave in a drop folder.

Every supplier has habits of his own: CSV with semicolons, tables packed in zip files, fixed-width
lists from a mainframe. All end up in one SQLite file. What cannot be
understood goes to a reject list, and a file that was taken is moved away.
"""
from __future__ import annotations

import contextlib
import csv
import datetime
import fcntl
import io
import os
import socket
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Callable, IO, Iterable, Iterator, Optional, TextIO

TABLES = """
CREATE TABLE IF NOT EXISTS stock (supplier TEXT, sku TEXT, amount INTEGER, PRIMARY KEY (supplier, sku));
CREATE TABLE IF NOT EXISTS delivery (name TEXT PRIMARY KEY, taken TEXT, lines INTEGER);
"""


class FeedError(Exception):
    """A delivery cannot be read at all."""


class StockLine:
    __slots__ = ("sku", "amount")

    def __init__(self, sku: str, amount: str):
        self.sku = sku.strip().upper()
        self.amount = int(amount)
        if not self.sku or self.amount < 0:
            raise ValueError(f"no stock line: {sku!r}, {amount!r}")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as delivery:
        return delivery.read(4)


@contextlib.contextmanager
def drop_folder_lock(folder: Path) -> Iterator[int]:
    """Keeps suppliers' uploads out while the folder is looked at."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def reject_list(path: Path) -> Iterator[Callable[[str, str], None]]:
    """A function that notes a line with the reason for which it was refused."""
    out = path.open("a", encoding="utf-8")
    try:
        yield lambda line, reason: print(f"{reason}: {line.rstrip()}", file=out)
    finally:
        out.close()


def fixed_width(path: Path, width: int = 16) -> Iterator[tuple[str, str]]:
    """Columns of the mainframe list: the number of the article, then the amount."""
    with path.open(encoding="cp1252") as sheet:
        for line in sheet:
            if line.startswith("*") or not line.strip():
                continue
            yield line[:width], line[width:]


def open_table(path: Path) -> TextIO:
    """A CSV table whose mark and headings were read already."""
    table = open(path, newline="", encoding="utf-8-sig")
    try:
        heading = table.readline().lower().split(";")
        if heading[0].strip() != "sku":
            raise FeedError(f"{path.name}: first column is {heading[0]!r}")
    except BaseException:
        table.close()
        raise
    return table


def price_channel(address: tuple[str, int], broadcast: bool = True) -> socket.socket:
    """Where shops listen for changes of stock (datagrams)."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if broadcast:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        channel.connect(address)
    except BaseException as problem:
        channel.close()
        raise FeedError(f"no channel to {address}") from problem
    return channel


class ZippedTables:
    """The tables in a zip file, which may lie in folders."""

    def __init__(self, path: Path):
        self.path = path
        self._zip = zipfile.ZipFile(path)

    def close(self):
        self._zip.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def rows(self) -> list[tuple[str, str]]:
        found = []
        for name in self._zip.namelist():
            if name.lower().endswith(".csv"):
                with self._zip.open(name) as member, io.TextIOWrapper(member, encoding="utf-8") as text:
                    found += [(row[0], row[1]) for row in csv.reader(text, delimiter=";") if len(row) > 1]
        return found


class StockBook:
    """The SQLite file with everybody's stock."""

    def __init__(self, path: Path):
        self.path = path
        self._db: Optional[sqlite3.Connection] = sqlite3.connect(path)
        try:
            self._db.executescript(TABLES)
            if self._db.execute("PRAGMA user_version").fetchone()[0] > 1:
                raise FeedError(f"{path} was written by a newer version")
        except BaseException:
            self._db.close()
            raise

    def close(self):
        if self._db is not None:
            self._db.close()
        self._db = None

    def switch(self, path: Path):
        """Go on with another file, such as that of a new year."""
        if self._db is not None:
            self._db.close()
        self._db = sqlite3.connect(path)
        self._db.executescript(TABLES)

    def known(self, name: str) -> bool:
        return self._db.execute("SELECT 1 FROM delivery WHERE name = ?", (name,)).fetchone() is not None

    def take(self, supplier: str, name: str, lines: Iterable[StockLine]) -> int:
        rows = [(supplier, line.sku, line.amount) for line in lines]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO stock VALUES (?, ?, ?)", rows)
            taken = datetime.date.today().isoformat()
            self._db.execute("INSERT INTO delivery VALUES (?, ?, ?)", (name, taken, len(rows)))
        return len(rows)


class Importer:
    """Takes what lies in the drop folder of one supplier."""

    def __init__(self, folder: Path, supplier: str):
        self.folder = folder
        self.supplier = supplier

    def pairs(self, path: Path) -> list[tuple[str, str]]:
        """The raw columns of a delivery, whatever its format."""
        magic = _first_bytes(path)
        if magic.startswith(b"PK"):
            with ZippedTables(path) as tables:
                return tables.rows()
        if path.suffix != ".csv":
            return list(fixed_width(path))
        with open_table(path) as table:
            return [(row[0], row[1]) for row in csv.reader(table, delimiter=";") if len(row) > 1]

    def lines(self, path: Path) -> list[StockLine]:
        good = []
        with reject_list(self.folder / "rejects.txt") as reject:
            for sku, amount in self.pairs(path):
                try:
                    good.append(StockLine(sku, amount))
                except ValueError as error:
                    reject(f"{sku};{amount}", str(error))
        return good

    def run(self, database: Path) -> dict[str, int]:
        """Take every delivery that is not known yet."""
        taken: dict[str, int] = {}
        with contextlib.ExitStack() as stack:
            stack.enter_context(drop_folder_lock(self.folder))
            entries = stack.enter_context(os.scandir(self.folder))
            book = stack.enter_context(closing(StockBook(database)))
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name == "rejects.txt" or entry.is_dir() or book.known(entry.name):
                    continue
                taken[entry.name] = book.take(self.supplier, entry.name, self.lines(Path(entry.path)))
        return taken

    def totals(self, database: Path) -> dict[str, int]:
        sums: dict[str, int] = {}
        with closing(sqlite3.connect(database)) as db:
            for sku, amount in db.execute("SELECT sku, amount FROM stock ORDER BY sku"):
                sums[sku] = sums.get(sku, 0) + amount
        return sums

    def merge(self, names: Iterable[str], target: Path) -> None:
        """One plain list out of many, in place when it is whole."""
        fd, draft = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(fd, "wb") as merged:
                for name in names:
                    part = (self.folder / name).open("rb")
                    try:
                        for line in part:
                            merged.write(line.rstrip(b"\r\n") + b"\n")
                    finally:
                        part.close()
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def announce(self, address: tuple[str, int], skus: Iterable[str]) -> int:
        """Tell shops about changed articles; gives the number of datagrams."""
        wanted = sorted(set(skus))
        channel = price_channel(address)
        if not wanted:
            channel.close()
            return 0
        sent = 0
        try:
            for sku in wanted:
                channel.send(f"{self.supplier} {sku}\n".encode("utf-8"))
                sent += 1
        finally:
            channel.close()
        return sent
