//! Acquired inside an expression and dropped there: no name is left to release it by.

use super::obligation::Obligation;
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};

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
            .filter_map(report)
            .collect()
    }
}

fn report(obligation: &Obligation<'_>) -> Option<Finding> {
    let left = obligation.fate.left_open.as_ref()?;
    if connects_later(obligation) || gives_up(obligation) {
        return None;
    }
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!("{what} is opened inside an expression and never {done}: no name is left to release it by");
    // Iterated to the end, it closes itself.
    let certain = if obligation.resource.ends_itself {
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

/// `SMTP()` without a host opens nothing before `connect`.
fn connects_later(obligation: &Obligation<'_>) -> bool {
    let without_host = obligation
        .call
        .as_call_expr()
        .is_some_and(|call| call.args.is_empty() && call.keywords.is_empty());
    without_host && obligation.resource.kind == "mail-client"
}

/// `sock.detach()` as a statement: somebody else has the descriptor's number already.
pub(super) fn gives_up(obligation: &Obligation<'_>) -> bool {
    let func = obligation.call.as_call_expr().map(|call| &*call.func);
    let method = func.and_then(|func| func.as_attribute_expr());
    method.is_some_and(|method| method.attr.as_str() == "detach")
}
