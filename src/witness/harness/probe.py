"""Says of one object whether it still holds something. Knows types of the standard library, and nothing of runs.

Each probe answers `None` (nothing that can be held), or a text for what is still open, or `""` for released.
"""

import concurrent.futures
import io
import os
import sys
import threading
import weakref

import stuck

RELEASED = ""
_AT_FIRST = "_leakbench_at_first"


def _flag(kind, is_open):
    return kind if is_open else RELEASED


def _attribute(value, name, default=None):
    try:
        return getattr(value, name, default)
    except Exception:
        return default


def _is_closed(value):
    """`closed` of a file; a wrapper that gave its file away raises there and holds nothing."""
    try:
        return bool(value.closed)
    except ValueError:
        return True


def bottom(value):
    """The innermost of a pile of wrappers: what really holds the descriptor, or the memory."""
    for _ in range(8):
        inner = None
        for name in ("buffer", "raw", "fileobj", "fp", "_fp", "stream", "file"):
            try:
                inner = value.__dict__.get(name) if name in ("fileobj", "fp", "_fp", "file", "stream") else getattr(value, name, None)
            except Exception:
                inner = None
            if inner is not None and inner is not value and hasattr(inner, "read" if not hasattr(inner, "write") else "write"):
                break
            inner = None
        if inner is None:
            return value
        value = inner
    return value


def descriptor_of(value):
    if type(value).__name__ == "SpooledTemporaryFile":
        value = value._file  # asked itself, it would make a file to answer
    try:
        number = value.fileno()
    except Exception:
        return None
    return number if isinstance(number, int) and number >= 0 else None


def _file(value):
    if isinstance(value, (io.StringIO, io.BytesIO)) or value in (sys.stdin, sys.stdout, sys.stderr):
        return None
    if _is_closed(value):
        return RELEASED
    low = bottom(value)
    if isinstance(low, (io.StringIO, io.BytesIO)) or descriptor_of(value) in (0, 1, 2):
        return None
    if _is_closed(low):
        return RELEASED
    name = _attribute(value, "name")
    return f"file {name!r}" if isinstance(name, str) else "file"


def _compressed(value):
    """gzip, bz2, lzma: a file that was passed in belongs to who passed it."""
    if hasattr(value, "_closefp"):
        if _attribute(value, "_fp") is None:
            return RELEASED
        return "compressed file" if value._closefp else None
    if _is_closed(value):
        return RELEASED
    return "compressed file" if value.myfileobj is not None else None


def _socket(value):
    return _flag("socket", value.fileno() != -1)


def _sqlite(value):
    import sqlite3

    try:
        value.total_changes
    except sqlite3.ProgrammingError:
        return RELEASED
    return "sqlite3 connection"


def _is_child(process):
    """Whether there is someone to wait for, ended or not."""
    try:
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _popen(value):
    """Does not ask whether it has ended: who asks has waited for it."""
    if value.returncode is None and _is_child(value.pid):
        return "child process, never waited for"
    pipes = [name for name in ("stdin", "stdout", "stderr") if getattr(value, name) is not None and not getattr(value, name).closed]
    return _flag("pipe of a child: " + ", ".join(pipes), bool(pipes))


def _thread(value):
    if value.is_alive():
        stuck.join(value, 0.3)
    return _flag(f"thread {value.name}", value.is_alive())


def _lock(value):
    if hasattr(value, "locked"):
        return _flag("lock, held", value.locked())
    return _flag("lock, held", value._is_owned() or not _can_be_taken(value))


def _can_be_taken(lock):
    """By this thread, so that no other has it."""
    taken = lock.acquire(blocking=False)
    if taken:
        lock.release()
    return taken


def _semaphore(value):
    return _flag("lock, held", value._value < value.__dict__.get(_AT_FIRST, 0))


def _shared_lock(value):
    return _flag("lock, held", value._semlock._count() > 0)


def is_lock(value):
    return value is not None and probe_for(value) in (_lock, _semaphore, _shared_lock)


