"""Examines one mutant: does what its label names stay open, and was the exit taken that the label speaks of?

Only scenarios that entered the label's definition in the clean module run, errors are raised only while something of the
label is held (inside its definition, where the label is no call and no header), and the first proof ends it.
"""

import collections

import recurring
import runtime
from examine import load, place, targets, without_folders
from label import Exits, Label, is_within

# A leak of these shows only if a call fails while the resource is held.
BY_EXCEPTION = {"release-skipped-on-exception", "partial-acquisition", "fragile-release", "lock-not-released", "temp-left-behind"}
# A leak of these shows only on some of the ways out.
BY_PATH = {"release-skipped-on-path"}
# Whoever waits for what is left waits for ever.
BY_HANGING = {"child-not-reaped", "dangling-task", "descriptor-not-adopted", "pool-not-shut-down", "thread-not-joined"}
# A second `acquire()` waits for ever: no need to wait with it.
LOCKS = "lock-not-released"
DEADLOCK_SECONDS = 1.0

# What these leave is no single thing that is acquired: it shows in what many rounds leave.
REGISTERED = "registration-never-removed"
BY_ROUNDS = {"reference-cycle", REGISTERED, "unbounded-cache", "unbounded-collection"}

# What is released is released once more: by whoever has seen the first release fail, or by a `with` and a caller.
RELEASED_AGAIN = "fragile-release"

# See `targets`. A leak is refuted only after some more; a decoy shares all but its change with a module that has been looked at.
EQUAL_CALLS_OF_LEAKS = (2, 3)
EQUAL_CALLS_OF_DECOYS = (1, 1)
# Of equal calls (same place, same callers) outside of the label's definition so many fail, where no leak is to be shown.
EQUAL_CALLS_OUTSIDE = 2


# The outcome that proves a label, by its effect.
EXPECTED = {"leak": "leaks", "safe": "clean"}


def broken(reason):
    return answer("broken", reason=reason)


def answer(outcome, signals=(), where="", reason=""):
    return {
        "outcome": outcome,
        "signals": sorted(set(signals)),
        "place": without_folders(where),
        "reason": without_folders(reason).rstrip(),
    }


def mutant_report(job):
    subject, names = load(job)
    if subject is None:
        return broken(names)
    return _Trial(subject, names, job).report()


def one_of_many(job):
    """The report, and whether the process is fit for another one."""
    report = mutant_report(job)
    registered = report["outcome"] == "leaks" and job["pattern"] == REGISTERED  # with a library, which stays
    return {**report, "spotless": not registered and runtime.spotless()}


