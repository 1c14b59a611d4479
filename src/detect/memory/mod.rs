//! What the detectors of memory share: how long objects live, and how many keys a mapping may meet.
//!
//! `domain` weighs keys, `lifetime` tells classes whose instances come and go from those that stay, `collection`
//! finds collections and follows what is done with them, which `mention` tells of one place, `index` of where those stand.

pub(super) mod collection;
pub(super) mod domain;
pub(super) mod index;
pub(super) mod lifetime;
pub(super) mod mention;

use crate::python::Span;
use crate::python::ast::{Expr, Ranged, Stmt};

/// Where a report on a whole definition stands: the word `def` or `class`, up to the name.
pub(super) fn headline(statement: &Stmt, name: &str, text: &str) -> Span {
    let start = statement.start().to_u32();
    let rest = super::text_at(text, statement.range().into());
    let end = rest
        .find(name)
        .map_or(start, |at| start + crate::python::span::offset(at + name.len()));
    Span::new(start, end)
}

/// The last word of `a.b.c`.
pub(super) fn tail(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(node) => Some(&node.id),
        Expr::Attribute(node) => Some(&node.attr),
        _ => None,
    }
}
