//! An object keeps a handle, and nobody releases it: no method does, or the class offers `close` without
//! the `with` protocol and its users in the module do not call it.

use std::collections::BTreeMap;

use super::course::own_nodes;
use super::memory::collection::is_self;
use super::memory::lifetime;
use super::obligation::{Grade, Obligation, Origin, Release};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary, silenced, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, Ranged, Stmt, StmtAssign};
use crate::python::names::{Def, ScopeKind};
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
        found.extend(module.nodes().filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(assign)) => dropped_owner(module, assign),
            _ => None,
        }));
        found
    }
}

/// Methods that end an object's life.
const ENDINGS: [&str; 6] = ["close", "aclose", "shutdown", "stop", "disconnect", "terminate"];

/// `reporter = Reporter(); reporter.send(event)` and no more, where `Reporter.close` releases what another module's
/// class gave its constructor: that class tells by its method that there is something to release.
fn dropped_owner(module: &Analysed<'_>, assign: &StmtAssign) -> Option<Finding> {
    let ([target @ Expr::Name(name)], Expr::Call(call)) = (assign.targets.as_slice(), &*assign.value) else {
        return None;
    };
    let class = module.notes().class_called(call)?;
    let span = Span::from(call.range());
    let is_followed = || module.obligations().iter().any(|one| one.span == span);
    let (names, index) = (&module.names, module.index());
    let home = names.home(&name.id, names.scope_at(name.start().to_u32()));
    if names.scope(home).kind != ScopeKind::Function || names.bindings(&name.id, home).len() != 1 || is_followed() {
        return None;
    }
    let (attribute, method) = releases_what_it_made(module, class)?;
    let mut others = index
        .names(home, &name.id)
        .iter()
        .filter(|other| !std::ptr::eq(**other, target));
    let only_used = others.all(|other| match index.parent(other) {
        Some(Node::Expr(used @ Expr::Attribute(node))) => {
            let is_called = matches!(index.parent(used), Some(Node::Expr(Expr::Call(_))));
            is_called && !ENDINGS.contains(&node.attr.as_str()) && !node.attr.starts_with("__")
        }
        _ => false,
    });
    only_used.then(|| Finding {
        span,
        rule: Pattern::OwnerWithoutRelease.id().to_owned(),
        patterns: vec![Pattern::OwnerWithoutRelease],
        resource: None,
        confidence: Confidence::Medium,
        message: format!(
            "`{}` is dropped, and its `{method}` would have released its `{attribute}`",
            name.id
        ),
        suggestion: format!("call `{method}` in a `finally`, or make it once for all calls"),
        related: Vec::new(),
    })
}

/// The attribute that the constructor gets from another module's class, and the method that releases it.
fn releases_what_it_made<'m>(module: &Analysed<'m>, class: ScopeId) -> Option<(&'m str, &'m str)> {
    let node = lifetime::class_of(&module.names, class)?;
    let methods: Vec<_> = node.body.iter().filter_map(Def::of).collect();
    let made = methods
        .iter()
        .filter(|def| def.name == "__init__")
        .flat_map(|def| own_nodes(def.body));
    let made: Vec<_> = made
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(assign)) => {
                let [Expr::Attribute(target)] = assign.targets.as_slice() else {
                    return None;
                };
                let resolved = module.names.resolve(&assign.value.as_call_expr()?.func);
                let is_class = resolved.qualified().is_some_and(|name| {
                    let last = name.rsplit('.').next().unwrap_or_default();
                    last.starts_with(char::is_uppercase) && !name.starts_with("threading.") && name.contains('.')
                });
                (is_class && is_self(&target.value)).then_some(target.attr.as_str())
            }
            _ => None,
        })
        .collect();
    let ending = methods.iter().filter(|def| ENDINGS.contains(&def.name));
    ending.into_iter().find_map(|def| {
        own_nodes(def.body).find_map(|node| {
            let method = node.as_expr()?.as_call_expr()?.func.as_attribute_expr()?;
            let object = method.value.as_attribute_expr()?;
            let name = made.iter().find(|name| **name == object.attr.as_str())?;
            (ENDINGS.contains(&method.attr.as_str()) && is_self(&object.value)).then_some((*name, def.name))
        })
    })
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
