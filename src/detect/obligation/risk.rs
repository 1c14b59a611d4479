//! How likely a step raises in practice. The flow graph says what may raise; a report about a handle
//! that is skipped when `len(x)` raises helps nobody.

use super::bind::displays;
use super::effect::Setting;
use super::facts::{is_predicate, popped};
use super::helper::{self, Asked};
use super::state::State;
use super::{Grade, World, acquire, body, callee, raised, summary};
use crate::detect::resources::Resource;
use crate::detect::text_at;
use crate::python::ast::{Constant, Expr, ExprCall, ExprName, ExprSubscript, Ranged, Stmt};
use crate::python::flow::{Kind, Step, Value};
use crate::python::names::BindingKind;
use crate::python::{Node, Resolved};

/// Calls that do not fail on the arguments people hand them.
const SAFE: [&str; 66] = [
    "builtins.filter",
    "builtins.reversed",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "time.time_ns",
    "time.monotonic_ns",
    "time.perf_counter_ns",
    "os.getppid",
    "threading.get_ident",
    "os.umask",
    "os.getuid",
    "os.geteuid",
    "os.getgid",
    "os.getegid",
    "os.cpu_count",
    "contextlib.closing",
    "contextlib.aclosing",
    "contextlib.ExitStack",
    "contextlib.AsyncExitStack",
    "contextlib.suppress",
    "contextlib.nullcontext",
    "builtins.isinstance",
    "builtins.issubclass",
    "builtins.hasattr",
    "builtins.len",
    "builtins.id",
    "builtins.type",
    "builtins.callable",
    "builtins.bool",
    "builtins.repr",
    "builtins.super",
    "builtins.object",
    "builtins.range",
    "builtins.enumerate",
    "builtins.zip",
    "builtins.locals",
    "builtins.globals",
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "os._exit",
    "os.getpid",
    "threading.current_thread",
    "threading.main_thread",
    "builtins.frozenset",
    "builtins.iter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "functools.partial",
    "operator.attrgetter",
    "operator.itemgetter",
    "itertools.chain",
    "itertools.count",
    "itertools.cycle",
    "queue.Queue",
    "queue.SimpleQueue",
    "sys.exc_info",
    "sys.getsizeof",
    "typing.cast",
    "uuid.uuid4",
    "random.random",
    "asyncio.Event",
    "asyncio.Lock",
    "asyncio.Queue",
];
const UNLIKELY: [&str; 113] = [
    "weakref.finalize",
    "multiprocessing.util.Finalize",
    "os.fstat",
    "os.dup2",
    "os.fork",
    "os.chdir",
    "os.set_blocking",
    "os.set_inheritable",
    "fcntl.fcntl",
    "os.execl",
    "os.execle",
    "os.execlp",
    "os.execlpe",
    "os.execv",
    "os.execve",
    "os.execvp",
    "os.execvpe",
    // Whoever does not get the lock ends.
    "fcntl.flock",
    "fcntl.lockf",
    "portalocker.lock",
    "six.b",
    "six.u",
    "sys.stdout.write",
    "sys.stderr.write",
    "sys.stdout.flush",
    "sys.stderr.flush",
    "csv.writer",
    "csv.reader",
    "csv.DictWriter",
    "csv.DictReader",
    "builtins.print",
    "builtins.str",
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.tuple",
    "builtins.min",
    "builtins.max",
    "builtins.sorted",
    "builtins.getattr",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.any",
    "builtins.all",
    "builtins.sum",
    "builtins.format",
    "builtins.exit",
    "builtins.quit",
    "sys.exit",
    "time.sleep",
    "threading.Lock",
    "threading.RLock",
    "threading.Event",
    "io.StringIO",
    "io.BytesIO",
    "collections.deque",
    "builtins.abs",
    "builtins.round",
    "builtins.hash",
    "builtins.ord",
    "builtins.chr",
    "builtins.hex",
    "builtins.vars",
    "builtins.dir",
    "builtins.setattr",
    "builtins.property",
    "builtins.staticmethod",
    "builtins.classmethod",
    "mimetypes.guess_type",
    "textwrap.dedent",
    "textwrap.indent",
    "shlex.quote",
    "shlex.join",
    "html.escape",
    "urllib.parse.quote",
    "urllib.parse.urlencode",
    "re.escape",
    "os.getenv",
    "os.getcwd",
    "os.urandom",
    "os.strerror",
    "platform.system",
    "platform.machine",
    "platform.platform",
    "time.strftime",
    "time.localtime",
    "time.gmtime",
    "time.ctime",
    "datetime.timedelta",
    "datetime.datetime.today",
    "random.randint",
    "random.choice",
    "secrets.token_hex",
    "hashlib.md5",
    "hashlib.sha1",
    "hashlib.sha256",
    "socket.gethostname",
    "socket.setdefaulttimeout",
    "signal.alarm",
    "threading.Thread",
    "threading.Condition",
    "threading.Semaphore",
    "traceback.format_exc",
    "traceback.print_exc",
    "warnings.warn",
    "weakref.ref",
    "gc.collect",
    "asyncio.sleep",
    "asyncio.all_tasks",
    "asyncio.current_task",
    "asyncio.get_running_loop",
    "asyncio.get_event_loop",
    "asyncio.set_event_loop",
];
/// What helpers that turn text into bytes and back are called.
const CONVERSIONS: [&str; 15] = [
    "to_bytes",
    "to_text",
    "to_str",
    "to_string",
    "to_native",
    "to_unicode",
    "ensure_binary",
    "ensure_bytes",
    "ensure_str",
    "ensure_text",
    "force_bytes",
    "force_str",
    "force_text",
    "smart_str",
    "encode",
];
const LOGGING: [&str; 9] = [
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
    "isEnabledFor",
];
const ITERATORS: [&str; 4] = [
    "builtins.enumerate",
    "builtins.zip",
    "builtins.sorted",
    "builtins.reversed",
];
/// Methods of strings and collections, loggers and locks.
const UNLIKELY_METHODS: [&str; 41] = [
    "fileno",
    "addHandler",
    "removeHandler",
    "append",
    "add",
    "get",
    "strip",
    "rstrip",
    "lstrip",
    "split",
    "rsplit",
    "splitlines",
    "startswith",
    "endswith",
    "join",
    "format",
    "lower",
    "upper",
    "items",
    "keys",
    "values",
    "setdefault",
    "copy",
    "extend",
    "update",
    "clear",
    "replace",
    "getLogger",
    "discard",
    "find",
    "title",
    "appendleft",
    "insert",
    "count",
    "is_set",
    "acquire",
    "locked",
    "monotonic",
    "total_seconds",
    "partition",
    "rpartition",
];
/// Methods of sockets, threads and loops that set something, or ask what is known.
const SETTINGS: [&str; 15] = [
    "settimeout",
    "gettimeout",
    "setblocking",
    "set_inheritable",
    "getsockname",
    "setDaemon",
    "setName",
    "set_name",
    "add_reader",
    "add_writer",
    "setLevel",
    "setFormatter",
    "call_soon",
    "call_later",
    "call_soon_threadsafe",
];
/// Ways to release something: taken not to raise, or no two handles could ever be released in turn.
const RELEASES: [&str; 16] = [
    "close",
    "aclose",
    "wait_closed",
    "release",
    "shutdown",
    "terminate",
    "kill",
    "cleanup",
    "stop",
    "cancel",
    "quit",
    "disconnect",
    "dispose",
    "__exit__",
    "__aexit__",
    "unlink",
];

