//! Findings on somebody's code: an excerpt to read, or JSON, SARIF, CSV and the like for other programs.

mod excerpt;
mod json;
mod lines;
mod sarif;

use std::collections::{BTreeMap, BTreeSet};

pub use excerpt::text;
pub use json::{debt, json};
pub use lines::{concise, csv, github};
pub use sarif::sarif;

use crate::detect::impact::DebtItem;
use crate::leak::{Confidence, Finding};
use crate::python::span::offset;
use crate::python::{Module, Position, Span};

/// A part of a text as editors know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    pub start: Position,
    pub end: Position,
}

impl Region {
    fn of(module: &Module, span: Span) -> Self {
        let position = |at| module.lines.position(boundary(module.text(), at), module.text());
        Self {
            start: position(span.start),
            end: position(span.end.max(span.start)),
        }
    }
}

/// The start of the character at `at`: spans inside an f-string may be off by some bytes.
fn boundary(text: &str, at: u32) -> u32 {
    let mut at = at.min(offset(text.len()));
    while !text.is_char_boundary(at as usize) {
        at -= 1;
    }
    at
}

/// A step of the path on which something leaks.
#[derive(Clone, Debug)]
pub struct Step {
    pub region: Region,
    pub note: String,
}

/// One finding with all that is shown of it, so that its module can go.
#[derive(Clone, Debug)]
pub struct Located {
    /// With `/`, relative to the working folder where that is possible.
    pub path: String,
    pub region: Region,
    pub finding: Finding,
    pub qualname: String,
    /// The same as long as path, rule, definition and statement are; no line number goes into it.
    pub fingerprint: String,
    /// None for what is wrong with a comment.
    pub debt: Option<DebtItem>,
    /// What stands at the place of the finding: `acquired here`; empty where the message says it.
    label: &'static str,
    /// As [`Finding::related`].
    steps: Vec<Step>,
    /// The lines that an excerpt shows, by number.
    lines: BTreeMap<u32, String>,
}

impl Located {
    pub fn new(module: &Module, path: &str, finding: Finding) -> Self {
        let steps = finding.related.iter().map(|related| Step {
            region: Region::of(module, related.span),
            note: related.note.clone(),
        });
        let mut located = Self {
            path: path.to_owned(),
            region: Region::of(module, finding.span),
            qualname: String::new(),
            fingerprint: String::new(),
            debt: None,
            label: label(module, &finding),
            steps: steps.collect(),
            lines: BTreeMap::new(),
            finding,
        };
        located.lines = located
            .shown_lines()
            .map(|line| (line, line_text(module, line)))
            .collect();
        located
    }

    /// From the acquisition to where control leaves; one step alone is no path.
    fn path_of_leak(&self) -> Vec<Step> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        let first = Step {
            region: self.region,
            note: self.label.to_owned(),
        };
        [first].into_iter().chain(self.steps.iter().cloned()).collect()
    }

    /// Those with a mark, and what lies between two of them if it is one line.
    fn shown_lines(&self) -> impl Iterator<Item = u32> + use<> {
        let starts = self.steps.iter().map(|step| step.region.start.line);
        let marked: BTreeSet<u32> = starts.chain([self.region.start.line]).collect();
        let between = marked
            .iter()
            .zip(marked.iter().skip(1))
            .filter(|(one, next)| **next - **one == 2)
            .map(|(one, _)| one + 1);
        let all: BTreeSet<u32> = between.chain(marked.iter().copied()).collect();
        all.into_iter()
    }
}

/// All findings of a run and what could not be looked at, in order.
#[derive(Debug)]
pub struct Report<'a> {
    pub found: &'a [Located],
    pub unparsed: &'a [Unlooked],
    /// Whether a baseline was given, so that all of these are new.
    pub against_baseline: bool,
}

/// A module that was not looked at, and why.
#[derive(Clone, Debug)]
pub struct Unlooked {
    pub path: String,
    pub line: Option<u32>,
    pub reason: String,
}

/// What is held at the place of a finding comes into being there, unless that place is a definition.
fn label(module: &Module, finding: &Finding) -> &'static str {
    let text = module.text().get(finding.span.start as usize..).unwrap_or("");
    if ["def ", "async def ", "class ", "@"]
        .iter()
        .any(|word| text.starts_with(word))
    {
        return "defined here";
    }
    match finding.resource.as_deref() {
        None => "",
        Some("thread" | "task" | "child" | "worker-pool" | "executor" | "temporary-path") => "created here",
        Some(_) => "acquired here",
    }
}

fn line_text(module: &Module, line: u32) -> String {
    let start = module.lines.start_of(line - 1);
    let end = module.lines.line_end(start, module.text());
    Span::new(start, end).of(module.text()).to_owned()
}

/// How loud a finding is to programs that know errors, warnings and notes.
const fn level(confidence: Confidence) -> Level {
    match confidence {
        Confidence::High => Level::Error,
        Confidence::Medium => Level::Warning,
        Confidence::Low => Level::Note,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Note,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Source;

    #[test]
    fn spans_that_miss_the_text_do_no_harm() {
        let module = Module::parse("m.py", Source::from_text("a = 'ää'\n")).unwrap();
        let region = Region::of(&module, Span::new(6, 99));
        assert_eq!((region.start.line, region.start.column), (1, 6));
        assert_eq!(region.end.line, 2);
    }
}

/// Findings of a small module, for the tests of all formats.
#[cfg(test)]
mod samples {
    use super::*;
    use crate::detect::{impact, suites};
    use crate::python::Source;

    pub(super) const LEAKY: &str =
        "def load(path):\n\thandle = open(path)\n\tif not handle.read():\n\t\treturn None\n\thandle.close()\n";

    pub(super) fn located(path: &str, text: &str) -> Vec<Located> {
        let module = Module::parse("m.py", Source::from_text(text)).unwrap();
        let found = suites()[0].assessed(&module).into_iter();
        let located = found.map(|(finding, weight)| Located {
            qualname: "load".to_owned(),
            fingerprint: "0123456789abcdef".to_owned(),
            debt: Some(impact::debt_item(&module, &finding, weight)),
            ..Located::new(&module, path, finding)
        });
        located.collect()
    }

    pub(super) fn report(found: &[Located]) -> Report<'_> {
        Report {
            found,
            unparsed: &[],
            against_baseline: false,
        }
    }
}
