"""What the module's calls have returned and what can be held, kept alive until the run is over.

A strong reference to each keeps deallocation from releasing anything: only the program itself can.
"""

import inspect
import os
import tempfile
import types
import weakref

from callee import TOTAL
from probe import bottom, closes_for_good, descriptor_of, is_held, is_lock, is_stub, keeps_pipes, open_as, prepare, probe_for

# They return numbers that are descriptors.
DESCRIPTOR_MAKERS = {
    "posix.open",
    "posix.dup",
    "posix.pipe",
    "posix.pipe2",
    "posix.openpty",
    "posix.memfd_create",
    "posix.eventfd",
    "posix.pidfd_open",
    "pty.openpty",
    "tempfile.mkstemp",
    "_socket.socket.detach",
    "_socket.dup",
    "_io.FileIO.detach",
}
# They return paths of what they have made.
PATH_MAKERS = {"tempfile.mkdtemp", "tempfile.mkstemp"}
_MANY = 8
_NUMBERS_AND_PATHS = (int, tuple, str, bytes)
# Nothing can be held by them.
_PLAIN = frozenset((int, float, str, bytes, dict, set, frozenset))
_NONE = types.MappingProxyType({})


class Held:
    """One acquisition: the object, and the sites that it came from."""

    __slots__ = ("value", "sites", "chain", "number", "identity", "path", "acquired")

    def __init__(self, value, sites, chain):
        self.value = value
        self.sites = set(sites)
        self.chain = chain
        self.number = None
        self.identity = None
        self.path = None
        self.acquired = []  # of a lock: the sites of `acquire()` that no `release()` has answered

    def came_from(self, sites):
        return bool(self.sites & sites) or any(site in sites for site in self.chain)

    def answers_for(self, sites):
        """Whether it was there that what is held now was acquired."""
        return any(site in sites for site in self.acquired) if self.acquired else self.came_from(sites)

    def signal(self):
        """The word for it, if it stays."""
        if self.path is not None:
            return "temp-file"
        if inspect.iscoroutine(self.value):
            return "coroutine"
        if inspect.isasyncgen(self.value):
            return "async-generator"
        return "lock" if is_lock(self.value) else "unreleased"

    def closes_for_good(self):
        return self.number is not None or self.path is not None or closes_for_good(self.value)

    def places(self):
        return sorted(set(self.acquired) or self.sites)


