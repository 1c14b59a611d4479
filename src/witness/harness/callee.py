"""What kind of callee a call has: of the module itself, total, a release, or one that may fail.

The table says which calls cannot fail in any program that works. Everything else that leaves the module may.
"""

import collections
import functools
import sys
import types

INSIDE = "inside"  # runs the module's own code, where each call is looked at itself
TOTAL = "total"  # cannot fail
RELEASE = "release"  # is carried out, then fails
MAY_FAIL = "may-fail"
MAY_BE_CANCELLED = "may-be-cancelled"  # cannot fail, but waits

# `a.b` is a callable, `a.*` all of a module or class.
TOTAL_NAMES = frozenset(
    """
    builtins.abs builtins.all builtins.any builtins.bin builtins.bool builtins.callable builtins.chr builtins.divmod builtins.enumerate
    builtins.format builtins.getattr builtins.hasattr builtins.hash builtins.hex builtins.id builtins.isinstance builtins.issubclass
    builtins.iter builtins.len builtins.max builtins.memoryview builtins.min builtins.object builtins.oct builtins.ord builtins.pow
    builtins.property builtins.range builtins.repr builtins.reversed builtins.round builtins.setattr builtins.slice builtins.str
    builtins.type builtins.zip builtins.map builtins.filter builtins.dict builtins.classmethod builtins.staticmethod
    builtins.str.* builtins.bytes.* builtins.bytearray.* builtins.list.* builtins.dict.* builtins.set.* builtins.frozenset.* builtins.tuple.*
    builtins.int.* builtins.float.* builtins.bool.* builtins.memoryview.* builtins.mappingproxy.* builtins.object.* builtins.BaseException.*
    builtins.range.* builtins.type.*
    abc.* bisect.* _bisect.* collections.* _collections.* _collections_abc.* contextlib.* contextvars.* _contextvars.* copy.* dataclasses.* enum.*
    functools.* _functools.* gc.* hashlib.* _hashlib.* _sha1.* _sha2.* _sha256.* _sha512.* _md5.* _blake2.* hmac.* heapq.* _heapq.* html.*
    inspect.* itertools.* math.* numbers.* operator.* _operator.* platform.* queue.* _queue.* random.* _random.* secrets.* string.* sys.* textwrap.*
    time.* traceback.* types.* typing.* uuid.* warnings.* _warnings.* weakref.* _weakref.* _weakrefset.*
    datetime.datetime.* datetime.date.* datetime.time.* datetime.timedelta.* datetime.timezone.* datetime.timedelta datetime.timezone
    logging.* io.StringIO _io.StringIO _io.BytesIO _io.StringIO.* _io.BytesIO.*
    posixpath.* ntpath.* genericpath.exists genericpath.isfile genericpath.isdir genericpath.commonprefix posix.fspath posix.getpid
    posix.getuid posix.geteuid posix.getppid posix.cpu_count posix.urandom os.fspath os.fsencode os.fsdecode os.getenv os._Environ.* os.strerror posix.strerror posix.getcwd posix.WIFEXITED
    pathlib.PurePath.* pathlib._local.PurePath.* pathlib.Path pathlib.PosixPath pathlib._local.Path pathlib.PurePath pathlib.PurePosixPath
    re.* re.Pattern.* re.Match.* _sre.* struct.calcsize _struct.calcsize struct.Struct _struct.Struct zlib.crc32 zlib.adler32 binascii.hexlify binascii.crc32 zlib.compressobj
    zlib.decompressobj urllib.parse.quote urllib.parse.quote_plus urllib.parse.urlencode urllib.parse.unquote urllib.parse.urljoin
    csv.writer csv.reader csv.DictReader csv.DictWriter _csv.writer _csv.reader
    argparse.ArgumentParser argparse.ArgumentParser.add_argument argparse._ActionsContainer.* argparse.Namespace
    unittest.case.TestCase.addCleanup unittest.case.TestCase.addClassCleanup unittest.case.TestCase.enterContext unittest.case.TestCase.enterClassContext
    unittest.case.TestCase.addTypeEqualityFunc unittest.case.addModuleCleanup unittest.case.enterModuleContext
    unittest.async_case.IsolatedAsyncioTestCase.addAsyncCleanup unittest.async_case.IsolatedAsyncioTestCase.enterAsyncContext
    atexit.register concurrent.futures._base.Future.add_done_callback
    threading.* _thread.* fileno getpid os.fdopen tempfile.gettempprefix
    urllib.request.Request urllib.request.Request.* http.client.HTTPMessage.* email.message.Message.*
    asyncio.queues.* asyncio.locks.Event asyncio.locks.Lock asyncio.locks.Condition asyncio.locks.Semaphore asyncio.locks.Event.*
    asyncio.events.get_running_loop _asyncio.get_running_loop asyncio.events.get_event_loop _asyncio.get_event_loop asyncio.tasks.create_task
    asyncio.tasks.ensure_future asyncio.tasks.current_task _asyncio.current_task _asyncio.Task.* _asyncio.Future.*
    subprocess.list2cmdline shlex.quote shlex.join email.utils.formataddr email.utils.parseaddr email.utils.formatdate email.utils.make_msgid
    decimal.getcontext decimal.localcontext _decimal.getcontext _decimal.localcontext unicodedata.* difflib.* fnmatch.* locale.getpreferredencoding
    """.split()
)

