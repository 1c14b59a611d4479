//! An object reaches itself, and nothing breaks the circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::memory::holding::{self, Edge, How, Object};
use super::memory::{lifetime, registry, traceback};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Ranged, Stmt};
use crate::python::names::BindingKind;
use crate::python::{Node, ScopeId, Span};

pub(super) struct ReferenceCycle;

impl PythonResourceDetector for ReferenceCycle {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ReferenceCycle,
            page: include_str!("pages/reference-cycle.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        for (scope, edges) in holding::of_module(module) {
            if !runs_at_import_only(module, scope) {
                of_body(module, scope, &edges, &mut found);
            }
        }
        let mut told = BTreeSet::new();
        for kept in traceback::kept(module) {
            let keeper = text_at(module.module.text(), kept.keeper.range().into());
            // Handler after handler may put its exception into one variable: once said is enough.
            if !told.insert((module.names.scope_at(kept.at.start), keeper)) {
                continue;
            }
            let message =
                format!("`{keeper}` keeps the exception, whose traceback keeps this frame, which reaches `{keeper}`");
            found.push(finding(
                kept.at,
                Confidence::Medium,
                message,
                "keep `str(error)`, or `error.with_traceback(None)`",
            ));
        }
        for kept in traceback::raised_again(module) {
            let keeper = text_at(module.module.text(), kept.keeper.range().into());
            let message = format!("each time it is raised, `{keeper}` keeps one more traceback with its frames");
            found.push(finding(
                kept.at,
                Confidence::Medium,
                message,
                "make a new exception each time",
            ));
        }
        found.sort();
        found.dedup_by_key(|finding| finding.span);
        found
    }
}

/// Whether the module deletes the function once it has called it: what that links is there once, as long as the module.
fn runs_at_import_only(module: &Analysed<'_>, scope: ScopeId) -> bool {
    let name = &module.names.scope(scope).qualname;
    let bindings = module.names.bindings(name, ScopeId::MODULE);
    let is = |wanted: fn(&BindingKind<'_>) -> bool| bindings.iter().any(|binding| wanted(&binding.kind));
    is(|kind| matches!(kind, BindingKind::Def(_))) && is(|kind| matches!(kind, BindingKind::Del))
}

/// Bodies with more edges are tables that somebody generated.
const MAX_EDGES: usize = 500;

fn of_body(module: &Analysed<'_>, scope: ScopeId, edges: &[Edge<'_>], found: &mut Vec<Finding>) {
    let intact: Vec<_> = edges
        .iter()
        .take(MAX_EDGES)
        .filter(|edge| !is_broken(module, scope, edge))
        .collect();
    let mut from: BTreeMap<Object<'_>, Vec<&Edge<'_>>> = BTreeMap::new();
    for edge in &intact {
        from.entry(edge.from).or_default().push(edge);
    }
    let mut reported = BTreeSet::new();
    for edge in &intact {
        if let Some(cycle) = close(edge, &from, module.config().cycle_depth) {
            let named = telling(&cycle);
            if reported.insert(named.at) {
                report(module, scope, &cycle, named, found);
            }
        }
    }
}

