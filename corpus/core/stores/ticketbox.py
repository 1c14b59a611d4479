"""Support tickets from a mailbox: messages are pulled over IMAP into a SQLite file.

The store also takes the CSV exports of the old help desk, which are Latin-1 and often damaged.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import email
import email.policy
import email.utils
import gzip
import imaplib
import io
import json
import logging
import mailbox
import re
import sqlite3
import warnings
from pathlib import Path
from typing import Iterator

logger = logging.getLogger("ticketbox")

SCHEMA = """
CREATE TABLE IF NOT EXISTS ticket (
    id INTEGER PRIMARY KEY,
    message_id TEXT UNIQUE,
    subject TEXT NOT NULL,
    body TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE IF NOT EXISTS seen (uid INTEGER PRIMARY KEY);
"""

TICKET_NUMBER = re.compile(r"\[#(\d+)\]")


def _stored_password(path: Path) -> str:
    """The first line of a password file (mode 600, one line)."""
    if path.stat().st_mode & 0o077:
        warnings.warn(f"{path} is readable by others", stacklevel=2)
    with path.open(encoding="utf-8") as secret:
        return secret.readline()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """Commit at the end of the block, or roll back."""
    cursor = db.cursor()
    try:
        yield cursor
    except BaseException:
        db.rollback()
        raise
    else:
        db.commit()
    finally:
        cursor.close()


class _AttachmentArchive:
    """Raw messages of one pull, one after the other in a gzip file."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._out = gzip.open(path, "ab")

    def __enter__(self) -> _AttachmentArchive:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def add(self, raw: bytes) -> None:
        self._out.write(b"%d\n" % len(raw))
        self._out.write(raw)
        self.count += 1

    def close(self) -> None:
        self._out.close()


def archived_message(path: Path, position: int) -> bytes | None:
    """A raw message out of an archive, counted from zero."""
    with gzip.open(path, "rb") as packed:
        while size := packed.readline():
            raw = packed.read(int(size))
            if position == 0:
                return raw
            position -= 1
    return None


class TicketStore:
    """The SQLite file with the tickets; every method opens it for itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.executescript(SCHEMA)

    def add(self, message_id: str, subject: str, body: str) -> None:
        """Store a message, or append it to the ticket that its subject names."""
        reference = TICKET_NUMBER.search(subject)
        db = sqlite3.connect(self.path)
        try:
            with _transaction(db) as cursor:
                if reference is not None:
                    cursor.execute(
                        "UPDATE ticket SET body = body || ?, state = 'open' WHERE id = ?",
                        ("\n\n" + body, int(reference.group(1))),
                    )
                if reference is None or cursor.rowcount == 0:
                    cursor.execute(
                        "INSERT OR IGNORE INTO ticket (message_id, subject, body) VALUES (?, ?, ?)",
                        (message_id, subject, body),
                    )
        finally:
            db.close()

    def unseen(self, uids: list[int]) -> list[int]:
        """Those message numbers that were not pulled before."""
        fresh = []
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            for uid in uids:
                row = db.execute("SELECT 1 FROM seen WHERE uid = ?", (uid,)).fetchone()
                if row is None:
                    fresh.append(uid)
        return fresh

    def mark_seen(self, uids: list[int]) -> None:
        db = sqlite3.connect(self.path)
        try:
            with db:
                db.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(uid,) for uid in uids])
        finally:
            db.close()

    def open_tickets(self) -> list[tuple[int, str]]:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            rows = db.execute("SELECT id, subject FROM ticket WHERE state = 'open' ORDER BY id").fetchall()
        return rows

    def dump(self, target: Path) -> None:
        """An SQL dump, for the nightly copy."""
        with contextlib.closing(sqlite3.connect(self.path)) as db, io.open(target, "w", encoding="utf-8") as out:
            for statement in db.iterdump():
                out.write(statement + "\n")

    def copy_to(self, target: Path) -> None:
        """A copy that is whole while others write; it must not be there yet."""
        if target.exists():
            raise FileExistsError(target)
        copy = sqlite3.connect(target)
        done = False
        try:
            with contextlib.closing(sqlite3.connect(self.path)) as db:
                db.backup(copy)
            done = True
        finally:
            if done:
                copy.close()
                target.chmod(0o400)
            else:
                copy.close()
                target.unlink()

    def summary(self) -> str:
        """The open tickets as a text table."""
        with io.StringIO() as text:
            for number, subject in self.open_tickets():
                text.write(f"{number:>6}  {subject[:60]}\n")
            table = text.getvalue()
        return table or "nothing open\n"


class MailboxImporter:
    """Pulls a folder of an IMAP server, or reads what is already on disk."""

    def __init__(self, store: TicketStore, archive: Path) -> None:
        self.store = store
        self.archive = archive
        self.skipped = 0
        self.ignored_senders: set[str] = set()

    def load_ignored(self, path: Path) -> None:
        """Senders whose messages make no tickets: a JSON list of addresses."""
        with io.open(path, encoding="utf-8") as handle:
            senders = json.load(handle)
        self.ignored_senders.update(sender.lower() for sender in senders)

    def pull(self, host: str, port: int, user: str, password_file: Path, folder: str = "INBOX") -> int:
        """Fetch the new messages of a folder; how many there were."""
        password = _stored_password(password_file).strip()
        server = imaplib.IMAP4(host, port, timeout=30)
        try:
            server.login(user, password)
            server.select(folder, readonly=True)
            _, found = server.uid("search", "ALL")
            fresh = self.store.unseen([int(uid) for uid in (found[0] or b"").split()])
            with _AttachmentArchive(self.archive) as archive:
                for uid in fresh:
                    status, parts = server.uid("fetch", str(uid), "(RFC822)")
                    if status != "OK" or not isinstance(parts[0], tuple):
                        self.skipped += 1
                        continue
                    archive.add(parts[0][1])
                    self._store_message(parts[0][1])
                logger.info("%d messages archived", archive.count)
        finally:
            self._hang_up(server)
        self.store.mark_seen(fresh)
        return len(fresh)

    def _hang_up(self, server: imaplib.IMAP4) -> None:
        """Log out if the server still listens, and close the connection in any case."""
        try:
            server.logout()
        except (imaplib.IMAP4.error, OSError) as error:
            logger.info("no proper logout: %s", error)
        finally:
            with contextlib.suppress(OSError):
                server.shutdown()

    def import_mbox(self, path: Path) -> int:
        """Take over an mbox file."""
        count = 0
        box = mailbox.mbox(path, create=False)
        try:
            for key in box.iterkeys():
                self._store_message(box.get_bytes(key))
                count += 1
        finally:
            box.close()
        return count

    def import_export(self, path: Path, encoding: str = "latin-1") -> int:
        """Read a CSV export of the old help desk."""
        count = 0
        with codecs.open(str(path), "r", encoding, errors="replace") as export:
            for row in csv.DictReader(export):
                if not row.get("subject"):
                    self.skipped += 1
                    continue
                self.store.add(f"desk-{row.get('id')}", row["subject"], row.get("text") or "")
                count += 1
        return count

    def import_letters(self, paths: list[Path]) -> None:
        """Single messages, as some programs save them."""
        for path in paths:
            with io.open(path, "rb") as letter:
                self._store_message(letter.read())

    def _store_message(self, raw: bytes) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            message = email.message_from_bytes(raw, policy=email.policy.default)
            part = message.get_body(("plain",))
            body = part.get_content() if part is not None else ""
            for warning in caught:
                logger.debug("message is odd: %s", warning.message)
        sender = email.utils.parseaddr(message.get("From", ""))[1]
        if sender.lower() in self.ignored_senders:
            self.skipped += 1
            return
        self.store.add(message.get("Message-ID", ""), message.get("Subject", "(none)"), body)
