//! Classes whose `__enter__` may fail while they own something: their `__exit__`, which would close it, is not called then.

use std::collections::BTreeSet;

use super::course::own_nodes;
use super::{Analysed, text_at};
use crate::leak::{Confidence, Finding, Pattern, Related};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, StmtClassDef};
use crate::python::names::{Def, parameters};
use crate::python::{Node, Span};

/// Methods that speak with another side, which may refuse.
const REFUSED: [&str; 12] = [
    "connect",
    "bind",
    "listen",
    "login",
    "request",
    "handshake",
    "do_handshake",
    "start_tls",
    "send",
    "sendall",
    "recv",
    "urlopen",
];

/// ```py
/// def __init__(self, session):
///     self.session = session
///
/// async def __aenter__(self):
///     self.response = await self.session.get(url)  # raises: nobody calls `__aexit__`
///     return self.response
///
/// async def __aexit__(self, *exc_info):
///     await self.session.close()
/// ```
pub(super) fn failing(module: &Analysed<'_>, pattern: Pattern) -> Vec<Finding> {
    let classes = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::ClassDef(class)) => Some(class),
        _ => None,
    });
    classes.filter_map(|class| of_class(module, pattern, class)).collect()
}

fn of_class(module: &Analysed<'_>, pattern: Pattern, class: &StmtClassDef) -> Option<Finding> {
    let method = |names: &[&str]| {
        class
            .body
            .iter()
            .filter_map(Def::of)
            .find(|def| names.contains(&def.name))
    };
    let (enter, exit) = (
        method(&["__enter__", "__aenter__"])?,
        method(&["__exit__", "__aexit__"])?,
    );
    let owned = handed_over(method(&["__init__"])?);
    let closed = own_nodes(exit.body).find_map(|node| closed(node).filter(|(name, _)| owned.contains(name)))?;
    let is_guarded =
        own_nodes(enter.body).any(|node| matches!(node, Node::Stmt(Stmt::Try(_) | Stmt::With(_) | Stmt::AsyncWith(_))));
    let step = own_nodes(enter.body).find_map(may_be_refused)?;
    (!is_guarded).then(|| report(module, pattern, step, closed))
}

/// The attributes in which a constructor keeps a parameter as it is.
fn handed_over(init: Def<'_>) -> BTreeSet<&str> {
    let parameters: BTreeSet<_> = parameters(init.arguments)
        .iter()
        .map(|(each, _)| each.arg.as_str())
        .collect();
    let stored = init.body.iter().filter_map(|statement| {
        let node = statement.as_assign_stmt()?;
        let name = node.value.as_name_expr()?;
        parameters
            .contains(name.id.as_str())
            .then(|| node.targets.iter().filter_map(on_self))
    });
    stored.flatten().collect()
}

/// The attribute of `self.session.close()`, and where that stands.
fn closed(node: Node<'_>) -> Option<(&str, Span)> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    let method = call.func.as_attribute_expr()?;
    let closes = ["close", "aclose"].contains(&method.attr.as_str());
    on_self(&method.value)
        .filter(|_| closes)
        .map(|name| (name, call.range().into()))
}

fn on_self(expr: &Expr) -> Option<&str> {
    let node = expr.as_attribute_expr()?;
    node.value
        .as_name_expr()
        .filter(|name| name.id.as_str() == "self")
        .map(|_| node.attr.as_str())
}

/// The step that waits for another side: `await self.request`, `self.sock.connect(address)`.
fn may_be_refused(node: Node<'_>) -> Option<Span> {
    let speaks = |call: &ExprCall| {
        let method = call.func.as_attribute_expr();
        method.is_some_and(|method| REFUSED.contains(&method.attr.as_str()))
    };
    let refused = match node {
        Node::Expr(Expr::Await(wait)) => match &*wait.value {
            Expr::Call(call) => speaks(call),
            _ => true,
        },
        Node::Expr(Expr::Call(call)) => speaks(call),
        _ => false,
    };
    refused.then(|| node.span())
}

fn report(module: &Analysed<'_>, pattern: Pattern, step: Span, (attribute, closed): (&str, Span)) -> Finding {
    let text = text_at(module.module.text(), step);
    Finding {
        span: step,
        rule: pattern.id().to_owned(),
        patterns: vec![pattern],
        resource: None,
        confidence: Confidence::Medium,
        message: format!("`self.{attribute}` is not closed if `{text}` raises: who fails to enter is not left"),
        suggestion: format!("close `self.{attribute}` in an `except BaseException` here, and raise again"),
        related: vec![Related {
            span: closed,
            note: "closed only when the `with` is left".to_owned(),
        }],
    }
}
