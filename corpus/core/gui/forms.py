"""Models of entry forms: fields with rules, undo, drafts that are saved now and then, and views that follow.

A form is built from a description, a list of rows (name, kind, label). Widgets are somebody else's business;
a view is anything with ``show(field)``.
"""

import atexit
import logging
import weakref
from collections import deque
from functools import cached_property, lru_cache

logger = logging.getLogger("forms")

UNDO_STEPS = 20
MAX_HINTS = 12
MAX_DRAFTS = 16


class FormError(Exception):
    pass


class Refused(FormError):
    """A value that a rule of its field does not let through."""


@lru_cache(maxsize=40)
def title_of(name):
    """``ship_to`` -> ``Ship to``"""
    return name.replace("_", " ").strip().capitalize()


@lru_cache(maxsize=30)
def parse_amount(text):
    whole, _, cents = text.replace(" ", "").partition(",")
    return int(whole or 0) * 100 + int((cents + "00")[:2])


@lru_cache
def is_postcode(text):
    return len(text) == 5 and text.isdigit()


class Signal(object):
    """Callbacks of one kind."""

    def __init__(self):
        self._callbacks = []

    def add_callback(self, callback):
        self._callbacks.append(callback)

    def remove_callback(self, callback):
        self._callbacks.remove(callback)

    def emit(self, *values):
        for callback in list(self._callbacks):
            callback(*values)


FOCUS = Signal()


def log_focus(name):
    logger.debug("focus on %s", name)


class Binding(object):
    """Tells a widget when its field has changed."""

    def __init__(self, key, notify):
        self._key = key
        self._notify = notify

    def fire(self):
        notify = self._notify()
        if notify is not None:
            notify(self._key)


class Checker(object):
    """Looks at one field on behalf of it."""

    def __init__(self, subject):
        self._subject = subject

    def verdict(self):
        value = self._subject.raw
        if self._subject.kind == "amount":
            return parse_amount(value) >= 0
        if self._subject.kind == "postcode":
            return is_postcode(value)
        return bool(value.strip())


class Field(object):
    def __init__(self, form, name, kind):
        self.name = name
        self.kind = kind
        self.raw = ""
        self._form = weakref.ref(form)
        self._checker = Checker(weakref.proxy(self))
        self._problem = None

    @cached_property
    def caption(self):
        return title_of(self.name) + ":"

    @cached_property
    def choices(self):
        parts = []
        for part in self.kind.split("|"):
            parts.append(part.strip())
        return tuple(parts)

    def enter(self, raw):
        form = self._form()
        if form is not None:
            form.remember(self.name, self.raw)
        self.raw = raw

    def check(self):
        try:
            if not self._checker.verdict():
                raise Refused("%s does not take %r" % (self.caption, self.raw))
        except (Refused, ValueError) as exc:
            self._problem = repr(exc)
            return False
        return True

    def problem(self):
        return "" if self._problem is None else self._problem


class Form(object):
    def __init__(self, rows):
        self._fields = {}
        self._undo = deque(maxlen=UNDO_STEPS)
        self._hints = []
        self._reminder = Binding("unsaved", weakref.WeakMethod(self._remind))
        for name, kind in rows:
            self._fields[name] = Field(self, name, kind)

    def __getitem__(self, name):
        return self._fields[name]

    @property
    def fields(self):
        return list(self._fields.values())

    def remember(self, name, raw):
        self._undo.append((name, raw))

    def _remind(self, key):
        self.hint("%s for %d steps" % (key, len(self._undo)))

    def idle(self):
        self._reminder.fire()

    def steps(self):
        return ["%s=%s" % step for step in self._undo]

    def hint(self, text):
        self._hints.append(text)
        if len(self._hints) > MAX_HINTS:
            self._hints.pop(0)
        return len(self._hints)

    def check(self):
        """Whether all is well; says what is not in the log."""
        wrong = []
        for field in self.fields:
            if not field.check():
                wrong.append(field.caption)
        if wrong:
            logger.info("not accepted: %s", ", ".join(wrong))
        return not wrong

    def render(self, width=24):
        lines = []
        for field in self.fields:
            lines.append(field.caption.ljust(width) + field.raw)
        return "\n".join(lines)


class FormView(object):
    """Follows a form, and the focus as long as it is open."""

    def __init__(self, form, show):
        self._watched = form
        self._show = show
        self._moves = 0
        self._link = Binding("form", weakref.WeakMethod(self._changed))
        FOCUS.add_callback(self._focus)

    def _changed(self, key):
        self._show(key)

    def _focus(self, name):
        self._moves += 1

    def update(self, name, raw):
        self._watched[name].enter(raw)
        self._link.fire()

    def close(self):
        if self._watched is not None:
            FOCUS.remove_callback(self._focus)
            self._watched = None


class Drafts(object):
    """What was typed and not sent, by form. Written out when the program ends, or earlier by ``close``."""

    def __init__(self, path):
        self._path = path
        self._texts = {}
        self._failed = None
        atexit.register(self.save)

    def keep(self, key, form):
        self._texts[key] = form.render()
        while len(self._texts) > MAX_DRAFTS:
            del self._texts[next(iter(self._texts))]

    def save(self):
        with open(self._path, "w", encoding="utf-8") as out:
            for key, text in self._texts.items():
                out.write("[%s]\n%s\n" % (key, text))

    def try_save(self):
        try:
            self.save()
        except OSError as exc:
            self._failed = str(exc)
            return False
        return True

    def state(self):
        return "saved" if self._failed is None else self._failed

    def close(self):
        atexit.unregister(self.save)
        self.save()


class Recorder(logging.Handler):
    """Keeps the messages of a check for the status line."""

    def __init__(self):
        logging.Handler.__init__(self)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def check_aloud(form):
    """Checks a form, and gives what was said about it."""
    recorder = Recorder()
    logger.addHandler(recorder)
    try:
        form.check()
    finally:
        logger.removeHandler(recorder)
    return " / ".join(recorder.messages)


def print_all(forms, out):
    pages = []
    for form in forms:
        pages.append(form.render())
    out.write("\n\n".join(pages))


FOCUS.add_callback(log_focus)
logger.addHandler(logging.NullHandler())
