//! Several detectors on the same leaks: which pairs agree, and what each finds that no other does.
//!
//! Base mutants alone. Found is credited: detected or indifferent.

use std::collections::{BTreeMap, BTreeSet};

use super::interval::ratio;
use super::paired::{Change, chance, holm, mcnemar};
use super::{Judged, Subject, Verdict};
use crate::leak::{Effect, Pattern};

/// One detector of a run.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    pub detector: &'a str,
    /// Takes nothing away from others: whatever the floor finds as well counts as found by nobody else.
    pub is_floor: bool,
    /// Of all the same mutants, in any order.
    pub judged: &'a [Judged<'a>],
}

/// Two detectors on the leaks of a corpus, or of one pattern in it, that both judged.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreementRow {
    pub first: String,
    pub second: String,
    pub corpus: String,
    /// `None`: all of them.
    pub pattern: Option<Pattern>,
    /// The sum of the next four.
    pub n_mutants: u64,
    /// What chance is computed over.
    pub n_modules: u64,
    pub both: u64,
    pub only_first: u64,
    pub only_second: u64,
    pub neither: u64,
    /// (both + neither) / all.
    pub agreement: Option<f64>,
    /// As for two runs ([`chance`]): how often chance alone makes a difference this large.
    pub p_value: Option<f64>,
    /// `p_value` after Holm, over the patterns of this pair and corpus; none in the row of all.
    pub p_holm: Option<f64>,
    /// [`mcnemar`]: as if mutants of one module were independent.
    pub p_if_independent: Option<f64>,
}

/// What one detector finds of a corpus, or of one pattern in it, that no other one of the run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AloneRow {
    pub detector: String,
    pub corpus: String,
    /// `None`: all of them.
    pub pattern: Option<Pattern>,
    /// Leaks that it judged.
    pub n_mutants: u64,
    /// Those that it found.
    pub found: u64,
    /// Those that all others judged and missed.
    pub alone: u64,
    /// Those that no other found, but some other gave no verdict on.
    pub undecided: u64,
}

/// Pairs in the order of the detectors; within each by corpus, all patterns before each one.
pub fn agreement(contenders: &[Contender]) -> Vec<AgreementRow> {
    let mut rows = Vec::new();
    for (at, first) in contenders.iter().enumerate() {
        let leaks = by_key(first);
        for second in &contenders[at + 1..] {
            rows.extend(pair_rows(first, &leaks, second));
        }
    }
    rows
}

/// Detector by detector; within each by corpus, all patterns before each one.
pub fn alone(contenders: &[Contender]) -> Vec<AloneRow> {
    let verdicts: Vec<Verdicts> = contenders.iter().map(verdicts).collect();
    let mut rows = Vec::new();
    for (at, contender) in contenders.iter().enumerate() {
        let others = contenders.iter().zip(&verdicts).enumerate();
        let others = others.filter(|(other, (contender, _))| *other != at && !contender.is_floor);
        let others: Vec<&Verdicts> = others.map(|(_, (_, verdicts))| verdicts).collect();
        let leaks = by_key(contender);
        rows.extend(
            leaks
                .iter()
                .map(|(key, leaks)| alone_row(contender, *key, leaks, &others)),
        );
    }
    rows
}

/// By the id of the mutant.
type Verdicts<'a> = BTreeMap<&'a str, Verdict>;

/// Corpus and pattern; `None` is all of them.
type Key<'a> = (&'a str, Option<Pattern>);

/// What one detector made of the leaks of each corpus and pattern.
type Leaks<'a> = BTreeMap<Key<'a>, Vec<&'a Judged<'a>>>;

fn by_key<'a>(contender: &Contender<'a>) -> Leaks<'a> {
    let mut by_key = Leaks::new();
    for judged in leaks(contender) {
        let Subject { corpus, pattern, .. } = judged.subject;
        for pattern in [None, Some(*pattern)] {
            by_key.entry((corpus, pattern)).or_default().push(judged);
        }
    }
    by_key
}

fn leaks<'a>(contender: &Contender<'a>) -> impl Iterator<Item = &'a Judged<'a>> + use<'a> {
    let is_leak = |subject: &Subject| subject.effect == Effect::Leak && subject.modifier.is_empty();
    contender.judged.iter().filter(move |judged| is_leak(judged.subject))
}

