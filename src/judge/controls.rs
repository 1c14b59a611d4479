//! Detectors whose scores are known beforehand. They are judged on every run, by the same functions as any
//! other detector; if one is off by anything, the scale is broken and the run is worth nothing.
//!
//! Each control says the same about every leak mutant, and the same about every decoy. So its counts follow
//! from how many mutants, pairs and decoys a row has, and its ratios are 0, 1/2, 1, -1 or empty.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::row::{Cell, Key, Row};
use super::score::{Scores, Settings, score};
use super::{Case, Disposition, Judged, Judgement, NoVerdict, Subject, Verdict, Width, judge};
use crate::leak::{Confidence, Effect, Finding, Label, Pattern, words};
use crate::python::{Span, SpanMap};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// Every leak at its label, and nothing else.
    Perfect,
    /// Nothing.
    Silent,
    /// Every label, in leak mutants and in decoys.
    Noisy,
    /// Every label, in the clean module, too.
    Blanket,
    /// Every label, but in the clean module only.
    Stale,
    /// Every label, as a pattern that it is not.
    WrongPattern,
    /// The pattern of every label, just behind all of its regions.
    WrongPlace,
    /// The pattern of every label, from the first byte to the last.
    WholeFile,
    /// As `Perfect`, but everything twice.
    Doubled,
    /// Never answers.
    Crasher,
}

words!(
    Control,
    Perfect = "perfect",
    Silent = "silent",
    Noisy = "noisy",
    Blanket = "blanket",
    Stale = "stale",
    WrongPattern = "wrong-pattern",
    WrongPlace = "wrong-place",
    WholeFile = "whole-file",
    Doubled = "doubled",
    Crasher = "crasher"
);

/// One mutant, for the controls.
#[derive(Clone, Copy, Debug)]
pub struct ControlCase<'a> {
    pub subject: &'a Subject,
    pub label: &'a Label,
    /// From the original to the mutant.
    pub map: &'a SpanMap,
}

/// What a control says of a clean module and of one mutant of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub baseline: Result<Vec<Finding>, NoVerdict>,
    pub report: Result<Vec<Finding>, NoVerdict>,
}

/// One figure that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("control {control}: {metric} of {of} must be {expected}, and is {got}")]
pub struct ControlOff {
    pub control: Control,
    pub metric: String,
    /// The id of a mutant, or corpus and axes of a row.
    pub of: String,
    pub expected: String,
    pub got: String,
}

impl Control {
    pub const ALL: [Self; 10] = [
        Self::Perfect,
        Self::Silent,
        Self::Noisy,
        Self::Blanket,
        Self::Stale,
        Self::WrongPattern,
        Self::WrongPlace,
        Self::WholeFile,
        Self::Doubled,
        Self::Crasher,
    ];

    /// `None` where the mutant leaves the control nothing to do its part with: `blanket` on a leak whose
    /// region has no byte of the original, `wrong-pattern` where every pattern is right.
    pub fn play(self, label: &Label, map: &SpanMap) -> Option<Played> {
        let at_label = || finding(label.span, label.pattern);
        let leaks = label.effect == Effect::Leak;
        let report = match self {
            Self::Perfect => vec![at_label(); usize::from(leaks)],
            Self::Doubled => vec![at_label(); if leaks { 2 } else { 0 }],
            Self::Noisy => vec![at_label()],
            Self::Silent | Self::Stale => Vec::new(),
            Self::Blanket => return blanket(label, map),
            Self::WrongPattern => vec![finding(label.span, wrong_pattern(label)?)],
            Self::WrongPlace => vec![finding(Span::at(behind_all(label)), label.pattern)],
            Self::WholeFile => vec![finding(Span::new(0, u32::MAX), label.pattern)],
            Self::Crasher => return Some(crash()),
        };
        let baseline = match self {
            Self::Stale => blanket(label, map).map_or(Ok(Vec::new()), |played| played.baseline),
            _ => Ok(Vec::new()),
        };
        let report = Ok(report);
        Some(Played { baseline, report })
    }

