"""Durable job queue on top of a single SQLite file."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger(__name__)

BUSY_TIMEOUT: Final[float] = 15.0


class JobState(str, Enum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SchemaError(RuntimeError):
    """The database was written by a newer release."""


@dataclass(frozen=True)
class Migration:
    version: int
    statements: tuple[str, ...]


@dataclass
class Job:
    id: int
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    attempts: int = 0
    not_before: float = 0.0


MIGRATIONS: Final[Sequence[Migration]] = (
    Migration(1, (
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
        " payload TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued')",
    )),
    Migration(2, (
        "ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN not_before REAL NOT NULL DEFAULT 0",
    )),
    Migration(3, ("CREATE INDEX jobs_ready ON jobs (state, not_before)",)),
)
_COLUMNS: Final[str] = "id, kind, payload, state, attempts, not_before"


def _to_job(row: tuple[Any, ...]) -> Job:
    return Job(row[0], row[1], json.loads(row[2]), JobState(row[3]), row[4], row[5])


class JobStore:
    """Owns the connection; use as a context manager or call :meth:`close`."""

    def __init__(self, path: Path, *, max_attempts: int = 5) -> None:
        self.path = path
        self.max_attempts = max_attempts
        self._conn: sqlite3.Connection | None = None
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("PRAGMA synchronous=NORMAL")
            self._migrate(conn)
        except BaseException:
            conn.close()
            raise
        self._conn = conn

    def __enter__(self) -> JobStore:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._conn is None:
            raise ValueError(f"job store {self.path} is closed")
        return self._conn

    @staticmethod
    @contextlib.contextmanager
    def _transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
        with closing(conn.cursor()) as cur:
            cur.execute("BEGIN IMMEDIATE")
            try:
                yield cur
                cur.execute("COMMIT")
            except BaseException:
                if conn.in_transaction:
                    cur.execute("ROLLBACK")
                raise

    def _migrate(self, conn: sqlite3.Connection) -> None:
        with self._transaction(conn) as cur:
            current: int = cur.execute("PRAGMA user_version").fetchone()[0]
            if current > MIGRATIONS[-1].version:
                raise SchemaError(f"{self.path}: schema {current} is too new")
            for migration in MIGRATIONS:
                if migration.version <= current:
                    continue
                logger.info("migrating %s to schema %d", self.path, migration.version)
                for statement in migration.statements:
                    cur.execute(statement)
                cur.execute(f"PRAGMA user_version = {migration.version:d}")

    def enqueue(self, kind: str, payload: dict[str, Any], delay: float = 0.0) -> int:
        with self._transaction(self._db) as cur:
            cur.execute(
                "INSERT INTO jobs (kind, payload, not_before) VALUES (?, ?, ?)",
                (kind, json.dumps(payload), time.time() + delay),
            )
            assert cur.lastrowid is not None
            return cur.lastrowid

    def claim(self, kinds: Sequence[str] = ()) -> Job | None:
        """Mark the oldest ready job as running and hand it out."""
        with self._transaction(self._db) as cur:
            cur.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE state = ? AND not_before <= ? ORDER BY id",
                (JobState.QUEUED.value, time.time()),
            )
            for row in cur.fetchall():
                job = _to_job(row)
                if kinds and job.kind not in kinds:
                    continue
                job.state, job.attempts = JobState.RUNNING, job.attempts + 1
                self._write_back(cur, job)
                return job
        return None

    @staticmethod
    def _write_back(cur: sqlite3.Cursor, job: Job) -> None:
        cur.execute(
            "UPDATE jobs SET state = ?, attempts = ?, not_before = ? WHERE id = ?",
            (job.state.value, job.attempts, job.not_before, job.id),
        )

    def finish(self, job: Job, *, ok: bool) -> None:
        if ok:
            job.state = JobState.DONE
        elif job.attempts >= self.max_attempts:
            job.state = JobState.FAILED
        else:  # exponential back-off, capped at an hour
            job.state = JobState.QUEUED
            job.not_before = time.time() + min(3600.0, 2.0 ** job.attempts)
        with self._transaction(self._db) as cur:
            self._write_back(cur, job)

    def export(self, target: Path) -> int:
        """Write all jobs as JSON lines, oldest first."""
        count = 0
        cur = self._db.cursor()
        try:
            with open(target, "w", encoding="utf-8") as out:
                for row in cur.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY id"):
                    out.write(json.dumps(asdict(_to_job(row))) + "\n")
                    count += 1
        finally:
            cur.close()
        return count

    def load(self, source: Path) -> int:
        with source.open(encoding="utf-8") as lines, self._transaction(self._db) as cur:
            loaded = 0
            for line in lines:
                if not line.strip():
                    continue
                data = json.loads(line)
                cur.execute("INSERT INTO jobs (kind, payload) VALUES (?, ?)",
                            (data["kind"], json.dumps(data.get("payload", {}))))
                loaded += 1
        return loaded

    def archive_done(self, archive: Path) -> int:
        """Append finished jobs to a gzip archive, then delete them."""
        with self._transaction(self._db) as cur:
            rows = cur.execute(f"SELECT {_COLUMNS} FROM jobs WHERE state = 'done'").fetchall()
            if not rows:
                return 0
            with gzip.open(archive, "at", encoding="utf-8") as out:
                for row in rows:
                    out.write(json.dumps(asdict(_to_job(row))) + "\n")
            cur.executemany("DELETE FROM jobs WHERE id = ?", [(row[0],) for row in rows])
        return len(rows)

    def backup(self, target: Path) -> None:
        """Online copy; ``target`` appears only once it is complete."""
        fd, name = tempfile.mkstemp(prefix=".jobs-", dir=target.parent)
        os.close(fd)
        try:
            with closing(sqlite3.connect(name)) as copy:
                self._db.backup(copy, pages=256)
                verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
                if verdict != "ok":
                    raise sqlite3.DatabaseError(f"backup of {self.path}: {verdict}")
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise


def summarize(path: Path) -> dict[str, int]:
    """Count jobs per state without touching the file."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as conn:
        return dict(conn.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"))


def dump_sql(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, target.open("w", encoding="utf-8") as out:
        for statement in conn.iterdump():
            out.write(f"{statement}\n")
