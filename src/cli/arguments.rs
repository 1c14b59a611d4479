//! What several subcommands read from their arguments: ids with suggestions, pages of a folder, formats.

use std::fs;
use std::path::Path;

use clap::Args;

use super::exit::Failure;
use crate::console;
use crate::lab::suppress::SUPPRESSION;
use crate::leak::{Confidence, Pattern};
use crate::mutate::Pages;
use crate::record::row::UnparsedRow;
use crate::report::findings::Unlooked;

/// `-j N`, for the commands that do much.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Jobs {
    /// Modules worked on at once [default: one per core]
    #[arg(
        short = 'j',
        long = "jobs",
        alias = "threads",
        value_name = "N",
        env = "LEAKBENCH_JOBS",
        hide_env_values = true
    )]
    jobs: Option<usize>,
}

impl Jobs {
    /// `configured` is what a configuration says; of both, 0 is one per core.
    pub(super) fn threads(self, configured: Option<usize>) -> usize {
        self.jobs.or(configured).unwrap_or(0)
    }
}

/// How alike two ids must be for one to be a slip of the other.
const ALIKE: f64 = 0.75;

/// ` — did you mean …?`, or nothing.
pub(super) fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let likeness = |known: &&str| strsim::jaro_winkler(wrong, known);
    let nearest = known
        .into_iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    match nearest {
        Some(known) if likeness(&known) >= ALIKE => format!("; did you mean {known}?"),
        _ => String::new(),
    }
}

/// For clap: an id of a pattern.
pub(super) fn pattern(id: &str) -> Result<Pattern, String> {
    id.parse().map_err(|_| {
        let known = Pattern::ALL.map(Pattern::id);
        format!(
            "no such pattern{}; `leakbench list patterns` shows them",
            suggestion(id, known)
        )
    })
}

/// For clap: what findings of `check` can be called by.
pub(super) fn rule(id: &str) -> Result<String, String> {
    if id == SUPPRESSION {
        return Ok(id.to_owned());
    }
    pattern(id).map(|pattern| pattern.id().to_owned())
}

/// The pages of the program and those of a user's folder.
pub(super) fn pages(folder: Option<&Path>) -> Result<Pages, Failure> {
    let Some(folder) = folder else {
        return Ok(Pages::built_in());
    };
    let files = page_files(folder).map_err(|error| {
        Failure::usage(format!(
            "read {}: {error}; --mutators wants a folder of pages",
            folder.display()
        ))
    })?;
    if files.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no mutator page (*.md) in it",
            folder.display()
        )));
    }
    Pages::built_in().with_files(&files).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::usage(lines.join("\n"))
    })
}

/// Names and texts, in the order of the names. A folder's README is no page.
fn page_files(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_page = path.extension().is_some_and(|extension| extension == "md") && name != "README.md";
        if is_page && path.is_file() {
            files.push((name, fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// For clap: a word of [`Confidence`].
pub(super) fn confidence(word: &str) -> Result<Confidence, String> {
    word.parse()
}

/// More of them would push everything else off the screen.
const SHOWN: usize = 20;

/// Says of each module that was passed over why.
pub(super) fn not_parsed(rows: &[UnparsedRow]) {
    let modules = rows.iter().map(|row| Unlooked {
        path: format!("{}/{}", row.corpus, row.module),
        line: row.line,
        reason: row.reason.clone(),
    });
    not_looked_at(&modules.collect::<Vec<_>>());
}

pub(super) fn not_looked_at(modules: &[Unlooked]) {
    for Unlooked { path, line, reason } in modules.iter().take(SHOWN) {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        console::warning(&format!("{path}{line}: {reason}; not looked at"));
    }
    if modules.len() > SHOWN {
        console::warning(&format!("{} more were not looked at", modules.len() - SHOWN));
    }
}
