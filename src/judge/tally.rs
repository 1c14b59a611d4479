//! Counts that add up, and the ratios of pairs that follow from them alone. Knows nothing of rows.

use std::ops::AddAssign;

use super::Verdict;
use super::interval::ratio;

/// Leak mutants of one module, mutator or row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) detected: u64,
    pub(super) indifferent: u64,
    pub(super) other_pattern: u64,
    pub(super) missed: u64,
    pub(super) no_verdict: u64,
    /// Those whose label a run has shown, and how many of them got a verdict and credit.
    pub(super) witnessed: u64,
    pub(super) witnessed_judged: u64,
    pub(super) witnessed_credited: u64,
    pub(super) primary: Pairs,
    pub(super) twins: Pairs,
}

/// A leak mutant with a decoy at its site, both judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    pub(super) count: u64,
    pub(super) hit: u64,
    pub(super) alarms: u64,
    pub(super) told_apart: u64,
}

impl Tally {
    /// `decoys`: verdict and whether it is the primary one.
    pub(super) fn of(leak: Verdict, is_witnessed: bool, decoys: &[(Verdict, bool)]) -> Self {
        let count = |so: bool| u64::from(is_witnessed && so);
        let mut tally = Self {
            witnessed: count(true),
            witnessed_judged: count(leak.is_judged()),
            witnessed_credited: count(leak.is_credited()),
            ..Self::default()
        };
        match leak {
            Verdict::Detected => tally.detected = 1,
            Verdict::Indifferent => tally.indifferent = 1,
            Verdict::OtherPattern => tally.other_pattern = 1,
            Verdict::Missed | Verdict::Silent | Verdict::Alarm => tally.missed = 1,
            Verdict::NoVerdict => tally.no_verdict = 1,
        }
        for (decoy, is_primary) in decoys {
            let pair = Pairs::of(leak, *decoy);
            tally.twins += pair;
            if *is_primary {
                tally.primary += pair;
            }
        }
        tally
    }

    pub(super) const fn credited(&self) -> u64 {
        self.detected + self.indifferent
    }

    pub(super) const fn judged(&self) -> u64 {
        self.credited() + self.other_pattern + self.missed
    }

    pub(super) const fn all(&self) -> u64 {
        self.judged() + self.no_verdict
    }

    pub(super) fn recall(&self) -> Option<f64> {
        ratio(self.credited(), self.judged())
    }
}

impl Pairs {
    fn of(leak: Verdict, decoy: Verdict) -> Self {
        let judged = leak.is_judged() && decoy.is_judged();
        let count = |so: bool| u64::from(judged && so);
        Self {
            count: count(true),
            hit: count(leak.is_credited()),
            alarms: count(decoy == Verdict::Alarm),
            told_apart: count(leak == Verdict::Detected && decoy == Verdict::Silent),
        }
    }

    /// Of the leaks in these pairs.
    pub(super) fn recall(&self) -> Option<f64> {
        ratio(self.hit, self.count)
    }

    pub(super) fn false_positive_rate(&self) -> Option<f64> {
        ratio(self.alarms, self.count)
    }

    pub(super) fn youden(&self) -> Option<f64> {
        Some(self.recall()? - self.false_positive_rate()?)
    }

    /// The share of true reports if leaks and safe code came in equal numbers. Both rates are over the
    /// same pairs, so their denominators cancel.
    pub(super) fn precision(&self) -> Option<f64> {
        ratio(self.hit, self.hit + self.alarms)
    }

    pub(super) fn discrimination(&self) -> Option<f64> {
        ratio(self.told_apart, self.count)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.detected += other.detected;
        self.indifferent += other.indifferent;
        self.other_pattern += other.other_pattern;
        self.missed += other.missed;
        self.no_verdict += other.no_verdict;
        self.witnessed += other.witnessed;
        self.witnessed_judged += other.witnessed_judged;
        self.witnessed_credited += other.witnessed_credited;
        self.primary += other.primary;
        self.twins += other.twins;
    }
}

impl AddAssign for Pairs {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.hit += other.hit;
        self.alarms += other.alarms;
        self.told_apart += other.told_apart;
    }
}
