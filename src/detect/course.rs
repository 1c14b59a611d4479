//! What a function that runs on its own does: whether it ends by itself.

use super::Analysed;
use crate::python::Node;
use crate::python::ScopeId;
use crate::python::ast::{Constant, Expr, Ranged, Stmt};
use crate::python::names::{BindingKind, Def};

/// The `def` that a callable stands for: a function of the module, or a method of the class around it.
pub(super) fn definition<'m>(module: &Analysed<'m>, callable: &Expr) -> Option<Def<'m>> {
    let at = callable.start().to_u32();
    match callable {
        Expr::Name(name) => {
            let bindings = module.names.bindings(&name.id, module.names.scope_at(at));
            bindings.iter().rev().find_map(|binding| match binding.kind {
                BindingKind::Def(statement) => Def::of(statement),
                _ => None,
            })
        }
        Expr::Attribute(node) if is_self(&node.value) => {
            let class = module.names.enclosing_class(at)?;
            method(module, class, &node.attr)
        }
        _ => None,
    }
}

pub(super) fn method<'m>(module: &Analysed<'m>, class: ScopeId, name: &str) -> Option<Def<'m>> {
    let Some(Node::Stmt(Stmt::ClassDef(class))) = module.names.scope(class).node else {
        return None;
    };
    let mut methods = class.body.iter().filter_map(Def::of);
    methods.find(|method| method.name == name)
}

fn is_self(object: &Expr) -> bool {
    object
        .as_name_expr()
        .is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()))
}

/// Whether the body has a loop that nothing in it leaves.
pub(super) fn is_endless(body: &[Stmt]) -> bool {
    own_nodes(body).any(|node| match node {
        Node::Stmt(Stmt::While(node)) => is_true(&node.test) && !has_way_out(&node.body),
        _ => false,
    })
}

pub(super) fn is_true(test: &Expr) -> bool {
    let Expr::Constant(constant) = test else { return false };
    match &constant.value {
        Constant::Bool(truth) => *truth,
        Constant::Int(number) => number.to_string() != "0",
        _ => false,
    }
}

/// Whether the body of a loop leaves it by `break`, `return` or `raise`.
pub(super) fn has_way_out(body: &[Stmt]) -> bool {
    let leaves = |node: Node<'_>| matches!(node, Node::Stmt(Stmt::Return(_) | Stmt::Raise(_)));
    breaks(body) || own_nodes(body).any(leaves)
}

/// Whether a `break` of the statements belongs to a loop around them.
pub(super) fn breaks(body: &[Stmt]) -> bool {
    let mut open: Vec<Node<'_>> = body.iter().map(Node::Stmt).collect();
    while let Some(node) = open.pop() {
        match node {
            Node::Stmt(Stmt::Break(_)) => return true,
            Node::Stmt(Stmt::While(node)) => open.extend(node.orelse.iter().map(Node::Stmt)),
            Node::Stmt(Stmt::For(node)) => open.extend(node.orelse.iter().map(Node::Stmt)),
            Node::Stmt(Stmt::AsyncFor(node)) => open.extend(node.orelse.iter().map(Node::Stmt)),
            Node::Stmt(statement) if Def::of(statement).is_some() || statement.is_class_def_stmt() => {}
            Node::Expr(_) => {}
            other => open.extend(other.children()),
        }
    }
    false
}

/// The nodes of a body without those of functions and classes inside it.
pub(super) fn own_nodes(body: &[Stmt]) -> impl Iterator<Item = Node<'_>> {
    let mut open: Vec<Node<'_>> = body.iter().rev().map(Node::Stmt).collect();
    std::iter::from_fn(move || {
        let node = open.pop()?;
        let is_scope = match node {
            Node::Stmt(statement) => Def::of(statement).is_some() || statement.is_class_def_stmt(),
            Node::Expr(expr) => expr.is_lambda_expr(),
            _ => false,
        };
        if !is_scope {
            open.extend(node.children().into_iter().rev());
        }
        Some(node)
    })
}
