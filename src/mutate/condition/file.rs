//! Conditions on files and on what their text does elsewhere.

use super::{Argument, Scene, Truth};
use crate::mutate::facts::Facts;
use crate::python::Node;
use crate::python::ast::{Constant, Expr, ExprCall, Stmt};

/// `reads-back($a)`: a file opened for writing whose path stands again behind the site, in the same
/// function: what is not flushed may be missing there, and the program do something else.
pub(super) fn reads_back(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let Some(path) = path_of(call).filter(|_| writes(call)) else {
        return Truth::No;
    };
    let site = scene.at();
    let behind = with_of(scene.facts, call).map_or(site.end, |end| end.min(site.end));
    let names = &scene.facts.names;
    let scope = names.enclosing_function(site.start);
    let again = |node: Node<'_>| {
        let at = node.span().start;
        at >= behind && names.enclosing_function(at) == scope && node.same_code(Node::Expr(path))
    };
    scene.facts.module.nodes().any(again).into()
}

/// Where the `with` ends that enters the call.
fn with_of(facts: &Facts<'_>, call: &ExprCall) -> Option<u32> {
    let enters = |statement: &Stmt| match statement {
        Stmt::With(with) => with.items.iter().any(|item| match &item.context_expr {
            Expr::Call(entered) => std::ptr::eq(entered, call),
            _ => false,
        }),
        _ => false,
    };
    let mut statements = facts.module.nodes().filter_map(Node::as_stmt);
    statements
        .find(|statement| enters(statement))
        .map(|statement| Node::Stmt(statement).span().end)
}

/// What the call opens: its first argument, or the path whose method it is.
fn path_of(call: &ExprCall) -> Option<&Expr> {
    match &*call.func {
        Expr::Attribute(method) if method.attr.as_str() == "open" && call_mode_first(call) => Some(&method.value),
        _ => call.args.first(),
    }
}

/// Whether the first argument is a mode, as in `path.open("w")`.
fn call_mode_first(call: &ExprCall) -> bool {
    call.args.first().is_none_or(|first| mode_text(first).is_some())
}

fn writes(call: &ExprCall) -> bool {
    let keywords = call.keywords.iter().map(|keyword| &keyword.value);
    let mut modes = call.args.iter().chain(keywords).filter_map(mode_text);
    modes.any(|mode| mode.contains(['w', 'a', 'x', '+']))
}

/// A constant that can only be a mode.
fn mode_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Constant(constant) => match &constant.value {
            Constant::Str(text) if !text.is_empty() && text.chars().all(|letter| "rwaxbt+".contains(letter)) => {
                Some(text)
            }
            _ => None,
        },
        _ => None,
    }
}
