"""Whether every round of a mutant leaves something that the clean module does not leave: garbage, or growth."""

import collections
import difflib
import functools

import rounds
import runtime
from examine import Coverage, place
from label import sites_within

# All rounds of a scenario together may take as long as this many single runs.
_PATIENCE = 3


# Of pages.
WORDS = {rounds.GARBAGE, rounds.GROWTH}


class _Clean:
    """The clean module. What it leaves is counted once for all mutants."""

    def __init__(self, subject):
        self.subject = subject
        self.found = {}

    def rounds(self, name, many, limit):
        key = name, many
        if key not in self.found:
            self.found[key] = many(self.subject, name, limit)
        return self.found[key]

    def usual(self, name, definition, limit):
        """What it leaves at the most, whichever of its calls in there fails."""
        key = name, definition
        if key not in self.found:
            most = collections.Counter()
            points = runtime.run_scenario(self.subject, name).run.points
            for number, error in _targets(self.subject, points, definition):
                for each in rounds.repeated(self.subject, name, limit, number, error, only=rounds.GARBAGE).garbage():
                    most |= each
            self.found[key] = [most]
        return self.found[key]


@functools.lru_cache(maxsize=1)
def _clean(*place):
    return _Clean(runtime.Subject(*place))


def _targets(subject, points, definition):
    inside = sites_within(subject, definition)
    for number, point in enumerate(points, 1):
        if any(site in inside for site in (point.site, *point.chain)):
            for error in point.kinds:
                yield number, error


class Recurring:
    """`plain`: the scenarios that count, with the calls that each has made."""

    def __init__(self, subject, label, job, plain):
        self.subject = subject
        self.label = label
        self.wanted = job["witness"]
        self.open_keys = job["pattern"] == "unbounded-cache"
        self.leak = job["effect"] == "leak"
        self.limit = job["limit"] * _PATIENCE
        self.plain = plain
        self.clean = _clean(job["root"], job["module"], job["original"], job["driver"])
        self.called = set()
        self.ran = self.bound_passed = False
        self.error = ""

    def shown(self):
        """The signal and its proof, or two empty texts."""
        for way, many in (("", rounds.repeated), ("box.rounds, ", rounds.within)):
            for name, _ in self.plain:
                signal, text = self._compared(name, many)
                if signal:
                    return signal, f"{name}: {way}{text}"
        if self.wanted == rounds.GARBAGE:
            return self._where_calls_fail()
        return "", ""

    def _compared(self, name, many):
        # The clean module first: what it puts into caches of libraries is not the mutant's.
        clean = self.clean.rounds(name, many, self.limit)
        if clean.error is not None or not clean.series:
            self._noted(name, clean)
            return "", ""
        mutant = self._noted(name, many(self.subject, name, self.limit, brief=not self.leak))
        if mutant is None:
            return "", ""
        self.called |= mutant.called
        self.ran = True
        if many is rounds.within:
            self.bound_passed |= not rounds.grows(clean)
        return self._more(mutant, clean)

    def _more(self, mutant, clean):
        text = rounds.more_garbage(mutant, clean.garbage()) if self.wanted == rounds.GARBAGE else ""
        if text:
            return rounds.GARBAGE, text
        text = rounds.more_growth(mutant, clean)
        return (rounds.GROWTH, text) if text else ("", "")

    def _noted(self, name, found):
        if found.error is None:
            return found
        self.error = self.error or f"{name} cannot be repeated: {found.error!r}"
        return None

    def _where_calls_fail(self):
        """An exception that is kept holds frames; the scenario may not meet one by itself."""
        for name, points in self.plain:
            for number, error in self._targets(self.subject, points):
                mutant = rounds.repeated(self.subject, name, self.limit, number, error, brief=True, only=rounds.GARBAGE)
                if mutant.error is None and self._is_more(name, mutant):
                    cause = f"{place(self.subject, points[number - 1].site)} raises {error}"
                    return rounds.GARBAGE, f"{name}: {cause}: {rounds.more_garbage(mutant, self._usual(name))}"
        return "", ""

    def _targets(self, subject, points):
        return _targets(subject, points, self.label.definition)

    def _is_more(self, name, mutant):
        nothing = [collections.Counter()]
        return bool(rounds.more_garbage(mutant, nothing) and rounds.more_garbage(mutant, self._usual(name)))

    def _usual(self, name):
        return self.clean.usual(name, self.label.definition, self.limit)

    def not_exercised(self):
        """Why nothing is said, if nothing is."""
        if not self.ran:
            return self.error or "no scenario enters the definition"
        if self.label.sites and not self.label.sites & self.called:
            return "the acquisition did not run"
        idle = self._changed_lines_that_did_not_run() if self.leak else ()
        if idle:
            return f"changed lines that did not run: {', '.join(map(str, idle))}"
        if self.leak and self.wanted == rounds.GROWTH:
            if not self.bound_passed:
                return "nothing grows, and no driver passes the bound by box.rounds"
            if self.open_keys:
                return "nothing grows, and equal keys may be why"
        return ""

    def _changed_lines_that_did_not_run(self):
        """Nobody is refuted by a handler that nothing has entered."""
        old, new = (compiled.lines for compiled in (self.clean.subject.compiled, self.subject.compiled))
        steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        changed = {line + 1 for step, _, _, begin, end in steps if step != "equal" for line in range(begin, end)}
        coverage = Coverage(self.subject)
        for name, points in self.plain:
            for target in [(0, runtime.PLAIN), *self._targets(self.subject, points)]:
                runtime.run_scenario(self.subject, name, *target, limit=self.limit, tracer=coverage.trace)
        lines = set().union(*coverage.functions.values())
        return sorted((changed & lines) - coverage.ran)
