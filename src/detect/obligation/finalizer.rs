//! The nets under an object that nobody closes, `__del__`, `weakref.finalize` and `atexit`: what only they
//! run, and which objects they keep alive.

use super::{World, class};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::{Node, ScopeId, Span};

/// Whether the body runs only when its object is finalised, or the program ends: `__del__`, and private methods that
/// nothing else mentions.
pub(super) fn is_run_only_by_one(world: World<'_, '_>, function: ScopeId) -> bool {
    let name = world.names.scope(function).name();
    let is_private = name.starts_with('_') && !name.ends_with("__");
    name == "__del__"
        || (is_private && class::of_method(world, function).is_some() && only_finalizers_mention(world, name))
}

fn only_finalizers_mention(world: World<'_, '_>, method: &str) -> bool {
    let mut mentions = 0;
    for node in world.nodes() {
        match node {
            Node::Expr(Expr::Attribute(node)) if node.attr.as_str() == method => {
                mentions += 1;
                if !is_in_finalizer(world, node.start().to_u32()) && !is_registered(world, node.range().into()) {
                    return false;
                }
            }
            Node::Expr(Expr::Constant(text)) if text.value.as_str().is_some_and(|text| text == method) => {
                return false;
            }
            _ => {}
        }
    }
    mentions > 0
}

fn is_in_finalizer(world: World<'_, '_>, at: u32) -> bool {
    let function = world.names.enclosing_function(at);
    function.is_some_and(|scope| world.names.scope(scope).qualname.ends_with(".__del__"))
}

fn is_registered(world: World<'_, '_>, mention: Span) -> bool {
    let mut nets = world.nodes().filter_map(|node| net(world, node));
    nets.any(|call| call.args.iter().any(|argument| Span::from(argument.range()) == mention))
}

/// `weakref.finalize(...)`, `atexit.register(...)`
fn net<'m>(world: World<'_, 'm>, node: Node<'m>) -> Option<&'m ExprCall> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    let tail = super::tail(&call.func);
    if !["finalize", "register"].contains(&tail) {
        return None;
    }
    let resolved = world.names.resolve(&call.func);
    ["weakref.finalize", "atexit.register"]
        .contains(&resolved.qualified()?)
        .then_some(call)
}

/// The call by which each instance of the class keeps itself alive: what is to be run when it is gone, or at the end of
/// the program, is a method of its own that releases, so that it never is gone.
pub(super) fn pinned_by(
    world: World<'_, '_>,
    class: ScopeId,
    releasing: &std::collections::BTreeSet<ScopeId>,
) -> Option<Span> {
    let methods = class::own_methods(world, class);
    if takes_back(world, class) || is_made_once(world, class) {
        return None;
    }
    let inner = methods
        .iter()
        .flat_map(|method| Node::Stmt(method.statement).descendants());
    let mut nets = inner.filter_map(|node| net(world, node));
    let pins = |call: &&ExprCall| {
        let own = call.args.iter().find_map(class::on_self);
        own.is_some_and(|name| !class::reach(world, class, name).bodies.is_disjoint(releasing))
    };
    nets.find(pins).map(|call| call.range().into())
}

/// `atexit.unregister(self.close)`, `self._finalizer.detach()`
fn takes_back(world: World<'_, '_>, class: ScopeId) -> bool {
    let methods = class::own_methods(world, class);
    let mut inner = methods
        .iter()
        .flat_map(|method| Node::Stmt(method.statement).descendants());
    inner.any(|node| match node {
        Node::Expr(Expr::Call(call)) => {
            let lower = super::tail(&call.func).to_lowercase();
            ["unregister", "detach"].contains(&lower.as_str()) || lower.contains("finalize") && call.args.is_empty()
        }
        _ => false,
    })
}

/// The module makes one instance, outside of functions, or the class keeps one.
fn is_made_once(world: World<'_, '_>, class: ScopeId) -> bool {
    let makes = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) if super::summary::class_named(world, &call.func) == Some(class) => {
            Some(world.names.enclosing_function(call.start().to_u32()).is_some())
        }
        _ => None,
    };
    let made: Vec<bool> = world.nodes().filter_map(makes).collect();
    let keeps_one = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) => node.attr.to_lowercase().contains("instance"),
        Node::Stmt(Stmt::FunctionDef(node)) => node.name.as_str() == "__new__",
        _ => false,
    };
    let own = world.names.scope(class).node;
    let is_singleton = own.is_some_and(|node| node.descendants().any(keeps_one));
    is_singleton || (!made.is_empty() && made.iter().all(|in_function| !in_function))
}