pub(super) fn grade(setting: Setting<'_, '_>, step: &Step<'_>, state: &State<'_>) -> Grade {
    let (world, resource) = (setting.world, setting.resource);
    match &step.kind {
        Kind::Bind {
            target: Expr::Attribute(node),
            ..
        } if is_self(&node.value) => Grade::Nothing,
        Kind::Evaluate(expr) if setting.callees.contains(&std::ptr::from_ref(expr)) => Grade::Nothing,
        // `[open(path) for path in paths]` has opened some when another cannot be opened.
        Kind::Evaluate(expr) if setting.is_acquisition(expr) && state.iterated.is_some() => Grade::Unlikely,
        Kind::Evaluate(Expr::Call(call)) if setting.boxes.takes(call) => Grade::Nothing,
        // `get_lock()` once more.
        Kind::Evaluate(expr) if resource.is_receiver() && state.holds(expr).is_some() => Grade::Nothing,
        Kind::Evaluate(expr) if state.is_path && state.holds(expr).is_some() => Grade::Unlikely,
        Kind::Evaluate(Expr::Call(call)) if resource.is_path() && wraps_own_descriptor(setting, call) => {
            Grade::Unlikely
        }
        Kind::Evaluate(expr) => of_operation(setting, expr, state),
        Kind::Raise(_) if setting.excused.contains(&step.span) => Grade::Nothing,
        Kind::Raise(Some(raised)) if is_never_to_happen(raised) => Grade::Unlikely,
        Kind::Raise(_) | Kind::Opaque(_) => Grade::Likely,
        // Its own tuple has as many items as it has.
        Kind::Bind {
            value: Value::Of(value),
            ..
        } if state.holds(value).is_some_and(|hold| hold.part.is_some()) => Grade::Nothing,
        // What closes itself at its end does so on an error, too.
        Kind::Next(iterable) if resource.ends_itself && state.holds(iterable).is_some() => Grade::Nothing,
        Kind::Bind {
            target: Expr::Tuple(targets),
            value: Value::Of(Expr::Tuple(values)),
        } if targets.elts.len() == values.elts.len() && targets.elts.iter().all(is_plain_target) => Grade::Nothing,
        Kind::Leave(item, _) if acquire::acquires(world, &item.context_expr) => Grade::Nothing,
        Kind::Leave(item, _) if raised::suppressed(world, item).is_some() => Grade::Nothing,
        Kind::Next(Expr::Tuple(_) | Expr::List(_)) => Grade::Nothing,
        Kind::Next(each) if displays(each, state).is_some() => Grade::Nothing,
        Kind::Enter(item) if is_safe_call(world, &item.context_expr) => Grade::Nothing,
        Kind::Next(iterable) => of_iteration(world, iterable, state),
        _ => Grade::Unlikely,
    }
}

