//! The check: a parsed mutant must equal the original tree with all hunks substituted.
//!
//! Only the smallest definitions that hold all edits, and new lines between the module's statements, are parsed again and
//! compared, by digests.

use super::digest::{digest_of, plain_digest};
use super::facts::around;
use super::render::Rendered;
use super::scope_rules::breaks_scope_rules;
use super::site::{At, Site, SitePart};
use crate::python::ast::{Expr, Stmt};
use crate::python::parse::{header_end, parse_suite};
use crate::python::span::offset;
use crate::python::{Edit, Module, Node, Span};

/// The statements of the mutant that were parsed again, and where they stand in it.
pub(super) struct Checked {
    units: Vec<Unit>,
}

struct Unit {
    body: Vec<Stmt>,
    /// Offset in the mutant of the parsed text's first byte (may be before the text's start).
    shift: i64,
}

/// What is parsed again.
#[derive(Clone, Copy)]
enum Owner<'m> {
    Definition(&'m Stmt),
    /// What stands in front of a statement of the module, to the end of the one before it.
    Gap(&'m Stmt, Span),
    Module,
}

/// `None` if the mutant is not what the page says it should be.
pub(super) fn check(module: &Module, site: &Site<'_, '_>, rendered: &Rendered, mutant: &str) -> Option<Checked> {
    let check = |owners: &[Owner<'_>]| {
        let units = owners
            .iter()
            .map(|owner| check_unit(module, site, rendered, mutant, *owner));
        Some(Checked {
            units: units.collect::<Option<_>>()?,
        })
    };
    // The edits of code that moves may not tell the parts apart.
    let parts = owners(module, site).and_then(|owners| check(&owners));
    parts.or_else(|| check(&[Owner::Module]))
}

fn check_unit(
    module: &Module,
    site: &Site<'_, '_>,
    rendered: &Rendered,
    mutant: &str,
    owner: Owner<'_>,
) -> Option<Unit> {
    let (new, expected) = match owner {
        Owner::Definition(definition) => {
            let start = module.lines.line_start(module.statement_start(definition));
            let old = Span::new(start, Node::Stmt(definition).span().end);
            (
                moved(rendered, old),
                digest_of(site, |digest| digest.statement(definition)),
            )
        }
        Owner::Gap(statement, gap) => (
            moved_gap(rendered, gap),
            digest_of(site, |digest| digest.inserted_before(Node::Stmt(statement))),
        ),
        Owner::Module => (
            Span::new(0, offset(mutant.len())),
            digest_of(site, |digest| digest.module(&module.body, &site.imports, module)),
        ),
    };
    let text = mutant.get(new.start as usize..new.end as usize)?;
    let indented = matches!(owner, Owner::Definition(_)) && text.starts_with([' ', '\t', '\x0c']);
    let prefix = if indented { "if 1:\n" } else { "" };
    let body = parse_suite(&format!("{prefix}{text}")).ok()?;
    let body = if indented { unwrap_if(body)? } else { body };
    if plain_digest(&body) != expected || breaks_scope_rules(&body) {
        return None;
    }
    Some(Unit {
        body,
        shift: i64::from(new.start) - i64::from(offset(prefix.len())),
    })
}

impl Checked {
    /// The call that has what stands at a place of the mutant among its arguments.
    pub(super) fn call_with(&self, given: Span) -> Option<Span> {
        self.units.iter().find_map(|unit| {
            let inner = moved_by(given, -unit.shift)?;
            let nodes = unit
                .body
                .iter()
                .flat_map(|statement| Node::Stmt(statement).descendants());
            let calls = nodes
                .filter(|node| matches!(node, Node::Expr(Expr::Call(_))))
                .map(Node::span);
            let call = calls.filter(|call| call.contains(inner) && *call != inner);
            moved_by(call.min_by_key(|call| call.len())?, unit.shift)
        })
    }

    /// The statement of the mutant that holds `at`, if it was parsed again; of a compound one its header.
    pub(super) fn region_at(&self, mutant: &str, at: u32) -> Option<Span> {
        self.units.iter().find_map(|unit| {
            let inner = u32::try_from(i64::from(at) - unit.shift).ok()?;
            innermost(&unit.body, inner, mutant, unit.shift)
        })
    }
}

fn moved_by(span: Span, shift: i64) -> Option<Span> {
    let at = |at: u32| u32::try_from(i64::from(at) + shift).ok();
    Some(Span::new(at(span.start)?, at(span.end)?))
}

/// The statement of the original that holds `at`, likewise.
pub(super) fn region_at(module: &Module, at: u32) -> Option<Span> {
    innermost(&module.body, at, module.text(), 0)
}

fn innermost(body: &[Stmt], at: u32, mutant: &str, shift: i64) -> Option<Span> {
    let absolute = |at: u32| u32::try_from(i64::from(at) + shift).ok();
    let statements = || {
        body.iter()
            .flat_map(|statement| Node::Stmt(statement).descendants())
            .filter_map(Node::as_stmt)
    };
    let decorators = statements().flat_map(decorators);
    if let Some(decorator) = decorators
        .map(|expr| Node::Expr(expr).span())
        .find(|span| span.holds(at))
    {
        let start = absolute(decorator.start)?;
        // Tools point at the `@` or behind it.
        let before = mutant.get(..start as usize)?.trim_end_matches([' ', '\t']);
        let start = before.strip_suffix('@').map_or(start, |before| offset(before.len()));
        return Some(Span::new(start, absolute(decorator.end)?));
    }
    let holder = statements()
        .filter(|statement| Node::Stmt(statement).span().holds(at))
        .min_by_key(|statement| Node::Stmt(statement).span().len())?;
    let span = Node::Stmt(holder).span();
    let start = absolute(span.start)?;
    let first = Node::Stmt(holder)
        .blocks()
        .first()
        .and_then(|block| block.first())
        .map(|first| Node::Stmt(first).span().start);
    let end = match first {
        Some(first) => header_end(mutant, Span::new(start, absolute(first)?)),
        None => absolute(span.end)?,
    };
    Some(Span::new(start, end))
}

/// A decorator is a region of its own: what it decorates begins at `def`.
fn decorators(statement: &Stmt) -> &[Expr] {
    match statement {
        Stmt::FunctionDef(node) => &node.decorator_list,
        Stmt::AsyncFunctionDef(node) => &node.decorator_list,
        Stmt::ClassDef(node) => &node.decorator_list,
        _ => &[],
    }
}

fn unwrap_if(body: Vec<Stmt>) -> Option<Vec<Stmt>> {
    match body.into_iter().next()? {
        Stmt::If(node) => Some(node.body),
        _ => None,
    }
}

/// Where a stretch of the original stands in the mutant; an edit that reaches past its end belongs to it.
fn moved(rendered: &Rendered, old: Span) -> Span {
    let edits = rendered.edits.list();
    let at = |old: u32| {
        let past = edits.iter().find(|edit| edit.span.start < old && old < edit.span.end);
        let place = past.map_or(old, |edit| edit.span.end);
        shifted(rendered, place, |edit| edit.span.end <= place)
    };
    Span::new(at(old.start), at(old.end))
}

/// The same for a stretch in which no statement stands: what is inserted at its start belongs to it.
fn moved_gap(rendered: &Rendered, gap: Span) -> Span {
    let start = shifted(rendered, gap.start, |edit| edit.span.start < gap.start);
    Span::new(start, moved(rendered, gap).end)
}

/// A place, moved by what the edits before it add and remove.
fn shifted(rendered: &Rendered, place: u32, is_before: impl Fn(&Edit) -> bool) -> u32 {
    let before = rendered.edits.list().iter().filter(|edit| is_before(edit));
    let shift: i64 = before
        .map(|edit| i64::from(offset(edit.text.len())) - i64::from(edit.span.len()))
        .sum();
    u32::try_from(i64::from(place) + shift).unwrap_or_default()
}

/// The innermost definitions that hold the parts of a site, none inside another, and the gaps that new
/// lines are put in; `None` where an edit lies elsewhere.
fn owners<'m>(module: &'m Module, site: &Site<'_, 'm>) -> Option<Vec<Owner<'m>>> {
    let (mut definitions, mut gaps): (Vec<&'m Stmt>, Vec<Owner<'m>>) = (Vec::new(), Vec::new());
    for part in &site.parts {
        match (owner(module, part), part.at) {
            (Some(definition), _) => definitions.push(definition),
            // An import may be put into the same gap.
            (None, At::Before(statement)) if site.imports.is_empty() => {
                gaps.push(Owner::Gap(statement, gap_before(module, statement)?));
            }
            _ => return None,
        }
    }
    let inside = |inner: &Stmt, outer: &Stmt| {
        !std::ptr::eq(inner, outer) && Node::Stmt(outer).span().contains(Node::Stmt(inner).span())
    };
    let all = definitions.clone();
    definitions.retain(|inner| !all.iter().any(|outer| inside(inner, outer)));
    definitions.sort_by_key(|definition| Node::Stmt(definition).span());
    definitions.dedup_by(|a, b| std::ptr::eq(*a, *b));
    Some(definitions.into_iter().map(Owner::Definition).chain(gaps).collect())
}

/// The lines between a statement of the module and the one before it; `None` where it shares its line.
fn gap_before(module: &Module, statement: &Stmt) -> Option<Span> {
    let at = module.body.iter().position(|other| std::ptr::eq(other, statement))?;
    let start = match at.checked_sub(1) {
        Some(before) => {
            let end = Node::Stmt(&module.body[before]).span().end;
            module.lines.next_line(end, module.text())
        }
        None => 0,
    };
    let end = module.lines.line_start(module.statement_start(statement));
    (start <= end).then(|| Span::new(start, end))
}

fn owner<'m>(module: &'m Module, part: &SitePart<'m>) -> Option<&'m Stmt> {
    let mut holders = around(module, part.node().span()).into_iter();
    let is_definition = |statement: &&Stmt| {
        matches!(
            statement,
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_)
        )
    };
    holders.rfind(is_definition)
}
