//! Released or handed on when all goes well, and lost when something in between raises.

use super::report::on_exception;
use super::{Analysed, Info, PythonResourceDetector, cancellation, primary};
use crate::leak::{Finding, Pattern};

pub(super) struct ReleaseSkippedOnException;

impl PythonResourceDetector for ReleaseSkippedOnException {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ReleaseSkippedOnException,
            page: include_str!("pages/release-skipped-on-exception.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let skipped = obligation.fate.skipped.as_ref()?;
            Some(on_exception(module, pattern, obligation, skipped, ""))
        });
        reports.chain(cancellation::passing(module, pattern)).collect()
    }
}
