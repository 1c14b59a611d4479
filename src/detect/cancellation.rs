//! Handlers that release what a failed step leaves behind, and let a cancellation pass: since it is no `Exception`, what they
//! release stays open then.

use super::{Analysed, text_at};
use crate::leak::{Confidence, Finding, Pattern, Related};
use crate::python::ast::{ExceptHandler, ExceptHandlerExceptHandler, Expr, Ranged, Stmt, StmtTry};
use crate::python::names::Def;
use crate::python::{Node, Span};

use super::course::own_nodes;

/// What else than a closing ends a connection.
const ENDING: [&str; 5] = ["abort", "terminate", "kill", "fail_connection", "disconnect"];

/// ```py
/// try:
///     await connection.handshake()
/// except Exception:       # a cancelled handshake goes by
///     connection.close()
///     raise
/// ```
pub(super) fn passing(module: &Analysed<'_>, pattern: Pattern) -> Vec<Finding> {
    let functions = module.nodes().filter_map(|node| Def::of(node.as_stmt()?));
    let coroutines: Vec<_> = functions.filter(|def| def.is_async).collect();
    let steps = coroutines.iter().flat_map(|def| own_nodes(def.body));
    let found = steps.filter_map(Node::as_stmt).filter_map(|statement| {
        let node = statement.as_try_stmt()?;
        let handler = handlers(node).find(|handler| is_narrow(handler) && re_raises(handler))?;
        let released = own_nodes(&handler.body).find_map(released)?;
        (waits(&node.body) && !is_caught(node) && !releases(&node.finalbody))
            .then(|| report(module, pattern, handler, released))
    });
    let errors = coroutines
        .iter()
        .flat_map(|def| letting_errors_pass(module, pattern, def.body));
    found.chain(errors).collect()
}

/// The other way round: the handler is there for a cancellation alone, and any other exception goes by.
///
/// ```py
/// listeners.append(note)
/// try:
///     await send(message)
/// except CancelledError:
///     listeners.remove(note)
///     raise
/// ```
fn letting_errors_pass(module: &Analysed<'_>, pattern: Pattern, body: &[Stmt]) -> Vec<Finding> {
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let put_in = |argument: &Expr, before: u32| {
        own_nodes(body).any(|node| {
            let put = argument_of(
                node,
                &["append", "add", "subscribe", "register", "add_listener", "add_callback"],
            );
            put.is_some_and(|put| put.end().to_u32() <= before && text(put) == text(argument))
        })
    };
    let tries = own_nodes(body).filter_map(|node| node.as_stmt()?.as_try_stmt());
    let found = tries.filter_map(|node| {
        let [ExceptHandler::ExceptHandler(handler)] = node.handlers.as_slice() else {
            return None;
        };
        let is_for_cancellation = handler.type_.as_deref().is_some_and(is_cancellation);
        if !is_for_cancellation || !re_raises(handler) || !waits(&node.body) || !node.finalbody.is_empty() {
            return None;
        }
        let start = node.start().to_u32();
        let undone = own_nodes(&handler.body).find_map(|node| {
            let taken_out = argument_of(
                node,
                &["remove", "discard", "unsubscribe", "unregister", "remove_listener"],
            )?;
            put_in(taken_out, start).then_some(taken_out)
        })?;
        Some(Finding {
            message: format!(
                "`{}` is not taken out if anything but a cancellation is raised",
                text(undone)
            ),
            suggestion: "catch `BaseException` here, or take it out in a `finally`".to_owned(),
            ..report(module, pattern, handler, undone)
        })
    });
    found.collect()
}

fn is_cancellation(type_: &Expr) -> bool {
    match type_ {
        Expr::Name(name) => name.id.as_str() == "CancelledError",
        Expr::Attribute(node) => node.attr.as_str() == "CancelledError",
        _ => false,
    }
}

/// The last argument of a call of one of the methods.
fn argument_of<'m>(node: Node<'m>, methods: &[&str]) -> Option<&'m Expr> {
    let call = node.as_expr()?.as_call_expr()?;
    let method = call.func.as_attribute_expr()?;
    methods.contains(&method.attr.as_str()).then(|| call.args.last())?
}

fn handlers(node: &StmtTry) -> impl Iterator<Item = &ExceptHandlerExceptHandler> {
    node.handlers
        .iter()
        .map(|ExceptHandler::ExceptHandler(handler)| handler)
}

fn is_narrow(handler: &ExceptHandlerExceptHandler) -> bool {
    handler
        .type_
        .as_deref()
        .and_then(Expr::as_name_expr)
        .is_some_and(|name| name.id.as_str() == "Exception")
}

fn re_raises(handler: &ExceptHandlerExceptHandler) -> bool {
    handler
        .body
        .last()
        .and_then(Stmt::as_raise_stmt)
        .is_some_and(|raise| raise.exc.is_none())
}

fn waits(body: &[Stmt]) -> bool {
    own_nodes(body).any(|node| match node {
        Node::Expr(expr) => expr.is_await_expr(),
        Node::Stmt(statement) => statement.is_async_with_stmt() || statement.is_async_for_stmt(),
        _ => false,
    })
}

/// The object of `connection.close()`.
fn released(node: Node<'_>) -> Option<&Expr> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    let method = call.func.as_attribute_expr()?;
    let name = method.attr.as_str();
    // Whoever has `self` can still close it.
    let is_object = method
        .value
        .as_name_expr()
        .is_some_and(|object| object.id.as_str() != "self");
    (is_object && (["close", "aclose"].contains(&name) || ENDING.contains(&name))).then_some(&*method.value)
}

fn releases(body: &[Stmt]) -> bool {
    own_nodes(body).any(|node| released(node).is_some())
}

/// Whether another handler takes the cancellation.
fn is_caught(node: &StmtTry) -> bool {
    handlers(node).any(|handler| {
        let types = handler.type_.as_deref().map(Node::Expr);
        types.is_none_or(|types| {
            let mut names = types.descendants().filter_map(Node::as_expr).map(|expr| match expr {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(node) => node.attr.as_str(),
                _ => "",
            });
            names.any(|name| name == "BaseException" || name.contains("Cancelled"))
        })
    })
}

fn report(module: &Analysed<'_>, pattern: Pattern, handler: &ExceptHandlerExceptHandler, released: &Expr) -> Finding {
    let name = text_at(module.module.text(), released.range().into());
    let start = handler.start().to_u32();
    let end = handler.type_.as_deref().map_or(start, |types| types.end().to_u32());
    Finding {
        span: Span::new(start, end),
        rule: pattern.id().to_owned(),
        patterns: vec![pattern],
        resource: None,
        confidence: Confidence::Medium,
        message: format!("`{name}` is not released if the task is cancelled: `Exception` does not catch that"),
        suggestion: "catch `BaseException` here, or release it in a `finally`".to_owned(),
        related: vec![Related {
            span: released.range().into(),
            note: "released here".to_owned(),
        }],
    }
}
