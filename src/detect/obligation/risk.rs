//! How likely a step raises in practice. The flow graph says what may raise; a report about a handle
//! that is skipped when `len(x)` raises helps nobody.

use super::effect::Setting;
use super::state::State;
use super::{Grade, World};
use crate::detect::resources::Resource;
use crate::python::Resolved;
use crate::python::ast::{Constant, Expr, ExprCall, ExprName, Ranged};
use crate::python::flow::{Kind, Step};
use crate::python::names::BindingKind;

/// Calls that do not fail on the arguments people hand them.
const SAFE: [&str; 22] = [
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
];
const UNLIKELY: [&str; 30] = [
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
const ITERATORS: [&str; 5] = [
    "builtins.range",
    "builtins.enumerate",
    "builtins.zip",
    "builtins.sorted",
    "builtins.reversed",
];
/// Methods of strings and collections, loggers and locks.
const UNLIKELY_METHODS: [&str; 46] = [
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
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "isEnabledFor",
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
        Kind::Evaluate(expr) if setting.callees.contains(&std::ptr::from_ref(expr)) => Grade::Nothing,
        Kind::Evaluate(expr) => of_operation(world, resource, expr, state),
        Kind::Raise(_) | Kind::Opaque(_) => Grade::Likely,
        Kind::Next(iterable) => of_iteration(world, iterable, state),
        _ => Grade::Unlikely,
    }
}

fn of_operation(world: World<'_, '_>, resource: &Resource, expr: &Expr, state: &State<'_>) -> Grade {
    match expr {
        Expr::Call(call) => of_call(world, resource, call, state),
        Expr::Yield(_) | Expr::YieldFrom(_) => Grade::Likely,
        Expr::Await(node) => match &*node.value {
            Expr::Call(call) => of_call(world, resource, call, state),
            _ => Grade::Likely,
        },
        Expr::Subscript(node) if state.holds(&node.value).is_some() => Grade::Nothing,
        Expr::Subscript(node) => of_subscript(&node.slice),
        Expr::Attribute(node) => of_attribute(world, &node.value, state),
        _ => Grade::Unlikely,
    }
}

/// Slicing never fails, and the shapes of tuples are known to those who index them by number.
fn of_subscript(slice: &Expr) -> Grade {
    let is_number = |constant: &Constant| matches!(constant, Constant::Int(_));
    match slice {
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
        Expr::Name(name) if ["self", "cls"].contains(&name.id.as_str()) || is_import(world, name) => Grade::Nothing,
        Expr::Attribute(node) => of_attribute(world, &node.value, state),
        Expr::Constant(_) => Grade::Nothing,
        _ => Grade::Unlikely,
    }
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

fn of_call(world: World<'_, '_>, resource: &Resource, call: &ExprCall, state: &State<'_>) -> Grade {
    let tail = match &*call.func {
        Expr::Attribute(method) => method.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return Grade::Likely,
    };
    if let Expr::Attribute(method) = &*call.func {
        let quiet = resource.quiet.iter().any(|quiet| quiet == tail);
        if quiet || LOGGING.contains(&tail) || (tail == "pop" && call.args.len() == 2) {
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
    match world.names.resolve(&call.func) {
        Resolved::Qualified(name) => of_known(world, &name),
        _ if call.func.is_attribute_expr() && UNLIKELY_METHODS.contains(&tail) => Grade::Unlikely,
        _ => Grade::Likely,
    }
}

fn of_known(world: World<'_, '_>, name: &str) -> Grade {
    if SAFE.contains(&name) || world.table.releases_by_function(name) {
        Grade::Nothing
    } else if name.ends_with(".wrap_socket") {
        Grade::Likely
    } else if UNLIKELY.contains(&name)
        || world.table.arguments.wraps.contains(name)
        || name.starts_with("logging.")
        || name.starts_with("os.path.")
    {
        Grade::Unlikely
    } else {
        Grade::Likely
    }
}

/// Walking a list does not raise; reading the handle line by line does.
fn of_iteration(world: World<'_, '_>, iterable: &Expr, state: &State<'_>) -> Grade {
    if state.holds(iterable).is_some() {
        return Grade::Likely;
    }
    let Expr::Call(call) = iterable else {
        return Grade::Unlikely;
    };
    let over_arguments = match world.names.resolve(&call.func) {
        Resolved::Qualified(name) => ITERATORS.contains(&name.as_str()),
        _ => false,
    };
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
