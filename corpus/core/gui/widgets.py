"""Widgets without a screen: a tree of boxes with layout, focus and shortcuts, rendered as text.

Written for the tests of programs with a terminal interface. Widgets belong to the window from the top down; what
points up or sideways is weak.
"""

import logging
import time
import weakref
from collections import OrderedDict, deque
from functools import cached_property, lru_cache

logger = logging.getLogger("widgets")

LATEST_KEYS = 20
CACHED_LINES = 30
KEPT_FRAMES = 6


class LayoutError(Exception):
    """The widgets do not fit."""


@lru_cache(maxsize=40)
def text_width(text):
    """Cells that a text takes."""
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


@lru_cache
def rule(width, style):
    return {"thin": "-", "double": "="}.get(style, " ") * width


class Theme:
    def __init__(self, name, padding=1):
        self.name = name
        self.padding = padding

    @cached_property
    def margin(self):
        return " " * self.padding


class Widget:
    """A rectangle with a name."""

    def __init__(self, name):
        self.name = name
        self.visible = True
        self.focused_at = 0.0
        self._above = None
        self._parts = []

    def put(self, part):
        part._above = weakref.ref(self)
        self._parts.append(part)
        return part

    def above(self):
        return None if self._above is None else self._above()

    def route(self):
        names = []
        widget = self
        while widget is not None:
            names.append(widget.name)
            widget = widget.above()
        return ".".join(reversed(names))

    def lines(self, width):
        rows = []
        for part in self._parts:
            if part.visible:
                rows.extend(part.lines(width))
        return list(rows)


class Label(Widget):
    def __init__(self, name, text):
        super().__init__(name)
        self.text = text

    def lines(self, width):
        if text_width(self.text) > width:
            raise LayoutError("%s: %r is wider than %d" % (self.name, self.text, width))
        return [self.text.ljust(width)]


class Scroller:
    """Moves over a list of lines; asks its window to draw again."""

    def __init__(self, window, lines):
        self.offset = 0
        self.lines = lines
        self._window = window

    def move(self, by):
        self.offset = max(0, min(len(self.lines) - 1, self.offset + by))
        self._window.touch()


class Focus:
    """Which widget has the keys."""

    def __init__(self, window):
        self._window = window
        self._at = None

    def to(self, widget):
        window = self._window()
        if window is not None:
            window.touch()
        self._at = widget.name

    def name(self):
        return self._at


class Clock:
    """Tells somebody the time when it is wound."""

    def __init__(self, on_tick, pause):
        self.pause = pause
        self._on_tick = on_tick

    def wind(self):
        call = self._on_tick()
        if call is not None:
            call()


class Window:
    """The top of a tree, with what belongs to all of it."""

    def __init__(self, title, width=40):
        self.title = title
        self.width = width
        self._broken = None
        self.touched = 0
        self.body = Widget("body")
        self._scroller = Scroller(weakref.proxy(self), [])
        self._focus = Focus(weakref.ref(self))
        self._clock = Clock(weakref.WeakMethod(self.touch), 0.5)
        self._keys = deque(maxlen=LATEST_KEYS)
        self._drawn = OrderedDict()
        self._frames = []

    def touch(self):
        self.touched += 1

    def tick(self):
        self._clock.wind()

    def scroll(self, lines, by):
        self._scroller.lines = list(lines)
        self._scroller.move(by)
        return self._scroller.offset

    def focus(self, widget):
        self._focus.to(widget)
        widget.focused_at = time.monotonic()
        return self._focus.name()

    def key(self, name):
        self._keys.append(name)
        return list(self._keys)

    def heading(self, text):
        """A line of the heading, from what was drawn lately if possible."""
        line = self._drawn.get(text)
        if line is None:
            line = self._drawn[text] = text.center(self.width, "=")
            while len(self._drawn) > CACHED_LINES:
                self._drawn.popitem(last=False)
        return line

    def draw(self):
        lines = []
        try:
            lines.append(self.heading(self.title))
            lines.extend(self.body.lines(self.width))
            lines.append(rule(self.width, "thin"))
        except LayoutError as error:
            self._broken = str(error)
            return ""
        frame = "\n".join(lines)
        self._frames.append(frame)
        if len(self._frames) > KEPT_FRAMES:
            del self._frames[0]
        return frame

    def find(self, route):
        widget = self.body
        missing = []
        for name in route.split(".")[1:]:
            for part in widget._parts:
                if part.name == name:
                    widget = part
                    break
            else:
                missing.append(name)
        return None if missing else widget


class Shortcuts:
    """Keys, and who wants them."""

    def __init__(self):
        self._hooks = []
        self._unknown = None

    def add_hook(self, hook):
        self._hooks.append(hook)

    def remove_hook(self, hook):
        self._hooks.remove(hook)

    def press(self, name):
        handled = []
        for hook in list(self._hooks):
            try:
                handled.append(hook(name))
            except (KeyError, ValueError) as error:
                self._unknown = repr(error)
        return sum(handled)


class Dialog:
    """A question that takes the keys while it is open."""

    def __init__(self, shortcuts: Shortcuts, answers):
        self.answer = None
        self._answers = answers
        self._shortcuts = shortcuts

    def open(self):
        self._shortcuts.add_hook(self.pressed)

    def pressed(self, name):
        self.answer = self._answers[name]
        return True

    def close(self):
        self._shortcuts.remove_hook(self.pressed)


class DebugLog:
    """Log lines of the widgets in a list, for a panel that shows them."""

    class Lines(logging.Handler):
        def __init__(self):
            super().__init__()
            self.texts = deque(maxlen=30)

        def emit(self, record):
            self.texts.append(record.getMessage())

    def __init__(self):
        self._handler = DebugLog.Lines()

    def start(self):
        logger.addHandler(self._handler)

    def texts(self):
        return list(self._handler.texts)

    def stop(self):
        logger.removeHandler(self._handler)


def dump(window, path):
    """Writes a window as it is drawn now."""
    with open(path, "w", encoding="utf-8") as out:
        out.write(window.draw())
        out.write("\n")


def load(path, title):
    """A window with a label for each line of a file."""
    window = Window(title)
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source):
            window.body.put(Label("line%d" % number, line.rstrip("\n")))
    return window


def widest(texts):
    widths = []
    for text in texts:
        widths.append(text_width(text))
    logger.debug("%d texts", len(widths))
    return max(widths, default=0)


logger.addHandler(logging.NullHandler())
