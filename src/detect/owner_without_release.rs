//! To come.

use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Finding, Pattern};

pub(super) struct OwnerWithoutRelease;

impl PythonResourceDetector for OwnerWithoutRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::OwnerWithoutRelease,
            page: include_str!("pages/owner-without-release.md"),
        }
    }

    fn detect_issues(&self, _module: &Analysed<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
