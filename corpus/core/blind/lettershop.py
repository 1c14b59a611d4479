#!/usr/bin/env python3
"""lettershop: a spool for form letters.

A job is a folder below ``in`` with a ``letter.txt``, in which ``$column`` stands for what is in a column of
``rows.csv``, and with its headers first.  The daemon merges the two, gives each letter to a mail program on its
standard input, keeps a copy in ``sent.mbox``, and packs the job into ``done`` or ``failed``.  A job that was
interrupted goes on where it was.
"""

import contextlib
import csv
import errno
import fcntl
import logging
import mailbox
import os
import pathlib
import select
import shutil
import string
import subprocess
import tempfile
import time
import zipfile

FOLDERS = ("in", "tmp", "work", "done", "failed")

log = logging.getLogger("lettershop")


class SpoolError(Exception):
    """Something is wrong with the spool as a whole."""


class BadLetterJob(SpoolError):
    """A job cannot be done, today or tomorrow."""


class MailerBroken(SpoolError):
    """The mail program did not take a letter; it may take it later."""


class PidLock:
    """A lock file with the number of a process in it. One whose process is gone counts for nothing."""

    def __init__(self, path, patience=2.0, pause=0.05):
        self.path, self.patience, self.pause = path, patience, pause
        self.held = False

    def acquire(self):
        deadline = time.monotonic() + self.patience
        while not self.held:
            try:
                fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                if self._abandoned():
                    log.warning("%s was left over", self.path)
                    os.unlink(self.path)
                elif time.monotonic() >= deadline:
                    raise SpoolError("%s: there is another daemon" % self.path) from None
                else:
                    time.sleep(self.pause)
                continue
            try:
                with os.fdopen(fd, "w") as out:
                    out.write("%d\n" % os.getpid())
            except BaseException:
                os.unlink(self.path)
                raise
            self.held = True

    def _abandoned(self):
        try:
            with open(self.path) as source:
                os.kill(int(source.read()), 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        except ValueError:
            pass  # it is being written
        return False

    def release(self):
        if self.held:
            self.held = False
            os.unlink(self.path)


class Serials:
    """Numbers for letters, shared by all daemons that work on copies of one spool."""

    def __init__(self, path):
        self.path = path

    def draw(self, count):
        """Take so many numbers; the first of them."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX)
            text = os.read(fd, 32)
            first = int(text) if text else 1
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, b"%d\n" % (first + count))
            os.fsync(fd)
        finally:
            os.close(fd)
        return first


class Progress:
    """How many letters of a job are gone; a byte each, in a file of the job."""

    def __init__(self, folder):
        self._fd = os.open(os.path.join(folder, "progress"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self.done = os.fstat(self._fd).st_size
        except BaseException:
            os.close(self._fd)
            raise

    def tick(self):
        os.write(self._fd, b".")
        self.done += 1

    def close(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class SentBox:
    """Copies of what was sent, locked against mail readers while it is open."""

    def __init__(self, path):
        self._box = mailbox.mbox(path)
        try:
            self._box.lock()
        except BaseException:
            self._box.close()
            raise

    def keep(self, letter):
        self._box.add(letter)

    def close(self):
        box, self._box = self._box, None
        if box is not None:
            try:
                box.flush()
                box.unlock()
            finally:
                box.close()


class LetterJob:
    """A job that is being worked on."""

    def __init__(self, folder):
        self.folder = folder
        try:
            with open(os.path.join(folder, "letter.txt"), encoding="utf-8") as source:
                self.template = string.Template(source.read())
            self._rows = open(os.path.join(folder, "rows.csv"), encoding="utf-8", newline="")
        except FileNotFoundError as exc:
            raise BadLetterJob("no %s" % os.path.basename(exc.filename)) from None
        try:
            self._reader = csv.DictReader(self._rows)
            if not self._reader.fieldnames:
                raise BadLetterJob("no columns")
            self.progress = Progress(folder)
        except BaseException:
            self._rows.close()
            raise

    def letters(self):
        """Those that are not gone yet."""
        for number, row in enumerate(self._reader):
            if number < self.progress.done:
                continue
            try:
                yield self.template.substitute(row).encode("utf-8")
            except (KeyError, ValueError) as exc:
                raise BadLetterJob("row %d: %s" % (number + 1, exc)) from None

    def close(self):
        try:
            self.progress.close()
        finally:
            self._rows.close()


class LetterShop:
    """The daemon.

    :param spool: its folder, which is made if need be
    :param mailer: words of the command that sends a letter
    """

    def __init__(self, spool, mailer, patience=10.0, lock_patience=2.0):
        self.spool, self.mailer, self.patience = spool, list(mailer), patience
        self._owned = contextlib.ExitStack()
        for name in FOLDERS:
            os.makedirs(self._path(name), exist_ok=True)
        lock = PidLock(self._path("daemon.lock"), lock_patience)
        lock.acquire()
        self._owned.callback(lock.release)
        try:
            self._bell = self._open_bell()
            self._owned.callback(os.close, self._bell)
            self._journal = self._owned.enter_context(open(self._path("journal"), "a", buffering=1, encoding="utf-8"))
            for name in os.listdir(self._path("work")):
                os.rename(self._path("work", name), self._path("in", name))
        except BaseException:
            self._owned.close()
            raise
        self._serials = Serials(self._path("serials"))

    def _path(self, *parts):
        return os.path.join(self.spool, *parts)

    def _open_bell(self):
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._path("bell"), 0o622)
        return os.open(self._path("bell"), os.O_RDWR | os.O_NONBLOCK)

    def close(self):
        self._owned.close()

    def run(self, interval=60.0):
        """Work until the bell is rung with a ``q``."""
        rung = b""
        while b"q" not in rung:
            self.work()
            ready, _, _ = select.select([self._bell], [], [], interval)
            rung = os.read(self._bell, 256) if ready else b""

    def work(self):
        """Do what is there; the number of jobs that were done."""
        done = 0
        for name in sorted(os.listdir(self._path("in"))):
            claim = self._path("work", name)
            os.rename(self._path("in", name), claim)
            try:
                count = self._merge(claim)
            except BadLetterJob as exc:
                self._journal.write("%s failed: %s\n" % (name, exc))
                self._retire(claim, "failed")
            except MailerBroken as exc:
                self._journal.write("%s waits: %s\n" % (name, exc))
                os.rename(claim, self._path("in", name))
                break
            else:
                self._journal.write("%s done: %d letters\n" % (name, count))
                self._retire(claim, "done")
                done += 1
        return done

    def _merge(self, claim):
        job = LetterJob(claim)
        try:
            first = job.progress.done
            copies = SentBox(self._path("sent.mbox"))
            try:
                for letter in job.letters():
                    letter = b"X-Serial: %d\n%s" % (self._serials.draw(1), letter)
                    self._hand_over(letter)
                    copies.keep(letter)
                    job.progress.tick()
            finally:
                copies.close()
            return job.progress.done - first
        finally:
            job.close()

    def _hand_over(self, letter):
        with tempfile.TemporaryFile(dir=self._path("tmp")) as text:
            text.write(letter)
            text.seek(0)
            with subprocess.Popen(self.mailer, stdin=text, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                try:
                    _, complaint = process.communicate(timeout=self.patience)
                except subprocess.TimeoutExpired:
                    raise MailerBroken("it takes too long") from None
                finally:
                    process.kill()
        if process.returncode:
            raise MailerBroken(complaint.decode("utf-8", "replace").strip() or "status %d" % process.returncode)

    def _retire(self, claim, where):
        target = self._path(where, os.path.basename(claim) + ".zip")
        try:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, os.scandir(claim) as entries:
                for entry in entries:
                    archive.write(entry.path, entry.name)
        except BaseException:
            if os.path.exists(target):
                os.unlink(target)
            raise
        shutil.rmtree(claim)


def ring(spool, what=b"."):
    """Tell the daemon to look, or with ``q`` to quit; whether there is one."""
    try:
        fd = os.open(os.path.join(spool, "bell"), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENXIO):
            return False
        raise
    try:
        return os.write(fd, what) == len(what)
    finally:
        os.close(fd)


def spool_letters(spool, name, template, rows):
    """Put a job into the spool, all of it or nothing. The rows have the same keys."""
    draft = tempfile.mkdtemp(prefix=name + "-", dir=os.path.join(spool, "tmp"))
    try:
        pathlib.Path(draft, "letter.txt").write_text(template, encoding="utf-8")
        with open(os.path.join(draft, "rows.csv"), "w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        os.rename(draft, os.path.join(spool, "in", name))
    except BaseException:
        shutil.rmtree(draft)
        raise
    ring(spool)
