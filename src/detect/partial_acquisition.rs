//! Acquired, and a further step of setting up may fail before anybody owns or guards it.

use super::report::on_exception;
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};

/// What opens nothing before it is used: a constructor that fails loses little.
const LAZY: [&str; 2] = ["http-client", "client"];

pub(super) struct PartialAcquisition;

impl PythonResourceDetector for PartialAcquisition {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::PartialAcquisition,
            page: include_str!("pages/partial-acquisition.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let skipped = obligation.fate.skipped.as_ref()?;
            let why = ", before anything owns or guards it";
            let mut finding = on_exception(module, pattern, obligation, skipped, why);
            if LAZY.contains(&obligation.resource.kind.as_str()) && obligation.on_self().is_some() {
                finding.confidence = Confidence::Low;
            }
            Some(finding)
        });
        reports.collect()
    }
}
