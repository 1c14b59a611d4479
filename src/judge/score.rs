//! Counts and ratios of one detector, per corpus and pattern, mutator, resource and modifier.
//!
//! Contested mutants stand in a table of their own and are in no other figure.

use std::collections::{BTreeMap, BTreeSet};

use super::apart::{ContestedRow, UnpairedRow, contested_rows, unpaired_rows};
use super::clean::{CleanCounts, at_base_rate};
use super::interval::{Cluster, proportion, ratio};
use super::pairs::PairIntervals;
use super::row::{Counts, Key, Ratios, Row};
use super::tally::{Pairs, Tally};
use super::{Charge, CleanModule, Judged, Subject, Verdict};
use crate::leak::Effect;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// π, the share of acquisitions that leak in real code, for `precision_at_base_rate`.
    pub base_rate: f64,
    /// Of the bootstrap; with 0 its intervals are empty.
    pub resamples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_rate: 0.05,
            resamples: 1000,
        }
    }
}

/// Everything that is computed of one detector. All tables are sorted by their keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Per corpus the pooled row, then one per pattern that has mutants or false findings. Base mutants.
    pub by_pattern: Vec<Row>,
    /// Base mutants.
    pub by_resource: Vec<Row>,
    /// Mutants with a modifier, which no other table counts.
    pub by_modifier: Vec<Row>,
    /// Base mutants.
    pub by_mutator: Vec<Row>,
    /// Decoys that no leak mutant names as twin.
    pub unpaired: Vec<UnpairedRow>,
    pub contested: Vec<ContestedRow>,
}

/// `judged` is one detector's; the order of neither list matters.
pub fn score(judged: &[Judged], clean: &[CleanModule], settings: &Settings) -> Scores {
    let field = Field::new(judged, clean);
    let rows = |keys: BTreeSet<Key>| keys.into_iter().map(|key| field.row(key, settings)).collect();
    Scores {
        by_pattern: rows(field.pattern_keys()),
        by_resource: rows(field.leak_keys("", resource_key)),
        by_modifier: rows(field.modifier_keys()),
        by_mutator: rows(field.leak_keys("", mutator_key)),
        unpaired: unpaired_rows(field.unpaired()),
        contested: contested_rows(judged),
    }
}

/// All that rows are drawn from.
struct Field<'a> {
    leaks: Vec<Leak<'a>>,
    decoys: BTreeMap<&'a str, Decoy<'a>>,
    clean: &'a [CleanModule],
}

struct Leak<'a> {
    subject: &'a Subject,
    charges: &'a [Charge],
    tally: Tally,
}

struct Decoy<'a> {
    judged: &'a Judged<'a>,
    is_paired: bool,
}

