//! What the scores are computed from: a mutant with its verdict, and a clean module with its findings.

use super::Verdict;
use crate::leak::{Effect, Finding, Pattern};

/// What is known of a mutant before any detector has looked at it, as far as scores group by it.
/// Mutants that are a `duplicate_of` another are left out by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Unique in a run.
    pub id: String,
    pub corpus: String,
    /// What resampling draws and intervals are clustered by: the module's path, on wild corpora the package.
    pub module: String,
    pub mutator: String,
    /// The modifier on top of the base mutant; empty for the base mutant itself.
    pub modifier: String,
    /// Of a decoy, the pattern it resembles.
    pub pattern: Pattern,
    pub resource: String,
    pub effect: Effect,
    /// Whether a run of the code has shown the label.
    pub witnessed: bool,
    /// Of a leak mutant, the decoys at the same site. A mutant with a modifier names those of its base.
    pub twins: Vec<Twin>,
}

/// One decoy at the site of a leak mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Id of the decoy; one that the run does not have makes no pair.
    pub id: String,
    /// Whether it is the primary decoy, the one that the headline holds the leak against.
    pub primary: bool,
}

/// One mutant and what one detector made of it.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    pub subject: &'a Subject,
    pub verdict: Verdict,
    /// Of [`Judgement::charges`](super::Judgement::charges): one per new finding away from any region.
    pub charges: Vec<Charge>,
}

/// Which row pays for a false finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charge {
    /// The finding names exactly this pattern: its row, and the pooled one.
    Pattern(Pattern),
    /// It names several: the pooled row alone.
    Pooled,
}

impl Charge {
    /// `None` for a finding whose rule claims no pattern: it says nothing about leaks.
    pub fn of(finding: &Finding) -> Option<Self> {
        match finding.patterns[..] {
            [] => None,
            [pattern] => Some(Self::Pattern(pattern)),
            _ => Some(Self::Pooled),
        }
    }

    pub(super) fn is_on(self, pattern: Option<Pattern>) -> bool {
        pattern.is_none_or(|pattern| self == Self::Pattern(pattern))
    }
}

/// One module as it is, and what one detector said of it.
#[derive(Clone, Debug)]
pub struct CleanModule {
    pub corpus: String,
    /// Whether its code is mixed as real code is (`mix` in `corpus.toml`, not `dense`); alarms are counted only here.
    pub natural_mix: bool,
    /// Whether `corpus.toml` declares it clean, or `verify` has witnessed this text clean.
    pub known_clean: bool,
    /// Physical lines.
    pub lines: u64,
    /// Calls that acquire a resource, by the mutators' table.
    pub acquisitions: u64,
    /// One per finding, of [`Charge::of`]; `None` if the detector gave no verdict on it, which takes its
    /// lines and acquisitions out of the count as well.
    pub findings: Option<Vec<Charge>>,
}
