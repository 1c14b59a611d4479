//! `leakbench compare`: what one record found and another lost, on the mutants that both have.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use crate::console;
use crate::judge::paired::{Comparison, Difference, compare};
use crate::record::row::MutantRow;
use crate::record::{Judgements, Record};
use crate::report::{Column, Grid, Style};

/// Compares two records on the mutants that both have: lost, gained, and whether it may be chance
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  leakbench compare results/base results/new\n  \
    leakbench compare results/base results/new --detector leakbench --format json")]
pub(super) struct Compare {
    base: PathBuf,
    new: PathBuf,
    /// Only this detector
    #[arg(long, value_name = "ID")]
    detector: Option<String>,
    /// How the comparison is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Two records that may be compared.
pub(super) struct Pair {
    pub(super) base: Judgements,
    pub(super) new: Judgements,
}

impl Pair {
    /// Refuses records under different judging rules: their verdicts mean different things.
    pub(super) fn open(base: &Path, new: &Path) -> Result<Self, Failure> {
        let (base, new) = (Record::open(base)?, Record::open(new)?);
        let (one, other) = (base.meta.judging_rules, new.meta.judging_rules);
        if one != other {
            let message = format!(
                "{} was judged by rules {one}, {} by rules {other}; run both with one version",
                base.dir.display(),
                new.dir.display()
            );
            return Err(Failure::new(Exit::Inconsistent, message));
        }
        for record in [&base, &new] {
            if !record.meta.complete {
                console::warning(&format!(
                    "{} is incomplete: {}",
                    record.dir.display(),
                    record.meta.exit_reason
                ));
            }
        }
        Ok(Self {
            base: Judgements::read(&base)?,
            new: Judgements::read(&new)?,
        })
    }

    /// Those that both records have.
    pub(super) fn detectors(&self) -> Vec<&str> {
        let known: Vec<&str> = self.new.detectors().collect();
        self.base
            .detectors()
            .filter(|detector| known.contains(detector))
            .collect()
    }

    pub(super) fn compare(&self, detector: &str) -> Comparison {
        compare(&self.base.of(detector), &self.new.of(detector))
    }
}

impl Compare {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let pair = Pair::open(&self.base, &self.new)?;
        let mut detectors = pair.detectors();
        if let Some(wanted) = &self.detector {
            detectors.retain(|detector| detector == wanted);
        }
        if detectors.is_empty() {
            return Err(Failure::new(
                Exit::Inconsistent,
                "the records have no such detector in common",
            ));
        }
        let comparisons: Vec<(&str, Comparison)> = detectors
            .into_iter()
            .map(|detector| (detector, pair.compare(detector)))
            .collect();
        let compared = comparisons.iter().any(|(_, comparison)| has_mutants(comparison));
        let shown = match self.format {
            Format::Text => text(&pair, &comparisons),
            Format::Json => json(&comparisons),
        };
        console::print(&shown)?;
        if compared {
            return Ok(Exit::Done);
        }
        Err(Failure::new(
            Exit::Nothing,
            "the records have no judged mutant in common, so nothing was compared",
        ))
    }
}

fn has_mutants(comparison: &Comparison) -> bool {
    [&comparison.leaks, &comparison.decoys]
        .into_iter()
        .any(|difference| count(difference) > 0)
}

/// How many mutants both runs judged.
pub(super) fn count(difference: &Difference) -> usize {
    difference.lost.len() + difference.gained.len() + difference.unchanged.len()
}

