//! To come.

use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Finding, Pattern};

pub(super) struct HandleReturned;

impl PythonResourceDetector for HandleReturned {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::HandleReturned,
            page: include_str!("pages/handle-returned.md"),
        }
    }

    fn detect_issues(&self, _module: &Analysed<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
