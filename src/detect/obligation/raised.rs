//! Whether handlers catch what a `raise` names.

use super::{World, class, risk, summary, tail};
use crate::python::Node;
use crate::python::ast::{ExceptHandler, Expr, Stmt, WithItem};

/// Exceptions of Python with the classes between them and `Exception`.
const FAMILIES: [(&[&str], &[&str]); 6] = [
    (
        &["OSError", "IOError", "EnvironmentError", "WindowsError", "error"],
        &[
            "TimeoutError",
            "ConnectionError",
            "ConnectionResetError",
            "ConnectionAbortedError",
            "ConnectionRefusedError",
            "BrokenPipeError",
            "FileNotFoundError",
            "FileExistsError",
            "PermissionError",
            "BlockingIOError",
            "InterruptedError",
            "IsADirectoryError",
            "NotADirectoryError",
            "ProcessLookupError",
            "ChildProcessError",
            "OSError",
            "IOError",
            "EnvironmentError",
        ],
    ),
    (
        &["ConnectionError"],
        &[
            "ConnectionResetError",
            "ConnectionAbortedError",
            "ConnectionRefusedError",
            "BrokenPipeError",
        ],
    ),
    (
        &["ValueError"],
        &[
            "UnicodeError",
            "UnicodeDecodeError",
            "UnicodeEncodeError",
            "JSONDecodeError",
        ],
    ),
    (&["LookupError"], &["KeyError", "IndexError"]),
    (&["RuntimeError"], &["NotImplementedError", "RecursionError"]),
    (&["ImportError"], &["ModuleNotFoundError"]),
];

/// The last words of the classes that the handlers catch.
pub(super) fn caught_by(handlers: &[ExceptHandler]) -> Vec<&str> {
    let types = handlers
        .iter()
        .map(|ExceptHandler::ExceptHandler(handler)| handler.type_.as_deref());
    let caught = types.map(|named| match named {
        Some(Expr::Tuple(all)) => all.elts.iter().map(tail).collect(),
        Some(one) => vec![tail(one)],
        None => vec!["BaseException"],
    });
    caught.flatten().collect()
}

/// The same of `with suppress(OSError, KeyError):`, which is what a handler of these is.
pub(super) fn suppressed<'m>(world: World<'_, '_>, item: &'m WithItem) -> Option<Vec<&'m str>> {
    let call = item.context_expr.as_call_expr()?;
    let resolved = world.names.resolve(&call.func);
    (resolved.qualified() == Some("contextlib.suppress")).then(|| call.args.iter().map(tail).collect())
}

/// Whether classes of these names catch all that is no request to end.
pub(super) fn catch_all(caught: &[&str]) -> bool {
    caught
        .iter()
        .any(|class| ["Exception", "BaseException"].contains(class))
}

/// Whether one of the classes certainly catches what `raise named` raises, or opening what is `named`.
pub(super) fn is_caught(world: World<'_, '_>, named: &Expr, caught: &[&str]) -> bool {
    if risk::opens_of_the_system(world, named) {
        return risk::catch_what_opening_raises(caught);
    }
    let classes = classes_of(world, named);
    caught
        .iter()
        .any(|class| *class == "BaseException" || catches(class, &classes))
}

/// Whether it is a class of the module that is an exception by its name or by a base.
pub(super) fn is_exception(world: World<'_, '_>, class: &Expr) -> bool {
    let is_named = |name: &&str| name.ends_with("Error") || name.ends_with("Exception");
    summary::class_named(world, class).is_some() && classes_of(world, class).iter().any(is_named)
}

fn catches(handler: &str, classes: &[&str]) -> bool {
    let is_kin = |class: &str| {
        handler == class
            || FAMILIES
                .iter()
                .any(|(parents, children)| parents.contains(&handler) && children.contains(&class))
    };
    !handler.is_empty() && classes.iter().any(|class| is_kin(class))
}

/// The class of `raise Class(...)`, and its bases as far as the module tells.
fn classes_of<'n, 'm: 'n>(world: World<'_, 'm>, named: &'n Expr) -> Vec<&'n str> {
    let class = match named {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    let own = summary::class_named(world, class);
    let line = own.into_iter().flat_map(|class| class::lineage(world, class));
    let bases = line.filter_map(|class| match world.names.scope(class).node {
        Some(Node::Stmt(Stmt::ClassDef(node))) => Some(node.bases.iter().map(tail)),
        _ => None,
    });
    let name = tail(class);
    // `raise error` names no class.
    let is_class = name.starts_with(|first: char| first.is_uppercase() || first == '_') || own.is_some();
    let first = is_class.then_some(name);
    first.into_iter().chain(bases.flatten()).collect()
}
