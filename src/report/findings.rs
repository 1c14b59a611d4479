//! Findings on somebody's code: lines to read, or JSON and SARIF for other programs.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::sarif;
use crate::leak::Finding;
use crate::python::{Position, Span};

/// One finding, with the position that editors know it by.
#[derive(Clone, Debug)]
pub struct Located {
    /// With `/`, relative to the working folder where that is possible.
    pub path: String,
    pub start: Position,
    pub end: Position,
    pub finding: Finding,
    /// As [`Finding::related`].
    pub related: Vec<(Position, String)>,
}

impl Located {
    pub fn new(path: &str, finding: Finding, position: impl Fn(u32) -> Position) -> Self {
        let Span { start, end } = finding.span;
        let related = finding
            .related
            .iter()
            .map(|related| (position(related.span.start), related.note.clone()));
        Self {
            path: path.to_owned(),
            start: position(start),
            end: position(end),
            related: related.collect(),
            finding,
        }
    }
}

/// `path:line:column: confidence rule: message`, and below it why and what to do.
pub fn text(findings: &[Located]) -> String {
    let mut text = String::new();
    for found in findings {
        let Located {
            path, start, finding, ..
        } = found;
        let (line, column) = (start.line, start.column);
        let head = format!(
            "{path}:{line}:{column}: {} {}: {}\n",
            finding.confidence, finding.rule, finding.message
        );
        text.push_str(&head);
        for (at, note) in &found.related {
            let _ = writeln!(text, "    {path}:{}:{}: {note}", at.line, at.column);
        }
        if !finding.suggestion.is_empty() {
            let _ = writeln!(text, "    help: {}", finding.suggestion);
        }
    }
    text
}

pub fn json(findings: &[Located]) -> String {
    let values: Vec<Value> = findings.iter().map(object).collect();
    format!("{:#}\n", json!({ "findings": values }))
}

fn object(found: &Located) -> Value {
    let finding = &found.finding;
    let position = |at: &Position| json!({ "line": at.line, "column": at.column });
    let related = found
        .related
        .iter()
        .map(|(at, note)| json!({ "at": position(at), "note": note }));
    json!({
        "path": found.path,
        "start": position(&found.start),
        "end": position(&found.end),
        "rule": finding.rule,
        "patterns": finding.patterns.iter().map(|pattern| pattern.id()).collect::<Vec<_>>(),
        "resource": finding.resource,
        "confidence": finding.confidence.word(),
        "message": finding.message,
        "suggestion": finding.suggestion,
        "related": related.collect::<Vec<_>>(),
    })
}

pub fn sarif(findings: &[Located]) -> String {
    sarif::log(findings)
}
