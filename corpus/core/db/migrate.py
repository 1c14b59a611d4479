"""Schema migrations for SQLite files.

Steps are SQL scripts named ``0007_add_index.sql``, in a folder or packed in a zip file as releases ship them.
What was applied is noted in the database itself, with a digest of each script, so that a step which was
edited afterwards is found. Before a run the database is copied aside.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import gzip
import hashlib
import io
import logging
import os
import re
import socket
import sqlite3
import subprocess
import tempfile
import zipfile
from contextlib import closing
from typing import IO, Iterator, NamedTuple

log = logging.getLogger("migrate")

STEP_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
HISTORY = "CREATE TABLE IF NOT EXISTS schema_step (number INTEGER PRIMARY KEY, name TEXT, digest TEXT)"


class MigrationError(Exception):
    """A step cannot be applied, or does not fit what was applied before."""


class Step(NamedTuple):
    number: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.script.encode("utf-8")).hexdigest()


def _script_text(path: str) -> str:
    with io.open(path, encoding="utf-8") as source:
        return source.read()


def connect_readonly(path: str) -> sqlite3.Connection:
    """A connection that can look, but not write."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for pragma in ("query_only = ON", "cache_size = -2000"):
            conn.execute(f"PRAGMA {pragma}")
        conn.row_factory = sqlite3.Row
    except BaseException:
        conn.close()
        raise
    return conn


@contextlib.contextmanager
def exclusive_run(lock_path: str) -> Iterator[IO[str]]:
    """Only one migration at a time; the lock file names the process."""
    holder = open(lock_path, "a+", encoding="ascii")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.truncate(0)
        holder.write(f"{os.getpid()}\n")
        yield holder
    finally:
        holder.close()


def script_in_archive(path: str, member: str) -> bytes:
    """One script out of a packed set."""
    with zipfile.ZipFile(path) as packed:
        return packed.read(member)


class StepArchive:
    """A packed set of steps."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> StepArchive:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def steps(self) -> list[Step]:
        found = []
        for name in sorted(self._zip.namelist()):
            match = STEP_NAME.fullmatch(os.path.basename(name))
            if match is not None:
                found.append(Step(int(match[1]), match[2], self._zip.read(name).decode("utf-8")))
        return found


class SchemaFile:
    """A database with the history of its schema."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._conn: sqlite3.Connection | None = sqlite3.connect(path, isolation_level=None)
        try:
            for statement in ("PRAGMA foreign_keys = ON", HISTORY):
                self._conn.execute(statement)
        except BaseException:
            self._conn.close()
            raise

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def reopen(self) -> None:
        """Start over with a fresh connection: pragmas of a script must not outlive it."""
        if self._conn is not None:
            self._conn.close()
        self._conn = sqlite3.connect(self.path, isolation_level=None)

    def applied(self) -> dict[int, str]:
        return dict(self._conn.execute("SELECT number, digest FROM schema_step"))

    def apply(self, step: Step) -> None:
        try:
            self._conn.executescript(f"BEGIN;\n{step.script}\n")
            self._conn.execute("INSERT INTO schema_step VALUES (?, ?, ?)", (step.number, step.name, step.digest))
            self._conn.execute("COMMIT")
        except sqlite3.Error as error:
            self.reopen()
            raise MigrationError(f"step {step.number} ({step.name}): {error}") from error


class Migrator:
    def __init__(self, database: str, folder: str) -> None:
        self.database = database
        self.folder = folder
        self.steps: dict[int, Step] = {}

    def collect(self) -> int:
        """Read the steps of the folder, loose ones over packed ones."""
        names = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_file() and not entry.name.startswith("."):
                    names.append(entry.name)
        for name in sorted(names, key=lambda name: (not name.endswith(".zip"), name)):
            match = STEP_NAME.fullmatch(name)
            if match is not None:
                text = _script_text(os.path.join(self.folder, name))
                self.steps[int(match[1])] = Step(int(match[1]), match[2], text)
            elif name.endswith(".zip"):
                with StepArchive(os.path.join(self.folder, name)) as archive:
                    self.steps.update((step.number, step) for step in archive.steps())
        return len(self.steps)

    def pending(self) -> list[Step]:
        """Steps not applied yet; an applied one that was edited since is an error."""
        with closing(sqlite3.connect(self.database)) as conn:
            conn.execute(HISTORY)
            done = dict(conn.execute("SELECT number, digest FROM schema_step"))
            for number, digest in done.items():
                if number in self.steps and self.steps[number].digest != digest:
                    raise MigrationError(f"step {number} was edited after it had been applied")
        return [step for number, step in sorted(self.steps.items()) if number not in done]

    def backup(self, target: str) -> None:
        """Copy the database with SQLite's own means, then put the copy in place."""
        fd, draft = tempfile.mkstemp(dir=os.path.dirname(target) or ".", suffix=".copy")
        try:
            with os.fdopen(fd, "r+b") as out:
                with closing(sqlite3.connect(self.database)) as source, closing(sqlite3.connect(draft)) as copy:
                    source.backup(copy)
                os.fsync(out.fileno())
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def run(self, upto: int | None = None) -> list[int]:
        """Apply what is pending, and say which steps that were."""
        applied = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(exclusive_run(self.database + ".lock"))
            protocol = stack.enter_context(gzip.open(self.database + ".steps.gz", "at", encoding="utf-8"))
            self.backup(self.database + ".before")
            schema = stack.enter_context(closing(SchemaFile(self.database)))
            for step in self.pending():
                if upto is not None and step.number > upto:
                    break
                schema.apply(step)
                protocol.write(f"{step.number}\t{step.name}\t{step.digest}\n")
                applied.append(step.number)
        return applied

    def export_history(self, target: str) -> None:
        out = open(target + ".part", "w", newline="", encoding="utf-8")
        complete = False
        try:
            writer = csv.writer(out)
            with closing(sqlite3.connect(self.database)) as conn:
                writer.writerows(conn.execute("SELECT number, name FROM schema_step ORDER BY number"))
            complete = True
        finally:
            if complete:
                out.close()
                os.replace(target + ".part", target)
            else:
                out.close()
                os.unlink(target + ".part")

    def protocol(self) -> Iterator[tuple[int, str]]:
        """What earlier runs noted, oldest first."""
        with gzip.open(self.database + ".steps.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                number, name, _ = line.split("\t")
                yield int(number), name

    def check_with(self, command: list[str]) -> str:
        """Let a checker of the administrator's choice look at the database; gives what it says."""
        proc = subprocess.Popen([*command, self.database], stdout=subprocess.PIPE)
        out, _ = proc.communicate()
        if proc.returncode:
            raise MigrationError(f"{command[0]} ended with status {proc.returncode}")
        return out.decode("utf-8", "replace")

    def announce(self, addresses: list[tuple[str, int]]) -> None:
        """Tell status boards over UDP; nobody waits for them."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            for address in addresses:
                sock.sendto(f"migrated {os.path.basename(self.database)}\n".encode("utf-8"), address)
        finally:
            sock.close()
