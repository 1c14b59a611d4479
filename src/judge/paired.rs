//! Two runs on the same mutants: which were lost and gained, and whether that is chance.

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{Binomial, DiscreteCDF};

use super::{Judged, Subject, Verdict};
use crate::leak::{Effect, Pattern};

/// One mutant that both runs judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub id: &'a str,
    /// What chance is computed over, as [`Subject::module`].
    pub module: &'a str,
    /// Whether the first and the second run were right on it.
    pub before: bool,
    pub after: bool,
}

/// Ids sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// Right before, wrong after.
    pub lost: Vec<String>,
    /// Wrong before, right after.
    pub gained: Vec<String>,
    pub unchanged: Vec<String>,
    /// How often chance alone makes a difference this large: [`chance`].
    pub p_value: f64,
    /// The same if every mutant were independent: [`mcnemar`]. Too small where mutants share modules.
    pub p_if_independent: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PatternDifference {
    pub pattern: Pattern,
    /// Of its leak mutants.
    pub difference: Difference,
    /// `difference.p_value` after Holm, over all patterns here.
    pub p_holm: f64,
}

/// Everything by sorted ids. Contested mutants are in none of it; mutants with modifiers are, each by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Leak mutants that both runs judged; right is credited (detected or indifferent).
    pub leaks: Difference,
    /// The same per pattern.
    pub by_pattern: Vec<PatternDifference>,
    /// Decoys that both runs judged; right is silent.
    pub decoys: Difference,
    /// Judged before, no verdict after.
    pub verdicts_lost: Vec<String>,
    /// No verdict before, judged after.
    pub verdicts_gained: Vec<String>,
    /// No verdict in either.
    pub never_judged: Vec<String>,
    pub only_before: Vec<String>,
    pub only_after: Vec<String>,
    /// In both under one id, but with another pattern or effect: the page or its label has changed.
    pub changed: Vec<String>,
}

/// Both of one detector. Mutants are the same if their ids are.
pub fn compare(before: &[Judged], after: &[Judged]) -> Comparison {
    let (before, after) = (by_id(before), by_id(after));
    let both: Vec<Both> = before
        .iter()
        .filter_map(|(id, old)| after.get(id).map(|new| Both { old, new }))
        .collect();
    let (same, changed): (Vec<Both>, Vec<Both>) = both.into_iter().partition(Both::is_same_label);
    let verdicts = |old: bool, new: bool| ids(same.iter().filter(move |both| both.judged() == (old, new)));
    let judged: Vec<&Both> = same.iter().filter(|both| both.judged() == (true, true)).collect();
    Comparison {
        leaks: difference(&changes(&judged, |subject| subject.effect == Effect::Leak)),
        by_pattern: by_pattern(&judged),
        decoys: difference(&changes(&judged, |subject| subject.effect == Effect::Safe)),
        verdicts_lost: verdicts(true, false),
        verdicts_gained: verdicts(false, true),
        never_judged: verdicts(false, false),
        only_before: missing_in(&before, &after),
        only_after: missing_in(&after, &before),
        changed: ids(changed.iter()),
    }
}

type ById<'a> = BTreeMap<&'a str, &'a Judged<'a>>;

fn by_id<'a>(judged: &'a [Judged<'a>]) -> ById<'a> {
    let counted = judged
        .iter()
        .filter(|judged| judged.subject.effect != Effect::Contested);
    counted.map(|judged| (judged.subject.id.as_str(), judged)).collect()
}

fn missing_in(here: &ById, there: &ById) -> Vec<String> {
    let missing = here.keys().filter(|id| !there.contains_key(*id));
    missing.map(|id| (*id).to_owned()).collect()
}

struct Both<'a> {
    old: &'a Judged<'a>,
    new: &'a Judged<'a>,
}

impl Both<'_> {
    fn is_same_label(&self) -> bool {
        let (old, new) = (self.old.subject, self.new.subject);
        (old.pattern, old.effect) == (new.pattern, new.effect)
    }

    fn judged(&self) -> (bool, bool) {
        (self.old.verdict.is_judged(), self.new.verdict.is_judged())
    }
}

fn ids<'a>(all: impl Iterator<Item = &'a Both<'a>>) -> Vec<String> {
    all.map(|both| both.new.subject.id.clone()).collect()
}

