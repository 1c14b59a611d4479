"""Turns what the scanners of an office drop into a folder into searchable text.

A job is a folder with ``job.json`` and the pages it names.  Each page goes through a chain of tools that are joined
by pipes (deskew, threshold, recognise); the tools are told on the command line of the site, so none is known here.
The texts of a job become one ``.txt`` in the outbox, the pages a zip archive beside it.
"""

import collections
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from typing import Callable, Dict, Iterator, List, Optional, Sequence

logger = logging.getLogger("scanroom")

BLOCK = 1 << 16
KEPT_TEXTS = 64
Listener = Callable[[str, str], None]


class ScanError(Exception):
    """A job cannot be worked on."""


class Busy(ScanError):
    """Another process works on the same inbox."""


class ToolFailed(ScanError):
    def __init__(self, command: str, status: int, said: str) -> None:
        super().__init__("%s ended with %d: %s" % (command, status, said or "no message"))
        self.status = status


class ToolChain:
    """Processes of which each reads what the one before it writes."""

    def __init__(self, commands: Sequence[Sequence[str]], source: str, sink: str, grace: float = 30.0) -> None:
        if not commands:
            raise ScanError("no tools are configured")
        self._deadline = time.monotonic() + grace
        self._running: List[subprocess.Popen] = []
        self._messages = tempfile.TemporaryFile(prefix="scanroom-")
        try:
            self._start(commands, source, sink)
        except BaseException:
            self.close()
            raise

    def _start(self, commands: Sequence[Sequence[str]], source: str, sink: str) -> None:
        with open(source, "rb") as page, open(sink, "wb") as text:
            feed = page
            for command in commands:
                last = len(self._running) + 1 == len(commands)
                process = subprocess.Popen(command, stdin=feed, stdout=text if last else subprocess.PIPE,
                                           stderr=self._messages)
                self._running.append(process)
                if feed is not page:
                    feed.close()
                feed = process.stdout

    def close(self) -> None:
        running, self._running = self._running, []
        with contextlib.ExitStack() as stack:
            stack.callback(self._messages.close)
            for process in running:
                stack.callback(process.wait)
                stack.callback(process.kill)
                if process.stdout is not None:
                    stack.callback(process.stdout.close)

    def finish(self) -> None:
        """Wait for all tools; the first one that failed is reported."""
        for process in self._running:
            try:
                status = process.wait(max(0.0, self._deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise ScanError("%s takes too long" % process.args[0]) from None
            if status:
                raise ToolFailed(process.args[0], status, self._complaint())

    def _complaint(self) -> str:
        self._messages.seek(0)
        lines = self._messages.read(BLOCK).decode("utf-8", "replace").splitlines()
        return lines[-1].strip() if lines else ""


def digest_of(path: str) -> str:
    """The checksum by which a page is known again."""
    summer = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(BLOCK), b""):
            summer.update(block)
    return summer.hexdigest()


@contextlib.contextmanager
def inbox_lock(folder: str) -> Iterator[None]:
    """One worker at a time for an inbox."""
    fd = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(folder) from None
        yield
    finally:
        os.close(fd)


class ScanRoom:
    """Works through an inbox.  Listeners are told ``(job, what became of it)`` until they are taken off."""

    def __init__(self, inbox: str, outbox: str, commands: Sequence[Sequence[str]], grace: float = 30.0) -> None:
        self.inbox, self.outbox = inbox, outbox
        self.commands = [list(command) for command in commands]
        self.grace = grace
        self._texts: "collections.OrderedDict[str, str]" = collections.OrderedDict()
        self._listeners: List[Listener] = []

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _tell(self, job: str, word: str) -> None:
        for listener in tuple(self._listeners):
            listener(job, word)

    def jobs(self) -> List[str]:
        """The names of jobs that are complete, oldest name first."""
        with os.scandir(self.inbox) as entries:
            found = [entry.name for entry in entries
                     if entry.is_dir() and os.path.exists(os.path.join(entry.path, "job.json"))]
        return sorted(found)

    def run_once(self) -> Dict[str, str]:
        """Work on everything that lies there now."""
        outcome = {}
        with inbox_lock(self.inbox):
            for job in self.jobs():
                try:
                    self._process(job)
                except ScanError as exc:
                    logger.warning("%s: %s", job, exc)
                    self._set_aside(job, str(exc))
                    outcome[job] = "failed"
                else:
                    outcome[job] = "done"
                self._tell(job, outcome[job])
        return outcome

    def _pages(self, folder: str) -> List[str]:
        with open(os.path.join(folder, "job.json"), encoding="utf-8") as handle:
            try:
                pages = json.load(handle)["pages"]
            except (ValueError, KeyError) as exc:
                raise ScanError("job.json cannot be read: %r" % (exc,)) from None
        missing = [page for page in pages if not os.path.isfile(os.path.join(folder, page))]
        if missing:
            raise ScanError("pages are missing: " + ", ".join(missing))
        return pages

    def _process(self, job: str) -> None:
        folder = os.path.join(self.inbox, job)
        pages = self._pages(folder)
        with tempfile.TemporaryDirectory(prefix="scanroom-", dir=self.outbox) as bench:
            draft = os.path.join(bench, "all.txt")
            with open(draft, "w", encoding="utf-8") as out:
                for number, page in enumerate(pages, 1):
                    out.write("--- %d ---\n%s\n" % (number, self._text_of(os.path.join(folder, page), bench)))
            bundle = os.path.join(bench, "pages.zip")
            with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
                for page in pages:
                    archive.write(os.path.join(folder, page), page)
            os.replace(bundle, os.path.join(self.outbox, job + ".zip"))
            os.replace(draft, os.path.join(self.outbox, job + ".txt"))
        shutil.rmtree(folder)

    def _text_of(self, page: str, bench: str) -> str:
        key = digest_of(page)
        known: Optional[str] = self._texts.get(key)
        if known is not None:
            self._texts.move_to_end(key)
            return known
        sink = os.path.join(bench, "page.txt")
        with contextlib.closing(ToolChain(self.commands, page, sink, self.grace)) as chain:
            chain.finish()
        with open(sink, encoding="utf-8", errors="replace") as handle:
            text = handle.read().strip()
        self._texts[key] = text
        while len(self._texts) > KEPT_TEXTS:
            self._texts.popitem(last=False)
        return text

    def _set_aside(self, job: str, reason: str) -> None:
        """Failed jobs stay below ``rejected`` with a note, for somebody to look at."""
        rejected = os.path.join(self.outbox, "rejected", job)
        if os.path.isdir(rejected):
            shutil.rmtree(rejected)
        os.makedirs(os.path.dirname(rejected), exist_ok=True)
        os.replace(os.path.join(self.inbox, job), rejected)
        with open(os.path.join(rejected, "reason.txt"), "w", encoding="utf-8") as note:
            note.write(reason + "\n")
