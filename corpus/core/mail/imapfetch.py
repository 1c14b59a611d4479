"""Fetch new mail from an IMAP server into a folder of messages, and index it.

Accounts stand in ``accounts.json``. For each mailbox the highest UID that was fetched is kept, so that a
fetch that was broken off goes on where it stopped. Attachments are put into a zip file for each day.
"""

from __future__ import annotations

import email.policy
import imaplib
import json
import mmap
import os
import re
import socket
import sqlite3
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path

TABLES = (
    "CREATE TABLE IF NOT EXISTS fetched (mailbox TEXT PRIMARY KEY, uid INTEGER)",
    "CREATE TABLE IF NOT EXISTS expunged (mailbox TEXT, uid INTEGER)",
)
UID_LINE = re.compile(rb"UID (\d+)")


class FetchFailed(Exception):
    """The server said no."""


class BadAccount(FetchFailed):
    """An account is described wrongly."""


def _account_text(path: Path) -> str:
    with path.open(encoding="utf-8") as source:
        return source.read()


def _capabilities(host: str, port: int) -> bytes:
    """The greeting of a server, which tells what it can do."""
    with socket.create_connection((host, port), timeout=3) as sock, sock.makefile("rb") as lines:
        return lines.readline()


def message_bytes(path: Path) -> bytes:
    """A fetched message as it came from the server."""
    with open(path, "rb") as stored:
        return stored.read()


def password_of(account: dict[str, object]) -> str:
    """What the account's password command prints."""
    proc = subprocess.Popen(account["password_command"], stdout=subprocess.PIPE)
    out, _ = proc.communicate()
    if proc.returncode:
        raise BadAccount(f"{account['name']}: no password, status {proc.returncode}")
    return out.decode("utf-8").rstrip("\n")


def log_in(account: dict[str, object]) -> imaplib.IMAP4:
    """A session in which the account is logged in."""
    server = imaplib.IMAP4(str(account["host"]), account["port"], timeout=5)
    try:
        if "IMAP4REV1" not in server.capabilities:
            raise FetchFailed(f"{account['host']} is too old")
        server.login(str(account["user"]), password_of(account))
    except BaseException:
        server.shutdown()
        raise
    return server


