//! `leakbench gate`: thresholds and a baseline, for a build that must fail when detection gets worse.
//!
//! Never green on nothing: what was not measured passes no threshold.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::arguments::{pattern, suggestion};
use super::compare::{Pair, count};
use super::exit::{Exit, Failure};
use crate::console;
use crate::judge::row::Cell;
use crate::leak::Pattern;
use crate::record::{POOLED, Record, ScoreLine, ScoreTable, Tables};
use crate::report::{Column, Grid, Style};

/// Figures of which less is better: only `--fail-over` makes sense for them.
const LESS_IS_BETTER: [&str; 3] = [
    "false_positive_rate",
    "false_positive_rate_all_twins",
    "alarms_per_kloc",
];

/// One mutant in this many without a verdict is too many.
const NO_VERDICT_BUDGET: u64 = 10;

/// Passes or fails a record by thresholds, and by what it lost against a baseline
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 passed · 1 failed · 2 usage · 3 too few verdicts · 4 records do not fit · 5 nothing measured\n\n\
    Examples:\n  \
    leakbench gate results/latest --fail-under recall=0.9 --fail-under precision=0.95\n  \
    leakbench gate results/latest --fail-over false_positive_rate=0.05 --pattern never-released\n  \
    leakbench gate results/latest --baseline results/reference --max-lost 0"
)]
pub(super) struct Gate {
    /// The record to judge
    record: PathBuf,
    /// Fails if this figure is less than X, as in recall=0.9; may be given several times
    #[arg(long, value_name = "METRIC=X")]
    fail_under: Vec<Threshold>,
    /// Fails if this figure is more than X, as in alarms=3
    #[arg(long, value_name = "METRIC=X")]
    fail_over: Vec<Threshold>,
    #[arg(long, value_name = "ID", default_value = "leakbench")]
    detector: String,
    /// Holds the thresholds against this pattern instead of all together; may be given several times
    #[arg(long = "pattern", value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    /// Fails if more mutants than this were found in the baseline and are no longer
    #[arg(long, value_name = "N", requires = "baseline")]
    max_lost: Option<usize>,
    /// The record that --max-lost compares with
    #[arg(long, value_name = "RECORD", requires = "max_lost")]
    baseline: Option<PathBuf>,
    /// With fewer leak mutants than this nothing is said
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_mutants: u64,
}

#[derive(Clone, Debug)]
struct Threshold {
    metric: String,
    limit: f64,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (metric, limit) = text.split_once('=').ok_or("wanted METRIC=X, as in recall=0.9")?;
        let limit: f64 = limit.trim().parse().map_err(|_| format!("{limit:?} is no number"))?;
        if !limit.is_finite() {
            return Err(format!("{limit} is no limit"));
        }
        let metric = metric.trim().to_owned();
        let columns: Vec<&str> = ScoreTable::Scores.columns();
        let figures = &columns[ScoreTable::Scores.keys().len()..];
        if !figures.contains(&metric.as_str()) {
            let hint = suggestion(&metric, figures.iter().copied());
            return Err(format!(
                "no figure is called {metric:?}{hint}; results/README.md defines all"
            ));
        }
        Ok(Self { metric, limit })
    }
}

/// One thing that was looked at.
struct Check {
    what: String,
    of: String,
    value: String,
    limit: String,
    passed: bool,
}

