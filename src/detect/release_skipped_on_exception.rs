//! Released or handed on when all goes well, and lost when something in between raises.

use super::obligation::{Grade, Obligation, Skipped};
use super::report::{acquisition, finding, participle, related};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};

pub(super) struct ReleaseSkippedOnException;

/// Text longer than this is not quoted in a message.
const MAX_QUOTE: usize = 40;

impl PythonResourceDetector for ReleaseSkippedOnException {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ReleaseSkippedOnException,
            page: include_str!("pages/release-skipped-on-exception.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let skipped = module.obligations().iter().filter_map(|obligation| {
            let fate = &obligation.fate;
            let skipped = fate.skipped.as_ref()?;
            let only_then = fate.left_open.is_none() && !fate.unknown && obligation.is_ever_discharged();
            only_then.then(|| report(module, obligation, skipped))
        });
        skipped.collect()
    }
}

fn report(module: &Analysed<'_>, obligation: &Obligation<'_>, skipped: &Skipped) -> Finding {
    let (what, done) = (acquisition(obligation), participle(obligation));
    let line = module.line(skipped.at.start);
    let text = text_at(module.module.text(), skipped.at);
    let raiser = if text.len() > MAX_QUOTE || text.contains('\n') {
        format!("line {line} raises")
    } else {
        format!("`{text}` on line {line} raises")
    };
    let likely = if skipped.grade == Grade::Likely {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let confidence = skipped.doubt.lowers(likely, &obligation.resource.kind);
    let message = format!("{what} is not {done} if {raiser}");
    let mut finding = finding(Pattern::ReleaseSkippedOnException, obligation, confidence, message);
    finding
        .related
        .push(related(skipped.at, "an exception from here leaves it open"));
    finding
}
