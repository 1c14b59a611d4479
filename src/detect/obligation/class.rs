//! The classes of a module: their bases and methods, and which method runs which on `self`.

use std::collections::BTreeSet;

use super::{World, summary};
use crate::python::ast::{Expr, ExprCall, ExprContext, Stmt};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, ScopeId};

/// Chains of base classes longer than this are not followed.
const MAX_BASES: usize = 8;

/// A method, and the scope that its body is.
#[derive(Clone, Copy)]
pub(super) struct Method<'m> {
    pub(super) scope: ScopeId,
    pub(super) statement: &'m Stmt,
    pub(super) def: Def<'m>,
}

impl<'m> Method<'m> {
    fn of(world: World<'_, 'm>, statement: &'m Stmt) -> Option<Self> {
        Some(Self {
            scope: world.names.scope_of(statement)?,
            statement,
            def: Def::of(statement)?,
        })
    }
}

/// The class and its bases in the module, nearest first.
pub(super) fn lineage(world: World<'_, '_>, class: ScopeId) -> Vec<ScopeId> {
    let mut line = vec![class];
    let mut at = 0;
    while at < line.len() && line.len() < MAX_BASES {
        for base in bases_of(world, line[at]) {
            if !line.contains(&base) {
                line.push(base);
            }
        }
        at += 1;
    }
    line
}

fn bases_of(world: World<'_, '_>, class: ScopeId) -> Vec<ScopeId> {
    let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
        return Vec::new();
    };
    let bases = node.bases.iter().filter_map(|base| summary::class_named(world, base));
    bases.collect()
}

/// Whether one of the two is a base of the other, or both are the same.
pub(super) fn is_related(world: World<'_, '_>, one: ScopeId, other: ScopeId) -> bool {
    lineage(world, one).contains(&other) || lineage(world, other).contains(&one)
}

pub(super) fn own_methods<'m>(world: World<'_, 'm>, class: ScopeId) -> Vec<Method<'m>> {
    let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
        return Vec::new();
    };
    let methods = node.body.iter().filter_map(|statement| Method::of(world, statement));
    methods.collect()
}

/// The method that instances of the class have under the name.
pub(super) fn method<'m>(world: World<'_, 'm>, class: ScopeId, name: &str) -> Option<Method<'m>> {
    let mut line = lineage(world, class).into_iter();
    line.find_map(|class| own_method(world, class, name))
}

fn own_method<'m>(world: World<'_, 'm>, class: ScopeId, name: &str) -> Option<Method<'m>> {
    if world.names.home(name, class) != class {
        return None;
    }
    let bindings = world.names.bindings(name, class).iter();
    let mut statements = bindings.filter_map(|binding| match binding.kind {
        BindingKind::Def(statement) => Some(statement),
        _ => None,
    });
    statements.find_map(|statement| Method::of(world, statement))
}

/// What calling a method on `self` runs.
#[derive(Default)]
pub(super) struct Reach {
    /// The bodies of methods, its own among them.
    pub(super) bodies: BTreeSet<ScopeId>,
    /// It also runs something that nobody sees: a method of an unknown base, a function that is handed `self`.
    pub(super) beyond: bool,
}

pub(super) fn reach(world: World<'_, '_>, class: ScopeId, name: &str) -> Reach {
    let mut reach = Reach::default();
    let mut open: Vec<_> = method(world, class, name).into_iter().collect();
    while let Some(each) = open.pop() {
        if !reach.bodies.insert(each.scope) {
            continue;
        }
        for inner in Node::Stmt(each.statement).descendants().filter_map(Node::as_expr) {
            let mentioned = on_self(inner).map(|name| method(world, class, name));
            open.extend(mentioned.flatten());
            reach.beyond |= match inner {
                Expr::Call(call) => {
                    let unknown = on_self(&call.func).is_some_and(|name| method(world, class, name).is_none());
                    unknown || is_super(&call.func) || hands_over_self(call)
                }
                _ => false,
            };
        }
    }
    reach
}

fn is_super(func: &Expr) -> bool {
    func.as_name_expr().is_some_and(|name| name.id.as_str() == "super")
}

fn hands_over_self(call: &ExprCall) -> bool {
    let values = call.keywords.iter().map(|keyword| &keyword.value);
    call.args.iter().chain(values).any(is_self)
}

pub(super) fn is_self(expr: &Expr) -> bool {
    expr.as_name_expr().is_some_and(|name| name.id.as_str() == "self")
}

/// The attribute of `self.attribute`.
pub(super) fn on_self(expr: &Expr) -> Option<&str> {
    let node = expr.as_attribute_expr()?;
    is_self(&node.value).then_some(node.attr.as_str())
}

/// The same, and that of `cls.attribute`.
pub(super) fn on_own(expr: &Expr) -> Option<&str> {
    let node = expr.as_attribute_expr()?;
    let owner = node.value.as_name_expr()?.id.as_str();
    ["self", "cls"].contains(&owner).then_some(node.attr.as_str())
}

/// The class whose method the body is.
pub(super) fn of_method(world: World<'_, '_>, function: ScopeId) -> Option<ScopeId> {
    let node = world.names.scope(function).node?;
    world.names.enclosing_class(node.span().start)
}

/// Whether a method of the class itself stores the attribute.
pub(super) fn stores(world: World<'_, '_>, class: ScopeId, attribute: &str) -> bool {
    let mut methods = own_methods(world, class).into_iter();
    methods.any(|method| {
        let mut inner = Node::Stmt(method.statement).descendants().filter_map(Node::as_expr);
        inner.any(|expr| is_store(expr, attribute))
    })
}

pub(super) fn is_store(expr: &Expr, attribute: &str) -> bool {
    on_own(expr) == Some(attribute)
        && expr
            .as_attribute_expr()
            .is_some_and(|node| node.ctx == ExprContext::Store)
}
