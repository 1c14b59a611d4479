//! Acquired and bound to a name, and no path releases it or hands it on.

use super::report::{acquisition, on_exception, on_path, participle};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Finding, Pattern};

pub(super) struct NeverReleased;

impl PythonResourceDetector for NeverReleased {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::NeverReleased,
            page: include_str!("pages/never-released.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let fate = &obligation.fate;
            match (&fate.left_open, &fate.skipped) {
                (Some(left), _) => {
                    let message = format!("{} is never {}", acquisition(obligation), participle(obligation));
                    Some(on_path(module, pattern, obligation, left, message))
                }
                (None, Some(skipped)) => {
                    let why = ", and on no other path either";
                    Some(on_exception(module, pattern, obligation, skipped, why))
                }
                (None, None) => None,
            }
        });
        reports.collect()
    }
}
