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


def objects():
    """Objects that the collector knows, by type. What was there before the process was forked is not among them."""
    return collections.Counter(_name(type(each)) for each in gc.get_objects())


def everything():
    """All that may grow: {(kind, name): how many}."""
    found = collections.Counter()
    seen = set()
    for each in gc.get_objects():
        found["objects", _name(type(each))] += 1
        _count_items(each, found)
        for inner in gc.get_referents(each):
            if isinstance(inner, _UNTRACKED) and not gc.is_tracked(inner) and id(inner) not in seen:
                seen.add(id(inner))
                _count_items(inner, found)
    found.update(_kept_by_the_interpreter())
    return found


def _count_items(each, found):
    if isinstance(each, _CONTAINERS):
        base = next(base for base in _CONTAINERS if isinstance(each, base))
        found["items", _name(type(each))] += base.__len__(each)
    elif isinstance(each, functools._lru_cache_wrapper):
        found["items", "lru_cache"] += each.cache_info().currsize


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