fn changes<'a>(judged: &[&Both<'a>], is_wanted: impl Fn(&Subject) -> bool) -> Vec<Change<'a>> {
    let wanted = judged.iter().filter(|both| is_wanted(both.new.subject));
    wanted
        .map(|both| Change {
            id: &both.new.subject.id,
            module: &both.new.subject.module,
            before: is_right(both.old.verdict),
            after: is_right(both.new.verdict),
        })
        .collect()
}

fn is_right(verdict: Verdict) -> bool {
    verdict.is_credited() || verdict == Verdict::Silent
}

fn by_pattern(judged: &[&Both]) -> Vec<PatternDifference> {
    let leaks = judged.iter().map(|both| both.new.subject);
    let leaks = leaks.filter(|subject| subject.effect == Effect::Leak);
    let patterns: BTreeSet<Pattern> = leaks.map(|subject| subject.pattern).collect();
    let of = |pattern| {
        let is_wanted = |subject: &Subject| subject.effect == Effect::Leak && subject.pattern == pattern;
        difference(&changes(judged, is_wanted))
    };
    let differences: Vec<Difference> = patterns.iter().map(|pattern| of(*pattern)).collect();
    let adjusted = holm(
        &differences
            .iter()
            .map(|difference| difference.p_value)
            .collect::<Vec<_>>(),
    );
    let rows = patterns.into_iter().zip(differences).zip(adjusted);
    rows.map(|((pattern, difference), p_holm)| PatternDifference {
        pattern,
        difference,
        p_holm,
    })
    .collect()
}

/// The order of `changes` does not matter.
pub fn difference(changes: &[Change]) -> Difference {
    let with = |before, after| {
        let found = changes
            .iter()
            .filter(|change| (change.before, change.after) == (before, after));
        let ids: BTreeSet<&str> = found.map(|change| change.id).collect();
        ids.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let (lost, gained) = (with(true, false), with(false, true));
    let unchanged: BTreeSet<String> = with(true, true).into_iter().chain(with(false, false)).collect();
    Difference {
        p_value: chance(changes),
        p_if_independent: mcnemar(lost.len() as u64, gained.len() as u64),
        lost,
        gained,
        unchanged: unchanged.into_iter().collect(),
    }
}

/// How often chance alone makes a difference this large, if modules are independent: [`sign_flip`].
pub fn chance(changes: &[Change]) -> f64 {
    let mut by_module: BTreeMap<&str, i64> = BTreeMap::new();
    for change in changes {
        *by_module.entry(change.module).or_default() += i64::from(change.after) - i64::from(change.before);
    }
    sign_flip(&by_module.into_values().collect::<Vec<_>>())
}

/// Two-sided p-value of the sum of `differences` (one per module) if each might as well have had the
/// other sign. Exact for any number of modules: the differences are whole numbers, so the sums of all
/// 2^n sign flips are counted instead of drawn. 1 without any difference.
pub fn sign_flip(differences: &[i64]) -> f64 {
    let observed = differences.iter().sum::<i64>().unsigned_abs();
    // chances[s]: that the modules which keep a plus sum up to s; the flipped sum is then 2s - total.
    let mut chances = vec![1.0_f64];
    let sizes = differences.iter().map(|difference| difference.unsigned_abs());
    for size in sizes.filter(|size| *size > 0) {
        chances = add_module(&chances, usize::try_from(size).expect("differences count mutants"));
    }
    let total = (chances.len() - 1) as u64;
    let as_extreme = |sum: u64| (2 * sum).abs_diff(total) >= observed;
    let sums = (0_u64..).zip(&chances);
    let p: f64 = sums.filter(|(sum, _)| as_extreme(*sum)).map(|(_, chance)| chance).sum();
    p.min(1.0)
}

fn add_module(chances: &[f64], size: usize) -> Vec<f64> {
    let mut with = vec![0.0; chances.len() + size];
    for (sum, chance) in chances.iter().enumerate() {
        with[sum] += chance / 2.0;
        with[sum + size] += chance / 2.0;
    }
    with
}

/// The exact two-sided p-value of a change in paired outcomes, which takes all mutants for independent. 1 without any change.
pub fn mcnemar(lost: u64, gained: u64) -> f64 {
    let coin = Binomial::new(0.5, lost + gained).expect("a half is a probability");
    (2.0 * coin.cdf(lost.min(gained))).min(1.0)
}

/// Holm's adjustment of p-values for having looked at all of them, in their order.
#[expect(clippy::cast_precision_loss, reason = "a count of patterns")]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(p_values[at] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}
