"""Support for tests that deal with real processes, ports and files.

    class TestServer(trialkit.TrialCase):
        def test_answers(self):
            self.startChild(["python3", "server.py", str(self.leasePort())], ready="listening")

Everything a test gets from its case is put away after the test, whether it has passed or not.
"""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
from contextlib import ExitStack, contextmanager

PATIENCE = 5.0
PORTS = range(23400, 23500)


class TrialError(AssertionError):
    """The surroundings of a test did not do what the test needs."""


class ScratchTree:
    """A folder with files for one test."""

    def __init__(self, files=None, parent=None):
        self.path = tempfile.mkdtemp(prefix="trial-", dir=parent)
        try:
            for name, content in sorted((files or {}).items()):
                self.write(name, content)
        except BaseException:
            self.close()
            raise

    def write(self, name, content):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            data = content if isinstance(content, bytes) else content.encode("utf-8")
            while data:
                data = data[os.write(fd, data):]
        finally:
            os.close(fd)
        return path

    def digests(self):
        """Names of all files, with checksums of what is in them."""
        found = {}
        folders = [self.path]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    with open(entry.path, "rb") as source:
                        found[os.path.relpath(entry.path, self.path)] = hashlib.sha1(source.read()).hexdigest()
        return found

    def keep(self, target):
        """Pack the tree, so that somebody can look at it later."""
        archive = tarfile.open(target, "w:gz")
        try:
            for name in sorted(self.digests()):
                archive.add(os.path.join(self.path, name), name)
        except BaseException:
            archive.close()
            os.unlink(target)
            raise
        archive.close()

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


class PortLease:
    """A port that no other test on this machine is given, by way of locked files."""

    def __init__(self, folder=None, ports=PORTS):
        folder = folder or tempfile.gettempdir()
        for port in ports:
            fd = os.open(os.path.join(folder, "trial-port-%d" % port), os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = self._is_free(port)
            except BlockingIOError:
                free = False
            except BaseException:
                os.close(fd)
                raise
            if free:
                self.port = port
                self._fd = fd
                return
            os.close(fd)
        raise TrialError("all ports are in use")

    @staticmethod
    def _is_free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return probe.connect_ex(("127.0.0.1", port)) != 0

    def close(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class ChildProcess:
    """A child.  A thread collects what it prints, into a log and for `waitFor`."""

    def __init__(self, command, folder, log):
        self.command = list(command)
        self.lines = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._collect, name="trial-reader", daemon=True)
        with ExitStack() as stack:
            self._log = stack.enter_context(open(log, "ab", buffering=0))
            self.process = subprocess.Popen(self.command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT)
            stack.callback(self.process.stdout.close)
            stack.callback(self._joinReader)
            stack.callback(self.process.wait)
            stack.callback(self.process.kill)
            self._reader.start()
            self._resources = stack.pop_all()

    def _collect(self):
        try:
            for line in self.process.stdout:
                self._log.write(line)
                with self._news:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._news.notify_all()
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def waitFor(self, pattern, patience=PATIENCE):
        """The first line, from the beginning, that matches a pattern."""
        deadline = time.monotonic() + patience
        seen = 0
        with self._news:
            while True:
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                seen = len(self.lines)
                if self._ended:
                    raise TrialError("%s ended, and has not printed %r" % (self.command[0], pattern))
                if not self._news.wait(deadline - time.monotonic()):
                    raise TrialError("%s has not printed %r in time" % (self.command[0], pattern))

    def _joinReader(self):
        if self._reader.ident is not None:
            self._reader.join()

    def stop(self, patience=PATIENCE):
        """Ask the child to end, and end it if it does not."""
        with self._resources.pop_all():
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(patience)
                except subprocess.TimeoutExpired:
                    logging.getLogger("trialkit").warning("%s has to be killed", self.command[0])
        return self.process.returncode


class ScriptedPeer:
    """A server on the loopback interface that reads a line and says the next one of its script."""

    def __init__(self, script):
        self.heard = []
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        try:
            self._listener.settimeout(PATIENCE)
            self.address = self._listener.getsockname()
            self._thread = threading.Thread(target=self._play, name="trial-peer")
            self._thread.start()
        except BaseException:
            self._listener.close()
            raise

    def _play(self):
        try:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(PATIENCE)
                for answer in self._script:
                    line = stream.readline()
                    if not line:
                        break
                    self.heard.append(line.rstrip(b"\r\n"))
                    stream.write(answer + b"\n")
                    stream.flush()
        except OSError as exc:
            logging.getLogger("trialkit").debug("the script ends early: %s", exc)

    def close(self):
        try:
            # accept() goes on in a thread until somebody comes or the socket is shut
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self._listener.close()
            self._thread.join()


class StreamTap:
    """Takes what goes to a descriptor, of whatever process or library, until it is closed."""

    def __init__(self, fd):
        self._fd = fd
        self._saved = None
        self._sink = tempfile.TemporaryFile(prefix="trial-tap-")
        try:
            self._saved = os.dup(fd)
            os.dup2(self._sink.fileno(), fd)
        except BaseException:
            self.close()
            raise

    def text(self):
        self._sink.seek(0)
        return self._sink.read().decode("utf-8", "replace")

    def close(self):
        saved, self._saved = self._saved, None
        try:
            if saved is not None:
                try:
                    os.dup2(saved, self._fd)
                finally:
                    os.close(saved)
        finally:
            self._sink.close()


class LogTrap(logging.Handler):
    """Keeps records of a logger, which are not passed on meanwhile."""

    def __init__(self, name):
        logging.Handler.__init__(self)
        self.records = []
        self._logger = logging.getLogger(name)
        self._before = self._logger.propagate, self._logger.level

    def emit(self, record):
        self.records.append(record)

    @contextmanager
    def attached(self):
        self._logger.addHandler(self)
        self._logger.propagate = False
        self._logger.setLevel(logging.DEBUG)
        try:
            yield self.records
        finally:
            self._logger.removeHandler(self)
            self._logger.propagate, self._logger.level = self._before
            self.close()


class TrialCase(unittest.TestCase):
    files = {}
    keepIn = None

    def setUp(self):
        unittest.TestCase.setUp(self)
        self.tree = ScratchTree(self.files)
        self.addCleanup(self.tree.close)
        if self.keepIn:
            self.addCleanup(self.tree.keep, os.path.join(self.keepIn, self.id() + ".tar.gz"))
        self._stack = ExitStack()
        self.addCleanup(self._stack.close)

    def leasePort(self, **options):
        lease = PortLease(**options)
        self.addCleanup(lease.close)
        return lease.port

    def startChild(self, command, ready=None, patience=PATIENCE):
        child = ChildProcess(command, self.tree.path, os.path.join(self.tree.path, "child.log"))
        self.addCleanup(child.stop, patience)
        if ready:
            child.waitFor(ready, patience)
        return child

    def startPeer(self, *script):
        peer = ScriptedPeer(script)
        self.addCleanup(peer.close)
        return peer

    def trapLog(self, name):
        return self._stack.enter_context(LogTrap(name).attached())

    @contextmanager
    def assertPrints(self, pattern, fd=1):
        tap = StreamTap(fd)
        try:
            yield
            printed = tap.text()
        finally:
            tap.close()
        self.assertRegex(printed, pattern)

    @contextmanager
    def assertLeavesAlone(self, *names):
        before = self.tree.digests()
        yield
        after = self.tree.digests()
        changed = [name for name in names or before if before.get(name) != after.get(name)]
        self.assertEqual([], changed)