fn of_operation(setting: Setting<'_, '_>, expr: &Expr, state: &State<'_>) -> Grade {
    let (world, resource) = (setting.world, setting.resource);
    match expr {
        Expr::Call(call) if takes_known_key(setting, call, state) => Grade::Nothing,
        Expr::Call(call) => of_call(world, resource, call, asked(state)),
        // A failed test is not thrown into its fixtures.
        Expr::Yield(_) if body::is_fixture(world.names.scope(setting.body).node) => Grade::Nothing,
        Expr::Yield(_) | Expr::YieldFrom(_) => Grade::Likely,
        // What was not awaited to its end has not been acquired.
        Expr::Await(node) if state.flies_in(node.range().into()) => Grade::Nothing,
        Expr::Await(node) => match &*node.value {
            Expr::Call(call) => of_call(world, resource, call, asked(state)),
            _ => Grade::Likely,
        },
        Expr::Subscript(node) if state.holds(&node.value).is_some() => Grade::Nothing,
        // `IO[bytes]` is a type.
        Expr::Subscript(node)
            if node
                .value
                .as_name_expr()
                .is_some_and(|name| name.id.starts_with(char::is_uppercase)) =>
        {
            Grade::Unlikely
        }
        Expr::Subscript(node) if has_key(setting, &node.value, &node.slice, state) => Grade::Nothing,
        Expr::Subscript(node) if is_asked_for(setting, node) => Grade::Unlikely,
        // `files[name].handle = open(name)`
        Expr::Subscript(_) if !state.landed && state.flight.is_some() => Grade::Unlikely,
        Expr::Subscript(node) => of_subscript(world, node),
        Expr::Attribute(node) => of_attribute(world, &node.value, state),
        _ => Grade::Unlikely,
    }
}

