"""Client of an artifact server: upload builds, download them again, keep a cache of what was downloaded.

The server speaks JSON over HTTP. Small questions go through ``requests``, large bodies are streamed with
``httpx``. Everything is checked against the digest that the server tells.
"""

from __future__ import annotations

import bz2
import configparser
import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import tempfile
import zipfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Iterator, Optional

import httpx
import requests

INDEX_SETUP = (
    "CREATE TABLE IF NOT EXISTS cached (name TEXT PRIMARY KEY, digest TEXT)",
    "CREATE INDEX IF NOT EXISTS cached_digest ON cached (digest)",
)


class ArtifactError(Exception):
    """Base of all errors of this client."""


class DigestMismatch(ArtifactError):
    """What has arrived is not what the server has."""


class Unauthorized(ArtifactError):
    """The token is not accepted."""


def _client_config(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser()
    with path.open(encoding="utf-8") as source:
        parser.read_file(source)
    return dict(parser["artifacts"])


def _token_text(path: Path) -> str:
    with path.open(encoding="ascii") as token:
        return token.read()


def _server_motd(url: str) -> str:
    with requests.get(url, timeout=5, stream=True) as reply:
        return reply.text


def manifest_of(path: Path) -> Any:
    """The manifest inside of an artifact that was downloaded."""
    with zipfile.ZipFile(path) as artifact, artifact.open("manifest.json") as manifest:
        return json.load(manifest)


def signed_in(base: str, token: str) -> requests.Session:
    """A session that the server knows."""
    session = requests.Session()
    try:
        session.headers["Authorization"] = f"Bearer {token}"
        reply = session.get(f"{base}/whoami", timeout=5)
        if reply.status_code == 401:
            raise Unauthorized(base)
        reply.raise_for_status()
    except BaseException:
        session.close()
        raise
    return session


def wake_socket(port: int = 0) -> socket.socket:
    """The server sends a datagram here when something new has come."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if port:
            sock.bind(("127.0.0.1", port))
        else:
            sock.bind(("localhost", 0))
        sock.settimeout(0.1)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def streaming_client(base: str) -> Iterator[httpx.Client]:
    client = httpx.Client(base_url=base, timeout=30, follow_redirects=True)
    try:
        yield client
    finally:
        client.close()


def remote_lines(url: str) -> Iterator[str]:
    """The lines of a text file on the server that are no comments."""
    with requests.get(url, timeout=5, stream=True) as reply:
        for line in reply.iter_lines():
            if not line.startswith(b"#"):
                yield line.decode("utf-8")


class UploadReport:
    """What was uploaded, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._out = bz2.open(path, "wt", encoding="utf-8")

    def __enter__(self) -> UploadReport:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._out.close()

    def add(self, name: str, digest: str) -> None:
        self._out.write(json.dumps({"name": name, "digest": digest}) + "\n")
        self.count += 1


class ArtifactIndex:
    """Names and digests of cached artifacts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: Optional[sqlite3.Connection] = sqlite3.connect(path)
        try:
            for statement in INDEX_SETUP:
                self._db.execute(statement)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def start_over(self) -> None:
        """Somebody has cleared the cache folder."""
        if self._db is not None:
            self._db.close()
        self._db = sqlite3.connect(self.path)

    def digest(self, name: str) -> Optional[str]:
        row = self._db.execute("SELECT digest FROM cached WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def put(self, name: str, digest: str) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO cached VALUES (?, ?)", (name, digest))


class ArtifactClient:
    def __init__(self, base: str, cache: Path) -> None:
        self.base = base
        self.cache = cache
        self.token = ""
        self._session: Optional[requests.Session] = None

    @classmethod
    def from_config(cls, path: Path) -> ArtifactClient:
        config = _client_config(path)
        client = cls(config["server"], Path(config["cache"]))
        text = _token_text(Path(config["token"]))
        client.token = text.strip()
        return client

    def connect(self) -> None:
        self._session = signed_in(self.base, self.token)
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
        except BaseException:
            self._session.close()
            raise

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def renew(self, token: str) -> None:
        """Go on with another token."""
        if self._session:
            self._session.close()
        self._session = signed_in(self.base, token)

    def describe(self, name: str) -> dict[str, Any]:
        with self._session.get(f"{self.base}/artifact/{name}", timeout=5, stream=True) as reply:
            if reply.status_code == 404:
                raise ArtifactError(f"there is no {name}")
            reply.raise_for_status()
            description = reply.json()
        return description

    def motd(self) -> str:
        text = _server_motd(f"{self.base}/motd")
        return text.strip()

    def download(self, name: str) -> Path:
        """Download an artifact, unless the cache has it."""
        digest = self.describe(name)["digest"]
        target = self.cache / name
        with closing(ArtifactIndex(self.cache / "index.db")) as index:
            if index.digest(name) == digest and target.exists():
                return target
            self._stream(name, digest, target)
            index.put(name, digest)
        return target

    def _stream(self, name: str, digest: str, target: Path) -> None:
        fd, draft = tempfile.mkstemp(dir=self.cache)
        try:
            with os.fdopen(fd, "wb") as out:
                if self._copy(name, out) != digest:
                    raise DigestMismatch(name)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def _copy(self, name: str, out: BinaryIO) -> str:
        sha = hashlib.sha256()
        with ExitStack() as stack:
            client = stack.enter_context(streaming_client(self.base))
            reply = stack.enter_context(client.stream("GET", f"/content/{name}"))
            reply.raise_for_status()
            for block in reply.iter_bytes():
                sha.update(block)
                out.write(block)
        return sha.hexdigest()

    def upload(self, paths: Iterable[Path], report: Path) -> int:
        """Upload files that the server lacks."""
        with UploadReport(report) as done:
            for path in paths:
                with path.open("rb") as source:
                    digest = hashlib.sha256(source.read()).hexdigest()
                    source.seek(0)
                    reply = self._session.put(f"{self.base}/upload/{path.name}", data=source, timeout=30)
                    if reply.status_code == 409:
                        continue
                    reply.raise_for_status()
                done.add(path.name, digest)
            count = done.count
        return count

    def cached(self) -> list[str]:
        with closing(sqlite3.connect(self.cache / "index.db")) as db:
            return [name for (name,) in db.execute("SELECT name FROM cached ORDER BY name")]

    def await_news(self, wanted: bool = True) -> bool:
        """Wait a moment for the server's datagram."""
        sock = wake_socket()
        if not wanted:
            sock.close()
            return False
        try:
            self._session.post(f"{self.base}/notify", json={"port": sock.getsockname()[1]}, timeout=5)
            news = bool(sock.recv(64))
        except TimeoutError:
            return False
        finally:
            sock.close()
        return news

    def unpack(self, name: str, command: list[str]) -> str:
        """Hand an artifact to a command; what the command prints."""
        fd = os.open(self.cache / name, os.O_RDONLY)
        try:
            if os.fstat(fd).st_size == 0:
                raise ArtifactError(f"{name} is empty")
            proc = subprocess.Popen(command, stdin=fd, stdout=subprocess.PIPE)
            out, _ = proc.communicate()
        finally:
            os.close(fd)
        return out.decode("utf-8", "replace")

    def damaged(self) -> list[str]:
        """Names of cached artifacts that are not what the index says."""
        found = []
        with closing(ArtifactIndex(self.cache / "index.db")) as index:
            for name in self.cached():
                sha = hashlib.sha256()
                source = open(self.cache / name, "rb")
                try:
                    while block := source.read(1 << 16):
                        sha.update(block)
                finally:
                    source.close()
                if sha.hexdigest() != index.digest(name):
                    found.append(name)
        return found

    def export(self, names: Iterable[str], target: Path) -> None:
        """Copy artifacts out of the cache."""
        for name in names:
            with open(self.cache / name, "rb") as source, open(target / name, "wb") as out:
                while block := source.read(1 << 16):
                    out.write(block)
