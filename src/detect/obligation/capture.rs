//! What nested functions, lambdas and classes do with a handle of the body around them.
//!
//! ```py
//! def first(path):
//!     f = open(path)
//!     def line():
//!         return f.readline()  # uses it, and whoever has `line` cannot release it
//!     return line()
//! ```

use std::collections::HashSet;

use super::callee::{Treatment, treatment};
use super::effect::{Outcome, Setting, is_release, with_doubt};
use super::state::State;
use super::{Doubt, Move, body};
use crate::python::Node;
use crate::python::ast::{Expr, Ranged, Stmt, WithItem};
use crate::python::names::{Def, UseKind};

/// Builtins that call what they are handed, and forget it.
const CALLING: [&str; 7] = ["iter", "map", "filter", "sorted", "min", "max", "sum"];

/// The definition may release the handle later, hand it on, or only use it.
pub(super) fn create<'m>(setting: Setting<'_, 'm>, node: Node<'m>, state: State<'m>) -> Outcome<'m> {
    let inside: Vec<_> = node.descendants().collect();
    if inside.iter().any(|inner| releases(setting, *inner, &state)) {
        return Outcome::Moved(Move::Captured);
    }
    let harmless: HashSet<*const Expr> = inside
        .iter()
        .flat_map(|inner| used(setting, *inner))
        .map(std::ptr::from_ref)
        .collect();
    let captured = inside.iter().filter_map(|inner| inner.as_expr());
    let captured: Vec<_> = captured.filter(|expr| is_captured(setting, expr, &state)).collect();
    let is_followed = !state.is_path && !setting.resource.is_receiver();
    let only_used = |expr: &&Expr| is_followed && harmless.contains(&std::ptr::from_ref(*expr));
    Outcome::Held(if captured.is_empty() || is_called_at_once(setting, node) {
        state
    } else if !captured.iter().all(only_used) {
        with_doubt(Doubt::Captured, state)
    } else if is_handed_on(setting, node) {
        with_doubt(Doubt::Used, state)
    } else {
        state
    })
}

/// A name of the body that holds the handle.
fn is_captured(setting: Setting<'_, '_>, expr: &Expr, state: &State<'_>) -> bool {
    let Expr::Name(name) = expr else { return false };
    let names = setting.world.names;
    state.held_by(&name.id).is_some() && names.home(&name.id, names.scope_at(name.start().to_u32())) == setting.body
}

fn releases(setting: Setting<'_, '_>, node: Node<'_>, state: &State<'_>) -> bool {
    match node {
        Node::Expr(Expr::Attribute(node)) if is_release(setting, &node.attr) => {
            let of_receiver = setting.resource.is_receiver() && state.holds(&node.value).is_some();
            of_receiver || is_captured(setting, &node.value, state)
        }
        Node::Expr(Expr::Call(call)) => {
            let argument = call.args.iter().find(|one| is_captured(setting, one, state));
            argument.is_some_and(|one| treatment(setting.world, call, one) == Treatment::Releases)
        }
        Node::WithItem(WithItem { context_expr, .. }) => {
            setting.resource.with_releases && is_captured(setting, context_expr, state)
        }
        _ => false,
    }
}

/// The values that the node uses and does not hand on.
fn used<'m>(setting: Setting<'_, 'm>, node: Node<'m>) -> Vec<&'m Expr> {
    match node {
        Node::Expr(Expr::Attribute(node)) => vec![&node.value],
        Node::Expr(Expr::Subscript(node)) => vec![&node.value],
        Node::Expr(Expr::Compare(node)) => node.comparators.iter().chain([&*node.left]).collect(),
        Node::Expr(Expr::UnaryOp(node)) => vec![&node.operand],
        Node::Expr(Expr::Call(call)) => {
            let values = call.keywords.iter().map(|keyword| &keyword.value);
            let names = call.args.iter().chain(values).filter(|one| one.is_name_expr());
            names
                .filter(|one| treatment(setting.world, call, one) == Treatment::Borrows)
                .collect()
        }
        Node::Stmt(Stmt::For(node)) => vec![&node.iter],
        Node::Stmt(Stmt::If(node)) => vec![&node.test],
        Node::Stmt(Stmt::While(node)) => vec![&node.test],
        Node::Comprehension(node) => vec![&node.iter],
        Node::WithItem(node) => vec![&node.context_expr],
        _ => Vec::new(),
    }
}

/// Whether others than this body may call the function, or have the class. A lambda does where it stands what the body
/// itself might do: `retry(lambda: sock.connect(address))`.
fn is_handed_on(setting: Setting<'_, '_>, node: Node<'_>) -> bool {
    let Some(def) = node.as_stmt().and_then(Def::of) else {
        return node.as_stmt().is_some();
    };
    let names = setting.world.names;
    let callees = body::nodes_of(setting.world, setting.body).filter_map(|node| match node {
        Node::Expr(Expr::Call(call)) => call.func.as_name_expr().map(|name| name.start().to_u32()),
        _ => None,
    });
    let called: HashSet<_> = callees.collect();
    let mut loads = names
        .uses(def.name, setting.body)
        .iter()
        .filter(|each| each.kind == UseKind::Load);
    !def.decorators.is_empty() || loads.any(|each| !called.contains(&each.span.start))
}

/// `iter(lambda: f.read(1024), b"")`: the lambda is gone before the handle is.
fn is_called_at_once(setting: Setting<'_, '_>, node: Node<'_>) -> bool {
    let Node::Expr(lambda) = node else { return false };
    match setting.world.index().parent(lambda) {
        Some(Node::Expr(Expr::Call(call))) => CALLING.contains(&super::tail(&call.func)),
        _ => false,
    }
}
