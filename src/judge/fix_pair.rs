//! Real leaks and the releases that fixed them: whether a detector tells the two apart.
//!
//! Nobody recorded regions or whole files of other leaks, so a report counts by its line alone, whatever
//! pattern it names, and nothing is said of the rest of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::interval::{Cluster, Proportion, proportion};
use crate::leak::{Family, Pattern, words};

/// A finding is at the recorded line if it starts at most this many lines away.
const LINES_NEAR: u32 = 2;

pub fn is_near(line: u32, recorded: u32) -> bool {
    line.abs_diff(recorded) <= LINES_NEAR
}

/// What a detector said of the release that leaks and of the one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixVerdict {
    /// The leak is reported, the fix is not.
    ToldApart,
    /// Both are.
    ReportedTwice,
    /// Neither is.
    Missed,
    /// Only the fix is.
    OnlyFixed,
    /// One of the two could not be looked at.
    NoVerdict,
}

words!(
    FixVerdict,
    ToldApart = "told-apart",
    ReportedTwice = "reported-twice",
    Missed = "missed",
    OnlyFixed = "only-fixed",
    NoVerdict = "no-verdict"
);

impl FixVerdict {
    /// From whether each release was reported; `None` where there is no answer.
    pub const fn of(leaking: Option<bool>, fixed: Option<bool>) -> Self {
        match (leaking, fixed) {
            (Some(true), Some(false)) => Self::ToldApart,
            (Some(true), Some(true)) => Self::ReportedTwice,
            (Some(false), Some(false)) => Self::Missed,
            (Some(false), Some(true)) => Self::OnlyFixed,
            (None, _) | (_, None) => Self::NoVerdict,
        }
    }

    const fn is_reported(self) -> bool {
        matches!(self, Self::ToldApart | Self::ReportedTwice)
    }
}

/// One fix pair and one detector.
#[derive(Clone, Debug)]
pub struct FixCase<'a> {
    pub package: &'a str,
    pub pattern: Pattern,
    pub verdict: FixVerdict,
}

/// Over the pairs of one pattern, one family, or all.
#[derive(Clone, Debug, PartialEq)]
pub struct FixScore {
    /// `None`: of every family.
    pub family: Option<Family>,
    /// `None`: every pattern of the family.
    pub pattern: Option<Pattern>,
    /// The sum of the five verdicts.
    pub n_pairs: u64,
    pub n_packages: u64,
    pub told_apart: u64,
    pub reported_twice: u64,
    pub missed: u64,
    pub only_fixed: u64,
    pub no_verdict: u64,
    /// The leaking release is reported, over judged pairs.
    pub recall: Proportion,
    /// Told apart, over judged pairs.
    pub discrimination: Proportion,
}

/// By pattern within its family, each family, and all last. Pairs of one package are alike: it is the cluster.
pub fn fix_scores(cases: &[FixCase]) -> Vec<FixScore> {
    let patterns: BTreeSet<Pattern> = cases.iter().map(|case| case.pattern).collect();
    let families: BTreeSet<Family> = patterns.iter().map(|pattern| pattern.family()).collect();
    let mut scores = Vec::new();
    for family in families {
        let of_family = patterns.iter().filter(|pattern| pattern.family() == family);
        scores.extend(of_family.map(|pattern| {
            let chosen = cases.iter().filter(|case| case.pattern == *pattern);
            fix_score(Some(family), Some(*pattern), chosen)
        }));
        let chosen = cases.iter().filter(|case| case.pattern.family() == family);
        scores.push(fix_score(Some(family), None, chosen));
    }
    if !cases.is_empty() {
        scores.push(fix_score(None, None, cases.iter()));
    }
    scores
}

fn fix_score<'a>(
    family: Option<Family>,
    pattern: Option<Pattern>,
    cases: impl Iterator<Item = &'a FixCase<'a>>,
) -> FixScore {
    let mut by_package: BTreeMap<&str, Vec<FixVerdict>> = BTreeMap::new();
    for case in cases {
        by_package.entry(case.package).or_default().push(case.verdict);
    }
    let count = |wanted| {
        by_package
            .values()
            .flatten()
            .filter(|verdict| **verdict == wanted)
            .count() as u64
    };
    let share = |hit: fn(FixVerdict) -> bool| {
        let cluster = |verdicts: &Vec<FixVerdict>| {
            let judged = || verdicts.iter().filter(|verdict| **verdict != FixVerdict::NoVerdict);
            Cluster {
                hits: judged().filter(|verdict| hit(**verdict)).count() as u64,
                trials: judged().count() as u64,
            }
        };
        proportion(&by_package.values().map(cluster).collect::<Vec<_>>())
    };
    FixScore {
        family,
        pattern,
        n_pairs: by_package.values().map(|verdicts| verdicts.len() as u64).sum(),
        n_packages: by_package.len() as u64,
        told_apart: count(FixVerdict::ToldApart),
        reported_twice: count(FixVerdict::ReportedTwice),
        missed: count(FixVerdict::Missed),
        only_fixed: count(FixVerdict::OnlyFixed),
        no_verdict: count(FixVerdict::NoVerdict),
        recall: share(FixVerdict::is_reported),
        discrimination: share(|verdict| verdict == FixVerdict::ToldApart),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_told_apart_only_if_the_leak_alone_is_reported() {
        let of = FixVerdict::of;
        assert_eq!(of(Some(true), Some(false)), FixVerdict::ToldApart);
        assert_eq!(of(Some(true), Some(true)), FixVerdict::ReportedTwice);
        assert_eq!(of(Some(false), Some(true)), FixVerdict::OnlyFixed);
        assert_eq!(of(Some(false), Some(false)), FixVerdict::Missed);
        assert_eq!(of(Some(true), None), FixVerdict::NoVerdict);
        assert_eq!(of(None, Some(false)), FixVerdict::NoVerdict);
    }

    #[test]
    fn two_lines_away_is_near_and_three_are_not() {
        assert!(is_near(8, 10) && is_near(12, 10));
        assert!(!is_near(7, 10) && !is_near(13, 10));
    }

    #[test]
    fn what_has_no_verdict_counts_for_no_ratio() {
        let case = |package, pattern, verdict| FixCase {
            package,
            pattern,
            verdict,
        };
        let cases = [
            case("a", Pattern::NeverReleased, FixVerdict::ToldApart),
            case("a", Pattern::NeverReleased, FixVerdict::ReportedTwice),
            case("b", Pattern::NeverReleased, FixVerdict::NoVerdict),
            case("c", Pattern::UnboundedCache, FixVerdict::OnlyFixed),
        ];
        let scores = fix_scores(&cases);
        let keys: Vec<_> = scores.iter().map(|score| (score.family, score.pattern)).collect();
        let expected = [
            (Some(Family::Handles), Some(Pattern::NeverReleased)),
            (Some(Family::Handles), None),
            (Some(Family::Memory), Some(Pattern::UnboundedCache)),
            (Some(Family::Memory), None),
            (None, None),
        ];
        assert_eq!(keys, expected);
        let handles = &scores[0];
        assert_eq!((handles.n_pairs, handles.n_packages, handles.no_verdict), (3, 2, 1));
        assert_eq!(handles.recall.ratio, Some(1.0));
        assert_eq!(handles.discrimination.ratio, Some(0.5));
        assert_eq!(handles.discrimination.interval, None);
        assert_eq!(scores[4].recall.ratio, Some(2.0 / 3.0));
    }
}