def state_db(path: Path) -> sqlite3.Connection:
    """The table of UIDs, made if it is not there."""
    db = sqlite3.connect(path)
    try:
        for statement in TABLES:
            db.execute(statement)
        db.commit()
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """A message in memory without a copy of it."""
    with path.open("rb") as stored:
        view = mmap.mmap(stored.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            yield view
        finally:
            view.close()


def index_lines(path: Path) -> Iterator[tuple[str, str]]:
    """(file name, subject) of all indexed messages."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            name, tab, subject = line.rstrip("\n").partition("\t")
            if tab:
                yield name, subject


class AttachmentZip:
    """The attachments of one day."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._zip = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> AttachmentZip:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def take(self, message: EmailMessage) -> None:
        for part in message.iter_attachments():
            self.count += 1
            self._zip.writestr(f"{self.count:03d}-{part.get_filename('unnamed')}", part.get_content())


class SubjectIndex:
    """One line for each message; begun anew when it has grown too long."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._out = path.open("a", encoding="utf-8")
        try:
            self.size = os.fstat(self._out.fileno()).st_size
            if self.size == 0:
                self._out.write("# file, subject\n")
        except BaseException:
            self._out.close()
            raise

    def __enter__(self) -> SubjectIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def add(self, name: str, subject: str) -> None:
        line = f"{name}\t{subject}\n"
        self._out.write(line)
        self.size += len(line)

    def begin_anew(self) -> None:
        if self._out is not None:
            self._out.close()
        os.replace(self.path, self.path.with_suffix(".old"))
        self._out = self.path.open("a", encoding="utf-8")
        self.size = 0


class MailFetcher:
    """Fetches the mailboxes of one account."""

    def __init__(self, account: dict[str, object], folder: Path) -> None:
        self.account = account
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def last_uid(self, mailbox: str) -> int:
        with closing(state_db(self.folder / "state.db")) as db:
            row = db.execute("SELECT uid FROM fetched WHERE mailbox = ?", (mailbox,)).fetchone()
            if row is None:
                return 0
        return row[0]

    def note_uid(self, mailbox: str, uid: int) -> None:
        with closing(sqlite3.connect(self.folder / "state.db")) as db, db:
            db.execute("INSERT OR REPLACE INTO fetched VALUES (?, ?)", (mailbox, uid))

    def fetch(self, mailbox: str) -> int:
        """Fetch what is new; the number of new messages."""
        if b"IMAP4" not in _capabilities(str(self.account["host"]), self.account["port"]):
            raise FetchFailed(f"{self.account['name']}: this is no IMAP server")
        last, count = self.last_uid(mailbox), 0
        with ExitStack() as stack:
            server = log_in(self.account)
            stack.callback(server.shutdown)
            kind, _ = server.select(mailbox, readonly=True)
            if kind != "OK":
                raise FetchFailed(f"there is no mailbox {mailbox}")
            index = stack.enter_context(SubjectIndex(self.folder / "subjects"))
            for uid, content in self._new_messages(server, last):
                path = self.keep(uid, content)
                index.add(path.name, self.subject(path))
                self.note_uid(mailbox, uid)
                count += 1
        return count

    def _new_messages(self, server: imaplib.IMAP4, last: int) -> Iterator[tuple[int, bytes]]:
        _, parts = server.uid("FETCH", f"{last + 1}:*", "(UID BODY.PEEK[])")
        for part in parts:
            if isinstance(part, tuple) and (found := UID_LINE.search(part[0])):
                yield int(found[1]), part[1]

    def keep(self, uid: int, content: bytes) -> Path:
        """Store a message under its UID."""
        target = self.folder / f"{uid:08d}.eml"
        fd, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(content)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
        return target

    def subject(self, path: Path) -> str:
        with path.open("rb") as stored:
            message = email.message_from_binary_file(stored, policy=email.policy.default)
        return " ".join(str(message["Subject"] or "").split())

    def mentions(self, word: bytes) -> list[str]:
        """Names of the messages with this word in them."""
        found = []
        for path in sorted(self.folder.glob("*.eml")):
            with mapped(path) as view:
                if view.find(word) >= 0:
                    found.append(path.name)
        return found

    def unread(self) -> int:
        """How many of the indexed messages have no mark in ``seen``."""
        seen = self.folder / "seen"
        if not seen.exists():
            with seen.open("w"):
                pass
        count = 0
        with seen.open(encoding="utf-8") as marks, open(self.folder / "subjects", encoding="utf-8") as subjects:
            known = set(marks.read().split())
            for line in subjects:
                if not line.startswith("#"):
                    count += line.partition("\t")[0] not in known
        return count

    def pack_attachments(self, day: str) -> int:
        with AttachmentZip(self.folder / f"attachments-{day}.zip") as pack:
            for path in sorted(self.folder.glob("*.eml")):
                with path.open("rb") as stored:
                    pack.take(email.message_from_binary_file(stored, policy=email.policy.default))
            packed = pack.count
        return packed

    def sync(self) -> None:
        """Have the folder itself on disk before the server is told to delete."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def quota(self, wanted: bool = True) -> str:
        """The server's word on how full the account is."""
        server = log_in(self.account)
        if not wanted:
            server.shutdown()
            return ""
        try:
            _, parts = server.getquotaroot("INBOX")
            text = str(parts[-1])
        finally:
            with suppress(imaplib.IMAP4.error):
                server.logout()
        return text


def accounts(path: Path) -> list[dict[str, object]]:
    text = _account_text(path)
    found = json.loads(text)
    for account in found:
        if not {"name", "host", "port", "user"} <= set(account):
            raise BadAccount(f"{path}: {account} lacks something")
    return found
