"""Pebble, a toy language of words and brackets: reader, evaluator, traces.

    (let x 3 (add x (mul 2 2)))

A program is read into nodes that know what they stand in, so that an error can say where it is. An interpreter
keeps its last results, and hands every step to tracers.
"""

import gc
import io
import logging
import operator
import re
import weakref
from collections import deque
from functools import cached_property, lru_cache, reduce

__all__ = ["Interpreter", "PebbleError", "StepTrace", "evaluate", "read"]

log = logging.getLogger("pebble")

RESULTS = 10
INTERNED = 24

TOKEN = re.compile(r"\s*(?:(\()|(\))|(-?\d+)|([^\s()]+))")
PRIMITIVES = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}


class PebbleError(Exception):
    """A program that cannot be read or run."""


_atoms = {}


def intern_word(text):
    """One word object for each text, as long as it is used now and then."""
    if text not in _atoms:
        while len(_atoms) >= INTERNED:
            _atoms.pop(next(iter(_atoms)))
        _atoms[text] = Word(text)
    return _atoms[text]


@lru_cache(maxsize=32)
def tokens_of(text):
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        found.append((match.lastindex, match.group(match.lastindex), match.start(match.lastindex)))
        at = match.end()
    return tuple(found)


@lru_cache(maxsize=40)
def line_of(text, at):
    return text.count("\n", 0, at) + 1


class Word:
    __slots__ = ("text", "__weakref__")

    def __init__(self, text):
        self.text = text

    def value(self, scope):
        return scope.look_up(self.text)


class Number:
    def __init__(self, digits):
        self._digits = digits

    @cached_property
    def amount(self):
        return int(self._digits)

    def value(self, scope):
        return self.amount


class Form:
    """A bracket with what stands in it."""

    def __init__(self, around, at):
        self._around = weakref.ref(around) if around is not None else None
        self.at = at
        self._items = []
        if around is not None:
            around._items.append(self)

    @cached_property
    def head(self):
        first = self._items[0] if self._items else None
        return first.text if isinstance(first, Word) else ""

    def add(self, item):
        self._items.append(item)

    def depth(self):
        outer = self._around() if self._around is not None else None
        return 0 if outer is None else 1 + outer.depth()

    def value(self, scope):
        scope.step(self)
        rest = self._items[1:]
        if self.head == "let":
            if len(rest) != 3 or not isinstance(rest[0], Word):
                raise PebbleError(f"let takes a word, a value and a body, at {self.at}")
            return rest[2].value(Scope(scope, {rest[0].text: rest[1].value(scope)}))
        if self.head in PRIMITIVES and rest:
            return reduce(PRIMITIVES[self.head], [item.value(scope) for item in rest])
        raise PebbleError(f"cannot apply {self.head or 'nothing'!r}, {self.depth()} deep at {self.at}")


class Scope:
    def __init__(self, outer, names):
        self._outer = outer
        self._names = names

    def look_up(self, name):
        if name in self._names:
            return self._names[name]
        if self._outer is None:
            raise PebbleError(f"nothing is called {name}")
        return self._outer.look_up(name)

    def step(self, form):
        if self._outer is not None:
            self._outer.step(form)


class TopScope(Scope):
    def __init__(self, on_step):
        Scope.__init__(self, None, {"zero": 0, "one": 1})
        self.on_step = on_step

    def step(self, form):
        self.on_step(form)


def read(text):
    """The form that a text holds; exactly one."""
    top = Form(None, 0)
    open_forms = [top]
    for kind, word, at in tokens_of(text):
        if kind == 1:
            open_forms.append(Form(open_forms[-1], at))
        elif kind == 2:
            if len(open_forms) == 1:
                raise PebbleError(f"a bracket too many in line {line_of(text, at)}")
            open_forms.pop()
        else:
            open_forms[-1].add(Number(word) if kind == 3 else intern_word(word))
    if len(open_forms) > 1 or len(top._items) != 1:
        raise PebbleError(f"{len(top._items)} forms, {len(open_forms) - 1} of them open")
    return top


class Budget:
    """Counts steps, and complains to whoever set it."""

    def __init__(self, steps, complain):
        self._left = steps
        self._complain = complain

    def spend(self):
        self._left -= 1
        if self._left < 0:
            complain = self._complain()
            if complain is not None:
                complain()


class Prompt:
    def __init__(self, session):
        self._session = session

    def text(self):
        return f"[{self._session.count}] "


class Interpreter:
    def __init__(self, steps=1000):
        self.count = 0
        self._results = deque([], maxlen=RESULTS)
        self._failure = None
        self._tracers = []
        self._budget = Budget(steps, weakref.WeakMethod(self._too_long))
        self._prompt = Prompt(weakref.proxy(self))

    def watch(self, tracer):
        self._tracers.append(tracer)

    def unwatch(self, tracer):
        self._tracers.remove(tracer)

    def _too_long(self):
        raise PebbleError("the program takes too long")

    def _step(self, form):
        self._budget.spend()
        for tracer in self._tracers[:]:
            tracer(form)

    def run(self, text):
        """The value of a program, or None where there is none; ``failure`` says why."""
        self.count += 1
        self._failure = None
        try:
            top = read(text)
            result = top._items[0].value(TopScope(self._step))
        except (PebbleError, RecursionError) as exc:
            self._failure = str(exc)
            return None
        self._results.append(result)
        return result

    def failure(self):
        return self._prompt.text() + ("fine" if self._failure is None else self._failure)

    def session(self):
        return "\n".join(map(str, self._results))


class StepTrace:
    """Notes the heads of all forms that an interpreter takes up."""

    def __init__(self, interpreter: Interpreter):
        self._heads = []
        self._interpreter = interpreter
        self._interpreter.watch(self._note)

    def _note(self, form):
        self._heads.append(form.head)
        if len(self._heads) > 14:
            self._heads.pop(0)

    def path(self):
        return "/".join(self._heads)

    def close(self):
        self._interpreter.unwatch(self._note)


class CollectorNote:
    """Says in the log when the collector runs while a program does."""

    def __init__(self):
        self.runs = 0

    def start(self):
        gc.callbacks.append(self._ran)

    def _ran(self, phase, info):
        self.runs += phase == "stop"

    def stop(self):
        gc.callbacks.remove(self._ran)


def evaluate(programs, out):
    """Runs several programs and writes what they give."""
    interpreter = Interpreter()
    values = []
    for program in programs:
        values.append(str(interpreter.run(program)))
    out.write(", ".join(values))


def print_outline(text, out):
    """The heads of all forms of a program, by depth."""
    rows = []
    waiting = [read(text)]
    for form in waiting:
        rows.append("  " * form.depth() + form.head)
        waiting.extend(item for item in form._items if isinstance(item, Form))
    out.write("\n".join(rows))


def transcript(program):
    """What is logged while a program runs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    log.addHandler(handler)
    try:
        log.warning("%s", Interpreter().run(program))
    finally:
        log.removeHandler(handler)
    return text.getvalue()


log.addHandler(logging.NullHandler())
