"""Keep a handful of child processes running and their output in log files.

Children get a pipe as standard input; its end is the polite request to leave.  What
they print goes to ``NAME.log``, line by line, with the time in front.  A control
socket in the same folder answers ``status``, ``reopen`` and ``quit``.
"""
from __future__ import annotations

import errno
import logging
import os
import selectors
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

log = logging.getLogger('overseer')

BLOCK = 8192


class OverseerError(Exception):
    pass


@dataclass
class ChildSpec:
    name: str
    argv: list[str]
    restarts: int = 3
    environ: dict[str, str] = field(default_factory=dict)


def see_off(process: subprocess.Popen, grace: float) -> None:
    """End a child: close its input, and insist if it is still there after `grace` seconds."""
    with process, suppress(subprocess.TimeoutExpired):
        try:
            process.stdin.close()
            process.wait(grace)
        finally:
            process.kill()      # does nothing to one that has ended


class OutputLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = open(path, 'ab', buffering=0)
        self._rest = b''

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b'\n')
        stamp = time.strftime('%H:%M:%S ').encode()
        for line in lines:
            self._stream.write(stamp + line + b'\n')

    def reopen(self) -> None:
        """Go on in a new file, if somebody has renamed the old one."""
        fresh = open(self.path, 'ab', buffering=0)
        stale, self._stream = self._stream, fresh
        stale.close()

    def close(self) -> None:
        try:
            if self._rest and not self._stream.closed:
                self.feed(b'\n')
        finally:
            self._stream.close()


class SupervisedChild:
    def __init__(self, spec: ChildSpec, folder: Path, grace: float) -> None:
        self.spec, self.grace = spec, grace
        self.starts = 0
        self._path = folder / f'{spec.name}.log'
        self.process: Optional[subprocess.Popen] = None
        self.output: Optional[OutputLog] = None

    def start(self) -> None:
        with ExitStack() as undo:
            output = undo.enter_context(closing(OutputLog(self._path)))
            process = subprocess.Popen(
                self.spec.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env={**os.environ, **self.spec.environ})
            undo.callback(see_off, process, self.grace)
            os.set_blocking(process.stdout.fileno(), False)
            undo.pop_all()
        self.process, self.output = process, output
        self.starts += 1

    def pump(self) -> bool:
        """Move output into the log; false once the child has closed its end."""
        block = self.process.stdout.read(BLOCK)
        if block:
            self.output.feed(block)
        return block != b''

    def stop(self) -> None:
        process, self.process = self.process, None
        output, self.output = self.output, None
        try:
            if process is not None:
                see_off(process, self.grace)
        finally:
            if output is not None:
                output.close()


class Overseer:
    def __init__(self, specs: list[ChildSpec], folder: Path, grace: float = 2.0) -> None:
        self.folder = folder
        self.running = True
        self.children = [SupervisedChild(spec, folder, grace) for spec in specs]
        with ExitStack() as stack:
            stack.enter_context(pid_file(folder / 'overseer.pid'))
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._control = stack.enter_context(self._listen(folder / 'control'))
            self._selector.register(self._control, selectors.EVENT_READ)
            self._wake_r, self._wake_w = os.pipe()
            stack.callback(os.close, self._wake_r)
            stack.callback(os.close, self._wake_w)
            self._selector.register(self._wake_r, selectors.EVENT_READ)
            for child in self.children:
                stack.callback(child.stop)
                self._start(child)
            self._stack = stack.pop_all()

    @staticmethod
    def _listen(path: Path) -> socket.socket:
        with suppress(FileNotFoundError):
            path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(str(path))
            sock.listen(4)
        except BaseException:
            sock.close()
            raise
        return sock

    def _start(self, child: SupervisedChild) -> None:
        child.start()
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def close(self) -> None:
        self.running = False
        self._stack.close()

    def wake(self) -> None:
        """May be called from a signal handler."""
        os.write(self._wake_w, b'.')

    def run(self) -> None:
        """Until somebody says quit, or no child is left."""
        while self.running and any(child.process for child in self.children):
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    self._serve_control()
                elif key.fileobj == self._wake_r:
                    os.read(self._wake_r, 64)
                    self.running = False
                elif not key.data.pump():
                    self._selector.unregister(key.fileobj)
                    self._child_ended(key.data)

    def _child_ended(self, child: SupervisedChild) -> None:
        child.stop()
        if child.starts > child.spec.restarts:
            log.error('%s keeps ending, given up', child.spec.name)
            return
        self._start(child)

    def _serve_control(self) -> None:
        peer, _ = self._control.accept()
        with peer:
            peer.settimeout(1.0)
            with peer.makefile('rw', encoding='ascii') as stream:
                command = stream.readline().strip()
                if command == 'status':
                    for child in self.children:
                        state = child.process.pid if child.process else 'down'
                        stream.write(f'{child.spec.name} {state} {child.starts}\n')
                elif command == 'reopen':
                    for child in self.children:
                        if child.output is not None:
                            child.output.reopen()
                    stream.write('ok\n')
                elif command == 'quit':
                    self.running = False
                    stream.write('ok\n')
                else:
                    stream.write('what?\n')


@contextmanager
def pid_file(path: Path) -> Iterator[None]:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise OverseerError(f'{path} exists, is another one running?') from None
    try:
        try:
            os.write(fd, b'%d\n' % os.getpid())
        finally:
            os.close(fd)
        yield
    finally:
        path.unlink()


def output_lines(argv: list[str], folder: Path) -> Iterator[str]:
    """Lines a command prints, as they come; its failure is an error at the end."""
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            yield line.rstrip('\n')
        if process.wait() != 0:
            raise OverseerError(f'{argv[0]} ended with {process.returncode}')
    finally:
        with process:
            process.kill()


def run_on_terminal(argv: list[str], limit: int = 1 << 16) -> bytes:
    """What a command prints if it believes that a person is watching."""
    output = b''
    with ExitStack() as stack:
        ours, theirs = os.openpty()
        stack.callback(os.close, ours)
        try:
            process = stack.enter_context(
                subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs))
            stack.callback(process.kill)
        finally:
            os.close(theirs)
        while len(output) < limit:
            try:
                block = os.read(ours, BLOCK)
            except OSError as exc:
                if exc.errno == errno.EIO:
                    break               # what Linux says at the end of a terminal
                raise
            if not block:
                break
            output += block
    return output
