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
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing

logger = logging.getLogger("vault")

CHUNK = 1 << 16


class VaultError(Exception):
    """Something in the vault is not as it must be."""

    def __init__(self, message, path=None):
        super().__init__(message if path is None else "%s: %s" % (path, message))
        self.path = path


def _vault_label(path):
    with open(path, encoding="utf-8") as label:
        return label.readline()


def _hook_output(command):
    """What a hook prints, a name on each line."""
    proc = subprocess.Popen(command, stdout=subprocess.PIPE)
    out, _ = proc.communicate()
    if proc.returncode:
        raise VaultError("hook ended with status %d" % proc.returncode)
    return out.decode("utf-8").splitlines()


def digest_of(path):
    sha = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            sha.update(chunk)
    return sha.hexdigest()


def read_member(archive, name):
    """The content of a file in a run's tar file."""
    with tarfile.open(archive) as tar, tar.extractfile(name) as member:
        return member.read()


def open_run(path):
    """A new tar file; its first member says what made it."""
    tar = tarfile.open(path, "x:gz")
    try:
        tar.addfile(tarfile.TarInfo("vault-format-2"))
    except BaseException:
        tar.close()
        os.unlink(path)
        raise
    return tar


def claim(folder):
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
def catalogue(folder):
    """The table of what is stored, with its transaction."""
    conn = sqlite3.connect(os.path.join(folder, "catalogue.db"))
    try:
        conn.execute("CREATE TABLE IF NOT EXISTS stored (path TEXT PRIMARY KEY, digest TEXT, run TEXT)")
        yield conn
        conn.commit()
    finally:
        conn.close()


def members(archive):
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
            shutil.copyfileobj(source, self._volume, CHUNK)
            self.offset = self._volume.tell()
        return self.number, start, self.offset - start


class Vault:
    large = 1 << 24

    def __init__(self, folder, hook=None):
        self.folder = folder
        self.hook = hook

    def label(self):
        text = _vault_label(os.path.join(self.folder, "LABEL"))
        return text.strip()

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
            lock = stack.enter_context(claim(self.folder))
            lock.write(name + "\n")
            known = stack.enter_context(catalogue(self.folder))
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

    def history(self):
        """What earlier runs did."""
        with gzip.open(os.path.join(self.folder, "runs.log.gz"), "rt", encoding="utf-8") as log:
            return [json.loads(line) for line in log]

    def remark(self, text):
        with RunLog(os.path.join(self.folder, "runs.log.gz")) as log:
            log.note("remark", text)

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

    def damaged(self, names):
        """Runs that cannot be read to their end."""
        bad = []
        for name in names:
            try:
                with tarfile.open(os.path.join(self.folder, name + ".tar.gz")) as tar:
                    tar.getmembers()
            except (OSError, EOFError, tarfile.TarError):
                bad.append(name)
        return bad

    def find(self, names, wanted):
        """The youngest run in which a file is."""
        for name in reversed(names):
            with closing(members(os.path.join(self.folder, name + ".tar.gz"))) as listing:
                for member, _ in listing:
                    if member == wanted:
                        return name
        return None

    def size(self, name):
        with open(os.path.join(self.folder, name + ".tar.gz"), "rb") as run:
            head = run.read(2)
            if head != b"\x1f\x8b":
                raise VaultError("no gzip file", name)
            run.seek(0, os.SEEK_END)
            size = run.tell()
        return size

    def flush(self):
        """Make the names of the runs durable."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def ship(self, name, address):
        """Send a run to a second site."""
        sock = socket.create_connection(address, timeout=10)
        try:
            with open(os.path.join(self.folder, name + ".tar.gz"), "rb") as run:
                sock.sendfile(run)
            sock.shutdown(socket.SHUT_WR)
            reply = sock.recv(16)
        finally:
            sock.close()
        return reply == b"stored"