/// `open(fd)` of the descriptor that came with the path.
fn wraps_own_descriptor(setting: Setting<'_, '_>, call: &ExprCall) -> bool {
    let is_open = super::tail(&call.func) == "open";
    let Some(Expr::Name(first)) = call.args.first().filter(|_| is_open) else {
        return false;
    };
    body::nodes_of(setting.world, setting.body).any(|node| match node {
        Node::Stmt(Stmt::Assign(node)) if setting.is_acquisition(&node.value) => {
            let target = node.targets.first().and_then(Expr::as_tuple_expr);
            let descriptor = target.and_then(|tuple| tuple.elts.first()?.as_name_expr());
            descriptor.is_some_and(|name| name.id == first.id)
        }
        _ => false,
    })
}

/// `raise AssertionError("unreachable")`
fn is_never_to_happen(raised: &Expr) -> bool {
    let class = match raised {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    ["AssertionError", "NotImplementedError"].contains(&super::tail(class))
}

/// A name, or an attribute of `self`.
fn is_plain_target(target: &Expr) -> bool {
    match target {
        Expr::Attribute(node) => is_self(&node.value),
        other => other.is_name_expr(),
    }
}

/// `with suppress(OSError):`
fn is_safe_call(world: World<'_, '_>, expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    let resolved = world.names.resolve(&call.func);
    resolved.qualified().is_some_and(|name| SAFE.contains(&name))
}

fn is_asked_for(setting: Setting<'_, '_>, node: &ExprSubscript) -> bool {
    let text = |expr: &Expr| text_at(setting.world.module.text(), expr.range().into());
    setting.tests.asks_for_key(text(&node.value), text(&node.slice))
}

/// Whether a test on the way here has said that the key is there.
fn has_key(setting: Setting<'_, '_>, table: &Expr, key: &Expr, state: &State<'_>) -> bool {
    let text = |expr: &Expr| text_at(setting.world.module.text(), expr.range().into());
    setting.tests.knows_key(&state.facts, text(table), text(key))
}

/// `table.pop(key)` behind `if key in table:`
fn takes_known_key(setting: Setting<'_, '_>, call: &ExprCall, state: &State<'_>) -> bool {
    popped(call).is_some_and(|(table, key)| has_key(setting, table, key, state))
}

/// Slicing never fails, and the shapes of tuples are known to those who index them by number.
pub(super) fn of_subscript(world: World<'_, '_>, node: &ExprSubscript) -> Grade {
    let is_number = |constant: &Constant| matches!(constant, Constant::Int(_));
    let is_main = |constant: &Constant| constant.as_str().is_some_and(|name| name == "__main__");
    match &*node.slice {
        Expr::Constant(key)
            if is_main(&key.value) && world.names.resolve(&node.value).qualified() == Some("sys.modules") =>
        {
            Grade::Nothing
        }
        Expr::Slice(_) | Expr::UnaryOp(_) => Grade::Unlikely,
        Expr::Constant(node) if is_number(&node.value) => Grade::Unlikely,
        _ => Grade::Likely,
    }
}

/// The attributes of `self`, of modules and of the handle are there.
fn of_attribute(world: World<'_, '_>, object: &Expr, state: &State<'_>) -> Grade {
    if state.holds(object).is_some() {
        return Grade::Nothing;
    }
    match object {
        Expr::Name(name) if is_self(object) || is_import(world, name) => Grade::Nothing,
        Expr::Attribute(node) => of_attribute(world, &node.value, state),
        Expr::Constant(_) => Grade::Nothing,
        _ => Grade::Unlikely,
    }
}

fn is_self(object: &Expr) -> bool {
    object
        .as_name_expr()
        .is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()))
}

fn is_import(world: World<'_, '_>, name: &ExprName) -> bool {
    let scope = world.names.scope_at(name.start().to_u32());
    let bindings = world.names.bindings(&name.id, scope);
    bindings.iter().any(|binding| {
        matches!(
            binding.kind,
            BindingKind::Import { .. } | BindingKind::ImportFrom { .. }
        )
    })
}

fn asked<'a, 'm>(state: &'a State<'m>) -> Asked<'a, 'm> {
    let depth = helper::MAX_DEPTH;
    Asked { state, depth }
}

