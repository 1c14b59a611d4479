//! A place where a page applies: all hunks of one rewrite, matched, with their conditions met.

use std::collections::BTreeMap;

use super::template::{Hunk, Line, Mark, Rewrite, Token};
use super::unify::{Match, Value};
use crate::python::ast::{Expr, Stmt};
use crate::python::{Node, Span};

/// One application of a rewrite.
#[derive(Clone, Debug)]
pub(super) struct Site<'t, 'm> {
    pub(super) rewrite: &'t Rewrite,
    /// The anchor first.
    pub(super) parts: Vec<SitePart<'m>>,
    /// What the anchor and the conditions bound.
    pub(super) values: BTreeMap<String, Value<'m>>,
    /// Modules to import: `contextlib`.
    pub(super) imports: Vec<String>,
    /// The kind of resource that a condition found.
    pub(super) resource: Option<String>,
}

/// One hunk at one place.
#[derive(Clone, Debug)]
pub(super) struct SitePart<'m> {
    pub(super) hunk: usize,
    pub(super) found: Match<'m>,
    pub(super) at: At<'m>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At<'m> {
    /// These statements of one block.
    Statements(&'m [Stmt]),
    Expression(&'m Expr),
    /// New lines in front of this statement of the scope.
    Before(&'m Stmt),
}

impl<'m> Site<'_, 'm> {
    /// The value of a metavariable as one part sees it: its own first.
    pub(super) fn value<'s>(&'s self, part: &'s SitePart<'m>, name: &str) -> Option<&'s Value<'m>> {
        part.found.values.get(name).or_else(|| self.values.get(name))
    }
}

impl<'m> SitePart<'m> {
    /// All statements of the place, or its expression.
    pub(super) fn span(&self) -> Span {
        match self.at {
            At::Statements(block) => block
                .iter()
                .map(|statement| Node::Stmt(statement).span())
                .reduce(Span::cover)
                .unwrap_or_default(),
            _ => self.node().span(),
        }
    }

    /// The source of the lines that its hunk removes.
    pub(super) fn removed(&self, hunk: &Hunk) -> Vec<Span> {
        let places = self.found.places.iter();
        let removed = places.filter(|(line, _)| hunk.lines[**line].mark == Mark::Remove);
        removed.filter_map(|(_, place)| place.span()).collect()
    }

    /// The same without what a `+` line has again: `-    $$body`, `+$$body`.
    pub(super) fn gone(&self, hunk: &Hunk) -> Vec<Span> {
        let again = |line: &Line| {
            let mut added = hunk.lines.iter().filter(|other| other.mark == Mark::Add);
            matches!(line.tokens[..], [Token::Many(_)]) && added.any(|other| other.tokens == line.tokens)
        };
        let places = self.found.places.iter();
        let gone = places.filter(|(line, _)| hunk.lines[**line].mark == Mark::Remove && !again(&hunk.lines[**line]));
        gone.filter_map(|(_, place)| place.span()).collect()
    }

    /// The first node of the place.
    pub(super) fn node(&self) -> Node<'m> {
        match self.at {
            At::Statements(block) => Node::Stmt(&block[0]),
            At::Expression(expr) => Node::Expr(expr),
            At::Before(statement) => Node::Stmt(statement),
        }
    }
}
