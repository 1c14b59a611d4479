"""Incremental backups of a folder into a vault.

A vault is a folder with one tar file for each run, a catalogue of digests (SQLite), and objects that were
too large for a tar file.  A run may call a hook command, which prints the names of files to leave out.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing

logger = logging.getLogger("vault")

CHUNK = 1 << 16
MARKS = ("vault-format-2", "digests-sha256")


class VaultError(Exception):
    """Something in the vault is not as it must be."""


def _hook_output(command):
    """What a hook prints, a name on each line."""
    proc = subprocess.Popen(command, stdout=subprocess.PIPE)
    out, _ = proc.communicate()
    if proc.returncode:
        raise VaultError("hook ended with status %d" % proc.returncode)
    return out.decode("utf-8").splitlines()


def digest_of(path):
    sha = hashlib.sha256()
    stream = open(path, "rb")
    try:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            sha.update(chunk)
    finally:
        stream.close()
    return sha.hexdigest()


def open_run(path):
    """A new tar file; its first members say what made it, and how."""
    tar = tarfile.open(path, "x:gz")
    try:
        for mark in MARKS:
            tar.addfile(tarfile.TarInfo(mark))
    except BaseException:
        tar.close()
        os.unlink(path)
        raise
    return tar


def claim_vault(folder):
    """The lock on a vault, as an open file."""
    lock = open(os.path.join(folder, "lock"), "a")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        logger.info("%s is in use", folder)
        lock.close()
        raise VaultError("in use", folder) from error
    return lock


@contextlib.contextmanager
def vault_catalogue(folder):
    """The table of what is stored, with its transaction."""
    conn = sqlite3.connect(os.path.join(folder, "catalogue.db"))
    try:
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("CREATE TABLE IF NOT EXISTS stored (path TEXT PRIMARY KEY, digest TEXT, run TEXT)")
        if conn.execute("PRAGMA user_version").fetchone()[0] > 2:
            raise VaultError("%s was written by a newer version" % folder)
        yield conn
        conn.commit()
    finally:
        conn.close()


def run_members(archive):
    """Names and sizes in a run, as they come off the tape."""
    with tarfile.open(archive, "r:*") as tar:
        for info in tar:
            if info.isfile() and info.size:
                yield info.name, info.size


class RunLog:
    """The protocol of a run, compressed."""

    def __init__(self, path):
        self.path = path
        self._out = gzip.open(path, "at", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._out.close()

    def note(self, action, path):
        self._out.write(json.dumps([action, path]) + "\n")


class ObjectWriter:
    """Appends large files to numbered volumes."""

    def __init__(self, folder, limit=1 << 30):
        self.folder = folder
        self.limit = limit
        self.number = 1
        self._volume = open(os.path.join(folder, "volume-001"), "ab")
        try:
            self._volume.seek(0, os.SEEK_END)
            self.offset = self._volume.tell()
            if not self.offset:
                self.offset = self._volume.write(b"VOLUME 1\n")
        except:
            self._volume.close()
            raise

    def close(self):
        if self._volume:
            self._volume.close()
            self._volume = None

    def next_volume(self):
        if self._volume:
            self._volume.close()
        self.number += 1
        self._volume = open(os.path.join(self.folder, "volume-%03d" % self.number), "ab")
        self.offset = 0

    def append(self, path):
        """Copy a file; gives volume, offset and length."""
        if self.offset >= self.limit:
            self.next_volume()
        start = self.offset
        with open(path, "rb") as source:
            while chunk := source.read(CHUNK):
                self.offset += self._volume.write(chunk)
        return self.number, start, self.offset - start


class Vault:
    large = 1 << 24

    def __init__(self, folder, hook=None):
        self.folder = folder
        self.hook = hook

    def initialise(self, label):
        """Make the folder a vault; one that is there already keeps its label."""
        os.makedirs(self.folder, exist_ok=True)
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as out:
                out.write(label + "\n")
            with contextlib.suppress(FileExistsError):
                os.link(draft, os.path.join(self.folder, "LABEL"))
        finally:
            os.unlink(draft)
        with open(os.path.join(self.folder, "volume-001"), "ab"):
            pass

    def candidates(self, source):
        """Files below a folder that are to be stored."""
        skipped = set(_hook_output(self.hook)) if self.hook else set()
        found, pending = [], [source]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.name in skipped or entry.is_symlink():
                        continue
                    (pending if entry.is_dir() else found).append(entry.path)
        return sorted(found)

    def run(self, source, name):
        """Store what has changed since the last run; gives the number of files."""
        count = 0
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(claim_vault(self.folder))
            lock.write(name + "\n")
            known = stack.enter_context(vault_catalogue(self.folder))
            tar = stack.enter_context(open_run(os.path.join(self.folder, name + ".tar.gz")))
            large = stack.enter_context(closing(ObjectWriter(self.folder)))
            log = stack.enter_context(RunLog(os.path.join(self.folder, "runs.log.gz")))
            for path in self.candidates(source):
                digest = digest_of(path)
                row = known.execute("SELECT digest FROM stored WHERE path = ?", (path,)).fetchone()
                if row is not None and row[0] == digest:
                    continue
                if os.path.getsize(path) >= self.large:
                    log.note("volume %d at %d, %d bytes" % large.append(path), path)
                else:
                    tar.add(path, os.path.relpath(path, source))
                    log.note("tar", path)
                known.execute("INSERT OR REPLACE INTO stored VALUES (?, ?, ?)", (path, digest, name))
                count += 1
        return count

    def restore(self, name, member, target):
        """Bring one file back; an incomplete one does not stay."""
        out = open(target, "wb")
        whole = False
        try:
            with tarfile.open(os.path.join(self.folder, name + ".tar.gz")) as tar:
                with tar.extractfile(member) as source:
                    shutil.copyfileobj(source, out)
            whole = True
        finally:
            if whole:
                out.close()
                shutil.copymode(self.folder, target)
            else:
                out.close()
                os.unlink(target)

    def find(self, names, wanted):
        """The youngest run in which a file is."""
        for name in reversed(names):
            with closing(run_members(os.path.join(self.folder, name + ".tar.gz"))) as listing:
                for member, _ in listing:
                    if member == wanted:
                        return name
        return None

    def flush(self):
        """Make the names of the runs durable."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
