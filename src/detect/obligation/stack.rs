//! Exit stacks: where what is registered with one is released.

use std::collections::HashSet;

use super::bind::container;
use super::effect::Setting;
use super::{Move, body, class};
use crate::python::Node;
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, UseKind};

/// Methods with which a stack is filled.
const FILLING: [&str; 6] = [
    "enter_context",
    "enter_async_context",
    "push",
    "push_async_exit",
    "callback",
    "push_async_callback",
];

/// With whom: `self._stack.enter_context(f)` leaves it to an `ExitStack` of `self`.
pub(super) fn registered<'m>(setting: Setting<'_, 'm>, call: &'m ExprCall) -> Move<'m> {
    let stack = call
        .func
        .as_attribute_expr()
        .map(|method| container(setting, &method.value));
    match stack {
        Some(Move::InSelf(attribute)) => Move::InSelf(attribute),
        _ => popped_to(setting, call).map_or(Move::Registered, Move::InSelf),
    }
}

/// `with ExitStack() as stack: ...; self._exits = stack.pop_all()`
fn popped_to<'m>(setting: Setting<'_, 'm>, call: &ExprCall) -> Option<&'m str> {
    let stack = call.func.as_attribute_expr()?.value.as_name_expr()?;
    let pops = |value: &Expr| {
        let method = value.as_call_expr().and_then(|call| call.func.as_attribute_expr());
        method.is_some_and(|method| {
            let object = method.value.as_name_expr();
            method.attr.as_str() == "pop_all" && object.is_some_and(|name| name.id == stack.id)
        })
    };
    body::nodes_of(setting.world, setting.body).find_map(|node| match node {
        Node::Stmt(Stmt::Assign(node)) if pops(&node.value) => node.targets.iter().find_map(class::on_self),
        _ => None,
    })
}

/// Whether it is registered with a stack that the body makes, fills and leaves: nothing runs what is on it.
///
/// ```py
/// stack = ExitStack()
/// f = stack.enter_context(open(path))
/// return f.read()
/// ```
pub(super) fn is_forgotten(setting: Setting<'_, '_>, call: &ExprCall) -> bool {
    let stack = call
        .func
        .as_attribute_expr()
        .and_then(|method| method.value.as_name_expr());
    let Some(stack) = stack else { return false };
    let names = setting.world.names;
    let bindings = names.bindings(&stack.id, setting.body);
    let is_made = |value: &Expr| {
        let class = value.as_call_expr().map(|call| names.resolve(&call.func));
        class.is_some_and(|class| {
            class
                .qualified()
                .is_some_and(|name| ["contextlib.ExitStack", "contextlib.AsyncExitStack"].contains(&name))
        })
    };
    let is_own = names.home(&stack.id, setting.body) == setting.body
        && !bindings.is_empty()
        && bindings.iter().all(|binding| match binding.kind {
            BindingKind::Assign { value: Some(value) } => is_made(value),
            _ => false,
        });
    is_own && is_only_filled(setting, &stack.id)
}

fn is_only_filled(setting: Setting<'_, '_>, stack: &str) -> bool {
    let filled = body::nodes_of(setting.world, setting.body).filter_map(|node| match node {
        Node::Expr(Expr::Attribute(node)) if FILLING.contains(&node.attr.as_str()) => Some(node.value.start().to_u32()),
        _ => None,
    });
    let filled: HashSet<_> = filled.collect();
    let uses = setting.world.names.uses(stack, setting.body).iter();
    let mut loads = uses.filter(|each| each.kind == UseKind::Load);
    loads.all(|each| !each.nested && filled.contains(&each.span.start))
}
