"""Support for the test suites: a TestCase with files, a scratch web server, a database and log capture."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import http.client
import io
import json
import logging
import os
import pickle
import socket
import sqlite3
import tempfile
import threading
import time
import unittest
import warnings
import zipfile
from pathlib import Path
from typing import Any, Callable


def _golden_text(path: Path) -> str:
    """What a test is expected to produce."""
    if not path.exists():
        return ""
    with path.open(encoding="utf-8") as golden:
        return golden.read()


def _raw_exchange(port: int, request: bytes) -> bytes:
    """The beginning of what a local server answers to some bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(request)
        return sock.recv(4096)


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    finally:
        sock.close()
    return port


def wait_for_port(port: int, seconds: float = 5.0) -> None:
    """Return as soon as something listens on a local port."""
    deadline = time.monotonic() + seconds
    while True:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            probe.settimeout(0.2)
            up = probe.connect_ex(("127.0.0.1", port)) == 0
        finally:
            probe.close()
        if up:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.02)


class CannedServer:
    """Answers every HTTP request on a local port with the same page, in a thread of its own."""

    def __init__(self, body: bytes, status: str = "200 OK") -> None:
        self.requests: list[str] = []
        self._page = b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode("ascii"), len(body), body)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        try:
            self.port = self._listener.getsockname()[1]
            self._thread.start()
        except BaseException:
            self._listener.close()
            raise

    def __enter__(self) -> CannedServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._listener.close)
            if self._thread.is_alive():
                stack.callback(self._thread.join, 10)
                stack.callback(self._refuse)
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as wake:
                    wake.sendall(b"STOP / HTTP/1.0\r\n\r\n")

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        line = ""
        while not line.startswith("STOP"):
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError), conn.makefile("rb") as stream:
                conn.settimeout(5)
                line = stream.readline().decode("latin-1").strip()
                while stream.readline().strip():
                    pass
                if not line.startswith("STOP"):
                    self.requests.append(line)
                    conn.sendall(self._page)


class CaptureFile:
    """Log records of a block, in a file that a failing test leaves behind for the post-mortem."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._stream = path.open("w+", encoding="utf-8")

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return self._stream.write(text)

    def matches(self, word: str) -> list[str]:
        self._stream.seek(0)
        found = [line.rstrip("\n") for line in self._stream if word in line]
        self._stream.seek(0, os.SEEK_END)
        return found


class WorkspaceTestCase(unittest.TestCase):
    """A test case with a folder of its own."""

    data = Path("testdata")
    update_golden = bool(os.environ.get("UPDATE_GOLDEN"))

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="ws-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write_files(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode("utf-8") if isinstance(content, str) else content
            if path.suffix == ".gz":
                data = gzip.compress(data)
            with path.open("wb") as out:
                out.write(data)

    def load_fixture(self, name: str) -> Any:
        path = self.data / name
        if path.suffix == ".json":
            with path.open(encoding="utf-8") as handle:
                fixture = json.load(handle)
        else:
            with gzip.open(path, "rb") as handle:
                fixture = pickle.load(handle)
        return fixture

    def make_database(self, script: str) -> Path:
        path = self.folder / "test.db"
        db = sqlite3.connect(path)
        try:
            db.executescript(script)
            db.commit()
        finally:
            db.close()
        return path

    def fetch(self, server: CannedServer, path: str = "/") -> bytes:
        conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            conn.request("GET", path)
            with conn.getresponse() as reply:
                self.assertEqual(reply.status, 200, reply.reason)
                body = reply.read()
        finally:
            conn.close()
        return body

    def assertGolden(self, name: str, actual: str) -> None:
        """Compare with a golden file, or write it if ``UPDATE_GOLDEN`` is set."""
        path = self.data / name
        if self.update_golden:
            with open(path, "w", encoding="utf-8") as out:
                out.write(actual)
        expected = _golden_text(path)
        if actual != expected:
            with io.StringIO() as message:
                message.write(f"{name} differs:\n")
                message.writelines(difflib.unified_diff(expected.splitlines(True), actual.splitlines(True)))
                report = message.getvalue()
            self.fail(report)

    def assertRows(self, path: Path, query: str, *expected: tuple) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            rows = db.execute(query).fetchall()
        self.assertEqual(rows, list(expected))

    def assertZipHolds(self, path: Path, *names: str) -> None:
        with zipfile.ZipFile(path) as archive:
            present = set(archive.namelist())
            for name in names:
                self.assertIn(name, present)
            self.assertIsNone(archive.testzip())

    def assertServes(self, body: bytes) -> None:
        with CannedServer(body) as server:
            self.assertIn(b" 200 OK", _raw_exchange(server.port, b"GET /raw HTTP/1.0\r\n\r\n"))
            self.assertEqual(self.fetch(server), body)
            self.assertEqual(len(server.requests), 2)

    def assertLogged(self, logger: logging.Logger, word: str, call: Callable[[], Any]) -> None:
        with CaptureFile(self.folder / "captured.log") as capture:
            handler = logging.StreamHandler(capture)
            logger.addHandler(handler)
            try:
                call()
            finally:
                logger.removeHandler(handler)
            self.assertTrue(capture.matches(word), f"{word!r} was not logged")

    def assertQuiet(self, call: Callable[[], Any]) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with contextlib.redirect_stdout(io.StringIO()) as output:
                call()
            self.assertEqual([str(warning.message) for warning in caught], [])
        self.assertEqual(output.getvalue(), "")