class _Trial:
    def __init__(self, subject, names, job):
        self.subject = subject
        self.job = job
        self.label = Label(subject, job["text"], job["start"], job["end"], job["pattern"] == LOCKS)
        entered = job.get("entered") or {}
        self.names = self._relevant(names, entered)
        # What looks like an acquisition there, and is none, ran where its definition was entered.
        self.in_body = not self.label.sites and self.label.in_body and any(self._enters(entered.get(name, ())) for name in self.names)
        self.acquired = self.injected = self.ended = self.hung = False
        self.equal = EQUAL_CALLS_OF_LEAKS if job["effect"] == "leak" else EQUAL_CALLS_OF_DECOYS
        self.again = False
        self.elsewhere = ""
        self.outside = collections.Counter()
        self.limit = min(job["limit"], DEADLOCK_SECONDS) if job["pattern"] == LOCKS and job["effect"] == "leak" else job["limit"]
        self.exits = Exits(subject, self.label) if job["pattern"] in BY_PATH else None

    def _relevant(self, names, entered):
        """Without knowledge of the definition, all."""
        if not any(self._enters(paths) for paths in entered.values()):
            return names
        return [name for name in names if self._enters(entered.get(name, ()))]

    def _enters(self, paths):
        within = self.label.definition
        return bool(within) and any(is_within(path, within) for path in paths)

    def report(self):
        plain = []
        for name in self.names:
            outcome = self._run(name)
            proof = self._proof(name, outcome)
            if proof:
                return proof
            failed = self._failure(name, outcome)
            if failed:
                return failed
            plain.append((name, outcome.run.points))
        return self._where_calls_fail(plain) or self._released_again(plain) or self._in_rounds(plain) or self._clean()

    def _where_calls_fail(self, plain):
        if self.job["pattern"] in BY_ROUNDS:
            return None
        known = collections.Counter()
        for name, points in plain:
            for number, error in targets(points, known, self.equal):
                if self._matters(points[number - 1], error):
                    proof = self._proof(name, self._run(name, number, error), error)
                    if proof:
                        return proof
        return None

    def _released_again(self, plain):
        """What harms in the clean module too, is its own affair."""
        if self.job["pattern"] != RELEASED_AGAIN or not self.job.get("original"):
            return None
        self.again = True
        known = collections.Counter()
        original = runtime.Subject(self.job["root"], self.job["module"], self.job["original"], self.job["driver"])
        for name, points in plain:
            for number, error in [(0, None), *targets(points, known, self.equal)]:
                if number and not self._matters(points[number - 1], error):
                    continue
                proof = self._proof(name, self._run(name, number, error or runtime.PLAIN), error)
                if proof and not self._harmed_again(original, name):
                    return {**proof, "place": f"{proof['place']} (released twice)"}
        return None

    def _harmed_again(self, original, name):
        def harmed(number=0, error=runtime.PLAIN):
            return runtime.run_scenario(original, name, number, error, limit=self.limit, again=True)

        plain = harmed()
        return plain.leaks or any(harmed(*each).leaks for each in targets(plain.run.points))

    def _in_rounds(self, plain):
        if self.job.get("witness") not in recurring.WORDS or not plain:
            return None
        rounds = recurring.Recurring(self.subject, self.label, self.job, plain)
        shown, text = rounds.shown()
        if shown:
            return answer("leaks", [shown], text)
        if self.job["pattern"] not in BY_ROUNDS:
            return None
        missing = rounds.not_exercised()
        return answer("not-exercised", reason=missing) if missing else answer("clean")

    def _matters(self, point, error):
        """Whether a failure of this call can show anything of the label that has not been looked at."""
        inside = any(site in self.label.inside for site in (point.site, *point.chain))
        if not (point.holding or (self.in_body and inside)):
            return False
        if self.job["pattern"] == LOCKS and not inside:
            return False  # some other thread holds it at the moment
        if inside or self.job["effect"] == "leak":
            return True
        # What is held for long is held during calls from everywhere; the same one in each scenario tells nothing new.
        key = point.site, point.chain, error
        self.outside[key] += 1
        return self.outside[key] <= EQUAL_CALLS_OUTSIDE

    def _run(self, name, number=0, error=runtime.PLAIN):
        tracer = self.exits.tracer(lambda: runtime.current().holding()) if self.exits else None
        outcome = runtime.run_scenario(
            self.subject, name, number, error, self.label.watched, self.limit, tracer, strict=self.job["pattern"] == "temp-left-behind", again=self.again
        )
        if self.job["pattern"] == "dangling-task":
            outcome.open += outcome.lost
        held = outcome.run.registry.made()
        if self.label.sites:
            acquired = any(each.came_from(self.label.sites) for each in held)
        else:
            acquired = bool(held) or self.in_body
        self.acquired |= acquired
        self.injected |= outcome.run.held_at_injection
        self.ended |= acquired and outcome.error is None
        self.hung |= isinstance(outcome.error, runtime.TimeLimit)
        return outcome

    def _proof(self, name, outcome, error=None):
        """The answer, if this run shows a leak at the label."""
        cause = "nothing is made to fail"
        if error:
            cause = f"{place(self.subject, outcome.run.injected)} raises {error}"
        for held, what in outcome.open:
            lines = sorted({self.subject.sites[site].line for site in held.places()})
            where = f"{name}: {cause}: {what}, acquired at line {', '.join(map(str, lines))}"
            if not self.label.sites or held.answers_for(self.label.sites):
                return answer("leaks", [held.signal(), *(kind for kind, _ in outcome.signals)], where)
            self.elsewhere = self.elsewhere or where
        ran = self.acquired or bool(self.label.sites & outcome.run.called)
        if outcome.signals and ran:
            kind, text = outcome.signals[0]
            return answer("leaks", [kind for kind, _ in outcome.signals], f"{name}: {cause}: {kind} left: {text}")
        if ran and self._hangs(outcome):
            return answer("leaks", ["hang"], f"{name}: {cause}: it does not come to an end within {self.limit:g} s")
        return None

    def _hangs(self, outcome):
        """The module as it is does not, else it would be broken."""
        by_hanging = self.job["pattern"] in BY_HANGING and self.job["effect"] == "leak"
        return by_hanging and isinstance(outcome.error, runtime.TimeLimit)

    def _failure(self, name, outcome):
        if outcome.error is None:
            return None
        if isinstance(outcome.error, runtime.TimeLimit):
            return answer("not-exercised", where=name, reason="timeout")
        return answer("broken", where=name, reason=f"{outcome.phase} raises {outcome.error!r}")

    def _clean(self):
        if self.job["effect"] == "leak" and self.elsewhere:
            return answer("clean", where=self.elsewhere, reason="leaks, but not what the label names")
        missing = self._not_exercised()
        if missing:
            return answer("not-exercised", reason=missing)
        if self.elsewhere:
            return answer("leaks", ["unreleased"], self.elsewhere)
        return answer("clean")

    def _not_exercised(self):
        if not self.names:
            return "no scenario enters the definition"
        if not self.acquired:
            return "the acquisition did not run"
        if self.hung:
            return "timeout"
        if self.job["pattern"] in BY_EXCEPTION and self.job["effect"] != "safe" and not self.injected:
            return "no call could fail while it was held"
        if self.exits and self.exits.left():
            return "exits not taken while it was held: lines " + ", ".join(map(str, self.exits.left()))
        return "" if self.ended or self.injected else "no scenario came to its end after the acquisition"
