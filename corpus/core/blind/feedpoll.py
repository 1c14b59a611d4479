"""Poll HTTP feeds and an IMAP folder, store new items, mail a digest.

State (ETags, UIDs) is kept in a JSON file so that a run only fetches what
changed since the previous one.  Meant to be started from cron.
"""

import email
import email.policy
import http.client
import imaplib
import json
import logging
import mailbox
import os
import re
import smtplib
import tempfile
import urllib.error
import urllib.request
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

logger = logging.getLogger("feedpoll")

USER_AGENT = "feedpoll/2.3"
TIMEOUT = 20.0
MAX_BODY = 8 * 1024 * 1024
BLOCK = 32 * 1024


class FetchError(Exception):
    """A source could not be polled this time."""


class State:
    def __init__(self, path):
        self.path = Path(path)
        self.data = {}

    def load(self):
        try:
            with self.path.open(encoding="utf-8") as fh:
                self.data = json.load(fh)
        except FileNotFoundError:
            logger.info("no state in %s yet", self.path)
        except ValueError:
            logger.warning("state file %s is damaged, starting over", self.path)
        return self

    def save(self):
        fd, name = tempfile.mkstemp(prefix=self.path.name, dir=self.path.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as fh:
                json.dump(self.data, fh, indent=1, sort_keys=True)
                fh.write("\n")
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise


class FeedSource:
    """An RSS-ish document, fetched with a conditional GET."""

    def __init__(self, url, state):
        self.url = url
        self._seen = state.data.setdefault(url, {"etag": None, "ids": []})

    def poll(self):
        """Yield (id, title) of the items not seen before."""
        body = self._fetch()
        if body is None:
            return
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError as exc:
            raise FetchError(f"{self.url}: {exc}") from exc
        for item in root.iter("item"):
            guid = item.findtext("guid") or item.findtext("link") or ""
            if guid and guid not in self._seen["ids"]:
                self._seen["ids"].append(guid)
                yield guid, item.findtext("title", default="(untitled)")

    def _fetch(self):
        request = urllib.request.Request(self.url, headers={"User-Agent": USER_AGENT})
        if self._seen["etag"]:
            request.add_header("If-None-Match", self._seen["etag"])
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                body = response.read(MAX_BODY + 1)
                if len(body) > MAX_BODY:
                    raise FetchError(f"{self.url}: document too large")
                self._seen["etag"] = response.headers.get("ETag")
                return body
        except urllib.error.HTTPError as exc:
            try:  # the exception doubles as the response
                if exc.code == 304:
                    return None
                raise FetchError(f"{self.url}: HTTP {exc.code} {exc.reason}") from exc
            finally:
                exc.close()
        except (OSError, http.client.HTTPException) as exc:
            raise FetchError(f"{self.url}: {exc}") from exc


class Downloader:
    """Fetches enclosures; resumes partial files where the server lets us."""

    def __init__(self, target_dir):
        self.target_dir = Path(target_dir)

    def size_of(self, url):
        parts = urlsplit(url)
        conn = self._connection(parts)
        try:
            conn.request("HEAD", parts.path or "/", headers={"User-Agent": USER_AGENT})
            with conn.getresponse() as response:
                length = response.getheader("Content-Length")
                if response.status != 200 or length is None:
                    return None
                return int(length)
        finally:
            conn.close()

    @staticmethod
    def _connection(parts):
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)

    def download(self, url):
        parts = urlsplit(url)
        target = self.target_dir / (Path(parts.path).name or "index")
        headers = {"User-Agent": USER_AGENT}
        offset = target.stat().st_size if target.exists() else 0
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with closing(self._connection(parts)) as conn:
            conn.request("GET", parts.path or "/", headers=headers)
            with conn.getresponse() as response:
                if response.status == 416:  # nothing beyond what we have
                    return target
                if response.status not in (200, 206):
                    raise FetchError(f"{url}: HTTP {response.status}")
                with open(target, "ab" if response.status == 206 else "wb") as out:
                    while True:
                        block = response.read(BLOCK)
                        if not block:
                            break
                        out.write(block)
        return target


class MailSource:
    """Unseen messages of one IMAP folder, copied into a local mbox."""

    def __init__(self, host, user, secret, mbox_path, port=imaplib.IMAP4_PORT):
        self.host, self.port = host, port
        self.user, self._secret = user, secret
        self.mbox_path = mbox_path

    @contextmanager
    def _session(self):
        client = imaplib.IMAP4(self.host, self.port, timeout=TIMEOUT)
        try:
            client.login(self.user, self._secret)
            yield client
        finally:
            try:
                client.logout()
            except (imaplib.IMAP4.error, OSError) as exc:
                logger.debug("logout from %s: %s", self.host, exc)
            finally:
                with suppress(OSError):  # logout has usually done it
                    client.shutdown()

    def poll(self, folder="INBOX"):
        found = []
        with self._session() as client, closing(mailbox.mbox(self.mbox_path)) as box:
            status, _ = client.select(folder, readonly=True)
            if status != "OK":
                raise FetchError(f"{self.host}: cannot select {folder}")
            _, (numbers,) = client.search(None, "UNSEEN")
            for number in (numbers or b"").split():
                _, parts = client.fetch(number.decode(), "(BODY.PEEK[])")
                if not parts or not isinstance(parts[0], tuple):
                    continue  # expunged meanwhile
                box.add(parts[0][1])
                message = email.message_from_bytes(parts[0][1], policy=email.policy.default)
                found.append((message["Message-ID"] or "", message["Subject"] or "(no subject)"))
        return found


class DigestMailer:
    def __init__(self, host="localhost", port=25, sender="feedpoll", starttls=False):
        self.host, self.port = host, port
        self.sender, self.starttls = sender, starttls

    def send(self, recipient, items):
        message = EmailMessage()
        message["From"], message["To"] = self.sender, recipient
        message["Subject"] = f"{len(items)} new items"
        message.set_content("\n".join(re.sub(r"\s+", " ", title) for _, title in items))
        with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT) as smtp:
            smtp.ehlo()
            if self.starttls and smtp.has_extn("starttls"):
                smtp.starttls()
            smtp.send_message(message)


def read_urls(path):
    """One URL per line, # starts a comment."""
    with open(path, encoding="utf-8") as fh:
        return [line.strip() for line in fh if line.strip() and not line.startswith("#")]


def run(url_file, state_file, mail_source=None, mailer=None, recipient=None):
    state = State(state_file).load()
    items = []
    for url in read_urls(url_file):
        try:
            items.extend(FeedSource(url, state).poll())
        except FetchError as exc:
            logger.warning("%s", exc)
    if mail_source is not None:
        try:
            items.extend(mail_source.poll())
        except (FetchError, imaplib.IMAP4.error, OSError) as exc:
            logger.warning("mail: %s", exc)
    if items and mailer is not None:
        mailer.send(recipient, items)
    state.save()
    return items
