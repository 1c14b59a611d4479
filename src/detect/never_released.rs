//! Acquired and bound to a name, and a path without exceptions on which nothing releases it.

use super::obligation::{LeftOpen, Loss, Obligation};
use super::report::{acquisition, confidence_in, ending, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector};
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
        let open = module.obligations().iter().filter_map(|obligation| {
            let left = obligation.fate.left_open.as_ref()?;
            let named = left.how != Loss::Dropped && !obligation.fate.unknown;
            named.then(|| report(module, obligation, left))
        });
        open.collect()
    }
}

fn report(module: &Analysed<'_>, obligation: &Obligation<'_>, left: &LeftOpen<'_>) -> Finding {
    let (what, done) = (acquisition(obligation), participle(obligation));
    let ending = ending(module, left.how, left.at);
    let message = if obligation.is_ever_discharged() {
        format!("{what} is not {done} {ending}")
    } else {
        format!("{what} is never {done}")
    };
    let sure = confidence_in(module, obligation, left.name);
    let confidence = left.doubt.lowers(sure, &obligation.resource.kind);
    let mut finding = finding(Pattern::NeverReleased, obligation, confidence, message);
    finding.related.push(related(left.at, format!("still open {ending}")));
    finding
}