pub(super) fn of_call(world: World<'_, '_>, resource: &Resource, call: &ExprCall, asked: Asked<'_, '_>) -> Grade {
    let state = asked.state;
    let tail = match &*call.func {
        Expr::Attribute(method) => method.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return Grade::Likely,
    };
    if callee::only_registers(world, call) {
        return Grade::Nothing;
    }
    if let Expr::Attribute(method) = &*call.func {
        let quiet = resource.quiet.iter().any(|quiet| quiet == tail);
        let enters = ["__enter__", "__aenter__"].contains(&tail);
        if (quiet || enters) && state.holds(&method.value).is_some() {
            return Grade::Nothing;
        }
        // Whatever it is, it is there to be asked and set.
        if SETTINGS.contains(&tail) {
            return Grade::Unlikely;
        }
        if quiet || is_logging(world, call, tail) || (tail == "pop" && call.args.len() == 2) {
            return Grade::Unlikely;
        }
        if state.holds(&method.value).is_some() {
            return Grade::Likely;
        }
        if RELEASES.contains(&tail) {
            return Grade::Nothing;
        }
    }
    if call.args.is_empty() && call.keywords.is_empty() && tail.starts_with(char::is_uppercase) {
        return Grade::Unlikely;
    }
    let lower = tail.to_lowercase();
    let releases = ["close", "unlock", "release", "shutdown"];
    if releases.iter().any(|word| lower.starts_with(word)) || lower.contains("cleanup") {
        return Grade::Nothing;
    }
    if asks(&lower) || is_exception(tail) || raised::is_exception(world, &call.func) || is_surely_quiet(call, tail) {
        return Grade::Nothing;
    }
    if CONVERSIONS.contains(&lower.as_str()) {
        return Grade::Unlikely;
    }
    if lower.contains("wrap") && !lower.contains("socket") && call.args.iter().any(|one| state.carries(one)) {
        return Grade::Unlikely;
    }
    // It has taken the socket over before the handshake, and closes it if that fails.
    if tail.ends_with("wrap_socket") && call.args.iter().any(|one| state.carries(one)) {
        return Grade::Nothing;
    }
    let handed = call.args.iter().find(|one| state.carries(one));
    if let Some(handed) = handed.filter(|one| summary::makes_owner(world, call, one)) {
        return helper::of_owner(world, resource, call, handed);
    }
    if asks_about_descriptor(world, call, state) {
        return Grade::Nothing;
    }
    if opens_descriptor(world, resource, call, state) {
        return Grade::Unlikely;
    }
    match world.names.resolve(&call.func) {
        Resolved::Qualified(name) if world.table.arguments.passes.contains(&name) => Grade::Nothing,
        Resolved::Qualified(name) => of_known(world, &name, tail),
        _ if call.func.is_attribute_expr() && UNLIKELY_METHODS.contains(&tail) => Grade::Unlikely,
        // What the program holds when it ends is released with it.
        _ if body::exits(world, call) => Grade::Unlikely,
        _ => helper::grade(world, resource, call, asked).unwrap_or(Grade::Likely),
    }
}

/// `os.fstat(f.fileno())`, `os.stat(fd)`: an open descriptor can be asked.
fn asks_about_descriptor(world: World<'_, '_>, call: &ExprCall, state: &State<'_>) -> bool {
    let resolved = world.names.resolve(&call.func);
    let asks = resolved
        .qualified()
        .is_some_and(|name| ["os.fstat", "os.stat"].contains(&name));
    asks && !state.is_path && matches!(call.args.as_slice(), [one] if is_own_descriptor(one, state))
}

/// `os.fdopen(fd)` and `open(fd)` of a descriptor that is held; what is made on disk already does not wait for its
/// descriptor to be wrapped.
fn opens_descriptor(world: World<'_, '_>, resource: &Resource, call: &ExprCall, state: &State<'_>) -> bool {
    if resource.is_path() {
        return super::tail(&call.func) == "fdopen";
    }
    let resolved = world.names.resolve(&call.func);
    let opens = ["builtins.open", "io.open", "os.fdopen"];
    let is_open = resolved.qualified().is_some_and(|name| opens.contains(&name));
    is_open && call.args.first().is_some_and(|first| state.holds(first).is_some())
}

