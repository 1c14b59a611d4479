//! `leakbench list`: what there is.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::arguments::pages;
use super::exit::{Exit, Failure};
use crate::console;
use crate::detect::suites;
use crate::lab::version;
use crate::leak::Pattern;
use crate::mutate::MODIFIERS;
use crate::report::{Column, Grid, Style};
use crate::tool::known_adapters;

/// Lists mutators with their modifiers, patterns, built-in detectors or external tools
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  leakbench list mutators\n  leakbench list patterns --format json")]
pub(super) struct List {
    #[arg(value_enum)]
    what: What,
    /// How the list is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Mutators,
    Patterns,
    Detectors,
    Tools,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Patterns of one rule that are named in a line.
const MOST_CLAIMS: usize = 2;

impl List {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (grid, values) = match self.what {
            What::Mutators => self.mutators()?,
            What::Patterns => patterns(),
            What::Detectors => detectors(),
            What::Tools => tools()?,
        };
        let colour = console::stdout_has_colour();
        let shown = match self.format {
            Format::Text => grid.as_text(Style { colour }),
            Format::Json => format!("{:#}\n", Value::Array(values)),
        };
        console::print(&shown)?;
        Ok(Exit::Done)
    }

    fn mutators(&self) -> Result<(Grid, Vec<Value>), Failure> {
        let pages = pages(self.mutators.as_deref())?;
        let mut grid = Grid::new(&["mutator", "effect", "pattern", "held against / twin of"].map(Column::left));
        let mut values = Vec::new();
        for page in pages.list() {
            let twins = page.primary.clone().unwrap_or_else(|| page.twin_of.join(", "));
            grid.rows.push(vec![
                page.id.clone(),
                page.effect.to_string(),
                page.pattern.to_string(),
                twins,
            ]);
            values.push(json!({
                "id": page.id,
                "pattern": page.pattern.id(),
                "effect": page.effect.word(),
                "strength": page.strength.word(),
                "primary": page.primary,
                "twin_of": page.twin_of,
                "built_in": page.built_in,
                "summary": page.summary,
            }));
        }
        for modifier in &MODIFIERS {
            let row = [modifier.id, "modifier", "that of the leak", "as the leak"];
            grid.rows.push(row.map(str::to_owned).to_vec());
            values.push(json!({ "id": modifier.id, "effect": "modifier", "built_in": true }));
        }
        Ok((grid, values))
    }
}

fn patterns() -> (Grid, Vec<Value>) {
    let mut grid = Grid::new(&["pattern", "CWE", "is"].map(Column::left));
    let mut values = Vec::new();
    for pattern in Pattern::ALL {
        let numbers: Vec<String> = pattern.cwe().iter().map(ToString::to_string).collect();
        grid.rows.push(vec![
            pattern.id().to_owned(),
            numbers.join(", "),
            pattern.summary().to_owned(),
        ]);
        values.push(json!({ "id": pattern.id(), "cwe": pattern.cwe(), "summary": pattern.summary() }));
    }
    (grid, values)
}

/// What is installed, and what each of its rules claims.
fn tools() -> Result<(Grid, Vec<Value>), Failure> {
    let mut grid = Grid::new(&["tool", "installed", "rule", "claims"].map(Column::left));
    let mut values = Vec::new();
    for adapter in known_adapters().map_err(Failure::usage)? {
        let version = version(&adapter);
        let installed = version.as_ref().map_or("-", String::as_str);
        for (rule, patterns) in &adapter.rules {
            let ids: Vec<&str> = patterns.iter().map(|pattern| pattern.id()).collect();
            let shown = if ids.len() > MOST_CLAIMS {
                format!(
                    "{}, and {} more",
                    ids[..MOST_CLAIMS].join(", "),
                    ids.len() - MOST_CLAIMS
                )
            } else {
                ids.join(", ")
            };
            grid.rows
                .push(vec![adapter.id.clone(), installed.to_owned(), rule.clone(), shown]);
        }
        if adapter.rules_by_name {
            let row = [
                adapter.id.as_str(),
                installed,
                "by name",
                "the pattern that a rule is called as",
            ];
            grid.rows.push(row.map(str::to_owned).to_vec());
        }
        let claims = adapter.claims().into_iter().flatten();
        let claims: Vec<&str> = claims.map(Pattern::id).collect();
        values.push(json!({
            "id": adapter.id,
            "about": adapter.about,
            "version": version.as_ref().ok(),
            "reason": version.as_ref().err().map(ToString::to_string),
            "claims": claims,
        }));
    }
    Ok((grid, values))
}

fn detectors() -> (Grid, Vec<Value>) {
    let mut grid = Grid::new(&["detector", "version"].map(Column::left));
    let mut values = Vec::new();
    for suite in suites() {
        grid.rows.push(vec![suite.id.to_owned(), suite.version.to_owned()]);
        values.push(json!({ "id": suite.id, "version": suite.version }));
    }
    (grid, values)
}
