//! What a call does with a handle among its arguments.

use super::{World, source, summary};
use crate::python::Resolved;
use crate::python::ast::{Expr, ExprCall};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    Releases,
    /// The result is the handle.
    Passes,
    /// The result owns it.
    Wraps,
    /// The result may own it; nobody knows.
    MayWrap,
    Keeps,
    /// Releases it later: `stack.enter_context(f)`.
    Registers,
    Borrows,
    Unknown,
}

/// Methods that store their argument.
const KEEPERS: [&str; 43] = [
    "addCallback",
    "addCallbacks",
    "addErrback",
    "addBoth",
    "callLater",
    "callFromThread",
    "call_soon",
    "call_later",
    "call_soon_threadsafe",
    "then",
    "append",
    "appendleft",
    "add",
    "put",
    "put_nowait",
    "insert",
    "setdefault",
    "extend",
    "push",
    "register",
    "attach",
    "send_handle",
    "set_result",
    "submit",
    "start_soon",
    "create_task",
    "run_in_executor",
    "add_reader",
    "subscribe",
    "setStream",
    "set_stream",
    "__init__",
    "update",
    "add_done_callback",
    "addHandler",
    // Event loops, which make a transport of a socket or pipe.
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "create_datagram_endpoint",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
];

/// Methods that give their argument back to whoever handed it in.
const RETURNING: [&str; 3] = ["removeHandler", "unregister", "remove_reader"];

/// Methods that promise a later release.
const REGISTRARS: [&str; 11] = [
    "enter_context",
    "enter_async_context",
    "callback",
    "push_async_callback",
    "push_async_exit",
    "addCleanup",
    "addAsyncCleanup",
    "addfinalizer",
    "enterContext",
    "enterClassContext",
    "addModuleCleanup",
];

/// Methods of an `ExitStack` that put something on it, and run none of it.
const STACKING: [&str; 5] = ["callback", "push", "push_async_callback", "push_async_exit", "pop_all"];
/// The same of test cases and fixtures.
const CLEANUPS: [&str; 4] = ["addCleanup", "addAsyncCleanup", "addModuleCleanup", "addfinalizer"];

/// What methods that release their object are called.
pub(super) const RELEASE_METHODS: [&str; 5] = ["close", "aclose", "shutdown", "quit", "__exit__"];

/// Words in the name of a function that releases its argument: `close_quietly(f)`.
const RELEASING: [&str; 13] = [
    "close",
    "cleanup",
    "clean_up",
    "shutdown",
    "release",
    "dispose",
    "teardown",
    "destroy",
    "disconnect",
    "putconn",
    "put_conn",
    "return_conn",
    "give_back",
];

/// Words in the name of a function whose result may own what it is handed: `cls.taropen(fileobj)`.
const OWNING: [&str; 8] = ["open", "wrap", "reader", "writer", "from_", "make_", "build_", "new_"];

/// Words that begin the name of a method which uses what it is handed, and is done with it when it returns.
const BORROWING: [&str; 14] = [
    "backup", "write", "read", "dump", "load", "parse", "copy", "export", "import", "save", "print", "render",
    "upload", "download",
];

pub(super) fn treatment(world: World<'_, '_>, call: &ExprCall, argument: &Expr) -> Treatment {
    treatment_of(world, call, (argument, false))
}

/// The same of what is in a list, be it written out or what a name stands for: `close_all(files)`.
pub(super) fn treatment_of_items(world: World<'_, '_>, call: &ExprCall, list: &Expr) -> Treatment {
    treatment_of(world, call, (list, true))
}

fn treatment_of(world: World<'_, '_>, call: &ExprCall, argument: (&Expr, bool)) -> Treatment {
    let tail = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        Expr::Call(maker) if makes_stream_class(world, maker) => return Treatment::Wraps,
        // `type(self)(f)`, `CLASSES[kind](f)`
        Expr::Call(_) | Expr::Subscript(_) => return Treatment::Keeps,
        _ => return Treatment::Unknown,
    };
    if let Resolved::Qualified(name) = world.names.resolve(&call.func) {
        if source::leaves_descriptor(call, &name) {
            return Treatment::Borrows;
        }
        if let Some(known) = of_qualified(world, &name) {
            return known;
        }
    } else if let Some(known) = summary::treatment(world, call, argument) {
        return known;
    } else if let Some(known) = of_typed_method(world, call) {
        return known;
    }
    if is_own_class(&call.func) || summary::is_class_attribute(world, &call.func) {
        return Treatment::Keeps;
    }
    by_name(tail, call.func.is_attribute_expr())
}

/// `stack.callback(os.close, fd)` takes the descriptor over, and cannot fail before it has.
pub(super) fn only_registers(world: World<'_, '_>, call: &ExprCall) -> bool {
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let tail = method.attr.as_str();
    if !STACKING.contains(&tail) {
        return CLEANUPS.contains(&tail);
    }
    let is_stack = |class: String| class.ends_with("ExitStack");
    world.types().of(&method.value).is_some_and(is_stack) || call.args.first().is_some_and(|one| is_release(world, one))
}

