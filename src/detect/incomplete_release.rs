//! The method that ends an object's life releases other things and forgets this one, or `__exit__` does not do
//! what `close` does.

use super::obligation::{Obligation, Release};
use super::report::{acquisition, finding, participle};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};

pub(super) struct IncompleteRelease;

impl PythonResourceDetector for IncompleteRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::IncompleteRelease,
            page: include_str!("pages/incomplete-release.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::IncompleteRelease);
        all.filter_map(|obligation| forgotten(module, obligation)).collect()
    }
}

fn forgotten<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let owned = module.owned(obligation)?;
    let method = owned.forgotten_by.as_deref()?;
    let confidence = match owned.release {
        Release::Nowhere if attribute.starts_with('_') && obligation.on_self().is_some() => Confidence::High,
        // Other modules can reach it, or call what releases it.
        Release::Nowhere | Release::Somewhere => Confidence::Medium,
        Release::Maybe | Release::OnlyFinalizer => Confidence::Low,
    };
    let message = format!(
        "{} is kept as `self.{attribute}`, and `{method}` does not get it {}",
        acquisition(obligation),
        participle(obligation)
    );
    let mut finding = finding(Pattern::IncompleteRelease, obligation, confidence, message);
    finding.suggestion = format!("release `self.{attribute}` in `{method}`, too");
    Some(finding)
}
