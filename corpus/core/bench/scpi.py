"""Record measurements of bench instruments that speak SCPI over TCP.

One run is a folder: `run.lock` while it lasts, `trace-NNN.csv.gz` for every sweep, `summary.json` at the end.
"""

import contextlib
import csv
import gzip
import json
import logging
import os
import select
import socket
import subprocess
import sys

log = logging.getLogger(__name__)

TERMINATOR = b"\n"
MAX_ANSWER = 64 * 1024


class InstrumentError(Exception):
    """The instrument answered with an error or not at all."""


class ScpiLink:
    """A TCP connection to one instrument."""

    def __init__(self, address, timeout=5.0):
        self.address = address
        self.timeout = timeout
        self.identity = None
        self._sock = None

    def connect(self):
        self._sock = socket.create_connection(self.address, self.timeout)
        try:
            self._sock.sendall(b"*IDN?" + TERMINATOR)
            self.identity = self._answer().decode("ascii", "replace")
        except BaseException:
            self._sock.close()
            raise
        log.info("connected to %s", self.identity)

    def reconnect(self):
        """After a power cycle the old connection is dead without anybody having said so."""
        if self._sock is not None:
            self._sock.close()
        self._sock = socket.create_connection(self.address, self.timeout)

    def close(self):
        if self._sock is not None:
            self._sock.close()

    def ask(self, command):
        self._sock.sendall(command.encode("ascii") + TERMINATOR)
        answer = self._answer()
        if answer.startswith(b"ERR"):
            raise InstrumentError(f"{command}: {answer.decode('ascii', 'replace')}")
        return answer.decode("ascii")

    def _answer(self):
        parts = []
        size = 0
        while not parts or not parts[-1].endswith(TERMINATOR):
            block = self._sock.recv(4096)
            size += len(block)
            if not block or size > MAX_ANSWER:
                raise InstrumentError("no whole answer")
            parts.append(block)
        return b"".join(parts).rstrip()


def probe(address, greeting=None):
    """Whether somebody listens there; with a greeting, what is answered to it."""
    sock = socket.create_connection(address, 2.0)
    if greeting is None:
        sock.close()
        return True
    with sock:
        sock.sendall(greeting + TERMINATOR)
        return sock.recv(256).strip()


def listen_for_triggers(port=0, backlog=2):
    """A socket on which external trigger boxes connect; the caller's to close."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def trigger_pipe():
    """A pipe whose reading end a signal handler can be waited on with; gives both ends."""
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        try:
            os.close(writer)
        finally:
            os.close(reader)


@contextlib.contextmanager
def opened_trace(path):
    """A csv writer on a new compressed trace."""
    trace = gzip.open(path, "wt", newline="", encoding="ascii")
    try:
        yield csv.writer(trace)
    finally:
        trace.close()


class Run:
    """One series of sweeps and its folder."""

    def __init__(self, folder, link):
        self.folder = folder
        self.link = link
        self.sweeps = []

    def claim(self):
        """Mark the folder as ours; two programs in one folder would number their traces alike."""
        marker = os.open(self._path("run.lock"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        try:
            os.write(marker, b"%d\n" % os.getpid())
            os.fsync(marker)
        finally:
            os.close(marker)

    def release(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path("run.lock"))

    def sweep(self, channel, points):
        """Take one sweep; a trace that breaks off keeps its `.part` name away from the analysis."""
        target = self._path("trace-%03d.csv.gz" % len(self.sweeps))
        part = target + ".part"
        complete = False
        trace = gzip.open(part, "wt", newline="", encoding="ascii")
        try:
            rows = csv.writer(trace)
            for point in range(points):
                value = float(self.link.ask(f"MEAS? {channel},{point}"))
                if value != value:
                    log.warning("channel %s has no signal at %d", channel, point)
                    continue
                rows.writerow([point, value])
            complete = True
        finally:
            if complete:
                trace.close()
                os.replace(part, target)
            else:
                trace.close()
                os.unlink(part)
        self.sweeps.append(target)
        return target

    def values(self, number):
        """The points of an earlier sweep, one by one."""
        with gzip.open(self.sweeps[number], "rt", newline="", encoding="ascii") as trace:
            for point, value in csv.reader(trace):
                yield int(point), float(value)

    def peak(self, number, above=None):
        """(point, value) of the first value above a limit, else of the largest one."""
        best = None
        with gzip.open(self.sweeps[number], "rt", newline="", encoding="ascii") as trace:
            for point, value in csv.reader(trace):
                pair = int(point), float(value)
                if above is not None and pair[1] > above:
                    return pair
                if best is None or pair[1] > best[1]:
                    best = pair
        return best

    def merge(self, name, calibration=None):
        """All sweeps in one table, each with the calibration's column beside it."""
        merged = self._path(name)
        with open(merged, "w", newline="", encoding="ascii") as out:
            rows = csv.writer(out)
            for number, sweep in enumerate(self.sweeps):
                with gzip.open(sweep, "rt", newline="", encoding="ascii") as trace:
                    for point, value in csv.reader(trace):
                        rows.writerow([number, point, value, _offset(calibration, point)])
        return merged

    def finish(self, tool=None):
        """Write the summary; a tool, if given, gets it on its input and may comment on it."""
        summary = {"instrument": self.link.identity, "sweeps": len(self.sweeps)}
        if tool is not None:
            summary["comment"] = self._comment(tool, summary)
        with open(self._path("summary.json"), "w", encoding="ascii") as out:
            json.dump(summary, out, indent=1)
        return summary

    def _comment(self, tool, summary):
        question = json.dumps(summary).encode("ascii")
        process = subprocess.Popen(tool, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder)
        answer, _ = process.communicate(question)
        return answer.decode("utf-8", "replace").strip()

    def _path(self, name):
        return os.path.join(self.folder, name)


def _offset(calibration, point):
    return 0.0 if calibration is None else calibration.get(int(point), 0.0)


def read_calibration(path):
    """Offsets by point, from the lines `point offset`."""
    with open(path, encoding="ascii") as lines:
        return {int(point): float(offset) for point, offset in map(str.split, lines)}


def wait_for_trigger(listener, wake, timeout=1.0):
    """The address of the next trigger box, or None if `wake` became readable first."""
    ready, _, _ = select.select([listener, wake], [], [], timeout)
    if listener not in ready:
        return None
    box, address = listener.accept()
    with box:
        box.sendall(b"armed\n")
    return address


def record(address, folder, channels, points=8, tool=None):
    """A whole run: one sweep per channel."""
    link = ScpiLink(address)
    link.connect()
    try:
        run = Run(folder, link)
        run.claim()
        try:
            for channel in channels:
                run.sweep(channel, points)
            return run.finish(tool)
        finally:
            run.release()
    finally:
        link.close()


def main(arguments):
    host, port, folder, *channels = arguments
    print(json.dumps(record((host, int(port)), folder, channels)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
