//! `edits.jsonl`: one line per mutant, enough to show its diff when the corpus is out of reach.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::RecordError;

pub const EDITS_FILE: &str = "edits.jsonl";

/// The change that one mutant is, in the order of the text. Offsets are bytes of the clean module's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditRow {
    pub id: String,
    pub corpus: String,
    pub module: String,
    pub hunks: Vec<EditHunk>,
}

/// Edits that stand close together, and the clean lines around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditHunk {
    /// Where `context` starts in the module.
    pub start: u32,
    /// One-based number of its first line.
    pub line: u32,
    pub context: String,
    pub edits: Vec<EditLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditLine {
    pub start: u32,
    pub end: u32,
    pub text: String,
}

/// The whole file.
pub fn edits_text(rows: &[EditRow]) -> String {
    let mut text = String::new();
    for row in rows {
        text += &serde_json::to_string(row).expect("strings and numbers always serialise");
        text.push('\n');
    }
    text
}

pub fn read_edits(dir: &Path) -> Result<Vec<EditRow>, RecordError> {
    let path = dir.join(EDITS_FILE);
    let text = fs::read_to_string(&path).map_err(|error| RecordError::read(&path, error))?;
    let parse = |(number, line)| serde_json::from_str(line).map_err(|error| RecordError::damaged(&path, number, error));
    (1..).zip(text.lines()).map(parse).collect()
}
