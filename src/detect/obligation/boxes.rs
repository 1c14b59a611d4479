//! Lists that a body fills with handles, and whose whole life is in sight: until it returns them, hands them on or does
//! anything else with them than walking them, they hold what was put in.

use std::collections::{BTreeSet, HashSet};

use super::World;
use super::body::nodes;
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, ScopeKind, UseKind};
use crate::python::{Node, ScopeId, Span};

#[derive(Default)]
pub(super) struct Boxes<'m> {
    names: BTreeSet<&'m str>,
    /// Comprehensions that make such a list.
    pub(super) comprehensions: HashSet<*const Expr>,
}

impl<'m> Boxes<'m> {
    pub(super) fn of_body(world: World<'_, 'm>, scope: ScopeId, body: &'m [Stmt]) -> Self {
        let mut boxes = Self::default();
        if world.names.scope(scope).kind != ScopeKind::Function {
            return boxes;
        }
        let mut made: Vec<(&'m str, &'m Expr)> = Vec::new();
        let mut seen: HashSet<Span> = HashSet::new();
        for node in nodes(body) {
            if let Node::Stmt(Stmt::Assign(node)) = node
                && let [Expr::Name(name)] = node.targets.as_slice()
                && makes_list(&node.value)
            {
                made.push((&name.id, &node.value));
            }
            seen.extend(walking(node).into_iter().map(|name| Span::from(name.range())));
        }
        for (name, value) in made {
            if is_in_sight(world, scope, name, &seen) {
                boxes.names.insert(name);
                boxes
                    .comprehensions
                    .extend(value.is_list_comp_expr().then(|| std::ptr::from_ref(value)));
            }
        }
        boxes
    }

    /// `files.append(f)`
    pub(super) fn takes(&self, call: &ExprCall) -> bool {
        self.list_of(call).is_some()
    }

    pub(super) fn list_of(&self, call: &ExprCall) -> Option<&'m str> {
        let name = appended_to(call)?.as_name_expr()?;
        self.names.get(name.id.as_str()).copied()
    }
}

fn makes_list(value: &Expr) -> bool {
    match value {
        Expr::List(node) => node.elts.is_empty(),
        Expr::Call(call) => super::tail(&call.func) == "list" && call.args.is_empty(),
        other => other.is_list_comp_expr(),
    }
}

fn appended_to(call: &ExprCall) -> Option<&Expr> {
    let method = call.func.as_attribute_expr()?;
    (method.attr.as_str() == "append").then_some(&*method.value)
}

/// What the node does with lists that leaves them where they are.
fn walking(node: Node<'_>) -> Vec<&Expr> {
    match node {
        Node::Expr(Expr::Call(call)) if super::tail(&call.func) == "len" => call.args.iter().collect(),
        Node::Expr(Expr::Call(call)) => appended_to(call).into_iter().collect(),
        Node::Stmt(Stmt::For(node)) => vec![&node.iter],
        Node::Stmt(Stmt::If(node)) => vec![&node.test],
        Node::Expr(Expr::UnaryOp(node)) => vec![&node.operand],
        _ => Vec::new(),
    }
}

/// Whether every use of the name is one of those, and nothing else gives it a value.
fn is_in_sight(world: World<'_, '_>, scope: ScopeId, name: &str, seen: &HashSet<Span>) -> bool {
    let uses = world.names.uses(name, scope);
    let mut loads = uses.iter().filter(|each| each.kind == UseKind::Load);
    let bindings = world.names.bindings(name, scope);
    let is_own = world.names.home(name, scope) == scope;
    let is_list =
        |kind: &BindingKind<'_>| matches!(kind, BindingKind::Assign { value: Some(value) } if makes_list(value));
    is_own
        && bindings.iter().all(|binding| is_list(&binding.kind))
        && loads.all(|each| !each.nested && seen.contains(&each.span))
}
