//! Which patterns a detector has a rule for: what it missed is told apart from what it does not look for.

use std::collections::BTreeSet;

use crate::detect::Suite;
use crate::judge::Verdict;
use crate::leak::{Effect, Label, Pattern};

/// The suite that stands in every table as the floor, and of which nothing is expected.
pub const FLOOR: &str = "seed-naive";

/// Its one rule says "no context manager", of a handle with a name or without.
const FLOOR_CLAIMS: [Pattern; 2] = [Pattern::NeverReleased, Pattern::InlineAcquisition];

/// Of an outcome without a finding, if there could be none.
const NO_SUCH_RULE: &str = "no such rule";

/// What a built-in suite has detectors for.
pub fn suite_claims(suite: &Suite) -> BTreeSet<Pattern> {
    if suite.id == FLOOR {
        return FLOOR_CLAIMS.into();
    }
    suite.detectors.iter().map(|detector| detector.info().pattern).collect()
}

/// Why a detector missed, as far as its claims tell. Without any, it may have a rule for everything.
pub(super) fn why_missed(verdict: Verdict, label: &Label, claims: Option<&BTreeSet<Pattern>>) -> Option<&'static str> {
    let is_missed = verdict == Verdict::Missed && label.effect == Effect::Leak;
    let accepted = || label.places.iter().map(|place| place.pattern).chain([label.pattern]);
    let could_hit = |claims: &BTreeSet<Pattern>| accepted().any(|pattern| claims.contains(&pattern));
    (is_missed && !claims.is_none_or(could_hit)).then_some(NO_SUCH_RULE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::suites;
    use crate::leak::{Place, Strength};
    use crate::python::Span;
    use crate::record::Record;
    use crate::record::row::{FindingRow, split};

    #[test]
    fn no_suite_reports_what_it_does_not_claim() {
        let reference = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results/reference");
        let findings: Vec<FindingRow> = Record::open(&reference).unwrap().rows().unwrap();
        for suite in suites() {
            let claims = suite_claims(&suite);
            let own = findings.iter().filter(|row| row.detector == suite.id);
            let said: BTreeSet<Pattern> = own
                .flat_map(|row| split(&row.patterns).map(|word| word.parse().unwrap()))
                .collect();
            assert!(!said.is_empty() && said.is_subset(&claims), "{}: {said:?}", suite.id);
        }
    }

    #[test]
    fn a_rule_is_lacking_only_if_no_true_place_is_claimed() {
        let place = |pattern| Place {
            pattern,
            region: Span::new(0, 1),
        };
        let label = |effect| Label {
            pattern: Pattern::NeverReleased,
            resource: "file".to_owned(),
            effect,
            strength: Strength::Must,
            span: Span::new(0, 1),
            places: vec![place(Pattern::NeverReleased), place(Pattern::HandleReturned)],
        };
        let why = |verdict, effect, claims: &[Pattern]| {
            why_missed(verdict, &label(effect), Some(&claims.iter().copied().collect()))
        };
        let (leak, missed) = (Effect::Leak, Verdict::Missed);
        assert_eq!(why(missed, leak, &[Pattern::UnboundedCache]), Some(NO_SUCH_RULE));
        assert_eq!(why(missed, leak, &[]), Some(NO_SUCH_RULE));
        assert_eq!(why(missed, leak, &[Pattern::HandleReturned]), None);
        assert_eq!(why(Verdict::OtherPattern, leak, &[]), None);
        assert_eq!(why(missed, Effect::Contested, &[]), None);
        assert_eq!(why_missed(missed, &label(leak), None), None);
    }
}
