//! Canaries: before anything is measured, a tool must report one leak, at its place, and must not report safe code.

use super::{Tool, ask, findings, limits, unusable};
use crate::lab::error::LabError;
use crate::lab::shown::File;
use crate::leak::Finding;
use crate::python::ast::Ranged;
use crate::python::{LineIndex, Module, Node, Source, Span};
use crate::tool::CANARY_MARK;

/// What a tool says of one text.
struct Song<'t> {
    tool: &'t Tool,
    text: &'t str,
    what: &'static str,
}

pub(super) fn sing(tool: &Tool) -> Result<(), LabError> {
    let canary = &tool.adapter.canary;
    let leak = Song {
        tool,
        text: &canary.leak,
        what: "the canary that leaks",
    };
    let (found, complaint) = leak.findings()?;
    let mapped: Vec<&Finding> = found.iter().filter(|finding| !finding.patterns.is_empty()).collect();
    let statement = statement(&canary.leak).ok_or_else(|| leak.failed("does not parse"))?;
    if mapped.is_empty() {
        let others: Vec<String> = found.iter().map(|finding| leak.told(finding)).collect();
        return Err(match others[..] {
            [] if complaint.is_empty() => leak.failed("it reports nothing"),
            [] => leak.failed(&format!("it reports nothing, and complains: {complaint}")),
            _ => leak.failed(&format!(
                "it reports {}, of which [rules] says nothing",
                others.join(", ")
            )),
        });
    }
    // How wide it is does not matter here: `score` has other widths.
    let meets = |span: Span| statement.holds(span.start) || span.contains(statement);
    if !mapped.iter().any(|finding| meets(finding.span)) {
        let told: Vec<String> = mapped.iter().map(|finding| leak.told(finding)).collect();
        return Err(leak.failed(&format!(
            "it reports {}, which is not at `{}` at {}; do line, column and columns in [output] say what it counts?",
            told.join(", "),
            statement.of(leak.text),
            leak.at(statement)
        )));
    }
    let safe = Song {
        tool,
        text: &canary.safe,
        what: "the safe canary",
    };
    match safe.findings()?.0.iter().find(|finding| !finding.patterns.is_empty()) {
        Some(finding) => Err(safe.failed(&format!("it reports a leak: {}", safe.told(finding)))),
        None => Ok(()),
    }
}

impl Song<'_> {
    fn failed(&self, why: &str) -> LabError {
        unusable(&self.tool.adapter, format!("on {}: {why}", self.what))
    }

    /// And what it complained of beside them.
    fn findings(&self) -> Result<(Vec<Finding>, String), LabError> {
        let files = [File {
            path: "canary.py".to_owned(),
            bytes: self.text.as_bytes().to_vec(),
            siblings: Vec::new(),
        }];
        let adapter = &self.tool.adapter;
        let asked = ask(adapter, &files, limits(adapter.time_limit), &|| false);
        let raw = asked.said.and_then(|mut said| said.remove(0));
        let raw = raw.map_err(|silence| self.failed(&silence.detail))?;
        let complaint = asked.ended.map(|ended| ended.complaint()).unwrap_or_default();
        Ok((findings(adapter, self.text, raw), complaint))
    }

    /// `R1 at 2:5`.
    fn told(&self, finding: &Finding) -> String {
        format!("{} at {}", finding.rule, self.at(finding.span))
    }

    fn at(&self, span: Span) -> String {
        let lines = LineIndex::new(self.text);
        let line = lines.line_of(span.start);
        format!("{}:{}", line + 1, span.start - lines.start_of(line) + 1)
    }
}

/// The innermost statement that the marked line belongs to.
fn statement(text: &str) -> Option<Span> {
    let module = Module::parse("canary.py", Source::from_text(text)).ok()?;
    let mark = u32::try_from(text.find(CANARY_MARK)?).ok()?;
    let line = module.lines.line_of(mark);
    let spans = module
        .nodes()
        .filter_map(Node::as_stmt)
        .map(|statement| Span::from(statement.range()));
    let on_line =
        spans.filter(|span| module.lines.line_of(span.start) <= line && line <= module.lines.line_of(span.end));
    on_line.min_by_key(|span| span.len())
}
