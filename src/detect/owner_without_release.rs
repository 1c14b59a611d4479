//! An object keeps a handle, and nobody releases it: no method does, or the class offers `close` without
//! the `with` protocol and its users in the module do not call it.

use std::collections::BTreeMap;

use super::obligation::{Grade, Obligation, Origin, Release};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary, silenced, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Ranged, Stmt};
use crate::python::names::ScopeKind;
use crate::python::{Node, ScopeId, Span};

pub(super) struct OwnerWithoutRelease;

impl PythonResourceDetector for OwnerWithoutRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::OwnerWithoutRelease,
            page: include_str!("pages/owner-without-release.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let unreleased =
            primary::all(module, Pattern::OwnerWithoutRelease).filter_map(|obligation| unreleased(module, obligation));
        let mut found: Vec<_> = unreleased.collect();
        found.extend(
            module
                .obligations()
                .iter()
                .zip(module.patterns())
                .filter_map(|(obligation, pattern)| pattern.is_none().then(|| unexplained(module, obligation))?),
        );
        found.extend(
            leaking_users(module)
                .into_iter()
                .filter_map(|(class, users)| unmanaged(module, class, &users)),
        );
        found
    }
}

/// Kept on `self`, and released by nobody.
fn unreleased<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let confidence = match module.release_of(obligation)? {
        Release::Somewhere | Release::OnlyFinalizer => return None,
        Release::Maybe => Confidence::Low,
        Release::Nowhere if attribute.starts_with('_') && obligation.on_self().is_some() => Confidence::High,
        // Other modules can reach it.
        Release::Nowhere => Confidence::Medium,
    };
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!("{what} is kept as `self.{attribute}`, and no method of the class gets it {done}");
    let mut finding = finding(Pattern::OwnerWithoutRelease, obligation, confidence, message);
    finding.suggestion =
        format!("give the class `close`, `__enter__` and `__exit__`, and release `self.{attribute}` there");
    Some(finding)
}

/// Kept on `self` and released, but other linters are silenced about it and nobody says why: a cue, no more.
fn unexplained<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let comment = silenced::without_reason(module, obligation.span)?;
    let message = format!(
        "{} is kept as `self.{attribute}`; `{}` does not say why that is safe",
        acquisition(obligation),
        text_at(module.module.text(), comment)
    );
    let mut finding = finding(Pattern::OwnerWithoutRelease, obligation, Confidence::Low, message);
    "say in the comment which method releases it, and who calls that".clone_into(&mut finding.suggestion);
    Some(finding)
}

/// The leaking instances of each class that owns a handle.
fn leaking_users<'a, 'm>(module: &'a Analysed<'m>) -> BTreeMap<ScopeId, Vec<&'a Obligation<'m>>> {
    let mut users: BTreeMap<ScopeId, Vec<&Obligation<'m>>> = BTreeMap::new();
    for obligation in module.obligations() {
        let Origin::Module(scope) = obligation.origin else {
            continue;
        };
        let skipped = obligation
            .fate
            .skipped
            .is_some_and(|skipped| skipped.grade == Grade::Likely);
        let leaks = (obligation.fate.left_open.is_some() || skipped) && !obligation.fate.unknown;
        if leaks && module.names.scope(scope).kind == ScopeKind::Class {
            users.entry(scope).or_default().push(obligation);
        }
    }
    users
}

/// A class that can be closed but not used in a `with`, beside users that do not close it.
fn unmanaged(module: &Analysed<'_>, class: ScopeId, users: &[&Obligation<'_>]) -> Option<Finding> {
    let first = users.first().filter(|user| !user.resource.with_releases)?;
    let Some(Node::Stmt(Stmt::ClassDef(node))) = module.names.scope(class).node else {
        return None;
    };
    let (name, release) = (node.name.as_str(), first.resource.release.first()?);
    let lines: Vec<_> = users
        .iter()
        .map(|user| module.line(user.span.start).to_string())
        .collect();
    let message = format!(
        "`{name}` owns a {kind} and cannot be used in a `with`; `{release}` is not called on every path: line {lines}",
        kind = first.resource.kind,
        lines = lines.join(", ")
    );
    let span = node
        .body
        .first()
        .map_or(node.range().into(), |body| Span::from(body.range()));
    Some(Finding {
        span: module
            .module
            .header(header_start(module, node.range().into(), &node.name, span), span),
        rule: Pattern::OwnerWithoutRelease.id().to_owned(),
        patterns: vec![Pattern::OwnerWithoutRelease],
        resource: Some(first.resource.kind.clone()),
        confidence: Confidence::Medium,
        message,
        suggestion: format!("give `{name}` the methods `__enter__` and `__exit__`, and use it in a `with`"),
        related: users
            .iter()
            .map(|user| related(user.span, format!("`{release}` is not called on this instance")))
            .collect(),
    })
}

/// The statement from its `class` keyword on: decorators stand before it.
fn header_start(module: &Analysed<'_>, statement: Span, name: &str, body: Span) -> Span {
    let head = text_at(module.module.text(), Span::new(statement.start, body.start));
    let at = head.find(&format!("class {name}")).unwrap_or(0);
    Span::new(statement.start + crate::python::span::offset(at), statement.end)
}
