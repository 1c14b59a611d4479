"""A patch bay for effects: modules with inputs and knobs, cables between them, presets and a status line.

    bay = Patchbay()
    osc, out = bay.module("osc"), bay.module("out")
    bay.cable(osc, out)
    bay.block(64)
"""

import logging
import math
import weakref
from collections import OrderedDict, deque
from functools import cached_property, lru_cache

LOGGER = logging.getLogger("patchbay")
PEAKS = 16
TABLES = 8


class PatchError(Exception):
    pass


@lru_cache(maxsize=32)
def gain(decibels):
    return 10.0 ** (decibels / 20.0)


@lru_cache
def note_frequency(number: int) -> float:
    return 440.0 * 2.0 ** ((number - 69) / 12.0)


_tables = OrderedDict()


def wave_table(size):
    """One period of a sine, shared by all who ask for the size."""
    if size not in _tables:
        values = []
        for step in range(size):
            values.append(math.sin(2 * math.pi * step / size))
        _tables[size] = tuple(values)
        if len(_tables) > TABLES:
            _tables.popitem(last=False)
    return _tables[size]


class Wires:
    def __init__(self):
        self._hooks = []

    def add_hook(self, hook):
        self._hooks.append(hook)

    def remove_hook(self, hook):
        self._hooks.remove(hook)

    def changed(self, what):
        for hook in tuple(self._hooks):
            hook(what)


WIRES = Wires()


def log_change(what):
    LOGGER.debug("%s", what)


class Knob:
    """A value with a range, which tells its module when it is turned."""

    def __init__(self, low, high, turned):
        self._low = low
        self._high = high
        self.value = low
        self._on_turn = turned

    def turn(self, value):
        self.value = min(self._high, max(self._low, value))
        turned = self._on_turn()
        if turned is not None:
            turned(self.value)


class Fader:
    """The level of everything, in steps of three decibels."""

    def __init__(self, moved):
        self._step = 0
        self._on_move = moved

    def move_to(self, decibels):
        step = max(-20, min(0, round(decibels))) // 3
        if step == self._step:
            return
        self._step = step
        moved = self._on_move()
        if moved is not None:
            moved(3 * step)


class Light:
    def __init__(self, module):
        self._module = module

    def is_on(self):
        return self._module.level > 0.9


class Meter:
    def __init__(self, module):
        self._watched = module

    def text(self):
        module = self._watched()
        return "" if module is None else "%s %.2f" % (module.kind, module.level)


class Module:
    def __init__(self, bay, kind):
        self.kind = kind
        self.level = 0.0
        self._bay = weakref.ref(bay)
        self._knob = Knob(-60, 6, weakref.WeakMethod(self._turned))
        self._light = Light(weakref.proxy(self))
        self._meter = Meter(weakref.ref(self))
        self._peaks = deque(maxlen=PEAKS)

    @cached_property
    def short(self):
        return self.kind[:3]

    @cached_property
    def table(self):
        return wave_table(16 + len(self.kind))

    def _turned(self, value):
        self.level = gain(value)
        bay = self._bay()
        if bay is not None:
            bay.say("%s at %d dB" % (self.short, value))

    def set(self, value):
        self._knob.turn(value)

    def block(self, size):
        peak = 0.0
        for step in range(size):
            peak = max(peak, abs(self.table[step % len(self.table)]) * self.level)
        self._peaks.append(peak)
        return peak

    def state(self):
        return self._meter.text() + (" !" if self._light.is_on() else "")

    def loudest(self):
        return max(self._peaks) if self._peaks else 0.0


class Cable:
    def __init__(self, source, target, colour="red"):
        self.colour = colour
        self._source = weakref.ref(source)
        self._target = weakref.ref(target)

    def ends(self):
        source, target = self._source(), self._target()
        return "%s-%s" % (source.kind if source else "?", target.kind if target else "?")


class Rack:
    def __init__(self, bay, name):
        self.name = name
        self._home = weakref.proxy(bay)
        self._slots = []

    def mount(self, module):
        self._slots.append(module)
        self._home.say("%s in %s" % (module.kind, self.name))


class Patchbay:
    def __init__(self):
        self._modules = []
        self._cables = []
        self._racks = {}
        self._status = deque(maxlen=12)
        self._presets = {}
        self._trouble = None
        self._master = Fader(weakref.WeakMethod(self._master_moved))

    def _master_moved(self, value):
        self.say("master at %d dB" % value)

    def master(self, value):
        self._master.move_to(value)

    def module(self, kind):
        module = Module(self, kind)
        self._modules.append(module)
        WIRES.changed("new %s" % kind)
        return module

    def rack(self, name):
        if name not in self._racks:
            rack = Rack(self, name)
            self._racks[name] = rack
        return self._racks[name]

    def cable(self, source, target):
        if source is target:
            raise PatchError("a cable needs two modules")
        cable = Cable(source, target)
        self._cables.append(cable)
        WIRES.changed(cable.ends())
        return cable

    def try_cable(self, source, target):
        try:
            self.cable(source, target)
        except PatchError as error:
            self._trouble = str(error)
            return False
        return True

    def trouble(self):
        return "" if self._trouble is None else self._trouble

    def say(self, text):
        self._status.append(text)

    def status(self):
        return " / ".join(self._status)

    def store(self, name):
        """Keeps the levels under a name; of too many presets the first by name goes."""
        self._presets[name] = [module.level for module in self._modules]
        while len(self._presets) > 9:
            self._presets.pop(min(self._presets))

    def block(self, size):
        peaks = []
        for module in self._modules:
            peaks.append(module.block(size))
        return max(peaks) if peaks else 0.0

    def draw(self, out):
        lines = []
        for module in self._modules:
            lines.append(module.state())
        for cable in self._cables:
            lines.append(cable.ends())
        out.write("\n".join(lines))


class StatusLine:
    """Follows all changes of wires while it is shown."""

    def __init__(self, width):
        self._width = width
        self._text = ""
        WIRES.add_hook(self._show)

    def _show(self, what):
        self._text = what[: self._width]

    def text(self):
        return self._text

    def close(self):
        WIRES.remove_hook(self._show)


class Console:
    def __init__(self, stream):
        self._lines = logging.StreamHandler(stream)
        self._log = logging.getLogger("patchbay")

    def start(self):
        self._log.addHandler(self._lines)

    def stop(self):
        self._log.removeHandler(self._lines)


def scale(first, count, out):
    """Frequencies of a run of notes."""
    words = []
    for number in range(first, first + count):
        words.append("%.1f" % note_frequency(number))
    out.write(" ".join(words))


WIRES.add_hook(log_change)
LOGGER.addHandler(logging.NullHandler())
