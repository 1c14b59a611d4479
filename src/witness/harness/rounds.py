"""Runs a scenario many times on one module, and sees what every round adds: garbage that only the collector frees, or growth.

A round is the whole scenario; or what stands in `for number in box.rounds(n):`, where n rounds pass every bound.
"""

import collections
import gc
import os
import pickle
import re
import signal

import census
import runtime
from box import Box
from surroundings import Surroundings

REPEATS = 3
_PERIODS = 3
GARBAGE, GROWTH = "garbage", "growth"


class Quiet:
    """In the place of a registry: holds nothing, so that nothing lives longer than it would."""

    def _nothing(self, *_):
        return []

    held = ()
    drivers = {}
    take = take_drivers = take_suspended = released = suspended = all_open = _nothing


class Series:
    """What was counted after each period of `rounds` rounds. `brief`: no longer than something may come of it; `only`: one of the two."""

    def __init__(self, rounds, by_driver, brief=False, only=None):
        self.rounds = rounds
        self.by_driver = by_driver
        self.brief = brief
        self.only = only
        self.looks = [b""] * _PERIODS
        self.done = 0
        self.passed = False

    def look(self, subject):
        """Whether to go on."""
        subject.callees.forget()
        seen = census.cycles(), collections.Counter() if self.only == GARBAGE else census.everything()
        self.looks[self.done] = pickle.dumps(seen)  # as bytes, for else it would count itself next time
        self.done += 1
        return not (self.brief and self.done == _PERIODS - 1 and self._in_vain())

    def _in_vain(self):
        """What the last period has not left or added, cannot be what each has."""
        earlier, last = (pickle.loads(each) for each in self.looks[self.done - 2 : self.done])
        grown = (count - earlier[1][key] for key, count in last[1].items())
        return max((*last[0].values(), *grown), default=0) < self.needed()

    def _seen(self, which):
        return [pickle.loads(each)[which] for each in self.looks[: self.done]]

    def garbage(self):
        """{type: the least that the collector had to free in a period}. The first period may warm something."""
        _, first, *last = self._seen(0)
        return first & last[0] if last else collections.Counter()

    def growth(self):
        """{(kind, name): (the least, the most) that a period has added}."""
        there = self._seen(1) if self.done == _PERIODS else []
        steps = [collections.Counter(later) for later in there[1:]]
        for step, earlier in zip(steps, there):
            step.subtract(earlier)
        keys = set().union(*steps)
        return {key: (min(step[key] for step in steps), max(step[key] for step in steps)) for key in keys}

    def needed(self):
        """Rounds of the driver need not all add something."""
        return max(self.rounds // 2, 1) if self.by_driver else self.rounds


class Rounds:
    """All that was counted for one scenario of one text."""

    def __init__(self):
        self.series = []
        self.error = None
        self.called = set()

    def garbage(self):
        return [each.garbage() for each in self.series]


def repeated(subject, name, limit, target=0, error=runtime.PLAIN, brief=False, only=None):
    """The scenario as a whole, again and again."""
    found = Rounds()
    series = Series(REPEATS, by_driver=False, brief=brief, only=only)

    def runs(scenario, around):
        for _ in range(_PERIODS):
            for _ in range(REPEATS):
                _once(subject, scenario, around, found, target, error)
            if not series.look(subject):
                return

    return _looped(subject, name, limit, found, [series], runs)


def within(subject, name, limit, brief=False):
    """The rounds of `box.rounds` in it; no series if it has none."""
    found = Rounds()

    def runs(scenario, around):
        def watched(n):
            series = Series(n, by_driver=True, brief=brief)
            found.series.append(series)
            for period in range(_PERIODS):
                yield from range(period * n, (period + 1) * n)
                if not series.look(subject):
                    break
            series.passed = True

        _once(subject, scenario, around, found, rounds=watched)
        found.series = [each for each in found.series if each.passed]

    return _looped(subject, name, limit, found, [], runs)


def _looped(subject, name, limit, found, series, runs):
    around = Surroundings()
    process = os.getpid()
    runtime.start_clock(limit)
    re.purge()
    gc.collect()
    gc.disable()
    try:
        around.enter()
        runtime.begin(_run(subject, found))
        runs(subject.load()[name], around)
        found.series += series
    except BaseException as raised:
        found.error = runtime.forgotten(raised)
        runtime.soil()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.enable()
        if os.getpid() != process:
            os._exit(0)  # a child that the scenario has forked
    around.leave()
    around.remove()
    gc.collect()
    return found


def _run(subject, found, target=0, error=runtime.PLAIN):
    run = runtime.Run(subject.callees, subject.sites, target, error)
    run.registry = Quiet()
    run.called = found.called
    run.unwatched = not target
    return run


def _once(subject, scenario, around, found, target=0, error=runtime.PLAIN, rounds=None):
    run = _run(subject, found, target, error)
    runtime.begin(run)
    raised = runtime.drive(run, scenario, Box(around.fresh(), rounds), live=target > 0)
    if run.late:
        raise runtime.TimeLimit()
    if raised is not None and not target:
        raise raised


def more_garbage(mutant, usual):
    """The text of what each round leaves to the collector, beyond what is usual: `garbage` of the clean module's series."""
    for one, usual in zip(mutant.series, usual):
        for name, count in sorted(one.garbage().items(), key=_own_first):
            if count - usual[name] >= one.needed():
                return f"{one.rounds} rounds leave {count} {name} to the collector ({usual[name]} in the clean module)"
    return ""


def more_growth(mutant, clean):
    """The text of what each round adds, beyond what it adds in the clean module."""
    for one, other in zip(mutant.series, clean.series):
        usual = other.growth()
        for key, (least, _) in sorted(one.growth().items(), key=_own_first):
            most = max(usual.get(key, (0, 0))[1], 0)
            if least - most >= one.needed():
                return f"{one.rounds} rounds add {least} {_words(key)} ({most} in the clean module)"
    return ""


def grows(found):
    """Whether anything does, so that a bound may not have been reached."""
    return any(least >= series.needed() for series in found.series for least, _ in series.growth().values())


def _words(key):
    kind, name = key
    return name if kind == "objects" else f"items of {name}"


def _own_first(item):
    """What is most telling: classes of modules, then everything else by name."""
    name = item[0] if isinstance(item[0], str) else item[0][1]
    kind = "" if isinstance(item[0], str) else item[0][0]
    return "." not in name, kind != "items", name
