//! What a tool said that ran elsewhere: its SARIF log on the files that `mutate` has written, judged as in a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::again::{WidthChoice, take_over_plan};
use super::books::Books;
use super::error::LabError;
use super::run::Ended;
use super::score::{all_sought, controls_off};
use super::sheet::{Sheet, text_id};
use super::tools::findings;
use super::walk::io_reason;
use super::watch::Watch;
use super::work::{Mark, Measured, Report, Said, Silence, line_in, on_clean, parsed};
use crate::judge::NoVerdict;
use crate::python::{Module, Source};
use crate::record::row::{ManifestRow, Row};
use crate::record::triage::Triage;
use crate::record::{Record, RecordError, Recording, Tables};
use crate::tool::{Adapter, RawFinding, ToolError, read_sarif};

/// A log and what is needed to understand it.
pub struct Foreign<'a> {
    pub log: &'a Path,
    /// Which rule claims what.
    pub adapter: &'a Adapter,
    /// The folder that `mutate` has made.
    pub manifest: &'a Record,
    pub width: WidthChoice,
    pub triage: &'a Triage,
}

/// That the manifest's files are whole has been checked. How it ended, and how many of the log's findings are about files that the manifest does not list.
pub fn score_log(foreign: &Foreign, recording: &Recording, watch: &dyn Watch) -> Result<(Ended, usize), LabError> {
    let files = Files::read(foreign.manifest)?;
    let said = Log::read(foreign, &files)?;
    let sheets = take_over_plan(foreign.manifest, recording)?;
    let controls_off = controls_off(&sheets);
    let detectors = [foreign.adapter.id.as_str()];
    let mut books = Books::open(recording, &detectors, vec![foreign.adapter.claims()])?;
    watch.begin("judging", all_sought(&sheets).count() as u64);
    for sheet in &sheets {
        books.enter(sheet, Some(&measured(foreign, &files, &said, sheet)?))?;
        watch.advance(sheet.mutants.len() as u64);
    }
    let tables = Tables {
        unparsed: foreign.manifest.rows()?,
        ..books.close(&sheets)?
    };
    tables.write(recording)?;
    let ended = Ended {
        tables,
        mutants: all_sought(&sheets).count(),
        controls_off,
        interrupted: false,
    };
    Ok((ended, said.elsewhere))
}

fn measured(foreign: &Foreign, files: &Files, log: &Log, sheet: &Sheet) -> Result<Measured, LabError> {
    let id = sheet.id();
    let clean = files.module(foreign, &id, &sheet.module.module)?;
    let said = log.on(&id, &clean, foreign.adapter);
    let baseline = Report::new(&said);
    let mutants = sheet.mutants.iter().map(|sought| {
        let id = &sought.subject.id;
        let module = files.module(foreign, id, &sheet.module.module)?;
        let (map, definitions) = (sought.edits.map(), sheet.definitions(sought));
        let mark = Mark {
            label: &sought.label,
            map: &map,
            width: foreign.width.with(&definitions),
        };
        let said = log.on(id, &module, foreign.adapter);
        Ok(vec![mark.judge(said, &baseline, &|finding| line_in(&module, finding))])
    });
    Ok(Measured {
        mutants: mutants.collect::<Result<_, LabError>>()?,
        clean: vec![on_clean(said, &clean, sheet.module.known_clean, foreign.triage)],
    })
}

/// The files of a manifest.
struct Files {
    /// By what the text is called.
    by_text: BTreeMap<String, ManifestRow>,
    /// Back from the file to that.
    text_of: BTreeMap<String, String>,
}

impl Files {
    fn read(manifest: &Record) -> Result<Self, LabError> {
        let rows: Vec<ManifestRow> = manifest.rows()?;
        let named = |row: ManifestRow| (text_id(&row.run_on, &row.corpus, &row.module), row);
        let by_text: BTreeMap<String, ManifestRow> = rows.into_iter().map(named).collect();
        let text_of = by_text.iter().map(|(text, row)| (row.file.clone(), text.clone()));
        Ok(Self {
            text_of: text_of.collect(),
            by_text,
        })
    }

    /// Wherever the tree stood when the tool saw it: `…/tree/0007/a.py`, or from there on.
    fn named(&self, path: &str) -> Option<&str> {
        let path = path.replace('\\', "/");
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let known = |file: String| self.text_of.get(&file).map(String::as_str);
        (0..parts.len()).find_map(|from| {
            let tail = parts[from..].join("/");
            known(format!("{}/{tail}", super::export::TREE)).or_else(|| known(tail))
        })
    }

    fn module(&self, foreign: &Foreign, text: &str, path: &str) -> Result<Result<Module, Silence>, LabError> {
        let Some(row) = self.by_text.get(text) else {
            return Ok(Err(Silence {
                kind: NoVerdict::Unsupported,
                detail: "the encoding of the module cannot hold the mutant".to_owned(),
            }));
        };
        let file = foreign.manifest.dir.join(&row.file);
        let bytes = fs::read(&file).map_err(|error| LabError::path(&file, &error))?;
        let source = Source::load(&bytes);
        let source = source.map_err(|why| RecordError::damaged(&file, 1, why.reason))?;
        Ok(parsed(path, source))
    }
}

/// What the log says, by what a text is called.
struct Log {
    findings: BTreeMap<String, Vec<RawFinding>>,
    unreadable: BTreeMap<String, String>,
    elsewhere: usize,
}

impl Log {
    fn read(foreign: &Foreign, files: &Files) -> Result<Self, LabError> {
        let name = foreign.log.display().to_string();
        let unusable = |message: String| {
            LabError::Tool(ToolError::Unusable {
                tool: name.clone(),
                message,
            })
        };
        let bytes = fs::read(foreign.log).map_err(|error| LabError::corpus(&name, io_reason(&error)))?;
        let said = read_sarif(&bytes).map_err(unusable)?;
        let mut log = Self {
            findings: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            elsewhere: 0,
        };
        for (path, reason) in said.unreadable {
            if let Some(text) = files.named(&path) {
                log.unreadable.insert(text.to_owned(), reason);
            }
        }
        for finding in said.findings {
            match files.named(&finding.path) {
                Some(text) => log.findings.entry(text.to_owned()).or_default().push(finding),
                None => log.elsewhere += 1,
            }
        }
        // Silence on thousands of files is what a tool says that has looked into another folder.
        if log.findings.is_empty() {
            return Err(unusable(format!(
                "names no file of {}; was the tool run on {}/{} as it was written?",
                foreign.manifest.dir.join(ManifestRow::FILE).display(),
                foreign.manifest.dir.display(),
                super::export::TREE
            )));
        }
        let rules: BTreeSet<&str> = log.findings.values().flatten().map(|raw| raw.rule.as_str()).collect();
        if rules.iter().all(|rule| foreign.adapter.patterns_of(rule).is_empty()) {
            let rules: Vec<&str> = rules.into_iter().take(5).collect();
            return Err(unusable(format!(
                "none of its rules ({}) claims a pattern in the adapter {}; name the right one with --tool",
                rules.join(", "),
                foreign.adapter.id
            )));
        }
        Ok(log)
    }

    fn on(&self, text: &str, module: &Result<Module, Silence>, adapter: &Adapter) -> Said {
        if let Some(reason) = self.unreadable.get(text) {
            return Err(Silence {
                kind: NoVerdict::Parse,
                detail: reason.clone(),
            });
        }
        let module = module.as_ref().map_err(Clone::clone)?;
        let raw = self.findings.get(text).cloned().unwrap_or_default();
        Ok(findings(adapter, module.text(), raw))
    }
}