impl<'a> Field<'a> {
    fn new(judged: &'a [Judged<'a>], clean: &'a [CleanModule]) -> Self {
        let of = |effect| judged.iter().filter(move |judged| judged.subject.effect == effect);
        let named: BTreeSet<&str> = of(Effect::Leak).flat_map(|leak| twin_ids(leak.subject)).collect();
        let decoys: BTreeMap<&str, Decoy> = of(Effect::Safe)
            .map(|judged| {
                let id = judged.subject.id.as_str();
                let is_paired = named.contains(id);
                (id, Decoy { judged, is_paired })
            })
            .collect();
        let leaks = of(Effect::Leak).map(|judged| Leak::new(judged, &decoys)).collect();
        Self { leaks, decoys, clean }
    }

    fn row(&self, key: Key, settings: &Settings) -> Row {
        let leaks: Vec<&Leak> = self.leaks.iter().filter(|leak| key.has(leak.subject)).collect();
        let by_module = tallies(&leaks, |subject| &subject.module);
        let by_mutator = tallies(&leaks, |subject| &subject.mutator);
        let mut total = Tally::default();
        for tally in &by_module {
            total += *tally;
        }
        let decoys = self.decoys_of(&key, &leaks);
        let clean = CleanCounts::of(self.clean, &key);
        let counts = Counts {
            n_modules: by_module.len() as u64,
            new_elsewhere: self.new_elsewhere(&key, &leaks, &decoys),
            clean_alarms: clean.alarms,
            untriaged: clean.untriaged,
            ..counts(&total)
        };
        let decoy_alarms = decoys.iter().filter(|decoy| decoy.verdict == Verdict::Alarm).count() as u64;
        let false_positives = decoy_alarms + counts.new_elsewhere + counts.clean_alarms;
        let ratios = Ratios {
            macro_recall: mean(by_mutator.iter().filter_map(Tally::recall)),
            precision_in_run: ratio(total.credited(), total.credited() + false_positives),
            precision_at_base_rate: at_base_rate(settings.base_rate, total.recall(), clean.per_acquisition()),
            alarms_per_kloc: clean.per_kloc(),
            ..ratios(&total, &by_module, settings.resamples)
        };
        Row { key, counts, ratios }
    }

    /// Each decoy once, however many leak mutants of the row it is a twin of; and the unpaired ones that
    /// resemble what the row is about.
    fn decoys_of(&self, key: &Key, leaks: &[&Leak<'a>]) -> Vec<&'a Judged<'a>> {
        let named: BTreeSet<&str> = leaks.iter().flat_map(|leak| twin_ids(leak.subject)).collect();
        let is_in = |id: &str, decoy: &Decoy| {
            named.contains(id) || !decoy.is_paired && key.mutator.is_none() && key.has(decoy.judged.subject)
        };
        let rows = self.decoys.iter().filter(|(id, decoy)| is_in(id, decoy));
        rows.map(|(_, decoy)| decoy.judged).collect()
    }

    /// A row of a pattern pays for what names that pattern, on whatever mutant it was found; any other
    /// row pays for what was found on its own mutants.
    fn new_elsewhere(&self, key: &Key, leaks: &[&Leak], decoys: &[&Judged]) -> u64 {
        let count = if key.is_headline() {
            let in_corpus = |subject: &Subject| subject.corpus == key.corpus && subject.modifier == key.modifier;
            let here = self.charged().filter(|(subject, _)| in_corpus(subject));
            here.flat_map(|(_, charges)| charges)
                .filter(|charge| charge.is_on(key.pattern))
                .count()
        } else {
            let on_leaks: usize = leaks.iter().map(|leak| leak.charges.len()).sum();
            on_leaks + decoys.iter().map(|decoy| decoy.charges.len()).sum::<usize>()
        };
        count as u64
    }

    fn unpaired(&self) -> impl Iterator<Item = &'a Judged<'a>> {
        let decoys = self.decoys.values().filter(|decoy| !decoy.is_paired);
        decoys.map(|decoy| decoy.judged)
    }

    /// Every mutant that counts, with the false findings on it.
    fn charged(&self) -> impl Iterator<Item = (&'a Subject, &'a [Charge])> {
        let leaks = self.leaks.iter().map(|leak| (leak.subject, leak.charges));
        let decoys = self.decoys.values().map(|decoy| decoy.judged);
        leaks.chain(decoys.map(|judged| (judged.subject, judged.charges.as_slice())))
    }

    fn leak_keys(&self, modifier: &str, key: impl Fn(&Subject) -> Key) -> BTreeSet<Key> {
        let subjects = self.leaks.iter().map(|leak| leak.subject);
        let of_modifier = subjects.filter(|subject| subject.modifier == modifier);
        of_modifier.map(key).collect()
    }

    fn modifier_keys(&self) -> BTreeSet<Key> {
        let modified = self.leaks.iter().filter(|leak| !leak.subject.modifier.is_empty());
        modified
            .map(|leak| Key {
                modifier: leak.subject.modifier.clone(),
                ..Key::pooled(&leak.subject.corpus)
            })
            .collect()
    }

    /// Patterns with mutants or with false findings; and the pooled row of every corpus that has anything.
    fn pattern_keys(&self) -> BTreeSet<Key> {
        let mut keys = self.leak_keys("", |subject| Key::of_pattern(&subject.corpus, subject.pattern));
        for (subject, charges) in self.charged() {
            keys.insert(Key::pooled(&subject.corpus));
            if subject.modifier.is_empty() {
                keys.extend(charged_keys(&subject.corpus, charges));
            }
        }
        for module in self.clean {
            keys.insert(Key::pooled(&module.corpus));
            keys.extend(charged_keys(
                &module.corpus,
                module.findings.as_deref().unwrap_or_default(),
            ));
        }
        keys
    }
}

