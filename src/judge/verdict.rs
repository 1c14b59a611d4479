//! The judgement on one mutant × detector, and what becomes of each of its findings.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use super::Charge;
use super::matching::{Baseline, Reach, Width, reach};
use crate::leak::{Effect, Finding, Label, words};
use crate::python::SpanMap;

/// Of leak (and contested) mutants: `Detected` to `Missed`; of decoys: `Silent` and `Alarm`; of both: `NoVerdict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A hit that the clean module does not have.
    Detected,
    /// Hits only of rules that flag the site in the clean module, too.
    Indifferent,
    /// A finding in the region, but of another pattern.
    OtherPattern,
    Missed,
    Silent,
    Alarm,
    NoVerdict,
}

words!(
    Verdict,
    Detected = "detected",
    Indifferent = "indifferent",
    OtherPattern = "other-pattern",
    Missed = "missed",
    Silent = "silent",
    Alarm = "alarm",
    NoVerdict = "no-verdict"
);

impl Verdict {
    /// Whether the mutant counts as found.
    pub const fn is_credited(self) -> bool {
        matches!(self, Self::Detected | Self::Indifferent)
    }

    pub const fn is_judged(self) -> bool {
        !matches!(self, Self::NoVerdict)
    }
}

/// Why a detector has no say on a mutant. A tool that failed is never a tool that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoVerdict {
    Crash,
    Timeout,
    Parse,
    Unsupported,
    NotRun,
    /// It answered on the mutant but not on the clean module, so that what is new cannot be told. Only
    /// [`judge`] gives this one.
    NoBaseline,
}

words!(
    NoVerdict,
    Crash = "crash",
    Timeout = "timeout",
    Parse = "parse",
    Unsupported = "unsupported",
    NotRun = "not-run",
    NoBaseline = "no-baseline"
);

/// What became of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Credits the mutant.
    Hit,
    /// Would credit the mutant, which another finding has credited already.
    Duplicate,
    /// Credits the mutant, but the clean module has it too.
    Indifferent,
    /// In an accepted region, with another pattern.
    OtherPattern,
    /// In an accepted region of a decoy; or anywhere in a module known to be clean.
    Alarm,
    /// About an accepted region, but too long for the width: neither credited nor charged.
    TooWide,
    /// The clean module has it at the mapped place, with the same rule.
    Baseline,
    /// Away from every region, and the clean module does not have it: charged.
    NewElsewhere,
    /// Its rule claims no pattern of ours: neither credited nor charged.
    Unmapped,
    /// On a clean module of which nobody has shown that it is clean.
    Untriaged,
    /// The mutant has no verdict.
    Unjudged,
}

words!(
    Disposition,
    Hit = "hit",
    Duplicate = "duplicate",
    Indifferent = "indifferent",
    OtherPattern = "other-pattern",
    Alarm = "alarm",
    TooWide = "too-wide",
    Baseline = "baseline",
    NewElsewhere = "new-elsewhere",
    Unmapped = "unmapped",
    Untriaged = "untriaged",
    Unjudged = "unjudged"
);

/// What a detector said of one text, or why it said nothing.
pub type Report<'a> = Result<&'a [Finding], NoVerdict>;

/// One mutant × detector.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its places are the accepted regions, in the text of the mutant.
    pub label: &'a Label,
    /// From the original to the mutant.
    pub map: &'a SpanMap,
    pub width: Width<'a>,
    /// On the clean module; spans in the text of the original.
    pub baseline: Report<'a>,
    /// On the mutant; spans in the text of the mutant, findings in the mutated file only.
    pub report: Report<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Why there is none, with [`Verdict::NoVerdict`] only.
    pub reason: Option<NoVerdict>,
    /// Index of the finding that decided; none for missed, silent and no-verdict.
    pub deciding: Option<usize>,
    /// One per finding on the mutant, in their order.
    pub dispositions: Vec<Disposition>,
    /// One per `new-elsewhere`.
    pub charges: Vec<Charge>,
}

