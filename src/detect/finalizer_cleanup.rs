//! An object leaves its release to a finalizer, or to one that keeps it alive.

use super::course::own_nodes;
use super::memory::collection::is_self;
use super::memory::{headline, lifetime, registry, tail};
use super::obligation::{Obligation, Release};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, StmtClassDef};
use crate::python::names::Def;

pub(super) struct FinalizerCleanup;

impl PythonResourceDetector for FinalizerCleanup {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::FinalizerCleanup,
            page: include_str!("pages/finalizer-cleanup.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::FinalizerCleanup);
        let left = all.filter_map(|obligation| left_to_finalizer(module, obligation));
        let mut found: Vec<_> = left.collect();
        let statements = module.nodes().filter_map(Node::as_stmt);
        found.extend(statements.filter_map(|statement| put_off(module, statement)));
        found.extend(module.nodes().filter_map(|node| match node {
            Node::Expr(Expr::Call(call)) => pinning(module, call),
            _ => None,
        }));
        found.sort();
        found.dedup_by_key(|finding| finding.span);
        found
    }
}

/// `weakref.finalize(self, self.close)`: what is to be called when the object is gone keeps it from going.
fn pinning(module: &Analysed<'_>, call: &ExprCall) -> Option<Finding> {
    let [object, rest @ ..] = call.args.as_slice() else {
        return None;
    };
    if !is_self(object) || module.names.resolve(&call.func).qualified() != Some("weakref.finalize") {
        return None;
    }
    let function = module.names.enclosing_function(call.start().to_u32())?;
    let class = registry::class_around(module, function)?;
    let keywords = call.keywords.iter().map(|keyword| &keyword.value);
    let pins = rest
        .iter()
        .chain(keywords)
        .any(|value| registry::pins_self(module, class, value));
    let node = lifetime::class_of(&module.names, class)?;
    if !pins || lifetime::is_singleton(module, node) || takes_back(node) {
        return None;
    }
    Some(Finding {
        span: call.range().into(),
        rule: Pattern::FinalizerCleanup.id().to_owned(),
        patterns: vec![Pattern::FinalizerCleanup],
        resource: None,
        confidence: Confidence::High,
        message: "the finalizer holds `self`, so that the object is never gone and the finalizer never runs".to_owned(),
        suggestion: "hand it a function of the module, and what is to be released instead of `self`".to_owned(),
        related: Vec::new(),
    })
}

/// `self._finalizer.detach()`, `self._finalizer()`
fn takes_back(class: &StmtClassDef) -> bool {
    let inner = class.body.iter().flat_map(|one| Node::Stmt(one).descendants());
    inner.filter_map(|node| node.as_expr()?.as_call_expr()).any(|call| {
        let name = tail(&call.func).unwrap_or_default();
        name == "detach" || (name.to_lowercase().contains("finalize") && call.args.is_empty())
    })
}

/// Calls that have something done later, by whoever runs then.
const SCHEDULES: [&str; 14] = [
    "add_callback",
    "add_callback_from_signal",
    "add_timeout",
    "spawn_callback",
    "call_soon",
    "call_soon_threadsafe",
    "call_later",
    "create_task",
    "ensure_future",
    "run_coroutine_threadsafe",
    "submit",
    "spawn",
    "start_soon",
    "Thread",
];

/// A `__del__` that schedules a method of its own: the dying object is alive again, and if nothing runs any more,
/// nothing is released.
fn put_off(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let def = Def::of(statement).filter(|def| def.name == "__del__")?;
    let function = module.names.scope_of(statement)?;
    let class = registry::class_around(module, function)?;
    let is_own = |value: &Expr| {
        let method = value.as_call_expr().map_or(value, |call| &*call.func);
        registry::pins_self(module, class, method)
    };
    let mut calls = own_nodes(def.body).filter_map(|node| node.as_expr()?.as_call_expr());
    let later = calls.find(|call| {
        let keywords = call.keywords.iter().map(|keyword| &keyword.value);
        tail(&call.func).is_some_and(|name| SCHEDULES.contains(&name)) && call.args.iter().chain(keywords).any(is_own)
    })?;
    let scheduled = text_at(module.module.text(), later.func.range().into());
    let message =
        format!("`__del__` leaves the release to `{scheduled}`, which keeps the object alive until it comes to run");
    Some(Finding {
        span: headline(statement, def.name, module.module.text()),
        rule: Pattern::FinalizerCleanup.id().to_owned(),
        patterns: vec![Pattern::FinalizerCleanup],
        resource: None,
        confidence: Confidence::Medium,
        message,
        suggestion: "warn with a `ResourceWarning` there, and have users call `close`".to_owned(),
        related: vec![related(later.range().into(), "scheduled here")],
    })
}

fn left_to_finalizer<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let owned = module.owned(obligation)?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = if owned.release == Release::OnlyFinalizer {
        format!("{what} is kept as `self.{attribute}`, and only a finalizer gets it {done}")
    } else {
        // `weakref.finalize` is reported where it is called.
        let at = owned
            .pinned_by
            .filter(|at| !text_at(module.module.text(), *at).contains("finalize("))?;
        let line = module.line(at.start);
        format!("{what} is kept as `self.{attribute}`, and what line {line} registers keeps its object alive")
    };
    let mut finding = finding(Pattern::FinalizerCleanup, obligation, Confidence::Medium, message);
    "give the class `close`, `__enter__` and `__exit__`; a finalizer is a net, and must not hold `self`"
        .clone_into(&mut finding.suggestion);
    let registered = owned
        .pinned_by
        .map(|at| related(at, "holds a method of `self`, and so `self`"));
    finding.related.extend(registered);
    Some(finding)
}
