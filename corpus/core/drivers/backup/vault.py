"""Calls into backup/vault.py."""

import contextlib
import os
import sqlite3
import tarfile

from backup import vault


def _vault(box, hook=None):
    stored = vault.Vault(str(box.path("vault")), hook)
    stored.initialise("office")
    box.write("data/letter.txt", "Dear customer")
    box.write("data/old/letter.txt", "Dear Sir")
    box.write("data/empty", "")
    return stored


def stores_and_restores(box):
    stored = _vault(box)
    stored.initialise("another")
    stored.run(str(box.path("data")), "monday")
    box.write("data/letter.txt", "Dear customers")
    stored.run(str(box.path("data")), "tuesday")
    stored.restore("monday", "letter.txt", str(box.path("letter.txt")))
    stored.find(["monday", "tuesday"], "old/letter.txt")
    stored.find(["monday", "tuesday"], "nowhere.txt")
    stored.flush()


def keeps_large_files_apart(box):
    stored = _vault(box)
    stored.large = 10
    stored.run(str(box.path("data")), "monday")
    with box.using(vault.ObjectWriter(str(box.path("vault")), limit=4)) as volumes:
        volumes.append(str(box.path("data", "letter.txt")))
        volumes.close()
        volumes.next_volume()
        volumes.next_volume()
        volumes.append(str(box.path("data", "letter.txt")))


def leaves_out_what_the_hook_says(box):
    command = ["/bin/echo", "old"]
    stored = _vault(box, command)
    os.symlink("letter.txt", box.path("data", "link"))
    stored.candidates(str(box.path("data")))


def hook_fails(box):
    stored = _vault(box, ["/bin/false"])
    with box.raises(vault.VaultError):
        stored.run(str(box.path("data")), "monday")


def run_is_there_already(box):
    stored = _vault(box)
    box.write("vault/monday.tar.gz", "there already")
    with box.raises(FileExistsError):
        stored.run(str(box.path("data")), "monday")


def refuses_damaged_runs(box):
    stored = _vault(box)
    box.write("vault/tuesday.tar.gz", "no archive")
    with box.raises(Exception):
        stored.restore("tuesday", "letter.txt", str(box.path("letter.txt")))


def listing_stops_early(box):
    with tarfile.open(box.path("run.tar.gz"), "w:gz") as run:
        run.add(box.write("letter.txt", "Dear customer"), "letter.txt")
    box.take(vault.run_members(box.path("run.tar.gz")))


def catalogue_fails_in_the_block(box):
    _vault(box)
    with box.raises(RuntimeError), vault.vault_catalogue(str(box.path("vault"))) as known:
        known.execute("SELECT count(*) FROM stored").fetchone()
        box.fail()


def vault_is_newer(box):
    stored = _vault(box)
    with contextlib.closing(sqlite3.connect(box.path("vault", "catalogue.db"))) as table:
        table.execute("PRAGMA user_version = 3")
    with box.raises(vault.VaultError):
        stored.run(str(box.path("data")), "monday")
