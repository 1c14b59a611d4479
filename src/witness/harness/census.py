"""What there is in memory, counted by kind: live objects, items of containers, and what the interpreter keeps lists of."""

import array
import collections
import functools
import gc
import logging
import sys
import weakref

import exits

# The longest of these grow without a new object that the collector knows.
_CONTAINERS = (list, dict, set, collections.deque, bytearray, array.array)
_UNTRACKED = (dict, bytearray, array.array)


def cycles():
    """Objects that only the collector frees, by type, and frees them: those in cycles, not what hangs on them."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    garbage = {id(each): each for each in gc.garbage}
    gc.garbage.clear()
    found = collections.Counter(_name(type(garbage[each])) for each in _in_cycles(garbage))
    garbage.clear()
    gc.collect()
    return found


def _in_cycles(garbage):
    """Keys of what is left when ends without successor or predecessor are cut off, again and again."""
    after = {key: {id(other) for other in gc.get_referents(each)} & garbage.keys() for key, each in garbage.items()}
    before = {key: set() for key in garbage}
    for key, others in after.items():
        for other in others:
            before[other].add(key)
    loose = [key for key in garbage if not after[key] or not before[key]]
    left = set(garbage)
    while loose:
        key = loose.pop()
        if key not in left:
            continue
        left.discard(key)
        for ways, back in ((after, before), (before, after)):
            for other in ways.pop(key):
                back[other].discard(key)
                if not back[other]:
                    loose.append(other)
    return left


def everything():
    """All that may grow: {(kind, name): how many}."""
    objects = gc.get_objects()
    found = collections.Counter()
    for cls, count in collections.Counter(map(type, objects)).items():
        found["objects", _name(cls)] += count
    for each in objects:
        if _is(each, _CONTAINERS):
            _count_items(each, found)
        elif _is(each, functools._lru_cache_wrapper):
            found["items", "lru_cache"] += each.cache_info().currsize
    untracked = {id(each): each for each in gc.get_referents(*objects) if _is(each, _UNTRACKED) and not gc.is_tracked(each)}
    for each in untracked.values():
        _count_items(each, found)
    found.update(_kept_by_the_interpreter())
    return found


def _is(each, kinds):
    """`isinstance`, which asks a weak proxy for what it stands for, and fails if that is gone."""
    return issubclass(type(each), kinds)


def _count_items(each, found):
    base = next(base for base in _CONTAINERS if _is(each, base))
    found["items", _name(type(each))] += base.__len__(each)


def _kept_by_the_interpreter():
    loggers = [logging.root, *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    return {
        ("items", "log handlers"): sum(len(each.handlers) + len(each.filters) for each in loggers),
        ("items", "loggers"): len(loggers),
        ("items", "atexit callbacks"): len(exits.registered),
        ("items", "callbacks of the collector"): len(gc.callbacks),
        ("items", "finalizers"): len(weakref.finalize._registry),
        ("items", "modules"): len(sys.modules),
        ("items", "sys.path"): len(sys.path),
    }


def _name(cls):
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")
