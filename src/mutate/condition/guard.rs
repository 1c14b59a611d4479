//! Conditions on code that guards a resource: handlers that close it and let the exception pass, what
//! such a handler must expect, and code that needs no guard.

use super::usage::is_name;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::resources::resource_of;
use crate::mutate::unify::Value;
use crate::python::Node;
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Stmt, StmtRaise};

/// `only-guards($$h, $n, $a)`: each handler releases what `$n` holds of `$a`, and is a bare `raise` then,
/// nothing else. `$n` may be an attribute of `self`.
pub(super) fn only_guards(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(handlers), Some(name), Some(resource)) = (
        scene.value(arguments, 0),
        scene.value(arguments, 1),
        scene.expr(arguments, 2).and_then(|expr| resource_of(scene.facts, expr)),
    ) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    let guards = |node: &Node<'_>| match node {
        Node::Handler(ExceptHandler::ExceptHandler(handler)) => match &handler.body[..] {
            [Stmt::Expr(first), Stmt::Raise(last)] => is_bare(last) && closes(&first.value, &name, &resource.release),
            _ => false,
        },
        _ => false,
    };
    (!resource.by_name && handlers.nodes().iter().all(guards)).into()
}

fn is_bare(raise: &StmtRaise) -> bool {
    raise.exc.is_none()
}

fn closes(expr: &Expr, held: &Value<'_>, close: &str) -> bool {
    let Expr::Call(call) = expr else { return false };
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let is_held = match (&*method.value, held) {
        (Expr::Attribute(attribute), Value::Word(word)) => {
            attribute.attr.as_str() == *word && is_self(&attribute.value)
        }
        (own, held) => held.word().is_some_and(|name| is_name(own, name)),
    };
    is_held && call.args.is_empty() && call.keywords.is_empty() && method.attr.as_str() == close
}

/// `raises-beyond($$b, $n)`: more than an `OSError` may come out of the block: it does more than ask
/// `$n`, the operating system or the log for something.
pub(super) fn raises_beyond(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(block), Some(name)) = (scene.value(arguments, 0), scene.word(arguments, 1)) else {
        return Truth::Unknown;
    };
    let mut nodes = block.nodes().iter().flat_map(|node| node.descendants());
    nodes
        .any(|node| match node {
            Node::Expr(Expr::Call(call)) => !asks_the_system(scene.facts, call, &name),
            Node::Expr(Expr::Subscript(_)) | Node::Stmt(Stmt::Assert(_)) => true,
            Node::Stmt(Stmt::Raise(node)) => node.exc.is_some(),
            _ => false,
        })
        .into()
}

/// `conn.recv(8)`, `os.stat(path)`, `log.debug("…")`
fn asks_the_system(facts: &Facts<'_>, call: &ExprCall, name: &str) -> bool {
    const MODULES: [&str; 6] = ["os.", "socket.", "time.", "logging.", "shutil.", "select."];
    const NAMES: [&str; 6] = ["OSError", "len", "isinstance", "print", "str", "repr"];
    let by_name = match &*call.func {
        Expr::Attribute(method) => {
            let logs = matches!(
                method.attr.as_str(),
                "debug" | "info" | "warning" | "error" | "exception"
            );
            logs || is_name(&method.value, name)
        }
        Expr::Name(function) => NAMES.contains(&function.id.as_str()),
        _ => false,
    };
    let resolved = facts.names.resolve(&call.func);
    let system = resolved
        .qualified()
        .is_some_and(|callee| MODULES.iter().any(|module| callee.starts_with(module)));
    by_name || system
}

/// `quiet($$b)`: nothing in it may go wrong: names and attributes are read and stored, no more.
pub(super) fn quiet(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    scene.value(arguments, 0).map_or(Truth::Unknown, |value| {
        value.nodes().iter().all(|node| is_quiet(*node)).into()
    })
}

/// Whether the node does nothing that may go wrong: it reads names and attributes, and stores them.
pub(super) fn is_quiet(node: Node<'_>) -> bool {
    node.descendants().all(|node| match node {
        Node::Expr(expr) => !matches!(
            expr,
            Expr::Call(_)
                | Expr::Await(_)
                | Expr::Yield(_)
                | Expr::YieldFrom(_)
                | Expr::Subscript(_)
                | Expr::BinOp(_)
                | Expr::JoinedStr(_)
        ),
        Node::Stmt(statement) => matches!(
            statement,
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::If(_) | Stmt::Pass(_) | Stmt::Return(_)
        ),
        _ => true,
    })
}
