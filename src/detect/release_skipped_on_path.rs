//! Released or handed on by one branch, and left open by another: no exception is needed.

use super::report::{acquisition, ending, on_path, participle};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Finding, Pattern};

pub(super) struct ReleaseSkippedOnPath;

impl PythonResourceDetector for ReleaseSkippedOnPath {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ReleaseSkippedOnPath,
            page: include_str!("pages/release-skipped-on-path.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let left = obligation.fate.left_open.as_ref()?;
            let ending = ending(module, left.how, left.at);
            let message = format!("{} is not {} {ending}", acquisition(obligation), participle(obligation));
            Some(on_path(module, pattern, obligation, left, message))
        });
        reports.collect()
    }
}
