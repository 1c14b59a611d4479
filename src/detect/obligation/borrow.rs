//! Objects that keep what they are handed without ever releasing it.

use std::collections::HashSet;

use super::callee::{RELEASE_METHODS, Treatment, names_a_release, treatment};
use super::owner::has_unknown_base;
use super::{Move, World, class, follow};
use crate::python::ast::{Expr, ExprAttribute, ExprContext, Stmt};
use crate::python::{Node, ScopeId};

/// Methods of a class that somehow ends what it has, or hands its attributes out by other names.
const OTHER_WAYS: [&str; 4] = ["__del__", "__exit__", "__aexit__", "__getattr__"];

/// Whether instances keep the parameter of their constructor as an attribute that the whole module only reads from, writes
/// to or walks:
///
/// ```py
/// class Analyzer:
///     def __init__(self, source):
///         self.source = source
///
///     def first(self):
///         return self.source.readline()
/// ```
pub(super) fn only_uses(world: World<'_, '_>, class: ScopeId, init: ScopeId, parameter: &str) -> bool {
    let Some(fate) = follow::follow_parameter(world, init, (parameter, false)) else {
        return false;
    };
    let [Move::OnSelf(attribute)] = fate.moves.as_slice() else {
        return false;
    };
    !fate.released && !has_unknown_base(world, class) && !may_release(world, class) && is_only_used(world, attribute)
}

fn may_release(world: World<'_, '_>, class: ScopeId) -> bool {
    let line = class::lineage(world, class).into_iter();
    let mut methods = line.flat_map(|class| class::own_methods(world, class));
    methods.any(|method| OTHER_WAYS.contains(&method.def.name) || names_a_release(method.def.name))
}

/// Whether every mention of the attribute, whosever it is, is a harmless one.
fn is_only_used(world: World<'_, '_>, attribute: &str) -> bool {
    let harmless: HashSet<*const ExprAttribute> = world
        .nodes()
        .flat_map(|node| used(world, node))
        .filter_map(Expr::as_attribute_expr)
        .map(std::ptr::from_ref)
        .collect();
    world.nodes().all(|node| match node {
        Node::Expr(Expr::Attribute(node)) if node.attr.as_str() == attribute && node.ctx == ExprContext::Load => {
            harmless.contains(&std::ptr::from_ref(node))
        }
        Node::Expr(Expr::Constant(text)) => text.value.as_str().is_none_or(|text| text != attribute),
        _ => true,
    })
}

/// The values that the node uses and neither releases nor hands on.
fn used<'m>(world: World<'_, 'm>, node: Node<'m>) -> Vec<&'m Expr> {
    match node {
        Node::Expr(Expr::Attribute(node)) if !RELEASE_METHODS.contains(&node.attr.as_str()) => vec![&node.value],
        Node::Expr(Expr::Compare(node)) => node.comparators.iter().chain([&*node.left]).collect(),
        Node::Expr(Expr::BoolOp(node)) => node.values.iter().collect(),
        Node::Expr(Expr::UnaryOp(node)) => vec![&node.operand],
        Node::Expr(Expr::Call(call)) => {
            let borrowed = |argument: &&Expr| treatment(world, call, argument) == Treatment::Borrows;
            call.args
                .iter()
                .filter(|argument| argument.is_attribute_expr())
                .filter(borrowed)
                .collect()
        }
        Node::Stmt(Stmt::For(node)) => vec![&node.iter],
        Node::Stmt(Stmt::If(node)) => vec![&node.test],
        Node::Expr(Expr::IfExp(node)) => vec![&node.test],
        Node::Comprehension(node) => vec![&node.iter],
        _ => Vec::new(),
    }
}
