"""A little cron: runs jobs, keeps their output, mails nobody.

Jobs stand in ``jobs/NAME.json`` (command, every, timeout). Output goes to ``out/NAME.log.gz``, results to
``results.db``. One instance per folder; others talk to it over a control socket, and a job can hand values to
the next run of itself through ``state/NAME``.
"""

import contextlib
import errno
import fcntl
import gzip
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)


class CronletError(Exception):
    pass


class FolderTaken(CronletError):
    """Another instance runs in this folder."""


class JobBroken(CronletError):
    """The description of a job cannot be used."""


@dataclass
class CronJob:
    name: str
    command: list
    every: float
    input: str = ""


def _job_description(path):
    with open(path) as source:
        return json.load(source)


def _kept_state(path):
    with path.open("rb") as kept:
        return kept.read()


def output_of(folder, name):
    """The whole log of a job, for ``cronlet log NAME``."""
    with gzip.open(Path(folder, "out", name + ".log.gz"), "rb") as packed:
        return packed.read()


def take_folder(path):
    """The descriptor of the folder's lock file."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
    except BaseException as error:
        os.close(fd)
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EAGAIN):
            raise FolderTaken(path) from error
        raise
    return fd


def control_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    try:
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(4)
        listener.settimeout(0.5)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def borrowed_stdin(text):
    """A descriptor from which a child reads this text."""
    data = text.encode()
    reader, writer = os.pipe()
    try:
        try:
            while data:
                data = data[os.write(writer, data):]
        finally:
            os.close(writer)
        yield reader
    finally:
        os.close(reader)


@contextlib.contextmanager
def results_of(folder):
    """Rows of results, newest last."""
    db = sqlite3.connect(os.path.join(folder, "results.db"))
    try:
        db.row_factory = sqlite3.Row
        for pragma in ("PRAGMA query_only = ON", "PRAGMA temp_store = MEMORY"):
            db.execute(pragma)
        yield db
    finally:
        db.close()


def log_lines(path, word):
    """Lines of a packed log with this word in them."""
    with gzip.open(path, "rt", errors="replace") as lines:
        for line in lines:
            if word in line:
                yield line.rstrip("\n")


class OutputLog:
    """The packed output of one job."""

    def __init__(self, path):
        self.path = path
        self._packed = gzip.open(path, "ab")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._packed.close()

    def add(self, out, err):
        self._packed.write(out)
        if err:
            self._packed.write(b"--- errors\n" + err)


class EventLog:
    """What cronlet itself has to say; rotated by size."""

    def __init__(self, path, limit=1 << 16):
        self.path = path
        self.limit = limit
        self._out = None

    def open(self):
        self._out = open(self.path, "a", encoding="utf-8")
        try:
            if self._out.tell() == 0:
                self._out.write("# begun %d\n" % time.time())
                self._out.flush()
        except BaseException:
            self._out.close()
            raise

    def close(self):
        if self._out is not None:
            self._out.close()

    def rotate(self):
        self._out.close()
        os.replace(self.path, self.path + ".1")
        self._out = open(self.path, "a", encoding="utf-8")

    def say(self, text):
        if self._out.tell() + len(text) > self.limit:
            self.rotate()
        self._out.write(text + "\n")


class Cronlet:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.last = {}
        for name in ("jobs", "out", "state"):
            (self.folder / name).mkdir(exist_ok=True)

    def jobs(self):
        found = []
        for path in sorted((self.folder / "jobs").glob("*.json")):
            data = _job_description(path)
            if "command" not in data:
                raise JobBroken(f"{path.name} has no command")
            found.append(CronJob(path.stem, data["command"], data.get("every", 60), data.get("input", "")))
        return found

    def due(self, now):
        return [job for job in self.jobs() if now - self.last.get(job.name, 0) >= job.every]

    def run_job(self, job):
        """Run a job to its end; its status."""
        state = self.folder / "state" / job.name
        environment = dict(os.environ)
        if state.exists():
            kept = _kept_state(state)
            environment["CRONLET_STATE"] = kept.decode()
        with borrowed_stdin(job.input) as stdin:
            proc = subprocess.Popen(job.command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = proc.communicate()
        with OutputLog(self.folder / "out" / (job.name + ".log.gz")) as output:
            output.add(out, err)
        if proc.returncode == 0:
            self.keep_state(job.name, out[-200:])
        elif proc.returncode == -signal.SIGKILL:
            logger.warning("%s was killed", job.name)
        self.note(job.name, proc.returncode)
        self.last[job.name] = time.time()
        return proc.returncode

    def keep_state(self, name, data):
        fd, draft = tempfile.mkstemp(prefix=name, dir=self.folder)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
            os.replace(draft, self.folder / "state" / name)
        except BaseException:
            os.unlink(draft)
            raise

    def note(self, name, status):
        with contextlib.closing(sqlite3.connect(self.folder / "results.db")) as db:
            db.execute("CREATE TABLE IF NOT EXISTS result (at REAL, name TEXT, status INTEGER)")
            db.execute("INSERT INTO result VALUES (?, ?, ?)", (time.time(), name, status))
            db.commit()

    def failing(self):
        """Jobs whose last run failed."""
        with results_of(self.folder) as db:
            rows = db.execute("SELECT name, status, max(at) FROM result GROUP BY name").fetchall()
            names = [row["name"] for row in rows if row["status"]]
        return names

    def first_complaint(self, word):
        """The first line of any log with this word in it."""
        for path in sorted((self.folder / "out").iterdir()):
            with gzip.open(path, "rt", errors="replace") as log:
                for line in log:
                    if word in line:
                        return f"{path.name}: {line.strip()}"
                logger.debug("%s does not complain", path.name)
        return None

    def archive(self, target):
        """Move the logs into an archive, which appears when it is whole."""
        draft = str(target) + ".part"
        pack = tarfile.open(draft, "w")
        complete = False
        try:
            for path in sorted((self.folder / "out").iterdir()):
                pack.add(path, path.name)
            complete = True
        finally:
            if complete:
                pack.close()
                os.replace(draft, target)
            else:
                pack.close()
                os.unlink(draft)

    def sizes(self):
        total = 0
        with os.scandir(self.folder / "out") as entries:
            for entry in entries:
                if not entry.name.endswith(".gz"):
                    continue
                total += entry.stat().st_size
        return total

    def serve_control(self, path, answers=1):
        """Answer so many questions of ``cronlet status``."""
        listener = control_socket(path)
        try:
            for _ in range(answers):
                peer, _ = listener.accept()
                with peer, peer.makefile("rwb") as stream:
                    question = stream.readline().strip()
                    stream.write(b"%d\n" % len(self.failing()) if question == b"failing" else b"?\n")
        finally:
            listener.close()

    def run(self, rounds):
        """So many rounds over the jobs that are due; how many were run."""
        count = 0
        lock = take_folder(self.folder / "lock")
        try:
            events = EventLog(str(self.folder / "events"))
            events.open()
            with contextlib.closing(events):
                for _ in range(rounds):
                    for job in self.due(time.time()):
                        events.say("%s: %d" % (job.name, self.run_job(job)))
                        count += 1
        finally:
            os.close(lock)
        return count


def ask(path, question):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(question.encode() + b"\n")
        answer = b""
        while data := sock.recv(64):
            answer += data
    return answer


def copy_jobs(names, source, target):
    """Take over jobs from another folder; those that are there stay."""
    for name in names:
        with contextlib.ExitStack() as stack:
            try:
                out = stack.enter_context(open(Path(target, "jobs", name), "x"))
            except FileExistsError:
                continue
            original = stack.enter_context(open(Path(source, "jobs", name)))
            out.write(original.read())
