//! The names that CPython 3.10 to 3.14 know without an import, and the words no name may be.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether `name` is looked up in the `builtins` module when nothing shadows it.
pub fn is_builtin(name: &str) -> bool {
    static SET: LazyLock<HashSet<&str>> = LazyLock::new(|| BUILTINS.split_ascii_whitespace().collect());
    SET.contains(name)
}

/// Whether `name` is a keyword, a soft one included.
pub fn is_keyword(name: &str) -> bool {
    static SET: LazyLock<HashSet<&str>> = LazyLock::new(|| KEYWORDS.split_ascii_whitespace().collect());
    SET.contains(name)
}

/// Without `__name__`, `__doc__` and the like, which every module has of its own.
const BUILTINS: &str = "\
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError \
    BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError \
    ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning \
    EnvironmentError Exception ExceptionGroup False FileExistsError FileNotFoundError FloatingPointError \
    FutureWarning GeneratorExit IOError ImportError ImportWarning IndentationError IndexError InterruptedError \
    IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError None \
    NotADirectoryError NotImplemented NotImplementedError OSError OverflowError PendingDeprecationWarning \
    PermissionError ProcessLookupError PythonFinalizationError RecursionError ReferenceError ResourceWarning \
    RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError \
    SystemExit TabError TimeoutError True TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError \
    UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning WindowsError \
    ZeroDivisionError _IncompleteInputError __build_class__ __debug__ __import__ abs aiter all anext any ascii \
    bin bool breakpoint bytearray bytes callable chr classmethod compile complex copyright credits delattr dict \
    dir divmod enumerate eval exec exit filter float format frozenset getattr globals hasattr hash help hex id \
    input int isinstance issubclass iter len license list locals map max memoryview min next object oct open ord \
    pow print property quit range repr reversed round set setattr slice sorted staticmethod str sum super tuple \
    type vars zip";

const KEYWORDS: &str = "\
    False None True _ and as assert async await break case class continue def del elif else except finally for \
    from global if import in is lambda match nonlocal not or pass raise return try type while with yield";