impl<'a> Leak<'a> {
    fn new(judged: &'a Judged<'a>, decoys: &BTreeMap<&str, Decoy>) -> Self {
        let twins = judged.subject.twins.iter();
        let verdicts: Vec<(Verdict, bool)> = twins
            .filter_map(|twin| Some((decoys.get(twin.id.as_str())?.judged.verdict, twin.primary)))
            .collect();
        Self {
            subject: judged.subject,
            charges: &judged.charges,
            tally: Tally::of(judged.verdict, judged.subject.witnessed, &verdicts),
        }
    }
}

fn twin_ids(subject: &Subject) -> impl Iterator<Item = &str> {
    subject.twins.iter().map(|twin| twin.id.as_str())
}

fn resource_key(subject: &Subject) -> Key {
    Key {
        resource: Some(subject.resource.clone()),
        ..Key::pooled(&subject.corpus)
    }
}

fn mutator_key(subject: &Subject) -> Key {
    Key {
        mutator: Some(subject.mutator.clone()),
        ..Key::of_pattern(&subject.corpus, subject.pattern)
    }
}

fn charged_keys(corpus: &str, charges: &[Charge]) -> Vec<Key> {
    let patterns = charges.iter().filter_map(|charge| match charge {
        Charge::Pattern(pattern) => Some(*pattern),
        Charge::Pooled => None,
    });
    patterns.map(|pattern| Key::of_pattern(corpus, pattern)).collect()
}

/// Sorted by the name that they are grouped by.
fn tallies<'a>(leaks: &[&Leak<'a>], name: impl Fn(&'a Subject) -> &'a String) -> Vec<Tally> {
    let mut groups: BTreeMap<&str, Tally> = BTreeMap::new();
    for leak in leaks {
        *groups.entry(name(leak.subject)).or_default() += leak.tally;
    }
    groups.into_values().collect()
}

fn counts(total: &Tally) -> Counts {
    Counts {
        n_mutants: total.all(),
        detected: total.detected,
        indifferent: total.indifferent,
        other_pattern: total.other_pattern,
        missed: total.missed,
        no_verdict: total.no_verdict,
        pairs: total.primary.count,
        pairs_hit: total.primary.hit,
        alarms: total.primary.alarms,
        pairs_told_apart: total.primary.told_apart,
        n_witnessed: total.witnessed,
        twin_pairs: total.twins.count,
        twin_alarms: total.twins.alarms,
        twin_pairs_told_apart: total.twins.told_apart,
        ..Counts::default()
    }
}

fn ratios(total: &Tally, by_module: &[Tally], resamples: usize) -> Ratios {
    let cluster = |tally: &Tally| Cluster {
        hits: tally.credited(),
        trials: tally.judged(),
    };
    let recall = proportion(&by_module.iter().map(cluster).collect::<Vec<_>>());
    let pairs: Vec<Pairs> = by_module.iter().map(|tally| tally.primary).collect();
    let on_pairs = PairIntervals::of(&pairs, resamples);
    Ratios {
        recall: recall.ratio,
        recall_interval: recall.interval,
        design_effect: recall.design_effect,
        recall_new: ratio(total.detected, total.judged()),
        recall_witnessed: ratio(total.witnessed_credited, total.witnessed_judged),
        recall_strict: ratio(total.credited(), total.all()),
        false_positive_rate: total.primary.false_positive_rate(),
        false_positive_rate_interval: on_pairs.false_positive_rate,
        youden: total.primary.youden(),
        youden_interval: on_pairs.youden,
        precision: total.primary.precision(),
        precision_interval: on_pairs.precision,
        discrimination: total.primary.discrimination(),
        discrimination_interval: on_pairs.discrimination,
        false_positive_rate_all_twins: total.twins.false_positive_rate(),
        discrimination_all_twins: total.twins.discrimination(),
        ..Ratios::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of mutators")]
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
