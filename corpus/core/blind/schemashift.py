#!/usr/bin/env python3
"""schemashift: bring an SQLite database to the schema that a folder of scripts describes.

Scripts are called ``0007_add_prices.sql`` and run in the order of their numbers, each
in a transaction of its own.  What has run is kept in the table ``shift_log``, with
digests, so that a script that was changed afterwards is noticed.  Everything is
rehearsed on a copy before the database itself is touched, and a backup is kept.
"""

import argparse
import csv
import fcntl
import gzip
import hashlib
import io
import logging
import os
import re
import sqlite3
import sys
import tempfile
import zipfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

log = logging.getLogger("schemashift")

SCRIPT = re.compile(r"(\d{4})_(\w+)\.sql")
LOG_DDL = "CREATE TABLE IF NOT EXISTS shift_log (number INTEGER PRIMARY KEY, title TEXT, digest TEXT)"


class ShiftError(Exception):
    """The database was left as it was."""


class Script(NamedTuple):
    number: int
    title: str
    path: Path

    def digest(self) -> str:
        sha = hashlib.sha256()
        with open(self.path, "rb") as source:
            while block := source.read(1 << 16):
                sha.update(block)
        return sha.hexdigest()

    def statements(self) -> Iterator[str]:
        """The complete statements of the script, without reading it whole."""
        pending = ""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                if not pending and (not line.strip() or line.startswith("--")):
                    continue
                pending += line
                if sqlite3.complete_statement(pending):
                    yield pending
                    pending = ""
        if pending.strip():
            raise ShiftError(f"{self.path.name} ends within a statement")


def find_scripts(folder: Path) -> List[Script]:
    scripts: Dict[int, Script] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            match = SCRIPT.fullmatch(entry.name)
            if match is None:
                continue
            number = int(match[1])
            if number in scripts:
                raise ShiftError(f"number {number} is used twice")
            scripts[number] = Script(number, match[2], Path(entry.path))
    return [scripts[number] for number in sorted(scripts)]


def open_database(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection with our settings, in autocommit mode."""
    if not create and not path.exists():
        raise ShiftError(f"there is no database {path}")
    conn = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        conn.execute("PRAGMA foreign_keys = ON")
        conn.execute(LOG_DDL)
        return conn
    except BaseException:
        conn.close()
        raise


@contextmanager
def shift_transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    with closing(conn.cursor()) as cur:
        cur.execute("BEGIN IMMEDIATE")
        try:
            yield cur
        except BaseException:
            cur.execute("ROLLBACK")
            raise
        cur.execute("COMMIT")


class Shifter:
    """Holds the database, and a lock beside it, until it is closed."""

    def __init__(self, database: Path, scripts: List[Script], *, create: bool = False):
        self.database, self.scripts = database, scripts
        with ExitStack() as stack:
            self._lock = stack.enter_context(open(f"{database}.lock", "w"))
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise ShiftError(f"{database} is being migrated by another process") from exc
            self._conn = open_database(database, create=create)
            stack.callback(self._conn.close)
            self._check_history()
            self._stack = stack.pop_all()

    def __enter__(self) -> "Shifter":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def _check_history(self) -> None:
        known = {script.number: script for script in self.scripts}
        for number, title, digest in self._applied():
            if number not in known:
                raise ShiftError(f"{number:04d}_{title} has run, and is missing now")
            if known[number].digest() != digest:
                raise ShiftError(f"{number:04d}_{title} was changed after it had run")

    def _applied(self) -> List[Tuple[int, str, str]]:
        cur = self._conn.cursor()
        try:
            cur.execute("SELECT number, title, digest FROM shift_log ORDER BY number")
            return cur.fetchall()
        finally:
            cur.close()

    def pending(self) -> List[Script]:
        done = [row[0] for row in self._applied()]
        return [script for script in self.scripts if script.number not in done]

    @staticmethod
    def _apply(conn: sqlite3.Connection, script: Script) -> None:
        digest = script.digest()
        try:
            with shift_transaction(conn) as cur, closing(script.statements()) as statements:
                for statement in statements:
                    cur.execute(statement)
                if cur.execute("PRAGMA foreign_key_check").fetchone() is not None:
                    raise ShiftError(f"{script.path.name} leaves rows without their parents")
                cur.execute("INSERT INTO shift_log (number, title, digest) VALUES (?, ?, ?)",
                            (script.number, script.title, digest))
        except sqlite3.Error as exc:
            raise ShiftError(f"{script.path.name}: {exc}") from exc

    def rehearse(self) -> None:
        """Run what is pending on a copy that is thrown away."""
        with tempfile.TemporaryDirectory(prefix="shift-", dir=self.database.parent) as folder:
            copy = sqlite3.connect(os.path.join(folder, "copy.db"), isolation_level=None)
            try:
                copy.execute("PRAGMA synchronous = OFF")
                self._conn.backup(copy)
                for script in self.pending():
                    self._apply(copy, script)
            finally:
                copy.close()

    def migrate(self) -> int:
        todo = self.pending()
        if not todo:
            return 0
        self.rehearse()
        self.keep_backup(self.database.with_suffix(f".{todo[0].number:04d}.sql.gz"))
        for script in todo:
            self._apply(self._conn, script)
        return len(todo)

    def keep_backup(self, target: Path) -> None:
        out = gzip.open(target, "wt", encoding="utf-8")
        try:
            for statement in self._conn.iterdump():
                out.write(statement + "\n")
        finally:
            out.close()

    def seed(self, archive: Path) -> int:
        """Fill empty tables from the ``TABLE.csv`` members of a zip file."""
        count = 0
        with zipfile.ZipFile(archive) as seeds, shift_transaction(self._conn) as cur:
            for name in seeds.namelist():
                table = Path(name).stem
                if not re.fullmatch(r"[a-z_]+\.csv", name):
                    raise ShiftError(f"odd member {name!r}")
                if cur.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None:
                    continue
                with seeds.open(name) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
                    rows = csv.reader(text)
                    header = next(rows)
                    marks = ", ".join("?" * len(header))
                    for row in rows:
                        cur.execute(f"INSERT INTO {table} ({', '.join(header)}) VALUES ({marks})", row)
                        count += 1
        return count


def schema_of(path: Path) -> Dict[str, str]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as conn:
        rows = conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: " ".join(sql.split()) for name, sql in rows}


def restore(dump: Path, target: Path) -> None:
    """Build ``target`` from a kept backup; it appears in one step."""
    fd, partial = tempfile.mkstemp(dir=target.parent)
    try:
        os.close(fd)
        with gzip.open(dump, "rt", encoding="utf-8") as source, \
                closing(sqlite3.connect(partial)) as conn:
            conn.executescript(source.read())
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="schemashift")
    parser.add_argument("database", type=Path)
    parser.add_argument("scripts", type=Path)
    parser.add_argument("--create", action="store_true")
    args = parser.parse_args(argv)
    try:
        with Shifter(args.database, find_scripts(args.scripts), create=args.create) as shifter:
            print(shifter.migrate(), "scripts applied")
            return 0
    except (ShiftError, sqlite3.Error, OSError) as exc:
        log.error("%s", exc)
        return 1


if __name__ == "__main__":
    sys.exit(main())
