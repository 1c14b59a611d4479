"""Calls each function of signals.py with what its parameters ask for."""

import contextlib
import inspect
import threading

import signals


def _answer(connection):
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\n\n")


def _ready(box, names, stack):
    given = {}
    if "path" in names:
        given["path"] = box.write("data", "123\n456\n")
    if "new" in names:
        given["new"] = box.path("new")
    if "folder" in names:
        box.write("folder/a", "")
        box.write("folder/b", "")
        given["folder"] = box.path("folder")
    if "lock" in names:
        given["lock"] = threading.Lock()
    if "host" in names:
        given["host"], given["port"] = stack.enter_context(box.serve(_answer))
    return given


def _scenario(function):
    names = inspect.signature(function).parameters

    def run(box):
        with contextlib.ExitStack() as stack:
            result = function(**_ready(box, names, stack))
            if inspect.isgenerator(result):
                box.take(result)

    async def run_async(box):
        with contextlib.ExitStack() as stack:
            await function(**_ready(box, names, stack))

    return run_async if inspect.iscoroutinefunction(function) else run


for _name, _function in list(vars(signals).items()):
    if inspect.isfunction(_function) and not _name.startswith("_"):
        globals()[_name] = _scenario(_function)
