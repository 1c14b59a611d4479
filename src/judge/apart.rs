//! The tables that stand apart: decoys without a leak at their site, and mutants whose label is disputed.

use std::collections::BTreeMap;

use super::interval::{Cluster, Proportion, proportion};
use super::tally::Tally;
use super::{Judged, Verdict};
use crate::leak::Effect;

/// Decoys of one mutator that share their site with no leak mutant.
#[derive(Clone, Debug, PartialEq)]
pub struct UnpairedRow {
    pub corpus: String,
    pub mutator: String,
    /// With and without verdict.
    pub n_mutants: u64,
    pub n_modules: u64,
    pub alarms: u64,
    pub no_verdict: u64,
    /// Alarms over judged decoys, with its interval.
    pub false_positive_rate: Proportion,
}

/// What a detector says where reasonable people dispute; held against nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestedRow {
    pub corpus: String,
    pub mutator: String,
    /// The sum of the five verdicts.
    pub n_mutants: u64,
    pub n_modules: u64,
    pub detected: u64,
    pub indifferent: u64,
    pub other_pattern: u64,
    pub missed: u64,
    pub no_verdict: u64,
}

/// Verdicts by corpus and mutator, then by module.
type Groups<'a> = BTreeMap<(&'a str, &'a str), BTreeMap<&'a str, Vec<Verdict>>>;

fn groups<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> Groups<'a> {
    let mut groups = Groups::new();
    for judged in judged {
        let subject = judged.subject;
        let modules = groups.entry((&subject.corpus, &subject.mutator)).or_default();
        modules.entry(&subject.module).or_default().push(judged.verdict);
    }
    groups
}

pub(super) fn unpaired_rows<'a>(decoys: impl Iterator<Item = &'a Judged<'a>>) -> Vec<UnpairedRow> {
    let rows = groups(decoys).into_iter();
    rows.map(|((corpus, mutator), modules)| {
        let verdicts = || modules.values().flatten();
        UnpairedRow {
            corpus: corpus.to_owned(),
            mutator: mutator.to_owned(),
            n_mutants: verdicts().count() as u64,
            n_modules: modules.len() as u64,
            alarms: count(verdicts(), Verdict::Alarm),
            no_verdict: count(verdicts(), Verdict::NoVerdict),
            false_positive_rate: alarm_rate(modules.values().map(Vec::as_slice)),
        }
    })
    .collect()
}

pub(super) fn contested_rows<'a>(judged: &'a [Judged<'a>]) -> Vec<ContestedRow> {
    let contested = judged
        .iter()
        .filter(|judged| judged.subject.effect == Effect::Contested);
    let rows = groups(contested).into_iter();
    rows.map(|((corpus, mutator), modules)| {
        let mut total = Tally::default();
        let verdicts = modules.values().flatten();
        verdicts.for_each(|verdict| total += Tally::of(*verdict, false, &[]));
        ContestedRow {
            corpus: corpus.to_owned(),
            mutator: mutator.to_owned(),
            n_mutants: total.all(),
            n_modules: modules.len() as u64,
            detected: total.detected,
            indifferent: total.indifferent,
            other_pattern: total.other_pattern,
            missed: total.missed,
            no_verdict: total.no_verdict,
        }
    })
    .collect()
}

fn count<'a>(verdicts: impl Iterator<Item = &'a Verdict>, wanted: Verdict) -> u64 {
    verdicts.filter(|verdict| **verdict == wanted).count() as u64
}

fn alarm_rate<'a>(modules: impl Iterator<Item = &'a [Verdict]>) -> Proportion {
    let clusters: Vec<Cluster> = modules
        .map(|verdicts| Cluster {
            hits: count(verdicts.iter(), Verdict::Alarm),
            trials: verdicts.iter().filter(|verdict| verdict.is_judged()).count() as u64,
        })
        .collect();
    proportion(&clusters)
}
