"""Whether threads wait for something that nobody will give them: what never comes need not be waited for.

Where all threads of a process wait in the system, none of them with a time limit, and none has run between two looks, then only what
is outside of the process could wake one: a signal, a child, a clock. Known of Linux alone; elsewhere the answer is that nobody knows.
"""

import os
import re
import socket
import threading
import time

_PAUSE_SECONDS = 0.01
_CLOCKS = re.compile(r"timerfd|signalfd|inotify|fanotify")
_NO_TIME = bytes(16)


def _no_limit(at):
    """The address of the limit is none."""
    return lambda arguments: int(arguments[at], 16) == 0


def _negative(at):
    """The limit is a number of milliseconds."""
    return lambda arguments: int(arguments[at], 16) & 0x80000000 != 0


def _futex(arguments):
    operation = int(arguments[1], 16) & 0x7F
    return operation in (0, 9) and int(arguments[3], 16) == 0


def _for_ever(_):
    return True


# By the number of the call: whether its arguments set no limit. Waiting for locks; for peers; for one of many.
_CALLS = {
    "x86_64": {
        "202": _futex,
        "43": _for_ever,  # accept
        "288": _for_ever,  # accept4
        "45": _for_ever,  # recvfrom
        "47": _for_ever,  # recvmsg
        "7": _negative(2),  # poll
        "271": _no_limit(2),  # ppoll
        "23": _no_limit(4),  # select
        "270": _no_limit(4),  # pselect
        "232": _negative(3),  # epoll_wait
        "281": _negative(3),  # epoll_pwait
    }
}.get(os.uname().machine, {})


def waiting(process, apart=0):
    """{thread: how often it has run} if all of a process, `apart` from one, wait without a limit; else `None`."""
    found = {}
    top = f"/proc/{process}/task"
    try:
        for thread in os.listdir(top):
            if int(thread) != apart:
                number, *arguments = _read(f"{top}/{thread}/syscall").split()
                if number not in _CALLS or not _CALLS[number](arguments):
                    return None
                found[thread] = _read(f"{top}/{thread}/schedstat").split()[2]
            if _read(f"{top}/{thread}/children"):
                return None
    except (OSError, ValueError, IndexError):
        return None
    return found


def _read(path):
    with open(path) as source:
        return source.read()


def may_be_woken():
    """Whether this process has something that rings: sockets may have a limit of their own, which no call shows."""
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
            if _CLOCKS.search(target) or target.startswith("socket:") and _has_limit(int(number)):
                return True
        except OSError:
            continue
    return False


def _has_limit(number):
    with socket.socket(fileno=os.dup(number)) as copy:
        return copy.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, len(_NO_TIME)) != _NO_TIME


def join(thread, seconds):
    """Waits for a thread, but not in vain."""
    until = time.monotonic() + seconds
    before = None
    while thread.is_alive() and time.monotonic() < until:
        thread.join(_PAUSE_SECONDS)
        now = waiting(os.getpid(), apart=threading.get_native_id())
        if now is not None and now == before and not may_be_woken():
            return
        before = now