    /// What must become of every mutant with this effect, and of each finding on it.
    fn must_be(self, effect: Effect) -> (Verdict, &'static [Disposition]) {
        match (self, effect) {
            (Self::Crasher, _) => (Verdict::NoVerdict, &[]),
            (Self::WrongPlace, Effect::Safe) => (Verdict::Silent, &[Disposition::NewElsewhere]),
            (Self::WrongPlace, _) => (Verdict::Missed, &[Disposition::NewElsewhere]),
            (Self::WholeFile, Effect::Safe) => (Verdict::Silent, &[Disposition::TooWide]),
            (Self::WholeFile, _) => (Verdict::Missed, &[Disposition::TooWide]),
            (Self::Noisy | Self::Blanket | Self::WrongPattern, Effect::Safe) => (Verdict::Alarm, &[Disposition::Alarm]),
            (Self::Perfect | Self::Silent | Self::Stale | Self::Doubled, Effect::Safe) => (Verdict::Silent, &[]),
            (Self::Silent | Self::Stale, _) => (Verdict::Missed, &[]),
            (Self::Perfect | Self::Noisy, _) => (Verdict::Detected, &[Disposition::Hit]),
            (Self::Doubled, _) => (Verdict::Detected, &[Disposition::Hit, Disposition::Duplicate]),
            (Self::Blanket, _) => (Verdict::Indifferent, &[Disposition::Indifferent]),
            (Self::WrongPattern, _) => (Verdict::OtherPattern, &[Disposition::OtherPattern]),
        }
    }
}

fn finding(span: Span, pattern: Pattern) -> Finding {
    Finding {
        span,
        rule: "control".to_owned(),
        patterns: vec![pattern],
        resource: None,
        confidence: Confidence::High,
        message: String::new(),
        suggestion: String::new(),
        related: Vec::new(),
    }
}

fn crash() -> Played {
    Played {
        baseline: Err(NoVerdict::Crash),
        report: Err(NoVerdict::Crash),
    }
}

/// The label itself if it begins with a byte of the original, else the first such byte of its region:
/// only there can the clean module have the same finding. A decoy needs no such place.
fn blanket(label: &Label, map: &SpanMap) -> Option<Played> {
    let kept = |at: u32| map.to_old(at).map(|old| (at, old));
    let of_region = || {
        let region = label.places.first()?.region;
        (region.start..region.end).find_map(kept)
    };
    let (span, old) = match kept(label.span.start) {
        Some((_, old)) => (label.span, Some(old)),
        None => match of_region() {
            Some((at, old)) => (Span::new(at, at + 1), Some(old)),
            None if label.effect == Effect::Safe => (label.span, None),
            None => return None,
        },
    };
    let on_clean = old.map(|old| finding(Span::new(old, old + span.len()), label.pattern));
    Some(Played {
        baseline: Ok(on_clean.into_iter().collect()),
        report: Ok(vec![finding(span, label.pattern)]),
    })
}

fn wrong_pattern(label: &Label) -> Option<Pattern> {
    let is_right = |pattern: &Pattern| label.places.iter().any(|place| place.pattern == *pattern);
    Pattern::ALL.into_iter().find(|pattern| !is_right(pattern))
}

fn behind_all(label: &Label) -> u32 {
    let ends = label.places.iter().map(|place| place.region.end);
    ends.max().unwrap_or(label.span.end)
}

/// Judges and scores every control on every mutant (contested ones aside), at [`Width::Statement`], and
/// holds all rows against what they must be.
pub fn check_controls(cases: &[ControlCase]) -> Result<(), Vec<ControlOff>> {
    let off: Vec<ControlOff> = Control::ALL
        .into_iter()
        .flat_map(|control| check(control, cases))
        .collect();
    if off.is_empty() { Ok(()) } else { Err(off) }
}

fn check(control: Control, cases: &[ControlCase]) -> Vec<ControlOff> {
    let judgements = cases.iter().filter_map(|case| Some((case, judgement(control, case)?)));
    let judgements: Vec<(&ControlCase, Judgement)> = judgements.collect();
    let judged: Vec<Judged> = judgements
        .iter()
        .map(|(case, judgement)| Judged {
            subject: case.subject,
            verdict: judgement.verdict,
            charges: judgement.charges.clone(),
        })
        .collect();
    let settings = Settings {
        resamples: 0,
        ..Settings::default()
    };
    let scores = score(&judged, &[], &settings);
    let subjects: Vec<&Subject> = judged.iter().map(|judged| judged.subject).collect();
    let off_rows = rows(&scores).flat_map(|row| check_row(control, row, &subjects));
    first_wrong_verdict(control, &judgements)
        .into_iter()
        .chain(off_rows)
        .collect()
}

