//! Mutants as files for tools that cannot be run from here, with a manifest of what each of them is.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::LabError;
use super::load::load;
use super::rows::CLEAN;
use super::run::{LaidPlan, Wanted, lay_plan};
use super::sheet::{Sheet, Sought};
use super::shown::{Shown, Tree, all_shown, clean_ids, shuffle};
use super::watch::Watch;
use crate::python::LineIndex;
use crate::record::row::{ManifestRow, joined};
use crate::record::triage::hex;
use crate::record::{Meta, RecordError, Recording};

/// Below the folder: what a tool is shown, and nothing else.
pub(super) const TREE: &str = "tree";
const MANIFEST_JSON: &str = "manifest.json";
const SCHEMA_FILE: &str = "manifest.schema.json";
const SCHEMA: &str = include_str!("manifest.schema.json");
/// Rises when a reader of older manifests could misunderstand one.
const FORMAT: u32 = 1;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exported {
    pub clean: usize,
    pub mutants: usize,
    /// Mutants that the encoding of their module cannot hold.
    pub unwritten: usize,
    pub interrupted: bool,
}

/// Fills the record with what is to be judged, and the tree with the files.
pub fn export(
    wanted: &Wanted,
    recording: &Recording,
    meta: &mut Meta,
    watch: &dyn Watch,
) -> Result<Exported, LabError> {
    let (corpora, unread) = load(&wanted.corpora, watch)?;
    let Some(laid) = lay_plan(wanted, &corpora, unread, recording, meta, watch)? else {
        return Ok(Exported {
            interrupted: true,
            ..Exported::default()
        });
    };
    let ids = clean_ids(&laid.plan);
    let (clean, mutants) = all_shown(&laid.plan, &ids);
    let mut exported = Exported {
        clean: clean.len(),
        mutants: mutants.len(),
        ..Exported::default()
    };
    let mut shown = [clean, mutants].concat();
    shuffle(&mut shown);
    watch.begin("writing", shown.len() as u64);
    let folder = recording.dir().join(TREE);
    let failed = |error: io::Error| RecordError::write(&folder, error);
    let mut tree = Tree::new(folder.clone()).map_err(failed)?;
    let known = Known::new(&laid);
    let mut rows = Vec::new();
    for one in shown {
        if watch.interrupted() {
            exported.interrupted = true;
            return Ok(exported);
        }
        watch.advance(1);
        let Some(file) = one.file() else {
            exported.unwritten += 1;
            continue;
        };
        let place = tree.add(&file).map_err(failed)?;
        rows.push(ManifestRow {
            file: format!("{TREE}/{place}"),
            sha256: hex(&Sha256::digest(&file.bytes)),
            ..known.row(&one)
        });
    }
    recording.write_rows(&rows)?;
    let manifest = json!({"manifest_format": FORMAT, "leakbench": meta.leakbench, "files": rows});
    recording.write_text(MANIFEST_JSON, &format!("{manifest:#}\n"))?;
    recording.write_text(SCHEMA_FILE, SCHEMA)?;
    Ok(exported)
}

/// What each text is, by what it is called.
struct Known<'p> {
    clean: BTreeMap<String, &'p Sheet>,
    mutants: BTreeMap<&'p str, (&'p Sheet, &'p Sought)>,
    twin_of: BTreeMap<&'p str, Vec<&'p str>>,
}

impl<'p> Known<'p> {
    fn new(laid: &'p LaidPlan) -> Self {
        let sheets = || laid.sheets.iter();
        let sought = || sheets().flat_map(|sheet| sheet.mutants.iter().map(move |sought| (sheet, sought)));
        let mut twin_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (_, leak) in sought() {
            for twin in &leak.subject.twins {
                twin_of.entry(&twin.id).or_default().push(&leak.subject.id);
            }
        }
        Self {
            clean: sheets().map(|sheet| (sheet.id(), sheet)).collect(),
            mutants: sought()
                .map(|(sheet, sought)| (sought.subject.id.as_str(), (sheet, sought)))
                .collect(),
            twin_of,
        }
    }

    /// Without file and hash.
    fn row(&self, shown: &Shown) -> ManifestRow {
        let (sheet, sought) = match self.mutants.get(shown.id) {
            Some((sheet, sought)) => (*sheet, Some(*sought)),
            None => (self.clean[shown.id], None),
        };
        let empty = ManifestRow {
            file: String::new(),
            run_on: CLEAN.to_owned(),
            corpus: sheet.module.corpus.clone(),
            module: sheet.module.module.clone(),
            effect: CLEAN.to_owned(),
            pattern: String::new(),
            resource: String::new(),
            mutator: String::new(),
            modifier: String::new(),
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            twin_of: String::new(),
            sha256: String::new(),
        };
        let Some(Sought { subject, label, .. }) = sought else {
            return empty;
        };
        let text = shown.text();
        let lines = LineIndex::new(&text);
        let place = |at: u32| {
            let line = lines.line_of(at);
            let before = &text[lines.start_of(line) as usize..at as usize];
            let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX);
            (Some(line + 1), Some(column + 1))
        };
        let ((line, column), (end_line, end_column)) = (place(label.span.start), place(label.span.end));
        ManifestRow {
            run_on: subject.id.clone(),
            effect: subject.effect.to_string(),
            pattern: subject.pattern.to_string(),
            resource: subject.resource.clone(),
            mutator: subject.mutator.clone(),
            modifier: subject.modifier.clone(),
            line,
            column,
            end_line,
            end_column,
            twin_of: joined(self.twin_of.get(shown.id).into_iter().flatten()),
            ..empty
        }
    }
}