/// The handle, or `handle.fileno()`, `handle.fp.fileno()`.
fn is_own_descriptor(expr: &Expr, state: &State<'_>) -> bool {
    match expr {
        Expr::Call(call) => {
            let method = call.func.as_attribute_expr();
            method.is_some_and(|method| method.attr.as_str() == "fileno" && is_own_descriptor(&method.value, state))
        }
        Expr::Attribute(node) => state.holds(expr).is_some() || is_own_descriptor(&node.value, state),
        _ => state.holds(expr).is_some(),
    }
}

/// `getattr(sock, "session", None)`, `fd.__index__()`
fn is_surely_quiet(call: &ExprCall, tail: &str) -> bool {
    match tail {
        "getattr" => call.args.len() == 3,
        "__index__" => call.args.is_empty(),
        _ => false,
    }
}

/// `ConnectionError(errors)`: what is raised is made without fail.
fn is_exception(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && (name.ends_with("Error") || name.ends_with("Exception"))
}

/// `logger.info(text)`, `self.log("...")`; a method of the class that goes by such a name may do anything.
fn is_logging(world: World<'_, '_>, call: &ExprCall, tail: &str) -> bool {
    let is_text = |expr: &Expr| match expr {
        Expr::Constant(_) | Expr::JoinedStr(_) => true,
        Expr::BinOp(node) => node.left.is_constant_expr(),
        Expr::Call(call) => super::tail(&call.func) == "format",
        _ => false,
    };
    LOGGING.contains(&tail) && (call.args.first().is_some_and(is_text) || summary::called(world, &call.func).is_none())
}

/// `is_stream(target)`, `isfilelike(path)`, `self.has_data()`
fn asks(name: &str) -> bool {
    let others = ["issue", "isolat", "hash", "hast", "callable"];
    is_predicate(name) && !others.iter().any(|word| name.starts_with(word))
}

fn of_known(world: World<'_, '_>, name: &str, tail: &str) -> Grade {
    // `os.environ.get`, but not `re.split`: a method of something that a module holds.
    let is_method = name.matches('.').count() > 1;
    if SAFE.contains(&name) || world.table.releases_by_function(name) {
        Grade::Nothing
    } else if name.ends_with(".wrap_socket") {
        Grade::Likely
    } else if (is_method && UNLIKELY_METHODS.contains(&tail))
        || UNLIKELY.contains(&name)
        || world.table.arguments.wraps.contains(name)
        || name.starts_with("logging.")
        || ["os.path.", "posixpath.", "ntpath."]
            .iter()
            .any(|module| name.starts_with(module))
    {
        Grade::Unlikely
    } else {
        Grade::Likely
    }
}

/// Walking a list does not raise; reading the handle line by line does.
pub(super) fn of_iteration(world: World<'_, '_>, iterable: &Expr, state: &State<'_>) -> Grade {
    if state.holds(iterable).is_some() {
        return Grade::Likely;
    }
    let Expr::Call(call) = iterable else {
        return Grade::Unlikely;
    };
    let resolved = world.names.resolve(&call.func);
    if resolved.qualified() == Some("builtins.range") {
        return Grade::Nothing;
    }
    let over_arguments = resolved.qualified().is_some_and(|name| ITERATORS.contains(&name));
    let unlikely_method = match &*call.func {
        Expr::Attribute(method) => UNLIKELY_METHODS.contains(&method.attr.as_str()),
        _ => false,
    };
    if over_arguments {
        let each = call.args.iter().map(|one| of_iteration(world, one, state));
        each.max().unwrap_or(Grade::Unlikely)
    } else if unlikely_method {
        Grade::Unlikely
    } else {
        Grade::Likely
    }
}

