//! The rows of scores, and their columns by name.

use super::Subject;
use super::interval::Interval;
use crate::leak::Pattern;

/// What a row is about. `None` is the pooled `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub corpus: String,
    pub pattern: Option<Pattern>,
    pub mutator: Option<String>,
    pub resource: Option<String>,
    /// Empty: the base mutants alone.
    pub modifier: String,
}

impl Key {
    /// Every base mutant of a corpus.
    pub fn pooled(corpus: &str) -> Self {
        Self {
            corpus: corpus.to_owned(),
            pattern: None,
            mutator: None,
            resource: None,
            modifier: String::new(),
        }
    }

    pub fn of_pattern(corpus: &str, pattern: Pattern) -> Self {
        Self {
            pattern: Some(pattern),
            ..Self::pooled(corpus)
        }
    }

    /// Whether the row counts this mutant.
    pub fn has(&self, subject: &Subject) -> bool {
        let matches = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        self.corpus == subject.corpus
            && self.modifier == subject.modifier
            && self.pattern.is_none_or(|pattern| pattern == subject.pattern)
            && matches(&self.mutator, &subject.mutator)
            && matches(&self.resource, &subject.resource)
    }

    /// A pattern's row or the pooled one: those that clean code is charged to.
    pub(super) fn is_headline(&self) -> bool {
        self.mutator.is_none() && self.resource.is_none() && self.modifier.is_empty()
    }
}

/// Counts of one row. Leak mutants, but for the last three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The sum of the five verdicts.
    pub n_mutants: u64,
    /// Modules (packages, on wild corpora) that they come from.
    pub n_modules: u64,
    pub detected: u64,
    pub indifferent: u64,
    pub other_pattern: u64,
    pub missed: u64,
    pub no_verdict: u64,
    /// Leak and primary decoy, both judged.
    pub pairs: u64,
    /// Pairs whose leak is credited.
    pub pairs_hit: u64,
    /// Pairs whose decoy gave an alarm.
    pub alarms: u64,
    /// Pairs whose leak is detected and whose decoy is silent.
    pub pairs_told_apart: u64,
    /// Leak and any decoy at its site, both judged.
    pub twin_pairs: u64,
    pub twin_alarms: u64,
    pub twin_pairs_told_apart: u64,
    /// New findings away from any region, on mutants and decoys.
    pub new_elsewhere: u64,
    /// Findings on modules of the natural mix that are known to be clean.
    pub clean_alarms: u64,
    /// Findings on modules that nobody has shown to be clean.
    pub untriaged: u64,
    /// Leak mutants whose label a run of the code has shown.
    pub n_witnessed: u64,
}

/// Ratios of one row; `None` is 0/0, or an interval that the data cannot carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ratios {
    pub recall: Option<f64>,
    pub recall_interval: Option<Interval>,
    pub recall_new: Option<f64>,
    pub recall_strict: Option<f64>,
    pub macro_recall: Option<f64>,
    pub false_positive_rate: Option<f64>,
    pub false_positive_rate_interval: Option<Interval>,
    pub youden: Option<f64>,
    pub youden_interval: Option<Interval>,
    pub precision: Option<f64>,
    pub precision_interval: Option<Interval>,
    pub precision_at_base_rate: Option<f64>,
    pub precision_in_run: Option<f64>,
    pub discrimination: Option<f64>,
    pub discrimination_interval: Option<Interval>,
    pub alarms_per_kloc: Option<f64>,
    /// Of `recall`: how many times its variance exceeds that of as many independent mutants.
    pub design_effect: Option<f64>,
    pub false_positive_rate_all_twins: Option<f64>,
    pub discrimination_all_twins: Option<f64>,
    /// Recall on the witnessed leak mutants alone.
    pub recall_witnessed: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub key: Key,
    pub counts: Counts,
    pub ratios: Ratios,
}

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Count(u64),
    /// `None` is an empty field.
    Ratio(Option<f64>),
}

impl Row {
    /// Every column after the key, by its name in `scores.csv` and in that order.
    pub fn cells(&self) -> Vec<(&'static str, Cell)> {
        [self.listed_cells(), self.appended_cells()].concat()
    }