class Registry:
    """`strict`: whatever path `tempfile` has made must be gone, not only in the folder for temporary files."""

    def __init__(self, strict=False):
        self.strict = strict
        self.held = []
        self.by_id = {}
        self.drivers = {}
        self.kept = []
        self.watched = []  # of what is held: all that may be open now or later
        self.seen = 0
        self.coroutines = []
        self.streams = []

    def take_drivers(self, value):
        """A value that the driver has made, or passes in."""
        for each in _elements(value):
            if id(each) not in self.by_id and (probe_for(each) is not None or is_stub(each)):
                self.drivers[id(each)] = each
                if is_lock(each):
                    prepare(each)

    def take(self, value, site, chain, function, kind, args=(), kwargs=_NONE):
        """A value that a call of the module has returned; `args` and `kwargs` are the call's."""
        if value is None or value is True or value is False:
            if value:
                self._acquired_again(function, site, chain)
            return
        if isinstance(value, _NUMBERS_AND_PATHS) and self._take_made(value, site, chain, _qualified(function)) or type(value) in _PLAIN:
            return
        given = (*args, *kwargs.values())
        if function is weakref.finalize:
            self.kept += given[:1]  # what a finalizer releases is not released by the program
        if type(value).__name__ == "_TemporaryFileWrapper" and not value._closer.delete:
            self._take_path(value.name, site, chain)
        for each in _elements(value):
            self._take_one(each, site, chain, kind, given)

    def _take_made(self, value, site, chain, maker):
        """What no object stands for. Whether it was descriptors."""
        if maker in PATH_MAKERS:
            self._take_path(value if maker.endswith("mkdtemp") else value[1], site, chain)
        if maker in DESCRIPTOR_MAKERS:
            self._take_numbers(value, site, chain)
            return True
        return False

    def take_suspended(self, value, site, chain):
        """A coroutine or an async generator of the module: someone must run the one and close the other."""
        if inspect.iscoroutine(value):
            self.coroutines.append(Held(value, (site,), chain))
        elif inspect.isasyncgen(value):
            self.streams.append(Held(value, (site,), chain))

    def _take_path(self, path, site, chain):
        path = os.path.abspath(os.fsdecode(path))
        if self.strict or path.startswith(os.path.join(tempfile.gettempdir(), "")):
            held = Held(path, (site,), chain)
            held.path = path
            self.held.append(held)

    def _take_one(self, value, site, chain, kind, given):
        known = self.by_id.get(id(value))
        if known is not None:
            known.sites.add(site)
        elif id(value) not in self.drivers and (probe_for(value) is not None or is_stub(value)):
            if kind is not TOTAL or not _is_fetched(value):
                self._add(Held(value, {site}.union(*map(self._sites_of, given)), chain))
        elif isinstance(getattr(type(value), "__del__", None), types.FunctionType):
            self.kept.append(value)  # what it releases while it is finalised is not released by the program

    def _sites_of(self, given):
        """What wraps an acquisition, or adopts its descriptor, comes from where that came from."""
        known = self.by_id.get(id(given))
        if known is not None:
            return known.sites
        if type(given) is int:
            return set().union(*(held.sites for held in self.held if held.number == given))
        return ()

    def _add(self, held):
        prepare(held.value)
        self.held.append(held)
        self.by_id[id(held.value)] = held

    def _take_numbers(self, value, site, chain):
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int):
                held = Held(number, (site,), chain)
                held.number = number
                held.identity = _identity(number)
                self.held.append(held)

    def _acquired_again(self, function, site, chain):
        """`lock.acquire()`: the object was made elsewhere, by whomever, and the obligation arises here."""
        lock = getattr(function, "__self__", None)
        if getattr(function, "__name__", "") != "acquire" or not is_lock(lock):
            return
        if id(lock) not in self.by_id:
            self._add(Held(lock, (), chain))
        held = self.by_id[id(lock)]
        held.sites.add(site)
        held.acquired.append(site)

    def released(self, function):
        """`lock.release()` answers the last `acquire()`."""
        if getattr(function, "__name__", "") == "release":
            held = self.by_id.get(id(getattr(function, "__self__", None)))
            if held is not None and held.acquired:
                held.acquired.pop()

    def is_open(self, held, ask=open_as):
        """What it still holds, or nothing."""
        if held.number is not None:
            return self._number_open(held)
        if held.path is not None:
            return f"{os.path.basename(held.path)} left behind" if os.path.lexists(held.path) else None
        what = ask(held.value)
        return None if what and self._is_drivers(held.value) else what

    def is_held(self, held):
        """In the middle of a run."""
        return bool(self.is_open(held, is_held))

    def state(self):
        """Where all that is held now was acquired."""
        self.watched += self.held[self.seen :]
        self.seen = len(self.held)
        now = [held for held in self.watched if self.is_held(held)]
        self.watched = [held for held in self.watched if held in now or not held.closes_for_good()]
        return frozenset(site for held in now for site in held.places())

    def _is_drivers(self, value):
        low = bottom(value)
        return low is not value and id(low) in self.drivers

    def _number_open(self, held):
        """A later owner of the same number has adopted it, or it was closed before."""
        if _identity(held.number) != held.identity:
            return None
        at = self.held.index(held)
        for later in self.held[at + 1 :]:
            number = later.number if later.number is not None else descriptor_of(later.value)
            if number == held.number:
                return None
        if any(descriptor_of(each) == held.number for each in self.drivers.values()):
            return None
        return f"descriptor {held.number}"

    def forget_pools(self):
        """Those that are shut down keep their pipes open until nobody refers to them."""
        for held in self.held:
            if keeps_pipes(held.value) and not self.is_open(held):
                del self.by_id[id(held.value)]
                held.value = None

    def all_open(self):
        found = []
        for held in self.held:
            what = self.is_open(held)
            if what:
                found.append((held, what))
        return found

    def never_awaited(self):
        return [(held, f"{held.value.__qualname__}() never awaited") for held in self.coroutines if _is_new(held.value)]

    def suspended(self):
        return [(held, f"{held.value.__qualname__}() not closed") for held in self.streams if _is_suspended(held.value)]

    def lost_errors(self, all_errors):
        """Tasks that have failed, with any error or with the injected one, and nobody has asked how they ended."""
        tasks = [held for held in self.held if getattr(held.value, "_log_traceback", False)]
        return [(held, "task, its error lost") for held in tasks if all_errors or hasattr(held.value._exception, "made_to_fail")]

    def made(self):
        return [*self.held, *self.coroutines, *self.streams]

    def explained(self):
        """Descriptors of what is known, the driver's own included."""
        numbers = {held.number if held.number is not None else descriptor_of(held.value) for held in self.held}
        numbers |= {descriptor_of(each) for each in self.drivers.values()}
        return numbers - {None}


def _is_new(coroutine):
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED


def _is_suspended(stream):
    """Stands at a `yield`: `inspect` knows no states of async generators before Python 3.12."""
    frame = stream.ag_frame
    return frame is not None and frame.f_lineno > stream.ag_code.co_firstlineno


def _elements(value):
    if isinstance(value, (tuple, list)):
        return value if len(value) <= _MANY else ()
    return (value,)


def _identity(number):
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_fetched(value):
    """A total call makes locks, threads and tasks; anything else it has only fetched from somewhere."""
    name = type(value).__module__
    return not name.startswith(("threading", "_thread", "_asyncio", "asyncio", "_io", "io", "os", "logging"))


def _qualified(function):
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None)
    if module is None and owner is not None:
        for cls in type(owner).__mro__:
            if function.__name__ in vars(cls):
                return f"{cls.__module__}.{cls.__qualname__}.{function.__name__}"
    return f"{module}.{getattr(function, '__qualname__', '')}"
