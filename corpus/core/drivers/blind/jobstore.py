"""Calls into blind/jobstore.py."""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

from blind import jobstore


def _path(box, *parts):
    return Path(box.path(*parts))


@contextmanager
def _store(box, **options):
    with box.using(jobstore.JobStore(_path(box, "jobs.db"), **options)) as store:
        yield store


def works_through_jobs(box):
    with _store(box, max_attempts=1) as store:
        store.enqueue("mail", {"to": "me@example.org"})
        store.enqueue("index", {"path": "a"})
        store.enqueue("index", {"path": "b"})
        store.enqueue("index", {"path": "c"}, delay=100.0)
        store.finish(store.claim(["index"]), ok=True)
        store.finish(store.claim(), ok=False)
        store.claim(["nothing of this kind"])
    with _store(box) as store:
        store.finish(store.claim(), ok=False)
        store.claim()


def exports_and_loads(box):
    with _store(box) as store:
        store.enqueue("mail", {"n": 1})
        store.enqueue("mail", {"n": 2})
        store.export(_path(box, "jobs.jsonl"))
    with box.using(jobstore.JobStore(_path(box, "other.db"))) as other:
        other.load(_path(box, "jobs.jsonl"))
        with box.raises(ValueError):
            other.load(Path(box.write("bad.jsonl", '{"kind": "mail"}\n\nrubbish\n')))


def exports_what_cannot_be_read(box):
    with _store(box) as store:
        store.enqueue("mail", {})
        with closing(sqlite3.connect(_path(box, "jobs.db"), isolation_level=None)) as conn:
            conn.execute("UPDATE jobs SET payload = 'rubbish'")
        with box.raises(ValueError):
            store.export(_path(box, "jobs.jsonl"))


def archives_what_is_done(box):
    with _store(box) as store:
        store.archive_done(_path(box, "done.gz"))
        store.enqueue("mail", {"n": 1})
        store.finish(store.claim(), ok=True)
        store.archive_done(_path(box, "done.gz"))


def archives_where_it_cannot(box):
    with _store(box) as store:
        store.enqueue("mail", {"n": 1})
        store.finish(store.claim(), ok=True)
        with box.raises(OSError):
            store.archive_done(_path(box, "missing", "done.gz"))


def backs_up(box):
    with _store(box) as store:
        store.enqueue("mail", {"n": 1})
        store.backup(_path(box, "copy.db"))
    jobstore.summarize(_path(box, "copy.db"))
    jobstore.dump_sql(_path(box, "copy.db"), _path(box, "copy.sql"))


def backs_up_over_a_folder(box):
    box.write("copy/file", "in the way")
    with _store(box) as store, box.raises(OSError):
        store.backup(_path(box, "copy"))


def backs_up_what_is_damaged(box):
    with _store(box) as store:
        with closing(sqlite3.connect(_path(box, "jobs.db"), isolation_level=None)) as conn:
            conn.execute("CREATE TABLE odd (number CHECK (number > 0))")
            conn.execute("PRAGMA ignore_check_constraints = ON")
            conn.execute("INSERT INTO odd VALUES (0)")
        with box.raises(sqlite3.DatabaseError):
            store.backup(_path(box, "copy.db"))


def refuses_a_newer_schema(box):
    with closing(sqlite3.connect(_path(box, "jobs.db"))) as conn:
        conn.execute("PRAGMA user_version = 99")
    with box.raises(jobstore.SchemaError):
        jobstore.JobStore(_path(box, "jobs.db"))


def refuses_what_is_no_database(box):
    box.write("jobs.db", "x" * 2000)
    with box.raises(sqlite3.DatabaseError):
        jobstore.JobStore(_path(box, "jobs.db"))


def is_used_after_it_was_closed(box):
    with _store(box) as store:
        store.close()
        with box.raises(ValueError):
            store.claim()
        store.close()
    with box.raises(sqlite3.OperationalError):
        jobstore.summarize(_path(box, "missing.db"))
