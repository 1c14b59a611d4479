"""Watches over the programs of a small server at night: runs jobs, restarts what fails, keeps records, tells the morning.

A plan is a text of lines ``name: program arguments…``. Jobs run one after the other; what they print goes to a log.
"""

import contextlib
import gzip
import logging
import os
import queue
import shlex
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)

BEACON = ("127.0.0.1", 8479)
SEVERITIES = (("ok", 0), ("late", 1), ("failed", 2))


class NightPlanError(ValueError):
    """A line of a plan that can't be understood."""


class JobFailed(Exception):
    def __init__(self, name, code):
        super().__init__(f"{name} ended with {code}")
        self.code = code


def parse_plan(text):
    jobs = []
    for line in text.splitlines():
        name, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise NightPlanError(line)
        jobs.append((name.strip(), shlex.split(command)))
    return tuple(jobs)


class NightLog:
    """What jobs print in one file, when they ran in another."""

    def __init__(self, base):
        self.jobs = 0
        self._printed = open(base + ".out", "w", encoding="utf-8")
        try:
            self._times = open(base + ".times", "w", encoding="ascii")
        except BaseException:
            self._printed.close()
            raise

    def add(self, name, seconds, printed):
        self.jobs += 1
        self._times.write(f"{name} {seconds:.1f}\n")
        for line in printed.splitlines():
            self._printed.write(f"{name}: {line}\n")

    def close(self):
        try:
            self._printed.close()
        finally:
            self._times.close()


class Watchbook:
    """A base of what happened; the paper copy is only begun when something does."""

    def __init__(self, folder):
        self._folder = folder
        self._copy = None
        self._base = sqlite3.connect(os.path.join(folder, "watch.db"))

    def count(self):
        try:
            return self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        except sqlite3.Error:
            return 0

    def note(self, text):
        if self._copy is None:
            self._copy = open(os.path.join(self._folder, "watch.txt"), "a", encoding="utf-8")
        self._copy.write(text + "\n")

    def close(self):
        if self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.close()
            self._copy = None
        self._base.close()


class YesterdaysLog:
    """The packed log of the night before."""

    def __init__(self, path):
        self._lines = gzip.open(path, "rt", encoding="utf-8")
        weakref.finalize(self, self._lines.close)

    def of(self, name):
        found = []
        for line in self._lines:
            if line.startswith(name + ":"):
                found.append(line)
        return "".join(found)

    def close(self):
        self._lines.close()


def _hang_up(line):
    line.close()


class Hotline:
    """The line to the one who sleeps; it is given up with the object at the latest."""

    def __init__(self, address):
        self._phone = socket.create_connection(address, timeout=2)
        weakref.finalize(self, _hang_up, self._phone)

    def ask(self, question):
        self._phone.sendall(question.encode("utf-8") + b"\n")
        return self._phone.recv(200).decode("utf-8").strip()

    def close(self):
        self._phone.close()


class LampBoard:
    """Lamps on the wall, each with a word; the board is a device file."""

    def __init__(self, device):
        self._lamps = {"green": self.green, "red": self.red}
        self._wall = open(device, "a", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def show(self, lamp):
        self._lamps[lamp]()

    def green(self):
        self._wall.write("g1 r0\n")

    def red(self):
        self._wall.write("g0 r1\n")

    def close(self):
        self._wall.close()


class LoadWatch:
    """Looks at the load in a thread."""

    def __init__(self, look, pause=0.001):
        self._look = look
        self._pause = pause
        self._highest = 0.0
        self._dawn = threading.Event()
        self._guard = threading.Thread(target=self._stand_guard, name="load")
        self._guard.start()

    def _stand_guard(self):
        while not self._dawn.is_set():
            self._highest = max(self._highest, self._look())
            self._dawn.wait(self._pause)

    def highest(self):
        return self._highest

    def close(self):
        self._dawn.set()
        self._guard.join(1)


class YardVoice:
    """Says things in the yard, one after the other; nobody waits for the loudspeaker."""

    def __init__(self, speaker):
        self.said = 0
        self._speaker = speaker
        self._sayings = queue.Queue()
        self._voice = None

    def start(self):
        if self._voice is None:
            self._voice = threading.Thread(target=self._say_all)
            self._voice.start()

    def say(self, text):
        self._sayings.put(text)

    def _say_all(self):
        while True:
            text = self._sayings.get()
            if text is None:
                break
            with contextlib.suppress(OSError):
                speak(self._speaker, text)
            self.said += 1

    def stop(self):
        if self._voice is not None:
            self._sayings.put(None)
            self._voice.join()
            self._voice = None


class Inspectors:
    """Looks into folders for what should not be there."""

    def __init__(self, suspicious):
        self.found = 0
        self._suspicious = suspicious
        self._inspectors = ThreadPoolExecutor(1)

    def look(self, folder):
        return self._inspectors.submit(self._search, folder)

    def _search(self, folder):
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if self._suspicious(entry.name))

    def look_into(self, folders):
        with ThreadPoolExecutor(2) as team:
            for names in team.map(self._search, folders):
                self.found += len(names)
        return self.found

    def close(self):
        self._inspectors.shutdown()


def speak(speaker, text):
    """Says a text at once, word by word."""
    with open(speaker, "a", encoding="utf-8") as out:
        for word in text.split():
            out.write(word + "\n")


def run_job(name, command, folder):
    """What the job printed, unless it fails."""
    with tempfile.TemporaryFile(dir=folder) as printed:
        code = subprocess.call(command, stdout=printed, stderr=subprocess.STDOUT)
        if code:
            raise JobFailed(name, code)
        printed.seek(0)
        return printed.read().decode("utf-8", "replace")


def run_plan(text, base, tries=2):
    """Runs all jobs of a plan, each some times until it works; gives the names of those that never did."""
    failed = []
    with contextlib.closing(NightLog(base)) as night:
        for name, command in parse_plan(text):
            for attempt in range(tries):
                try:
                    night.add(name, attempt, run_job(name, command, os.path.dirname(base)))
                    break
                except JobFailed as error:
                    log.warning("%s", error)
            else:
                failed.append(name)
    return failed


def blink(device, lamps):
    with LampBoard(device) as board:
        for lamp in lamps:
            board.show(lamp)


def sync_disks(command, disks):
    for disk in disks:
        subprocess.run([*command, disk], stdin=subprocess.DEVNULL)


def wake(command):
    """Has a program make some noise; who sleeps on does not want to know."""
    subprocess.run([*command, "--loud"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def signal_life(times):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beacon:
        for number in range(times):
            beacon.sendto(b"alive %d" % number, BEACON)


def severity(word):
    with contextlib.closing(sqlite3.connect(":memory:")) as scale:
        scale.execute("CREATE TABLE IF NOT EXISTS scale (word TEXT PRIMARY KEY, weight INTEGER)")
        for row in SEVERITIES:
            scale.execute("INSERT OR IGNORE INTO scale VALUES (?, ?)", row)
        found = scale.execute("SELECT weight FROM scale WHERE word = ?", (word,)).fetchone()
        return 0 if found is None else found[0]


def morning_parcel(files, target):
    """All files of a night in one archive."""
    parcel = tempfile.mkdtemp(prefix="night-")
    try:
        for path in files:
            shutil.copy(path, parcel)
        shutil.make_archive(target, "zip", parcel)
    finally:
        shutil.rmtree(parcel)


def morning_mail(lines, send):
    """Sends the report as a file, which nobody needs later."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as report:
        try:
            for line in lines:
                report.write(line + "\n")
            report.flush()
            send(report.name)
        finally:
            os.unlink(report.name)
