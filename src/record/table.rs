//! The score tables. Their keys stand here, their figures are named by `judge`.

use std::fs;
use std::path::Path;

use super::error::RecordError;
use super::folder::{Recording, csv_writer};
use super::row::Decimal;
use crate::judge::row::{Cell, Counts, Key, Ratios, Row};

/// What the pooled row of a key column holds.
pub const POOLED: &str = "*";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreTable {
    Scores,
    ByMutator,
    /// The same scores once more for the modules of each tag, `blind` among them.
    ByTag,
}

impl ScoreTable {
    pub const ALL: [Self; 3] = [Self::Scores, Self::ByMutator, Self::ByTag];

    pub const fn file(self) -> &'static str {
        match self {
            Self::Scores => "scores.csv",
            Self::ByMutator => "scores_by_mutator.csv",
            Self::ByTag => "scores_by_tag.csv",
        }
    }

    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Scores => &["detector", "corpus", "pattern", "resource", "modifier"],
            Self::ByMutator => &["detector", "corpus", "mutator", "pattern", "resource", "modifier"],
            Self::ByTag => &["detector", "corpus", "tag", "pattern", "resource", "modifier"],
        }
    }

    pub fn columns(self) -> Vec<&'static str> {
        let figures = empty_row().cells().into_iter().map(|(column, _)| column);
        self.keys().iter().copied().chain(figures).collect()
    }
}

fn empty_row() -> Row {
    Row {
        key: Key {
            corpus: String::new(),
            pattern: None,
            mutator: None,
            resource: None,
            modifier: String::new(),
        },
        counts: Counts::default(),
        ratios: Ratios::default(),
    }
}

/// One row of a score table. Pooled keys hold `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreLine {
    pub detector: String,
    pub corpus: String,
    pub tag: String,
    pub mutator: String,
    pub pattern: String,
    pub resource: String,
    pub modifier: String,
    pub figures: Vec<(String, Cell)>,
}

impl ScoreLine {
    pub fn new(detector: &str, tag: &str, row: &Row) -> Self {
        let pooled = |key: &Option<String>| key.clone().unwrap_or_else(|| POOLED.to_owned());
        let named = |(column, cell): (&str, Cell)| (column.to_owned(), cell);
        Self {
            detector: detector.to_owned(),
            corpus: row.key.corpus.clone(),
            tag: tag.to_owned(),
            mutator: pooled(&row.key.mutator),
            pattern: pooled(&row.key.pattern.map(|pattern| pattern.id().to_owned())),
            resource: pooled(&row.key.resource),
            modifier: row.key.modifier.clone(),
            figures: row.cells().into_iter().map(named).collect(),
        }
    }

    pub fn figure(&self, column: &str) -> Option<Cell> {
        self.figures
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, cell)| *cell)
    }

    pub fn count(&self, column: &str) -> u64 {
        match self.figure(column) {
            Some(Cell::Count(count)) => count,
            _ => 0,
        }
    }

    pub fn ratio(&self, column: &str) -> Option<f64> {
        match self.figure(column) {
            Some(Cell::Ratio(ratio)) => ratio,
            _ => None,
        }
    }

    /// Whether it stands for all patterns, mutators and resources of base mutants.
    pub fn is_pooled(&self) -> bool {
        self.pattern == POOLED && self.is_overall()
    }

    /// Whether it stands for one pattern, or all, whatever the mutator and resource.
    pub fn is_overall(&self) -> bool {
        self.resource == POOLED && self.modifier.is_empty()
    }

    pub fn key(&self, column: &str) -> &str {
        match column {
            "detector" => &self.detector,
            "corpus" => &self.corpus,
            "tag" => &self.tag,
            "mutator" => &self.mutator,
            "pattern" => &self.pattern,
            "resource" => &self.resource,
            _ => &self.modifier,
        }
    }
}

pub(super) fn write_scores(recording: &Recording, table: ScoreTable, lines: &[ScoreLine]) -> Result<(), RecordError> {
    recording.write_text(table.file(), &scores_csv(table, lines))
}

/// Header and rows.
pub fn scores_csv(table: ScoreTable, lines: &[ScoreLine]) -> String {
    let mut writer = csv_writer(Vec::new());
    let mut write = |record: Vec<String>| writer.write_record(record).expect("memory takes every record");
    write(table.columns().into_iter().map(str::to_owned).collect());
    for line in lines {
        let keys = table.keys().iter().map(|column| line.key(column).to_owned());
        write(
            keys.chain(line.figures.iter().map(|(_, cell)| cell_text(*cell)))
                .collect(),
        );
    }
    let bytes = writer.into_inner().expect("memory takes every record");
    String::from_utf8(bytes).expect("records are made of text")
}

fn cell_text(cell: Cell) -> String {
    match cell {
        Cell::Count(count) => count.to_string(),
        Cell::Ratio(ratio) => Decimal(ratio).to_string(),
    }
}

pub(super) fn read_scores(dir: &Path, table: ScoreTable) -> Result<Vec<ScoreLine>, RecordError> {
    let path = dir.join(table.file());
    let file = fs::File::open(&path).map_err(|error| RecordError::read(&path, error))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader
        .headers()
        .cloned()
        .map_err(|error| RecordError::csv_read(&path, &error))?;
    let missing = table.keys().iter().find(|key| !header.iter().any(|name| name == **key));
    if let Some(key) = missing {
        return Err(RecordError::damaged(&path, 1, format!("no column {key}")));
    }
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| RecordError::csv_read(&path, &error))?;
        let at = record.position().map_or(1, csv::Position::line);
        let line = score_line(table, &header, &record);
        lines.push(line.map_err(|message| RecordError::damaged(&path, at, message))?);
    }
    Ok(lines)
}

fn score_line(table: ScoreTable, header: &csv::StringRecord, record: &csv::StringRecord) -> Result<ScoreLine, String> {
    let pairs: Vec<(&str, &str)> = header.iter().zip(record).collect();
    let key = |column: &str| {
        let found = pairs.iter().find(|(name, _)| *name == column);
        found.map_or_else(String::new, |(_, value)| (*value).to_owned())
    };
    let figures = pairs.iter().filter(|(name, _)| !table.keys().contains(name));
    let figures = figures.map(|(name, value)| Ok(((*name).to_owned(), parse_cell(name, value)?)));
    Ok(ScoreLine {
        detector: key("detector"),
        corpus: key("corpus"),
        tag: key("tag"),
        mutator: key("mutator"),
        pattern: key("pattern"),
        resource: key("resource"),
        modifier: key("modifier"),
        figures: figures.collect::<Result<_, String>>()?,
    })
}

/// Which columns are counts is known by name: an empty field says nothing of its kind.
fn parse_cell(column: &str, value: &str) -> Result<Cell, String> {
    let known = empty_row().metric(column);
    let wrong = |what: &str| format!("{column}: {value:?} is no {what}");
    match known {
        Some(Cell::Count(_)) => value.parse().map(Cell::Count).map_err(|_| wrong("count")),
        _ if value.is_empty() => Ok(Cell::Ratio(None)),
        _ => value
            .parse()
            .map(|ratio| Cell::Ratio(Some(ratio)))
            .map_err(|_| wrong("number")),
    }
}
