//! Where names and attributes stand in a module, and what stands around an expression.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::detect::Analysed;
use crate::python::ast::{Expr, ExprCall, Ranged};
use crate::python::{Node, ScopeId};

#[derive(Debug, Default)]
pub(in crate::detect) struct Index<'m> {
    /// By the scope that a name belongs to.
    names: BTreeMap<ScopeId, BTreeMap<&'m str, Vec<&'m Expr>>>,
    attributes: BTreeMap<&'m str, Vec<&'m Expr>>,
    /// What an expression is a direct part of, by the expression's address.
    parents: FxHashMap<usize, Node<'m>>,
    /// The same for calls, by where they stand.
    calls: FxHashMap<(u32, u32), Node<'m>>,
}

impl<'m> Index<'m> {
    pub(in crate::detect) fn of_module(module: &Analysed<'m>) -> Self {
        let names = &module.names;
        let mut index = Self::default();
        index.parents.reserve(module.nodes().len());
        for node in module.nodes() {
            node.for_each_child(|child| {
                if let Node::Expr(child) = child {
                    index.parents.insert(address(child), node);
                    if let Expr::Call(call) = child {
                        index.calls.insert(place(call), node);
                    }
                }
            });
            match node {
                Node::Expr(expr @ Expr::Name(name)) => {
                    let home = names.home(&name.id, names.scope_at(name.start().to_u32()));
                    let of_scope = index.names.entry(home).or_default();
                    of_scope.entry(name.id.as_str()).or_default().push(expr);
                }
                Node::Expr(expr @ Expr::Attribute(node)) => {
                    index.attributes.entry(node.attr.as_str()).or_default().push(expr);
                }
                _ => {}
            }
        }
        index
    }

    /// Every place of a name, in the order of the text.
    pub(in crate::detect) fn names(&self, home: ScopeId, name: &str) -> &[&'m Expr] {
        let of_scope = self.names.get(&home);
        of_scope.and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Every place of an attribute, whosever it is.
    pub(in crate::detect) fn attributes(&self, name: &str) -> &[&'m Expr] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }

    pub(in crate::detect) fn parent_of_call(&self, call: &ExprCall) -> Option<Node<'m>> {
        self.calls.get(&place(call)).copied()
    }

    pub(in crate::detect) fn parent(&self, expr: &Expr) -> Option<Node<'m>> {
        self.parents.get(&address(expr)).copied()
    }
}

fn place(call: &ExprCall) -> (u32, u32) {
    (call.start().to_u32(), call.end().to_u32())
}

fn address(expr: &Expr) -> usize {
    std::ptr::from_ref(expr).addr()
}