# Exceptions to the lines above: these may well fail.
FALLIBLE = frozenset(
    """
    builtins.bytes.decode builtins.bytearray.decode builtins.str.encode builtins.bytes.fromhex builtins.str.index builtins.list.index
    builtins.tuple.index builtins.list.remove builtins.str.format builtins.memoryview.cast
    logging.FileHandler logging.handlers.RotatingFileHandler logging.basicConfig logging.handlers.* logging.config.*
    time.strptime datetime.datetime.strptime datetime.datetime.fromisoformat datetime.date.fromisoformat
    posixpath.realpath posixpath.expanduser posixpath.samefile posixpath.getsize genericpath.getsize genericpath.getmtime
    threading.Thread.start _thread.start_new_thread inspect.getsource inspect.getsourcelines copy.deepcopy
    """.split()
)

# Total if all that they are given are plain values.
TOTAL_ON_VALUES = frozenset("builtins." + name for name in "next list tuple set frozenset sorted sum bytes bytearray min max all any dict map filter".split())

# They wait for something and cannot fail otherwise.
WAITERS = frozenset("asyncio.tasks.sleep asyncio.queues.Queue.get asyncio.queues.Queue.put asyncio.queues.Queue.join asyncio.locks.Event.wait asyncio.locks.Lock.acquire asyncio.locks._ContextManagerMixin.acquire asyncio.locks.Condition.wait asyncio.locks.Semaphore.acquire".split())

RELEASES = frozenset(
    """
    close aclose shutdown release unlink remove rmdir rmtree terminate kill wait wait_closed communicate join quit logout detach stop cancel
    disconnect unregister cleanup __exit__ __aexit__ server_close aexit unlock closerange reap waitpid removeHandler server_close kill_all
    """.split()
)

_NAMESPACES = (type, types.ModuleType)

VALUES = (str, bytes, bytearray, int, float, complex, bool, type(None), list, tuple, dict, set, frozenset, range, type({}.keys()), type({}.values()), type({}.items()))


