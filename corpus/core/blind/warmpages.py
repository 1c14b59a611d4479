"""A daemon that keeps compiled page templates warm for short-lived render jobs.

The templates of a site lie in one folder.  A job asks the daemon over a Unix socket for the code of a template;
the daemon compiles what has changed, keeps the last ones in memory and everything else on a shelf on disk, where
it survives a restart.  Requests are one line each, one per connection::

    CODE name       answered by ``OK size`` and the marshalled code, or ``NO reason``
    FORGET name     answered by ``OK 0``
    STATS           answered by ``OK size`` and a line of text
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import marshal
import os
import re
import selectors
import socket
import sys
import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType
from typing import Any, Callable, Iterator, Optional

log = logging.getLogger("warmpages")

PLACEHOLDER = re.compile(r"{{\s*(\w*)\s*}}")
PEER_TIMEOUT = 2.0
NAME_LIMIT = 256
Listener = Callable[[str], None]


class TemplateRefused(Exception):
    """There is no such template, or it does not compile."""


def compile_page(name: str, text: str) -> CodeType:
    """Code that calls ``write`` with the pieces of the page."""
    lines = []
    for number, piece in enumerate(PLACEHOLDER.split(text)):
        if number % 2 == 0:
            lines.append(f"write({piece!r})")
        elif piece:
            lines.append(f"write(str({piece}))")
        else:
            raise TemplateRefused(f"{name}: placeholder without a name")
    try:
        return compile("\n".join(lines), name, "exec")
    except SyntaxError as exc:
        raise TemplateRefused(f"{name}: {exc.msg}") from None


class CodeShelf:
    """Marshalled code by the digest of its source; the oldest go when there are too many."""

    def __init__(self, folder: Path, keep: int = 200) -> None:
        self.folder, self.keep = folder, keep
        self._tag = f"{sys.implementation.cache_tag}.code"
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def load(self, digest: str) -> Optional[bytes]:
        try:
            with open(self.folder / f"{digest}.{self._tag}", "rb") as handle:
                return handle.read()
        except FileNotFoundError:
            return None

    def save(self, digest: str, packed: bytes) -> None:
        with self._exclusive():
            fd, draft = tempfile.mkstemp(suffix=".draft", dir=self.folder)
            try:
                with os.fdopen(fd, "wb") as handle:
                    handle.write(packed)
                os.replace(draft, self.folder / f"{digest}.{self._tag}")
            except BaseException:
                os.unlink(draft)
                raise
            self._thin_out()

    def _thin_out(self) -> None:
        with os.scandir(self.folder) as entries:
            aged = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(self._tag)]
        aged.sort(reverse=True)
        for _, path in aged[self.keep:]:
            os.unlink(path)


class WarmPages:
    """What the daemon knows: the last templates in memory, all of them on the shelf."""

    def __init__(self, sources: Path, shelf: CodeShelf, room: int = 32) -> None:
        self.sources, self.shelf, self.room = sources, shelf, room
        self.hits = self.compiled = 0
        self._lock = threading.Lock()
        self._warm: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._listeners: list[Listener] = []

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Tell ``listener`` the names of templates that are compiled meanwhile."""
        with self._lock:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def code(self, name: str) -> bytes:
        if "/" in name or name.startswith("."):
            raise TemplateRefused(f"{name}: not a name")
        try:
            with open(self.sources / name, encoding="utf-8") as handle:
                changed = os.fstat(handle.fileno()).st_mtime_ns
                with self._lock:
                    known = self._warm.get(name)
                    if known is not None and known[0] == changed:
                        self._warm.move_to_end(name)
                        self.hits += 1
                        return known[1]
                text = handle.read()
        except FileNotFoundError:
            raise TemplateRefused(f"{name}: no such template") from None
        packed = self._from_shelf(name, text)
        with self._lock:
            self._warm[name] = changed, packed
            self._warm.move_to_end(name)
            while len(self._warm) > self.room:
                self._warm.popitem(last=False)
        return packed

    def _from_shelf(self, name: str, text: str) -> bytes:
        digest = hashlib.sha256(f"{name}\0{text}".encode()).hexdigest()
        packed = self.shelf.load(digest)
        if packed is None:
            packed = marshal.dumps(compile_page(name, text))
            self.shelf.save(digest, packed)
            with self._lock:
                self.compiled += 1
                listeners = list(self._listeners)
            for listener in listeners:
                listener(name)
        return packed

    def forget(self, name: str) -> None:
        with self._lock:
            self._warm.pop(name, None)


class PageDaemon:
    """Answers on a socket from a thread of its own, with a few workers behind it."""

    def __init__(self, pages: WarmPages, path: Path, workers: int = 2) -> None:
        self.pages, self.path = pages, path
        with contextlib.ExitStack() as stack:
            self._listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            self._listener.bind(str(path))
            stack.callback(path.unlink)
            self._listener.listen(16)
            wake, self._waker = socket.socketpair()
            stack.callback(wake.close)
            stack.callback(self._waker.close)
            self._pool = stack.enter_context(ThreadPoolExecutor(workers, "warmpages"))
            thread = threading.Thread(target=self._accept_loop, args=(wake,), name="warmpages-accept")
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._waker.shutdown, socket.SHUT_RDWR)
            self._owned = stack.pop_all()

    def close(self) -> None:
        self._owned.close()

    def _accept_loop(self, wake: socket.socket) -> None:
        with self._listener, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not any(key.fileobj is wake for key, _ in selector.select()):
                peer, _ = self._listener.accept()
                try:
                    peer.settimeout(PEER_TIMEOUT)
                    self._pool.submit(self._attend, peer)
                except BaseException:
                    peer.close()
                    raise

    def _attend(self, peer: socket.socket) -> None:
        try:
            with peer, peer.makefile("rwb") as stream:
                verb, _, name = stream.readline(NAME_LIMIT).decode("utf-8").strip().partition(" ")
                try:
                    answer = self._answer(verb, name)
                    stream.write(b"OK %d\n%s" % (len(answer), answer))
                except TemplateRefused as exc:
                    stream.write(f"NO {exc}\n".encode())
        except (OSError, ValueError) as exc:
            log.info("a request went wrong: %s", exc)

    def _answer(self, verb: str, name: str) -> bytes:
        if verb == "CODE":
            return self.pages.code(name)
        if verb == "FORGET":
            self.pages.forget(name)
            return b""
        if verb == "STATS":
            return f"{self.pages.hits} hits, {self.pages.compiled} compiled".encode()
        raise TemplateRefused(f"{verb or 'nothing'}: not understood")


def ask_daemon(path: Path, request: str) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PEER_TIMEOUT)
        sock.connect(str(path))
        sock.sendall(request.encode() + b"\n")
        with sock.makefile("rb") as stream:
            word, _, rest = stream.readline().decode("utf-8").strip().partition(" ")
            if word != "OK":
                raise TemplateRefused(rest or "the daemon went away")
            return stream.read(int(rest))


def render_page(path: Path, name: str, values: dict[str, Any]) -> str:
    pieces: list[str] = []
    exec(marshal.loads(ask_daemon(path, f"CODE {name}")), {**values, "write": pieces.append})
    return "".join(pieces)
