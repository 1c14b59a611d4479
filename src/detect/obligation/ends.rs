//! What the ends of all paths say together: the worst of them make the fate.

use std::collections::{BTreeMap, BTreeSet};

use super::body::nodes;
use super::facts::Tests;
use super::{Fate, LeftOpen, Skipped};
use crate::python::Node;
use crate::python::ast::{Ranged, Stmt};
use crate::python::flow::names_bound;

/// What tests have said on a path.
type Facts = Vec<(u32, bool)>;

#[derive(Default)]
pub(super) struct Ends<'m> {
    left_open: Vec<(LeftOpen<'m>, Facts)>,
    /// With the name that held it.
    skipped: Vec<(Skipped, Option<&'m str>, Facts)>,
    released: BTreeSet<Facts>,
}

/// A test before the acquisition that decides what a name holds.
///
/// ```py
/// if is_stream(target):  # decides
///     out = target
/// else:
///     out = open(target, "wb")
/// ```
pub(super) struct Deciding<'m> {
    number: u32,
    /// Where it first stands.
    at: u32,
    names: BTreeSet<&'m str>,
}

impl<'m> Deciding<'m> {
    /// All tests of the body that are asked again.
    pub(super) fn in_body(body: &'m [Stmt], tests: &Tests<'m>, source: &'m str) -> Vec<Self> {
        let mut found: BTreeMap<u32, Self> = BTreeMap::new();
        for node in nodes(body) {
            let Node::Stmt(Stmt::If(choice)) = node else { continue };
            let number = tests.number_of(&choice.test, source);
            let Some(number) = number.filter(|number| tests.is_asked_again(*number)) else {
                continue;
            };
            let first = found.entry(number).or_insert_with(|| Self {
                number,
                at: choice.start().to_u32(),
                names: BTreeSet::new(),
            });
            first.names.extend(names_under(node));
        }
        found.into_values().collect()
    }
}

fn names_under(node: Node<'_>) -> Vec<&str> {
    let targets = node.descendants().filter_map(|inner| match inner {
        Node::Stmt(Stmt::Assign(node)) => Some(node.targets.iter().flat_map(names_bound)),
        _ => None,
    });
    targets.flatten().collect()
}

impl<'m> Ends<'m> {
    pub(super) fn release(&mut self, facts: &Facts) {
        if !self.released.contains(facts) {
            self.released.insert(facts.clone());
        }
    }

    pub(super) fn leave_open(&mut self, left: LeftOpen<'m>, facts: &Facts) {
        self.left_open.push((left, facts.clone()));
    }

    pub(super) fn skip(&mut self, skipped: Skipped, name: Option<&'m str>, facts: &Facts) {
        self.skipped.push((skipped, name, facts.clone()));
    }

    /// Writes down the surest path that leaves it open, and the likeliest exception.
    pub(super) fn conclude(mut self, fate: &mut Fate<'m>, (deciding, at): (&[Deciding<'m>], u32)) {
        let deciding: Vec<_> = deciding.iter().filter(|each| each.at < at).collect();
        for (left, facts) in std::mem::take(&mut self.left_open) {
            let is_surer = fate.left_open.as_ref().is_none_or(|known| left.doubt < known.doubt);
            if is_surer && !self.is_decided(&facts, left.name, &deciding) {
                fate.left_open = Some(left);
            }
        }
        for (skipped, name, facts) in std::mem::take(&mut self.skipped) {
            if !self.is_decided(&facts, name, &deciding) {
                note(fate, skipped);
            }
        }
    }

    /// Whether what is released on the other side of a test was so decided before it was acquired: on this side the
    /// name holds something else.
    fn is_decided(&self, facts: &Facts, name: Option<&str>, deciding: &[&Deciding<'m>]) -> bool {
        let answer = |facts: &Facts, number: u32| {
            facts
                .iter()
                .find(|(known, _)| *known == number)
                .map(|(_, holds)| *holds)
        };
        let opposite = |number: u32| {
            let here = answer(facts, number);
            here.is_some()
                && self
                    .released
                    .iter()
                    .all(|there| answer(there, number) == here.map(|holds| !holds))
        };
        let concerns = |each: &&&Deciding<'m>| name.is_some_and(|name| each.names.contains(name));
        !self.released.is_empty() && deciding.iter().filter(concerns).any(|each| opposite(each.number))
    }
}

fn note(fate: &mut Fate<'_>, skipped: Skipped) {
    let rank = |skipped: &Skipped| (skipped.grade, skipped.cause, skipped.caught);
    let known = fate.skipped;
    if known.is_none_or(|known| skipped.grade > known.grade) {
        fate.causes.clear();
        fate.swallowed = false;
    }
    if known.is_none_or(|known| skipped.grade >= known.grade) {
        fate.causes.insert(skipped.cause);
        fate.swallowed |= skipped.caught;
    }
    if known.is_none_or(|known| rank(&skipped) > rank(&known)) {
        fate.skipped = Some(skipped);
    }
}
