"""Calls into blind/schemashift.py."""

import fcntl
import gzip
import sqlite3
import zipfile
from contextlib import closing, contextmanager
from pathlib import Path

from blind import schemashift


def _path(box, *parts):
    return Path(box.path(*parts))


def _scripts(box, **extra):
    box.write("scripts/0001_prices.sql", "-- prices\nCREATE TABLE prices (\n  sku TEXT, cents INT);\n")
    box.write("scripts/0002_shops.sql", "CREATE TABLE shops (id INT);\nINSERT INTO shops VALUES (1);\n")
    box.write("scripts/readme.txt", "no script")
    for name, content in extra.items():
        box.write(f"scripts/{name}.sql", content)
    return schemashift.find_scripts(_path(box, "scripts"))


@contextmanager
def _shifter(box, scripts):
    with box.using(schemashift.Shifter(_path(box, "shop.db"), scripts, create=True)) as shifter:
        yield shifter


def migrates_a_new_database(box):
    with _shifter(box, _scripts(box)) as shifter:
        shifter.migrate()
        shifter.migrate()


def restores_what_was_before_the_last_script(box):
    scripts = _scripts(box)
    with _shifter(box, scripts[:1]) as shifter:
        shifter.migrate()
    with _shifter(box, scripts) as shifter:
        shifter.migrate()
    schemashift.restore(_path(box, "shop.0002.sql.gz"), _path(box, "old.db"))


def _fails(box, content):
    box.write("wrong/0001_wrong.sql", content)
    with _shifter(box, schemashift.find_scripts(_path(box, "wrong"))) as shifter:
        with box.raises(schemashift.ShiftError):
            shifter.migrate()


def finds_a_wrong_statement(box):
    _fails(box, "CREATE TABLE oops (;\n")


def finds_half_a_statement(box):
    _fails(box, "CREATE TABLE cut_off (id INT)")


def finds_rows_without_parents(box):
    _fails(box, "PRAGMA defer_foreign_keys = ON;\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n"
                "CREATE TABLE b (a INT REFERENCES a);\nINSERT INTO b VALUES (3);\n")


def finds_a_number_twice(box):
    with box.raises(schemashift.ShiftError):
        _scripts(box, **{"0002_again": ""})


def finds_scripts_changed_or_missing(box):
    scripts = _scripts(box)[1:]
    with _shifter(box, scripts) as shifter:
        shifter.migrate()
    with box.raises(schemashift.ShiftError):
        schemashift.Shifter(_path(box, "shop.db"), [])
    box.write("scripts/0002_shops.sql", "CREATE TABLE shops (name TEXT);\n")
    with box.raises(schemashift.ShiftError):
        schemashift.Shifter(_path(box, "shop.db"), scripts)


def finds_the_database_locked(box):
    with open(_path(box, "shop.db.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with box.raises(schemashift.ShiftError):
            schemashift.Shifter(_path(box, "shop.db"), [], create=True)


def finds_no_database(box):
    with box.raises(schemashift.ShiftError):
        schemashift.Shifter(_path(box, "shop.db"), [])
    box.write("shop.db", "text" * 500)
    with box.raises(sqlite3.DatabaseError):
        schemashift.Shifter(_path(box, "shop.db"), [])


def seeds_tables(box):
    with zipfile.ZipFile(_path(box, "seeds.zip"), "w") as archive:
        archive.writestr("prices.csv", "sku,cents\nA1,100\nA2,200\n")
        archive.writestr("shops.csv", "id\n5\n")
    with _shifter(box, _scripts(box)) as shifter:
        shifter.migrate()
        shifter.seed(_path(box, "seeds.zip"))


def seeds_from_an_odd_archive(box):
    with zipfile.ZipFile(_path(box, "seeds.zip"), "w") as archive:
        archive.writestr("prices.csv", "sku,cents\nA1,100\n")
        archive.writestr("../evil.csv", "")
    with _shifter(box, _scripts(box)[:1]) as shifter:
        shifter.migrate()
        with box.raises(schemashift.ShiftError):
            shifter.seed(_path(box, "seeds.zip"))


def restores_from_rubbish(box):
    dump = Path(box.write("dump.gz", gzip.compress(b"no statement")))
    with box.raises(sqlite3.OperationalError):
        schemashift.restore(dump, _path(box, "new.db"))


def looks_at_a_schema(box):
    with closing(sqlite3.connect(_path(box, "a.db"))) as conn:
        conn.execute("CREATE TABLE a (x)")
    schemashift.schema_of(_path(box, "a.db"))


def reads_statements_one_by_one(box):
    box.take(_scripts(box)[1].statements())


def runs_from_the_command_line(box):
    _scripts(box)
    schemashift.main([str(box.path("shop.db")), str(box.path("scripts")), "--create"])
    schemashift.main([str(box.path("missing.db")), str(box.path("scripts"))])
