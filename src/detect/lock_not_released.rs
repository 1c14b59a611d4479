//! A lock is acquired by hand, and some path leaves without releasing it: whoever asks for it next waits for ever.

use super::course::{definition, own_nodes};
use super::obligation::{Grade, Obligation};
use super::report::{ending, finding, raiser, related};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, UnaryOp};
use crate::python::names::{BindingKind, chain};
use crate::python::{Node, Resolved, Span};

pub(super) struct LockNotReleased;

impl PythonResourceDetector for LockNotReleased {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::LockNotReleased,
            page: include_str!("pages/lock-not-released.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let held = module.lifecycles("lock").filter(|held| !held.fate.unknown);
        held.filter_map(|held| report(module, held)).collect()
    }
}

fn report(module: &Analysed<'_>, held: &Obligation<'_>) -> Option<Finding> {
    let receiver = receiver(held)?;
    let is_meant = holds_on_purpose(module, held, receiver)
        || is_made_here(module, held, receiver)
        || counts_events(module, held, receiver);
    if is_meant {
        return None;
    }
    if is_released_by_its_name(module, held, receiver) {
        return None;
    }
    if !held.fate.released && is_released_by_another(module, held, receiver) {
        return None;
    }
    let name = text_at(module.module.text(), receiver.range().into());
    let (at, note, confidence, why) = match (&held.fate.left_open, &held.fate.skipped) {
        (Some(left), _) => {
            let sure = if is_of_another(module, held, receiver) {
                Confidence::Low
            } else {
                Confidence::High
            };
            let confidence = left.doubt.lowers(sure, "lock");
            let why = ending(module, left.how, left.at);
            (left.at, "still held here", confidence, why)
        }
        (None, Some(skipped)) if skipped.grade == Grade::Likely => {
            let why = format!("if {}", raiser(module, skipped));
            let note = "an exception from here leaves it held";
            (skipped.at, note, skipped.doubt.lowers(Confidence::Medium, "lock"), why)
        }
        (None, _) => return None,
    };
    let message = format!("`{name}` is acquired and not released {why}");
    let mut finding = finding(Pattern::LockNotReleased, held, confidence, message);
    finding.suggestion = format!("use `with {name}:`, or release it in a `finally`");
    finding.related.push(related(at, note));
    Some(finding)
}

/// `lock` of `lock.acquire()`
fn receiver<'m>(held: &Obligation<'m>) -> Option<&'m Expr> {
    Some(&held.call.as_call_expr()?.func.as_attribute_expr()?.value)
}

/// Names of functions that are there to come back with the lock held; the partner may be anywhere.
const PURPOSE: [&str; 4] = ["__enter__", "__aenter__", "acquire", "lock"];

/// Names of functions that may be, if the module has a partner.
const PARTNERED: [&str; 7] = ["enter", "begin", "before", "prepare", "suspend", "reserve", "wait"];

fn holds_on_purpose(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let around = module.names.enclosing_function(held.span.start);
    let name = around.map_or("", |scope| module.names.scope(scope).name());
    let words: Vec<_> = name.trim_matches('_').split('_').collect();
    let is_one_of = |purposes: &[&str]| purposes.iter().any(|word| name == *word || words.contains(word));
    is_one_of(&PURPOSE)
        || (is_one_of(&PARTNERED) && (is_released_somewhere(module, receiver) || comes_in(module, held, receiver)))
        || (!held.fate.released && (name.ends_with("lock") || name.ends_with("locks")))
}

/// Whether anybody in the module releases a lock of that name.
fn is_released_somewhere(module: &Analysed<'_>, receiver: &Expr) -> bool {
    let releases = module.index().attributes("release").iter();
    let mut locks = releases.filter_map(|release| release.as_attribute_expr());
    locks.any(|release| last_word(&release.value) == last_word(receiver))
}

/// `queue._lock` of a queue that came in, which this function nowhere releases: whoever owns it knows what for.
fn is_of_another(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    !held.fate.released && receiver.is_attribute_expr() && comes_in(module, held, receiver)
}

/// Whether it is a parameter, or part of one.
fn comes_in(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let Some((root, _)) = chain(receiver) else {
        return false;
    };
    let mut bindings = module.names.bindings(&root.id, held.body).iter();
    let is_own = ["self", "cls"].contains(&root.id.as_str());
    !is_own && bindings.any(|binding| matches!(binding.kind, BindingKind::Parameter(_)))
}

