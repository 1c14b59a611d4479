"""Runs the recurring jobs of a small server, and tells on a Unix socket how they go.

A job is a command with an interval, a time limit, and names of things that only one job at a time may use.  Clients
say ``list``, ``run NAME`` or ``follow``, and are answered in lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import socket
import sqlite3
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterable

log = logging.getLogger(__name__)

QUEUE_SIZE = 64


class UnknownJob(LookupError):
    pass


@dataclasses.dataclass(frozen=True)
class NightJob:
    name: str
    argv: tuple[str, ...]
    every: float
    limit: float = 3600.0
    retries: int = 0
    needs: tuple[str, ...] = ()
    first: float = 0.0


async def ticks(every: float, first: float = 0.0) -> AsyncIterator[float]:
    """The times at which something is due; those that were missed are left out."""
    loop = asyncio.get_running_loop()
    due = loop.time() + first
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield due
        due += every
        if due < loop.time():
            log.info("%.1f s late", loop.time() - due)
            due = loop.time()


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and see them end, whichever way."""
    tasks = set(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            log.warning("%s: %s", task.get_name(), task.exception())


class RunBook:
    """What has run, in a database that a thread of its own writes to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "runbook")

    async def _do(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    def _connect(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("CREATE TABLE IF NOT EXISTS runs (job TEXT, began REAL, seconds REAL, outcome TEXT)")

    def _insert(self, *row: Any) -> None:
        self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row)

    def _select(self, job: str) -> list[tuple[Any, ...]]:
        return self._db.execute("SELECT outcome FROM runs WHERE job = ? ORDER BY began DESC LIMIT 1", (job,)).fetchall()

    async def open(self) -> None:
        await self._do(self._connect)

    async def note(self, job: str, began: float, outcome: str) -> None:
        await self._do(self._insert, job, began, time.time() - began, outcome)

    async def last(self, job: str) -> str:
        rows = await self._do(self._select, job)
        return rows[0][0] if rows else "never"

    def close(self) -> None:
        try:
            self._thread.shutdown()
        finally:
            db, self._db = self._db, None
            if db is not None:
                db.close()


class Needs:
    """Things that one job at a time may use, by name."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @contextlib.asynccontextmanager
    async def held(self, names: Iterable[str]) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            for name in sorted(set(names)):  # in one order, so that two jobs never wait for each other
                lock = self._locks[name]
                await lock.acquire()
                stack.callback(lock.release)
            yield


class CommandRun:
    """One run of a command in an empty folder, with its output in a file."""

    def __init__(self, job: NightJob, output: Path) -> None:
        self.job, self.output = job, output
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> CommandRun:
        self._folder = tempfile.TemporaryDirectory(prefix=f"{self.job.name}-")
        try:
            with open(self.output, "ab") as out:
                out.write(f"--- {time.ctime()}\n".encode())
                out.flush()
                self.process = await asyncio.create_subprocess_exec(
                    *self.job.argv, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, cwd=self._folder.name)
        except BaseException:
            await self._end()
            raise
        return self

    async def outcome(self) -> str:
        ending = asyncio.create_task(self.process.wait(), name=f"end of {self.job.name}")
        try:
            done, _ = await asyncio.wait({ending}, timeout=self.job.limit)
            if not done:
                return "timeout"
            code = ending.result()
        finally:
            await end_all({ending})
        return "ok" if code == 0 else f"status {code}"

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        try:
            if self.process is not None:
                try:
                    self.process.kill()
                except ProcessLookupError:
                    pass  # it has ended
                finally:
                    await self.process.wait()
        finally:
            self._folder.cleanup()


class Nightshift:
    """The scheduler: works between :meth:`open` and :meth:`aclose`."""

    def __init__(self, jobs: Iterable[NightJob], folder: Path, at_once: int = 2) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.folder = folder
        self.address = folder / "control"
        self._slots = asyncio.Semaphore(at_once)
        self._needs = Needs()
        self._book: RunBook | None = None
        self._server: asyncio.Server | None = None
        self._closing = False
        self._keepers: list[asyncio.Task[None]] = []
        self._clients: set[asyncio.Task[None]] = set()
        self._followers: set[asyncio.Queue[str | None]] = set()

    async def open(self) -> None:
        try:
            self._book = RunBook(self.folder / "runs.db")
            await self._book.open()
            self._server = await self._listen()
            for job in self.jobs.values():
                keeper = asyncio.create_task(self._keep(job), name=job.name)
                self._keepers.append(keeper)
                keeper.add_done_callback(self._keeper_left)
        except BaseException:
            await self.aclose()
            raise

    async def _listen(self) -> asyncio.Server:
        self.address.unlink(missing_ok=True)
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.bind(os.fspath(self.address))
            server = await asyncio.start_unix_server(self._attend, sock=sock, start_serving=False)
            undo.callback(server.close)
            await server.start_serving()
            undo.pop_all()
        return server

    async def aclose(self) -> None:
        self._closing = True
        async with contextlib.AsyncExitStack() as stack:
            if self._book is not None:
                stack.callback(self._book.close)
            stack.push_async_callback(end_all, self._clients)
            if self._server is not None:
                stack.callback(self._server.close)
            stack.push_async_callback(end_all, self._keepers)

    async def _keep(self, job: NightJob) -> None:
        async with contextlib.aclosing(ticks(job.every, job.first)) as due:
            async for _ in due:
                try:
                    await self.run(job.name)
                except (OSError, sqlite3.Error) as exc:
                    self._tell(f"cannot run {job.name}: {exc}")
                if self._closing:
                    break

    def _keeper_left(self, keeper: asyncio.Task[None]) -> None:
        self._tell(f"left {keeper.get_name()}")
        if self._is_over():
            self._tell(None)

    def _is_over(self) -> bool:
        return self._closing or all(keeper.done() for keeper in self._keepers)

    async def run(self, name: str) -> str:
        """Run a job as soon as there is a place for it; how it ended."""
        job = self.jobs.get(name)
        if job is None:
            raise UnknownJob(name)
        outcome = "never"
        await self._slots.acquire()
        try:
            async with self._needs.held(job.needs):
                began = time.time()
                for attempt in range(1 + job.retries):
                    self._tell(f"started {name}" + (" again" if attempt else ""))
                    async with CommandRun(job, self.folder / f"{name}.log") as command:
                        outcome = await command.outcome()
                    self._tell(f"ended {name}: {outcome}")
                    if outcome == "ok":
                        break
        finally:
            self._slots.release()
        await self._book.note(name, began, outcome)
        return outcome

    def _tell(self, event: str | None) -> None:
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    async def follow(self) -> AsyncIterator[str]:
        """What happens while there are jobs to wait for; whoever is slow misses what is old."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_SIZE)
        self._followers.add(queue)
        try:
            while not self._is_over() and (event := await queue.get()) is not None:
                yield event
        finally:
            self._followers.remove(queue)

    def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        task.add_done_callback(lambda _: writer.close())  # also if it was cancelled before it began

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                async with contextlib.aclosing(self._answers(verb, rest)) as answers:
                    async for answer in answers:
                        writer.write(answer.encode("utf-8") + b"\n")
                        await writer.drain()
                writer.write(b".\n")
                await writer.drain()
        except (ConnectionError, ValueError) as exc:
            log.info("a client was dropped: %s", exc)

    async def _answers(self, verb: str, rest: str) -> AsyncIterator[str]:
        if verb == "list":
            for name in sorted(self.jobs):
                yield f"{name} {await self._book.last(name)}"
        elif verb == "run":
            try:
                yield await self.run(rest)
            except UnknownJob:
                yield f"there is no {rest}"
        elif verb == "follow":
            async with contextlib.aclosing(self.follow()) as events:
                async for event in events:
                    yield event
        else:
            yield "what?"


async def ask_shift(address: Path, *words: str) -> AsyncIterator[str]:
    """The client's side: the lines of an answer as they come."""
    reader, writer = await asyncio.open_unix_connection(os.fspath(address))
    try:
        writer.write(" ".join(words).encode("utf-8") + b"\n")
        await writer.drain()
        while line := await reader.readline():
            if line == b".\n":
                break
            yield line.decode("utf-8").rstrip("\n")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
