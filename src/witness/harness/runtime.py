"""One run of one scenario: calls are counted, one of them fails, and in the end it is asked what is still open."""

import asyncio
import builtins
import contextvars
import errno
import gc
import inspect
import itertools
import os
import signal
import sys
import threading
import types
import typing
import weakref

import callee
import exits
import instrument
import stuck
from box import Again, Box
from probe import descriptors, force_closed, open_as
from registry import Registry
from surroundings import Surroundings, what_is_there

_chain = contextvars.ContextVar("sites of the calls that are active", default=())
_LOOK_SECONDS = 5.0
_current = None  # the run whose calls are counted
_dirty = False  # whether a run of this process has leaked
_at_first = None  # what there was around the first run
_leaked = []  # references to what has leaked, which keep nothing alive
_unknown = False  # whether something is left that cannot be followed
_loaded = {}  # what was put into `sys.modules`

# Says that all threads wait for ever. Ignored by whoever does not expect it.
STUCK = signal.SIGURG

PLAIN, OS_ERROR, RUNTIME_ERROR, CANCELLED = "plain", "OSError", "RuntimeError", "CancelledError"


class TimeLimit(BaseException):
    """The scenario takes too long."""


class Point:
    """A call that may fail, as the plain run has met it."""

    __slots__ = ("site", "kinds", "holding", "chain", "state")

    def __init__(self, site, kinds, holding, chain, state):
        self.site = site
        self.kinds = kinds
        self.holding = holding
        self.chain = chain
        self.state = state

    def key(self):
        """Equal for calls whose failures are alike."""
        return self.site, self.chain, self.state


class Run:
    """What is counted while a scenario runs. `target` is the number of the call that fails, 0 for none."""

    def __init__(self, callees, sites, target=0, error=PLAIN, watched=(), strict=False):
        self.callees = callees
        self.sites = sites
        self.target = target
        self.error = error
        self.watched = frozenset(watched)
        self.registry = Registry(strict)
        self.called = set()
        self.points = []
        self.count = 0
        self.live = False
        self.main = threading.get_ident()
        self.injected = None
        self.held_at_injection = False
        self.pending = []
        self.open_in_loop = []
        self.suspended = []
        self.again = None
        self.late = False
        self.unwatched = False  # nothing fails and nothing is kept

    def holding(self):
        """Whether something that came from a watched site is open now."""
        if not self.watched:
            return bool(self.registry.held)
        return any(held.answers_for(self.watched) and self.registry.is_held(held) for held in self.registry.held)

    def fails(self, site, kinds):
        """The kind of error to raise at this call, if it is the one."""
        if not self.live or threading.get_ident() != self.main:
            return None
        self.count += 1
        if self.target == 0:
            holding = self.holding()
            state = self.registry.state() if holding else frozenset()
            self.points.append(Point(site, kinds, holding, _chain.get(), state))
        if self.count != self.target or self.error not in kinds:
            return None
        self.injected = site
        self.held_at_injection = self.holding()
        return self.error


_FAILING = (OS_ERROR, RUNTIME_ERROR)
# Releases fail as the system makes them fail, which is what `suppress(OSError)` round one counts on.
_RELEASING = (OS_ERROR,)
_ALL = (OS_ERROR, RUNTIME_ERROR, CANCELLED)
# Nobody can release what a cancelled release leaves.
_AWAITED = {callee.TOTAL: (CANCELLED,), callee.MAY_BE_CANCELLED: (CANCELLED,), callee.RELEASE: _RELEASING}


_SUSPENDED = (types.CoroutineType, types.AsyncGeneratorType)


def _error(kind):
    error = OSError(errno.EIO, "input/output error") if kind == OS_ERROR else RuntimeError("this call fails")
    error.made_to_fail = True
    return error


def _drop_coroutines(args):
    for each in args:
        if inspect.iscoroutine(each):
            each.close()


def _call(site, function, /, *args, **kwargs):
    run = _current
    if run.unwatched:
        value = function(*args, **kwargs)
        run.called.add(site)
        return value
    kind = run.callees.kind(function, args)
    if run.live and (kind is callee.MAY_FAIL or kind is callee.RELEASE) and not inspect.iscoroutinefunction(function):
        failing = run.fails(site, _RELEASING if kind is callee.RELEASE else _FAILING)
        if failing is not None:
            if kind is callee.RELEASE:
                _released(run, function, args, kwargs)
            else:
                _drop_coroutines(args)
            raise _error(failing)
    before = _chain.get()
    _chain.set((*before, site))
    try:
        value = function(*args, **kwargs)
    finally:
        _chain.set(before)
    run.called.add(site)
    run.registry.released(function)
    if isinstance(value, _SUSPENDED):
        run.registry.take_suspended(value, site, before)
    elif value is not None:
        run.registry.take(value, site, before, function, kind, args, kwargs)
    return value


