//! Acquired inside an expression and dropped there: no name is left to release it by.

use super::obligation::{Loss, Obligation};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector};
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
        module.obligations().iter().filter_map(report).collect()
    }
}

fn report(obligation: &Obligation<'_>) -> Option<Finding> {
    let left = obligation
        .fate
        .left_open
        .as_ref()
        .filter(|left| left.how == Loss::Dropped)?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!("{what} is opened inside an expression and never {done}: no name is left to release it by");
    let confidence = left.doubt.lowers(Confidence::High, &obligation.resource.kind);
    let mut finding = finding(Pattern::InlineAcquisition, obligation, confidence, message);
    finding
        .related
        .push(related(left.at, "the only reference to it ends here"));
    Some(finding)
}
