"""Runs the steps of a build: commands with their output in logs, pipes between them, results kept by digest.

A step is skipped if the digest of its inputs is that of its last run. Several builds on one machine share
slots; a supervisor may listen on a socket.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import os
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import ExitStack, closing, contextmanager
from typing import Callable, Iterable, Iterator, Sequence, TextIO


class StepFailed(Exception):
    """A command ended with another status than 0."""

    def __init__(self, name: str, status: int, tail: str = "") -> None:
        super().__init__(f"{name} failed with status {status}" + (f":\n{tail}" if tail else ""))


class NoSlot(Exception):
    """All slots of this machine are taken."""


@dataclasses.dataclass(frozen=True)
class BuildStep:
    name: str
    command: Sequence[str]
    inputs: tuple[str, ...] = ()


def _noted_digest(path: str) -> str:
    with open(path, encoding="ascii") as note:
        return note.read()


def tool_version(command: Sequence[str]) -> str:
    """The first line that a tool prints about itself."""
    proc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = proc.communicate()
    return out.decode("utf-8", "replace").partition("\n")[0]


def artifact_text(path: str, member: str) -> bytes:
    """One file out of an artifact."""
    with tarfile.open(path) as artifact, artifact.extractfile(member) as content:
        return content.read()


def take_slot(folder: str, slots: int) -> int:
    """The descriptor of a free slot; closing it frees the slot."""
    for number in range(slots):
        fd = os.open(os.path.join(folder, f"slot-{number}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        except BaseException:
            os.close(fd)
            raise
        return fd
    raise NoSlot(f"{slots} builds are running")


def listen_for_supervisor(path: str, private: bool = True) -> socket.socket:
    """The control socket of a build, as a rule a file only for its owner."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        if private:
            os.chmod(path, 0o600)
        listener.listen(1)
    except BaseException as error:
        listener.close()
        raise StepFailed("control socket", getattr(error, "errno", None) or 1) from error
    return listener


def begin_log(folder: str, step: BuildStep) -> TextIO:
    """The log of a step, which begins with its command."""
    stream = open(os.path.join(folder, f"{step.name}.log"), "w", encoding="utf-8")
    try:
        json.dump(list(step.command), stream)
        stream.write("\n")
        for name in step.inputs:
            stream.write(f"# needs {name}\n")
        stream.flush()
    except BaseException:
        stream.close()
        raise
    return stream


@contextmanager
def result_table(path: str) -> Iterator[sqlite3.Cursor]:
    """The table of results of all builds."""
    db = sqlite3.connect(path)
    try:
        db.execute("CREATE TABLE IF NOT EXISTS result (step TEXT, status INTEGER, log TEXT)")
        with db:
            yield db.cursor()
    finally:
        db.close()


@contextmanager
def job_pipe(tokens: bytes) -> Iterator[int]:
    """The reading end of a pipe with job tokens, as make passes it on to its children."""
    reader, writer = os.pipe()
    try:
        try:
            os.write(writer, tokens)
        finally:
            os.close(writer)
        yield reader
    finally:
        os.close(reader)


class ArtifactFile:
    """Collects what a build leaves behind."""

    def __init__(self, path: str) -> None:
        self._tar = tarfile.open(path, "w:gz", compresslevel=3)

    def __enter__(self) -> ArtifactFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._tar.close()

    def add(self, path: str) -> None:
        self._tar.add(path, os.path.basename(path))


class StepRunner:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def digest(self, step: BuildStep) -> str:
        """Of the command and of all inputs."""
        sha = hashlib.sha256(repr(list(step.command)).encode("utf-8"))
        for name in step.inputs:
            source = open(os.path.join(self.folder, name), "rb")
            try:
                while chunk := source.read(1 << 16):
                    sha.update(chunk)
            finally:
                source.close()
        return sha.hexdigest()

    def is_fresh(self, step: BuildStep, digest: str) -> bool:
        path = os.path.join(self.folder, f"{step.name}.digest")
        if not os.path.exists(path):
            return False
        noted = _noted_digest(path)
        return noted == digest

    def run(self, step: BuildStep) -> bool:
        """Run a step if anything has changed."""
        digest = self.digest(step)
        if self.is_fresh(step, digest):
            return False
        with ExitStack() as stack:
            log = stack.enter_context(begin_log(self.folder, step))
            proc = stack.enter_context(subprocess.Popen(step.command, cwd=self.folder, stdout=log, stderr=log))
            status = proc.wait()
        with result_table(os.path.join(self.folder, "results.db")) as cursor:
            cursor.execute("INSERT INTO result VALUES (?, ?, ?)", (step.name, status, f"{step.name}.log"))
        if status:
            raise StepFailed(step.name, status, self.tail(step))
        self.note(step, digest)
        return True

    def note(self, step: BuildStep, digest: str) -> None:
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as out:
                out.write(digest)
            os.replace(draft, os.path.join(self.folder, f"{step.name}.digest"))
        except BaseException:
            os.unlink(draft)
            raise

    def tail(self, step: BuildStep, size: int = 400) -> str:
        """The end of a log, but not its first line."""
        with open(os.path.join(self.folder, f"{step.name}.log"), "rb") as log:
            log.readline()
            start = log.tell()
            end = log.seek(0, io.SEEK_END)
            if end == start:
                return ""
            log.seek(max(start, end - size))
            text = log.read()
        return text.decode("utf-8", "replace")

    def failures(self) -> int:
        with closing(sqlite3.connect(os.path.join(self.folder, "results.db"))) as db:
            return db.execute("SELECT count(*) FROM result WHERE status != 0").fetchone()[0]

    def expanded(self, step: BuildStep, shell: Sequence[str]) -> BuildStep:
        """The step with its command as a shell would expand it."""
        proc = subprocess.Popen([*shell, *step.command], cwd=self.folder, stdout=subprocess.PIPE)
        out, _ = proc.communicate()
        if proc.returncode:
            raise StepFailed(step.name, proc.returncode)
        return dataclasses.replace(step, command=out.decode("utf-8").split())

    def collect(self, names: Iterable[str]) -> None:
        """Pack files into the artifact; it appears when it is whole."""
        target = os.path.join(self.folder, "artifact.tar.gz")
        with ArtifactFile(target + ".part") as artifact:
            for name in names:
                artifact.add(os.path.join(self.folder, name))
        os.replace(target + ".part", target)

    def tokens(self, count: int) -> int:
        with job_pipe(b"+" * count) as reader:
            free = len(os.read(reader, 4096))
        return free

    def await_supervisor(self, path: str, start: Callable[[], None] | None = None) -> bytes:
        """Start the supervisor, if there is one, and wait for its order on the control socket."""
        listener = listen_for_supervisor(path)
        if start is None:
            listener.close()
            os.unlink(path)
            return b""
        try:
            start()
            peer, _ = listener.accept()
            with peer:
                order = peer.recv(64)
        finally:
            listener.close()
        return order.strip()