/// The shortest circle through the edge that passes through at most `depth` objects.
fn close<'e, 'm>(
    edge: &'e Edge<'m>,
    from: &BTreeMap<Object<'m>, Vec<&'e Edge<'m>>>,
    depth: usize,
) -> Option<Vec<&'e Edge<'m>>> {
    let mut open = VecDeque::from([vec![edge]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop_front() {
        let last = path.last()?;
        if last.to == edge.from {
            return Some(path);
        }
        if path.len() >= depth || !seen.insert(last.to) {
            continue;
        }
        for next in from.get(&last.to).into_iter().flatten() {
            let mut longer = path.clone();
            longer.push(next);
            open.push_back(longer);
        }
    }
    None
}

/// The edge of the circle that should be a weak one: that of a part to its whole, else that to `self`.
fn telling<'e, 'm>(cycle: &[&'e Edge<'m>]) -> &'e Edge<'m> {
    let to_owner = cycle.iter().find(|edge| edge.is_to_owner());
    let to_self = cycle.iter().find(|edge| edge.to == Object::Named("self"));
    let last = || cycle.iter().max_by_key(|edge| edge.at).unwrap_or(&cycle[0]);
    to_owner.or(to_self).unwrap_or_else(last)
}

fn is_broken(module: &Analysed<'_>, scope: ScopeId, edge: &Edge<'_>) -> bool {
    if edge
        .through
        .is_some_and(|attribute| is_restored(module, edge, attribute))
    {
        return true;
    }
    match (edge.through, edge.from) {
        // Its `clear` and `remove` are methods of its own.
        (Some(attribute), _) if edge.is_to_one_made() => traceback::is_replaced(module, edge.class, attribute),
        (Some(attribute), _) => traceback::is_broken(module, edge.class, attribute),
        (None, Object::Named(name)) => {
            let mentions = module.index().names(scope, name);
            mentions.iter().any(|mention| traceback::is_emptied(module, mention))
        }
        (None, Object::Made(_)) => false,
    }
}

/// `finally: self.current = previous`
fn is_restored(module: &Analysed<'_>, edge: &Edge<'_>, attribute: &str) -> bool {
    let function = module.names.enclosing_function(edge.at.start);
    let stores = module.index().attributes(attribute).iter().filter(|mention| {
        let at = mention.start().to_u32();
        let is_store = mention.as_attribute_expr().is_some_and(|node| node.ctx.is_store());
        is_store && at > edge.at.end && module.names.enclosing_function(at) == function
    });
    let places: Vec<_> = stores.map(|mention| mention.start().to_u32()).collect();
    let in_finally = |node: Node<'_>| match node {
        Node::Stmt(Stmt::Try(node)) => {
            let mut last = node.finalbody.iter().map(|one| Span::from(one.range()));
            last.any(|span| places.iter().any(|at| span.holds(*at)))
        }
        _ => false,
    };
    let around = function.and_then(|function| module.names.scope(function).node);
    !places.is_empty() && around.is_some_and(|node| node.descendants().any(in_finally))
}

fn report(module: &Analysed<'_>, scope: ScopeId, cycle: &[&Edge<'_>], named: &Edge<'_>, found: &mut Vec<Finding>) {
    let is_single = registry::class_around(module, scope)
        .and_then(|class| lifetime::class_of(&module.names, class))
        .is_some_and(|class| lifetime::is_singleton(module, class));
    let is_direct = cycle.len() == 1 && named.how == How::Itself && !named.is_far;
    let is_cached = cycle.iter().any(|edge| edge.how == How::Cached);
    let confidence = match (is_single || is_cached, is_direct) {
        (true, _) => Confidence::Low,
        (false, true) => Confidence::High,
        (false, false) => Confidence::Medium,
    };
    let message = message(cycle, named);
    let suggestion = "hold one of the two weakly (`weakref.ref`, `weakref.proxy`, `weakref.WeakMethod`), or let go of it in a `close` method";
    found.push(finding(named.at, confidence, message.clone(), suggestion));
    if let Some(kept_at) = named.kept_at.filter(|_| named.is_to_owner()) {
        found.push(finding(kept_at, confidence, message, suggestion));
    }
}

fn message(cycle: &[&Edge<'_>], named: &Edge<'_>) -> String {
    let holder = match (named.through, cycle.len()) {
        (None, _) => return "the collection holds itself".to_owned(),
        (Some(attribute), 1) => format!("`{attribute}` holds the object that it belongs to"),
        (Some(attribute), _) => {
            let others = cycle
                .iter()
                .filter(|edge| edge.at != named.at || edge.through != named.through);
            let back: Vec<_> = others
                .filter_map(|edge| edge.through)
                .map(|name| format!("`{name}`"))
                .collect();
            let by = if back.is_empty() { "" } else { " by " };
            format!(
                "`{attribute}` holds an object that holds this one{by}{}",
                back.join(" and ")
            )
        }
    };
    match named.how {
        How::Itself => holder,
        How::Callable | How::Cached => format!("{holder}, through a bound method or function"),
    }
}

fn finding(span: Span, confidence: Confidence, message: String, suggestion: &str) -> Finding {
    Finding {
        span,
        rule: Pattern::ReferenceCycle.id().to_owned(),
        patterns: vec![Pattern::ReferenceCycle],
        resource: None,
        confidence,
        message,
        suggestion: suggestion.to_owned(),
        related: Vec::new(),
    }
}