class Callees:
    """Tells callees of one module apart."""

    def __init__(self, module_name, path):
        self.module_name = module_name
        self.path = path
        self.known = {}
        self.of_libraries = {}

    def forget(self):
        """Else it keeps the functions and classes of every earlier run alive."""
        self.known = dict(self.of_libraries)

    def kind(self, function, args):
        while isinstance(function, functools.partial):
            function = function.func
        if function is open and args and isinstance(args[0], int):
            return TOTAL  # takes the descriptor over, as os.fdopen does
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, _NAMESPACES):
            key = function
        else:
            key = type(owner), getattr(function, "__name__", ""), getattr(function, "__func__", None)
        try:
            kind = self.known.get(key)
        except TypeError:  # it cannot be hashed
            key = id(type(function))
            kind = self.known.get(key)
        if kind is None:
            kind = self.known[key] = self._classify(function, owner, getattr(function, "__name__", ""))
            if _is_of_library(key):
                self.of_libraries[key] = kind
        if kind == "total-on-values":
            return TOTAL if all(self.iterates_safely(arg) for arg in args) else MAY_FAIL
        return kind

    def iterates_safely(self, value):
        """Whether going through it fails only where the module's own code fails."""
        code = getattr(value, "gi_code", None)
        return code.co_filename == self.path if code is not None else iterates_values(value)

    def _classify(self, function, owner, name):
        if self._is_inside(function):
            return INSIDE
        names = list(_names(function, owner, name))
        if any(each in TOTAL_ON_VALUES for each in names):
            return "total-on-values"
        if any(_listed(each, WAITERS) for each in names):
            return MAY_BE_CANCELLED
        if _is_total(names) or _is_exception(function):
            return TOTAL
        return RELEASE if name in RELEASES else MAY_FAIL

    def _is_inside(self, function):
        if isinstance(function, type):
            return self._is_own_class(function)
        code = getattr(_unwrapped(function), "__code__", None)
        if code is not None:
            return code.co_filename == self.path
        call = getattr(type(function), "__call__", None)
        return getattr(getattr(call, "__code__", None), "co_filename", None) == self.path

    def _is_own_class(self, cls):
        """Whether making an instance runs the module's code, or none at all."""
        if getattr(cls, "__module__", None) != self.module_name:
            return False
        for maker in (cls.__init__, cls.__new__):
            code = getattr(maker, "__code__", None)
            if code is not None and code.co_filename == self.path:
                return True
        return all(_is_trivial(maker) for maker in (cls.__init__, cls.__new__))


def _is_trivial(maker):
    code = getattr(maker, "__code__", None)
    if code is not None:  # what dataclasses and named tuples write
        return code.co_filename.startswith("<") or code.co_filename.endswith("enum.py")
    return getattr(maker, "__objclass__", object) in (object, tuple, BaseException, dict, list, str, int) or getattr(
        maker, "__self__", object
    ) in (object, tuple, BaseException, dict, list, str, int)


def _unwrapped(function):
    """What a decorator of the standard library (`contextmanager`, `lru_cache`, `wraps`) stands before."""
    function = getattr(function, "__func__", function)
    for _ in range(10):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    return function


def _is_of_library(key):
    """Whether a library keeps it alive in any case."""
    if isinstance(key, tuple):
        cls, name, function = key
        return _is_of_library(cls) and (function is None or getattr(cls, name, None) is function)
    name = getattr(key, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    return getattr(sys.modules.get(name), getattr(key, "__name__", ""), None) is key


def _names(function, owner, name):
    """All that the table may call it by."""
    if isinstance(function, type):
        yield f"{function.__module__}.{function.__qualname__}"
        for cls in function.__mro__[1:-1]:
            if "__init__" in vars(cls) or "__new__" in vars(cls):
                yield f"{cls.__module__}.{cls.__qualname__}"
                break
        return
    if owner is None or isinstance(owner, types.ModuleType):
        module = getattr(function, "__module__", None) or getattr(owner, "__name__", "")
        yield f"{module}.{getattr(function, '__qualname__', name)}"
        return
    for cls in (owner if isinstance(owner, type) else type(owner)).__mro__:
        if cls is object and name not in vars(object):
            break
        yield f"{cls.__module__}.{cls.__qualname__}.{name}"
        if name in vars(cls):
            break
    if name == "fileno":
        yield "fileno"


def _listed(name, table):
    if name in table:
        return True
    head = name
    while "." in head:
        head = head.rpartition(".")[0]
        if head + ".*" in table:
            return True
    return False


def _is_total(names):
    return any(_listed(each, TOTAL_NAMES) for each in names) and not any(_listed(each, FALLIBLE) for each in names)


def _is_exception(function):
    return isinstance(function, type) and issubclass(function, BaseException)


def is_plain(value):
    return type(value) in VALUES


CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset, collections.deque)
ITERATORS = tuple(type(iter(each)) for each in ([], (), {}, set(), "", b"", range(0), {}.keys(), {}.values(), {}.items(), bytearray())) + (type(reversed([])),)


def iterates_values(iterable):
    """Whether no step of an iteration can fail."""
    if is_plain(iterable) or type(iterable) in ITERATORS:
        return True
    if isinstance(iterable, (enumerate, zip)):
        inner = iterable.__reduce__()[1]
        inner = inner[:1] if isinstance(iterable, enumerate) else inner
        return all(iterates_values(each) for each in inner)
    return isinstance(iterable, (*CONTAINERS, type))
