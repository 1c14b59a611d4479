//! Held over a `yield` without a guard: who iterates may stop, and the body of a `with` may raise.

use super::report::on_exception;
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Finding, Pattern};

pub(super) struct GeneratorScope;

impl PythonResourceDetector for GeneratorScope {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::GeneratorScope,
            page: include_str!("pages/generator-scope.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let skipped = obligation.fate.skipped.as_ref()?;
            let why = ": a consumer that stops early, or a body that fails, leaves it open";
            Some(on_exception(module, pattern, obligation, skipped, why))
        });
        reports.collect()
    }
}
