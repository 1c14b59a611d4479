//! Finding the sites of a page: anchors, further hunks, and the conditions as soon as they can be asked.

use super::condition::{Condition, Scene};
use super::facts::Facts;
use super::page::Page;
use super::site::{At, Site, SitePart};
use super::template::{Count, Hunk, Rewrite, Scope};
use super::unify::{Match, Unifier};
use crate::python::ast::Stmt;
use crate::python::{Node, Span};

/// Every site of one alternative of a page, in the order of the text.
pub(super) fn sites<'t, 'm>(page: &'t Page, alternative: usize, facts: &Facts<'m>) -> Vec<Site<'t, 'm>> {
    let rewrite = &page.rewrites[alternative];
    let stages = Stages::new(page, alternative);
    let unifier = Unifier {
        module: facts.module,
        side: &rewrite.hunks[0].before,
    };
    let mut found = Vec::new();
    for block in &facts.blocks {
        for at in 0..block.len() {
            if !may_start(&rewrite.hunks[0], &block[at]) || !facts.may_anchor(&block[at]) {
                continue;
            }
            if let Some((matched, taken)) = unifier.statements(block, at, &Match::default()) {
                found.extend(complete(
                    rewrite,
                    &stages,
                    facts,
                    matched,
                    &block[at..at + taken.max(1)],
                ));
            }
        }
    }
    found
}

/// A cheap look before unification.
fn may_start(hunk: &Hunk, statement: &Stmt) -> bool {
    let Some(first) = hunk.before.body.first() else {
        return false;
    };
    match (first, statement) {
        (Stmt::Expr(_), _)
        | (Stmt::Assign(_), Stmt::AnnAssign(_))
        | (Stmt::FunctionDef(_), Stmt::AsyncFunctionDef(_)) => true,
        _ => std::mem::discriminant(first) == std::mem::discriminant(statement),
    }
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

    fn hold<'m>(&self, stage: usize, facts: &Facts<'m>, site: &mut Site<'_, 'm>) -> bool {
        let fails = |condition: &&&Condition| !condition.holds(&mut Scene { facts, site });
        let failing = self.by_hunk[stage].iter().find(fails);
        #[cfg(test)]
        facts.note_decline(failing.map(|condition| condition.text.as_str()));
        failing.is_none()
    }
}

fn complete<'t, 'm>(
    rewrite: &'t Rewrite,
    stages: &Stages<'t>,
    facts: &Facts<'m>,
    matched: Match<'m>,
    block: &'m [Stmt],
) -> Option<Site<'t, 'm>> {
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
    if !stages.hold(0, facts, &mut site) {
        return None;
    }
    for (number, hunk) in rewrite.hunks.iter().enumerate().skip(1) {
        let candidates = candidates(hunk, facts, &site)?;
        let mut taken = 0;
        for (at, matched) in candidates {
            let mut longer = site.clone();
            longer.parts.push(SitePart {
                hunk: number,
                found: matched,
                at,
            });
            if stages.hold(number, facts, &mut longer) {
                site = longer;
                taken += 1;
            }
        }
        match hunk.count {
            Count::One if taken != 1 => return None,
            Count::Some if taken == 0 => return None,
            Count::One => share(&mut site),
            _ => {}
        }
    }
    stages.hold(rewrite.hunks.len(), facts, &mut site).then_some(site)
}

/// What a hunk that matches once has bound, the next ones see.
fn share(site: &mut Site<'_, '_>) {
    if let Some(part) = site.parts.last() {
        site.values.extend(part.found.values.clone());
    }
}

/// Where a further hunk matches inside its scope; `None` where the anchor stands in no such scope.
fn candidates<'m>(hunk: &Hunk, facts: &Facts<'m>, site: &Site<'_, 'm>) -> Option<Vec<(At<'m>, Match<'m>)>> {
    let anchor = site.parts[0].node().span();
    let scope = scope_span(hunk.scope, facts, anchor)?;
    let start = Match {
        values: site.values.clone(),
        ..Match::default()
    };
    if hunk.before.body.is_empty() {
        let statement = enclosing_statement(hunk.scope, facts, anchor);
        return Some(
            statement
                .map(|statement| (At::Before(statement), start))
                .into_iter()
                .collect(),
        );
    }
    let unifier = Unifier {
        module: facts.module,
        side: &hunk.before,
    };
    if hunk.expression {
        let exprs = facts
            .module
            .nodes()
            .filter_map(Node::as_expr)
            .filter(|expr| scope.contains(Node::Expr(expr).span()));
        let found = exprs.filter_map(|expr| Some((At::Expression(expr), unifier.expression(expr, &start)?)));
        return Some(found.collect());
    }
    let mut found = Vec::new();
    for block in &facts.blocks {
        for at in
            (0..block.len()).filter(|at| scope.contains(Node::Stmt(&block[*at]).span()) && may_start(hunk, &block[*at]))
        {
            if let Some((matched, taken)) = unifier.statements(block, at, &start) {
                found.push((At::Statements(&block[at..at + taken.max(1)]), matched));
            }
        }
    }
    found.sort_by_key(|(at, _)| match at {
        At::Statements(block) => Node::Stmt(&block[0]).span(),
        At::Expression(expr) => Node::Expr(expr).span(),
        At::Before(statement) => Node::Stmt(statement).span(),
    });
    Some(found)
}

/// The innermost function or class that encloses the anchor, or is it.
fn holder<'m>(scope: Scope, facts: &Facts<'m>, anchor: Span) -> Option<&'m Stmt> {
    let wanted = |statement: &Stmt| match scope {
        Scope::Function => matches!(statement, Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_)),
        Scope::Class => matches!(statement, Stmt::ClassDef(_)),
        Scope::Anchor | Scope::Module => false,
    };
    let statements = facts.module.nodes().filter_map(Node::as_stmt);
    let holders = statements.filter(|statement| wanted(statement) && Node::Stmt(statement).span().contains(anchor));
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
