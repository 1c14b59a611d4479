//! A raw descriptor or the pipe of a child that on some path nobody closes or adopts.

use super::report::{acquisition, ending, on_exception, on_path};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Finding, Pattern};

pub(super) struct DescriptorNotAdopted;

impl PythonResourceDetector for DescriptorNotAdopted {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::DescriptorNotAdopted,
            page: include_str!("pages/descriptor-not-adopted.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let fate = &obligation.fate;
            if let Some(left) = &fate.left_open {
                let what = acquisition(obligation);
                let message = match left.how {
                    _ if obligation.is_ever_discharged() => {
                        format!("{what} leaves a descriptor open {}", ending(module, left.how, left.at))
                    }
                    _ => format!("{what} makes a descriptor that nothing closes or adopts"),
                };
                return Some(on_path(module, pattern, obligation, left, message));
            }
            Some(on_exception(module, pattern, obligation, fate.skipped.as_ref()?, ""))
        });
        reports.collect()
    }
}
