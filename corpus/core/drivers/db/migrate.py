"""Calls into db/migrate.py."""

import zipfile

from db import migrate

FIRST = "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);"
SECOND = "ALTER TABLE customer ADD COLUMN city TEXT;"


def _steps(box):
    box.write("steps/0001_customer.sql", FIRST)
    box.write("steps/README", "one file for each step")
    box.write("steps/.0009_hidden.sql", "")
    with zipfile.ZipFile(box.path("steps", "old.zip"), "w") as packed:
        packed.writestr("0002_city.sql", SECOND)
        packed.writestr("notes.txt", "packed")
    return migrate.Migrator(str(box.path("app.db")), str(box.path("steps")))


def applies_loose_and_packed_steps(box):
    migrator = _steps(box)
    migrator.collect()
    migrator.run()
    migrator.run()
    list(migrator.protocol())
    migrator.export_history(str(box.path("history.csv")))
    with box.using(migrate.connect_readonly(str(box.path("app.db")))) as conn:
        conn.execute("SELECT count(*) FROM schema_step").fetchone()


def stops_at_a_step(box):
    migrator = _steps(box)
    migrator.collect()
    migrator.run(upto=1)
    box.take(migrator.protocol())
    with box.using(migrate.SchemaFile(str(box.path("app.db")))) as schema:
        schema.applied()
        schema.reopen()
        schema.close()
        schema.reopen()
        schema.reopen()


def finds_an_edited_step(box):
    migrator = _steps(box)
    migrator.collect()
    migrator.run(upto=1)
    box.write("steps/0001_customer.sql", FIRST + " -- edited")
    migrator.collect()
    with box.raises(migrate.MigrationError):
        migrator.run()


def refuses_a_bad_script(box):
    box.write("steps/0001_bad.sql", "CREATE TABEL x;")
    migrator = migrate.Migrator(str(box.path("app.db")), str(box.path("steps")))
    migrator.collect()
    with box.raises(migrate.MigrationError):
        migrator.run()


def history_without_a_table(box):
    migrator = migrate.Migrator(str(box.path("app.db")), str(box.path("steps")))
    with box.raises(Exception):
        migrator.export_history(str(box.path("history.csv")))


def refuses_to_copy_rubbish(box):
    migrator = migrate.Migrator(str(box.write("app.db", b"rubbish" * 200)), str(box.path("steps")))
    with box.raises(Exception):
        migrator.backup(str(box.path("copy.db")))


def reads_a_member(box):
    _steps(box)
    migrate.script_in_archive(str(box.path("steps", "old.zip")), "0002_city.sql")


def announces(box):
    migrate.Migrator(str(box.path("app.db")), "steps").announce([("127.0.0.1", 9)])


def is_checked(box):
    migrator = migrate.Migrator(str(box.path("app.db")), "steps")
    migrator.check_with(["/bin/echo", "checked"])
    with box.raises(migrate.MigrationError):
        migrator.check_with(["/bin/false"])
