//! A pool or executor is made and never shut down: its workers wait for work that never comes.

use super::obligation::{Cause, Doubt, Grade, LeftOpen, Move, Obligation, Origin, Release, Skipped};
use super::report::{acquisition, ending, finding, on_exception, related};
use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::{Expr, Stmt};
use crate::python::names::ScopeKind;

pub(super) struct PoolNotShutDown;

impl PythonResourceDetector for PoolNotShutDown {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::PoolNotShutDown,
            page: include_str!("pages/pool-not-shut-down.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pools = module.lifecycles("executor").chain(module.lifecycles("worker-pool"));
        let made_here = pools.filter(|pool| pool.origin == Origin::Table && !pool.fate.unknown);
        made_here.filter_map(|pool| report(module, pool)).collect()
    }
}

fn report<'m>(module: &Analysed<'m>, pool: &Obligation<'m>) -> Option<Finding> {
    let what = acquisition(pool);
    let (confidence, message, at) = if let Some(attribute) = pool.on_self() {
        let message = format!("{what} is kept as `self.{attribute}`, and no method shuts it down");
        (of_attribute(module, pool, attribute)?, message, None)
    } else if let Some(name) = global_name(module, pool) {
        if is_ended_somewhere(module, pool, name) {
            return None;
        }
        // Made by an import, it may serve the process to its end.
        let by_call = pool.body_kind == ScopeKind::Function;
        let confidence = if by_call { Confidence::Medium } else { Confidence::Low };
        (
            confidence,
            format!("{what} is kept by the module as `{name}`, and nothing shuts it down"),
            None,
        )
    } else if pool.fate.left_open.is_none() {
        return left_by_exception(module, pool);
    } else {
        let left = pool.fate.left_open.as_ref()?;
        let message = format!("{what} is not shut down {}", ending(module, left.how, left.at));
        (of_local(pool, left)?, message, Some(left.at))
    };
    let mut finding = finding(Pattern::PoolNotShutDown, pool, confidence, message);
    finding.suggestion = match pool.resource.kind.as_str() {
        "executor" => "use it in a `with`, or call `shutdown` where its owner is closed".to_owned(),
        _ => "use it in a `with`, or call `close` and `join` where its owner is closed".to_owned(),
    };
    finding
        .related
        .extend(at.map(|at| related(at, "the last reference to it ends here")));
    Some(finding)
}

/// Its processes are ended when all goes well, and go on when its use raises.
fn left_by_exception(module: &Analysed<'_>, pool: &Obligation<'_>) -> Option<Finding> {
    let skipped = pool
        .fate
        .skipped
        .as_ref()
        .filter(|skipped| skipped.grade == Grade::Likely)?;
    let is_ended = !pool.fate.released_at.is_empty();
    let has_processes = pool.resource.kind == "worker-pool" && !pool.callee.contains("Thread");
    (is_ended && has_processes).then(|| on_exception(module, Pattern::PoolNotShutDown, pool, skipped, ""))
}

fn of_attribute(module: &Analysed<'_>, pool: &Obligation<'_>, attribute: &str) -> Option<Confidence> {
    match module.end_of(pool)? {
        Release::Somewhere => None,
        Release::OnlyFinalizer | Release::Maybe => Some(Confidence::Low),
        Release::Nowhere if attribute.starts_with('_') => Some(Confidence::High),
        Release::Nowhere => Some(Confidence::Medium),
    }
}

/// The workers of an executor end when it is collected; those of a process pool may not.
fn of_local(pool: &Obligation<'_>, left: &LeftOpen<'_>) -> Option<Confidence> {
    match pool.resource.kind.as_str() {
        "executor" => (left.doubt == Doubt::None && left.name.is_some()).then_some(Confidence::Low),
        _ => Some(left.doubt.lowers(Confidence::High, "worker-pool")),
    }
}

/// The name of the module, or of a class body, that keeps it.
fn global_name<'m>(module: &Analysed<'m>, pool: &Obligation<'m>) -> Option<&'m str> {
    let is_outside = matches!(pool.body_kind, ScopeKind::Module | ScopeKind::Class);
    let is_global = pool.fate.moves.iter().any(|moved| matches!(moved, Move::Global(_)));
    if !is_outside && !is_global {
        return None;
    }
    let mut assignments = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(made)) => Some((made.targets.first()?, node.span())),
        Node::Stmt(Stmt::AnnAssign(made)) => Some((&*made.target, node.span())),
        Node::Expr(Expr::NamedExpr(made)) => Some((&*made.target, node.span())),
        _ => None,
    });
    let (target, _) = assignments.find(|(target, span)| target.is_name_expr() && span.contains(pool.span))?;
    target.as_name_expr().map(|name| name.id.as_str())
}

/// Whether anything in the module releases what the name stands for, enters it, or hands the name on.
fn is_ended_somewhere(module: &Analysed<'_>, pool: &Obligation<'_>, name: &str) -> bool {
    let is_it = |expr: &Expr| match expr {
        Expr::Name(word) => word.id.as_str() == name,
        Expr::Attribute(node) => node.attr.as_str() == name,
        _ => false,
    };
    let releases = |method: &str| pool.resource.release.iter().any(|release| release == method);
    module.nodes().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => is_it(&node.value) && releases(&node.attr),
        Node::WithItem(item) => is_it(&item.context_expr),
        Node::Stmt(Stmt::Return(node)) => node.value.as_deref().is_some_and(is_it),
        // Another name for it.
        Node::Stmt(Stmt::Assign(node)) => match &*node.value {
            Expr::Tuple(values) => values.elts.iter().any(is_it),
            value => is_it(value),
        },
        _ => false,
    })
}
