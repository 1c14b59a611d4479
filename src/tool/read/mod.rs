//! Output of tools: one reader per format, one kind of finding for all.
//!
//! Readers are strict. What is no output of the format is an error, for it must not pass for silence.

mod json;
mod lines;
mod sarif;

use serde::Deserialize;

use super::place::Columns;

/// As the tool says it: nothing is mapped or moved yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct RawFinding {
    pub path: String,
    /// One-based.
    pub line: u32,
    pub column: Option<u32>,
    /// Line and column just past it.
    pub end: Option<(u32, u32)>,
    pub rule: String,
    pub message: String,
    /// How `column` and `end` are counted.
    pub columns: Columns,
}

/// What a call has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub findings: Vec<RawFinding>,
    /// Files that the tool could not look at, and why.
    pub unreadable: Vec<(String, String)>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Format {
    Sarif,
    Json(Box<json::Json>),
    Lines(lines::Lines),
}

impl Format {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Sarif => Ok(()),
            Self::Json(json) => json.check(),
            Self::Lines(lines) => lines.check(),
        }
    }

    pub(super) fn read(&self, output: &[u8]) -> Result<Said, String> {
        let text = std::str::from_utf8(output).map_err(|_| "its output is not UTF-8".to_owned())?;
        match self {
            Self::Sarif => sarif::read(text),
            Self::Json(json) => json.read(text),
            Self::Lines(lines) => lines.read(text),
        }
    }
}

/// A SARIF log of any tool.
pub fn read_sarif(bytes: &[u8]) -> Result<Said, String> {
    Format::Sarif.read(bytes)
}

/// Findings of rules that mean "I could not read this file" are no findings.
fn sorted_out(all: Vec<RawFinding>, unreadable: &[String]) -> Said {
    let mut said = Said::default();
    for finding in all {
        if unreadable.contains(&finding.rule) {
            said.unreadable.push((finding.path, finding.message));
        } else {
            said.findings.push(finding);
        }
    }
    said
}

fn parsed(text: &str) -> Result<serde_json::Value, String> {
    if text.trim().is_empty() {
        return Err("it printed nothing where JSON was expected".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("its output is not JSON: {error}"))
}