def _selector(value):
    return _flag("selector", value.get_map() is not None)


def _http_connection(value):
    return _flag("HTTP connection", value.sock is not None)


def _http_response(value):
    return _flag("HTTP response", not value.isclosed())


def _mail_client(value):
    sock = _attribute(value, "sock")
    return _flag(f"{type(value).__name__} connection", sock is not None and sock.fileno() != -1)


def _shelf(value):
    return _flag("shelf", type(value.dict).__name__ != "_ClosedDict")


def _wave(value):
    return _flag("wave file", bool(_attribute(value, "_i_opened_the_file")))


def _mailbox(value):
    file = _attribute(value, "_file")
    return None if file is None else _flag("mailbox", not file.closed)


def _zip(value):
    if value.fp is None:
        return RELEASED
    return None if value._filePassed else "archive"


def _tar(value):
    if value.closed:
        return RELEASED
    return None if value._extfileobj else "archive"


def _temporary_folder(value):
    return _flag("temporary folder", value._finalizer.alive)


def _executor(value):
    if isinstance(value, concurrent.futures.ThreadPoolExecutor):
        return _flag("executor", not value._shutdown)
    return _flag("executor", not _attribute(value, "_shutdown_thread", False))


def _pool(value):
    return _flag("process pool", _attribute(value, "_state") not in ("CLOSE", "TERMINATE"))


def _process(value):
    try:
        started = value._popen is not None
    except Exception:
        return RELEASED
    return _flag("process", started and value._popen.returncode is None)


def _async_child(value):
    return _flag("child process, never waited for", value.returncode is None)


def _task(value):
    return _flag("task", not value.done())


def prepare(value):
    """Before it is used: a semaphore must go back to what it was; a peer that hangs up closes a stream too, and that
    releases nobody from closing it."""
    if probe_for(value) is _semaphore:
        value.__dict__.setdefault(_AT_FIRST, value._value)
    if probe_for(value) is not _stream_writer or "close" in vars(value):
        return

    def close():
        value.closed_by_program = True
        return type(value).close(value)

    value.close = close


def _stream_writer(value):
    return _flag("connection", not getattr(value, "closed_by_program", False))


def _server(value):
    return _flag("asyncio server", _attribute(value, "_sockets") is not None)


def _socket_server(value):
    return _flag("server", value.socket.fileno() != -1)


def _log_handler(value):
    stream = _attribute(value, "stream")
    return _flag("log file", stream is not None and not _is_closed(stream))


def _file_input(value):
    return _flag("input files", _attribute(value, "_file") is not None)


def _stub(value):
    return _flag(type(value).__name__, value.held)


def _by_descriptor(value):
    """No flag tells: what its `close` gives back was still open."""
    before = descriptors()
    try:
        value.close()
    except Exception:
        return RELEASED
    return _flag(type(value).__name__, bool(before - descriptors()))


def _database_file(value):
    try:
        value.keys()
    except Exception:
        return RELEASED
    return "dbm file"


def descriptors():
    """Numbers of the open descriptors of this process."""
    found = set()
    for name in os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.add(int(name))
    return found