/// `self.get_lock().acquire()`, and `self._lock.release()` in a `finally`, where `get_lock` returns `self._lock`.
fn is_released_by_its_name(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let getter = receiver.as_call_expr().and_then(|call| definition(module, &call.func));
    let mut returned = getter
        .into_iter()
        .flat_map(|def| own_nodes(def.body))
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Return(node)) => Some(node.value.as_deref().and_then(last_word)),
            _ => None,
        });
    let Some(Some(name)) = returned.next() else {
        return false;
    };
    if returned.any(|other| other != Some(name)) {
        return false;
    }
    let releases = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == "release" && last_word(&node.value) == Some(name),
        _ => false,
    };
    let around = module.names.scope(held.body).node;
    around.into_iter().flat_map(Node::descendants).any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => {
            let mut last = node.finalbody.iter().flat_map(|one| Node::Stmt(one).descendants());
            last.any(releases)
        }
        _ => false,
    })
}

/// A lock that the same function has just made is shared with nobody yet, or serves as a latch.
fn is_made_here(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let wanted = text(receiver);
    let Some(around) = module.names.scope(held.body).node else {
        return false;
    };
    around.descendants().any(|node| match node {
        Node::Stmt(Stmt::Assign(made)) => {
            let is_named = made.targets.iter().any(|target| text(target) == wanted);
            is_named
                && made
                    .value
                    .as_call_expr()
                    .is_some_and(|call| makes_a_lock(module, &call.func))
        }
        _ => false,
    })
}

fn makes_a_lock(module: &Analysed<'_>, func: &Expr) -> bool {
    const ROOTS: [&str; 4] = ["threading.", "_thread.", "multiprocessing.", "asyncio."];
    match module.names.resolve(func) {
        Resolved::Qualified(made) => ROOTS.iter().any(|root| made.starts_with(root)),
        // `_allocate_lock()`, under whatever name the module has it.
        _ => text_at(module.module.text(), func.range().into()).contains("_set_sentinel"),
    }
}

/// `while tokens.acquire(False): pass`, `assert not tokens.acquire(False)`, and semaphores that count events:
/// what is acquired was never meant to be given back.
fn counts_events(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let is_inside = |expr: &Expr| Span::from(expr.range()).contains(held.span);
    let asked = module.nodes().any(|node| match node {
        Node::Stmt(Stmt::While(node)) => is_inside(&node.test) && !held.fate.released && !is_negated(&node.test),
        Node::Stmt(Stmt::Assert(node)) => is_inside(&node.test) && is_negated(&node.test),
        _ => false,
    });
    asked || (!held.fate.released && starts_at_zero(module, last_word(receiver)))
}

fn is_negated(test: &Expr) -> bool {
    matches!(test, Expr::UnaryOp(node) if node.op == UnaryOp::Not)
}

/// `self.ready = threading.Semaphore(0)`
fn starts_at_zero(module: &Analysed<'_>, name: Option<&str>) -> bool {
    let is_zero = |call: &ExprCall| {
        let mut values = call
            .args
            .iter()
            .chain(call.keywords.iter().map(|keyword| &keyword.value));
        values.any(|value| text_at(module.module.text(), value.range().into()) == "0")
    };
    module.nodes().any(|node| match node {
        Node::Stmt(Stmt::Assign(made)) => {
            let is_named = made.targets.iter().any(|target| last_word(target) == name);
            is_named && made.value.as_call_expr().is_some_and(is_zero)
        }
        _ => false,
    })
}

/// Whether a function that does not acquire the lock releases it: the two are partners, as `submit` and `done`
/// are around a semaphore.
fn is_released_by_another(module: &Analysed<'_>, held: &Obligation<'_>, receiver: &Expr) -> bool {
    let tail = last_word(receiver);
    let functions_with = |method: &'static str| {
        let calls = module.nodes().filter_map(Node::as_expr).filter_map(move |expr| {
            let node = expr.as_attribute_expr()?;
            let is_wanted = node.attr.as_str() == method && last_word(&node.value) == tail;
            is_wanted.then(|| module.names.enclosing_function(expr.start().to_u32()))
        });
        calls.collect::<Vec<_>>()
    };
    let acquiring = functions_with("acquire");
    let here = module.names.enclosing_function(held.span.start);
    let mut releasing = functions_with("release").into_iter();
    releasing.any(|function| function != here && !acquiring.contains(&function))
}

/// `lock` of `self.group.lock`, `get_lock` of `get_lock()`
fn last_word(expr: &Expr) -> Option<&str> {
    if let Expr::Call(call) = expr {
        return last_word(&call.func);
    }
    let (root, attributes) = chain(expr)?;
    Some(attributes.last().copied().unwrap_or(root.id.as_str()))
}