fn text(pair: &Pair, comparisons: &[(&str, Comparison)]) -> String {
    let columns = [
        Column::left("detector"),
        Column::left("on"),
        Column::right("both"),
        Column::right("lost"),
        Column::right("gained"),
        Column::right("p"),
        Column::right("p (Holm)"),
        Column::right("if independent"),
    ];
    let mut grid = Grid::new(&columns);
    for (detector, comparison) in comparisons {
        let leaks = row(detector, "all leaks", &comparison.leaks, None);
        let patterns = comparison.by_pattern.iter();
        let patterns = patterns.map(|of| row(detector, of.pattern.id(), &of.difference, Some(of.p_holm)));
        grid.rows.push(leaks);
        grid.rows.extend(patterns);
        grid.rows.push(row(detector, "safe decoys", &comparison.decoys, None));
    }
    let colour = console::stdout_has_colour();
    let mut text = grid.as_text(Style { colour });
    text.push_str("  lost: right in the first record, wrong in the second; gained: the other way round\n");
    text.push_str("  p: how often chance alone differs as much, if modules are independent (sign-flip permutation)\n");
    let mutants: BTreeMap<&str, &MutantRow> = pair
        .base
        .mutants
        .iter()
        .chain(&pair.new.mutants)
        .map(|row| (row.id.as_str(), row))
        .collect();
    for (detector, comparison) in comparisons {
        for (title, ids) in lists(comparison) {
            text.push_str(&listed(detector, title, ids, &mutants));
        }
    }
    text
}

fn row(detector: &str, on: &str, difference: &Difference, p_holm: Option<f64>) -> Vec<String> {
    let p = |p: f64| format!("{p:.4}");
    vec![
        detector.to_owned(),
        on.to_owned(),
        count(difference).to_string(),
        difference.lost.len().to_string(),
        difference.gained.len().to_string(),
        p(difference.p_value),
        p_holm.map(p).unwrap_or_default(),
        p(difference.p_if_independent),
    ]
}

fn lists(comparison: &Comparison) -> [(&'static str, &[String]); 9] {
    [
        ("leaks lost", &comparison.leaks.lost),
        ("leaks gained", &comparison.leaks.gained),
        ("decoys lost (a new false alarm)", &comparison.decoys.lost),
        ("decoys gained", &comparison.decoys.gained),
        ("no verdict any more", &comparison.verdicts_lost),
        ("a verdict now", &comparison.verdicts_gained),
        ("only in the first record", &comparison.only_before),
        ("only in the second record", &comparison.only_after),
        ("changed label", &comparison.changed),
    ]
}

fn listed(detector: &str, title: &str, ids: &[String], mutants: &BTreeMap<&str, &MutantRow>) -> String {
    /// Ids shown of each list; the JSON form has all.
    const SHOWN: usize = 20;
    if ids.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{detector}: {title}: {}\n", ids.len());
    for id in ids.iter().take(SHOWN) {
        let place = mutants.get(id.as_str()).map_or_else(String::new, |row| {
            format!(
                "  {}  {}/{}:{} {}",
                row.mutator, row.corpus, row.module, row.line, row.qualname
            )
        });
        let _ = writeln!(text, "  {id}{place}");
    }
    if ids.len() > SHOWN {
        let _ = writeln!(text, "  and {} more (--format json lists all)", ids.len() - SHOWN);
    }
    text
}

fn json(comparisons: &[(&str, Comparison)]) -> String {
    let difference = |difference: &Difference| {
        json!({
            "lost": difference.lost,
            "gained": difference.gained,
            "unchanged": difference.unchanged,
            "p_value": difference.p_value,
            "p_if_independent": difference.p_if_independent,
        })
    };
    let values: Vec<Value> = comparisons
        .iter()
        .map(|(detector, of)| {
            let patterns = of.by_pattern.iter().map(|of| {
                json!({
                    "pattern": of.pattern.id(),
                    "p_holm": of.p_holm,
                    "difference": difference(&of.difference),
                })
            });
            json!({
                "detector": detector,
                "leaks": difference(&of.leaks),
                "by_pattern": patterns.collect::<Vec<_>>(),
                "decoys": difference(&of.decoys),
                "verdicts_lost": of.verdicts_lost,
                "verdicts_gained": of.verdicts_gained,
                "never_judged": of.never_judged,
                "only_in_base": of.only_before,
                "only_in_new": of.only_after,
                "changed": of.changed,
            })
        })
        .collect();
    format!("{:#}\n", Value::Array(values))
}