    /// One column by name, for thresholds; `None` if there is no such column.
    pub fn metric(&self, name: &str) -> Option<Cell> {
        let named = self.cells().into_iter().find(|(column, _)| *column == name);
        named.map(|(_, cell)| cell)
    }

    fn listed_cells(&self) -> Vec<(&'static str, Cell)> {
        let (counts, ratios) = (&self.counts, &self.ratios);
        vec![
            ("n_mutants", Cell::Count(counts.n_mutants)),
            ("n_modules", Cell::Count(counts.n_modules)),
            ("detected", Cell::Count(counts.detected)),
            ("indifferent", Cell::Count(counts.indifferent)),
            ("other_pattern", Cell::Count(counts.other_pattern)),
            ("missed", Cell::Count(counts.missed)),
            ("no_verdict", Cell::Count(counts.no_verdict)),
            ("pairs", Cell::Count(counts.pairs)),
            ("alarms", Cell::Count(counts.alarms)),
            ("pairs_told_apart", Cell::Count(counts.pairs_told_apart)),
            ("recall", Cell::Ratio(ratios.recall)),
            ("recall_low", low(ratios.recall_interval)),
            ("recall_high", high(ratios.recall_interval)),
            ("recall_new", Cell::Ratio(ratios.recall_new)),
            ("recall_strict", Cell::Ratio(ratios.recall_strict)),
            ("macro_recall", Cell::Ratio(ratios.macro_recall)),
            ("false_positive_rate", Cell::Ratio(ratios.false_positive_rate)),
            ("youden", Cell::Ratio(ratios.youden)),
            ("precision", Cell::Ratio(ratios.precision)),
            ("precision_low", low(ratios.precision_interval)),
            ("precision_high", high(ratios.precision_interval)),
            ("precision_at_base_rate", Cell::Ratio(ratios.precision_at_base_rate)),
            ("precision_in_run", Cell::Ratio(ratios.precision_in_run)),
            ("discrimination", Cell::Ratio(ratios.discrimination)),
            ("alarms_per_kloc", Cell::Ratio(ratios.alarms_per_kloc)),
            ("design_effect", Cell::Ratio(ratios.design_effect)),
        ]
    }

    /// Columns beyond DESIGN's list; further ones go to the end.
    fn appended_cells(&self) -> Vec<(&'static str, Cell)> {
        let (counts, ratios) = (&self.counts, &self.ratios);
        vec![
            ("youden_low", low(ratios.youden_interval)),
            ("youden_high", high(ratios.youden_interval)),
            ("discrimination_low", low(ratios.discrimination_interval)),
            ("discrimination_high", high(ratios.discrimination_interval)),
            ("false_positive_rate_low", low(ratios.false_positive_rate_interval)),
            ("false_positive_rate_high", high(ratios.false_positive_rate_interval)),
            ("pairs_hit", Cell::Count(counts.pairs_hit)),
            ("twin_pairs", Cell::Count(counts.twin_pairs)),
            ("twin_alarms", Cell::Count(counts.twin_alarms)),
            ("twin_pairs_told_apart", Cell::Count(counts.twin_pairs_told_apart)),
            (
                "false_positive_rate_all_twins",
                Cell::Ratio(ratios.false_positive_rate_all_twins),
            ),
            ("discrimination_all_twins", Cell::Ratio(ratios.discrimination_all_twins)),
            ("new_elsewhere", Cell::Count(counts.new_elsewhere)),
            ("clean_alarms", Cell::Count(counts.clean_alarms)),
            ("untriaged", Cell::Count(counts.untriaged)),
            ("n_witnessed", Cell::Count(counts.n_witnessed)),
            ("recall_witnessed", Cell::Ratio(ratios.recall_witnessed)),
        ]
    }
}

fn low(interval: Option<Interval>) -> Cell {
    Cell::Ratio(interval.map(|interval| interval.low))
}

fn high(interval: Option<Interval>) -> Cell {
    Cell::Ratio(interval.map(|interval| interval.high))
}
