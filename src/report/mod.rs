//! What people read: a record as terminal table, Markdown, JSON or CSV; findings as text, JSON or SARIF.
//!
//! Text in memory only; whoever calls decides where it goes. Computes no score: it shows those of the record.

pub mod diff;
pub mod findings;
mod grid;
mod sections;
mod side_by_side;
pub mod verify;

use serde_json::{Map, Value, json};

pub use grid::{Align, Column, Grid};
pub use sections::{Section, sections};

use crate::judge::row::Cell;
use crate::record::{Meta, ScoreLine, ScoreTable, Tables, scores_csv};

/// How a terminal table looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub colour: bool,
}

/// For a terminal of 100 columns.
pub fn table(tables: &Tables, meta: &Meta, style: Style) -> String {
    let mut text = String::new();
    for section in sections(tables, meta) {
        text.push_str(&section.as_text(style));
        text.push('\n');
    }
    text
}

pub fn markdown(tables: &Tables, meta: &Meta) -> String {
    let sections = sections(tables, meta);
    let parts: Vec<String> = sections.iter().map(Section::as_markdown).collect();
    parts.join("\n")
}

/// `scores.csv`, as in the record.
pub fn csv(tables: &Tables) -> String {
    scores_csv(ScoreTable::Scores, &tables.scores)
}

pub fn json(tables: &Tables, meta: &Meta) -> String {
    let lines = |table| -> Vec<Value> {
        tables
            .score_lines(table)
            .iter()
            .map(|line| object(table, line))
            .collect()
    };
    let value = json!({
        "run": meta,
        "scores": lines(ScoreTable::Scores),
        "scores_by_mutator": lines(ScoreTable::ByMutator),
        "scores_by_tag": lines(ScoreTable::ByTag),
        "unpaired": tables.unpaired,
        "contested": tables.contested,
        "unparsed": tables.unparsed,
        "fix_pairs": tables.fix_pairs,
        "fix_scores": tables.fix_scores,
        "agreement": tables.agreement,
        "alone": tables.alone,
    });
    format!("{value:#}\n")
}

/// The columns of the CSV as keys; an empty field is `null`.
fn object(table: ScoreTable, line: &ScoreLine) -> Value {
    let keys = table.keys().iter().map(|key| ((*key).to_owned(), json!(line.key(key))));
    let figures = line.figures.iter().map(|(name, cell)| {
        let value = match cell {
            Cell::Count(count) => json!(count),
            Cell::Ratio(ratio) => json!(ratio),
        };
        (name.clone(), value)
    });
    Value::Object(keys.chain(figures).collect::<Map<_, _>>())
}
