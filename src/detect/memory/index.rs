//! Where names and attributes stand in a module, and what stands around an expression.

use std::collections::{BTreeMap, HashMap};

use crate::python::ast::{Expr, Ranged};
use crate::python::{Module, Names, Node, ScopeId};

#[derive(Debug, Default)]
pub(in crate::detect) struct Index<'m> {
    /// By the scope that a name belongs to.
    names: BTreeMap<ScopeId, BTreeMap<&'m str, Vec<&'m Expr>>>,
    attributes: BTreeMap<&'m str, Vec<&'m Expr>>,
    /// What an expression is a direct part of, by the expression's address.
    parents: HashMap<usize, Node<'m>>,
}

impl<'m> Index<'m> {
    pub(in crate::detect) fn of_module(module: &'m Module, names: &Names<'m>) -> Self {
        let mut index = Self::default();
        for node in module.nodes() {
            for child in node.children() {
                if let Node::Expr(child) = child {
                    index.parents.insert(address(child), node);
                }
            }
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

    pub(in crate::detect) fn parent(&self, expr: &Expr) -> Option<Node<'m>> {
        self.parents.get(&address(expr)).copied()
    }
}

fn address(expr: &Expr) -> usize {
    std::ptr::from_ref(expr).addr()
}
