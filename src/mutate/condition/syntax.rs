//! Conditions on the shape of a value.

use super::{Argument, Scene, Truth, texts};
use crate::python::Node;
use crate::python::ast::{Constant, Expr, Stmt};
use crate::python::flow;

/// `one-of($m, word, …)`
pub(super) fn one_of(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(word) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    texts(arguments, 1).contains(&word.as_str()).into()
}

/// `literal($x, kind…)`: a constant, or nothing but constants; `text` and `number` narrow it.
pub(super) fn literal(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let kinds = texts(arguments, 1);
    let wanted = |constant: &Constant| match constant {
        Constant::Str(_) => kinds.is_empty() || kinds.contains(&"text"),
        Constant::Int(_) | Constant::Float(_) => kinds.is_empty() || kinds.contains(&"number"),
        _ => kinds.is_empty(),
    };
    let is_wanted = |node: &Node<'_>| matches!(node, Node::Expr(Expr::Constant(constant)) if wanted(&constant.value));
    value.nodes().iter().all(is_wanted).into()
}

/// `takes-only($$args, word, …)`: keywords of these names, and no more positional arguments than there are
/// names; nothing that is unpacked.
pub(super) fn takes_only(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let words = texts(arguments, 1);
    let mut positional = 0;
    for node in value.nodes() {
        match node {
            Node::Keyword(keyword) => match keyword.arg.as_deref() {
                Some(word) if words.contains(&word) => {}
                Some(_) => return Truth::No,
                None => return Truth::Unknown,
            },
            Node::Expr(Expr::Starred(_)) => return Truth::Unknown,
            _ => positional += 1,
        }
    }
    (positional <= words.len()).into()
}

/// `simple($s, kind…)`: an assignment or an expression that does not suspend; `assignment`, `expression`
/// and `return` choose.
pub(super) fn simple(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let statement = value.nodes().first().and_then(|node| node.as_stmt());
    let kind = match statement {
        Some(Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_)) => "assignment",
        Some(Stmt::Expr(_)) => "expression",
        Some(Stmt::Return(_)) => "return",
        _ => return Truth::No,
    };
    let kinds = texts(arguments, 1);
    let wanted = if kinds.is_empty() {
        kind != "return"
    } else {
        kinds.contains(&kind)
    };
    let suspends = statement.is_some_and(|statement| flow::has_yield(std::slice::from_ref(statement)));
    (wanted && !suspends).into()
}

/// `plain-function()`: the anchor is a module's `def`, not decorated, no coroutine, no generator, and
/// says nothing of what it returns: `-> str` would give a changed one away.
pub(super) fn plain_function(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(part) = scene.site.parts.first() else {
        return Truth::Unknown;
    };
    let Node::Stmt(Stmt::FunctionDef(function)) = part.node() else {
        return Truth::No;
    };
    let top_level = scene
        .facts
        .module
        .body
        .iter()
        .any(|statement| Node::Stmt(statement).span() == part.node().span());
    let bare = function.decorator_list.is_empty() && function.returns.is_none();
    (top_level && bare && !flow::has_yield(&function.body)).into()
}