fn judgement(control: Control, case: &ControlCase) -> Option<Judgement> {
    if case.label.effect == Effect::Contested {
        return None;
    }
    let played = control.play(case.label, case.map)?;
    Some(judge(&Case {
        label: case.label,
        map: case.map,
        width: Width::Statement,
        baseline: played.baseline.as_deref().map_err(|reason| *reason),
        report: played.report.as_deref().map_err(|reason| *reason),
    }))
}

/// One stands for all: when the scale is broken, it is on thousands of mutants at once.
fn first_wrong_verdict(control: Control, judgements: &[(&ControlCase, Judgement)]) -> Option<ControlOff> {
    judgements.iter().find_map(|(case, judgement)| {
        let (verdict, dispositions) = control.must_be(case.label.effect);
        let is_right = judgement.verdict == verdict && judgement.dispositions == dispositions;
        (!is_right).then(|| ControlOff {
            control,
            metric: "verdict".to_owned(),
            of: case.subject.id.clone(),
            expected: format!("{verdict} {dispositions:?}"),
            got: format!("{} {:?}", judgement.verdict, judgement.dispositions),
        })
    })
}

fn rows(scores: &Scores) -> impl Iterator<Item = &Row> {
    let headline = scores.by_pattern.iter().chain(&scores.by_resource);
    headline.chain(&scores.by_modifier).chain(&scores.by_mutator)
}

fn check_row(control: Control, row: &Row, subjects: &[&Subject]) -> Vec<ControlOff> {
    let wrong = expected(control, &Sizes::of(&row.key, subjects))
        .into_iter()
        .filter(|(metric, cell)| row.metric(metric) != Some(*cell));
    wrong
        .map(|(metric, cell)| ControlOff {
            control,
            metric: metric.to_owned(),
            of: name(&row.key),
            expected: show(Some(cell)),
            got: show(row.metric(metric)),
        })
        .collect()
}

fn name(key: &Key) -> String {
    let pattern = key.pattern.map_or("*", Pattern::id);
    let axes = [&key.mutator, &key.resource].into_iter().flatten().map(String::as_str);
    let modifier = (!key.modifier.is_empty()).then_some(key.modifier.as_str());
    let parts = [key.corpus.as_str(), pattern].into_iter().chain(axes).chain(modifier);
    parts.collect::<Vec<_>>().join(" ")
}

fn show(cell: Option<Cell>) -> String {
    match cell {
        Some(Cell::Count(count)) => count.to_string(),
        Some(Cell::Ratio(Some(ratio))) => ratio.to_string(),
        Some(Cell::Ratio(None)) => "empty".to_owned(),
        None => "no column".to_owned(),
    }
}

/// How large a row is, counted from the mutants alone, and not by the functions that score them.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    leaks: u64,
    primary_pairs: u64,
    twin_pairs: u64,
    decoys: u64,
    /// Mutants whose false findings the row pays for.
    liable: u64,
}

impl Sizes {
    fn of(key: &Key, subjects: &[&Subject]) -> Self {
        let with = |effect| subjects.iter().copied().filter(move |subject| subject.effect == effect);
        let decoy_ids: BTreeSet<&str> = with(Effect::Safe).map(|subject| subject.id.as_str()).collect();
        let twins = |leak: &'_ Subject| {
            leak.twins
                .iter()
                .filter(|twin| decoy_ids.contains(twin.id.as_str()))
                .count()
        };
        let primaries = |leak: &Subject| {
            let primary = leak.twins.iter().filter(|twin| twin.primary);
            primary.filter(|twin| decoy_ids.contains(twin.id.as_str())).count()
        };
        let leaks: Vec<&Subject> = with(Effect::Leak).filter(|subject| key.has(subject)).collect();
        let named = |leaks: &[&Subject]| -> BTreeSet<String> {
            let twins = leaks.iter().flat_map(|leak| &leak.twins);
            twins.map(|twin| twin.id.clone()).collect()
        };
        let (of_row, of_any) = (named(&leaks), named(&with(Effect::Leak).collect::<Vec<_>>()));
        let is_in_row = |decoy: &&Subject| {
            let is_unpaired = !of_any.contains(&decoy.id);
            of_row.contains(&decoy.id) || is_unpaired && key.mutator.is_none() && key.has(decoy)
        };
        let decoys = with(Effect::Safe).filter(is_in_row).count();
        let is_headline = key.mutator.is_none() && key.resource.is_none() && key.modifier.is_empty();
        let liable = if is_headline {
            subjects.iter().filter(|subject| key.has(subject)).count()
        } else {
            leaks.len() + decoys
        };
        Self {
            leaks: leaks.len() as u64,
            primary_pairs: leaks.iter().map(|leak| primaries(leak) as u64).sum(),
            twin_pairs: leaks.iter().map(|leak| twins(leak) as u64).sum(),
            decoys: decoys as u64,
            liable: liable as u64,
        }
    }
}