def _released(run, function, args, kwargs):
    value = function(*args, **kwargs)
    run.registry.released(function)
    if inspect.iscoroutine(value):
        value.close()


async def _await_call(site, function, /, *args, **kwargs):
    run = _current
    kind = run.callees.kind(function, args)
    failing = None
    if kind is not callee.INSIDE:
        failing = run.fails(site, _AWAITED.get(kind, _ALL))
    if failing == CANCELLED:
        asyncio.current_task().cancel()  # arrives at the next step that waits, as in real life
    elif failing is not None and kind is not callee.RELEASE:
        _drop_coroutines(args)
        raise _error(failing)
    before = _chain.get()
    _chain.set((*before, site))
    try:
        value = function(*args, **kwargs)
        if inspect.isawaitable(value):
            value = await value
        else:
            run.registry.take(value, site, before, function, kind)
            value = await value
    finally:
        _chain.set(before)
    run.called.add(site)
    run.registry.released(function)
    if failing in _FAILING:
        raise _error(failing)
    run.registry.take(value, site, before, function, kind)
    return value


async def _await(site, value, /):
    is_release = getattr(value, "__name__", "") in callee.RELEASES  # `closing = session.close()`, then `await closing`
    failing = _current.fails(site, _RELEASING if is_release else _ALL)
    if failing == CANCELLED:
        asyncio.current_task().cancel()
    elif failing is not None:
        if is_release:
            await value
        _drop_coroutines((value,))
        raise _error(failing)
    result = await value
    _current.registry.take(result, site, _chain.get(), _await, callee.MAY_FAIL)
    return result


class _Failing:
    """An iterable whose first step fails. Keeps what it stands for."""

    def __init__(self, kind, iterable):
        self.kind = kind
        self.iterable = iterable

    def __iter__(self):
        return self

    def __next__(self):
        raise _error(self.kind)

    def __aiter__(self):
        return self

    async def __anext__(self):
        raise _error(self.kind)


def _iterate(site, iterable, /):
    run = _current
    if run.unwatched or run.callees.iterates_safely(iterable):
        return iterable
    run.registry.take(iterable, site, _chain.get(), _iterate, callee.TOTAL)
    failing = run.fails(site, _FAILING)
    return iterable if failing is None else _Failing(failing, iterable)


def _iterate_async(site, iterable, /):
    run = _current
    code = getattr(iterable, "ag_code", None)
    if code is not None and code.co_filename == run.callees.path:
        return iterable
    failing = run.fails(site, _FAILING)
    return iterable if failing is None else _Failing(failing, iterable)


def _driver_call(function, /, *args, **kwargs):
    run = _current
    if run.unwatched or _chain.get():
        return function(*args, **kwargs)
    for each in (*args, *kwargs.values()):
        run.registry.take_drivers(each)
    value = function(*args, **kwargs)
    run.registry.take_drivers(value)
    return value


def _driver_value(value, /):
    if not _chain.get():
        _current.registry.take_drivers(value)
    return value


def install():
    global _at_first
    _at_first = what_is_there()
    exits.install()
    builtins._leakbench_call = _call
    builtins._leakbench_await = _await
    builtins._leakbench_await_call = _await_call
    builtins._leakbench_iterate = _iterate
    builtins._leakbench_iterate_async = _iterate_async
    builtins._leakbench_driver_call = _driver_call
    builtins._leakbench_driver_value = _driver_value


def _places(root, path):
    return os.path.join(root, path), os.path.join(root, "drivers", path)


def compile_ahead(job):
    """What all jobs on a module need, before they are forked off."""
    place, driver_place = _places(job["root"], job["module"])
    try:
        instrument.compile_driver(job["driver"], driver_place)
        if job.get("original"):
            instrument.compiled(job["original"], place)
    except (SyntaxError, ValueError, RecursionError):
        pass  # the job will say so


