//! `leakbench explain`: a mutator, a modifier, a pattern, a detector, or one mutant of a record.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::{pages, suggestion};
use super::exit::{Exit, Failure};
use crate::console;
use crate::detect::{Suite, explain, suites};
use crate::leak::Pattern;
use crate::mutate::MODIFIERS;
use crate::record::row::{MutantRow, OutcomeRow, split};
use crate::record::{Record, read_edits};
use crate::report::diff::unified;
use crate::report::{Column, Grid, Style};
use crate::tool::known_adapters;

/// Shows what an id stands for: a mutator's page, a pattern, or a mutant with its diff and who saw it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  leakbench explain drop-with\n  leakbench explain never-released\n  \
    leakbench explain 4be1c0ffee12 --record results/base"
)]
pub(super) struct Explain {
    /// A mutator, a modifier, a pattern, a detector, or a mutant's twelve hex digits
    id: String,
    /// The record that has the mutant
    #[arg(long, value_name = "DIR", default_value = "results/latest")]
    record: PathBuf,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let pages = pages(self.mutators.as_deref())?;
        let pattern: Result<Pattern, _> = self.id.parse();
        let suites = suites();
        let adapters = known_adapters().map_err(Failure::usage)?;
        let shown = if let Some(page) = pages.get(&self.id) {
            page.text.clone()
        } else if let Some(modifier) = MODIFIERS.iter().find(|modifier| modifier.id == self.id) {
            modifier.text.to_owned()
        } else if let Ok(pattern) = pattern {
            pattern_text(pattern)
        } else if let Some(suite) = suites.iter().find(|suite| suite.id == self.id) {
            suite_text(suite)
        } else if let Some(adapter) = adapters.iter().find(|adapter| adapter.id == self.id) {
            adapter.text.clone()
        } else if is_mutant_id(&self.id) {
            mutant_text(&self.id, &self.record)?
        } else {
            let ids = pages.list().iter().map(|page| page.id.as_str());
            let ids = ids
                .chain(MODIFIERS.iter().map(|modifier| modifier.id))
                .chain(Pattern::ALL.map(Pattern::id))
                .chain(suites.iter().map(|suite| suite.id))
                .chain(adapters.iter().map(|adapter| adapter.id.as_str()));
            let hint = suggestion(&self.id, ids);
            return Err(Failure::usage(format!(
                "{:?} is no mutator, modifier, pattern, detector, tool or mutant{hint}",
                self.id
            )));
        };
        console::print(&format!("{}\n", shown.trim_end()))?;
        Ok(Exit::Done)
    }
}

fn is_mutant_id(id: &str) -> bool {
    id.len() == 12
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn pattern_text(pattern: Pattern) -> String {
    let cwe: Vec<String> = pattern.cwe().iter().map(|number| format!("CWE-{number}")).collect();
    let head = format!("{} ({}): {}\n", pattern, cwe.join(", "), pattern.summary());
    explain(pattern).map_or(head, |page| page.to_owned() + "\n")
}

fn suite_text(suite: &Suite) -> String {
    format!(
        "{} {}: detectors of the program, measured under one name\n",
        suite.id, suite.version
    )
}

fn mutant_text(id: &str, dir: &Path) -> Result<String, Failure> {
    let record = Record::open(dir)?;
    let mutants: Vec<MutantRow> = record.rows()?;
    let Some(mutant) = mutants.iter().find(|row| row.id == id) else {
        return Err(Failure::usage(format!(
            "{} has no mutant {id}; its mutants.csv lists them",
            dir.display()
        )));
    };
    let mut text = facts(mutant);
    let edits = read_edits(dir)?;
    let diff = edits.iter().find(|row| row.id == id).and_then(unified);
    text.push_str(&diff.unwrap_or_else(|| "(the record does not hold its edits)\n".to_owned()));
    text.push('\n');
    text.push_str(&who_saw_it(&record, mutant)?);
    Ok(text)
}

fn facts(mutant: &MutantRow) -> String {
    let mut text = format!("{} {} ({})\n", mutant.id, mutant.mutator, mutant.effect);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<12}{value}");
        }
    };
    line("modifier", &mutant.modifier);
    line("pattern", &mutant.pattern);
    line("resource", &mutant.resource);
    line("where", &format!("{}/{}:{}", mutant.corpus, mutant.module, mutant.line));
    line("in", &mutant.qualname);
    line("twin of", &split(&mutant.twin_of).collect::<Vec<_>>().join(", "));
    line("same as", &mutant.duplicate_of);
    text.push('\n');
    text
}

fn who_saw_it(record: &Record, mutant: &MutantRow) -> Result<String, Failure> {
    let id = if mutant.duplicate_of.is_empty() {
        &mutant.id
    } else {
        &mutant.duplicate_of
    };
    let outcomes: Vec<OutcomeRow> = record.rows()?;
    let mut grid = Grid::new(&["detector", "verdict", "rule", "confidence", "reason"].map(Column::left));
    for row in outcomes.into_iter().filter(|row| row.id == *id) {
        grid.rows
            .push(vec![row.detector, row.verdict, row.rule, row.confidence, row.reason]);
    }
    Ok(grid.as_text(Style {
        colour: console::stdout_has_colour(),
    }))
}