/// The exact vector. Without mutants, pairs or reports a ratio is empty, never 0.
fn expected(control: Control, sizes: &Sizes) -> Vec<(&'static str, Cell)> {
    let [leak, safe] = [Effect::Leak, Effect::Safe].map(|effect| control.must_be(effect).0);
    let is = |so: bool, count: u64| if so { count } else { 0 };
    let answers = control != Control::Crasher;
    let found = leak.is_credited();
    let alarms = safe == Verdict::Alarm;
    let told_apart = leak == Verdict::Detected && safe == Verdict::Silent;
    let (judged, pairs, twin_pairs) = (
        is(answers, sizes.leaks),
        is(answers, sizes.primary_pairs),
        is(answers, sizes.twin_pairs),
    );
    let new_elsewhere = is(control == Control::WrongPlace, sizes.liable);
    let false_positives = is(alarms, sizes.decoys) + new_elsewhere;
    let rate = |so: bool, of: u64| Cell::Ratio((of > 0).then_some(f64::from(u8::from(so))));
    let youden = f64::from(i8::from(found) - i8::from(alarms));
    let precision = match (found, alarms) {
        (true, true) => Some(0.5),
        (true, false) => Some(1.0),
        (false, true) => Some(0.0),
        (false, false) => None,
    };
    let counts = [
        ("n_mutants", sizes.leaks),
        ("detected", is(leak == Verdict::Detected, sizes.leaks)),
        ("indifferent", is(leak == Verdict::Indifferent, sizes.leaks)),
        ("other_pattern", is(leak == Verdict::OtherPattern, sizes.leaks)),
        ("missed", is(leak == Verdict::Missed, sizes.leaks)),
        ("no_verdict", is(!answers, sizes.leaks)),
        ("pairs", pairs),
        ("pairs_hit", is(found, pairs)),
        ("alarms", is(alarms, pairs)),
        ("pairs_told_apart", is(told_apart, pairs)),
        ("twin_pairs", twin_pairs),
        ("twin_alarms", is(alarms, twin_pairs)),
        ("twin_pairs_told_apart", is(told_apart, twin_pairs)),
        ("new_elsewhere", new_elsewhere),
    ];
    let ratios = [
        ("recall", rate(found, judged)),
        ("recall_new", rate(leak == Verdict::Detected, judged)),
        ("recall_strict", rate(found, sizes.leaks)),
        ("macro_recall", rate(found, judged)),
        ("false_positive_rate", rate(alarms, pairs)),
        ("youden", Cell::Ratio((pairs > 0).then_some(youden))),
        ("precision", Cell::Ratio(precision.filter(|_| pairs > 0))),
        ("discrimination", rate(told_apart, pairs)),
        ("false_positive_rate_all_twins", rate(alarms, twin_pairs)),
        ("discrimination_all_twins", rate(told_apart, twin_pairs)),
        ("precision_in_run", share(is(found, sizes.leaks), false_positives)),
    ];
    let counts = counts.into_iter().map(|(metric, count)| (metric, Cell::Count(count)));
    counts.chain(ratios).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn share(found: u64, false_positives: u64) -> Cell {
    let all = found + false_positives;
    Cell::Ratio((all > 0).then(|| found as f64 / all as f64))
}