impl Gate {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.refuse_nonsense()?;
        let record = Record::open(&self.record)?;
        if !record.meta.complete {
            let message = format!(
                "{} is incomplete: {}; run again",
                self.record.display(),
                record.meta.exit_reason
            );
            return Err(Failure::new(Exit::Inconsistent, message));
        }
        let tables = Tables::read(&record)?;
        let lines = self.lines(&tables)?;
        let mut checks = Vec::new();
        for line in lines {
            self.enough(line)?;
            for (thresholds, under) in [(&self.fail_under, true), (&self.fail_over, false)] {
                for threshold in thresholds {
                    checks.push(check(line, threshold, under)?);
                }
            }
        }
        checks.extend(self.lost()?);
        console::print(&shown(&checks))?;
        let passed = checks.iter().all(|check| check.passed);
        Ok(if passed { Exit::Done } else { Exit::Failed })
    }

    fn refuse_nonsense(&self) -> Result<(), Failure> {
        if self.fail_under.is_empty() && self.fail_over.is_empty() && self.max_lost.is_none() {
            return Err(Failure::usage(
                "nothing to hold the record against; give --fail-under, --fail-over or --max-lost",
            ));
        }
        let upside_down = self
            .fail_under
            .iter()
            .find(|threshold| LESS_IS_BETTER.contains(&threshold.metric.as_str()));
        upside_down.map_or(Ok(()), |threshold| {
            let Threshold { metric, limit } = threshold;
            Err(Failure::usage(format!(
                "of {metric} less is better; did you mean --fail-over {metric}={limit}?"
            )))
        })
    }

    /// Of the detector, in every corpus, for each wanted pattern.
    fn lines<'t>(&self, tables: &'t Tables) -> Result<Vec<&'t ScoreLine>, Failure> {
        let mut of_detector = tables.scores.iter().filter(|line| line.is_overall()).peekable();
        if of_detector.peek().is_none() {
            return Err(self.nothing("no scores at all"));
        }
        let lines: Vec<&ScoreLine> = of_detector.filter(|line| line.detector == self.detector).collect();
        if lines.is_empty() {
            let known: Vec<&str> = tables.scores.iter().map(|line| line.detector.as_str()).collect();
            let hint = suggestion(&self.detector, known);
            return Err(Failure::usage(format!(
                "the record has no detector {:?}{hint}",
                self.detector
            )));
        }
        let mut wanted: Vec<&str> = self.patterns.iter().map(|pattern| pattern.id()).collect();
        if wanted.is_empty() {
            wanted.push(POOLED);
        }
        let mut chosen = Vec::new();
        for pattern in wanted {
            let of_pattern: Vec<&ScoreLine> = lines.iter().filter(|line| line.pattern == pattern).copied().collect();
            if of_pattern.is_empty() {
                return Err(self.nothing(&format!("no mutant of {pattern}")));
            }
            chosen.extend(of_pattern);
        }
        Ok(chosen)
    }

    fn nothing(&self, what: &str) -> Failure {
        Failure::new(
            Exit::Nothing,
            format!("{} holds {what}, so nothing can be said", self.record.display()),
        )
    }

    fn enough(&self, line: &ScoreLine) -> Result<(), Failure> {
        let (all, silent) = (line.count("n_mutants"), line.count("no_verdict"));
        let of = described(line);
        if all < self.min_mutants.max(1) {
            let message = format!(
                "{of}: {all} leak mutants, fewer than --min-mutants {}",
                self.min_mutants.max(1)
            );
            return Err(Failure::new(Exit::Nothing, message));
        }
        if silent * NO_VERDICT_BUDGET > all {
            let message =
                format!("{of}: {silent} of {all} mutants have no verdict, more than one in ten; outcomes.csv says why");
            return Err(Failure::new(Exit::Detector, message));
        }
        Ok(())
    }

    /// A verdict that got lost is a loss as well.
    fn lost(&self) -> Result<Option<Check>, Failure> {
        let (Some(limit), Some(baseline)) = (self.max_lost, &self.baseline) else {
            return Ok(None);
        };
        let pair = Pair::open(baseline, &self.record)?;
        if !pair.detectors().contains(&self.detector.as_str()) {
            let message = format!("{} has nothing of {}", baseline.display(), self.detector);
            return Err(Failure::new(Exit::Inconsistent, message));
        }
        let comparison = pair.compare(&self.detector);
        if count(&comparison.leaks) == 0 {
            return Err(self.nothing("no judged leak mutant that the baseline has"));
        }
        let mut lost = comparison.leaks.lost;
        lost.extend(comparison.verdicts_lost);
        for id in &lost {
            console::note(&format!("lost: {id}"));
        }
        Ok(Some(Check {
            what: "lost".to_owned(),
            of: format!("{} against {}", self.detector, baseline.display()),
            value: lost.len().to_string(),
            limit: format!("≤ {limit}"),
            passed: lost.len() <= limit,
        }))
    }
}

fn described(line: &ScoreLine) -> String {
    let pattern = if line.pattern == POOLED {
        "all patterns"
    } else {
        &line.pattern
    };
    format!("{}, {pattern}, {}", line.detector, line.corpus)
}

#[expect(clippy::cast_precision_loss, reason = "counts of mutants are far below 2^52")]
fn check(line: &ScoreLine, threshold: &Threshold, under: bool) -> Result<Check, Failure> {
    let Threshold { metric, limit } = threshold;
    let value = match line.figure(metric) {
        Some(Cell::Count(count)) => Some(count as f64),
        Some(Cell::Ratio(ratio)) => ratio,
        None => None,
    };
    let of = described(line);
    let value = value.ok_or_else(|| Failure::new(Exit::Nothing, format!("{metric} of {of} was not measured")))?;
    Ok(Check {
        what: metric.clone(),
        of,
        value: number(value),
        limit: format!("{} {}", if under { "≥" } else { "≤" }, number(*limit)),
        passed: if under { value >= *limit } else { value <= *limit },
    })
}

fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.passed { "pass" } else { "FAIL" })
    }
}

fn shown(checks: &[Check]) -> String {
    let mut grid = Grid::new(&[
        Column::left("gate"),
        Column::left("figure"),
        Column::right("is"),
        Column::left("wanted"),
        Column::left("of"),
    ]);
    for check in checks {
        let cells = [
            check.to_string(),
            check.what.clone(),
            check.value.clone(),
            check.limit.clone(),
            check.of.clone(),
        ];
        grid.rows.push(cells.to_vec());
    }
    grid.as_text(Style {
        colour: console::stdout_has_colour(),
    })
}
