"""Examines a clean module: all scenarios, an error at every call, and which lines were reached."""

import collections
import gc
import inspect
import os
import re
import sys

import child
import runtime

# Of equal calls (same place, same callers, same things held) so many fail: in a scenario, and in all.
EQUAL_CALLS = (1, 2)


def read_text(path):
    with open(path, encoding="utf-8", newline="") as source:
        return source.read().removeprefix("\ufeff")


def module_in_child(corpus, path, only=None, limit=5.0, patience=600):
    """The report on one module of a folder, made in a process of its own that may die."""
    corpus = os.path.abspath(corpus)
    driver = os.path.join(corpus, "drivers", path)
    if not os.path.exists(driver):
        return broken(f"there is no driver {driver}")
    job = {
        "root": corpus,
        "module": path,
        "text": read_text(os.path.join(corpus, path)),
        "driver": read_text(driver),
        "stubs": os.path.join(corpus, "stubs"),
        "limit": limit,
        "coverage": True,
        "only": only,
    }
    return child.in_child(lambda: clean_report(job), broken, patience)


def broken(reason):
    return {"outcome": "broken", "scenarios": [], "runs": 0, "lines": reason.rstrip().split("\n"), "entered": {}}


def load(job):
    """The subject of a job; an error becomes a text."""
    if os.path.isdir(job["stubs"]) and job["stubs"] not in sys.path:
        sys.path.insert(0, job["stubs"])
    try:
        subject = runtime.Subject(job["root"], job["module"], job["text"], job["driver"])
    except SyntaxError as error:
        return None, f"cannot be compiled: {os.path.basename(error.filename or '')} line {error.lineno}: {error.msg}"
    try:
        names = subject.scenario_names()
    except BaseException as error:
        return None, f"cannot be imported: {error!r}"
    gc.freeze()  # trees of a whole module, which the collector need not look at after each run
    return subject, names


def clean_report(job):
    subject, names = load(job)
    if subject is None:
        return broken(names)
    if not names:
        return broken("the driver has no scenario")
    names = [name for name in names if job.get("only") in (None, name)]
    return _Examination(subject, names, job["limit"], job.get("coverage", False)).report()


class _Examination:
    def __init__(self, subject, names, limit, all_lines):
        self.subject = subject
        self.names = names
        self.limit = limit
        self.runs = 0
        self.lines = []
        self.leaks = {}
        self.signals = set()
        self.broken = False
        self.entered = {}
        self.all_lines = all_lines
        self.coverage = Coverage(subject)
        self.acquiring = set()
        self.known = collections.Counter()

    def report(self):
        for name in self.names:
            self._scenario(name)
        for text, count in self.leaks.items():
            self.lines.append(text + (f"  ({count} times)" if count > 1 else ""))
        if self.all_lines:
            self.lines += self.coverage.lines(self.acquiring)
        outcome = "broken" if self.broken else "leaks" if self.leaks else "clean"
        return {
            "outcome": outcome,
            "scenarios": self.names,
            "runs": self.runs,
            "lines": self.lines,
            "entered": self.entered,
            "signals": sorted(self.signals),
        }

    def _run(self, name, target=0, error=runtime.PLAIN, tracer=None):
        self.runs += 1
        tracer = tracer or (self.coverage.trace if self.all_lines else None)
        outcome = runtime.run_scenario(self.subject, name, target, error, limit=self.limit, tracer=tracer)
        for held in outcome.run.registry.held:
            self.acquiring.update(self.subject.sites[site].function for site in held.sites)
        return outcome

    def _scenario(self, name):
        entries = Entries(self.subject)
        self._run(name, tracer=entries.trace)  # also warms what libraries keep for good
        self.entered[name] = entries.paths()
        plain = self._run(name)
        if plain.error is not None:
            self.broken = True
            where = "cannot be imported" if plain.phase == "import" else "raises when nothing is made to fail"
            self.lines.append(f"BROKEN {name}: {where}: {plain.error!r}")
            return
        self._note(name, "nothing is made to fail", plain)
        if plain.driver_open:
            self.lines.append(f"DRIVER {name}: leaves open what it made itself: {plain.driver_open!r}")
        for number, error in targets(plain.run.points, self.known):
            outcome = self._run(name, number, error)
            if isinstance(outcome.error, runtime.TimeLimit):
                self.broken = True
                self.lines.append(f"HANGS {name}, call {number}: {place(self.subject, outcome.run.injected)} raises {error}")
            self._note(name, f"{place(self.subject, outcome.run.injected)} raises {error}", outcome)

    def _note(self, name, cause, outcome):
        for held, what in outcome.open:
            places = sorted({self.subject.sites[site].line for site in held.places()})
            self.signals.add(held.signal())
            self._count(f"LEAK {name}: {cause}: {what}, acquired at line {', '.join(map(str, places))}")
        for kind, text in outcome.signals:
            self.signals.add(kind)
            self._count(f"LEAK {name}: {cause}: {kind} left: {text}")

    def _count(self, text):
        text = without_folders(text)
        self.leaks[text] = self.leaks.get(text, 0) + 1


