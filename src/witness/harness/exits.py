"""In the place of `atexit`: what is registered is kept in a list, which can be counted, and goes with the run."""

import atexit

registered = []


def _register(function, *args, **kwargs):
    registered.append((function, args, kwargs))
    return function


def _unregister(function):
    registered[:] = [each for each in registered if each[0] != function]


def install():
    for function in (_register, _unregister):
        name = function.__name__.strip("_")
        function.__name__ = function.__qualname__ = name
        function.__module__ = "atexit"
        setattr(atexit, name, function)