/// The verdict does not depend on the order of the findings.
pub fn judge(case: &Case) -> Judgement {
    let (baseline, report) = match (case.baseline, case.report) {
        (_, Err(reason)) => return unjudged(reason, 0),
        (Err(_), Ok(report)) => return unjudged(NoVerdict::NoBaseline, report.len()),
        (Ok(baseline), Ok(report)) => (Baseline::new(baseline, case.map), report),
    };
    let kinds: Vec<Disposition> = report.iter().map(|finding| dispose(case, &baseline, finding)).collect();
    decide(case.label.effect, report, kinds)
}

fn unjudged(reason: NoVerdict, findings: usize) -> Judgement {
    Judgement {
        verdict: Verdict::NoVerdict,
        reason: Some(reason),
        deciding: None,
        dispositions: vec![Disposition::Unjudged; findings],
        charges: Vec::new(),
    }
}

/// What a finding is by itself; which of several hits credits the mutant comes later.
fn dispose(case: &Case, baseline: &Baseline, finding: &Finding) -> Disposition {
    if finding.patterns.is_empty() {
        return Disposition::Unmapped;
    }
    let known = baseline.has(finding);
    match (reach(finding, case.label, case.width), case.label.effect) {
        (Reach::Accepted | Reach::Region, Effect::Safe) => Disposition::Alarm,
        (Reach::Accepted, _) if known => Disposition::Indifferent,
        (Reach::Accepted, _) => Disposition::Hit,
        (Reach::Region, _) => Disposition::OtherPattern,
        (Reach::TooWide | Reach::Elsewhere, _) if known => Disposition::Baseline,
        (Reach::TooWide, _) => Disposition::TooWide,
        (Reach::Elsewhere, _) => Disposition::NewElsewhere,
    }
}

/// The strongest kinds of finding come first; each decides for its verdict.
const DECIDING: [(Disposition, Verdict); 4] = [
    (Disposition::Hit, Verdict::Detected),
    (Disposition::Indifferent, Verdict::Indifferent),
    (Disposition::OtherPattern, Verdict::OtherPattern),
    (Disposition::Alarm, Verdict::Alarm),
];

fn decide(effect: Effect, report: &[Finding], kinds: Vec<Disposition>) -> Judgement {
    let decided = DECIDING
        .iter()
        .find_map(|(kind, verdict)| Some((surest(report, &kinds, *kind)?, *verdict)));
    let quiet = match effect {
        Effect::Safe => Verdict::Silent,
        Effect::Leak | Effect::Contested => Verdict::Missed,
    };
    let deciding = decided.map(|(at, _)| at);
    let charges = charges(report, &kinds);
    Judgement {
        verdict: decided.map_or(quiet, |(_, verdict)| verdict),
        reason: None,
        deciding,
        dispositions: credit_once(kinds, deciding),
        charges,
    }
}

/// Of all findings of one kind the most confident, then the first in the text.
fn surest(report: &[Finding], kinds: &[Disposition], kind: Disposition) -> Option<usize> {
    let of_kind = (0..report.len()).filter(|at| kinds[*at] == kind);
    of_kind.min_by_key(|at| (Reverse(report[*at].confidence), &report[*at]))
}

fn credit_once(kinds: Vec<Disposition>, deciding: Option<usize>) -> Vec<Disposition> {
    let credits = |kind| matches!(kind, Disposition::Hit | Disposition::Indifferent);
    let numbered = kinds.into_iter().enumerate();
    let once = numbered.map(|(at, kind)| match kind {
        kind if credits(kind) && deciding != Some(at) => Disposition::Duplicate,
        kind => kind,
    });
    once.collect()
}

fn charges(report: &[Finding], kinds: &[Disposition]) -> Vec<Charge> {
    let pairs = report.iter().zip(kinds);
    let elsewhere = pairs.filter(|(_, kind)| **kind == Disposition::NewElsewhere);
    elsewhere.filter_map(|(finding, _)| Charge::of(finding)).collect()
}

/// What a finding on a clean module is; `known_clean` says that its corpus declares or has witnessed it.
pub fn dispose_clean(finding: &Finding, known_clean: bool) -> Disposition {
    match (finding.patterns.is_empty(), known_clean) {
        (true, _) => Disposition::Unmapped,
        (false, true) => Disposition::Alarm,
        (false, false) => Disposition::Untriaged,
    }
}
