//! Acquired inside an expression and dropped there: no name is left to release it by.

use super::obligation::{Obligation, left_early};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::{Expr, ExprCall};

pub(super) struct InlineAcquisition;

impl PythonResourceDetector for InlineAcquisition {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::InlineAcquisition,
            page: include_str!("pages/inline-acquisition.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        primary::all(module, Pattern::InlineAcquisition)
            .filter_map(|obligation| report(module, obligation))
            .collect()
    }
}

fn report(module: &Analysed<'_>, obligation: &Obligation<'_>) -> Option<Finding> {
    let left = obligation.fate.left_open.as_ref()?;
    if gives_up(obligation) || is_exhausted(module, obligation) {
        return None;
    }
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!("{what} is opened inside an expression and never {done}: no name is left to release it by");
    // Iterated to the end, it closes itself.
    let certain = if obligation.resource.ends_itself && !is_left_early(module, obligation) {
        Confidence::Low
    } else {
        Confidence::High
    };
    let confidence = left.doubt.lowers(certain, &obligation.resource.kind);
    let mut finding = finding(Pattern::InlineAcquisition, obligation, confidence, message);
    finding
        .related
        .push(related(left.at, "the only reference to it ends here"));
    Some(finding)
}

/// `sorted(os.scandir(path))` comes to its end, and that closes it.
fn is_exhausted(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    const TAKING_ALL: [&str; 9] = [
        "list",
        "sorted",
        "tuple",
        "set",
        "frozenset",
        "sum",
        "max",
        "min",
        "dict",
    ];
    let takes_it = |call: &ExprCall| {
        let takes_all = call
            .func
            .as_name_expr()
            .is_some_and(|name| TAKING_ALL.contains(&name.id.as_str()));
        takes_all
            && call
                .args
                .first()
                .is_some_and(|first| std::ptr::eq(first, obligation.call))
    };
    let mut calls = module.nodes().filter_map(Node::as_expr).filter_map(Expr::as_call_expr);
    obligation.resource.ends_itself && calls.any(takes_it)
}

/// `next(os.scandir(path))`
fn is_left_early(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let mut all = module.nodes().filter_map(Node::as_expr).filter_map(left_early);
    all.any(|consumed| std::ptr::eq(consumed, obligation.call))
}

/// `sock.detach()` as a statement: somebody else has the descriptor's number already.
pub(super) fn gives_up(obligation: &Obligation<'_>) -> bool {
    let func = obligation.call.as_call_expr().map(|call| &*call.func);
    let method = func.and_then(|func| func.as_attribute_expr());
    method.is_some_and(|method| method.attr.as_str() == "detach")
}