class Subject:
    """A module and its driver, compiled. Each run executes both anew."""

    def __init__(self, root, path, text, driver):
        self.root = root
        self.path = path
        self.name = path[:-3].replace("/", ".")
        self.file, self.driver_file = _places(root, path)
        self.compiled = instrument.compiled(text, self.file)
        self.code, self.sites = self.compiled.code, self.compiled.sites
        self.driver = instrument.compile_driver(driver, self.driver_file)
        self.callees = callee.Callees(self.name, self.file)

    def load(self):
        """The driver's scenarios, by name, on a fresh module."""
        self.callees.forget()
        for clear in typing._cleanups:  # these keep functions and classes of earlier runs alive, too
            clear()
        module = self._fresh(self.name, self.code, self.file)
        driver = self._fresh("_driver_of_" + self.name.replace(".", "_"), self.driver, self.driver_file)
        del module
        return {
            name: value
            for name, value in vars(driver).items()
            if isinstance(value, types.FunctionType) and not name.startswith("_") and value.__module__ == driver.__name__
        }

    def scenario_names(self):
        """Loads module and driver once, without counting anything."""
        global _current
        _current = Run(self.callees, self.sites)
        return list(self.load())

    def _fresh(self, name, code, file):
        package, _, last = name.rpartition(".")
        module = types.ModuleType(name)
        module.__file__ = file
        module.__package__ = package
        sys.modules[name] = _loaded[name] = module
        self._packages(package)
        exec(code, module.__dict__)
        if package:
            setattr(sys.modules[package], last, module)
        return module

    def _packages(self, package):
        parts = package.split(".") if package else []
        for at in range(len(parts)):
            name = ".".join(parts[: at + 1])
            if name not in sys.modules:
                made = types.ModuleType(name)
                made.__path__ = []
                sys.modules[name] = _loaded[name] = made
                if at:
                    setattr(sys.modules[".".join(parts[:at])], parts[at], made)


class Outcome:
    """What one run has shown."""

    def __init__(self, run, error, phase):
        self.run = run
        self.error = error
        self.phase = phase
        self.open = []  # (Held, what)
        self.lost = []  # (Held, what) of tasks that failed unheard
        self.signals = []  # (kind, text) of what no acquisition of the module explains
        self.driver_open = []

    @property
    def leaks(self):
        return bool(self.open or self.signals)


def _run_async(run, coroutine):
    """Like `asyncio.run`, but tells which tasks were left."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        task = loop.create_task(coroutine)
        try:
            loop.run_until_complete(task)
        finally:
            run.live = False
            run.open_in_loop = _open_among(run, ("connection", "asyncio server"))  # before the loop hears more of peers
            for _ in range(3):
                loop.run_until_complete(asyncio.sleep(0))
            run.pending = [each for each in asyncio.all_tasks(loop) if not each.done()]
            run.open_in_loop += _open_among(run, ("task",))
            for each in run.pending:
                each.cancel()
            loop.run_until_complete(asyncio.gather(*run.pending, return_exceptions=True))
            _shut_streams(run, loop)
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _shut_streams(run, loop):
    """What an async generator lets go only now, nobody else has released. One that holds nothing harms nobody."""
    run.suspended = run.registry.suspended()
    before = run.registry.all_open()
    loop.run_until_complete(loop.shutdown_asyncgens())
    still = {held for held, _ in run.registry.all_open()}
    let_go = [(held, what) for held, what in before if held not in still]
    if let_go:
        noted = {held for held, _ in run.open_in_loop}
        run.open_in_loop += run.suspended + [each for each in let_go if each[0] not in noted]


def _open_among(run, kinds):
    """While the loop still runs: afterwards everything of it is closed."""
    return [(held, what) for held, what in run.registry.all_open() if what in kinds]


def _strays(run):
    """Tasks that no call of the module has returned."""
    known = {id(held.value) for held, _ in run.open_in_loop} | set(run.registry.drivers)
    return [each for each in run.pending if id(each) not in known]


def start_clock(limit):
    """Rings again and again: a task that is interrupted keeps the error to itself, and the next one waits as well."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.signal(STUCK, _never_ends)
    signal.setitimer(signal.ITIMER_REAL, limit, limit)


def _alarm(*_):
    _current.late = True
    raise TimeLimit()


def _never_ends(*_):
    """No need to wait for the alarm, unless something else will ring before: then nobody may disturb it a second time."""
    if signal.getsignal(signal.SIGALRM) is _alarm and signal.getitimer(signal.ITIMER_REAL)[0] > 0 and not stuck.may_be_woken():
        _alarm()
    signal.signal(STUCK, signal.SIG_IGN)


