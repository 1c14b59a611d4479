//! Handles that the rounds of a loop open: where one cannot be opened, nobody has the list of those before it.
//!
//! ```py
//! files = []
//! for path in paths:
//!     files.append(open(path))  # the first ones stay open if the last is missing
//! return files
//! ```

use super::Analysed;
use super::course::{breaks, own_nodes};
use super::obligation::{Move, Obligation};
use super::report::{acquisition, finding};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, Ranged, Stmt};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Node, Span};

pub(super) fn left_behind(module: &Analysed<'_>, pattern: Pattern) -> Vec<Finding> {
    let all = module.obligations().iter().zip(module.patterns());
    let silent = all.filter(|(_, primary)| primary.is_none());
    let lost = silent.filter(|(obligation, _)| is_collected(module, obligation) && is_unguarded(module, obligation));
    lost.map(|(obligation, _)| report(pattern, obligation)).collect()
}

/// Put into a list that nobody else has yet: one of the body, or of an object that is being made.
fn is_collected(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let constructs = ["__init__", "__enter__", "__aenter__"].contains(&module.names.scope(obligation.body).name());
    let is_own = obligation.fate.moves.iter().all(|moved| match moved {
        Move::Container | Move::InLocal(_) => true,
        Move::InSelf(_) => constructs,
        _ => false,
    });
    is_own
        && !obligation.fate.unknown
        && !obligation.fate.moves.is_empty()
        && obligation.body_kind == ScopeKind::Function
}

/// Whether it stands in a loop that goes on, with nothing around that could release the ones before.
fn is_unguarded(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let Some(Node::Stmt(statement)) = module.names.scope(obligation.body).node else {
        return false;
    };
    let Some(def) = Def::of(statement) else { return false };
    let holds = |body: &[Stmt]| body.iter().any(|one| Span::from(one.range()).contains(obligation.span));
    let is_guard = own_nodes(def.body).any(|node| match node {
        Node::Stmt(Stmt::Try(_) | Stmt::With(_) | Stmt::AsyncWith(_)) => node.span().contains(obligation.span),
        // A generator is finished by whoever walks it.
        Node::Expr(Expr::Yield(_) | Expr::YieldFrom(_)) => true,
        _ => false,
    });
    let goes_on = |body: &[Stmt]| holds(body) && !breaks(body) && !returns(body) && appends(body);
    let is_in_loop = own_nodes(def.body).any(|node| match node {
        Node::Stmt(Stmt::For(node)) => goes_on(&node.body),
        Node::Stmt(Stmt::AsyncFor(node)) => goes_on(&node.body),
        Node::Stmt(Stmt::While(node)) => goes_on(&node.body),
        _ => false,
    });
    is_in_loop && !is_guard
}

fn returns(body: &[Stmt]) -> bool {
    own_nodes(body).any(|node| matches!(node, Node::Stmt(Stmt::Return(_))))
}

/// Whether the rounds put something into a list or a mapping that is there before them.
fn appends(body: &[Stmt]) -> bool {
    own_nodes(body).any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => ["append", "add", "appendleft"].contains(&node.attr.as_str()),
        Node::Stmt(Stmt::Assign(node)) => node.targets.iter().any(Expr::is_subscript_expr),
        _ => false,
    })
}

fn report(pattern: Pattern, obligation: &Obligation<'_>) -> Finding {
    let what = acquisition(obligation);
    let message = format!("those that earlier rounds have opened are not closed if {what} raises");
    finding(pattern, obligation, Confidence::Medium, message)
}
