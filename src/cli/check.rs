//! `leakbench check`: the built-in suite on somebody's code.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::arguments::{Threads, confidence, not_parsed};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::console;
use crate::detect::suites;
use crate::lab::corpus::{Entry, from_paths};
use crate::lab::{Examined, examine, on_threads};
use crate::leak::{Confidence, Finding};
use crate::python::Module;
use crate::report::findings::{Located, json, sarif, text};

/// Looks for resource leaks in your code with the built-in detectors
#[derive(Debug, Args)]
#[command(after_help = "Exits with 1 if there are findings.\n\nExamples:\n  \
    leakbench check src/\n  \
    leakbench check --format sarif app.py > leaks.sarif\n  \
    leakbench check --min-confidence high src/ tests/")]
pub(super) struct Check {
    /// Files and folders of Python code
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Findings below this are left out: low, medium, high
    #[arg(long, value_name = "CONFIDENCE", default_value = "medium", value_parser = confidence)]
    min_confidence: Confidence,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

impl Check {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let corpora = from_paths(&self.paths)?;
        let suites = suites();
        let suite = suites
            .first()
            .ok_or_else(|| Failure::new(Exit::Internal, "there is no built-in suite"))?;
        let here = std::env::current_dir()
            .and_then(|folder| folder.canonicalize())
            .unwrap_or_default();
        let each = |entry: &Entry, module: &Module, findings: Vec<Finding>| {
            let wanted = findings
                .into_iter()
                .filter(|finding| finding.confidence >= self.min_confidence);
            wanted
                .map(|finding| located(&shown_path(entry, &here), module, finding))
                .collect()
        };
        let terminal = Terminal::new();
        let examined = on_threads(self.threads.count, || examine(&corpora, suite, &terminal, each));
        terminal.end();
        let examined = examined.and_then(|examined| examined)?;
        console::print(&self.shown(&examined.found))?;
        Ok(conclude(&examined))
    }

    fn shown(&self, found: &[Located]) -> String {
        match self.format {
            Format::Text => text(found),
            Format::Json => json(found),
            Format::Sarif => sarif(found),
        }
    }
}

fn located(path: &str, module: &Module, finding: Finding) -> Located {
    Located::new(path, finding, |at| module.lines.position(at, module.text()))
}

/// Relative to the working folder if the file lies below it.
fn shown_path(entry: &Entry, here: &Path) -> String {
    let file = entry.file().unwrap_or(Path::new(&entry.path));
    let shown = file.strip_prefix(here).unwrap_or(file);
    shown.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

/// A module that could not be looked at must not pass for one without findings.
fn conclude(examined: &Examined<Located>) -> Exit {
    not_parsed(&examined.unparsed);
    let (modules, unparsed) = (examined.modules, examined.unparsed.len());
    console::note(&format!(
        "{} findings in {} modules",
        examined.found.len(),
        modules - unparsed.min(modules)
    ));
    if examined.interrupted {
        console::warning("interrupted: not every module was looked at");
        return Exit::Interrupted;
    }
    if !examined.found.is_empty() {
        return Exit::Failed;
    }
    if unparsed * 10 > modules {
        console::error(&format!(
            "{unparsed} of {modules} modules could not be parsed, more than one in ten"
        ));
        return Exit::Inconsistent;
    }
    Exit::Done
}