def without_folders(text):
    """The folders of a run have names of chance."""
    return re.sub(r"/\S*/leakbench-\w+/(?:work[\w-]*/)?", "", text)


def place(subject, site):
    if site is None:
        return "a call that was not reached again"
    site = subject.sites[site]
    return f"line {site.line} `{site.text[:60]}`"


def targets(points, known=None, equal=EQUAL_CALLS):
    """(number of the call, error) for all runs that are worth it. `known` counts what other scenarios have shown."""
    in_one, in_all = equal
    known = collections.Counter() if known is None else known
    here = collections.Counter()
    for number, point in enumerate(points, 1):
        key = point.key()
        if here[key] < in_one and known[key] < in_all:
            here[key] += 1
            known[key] += 1
            for error in point.kinds:
                yield number, error


class Entries:
    """Which definitions of the module were entered."""

    def __init__(self, subject):
        self.file = subject.file
        self.by_line = {each.first_line: each.path for each in subject.compiled.definitions}
        self.lines = set()

    def trace(self, frame, event, argument):
        if frame.f_code.co_filename == self.file:
            self.lines.add(frame.f_code.co_firstlineno)

    def paths(self):
        return sorted({self.by_line[line] for line in self.lines if line in self.by_line})


class Coverage:
    """Lines that ran, of the module's functions."""

    def __init__(self, subject):
        self.path = subject.file
        self.ran = set()
        self.functions = {}
        self._collect(subject.code, "")

    def _collect(self, code, prefix):
        for constant in code.co_consts:
            if hasattr(constant, "co_code"):
                name = f"{prefix}.{constant.co_name}".lstrip(".")
                is_class = not constant.co_flags & inspect.CO_NEWLOCALS
                if not is_class and not constant.co_name.startswith("<"):
                    lines = {line for _, _, line in constant.co_lines() if line} - {constant.co_firstlineno}
                    self.functions.setdefault(name, set()).update(lines)
                self._collect(constant, name)

    def trace(self, frame, event, argument):
        return self._line if frame.f_code.co_filename == self.path else None

    def _line(self, frame, event, argument):
        self.ran.add(frame.f_lineno)
        return self._line

    def lines(self, acquiring):
        total = missed = 0
        said = []
        for name, lines in sorted(self.functions.items(), key=lambda item: min(item[1], default=0)):
            left = sorted(lines - self.ran)
            if name in acquiring:
                total += len(lines)
                missed += len(left)
                if left:
                    said.append(f"not reached in {name}: lines {', '.join(map(str, left))}")
            elif lines and len(left) == len(lines):
                said.append(f"never entered: {name} (line {min(lines)})")
        if total:
            said.append(f"{100 * (total - missed) / total:.0f} % of {total} lines of functions that acquire something were reached")
        return said