fn verdicts<'a>(contender: &Contender<'a>) -> Verdicts<'a> {
    let verdict = |judged: &'a Judged| (judged.subject.id.as_str(), judged.verdict);
    leaks(contender).map(verdict).collect()
}

fn pair_rows(first: &Contender, leaks: &Leaks, second: &Contender) -> Vec<AgreementRow> {
    let theirs = verdicts(second);
    let row = |((corpus, pattern), leaks): (&Key, &Vec<&Judged>)| AgreementRow {
        first: first.detector.to_owned(),
        second: second.detector.to_owned(),
        corpus: (*corpus).to_owned(),
        pattern: *pattern,
        ..pair_row(leaks, &theirs)
    };
    let mut rows: Vec<AgreementRow> = leaks.iter().map(row).collect();
    adjust(&mut rows);
    rows
}

/// Without its names.
fn pair_row(leaks: &[&Judged], theirs: &Verdicts) -> AgreementRow {
    let changes: Vec<Change> = leaks.iter().filter_map(|judged| change(judged, theirs)).collect();
    let count = |before, after| {
        let same = |change: &&Change| (change.before, change.after) == (before, after);
        changes.iter().filter(same).count() as u64
    };
    let (both, only_first) = (count(true, true), count(true, false));
    let (only_second, neither) = (count(false, true), count(false, false));
    let modules: BTreeSet<&str> = changes.iter().map(|change| change.module).collect();
    let any = !changes.is_empty();
    AgreementRow {
        first: String::new(),
        second: String::new(),
        corpus: String::new(),
        pattern: None,
        n_mutants: changes.len() as u64,
        n_modules: modules.len() as u64,
        both,
        only_first,
        only_second,
        neither,
        agreement: ratio(both + neither, changes.len() as u64),
        p_value: any.then(|| chance(&changes)),
        p_holm: None,
        p_if_independent: any.then(|| mcnemar(only_first, only_second)),
    }
}

/// The first detector as before, the second as after; `None` where one of them has no verdict.
fn change<'a>(judged: &Judged<'a>, theirs: &Verdicts) -> Option<Change<'a>> {
    let theirs = theirs.get(judged.subject.id.as_str())?;
    (judged.verdict.is_judged() && theirs.is_judged()).then_some(Change {
        id: &judged.subject.id,
        module: &judged.subject.module,
        before: judged.verdict.is_credited(),
        after: theirs.is_credited(),
    })
}

/// Corpus by corpus.
fn adjust(rows: &mut [AgreementRow]) {
    for rows in rows.chunk_by_mut(|one, other| one.corpus == other.corpus) {
        let mut patterns: Vec<&mut AgreementRow> = rows.iter_mut().filter(|row| row.pattern.is_some()).collect();
        patterns.retain(|row| row.p_value.is_some());
        let p_values: Vec<f64> = patterns.iter().filter_map(|row| row.p_value).collect();
        for (row, p_holm) in patterns.into_iter().zip(holm(&p_values)) {
            row.p_holm = Some(p_holm);
        }
    }
}

fn alone_row(contender: &Contender, (corpus, pattern): Key, leaks: &[&Judged], others: &[&Verdicts]) -> AloneRow {
    let mut row = AloneRow {
        detector: contender.detector.to_owned(),
        corpus: corpus.to_owned(),
        pattern,
        n_mutants: leaks.iter().filter(|judged| judged.verdict.is_judged()).count() as u64,
        found: 0,
        alone: 0,
        undecided: 0,
    };
    for found in leaks.iter().filter(|judged| judged.verdict.is_credited()) {
        let id = found.subject.id.as_str();
        let verdicts = || {
            others
                .iter()
                .map(|other| other.get(id).copied().unwrap_or(Verdict::NoVerdict))
        };
        row.found += 1;
        if verdicts().all(|verdict| !verdict.is_credited()) {
            let all_judged = verdicts().all(Verdict::is_judged);
            row.alone += u64::from(all_judged);
            row.undecided += u64::from(!all_judged);
        }
    }
    row
}
