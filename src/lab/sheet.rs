//! What is judged: modules and the mutants of them that count, read from the rows of a record.
//!
//! A run reads the rows that it has just written, `score` those of an earlier run: one way for both, so that what is
//! judged again is what was judged.

use std::collections::BTreeMap;

use super::rows::CLEAN;
use crate::judge::{Subject, Twin};
use crate::leak::{Effect, Label, Place};
use crate::python::{Edit, Edits, Span};
use crate::record::row::{ModuleRow, MutantRow, split};
use crate::record::{EditRow, counts, subject};

/// One module, and its mutants in the order of the plan.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub module: ModuleRow,
    pub mutants: Vec<Sought>,
    /// Every function and class of the clean text.
    definitions: Vec<Span>,
}

/// A mutant as the judge knows it.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    pub subject: Subject,
    pub label: Label,
    pub edits: Edits,
}

impl Sheet {
    pub(super) fn id(&self) -> String {
        clean_id(&self.module.corpus, &self.module.module)
    }

    /// Of the text of a mutant; those that it made are missing.
    pub(super) fn definitions(&self, sought: &Sought) -> Vec<Span> {
        let stretched = self.definitions.iter().map(|span| sought.edits.stretched(*span));
        stretched.collect()
    }
}

/// What a clean text is called beside the ids of mutants, none of which holds a slash.
pub(super) fn clean_id(corpus: &str, module: &str) -> String {
    format!("{corpus}/{module}")
}

/// The same from a row, whose `run_on` says of clean texts only that they are.
pub(super) fn text_id(run_on: &str, corpus: &str, module: &str) -> String {
    if run_on == CLEAN {
        clean_id(corpus, module)
    } else {
        run_on.to_owned()
    }
}

/// The error says which row is wrong.
pub(super) fn sheets(modules: Vec<ModuleRow>, mutants: &[MutantRow], edits: &[EditRow]) -> Result<Vec<Sheet>, String> {
    let mut twins = twins(mutants);
    let edits: BTreeMap<&str, &EditRow> = edits.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut by_module: BTreeMap<String, Vec<Sought>> = BTreeMap::new();
    for row in mutants.iter().filter(|row| counts(row)) {
        let edits = edits.get(row.id.as_str()).and_then(|row| edits_of(row));
        let sought = sought(row, edits, twins.remove(row.id.as_str()).unwrap_or_default());
        let sought = sought.map_err(|message| format!("mutant {}: {message}", row.id))?;
        let of_module = by_module.entry(clean_id(&row.corpus, &row.module)).or_default();
        of_module.push(sought);
    }
    let sheet = |module: ModuleRow| {
        let spans = split(&module.definitions).map(span).collect::<Result<_, _>>();
        Ok(Sheet {
            mutants: by_module
                .remove(&clean_id(&module.corpus, &module.module))
                .unwrap_or_default(),
            definitions: spans.map_err(|message| format!("{}: {message}", module.module))?,
            module,
        })
    };
    let sheets = modules.into_iter().map(sheet).collect::<Result<_, String>>()?;
    match by_module.keys().next() {
        Some(module) => Err(format!("modules.csv does not list {module}")),
        None => Ok(sheets),
    }
}

/// By id of the leak mutant.
fn twins(mutants: &[MutantRow]) -> BTreeMap<&str, Vec<Twin>> {
    let mut twins: BTreeMap<&str, Vec<Twin>> = BTreeMap::new();
    for decoy in mutants.iter().filter(|row| counts(row)) {
        for leak in split(&decoy.twin_of) {
            twins.entry(leak).or_default().push(Twin {
                id: decoy.id.clone(),
                primary: split(&decoy.primary).any(|primary| primary == leak),
            });
        }
    }
    twins
}

fn sought(row: &MutantRow, edits: Option<Edits>, twins: Vec<Twin>) -> Result<Sought, String> {
    let subject = Subject { twins, ..subject(row)? };
    Ok(Sought {
        label: label(row, subject.effect)?,
        edits: edits.ok_or_else(|| "no edits, or such as clash".to_owned())?,
        subject,
    })
}

fn label(row: &MutantRow, effect: Effect) -> Result<Label, String> {
    let place = |word: &str| {
        let (pattern, region) = word.split_once('@').ok_or_else(|| format!("{word:?} is no region"))?;
        Ok(Place {
            pattern: pattern.parse().map_err(|error| format!("{error}"))?,
            region: span(region)?,
        })
    };
    Ok(Label {
        pattern: row.pattern.parse().map_err(|error| format!("{error}"))?,
        resource: row.resource.clone(),
        effect,
        strength: row.strength.parse()?,
        span: Span::new(row.label_start, row.label_end),
        places: split(&row.regions).map(place).collect::<Result<_, String>>()?,
    })
}

/// `START-END`.
fn span(word: &str) -> Result<Span, String> {
    let ends = word
        .split_once('-')
        .and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
    let ends = ends.filter(|(start, end)| start <= end);
    let (start, end) = ends.ok_or_else(|| format!("{word:?} is no span"))?;
    Ok(Span::new(start, end))
}

fn edits_of(row: &EditRow) -> Option<Edits> {
    let lines = row.hunks.iter().flat_map(|hunk| &hunk.edits);
    let edit = lines.map(|line| Edit {
        span: Span::new(line.start, line.end),
        text: line.text.clone(),
    });
    Edits::new(edit.collect())
}