def run_scenario(subject, name, target=0, error=PLAIN, watched=(), limit=5.0, tracer=None, strict=False, again=False):
    """Runs one scenario on a fresh module; its `Outcome`."""
    run = Run(subject.callees, subject.sites, target, error, watched, strict)
    begin(run)
    run.again = Again() if again else None
    around = Surroundings()
    process = os.getpid()
    failed, phase = None, "import"
    start_clock(limit)
    try:
        around.enter()
        scenarios = subject.load()
        phase = "scenario"
        failed = drive(run, scenarios[name], Box(around.work, again=run.again), tracer)
    except BaseException as raised:
        failed = raised
    finally:
        run.live = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if os.getpid() != process:
            os._exit(0)  # a child that the scenario has forked
    return _look(run, TimeLimit() if run.late else failed, phase, around)


def begin(run):
    global _current
    _current = run


def drive(run, scenario, box, tracer=None, live=True):
    """The error that the scenario ends with."""
    _chain.set(())
    run.live = live
    if tracer is not None:
        sys.settrace(tracer)
        threading.settrace(tracer)
    try:
        result = scenario(box)
        if inspect.iscoroutine(result):
            _run_async(run, result)
    except BaseException as raised:
        return raised
    finally:
        run.live = False
        sys.settrace(None)
        threading.settrace(None)
    return None


def _look(run, failed, phase, around):
    """Asks all signals, then lets everything go."""
    global _dirty
    shown = forgotten(failed)
    outcome = Outcome(run, shown, phase)
    try:
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS)
        noted = {held for held, _ in run.open_in_loop}
        outcome.open = run.open_in_loop + [each for each in run.registry.all_open() if each[0] not in noted]
        if run.target == 0:  # where a call fails, what was to be awaited after it is not
            outcome.open += run.registry.never_awaited()
        outcome.lost = run.registry.lost_errors(run.target == 0)
        outcome.signals = [("task", each.get_coro().__qualname__) for each in _strays(run)]
        outcome.signals += [("reused-descriptor", text) for text in (run.again.harmed if run.again else ())]
        outcome.signals += list(around.left(run, outcome.open))
        outcome.driver_open = [each for each in run.registry.drivers.values() if open_as(each)]
    except TimeLimit:
        pass  # something that is left cannot even be asked; what was heard until then counts
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    _let_go(run, outcome, around)
    around.leave()
    if not outcome.open and not _dirty:
        outcome.signals += [("warning", text) for source, text in around.warned if source not in run.registry.drivers]
    # What one run has leaked may complain while a later one runs.
    _dirty = _dirty or outcome.leaks or isinstance(shown, TimeLimit)
    _follow(outcome)
    around.remove()
    return outcome


# Signals of what is gone with the folder, or has just been finalised.
_OVER = {"temp-file", "warning"}


def _follow(outcome):
    """Notes what is left, to see later whether it is gone."""
    if outcome.driver_open or isinstance(outcome.error, TimeLimit) or not _OVER.issuperset(kind for kind, _ in outcome.signals):
        soil()
    try:
        _leaked.extend(weakref.ref(held.value) for held, _ in outcome.open if held.number is None and held.path is None)
    except TypeError:
        soil()


def soil():
    """What a run has left cannot be followed."""
    global _unknown
    _unknown = True


def spotless():
    """Whether the next run finds what the first one has found. Forgets what was loaded."""
    global _current, _dirty
    if _unknown:
        return False
    _current = None
    for name, module in _loaded.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
    _loaded.clear()
    gc.collect()
    if any(each() is not None for each in _leaked) or what_is_there() != _at_first:
        return False
    _leaked.clear()
    _dirty = False
    threading._counter = itertools.count(1).__next__  # names of threads are told
    return True


def forgotten(error):
    """The error without the frames that it keeps alive."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__, first = None, error if len(seen) == 1 else first
        error = error.__context__ or error.__cause__
    return first if seen else None


def _let_go(run, outcome, around):
    """Closes what is open, drops everything, and hears what the interpreter has to say."""
    for held, _ in outcome.open:
        if held.number is not None:
            try:
                os.close(held.number)
            except OSError:
                pass
        elif held.path is None:
            force_closed(held.value)
    gc.collect()
    for number in descriptors() - around.descriptors - run.registry.explained():
        try:
            os.close(number)
        except OSError:
            pass
    for each in run.registry.drivers.values():
        if open_as(each):
            force_closed(each)


def current():
    """The run whose calls are counted."""
    return _current
