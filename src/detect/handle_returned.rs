//! A function hands out an open handle, and no caller in the module releases it.

use super::obligation::{Move, Obligation, Origin};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ScopeId;

pub(super) struct HandleReturned;

impl PythonResourceDetector for HandleReturned {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::HandleReturned,
            page: include_str!("pages/handle-returned.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let returned = primary::all(module, Pattern::HandleReturned);
        returned.map(|obligation| report(module, obligation)).collect()
    }
}

/// Whether it is returned, and every caller in the module leaks it.
pub(super) fn leaks_everywhere(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let returned = obligation.origin == Origin::Table && obligation.fate.moves.contains(&Move::Returned);
    let users = if returned {
        users(module, obligation.body)
    } else {
        Vec::new()
    };
    !users.is_empty() && users.iter().all(|user| user.fate.left_open.is_some())
}

fn report(module: &Analysed<'_>, obligation: &Obligation<'_>) -> Finding {
    let leaking = users(module, obligation.body);
    let name = &module.names.scope(obligation.body).qualname;
    let lines: Vec<_> = leaking
        .iter()
        .map(|user| module.line(user.span.start).to_string())
        .collect();
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!(
        "{what} is returned open by `{name}`, and is not {done} where that is called: line {}",
        lines.join(", ")
    );
    let doubts = leaking
        .iter()
        .filter_map(|user| user.fate.left_open.as_ref())
        .map(|left| left.doubt);
    let confidence = doubts
        .min()
        .unwrap_or_default()
        .lowers(Confidence::High, &obligation.resource.kind);
    let mut finding = finding(Pattern::HandleReturned, obligation, confidence, message);
    finding.suggestion = format!("call `{name}` in a `with` statement, or return the data instead of the handle");
    finding.related.extend(
        leaking
            .iter()
            .map(|user| related(user.span, "its result is never released")),
    );
    finding
}

/// Where the result of a function ends up, seen through functions that only pass it on.
fn users<'a, 'm>(module: &'a Analysed<'m>, function: ScopeId) -> Vec<&'a Obligation<'m>> {
    let (mut open, mut seen, mut found) = (vec![function], vec![function], Vec::new());
    while let Some(function) = open.pop() {
        let calls = module
            .obligations()
            .iter()
            .filter(|call| call.origin == Origin::Module(function));
        for call in calls {
            if !call.fate.moves.contains(&Move::Returned) {
                found.push(call);
            } else if !seen.contains(&call.body) {
                seen.push(call.body);
                open.push(call.body);
            }
        }
    }
    found
}
