"""A small print server: jobs are spooled, a thread feeds the printer, accounts are kept per user.

The printer is a command that reads a page description from its standard input, or a device file.
"""

import atexit
import logging
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import cached_property, lru_cache

PAGE = b"\f"
LATEST = 12
REMEMBERED = 18

logger = logging.getLogger("printd")


class PrinterError(Exception):
    """Nothing comes out of the printer."""


@lru_cache(maxsize=24)
def user_folder(name):
    return "".join(c if c.isalnum() else "_" for c in name.lower())


@lru_cache(40)
def banner(user, title):
    width = max(len(user), len(title)) + 4
    return "\n".join(["#" * width, "# %s" % user, "# %s" % title, "#" * width])


class Job:
    def __init__(self, user, title, path):
        self.user = user
        self.title = title
        self.path = path
        self._error = None

    @cached_property
    def size(self):
        return os.path.getsize(self.path)

    @cached_property
    def pages(self):
        with open(self.path, "rb") as source:
            return source.read().count(PAGE) + 1

    def fail(self, reason):
        self._error = reason


class Listeners:
    """Who is told of finished jobs."""

    def __init__(self):
        self._callbacks = []

    def add_listener(self, callback):
        self._callbacks.append(callback)

    def remove_listener(self, callback):
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def tell(self, job):
        for callback in list(self._callbacks):
            callback(job)


class Accounts:
    """Pages by user, kept in a file."""

    def __init__(self, path, listeners: Listeners):
        self.path = path
        self.pages = {}
        self._listeners = listeners
        self._lock = threading.Lock()
        self._listeners.add_listener(self.charge)

    def charge(self, job):
        with self._lock:
            self.pages[job.user] = self.pages.get(job.user, 0) + job.pages

    def save(self):
        with self._lock:
            with open(self.path, "w", encoding="utf-8") as out:
                for user in sorted(self.pages):
                    out.write("%s %d\n" % (user, self.pages[user]))

    def total(self):
        with self._lock:
            return sum(self.pages.values())

    def close(self):
        self._listeners.remove_listener(self.charge)


class Device:
    """A printer behind a device file, with a log of what was sent."""

    def __init__(self, path, log_path):
        self.sent = 0
        self.handlers = {"page": self.page, "feed": self.feed}
        self._log = open(log_path, "a", encoding="utf-8")
        try:
            self._out = open(path, "ab")
        except BaseException:
            self._log.close()
            raise

    def page(self, data):
        self._out.write(data)
        self.sent += 1
        self._log.write("page %d\n" % self.sent)

    def feed(self, data=PAGE):
        self._out.write(data)

    def close(self):
        try:
            self._log.close()
        finally:
            self._out.close()


class StatusFile:
    def __init__(self, path):
        self._states = (self.ready, self.busy)
        self._out = open(path, "w", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def show(self, number):
        self._states[number]()

    def ready(self):
        self._out.write("ready\n")

    def busy(self):
        self._out.write("busy\n")

    def close(self):
        self._out.close()


class Tray:
    """How much paper there is; knows its printer without holding it."""

    def __init__(self, printer, sheets):
        self.sheets = sheets
        self._printer = printer

    def take(self, count):
        if count > self.sheets:
            self._printer().note("paper is out")
            raise PrinterError("%d sheets, %d left" % (count, self.sheets))
        self.sheets -= count


class Printer:
    """Feeds jobs to a command, one after the other."""

    def __init__(self, command, listeners: Listeners, sheets=100):
        self.command = list(command)
        self.notes = deque(maxlen=LATEST)
        self.done = 0
        self._failure = None
        self._listeners = listeners
        self._tray = Tray(weakref.ref(self), sheets)
        self._titles = OrderedDict()
        self._guard = threading.Lock()
        self._waiting = queue.Queue()
        self._feeder = threading.Thread(target=self._feed, name="feeder")
        self._feeder.start()

    def note(self, text):
        self.notes.append(text)

    def submit(self, job):
        with self._guard:
            self._titles[job.title] = job.user
            if len(self._titles) > REMEMBERED:
                self._titles.popitem(last=False)
        self._waiting.put(job)

    def remembers(self, title):
        with self._guard:
            return title in self._titles

    def _feed(self):
        while True:
            job = self._waiting.get()
            if job is None:
                break
            self.print_now(job)
            self.done += 1

    def print_now(self, job):
        try:
            self._tray.take(job.pages)
            with open(job.path, "rb") as source:
                code = subprocess.call(self.command, stdin=source, stdout=subprocess.DEVNULL)
            if code:
                raise PrinterError("%s ended with %d" % (self.command[0], code))
        except (PrinterError, OSError) as error:
            self._failure = str(error)
            self.notes.append(self._failure)
            return False
        self._listeners.tell(job)
        return True

    def close(self):
        self._waiting.put(None)
        self._feeder.join()


class Spooler:
    """Takes documents in."""

    def __init__(self, folder):
        self.folder = folder
        self._mutex = threading.RLock()
        self._count = 0

    def take(self, user, title, chunks):
        with self._mutex:
            self._count += 1
            number = self._count
        path = os.path.join(self.folder, "%06d-%s" % (number, user_folder(user)))
        with open(path, "wb") as out:
            out.write(banner(user, title).encode("utf-8"))
            for chunk in chunks:
                out.write(chunk)
        return Job(user, title, path)

    def drop(self, job):
        with self._mutex:
            with suppress(FileNotFoundError):
                os.unlink(job.path)


@contextmanager
def job_log(job):
    """What is logged while a job runs, beside the job."""
    handler = logging.FileHandler(job.path + ".log", encoding="utf-8")
    try:
        logger.addHandler(handler)
        try:
            yield logger
        finally:
            logger.removeHandler(handler)
    finally:
        handler.close()


def convert(command, text):
    """Has a program turn text into a page description."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as source:
        source.write(text)
        source.flush()
        return subprocess.check_output([*command, source.name])


def convert_all(command, texts):
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda text: convert(command, text), texts))
    return PAGE.join(pages)


def booklet(pages, target):
    """Writes pages in the order of a booklet."""
    work = tempfile.mkdtemp(prefix="booklet-")
    try:
        draft = os.path.join(work, "draft")
        order = []
        for number in range((len(pages) + 1) // 2):
            order.append(pages[number])
            if len(pages) - 1 - number > number:
                order.append(pages[len(pages) - 1 - number])
        with open(draft, "wb") as out:
            out.write(PAGE.join(order))
        shutil.copyfile(draft, target)
    finally:
        shutil.rmtree(work)


def wake(command):
    subprocess.run([*command, "--wake"], stdin=subprocess.DEVNULL)


def self_test(path):
    with StatusFile(path) as status:
        for number in range(2):
            status.show(number)


def test_page(device, log_path):
    with closing(Device(device, log_path)) as printer:
        printer.handlers["page"](b"test")
        printer.handlers["feed"]()
        return printer.sent


class LastWords:
    """Says in a file that the server has ended."""

    def __init__(self, path):
        self.path = path

    def start(self):
        atexit.register(self.write)

    def write(self):
        with open(self.path, "a", encoding="ascii") as out:
            out.write("ended\n")

    def stop(self):
        atexit.unregister(self.write)
