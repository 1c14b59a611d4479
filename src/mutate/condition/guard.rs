//! Conditions on code that guards a resource: handlers that close it and let the exception pass, what
//! such a handler must expect, and code that needs no guard.

use super::usage::is_name;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::resources::resource_of;
use crate::mutate::unify::Value;
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Stmt, StmtRaise};
use crate::python::names::BindingKind;
use crate::python::{Node, Resolved, Span};

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
    let nodes: Vec<Node<'_>> = block.nodes().iter().flat_map(|node| node.descendants()).collect();
    let raised: Vec<Span> = nodes.iter().filter_map(|node| raised_call(*node)).collect();
    nodes
        .into_iter()
        .any(|node| match node {
            Node::Expr(Expr::Call(call)) => {
                !asks_the_system(scene.facts, call, &name) && !raised.contains(&node.span())
            }
            Node::Expr(Expr::Subscript(node)) => !node.slice.is_slice_expr(),
            Node::Stmt(Stmt::Assert(_)) => true,
            Node::Stmt(Stmt::Raise(node)) => node
                .exc
                .as_deref()
                .is_some_and(|exc| is_other_error(scene.facts, exc, 3)),
            _ => false,
        })
        .into()
}

/// The call in `raise Refused(address)`.
fn raised_call(node: Node<'_>) -> Option<Span> {
    match node {
        Node::Stmt(Stmt::Raise(raise)) => raise.exc.as_deref().map(|exc| Node::Expr(exc).span()),
        _ => None,
    }
}

/// Whether the exception is sure to be no `OSError`: one of Python's own, or a class of the module that
/// derives from such alone.
fn is_other_error(facts: &Facts<'_>, exc: &Expr, depth: u32) -> bool {
    const OTHERS: [&str; 10] = [
        "Exception",
        "BaseException",
        "ValueError",
        "TypeError",
        "KeyError",
        "IndexError",
        "LookupError",
        "RuntimeError",
        "AssertionError",
        "EOFError",
    ];
    let class = match exc {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    match facts.names.resolve(class) {
        Resolved::Qualified(name) => name
            .strip_prefix("builtins.")
            .is_some_and(|name| OTHERS.contains(&name)),
        Resolved::Local {
            bindings: [only], path, ..
        } if path.is_empty() && depth > 0 => match only.kind {
            BindingKind::Class(Stmt::ClassDef(class)) => {
                !class.bases.is_empty() && class.bases.iter().all(|base| is_other_error(facts, base, depth - 1))
            }
            _ => false,
        },
        _ => false,
    }
}

/// `conn.recv(8)`, `os.stat(path)`, `log.debug("…")`
fn asks_the_system(facts: &Facts<'_>, call: &ExprCall, name: &str) -> bool {
    const MODULES: [&str; 7] = ["os.", "socket.", "time.", "logging.", "shutil.", "select.", "fcntl."];
    const NAMES: [&str; 10] = [
        "OSError",
        "len",
        "isinstance",
        "print",
        "str",
        "repr",
        "hasattr",
        "getattr",
        "callable",
        "id",
    ];
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
