//! Acquired, and a further step of setting up may fail before anybody owns or guards it.

use super::obligation::Obligation;
use super::report::on_exception;
use super::{Analysed, Info, PythonResourceDetector, entrance, half_open, primary, rounds};
use crate::leak::{Confidence, Finding, Pattern};

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
            let may_be_released = skipped.kept_on_self && has_an_owner(module, obligation);
            let on_self = obligation.on_self().is_some();
            if is_configured(obligation) || (on_self && (is_lazy(obligation) || may_be_released)) {
                finding.confidence = Confidence::Low;
            }
            Some(finding)
        });
        let others = entrance::failing(module, pattern)
            .into_iter()
            .chain(half_open::dropped(module, pattern))
            .chain(rounds::left_behind(module, pattern));
        reports.chain(others).collect()
    }
}

/// What opens nothing before it is used: a constructor that fails loses little.
fn is_lazy(obligation: &Obligation<'_>) -> bool {
    ["http-client", "client"].contains(&obligation.resource.kind.as_str())
}

/// What a program sets up once, by steps that hardly fail.
fn is_configured(obligation: &Obligation<'_>) -> bool {
    ["engine", "db-session", "log-handler", "event-loop"].contains(&obligation.resource.kind.as_str())
}

/// After a failed `start` the object is still there, and somebody may close it.
fn has_an_owner(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let method = &module.names.scope(obligation.body).qualname;
    !method.ends_with("__")
}
