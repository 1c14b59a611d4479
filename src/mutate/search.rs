//! Finding the sites of a page: anchors, further hunks, and the conditions as soon as they can be asked.

use std::cell::{LazyCell, OnceCell};

use super::condition::{Condition, Scene};
use super::facts::Facts;
use super::fit::fits;
use super::page::Page;
use super::site::{At, Site, SitePart};
use super::template::{Count, Hunk, Rewrite, Scope};
use super::unify::{Match, Unifier};
use crate::python::ast::{Expr, Stmt};
use crate::python::{Node, Span};

/// Why a place is no site although all that was asked of its first hunk holds.
const FURTHER_HUNK: &str = "a further hunk";
const TO_FAIL: &str = "a test wants it to fail";

/// Every site of one alternative of a page, in the order of the text. `decline` hears why a place that its
/// first hunk matches is none: the condition, as the page writes it.
pub(super) fn sites<'t, 'm>(
    page: &'t Page,
    alternative: usize,
    facts: &Facts<'m>,
    decline: &mut dyn FnMut(&str),
) -> Vec<Site<'t, 'm>> {
    let rewrite = &page.rewrites[alternative];
    let search = Search {
        rewrite,
        stages: LazyCell::new(|| Stages::new(page, alternative)),
        starts: rewrite.hunks.iter().map(|_| OnceCell::new()).collect(),
        facts,
    };
    let unifier = Unifier {
        module: facts.module,
        side: &rewrite.hunks[0].before,
    };
    let mut found = Vec::new();
    let first = rewrite.hunks[0].before.body.first();
    for (block, at) in first.map_or(&[][..], |first| facts.anchors(first)) {
        if let Some((matched, taken)) = unifier.statements(block, *at, &Match::default()) {
            let complete = || search.complete(matched, &block[*at..*at + taken.max(1)]);
            let to_fail = facts.is_to_fail(Node::Stmt(&block[*at]).span());
            match if to_fail { Err(TO_FAIL) } else { complete() } {
                Ok(site) => found.push(site),
                Err(why) => decline(why),
            }
        }
    }
    found
}

/// Conditions by the hunk after which they can be asked; the last entry is for the end.
struct Stages<'t> {
    by_hunk: Vec<Vec<&'t Condition>>,
}

impl<'t> Stages<'t> {
    fn new(page: &'t Page, alternative: usize) -> Self {
        let hunks = &page.rewrites[alternative].hunks;
        let mut by_hunk = vec![Vec::new(); hunks.len() + 1];
        let mut given: Vec<(&str, usize)> = Vec::new();
        for condition in page.conditions_of(alternative) {
            let stage_of = |name: &str| {
                let matched = hunks.iter().position(|hunk| hunk.matched().contains(&name));
                matched.or_else(|| given.iter().find(|(given, _)| *given == name).map(|(_, stage)| *stage))
            };
            let asked = condition.variables().filter(|name| condition.binds() != Some(name));
            let stage = if condition.is_last() {
                hunks.len()
            } else {
                asked.filter_map(stage_of).max().unwrap_or(0)
            };
            given.extend(condition.binds().map(|name| (name, stage)));
            by_hunk[stage].push(condition);
        }
        Self { by_hunk }
    }

    /// The first condition that does not hold is the error.
    fn hold<'m>(&self, stage: usize, facts: &Facts<'m>, site: &mut Site<'_, 'm>) -> Result<(), &'t str> {
        let mut conditions = self.by_hunk[stage].iter();
        match conditions.find(|condition| !condition.holds(&mut Scene { facts, site })) {
            Some(condition) => Err(&condition.text),
            None => Ok(()),
        }
    }
}

/// One alternative of a page in one module.
struct Search<'f, 't, 'm, F> {
    rewrite: &'t Rewrite,
    stages: LazyCell<Stages<'t>, F>,
    facts: &'f Facts<'m>,
    /// Where each hunk may start, wherever the anchor is; in the order of the text.
    starts: Vec<OnceCell<Vec<Start<'m>>>>,
}

/// A place whose shape fits a hunk.
#[derive(Clone, Copy)]
enum Start<'m> {
    Statement(&'m [Stmt], usize),
    Expression(&'m Expr),
}

impl Start<'_> {
    fn span(self) -> Span {
        match self {
            Self::Statement(block, at) => Node::Stmt(&block[at]).span(),
            Self::Expression(expr) => Node::Expr(expr).span(),
        }
    }
}

