//! Entered by a `with` that does not release it, and nothing else does.

use super::report::{acquisition, finding, on_path, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};

pub(super) struct NonClosingContext;

impl PythonResourceDetector for NonClosingContext {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::NonClosingContext,
            page: include_str!("pages/non-closing-context.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).map(|obligation| {
            let (what, done) = (acquisition(obligation), participle(obligation));
            let message = format!("{what} is never {done}: leaving its `with` ends a transaction only");
            let (mut finding, entered) = if let Some(left) = &obligation.fate.left_open {
                (on_path(module, pattern, obligation, left, message), left.entered)
            } else {
                // Other modules can reach it on `self`.
                let kept = finding(pattern, obligation, Confidence::Medium, message);
                (kept, obligation.fate.kept_by_with)
            };
            finding
                .related
                .extend(entered.map(|at| related(at, "this `with` does not close it")));
            finding
        });
        reports.collect()
    }
}