/// `stack.callback`, `self.addCleanup`
pub(super) fn registers(func: &Expr) -> bool {
    let method = func.as_attribute_expr();
    method.is_some_and(|method| REGISTRARS.contains(&method.attr.as_str()))
}

/// `os.close`, `f.close`
fn is_release(world: World<'_, '_>, callable: &Expr) -> bool {
    match world.names.resolve(callable) {
        Resolved::Qualified(name) if world.table.releases_by_function(&name) => true,
        _ => callable
            .as_attribute_expr()
            .is_some_and(|node| RELEASE_METHODS.contains(&node.attr.as_str())),
    }
}

/// `codecs.getwriter("utf-8")` gives a class; what that makes owns the stream.
fn makes_stream_class(world: World<'_, '_>, maker: &ExprCall) -> bool {
    let resolved = world.names.resolve(&maker.func);
    let name = resolved.qualified();
    name.is_some_and(|name| ["codecs.getreader", "codecs.getwriter"].contains(&name))
}

fn of_qualified(world: World<'_, '_>, name: &str) -> Option<Treatment> {
    let arguments = &world.table.arguments;
    if world.table.releases_by_function(name) {
        Some(Treatment::Releases)
    } else if arguments.passes.contains(name) {
        Some(Treatment::Passes)
    } else if arguments.wraps.contains(name) {
        Some(Treatment::Wraps)
    } else if arguments.keeps.contains(name) {
        Some(Treatment::Keeps)
    } else {
        world.table.borrows(name).then_some(Treatment::Borrows)
    }
}

fn of_typed_method(world: World<'_, '_>, call: &ExprCall) -> Option<Treatment> {
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    if method.attr.as_str() == "wrap_socket" {
        return Some(Treatment::Wraps);
    }
    let class = world.types().of(&method.value)?;
    let name = format!("{class}.{}", method.attr);
    // Archives read what they are to hold.
    if ["tarfile.TarFile", "tarfile.open", "zipfile.ZipFile"].contains(&class.as_str()) {
        return Some(Treatment::Borrows);
    }
    let keeps = KEEPERS.contains(&method.attr.as_str()) || REGISTRARS.contains(&method.attr.as_str());
    of_qualified(world, &name).filter(|known| *known != Treatment::Borrows || !keeps)
}

fn by_name(tail: &str, is_method: bool) -> Treatment {
    let lower = tail.to_lowercase();
    if REGISTRARS.contains(&tail) {
        Treatment::Registers
    } else if is_method && RETURNING.contains(&tail) {
        Treatment::Borrows
    } else if is_method && KEEPERS.contains(&tail) {
        Treatment::Keeps
    } else if names_a_release(tail) {
        Treatment::Releases
    } else if tail.ends_with("Stub") {
        // What a gRPC stub is made on stays its maker's, and lives as long.
        Treatment::Wraps
    } else if is_like_a_class(tail)
        || names_a_class(&lower)
        || lower.starts_with("register")
        || (is_method && lower.starts_with("set"))
    {
        Treatment::Keeps
    } else if OWNING.iter().any(|word| lower.contains(word)) {
        Treatment::MayWrap
    } else if is_method
        && BORROWING
            .iter()
            .any(|word| lower.trim_start_matches('_').starts_with(word))
    {
        Treatment::Borrows
    } else {
        Treatment::Unknown
    }
}

/// `close_quietly`, `_cleanup`
pub(super) fn names_a_release(name: &str) -> bool {
    let lower = name.to_lowercase();
    RELEASING.iter().any(|word| lower.contains(word))
}

/// `shutil.rmtree`, `_os_remove`, `file_move_safe`, `module.atomic_move`
pub(super) fn names_a_removal(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "rmtree", "rmdir", "remove", "unlink", "delete", "move", "rename", "cleanup", "replace",
    ];
    let lower = name.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// `cls(f)`, `self.__class__(f)`, `type(self)(f)`
fn is_own_class(func: &Expr) -> bool {
    match func {
        Expr::Name(name) => name.id.as_str() == "cls",
        Expr::Attribute(node) => node.attr.as_str() == "__class__",
        _ => false,
    }
}

/// `response_class(f)`, `self.reader_cls(f)`
fn names_a_class(lower: &str) -> bool {
    ["_class", "_cls", "klass", "_factory"]
        .iter()
        .any(|end| lower.ends_with(end))
}

/// `Reader(f)`, `_Reader(f)`: the object may well close it.
pub(super) fn is_like_a_class(tail: &str) -> bool {
    let word = tail.trim_start_matches('_');
    word.starts_with(char::is_uppercase) && word.chars().any(char::is_lowercase)
}