# By the name of a class in the method resolution order, so that no module is imported for it. The first match counts.
PROBES = {
    "http.client.HTTPResponse": _http_response,
    "http.client.HTTPConnection": _http_connection,
    "tarfile.ExFileObject": None,
    "gzip.GzipFile": _compressed,
    "bz2.BZ2File": _compressed,
    "lzma.LZMAFile": _compressed,
    "tempfile._TemporaryFileWrapper": _file,
    "tempfile.SpooledTemporaryFile": _file,
    "tempfile.TemporaryDirectory": _temporary_folder,
    "codecs.StreamReaderWriter": _file,
    "os._wrap_close": _file,
    "_io._IOBase": _file,
    "_socket.socket": _socket,
    "sqlite3.Connection": _sqlite,
    "subprocess.Popen": _popen,
    "threading.Thread": _thread,
    "_thread.lock": _lock,
    "_thread.RLock": _lock,
    "threading._RLock": _lock,
    "threading.Semaphore": _semaphore,
    "asyncio.locks.Lock": _lock,
    "asyncio.locks.Semaphore": _semaphore,
    "multiprocessing.synchronize.SemLock": _shared_lock,
    "selectors.BaseSelector": _selector,
    "select.epoll": _file,
    "mmap.mmap": _file,
    "smtplib.SMTP": _mail_client,
    "ftplib.FTP": _mail_client,
    "imaplib.IMAP4": _mail_client,
    "poplib.POP3": _mail_client,
    "nntplib.NNTP": _mail_client,
    "telnetlib.Telnet": _mail_client,
    "shelve.Shelf": _shelf,
    "_dbm.dbm": _database_file,
    "_gdbm.gdbm": _database_file,
    "dbm.dumb._Database": _database_file,
    "dbm.sqlite3._Database": _database_file,
    "wave.Wave_read": _wave,
    "wave.Wave_write": _wave,
    "aifc.Aifc_read": _wave,
    "aifc.Aifc_write": _wave,
    "mailbox._singlefileMailbox": _mailbox,
    "zipfile.ZipFile": _zip,
    "tarfile.TarFile": _tar,
    "posix.ScandirIterator": _by_descriptor,
    "concurrent.futures._base.Executor": _executor,
    "multiprocessing.pool.Pool": _pool,
    "multiprocessing.process.BaseProcess": _process,
    "multiprocessing.connection._ConnectionBase": _file,
    "asyncio.subprocess.Process": _async_child,
    "_asyncio.Task": _task,
    "asyncio.tasks.Task": _task,
    "asyncio.streams.StreamWriter": _stream_writer,
    "asyncio.base_events.Server": _server,
    "socketserver.BaseServer": _socket_server,
    "logging.FileHandler": _log_handler,
    "fileinput.FileInput": _file_input,
}

_known = weakref.WeakKeyDictionary()  # classes of a module go with the run that made them
_of_interpreter = {}  # what is faster, for classes that stay in any case
_IS_MADE_BY_PROGRAM = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def probe_for(value):
    """The probe of a value's type, or `None`."""
    cls = type(value)
    if cls in _of_interpreter:
        return _of_interpreter[cls]
    known = _known if cls.__flags__ & _IS_MADE_BY_PROGRAM else _of_interpreter
    if cls not in known:
        known[cls] = _find(cls)
    return known[cls]


def _find(cls):
    for each in cls.__mro__:
        name = f"{each.__module__}.{each.__qualname__}"
        if name in PROBES:
            return PROBES[name]
    return None


def is_stub(value):
    return isinstance(_attribute(value, "held", None), bool)


def open_as(value):
    """What a value still holds, `""` if it was released, `None` if it is nothing that can be held."""
    probe = probe_for(value)
    if probe is None:
        return _stub(value) if is_stub(value) else None
    try:
        return probe(value)
    except Exception as error:
        return f"{type(value).__name__} (cannot be probed: {error!r})"


def closes_for_good(value):
    """Whether what is released once will never hold anything again."""
    return probe_for(value) in (_file, _compressed, _socket, _sqlite, _zip, _tar)


def keeps_pipes(value):
    return value is not None and probe_for(value) in (_pool, _process)


def is_held(value):
    """Whether it holds something, asked in a way that nothing comes of: others will go on using it."""
    probe = probe_for(value)
    if probe is _by_descriptor:
        return True
    if probe is _lock and not hasattr(value, "locked"):
        return value._is_owned()
    return value.is_alive() if probe is _thread else bool(open_as(value))


def force_closed(value):
    """So that one run does not disturb the next."""
    for name in ("kill", "close", "server_close", "shutdown", "cleanup", "cancel"):
        method = _attribute(value, name)
        if callable(method) and not isinstance(value, threading.Thread):
            try:
                method()
            except BaseException:
                pass
    if probe_for(value) is _popen:
        value.wait()
