//! An object leaves its release to a finalizer, or to one that keeps it alive.

use super::obligation::{Obligation, Release};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};

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
        all.filter_map(|obligation| left_to_finalizer(module, obligation))
            .collect()
    }
}

fn left_to_finalizer<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let owned = module.owned(obligation)?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = if owned.release == Release::OnlyFinalizer {
        format!("{what} is kept as `self.{attribute}`, and only a finalizer gets it {done}")
    } else {
        let at = owned.pinned_by?;
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