impl<'t, 'm, F: FnOnce() -> Stages<'t>> Search<'_, 't, 'm, F> {
    fn complete(&self, matched: Match<'m>, block: &'m [Stmt]) -> Result<Site<'t, 'm>, &'t str> {
        let (rewrite, stages, facts) = (self.rewrite, &self.stages, self.facts);
        let values = matched.values.clone();
        let anchor = SitePart {
            hunk: 0,
            found: matched,
            at: At::Statements(block),
        };
        let mut site = Site {
            rewrite,
            parts: vec![anchor],
            values,
            imports: Vec::new(),
            resource: None,
        };
        stages.hold(0, facts, &mut site)?;
        for (number, hunk) in rewrite.hunks.iter().enumerate().skip(1) {
            let candidates = self.candidates(number, &site).ok_or(FURTHER_HUNK)?;
            let mut taken = 0;
            for (at, matched) in candidates {
                let mut longer = site.clone();
                longer.parts.push(SitePart {
                    hunk: number,
                    found: matched,
                    at,
                });
                if stages.hold(number, facts, &mut longer).is_ok() {
                    site = longer;
                    taken += 1;
                }
            }
            match hunk.count {
                Count::One if taken != 1 => return Err(FURTHER_HUNK),
                Count::Some if taken == 0 => return Err(FURTHER_HUNK),
                Count::One => share(&mut site),
                _ => {}
            }
        }
        stages.hold(rewrite.hunks.len(), facts, &mut site)?;
        Ok(site)
    }

    /// Where a further hunk matches inside its scope; `None` where the anchor stands in no such scope.
    fn candidates(&self, number: usize, site: &Site<'t, 'm>) -> Option<Vec<(At<'m>, Match<'m>)>> {
        let (hunk, facts) = (&self.rewrite.hunks[number], self.facts);
        let anchor = site.parts[0].node().span();
        let scope = scope_span(hunk.scope, facts, anchor)?;
        let values = Match {
            values: site.values.clone(),
            ..Match::default()
        };
        if hunk.before.body.is_empty() {
            let statement = enclosing_statement(hunk.scope, facts, anchor);
            return Some(
                statement
                    .map(|statement| (At::Before(statement), values))
                    .into_iter()
                    .collect(),
            );
        }
        let unifier = Unifier {
            module: facts.module,
            side: &hunk.before,
        };
        let starts = self.starts[number].get_or_init(|| starts(hunk, facts));
        let inside = starts[starts.partition_point(|start| start.span().start < scope.start)..].iter();
        let inside = inside.take_while(|start| start.span().start < scope.end);
        let matches = inside.filter_map(|start| match *start {
            Start::Statement(block, at) => {
                let (matched, taken) = unifier.statements(block, at, &values)?;
                Some((At::Statements(&block[at..at + taken.max(1)]), matched))
            }
            Start::Expression(expr) => Some((At::Expression(expr), unifier.expression(expr, &values)?)),
        });
        Some(matches.collect())
    }
}

/// Where a hunk may start in the module, in the order of the text.
fn starts<'m>(hunk: &Hunk, facts: &Facts<'m>) -> Vec<Start<'m>> {
    let mut starts: Vec<Start<'m>> = match &hunk.before.body[..] {
        [Stmt::Expr(template)] if hunk.expression => {
            let exprs = facts.module.nodes().filter_map(Node::as_expr);
            let fitting = exprs.filter(|expr| fits(Node::Expr(&template.value), Node::Expr(expr)));
            fitting.map(Start::Expression).collect()
        }
        [first, ..] if !hunk.expression => {
            let places = facts.places(first).iter();
            let fitting = places.filter(|(block, at)| fits(Node::Stmt(first), Node::Stmt(&block[*at])));
            fitting.map(|(block, at)| Start::Statement(block, *at)).collect()
        }
        _ => Vec::new(),
    };
    starts.sort_by_key(|start| start.span());
    starts
}

/// What a hunk that matches once has bound, the next ones see.
fn share(site: &mut Site<'_, '_>) {
    if let Some(part) = site.parts.last() {
        site.values.extend(part.found.values.clone());
    }
}

/// The innermost function or class that encloses the anchor, or is it.
fn holder<'m>(scope: Scope, facts: &Facts<'m>, anchor: Span) -> Option<&'m Stmt> {
    let wanted = |statement: &Stmt| match scope {
        Scope::Function => matches!(statement, Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_)),
        Scope::Class => matches!(statement, Stmt::ClassDef(_)),
        Scope::Anchor | Scope::Module => false,
    };
    let definitions = facts.definitions.iter().copied();
    let holders = definitions.filter(|statement| wanted(statement) && Node::Stmt(statement).span().contains(anchor));
    holders.min_by_key(|statement| Node::Stmt(statement).span().len())
}

fn scope_span(scope: Scope, facts: &Facts<'_>, anchor: Span) -> Option<Span> {
    match scope {
        Scope::Anchor | Scope::Module => Some(Span::new(0, u32::MAX)),
        Scope::Function | Scope::Class => Some(Node::Stmt(holder(scope, facts, anchor)?).span()),
    }
}

/// The statement of the scope's own block that holds the anchor.
fn enclosing_statement<'m>(scope: Scope, facts: &Facts<'m>, anchor: Span) -> Option<&'m Stmt> {
    let block = match scope {
        Scope::Anchor | Scope::Module => &facts.module.body,
        Scope::Function | Scope::Class => Node::Stmt(holder(scope, facts, anchor)?).blocks().into_iter().next()?,
    };
    let mut block = block.iter();
    block.find(|statement| Node::Stmt(statement).span().contains(anchor))
}