/// A method of the handle, or a function that is to call one.
pub(super) fn is_call_on_handle(kind: &Kind<'_>, state: &State<'_>) -> bool {
    let Kind::Evaluate(Expr::Call(call)) = kind else {
        return false;
    };
    let is_method = |func: &Expr| {
        let method = func.as_attribute_expr();
        method.is_some_and(|method| state.holds(&method.value).is_some())
    };
    is_method(&call.func) || call.args.iter().filter_map(deferred).any(|call| is_method(&call.func))
}

/// The same, or any call that is handed it.
pub(super) fn is_use(kind: &Kind<'_>, state: &State<'_>) -> bool {
    let Kind::Evaluate(Expr::Call(call)) = kind else {
        return false;
    };
    let keywords = call.keywords.iter().map(|keyword| &keyword.value);
    is_call_on_handle(kind, state) || call.args.iter().chain(keywords).any(|one| state.carries(one))
}

/// `session.mount(prefix, adapter)` opens nothing yet.
pub(super) fn is_quiet_use(resource: &Resource, kind: &Kind<'_>) -> bool {
    let Kind::Evaluate(Expr::Call(call)) = kind else {
        return false;
    };
    resource.quiet.iter().any(|quiet| quiet == super::tail(&call.func))
}

/// The call of `lambda: sock.connect(address)`.
fn deferred(argument: &Expr) -> Option<&ExprCall> {
    argument.as_lambda_expr()?.body.as_call_expr()
}

/// Methods that set something or ask what is known, whatever has them.
pub(super) fn is_quiet_method(name: &str) -> bool {
    name == "__index__" || SETTINGS.contains(&name) || UNLIKELY_METHODS.contains(&name) || RELEASES.contains(&name)
}

/// Whether it opens something of the operating system, which fails with an `OSError` or not at all in practice.
pub(super) fn opens_of_the_system(world: World<'_, '_>, expr: &Expr) -> bool {
    const MODULES: [&str; 8] = [
        "builtins",
        "io",
        "os",
        "socket",
        "tempfile",
        "pathlib",
        "subprocess",
        "selectors",
    ];
    let Expr::Call(call) = expr else { return false };
    let resolved = world.names.resolve(&call.func);
    let module = resolved.qualified().and_then(|name| name.split('.').next());
    module.is_some_and(|module| MODULES.contains(&module)) && acquire::acquires(world, expr)
}

/// What tells all that the expression raises in practice: a call that opens something, the `raise` of a helper.
pub(super) fn raises_only<'m>(setting: Setting<'_, 'm>, expr: &'m Expr, state: &State<'m>) -> Option<&'m Expr> {
    if opens_of_the_system(setting.world, expr) {
        return Some(expr);
    }
    helper::sole_raise(setting.world, setting.resource, expr.as_call_expr()?, asked(state))
}

/// `except OSError` around `open(path)`
pub(super) fn catch_what_opening_raises(caught: &[&str]) -> bool {
    caught.iter().any(|class| SYSTEM.contains(class))
}

/// Whether the classes catch what methods of such a handle raise in practice: `except OSError` around
/// `sock.connect()`. Files are left out, since reading them may fail to decode.
pub(super) fn catch_what_handles_raise(resource: &Resource, caught: &[&str]) -> bool {
    let is_file = ["file", "temporary-file", "temporary-path", "archive"].contains(&resource.kind.as_str());
    let known: &[&str] = if raises_its_own(resource) { &OWN } else { &SYSTEM };
    !is_file && caught.iter().any(|class| known.contains(class))
}

/// Databases and clients have errors that are no `OSError`; those of `smtplib` are.
fn raises_its_own(resource: &Resource) -> bool {
    let kind = resource.kind.as_str();
    let is_own = kind.starts_with("db-") || ["engine", "client", "mail-client", "ssh-client"].contains(&kind);
    is_own && !resource.acquire.iter().any(|callable| callable.starts_with("smtplib."))
}

const SYSTEM: [&str; 7] = [
    "OSError",
    "IOError",
    "EnvironmentError",
    "error",
    "Error",
    "RequestException",
    "BaseException",
];
const OWN: [&str; 7] = [
    "error",
    "Error",
    "DatabaseError",
    "SSHException",
    "RedisError",
    "all_errors",
    "BaseException",
];
