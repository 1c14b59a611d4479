//! What a record holds, judged again: the findings are read, no detector runs.

use std::collections::BTreeMap;

use super::books::Books;
use super::error::LabError;
use super::place::Place;
use super::run::Ended;
use super::score::{all_sought, controls_off};
use super::sheet::{Sheet, clean_id, sheets, text_id};
use super::work::{CleanFinding, Mark, Measured, OnClean, OnMutant, Report, Said, Silence, silent};
use crate::judge::{NoVerdict, Width};
use crate::leak::Finding;
use crate::python::Span;
use crate::record::row::{CleanRow, FindingRow, ModuleRow, MutantRow, OutcomeRow, Row, split};
use crate::record::triage::Triage;
use crate::record::{DetectorMeta, EDITS_FILE, Record, RecordError, Recording, Tables, edits_text, read_edits};

/// How long a finding may be and still speak of a label; the spans are those of each mutant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WidthChoice {
    #[default]
    Statement,
    Function,
    File,
}

impl WidthChoice {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Function => "function",
            Self::File => "file",
        }
    }

    pub(super) const fn with(self, definitions: &[Span]) -> Width<'_> {
        match self {
            Self::Statement => Width::Statement,
            Self::Function => Width::Function { definitions },
            Self::File => Width::File,
        }
    }
}

/// What is judged, taken over from one record into another.
pub(super) fn take_over_plan(record: &Record, recording: &Recording) -> Result<Vec<Sheet>, LabError> {
    let (modules, mutants): (Vec<ModuleRow>, Vec<MutantRow>) = (record.rows()?, record.rows()?);
    let edits = read_edits(&record.dir)?;
    recording.write_rows(&modules)?;
    recording.write_rows(&mutants)?;
    recording.write_text(EDITS_FILE, &edits_text(&edits))?;
    let damaged = |message| RecordError::damaged(&record.dir.join(MutantRow::FILE), 1, message);
    Ok(sheets(modules, &mutants, &edits).map_err(damaged)?)
}

/// Every detector of a record, on every mutant of it. That its files are whole has been checked.
pub fn score_again(
    record: &Record,
    width: WidthChoice,
    triage: &Triage,
    recording: &Recording,
) -> Result<Ended, LabError> {
    let sheets = take_over_plan(record, recording)?;
    let controls_off = controls_off(&sheets);
    let detectors: Vec<&str> = record.meta.detectors.iter().map(|meta| meta.id.as_str()).collect();
    let claims = record.meta.detectors.iter().map(DetectorMeta::claimed).collect();
    let mut heard = Heard::read(record)?;
    let mut books = Books::open(recording, &detectors, claims)?;
    for sheet in &sheets {
        let measured = measured_again(sheet, &detectors, &mut heard, width, triage)?;
        books.enter(sheet, Some(&measured))?;
    }
    let tables = Tables {
        unparsed: record.rows()?,
        fix_pairs: record.rows_if_any()?,
        fix_scores: record.rows_if_any()?,
        ..books.close(&sheets)?
    };
    tables.write(recording)?;
    Ok(Ended {
        tables,
        mutants: all_sought(&sheets).count(),
        controls_off,
        interrupted: false,
    })
}

fn measured_again(
    sheet: &Sheet,
    detectors: &[&str],
    heard: &mut Heard,
    width: WidthChoice,
    triage: &Triage,
) -> Result<Measured, RecordError> {
    let clean: Vec<Heedful> = detectors
        .iter()
        .map(|detector| heard.on_clean(sheet, detector))
        .collect::<Result<_, _>>()?;
    let baselines: Vec<Report> = clean.iter().map(|one| Report::new(&one.said())).collect();
    let mutants = sheet.mutants.iter().map(|sought| {
        let map = sought.edits.map();
        let definitions = sheet.definitions(sought);
        let mark = Mark {
            label: &sought.label,
            map: &map,
            width: width.with(&definitions),
        };
        let judged = detectors.iter().zip(&baselines).map(|(detector, baseline)| {
            let one = heard.on_mutant(&sought.subject.id, detector)?;
            Ok(mark.judge(one.said(), baseline, &|finding| one.line_of(finding)))
        });
        judged.collect::<Result<Vec<OnMutant>, RecordError>>()
    });
    Ok(Measured {
        mutants: mutants.collect::<Result<_, _>>()?,
        clean: clean
            .into_iter()
            .map(|one| one.on_clean(sheet.module.known_clean, triage))
            .collect(),
    })
}

/// What one detector said of one text, as recorded.
struct Heedful(Result<Vec<(Finding, FindingRow)>, Silence>);

impl Heedful {
    fn said(&self) -> Said {
        let findings = |found: &Vec<(Finding, FindingRow)>| found.iter().map(|(finding, _)| finding.clone()).collect();
        self.0.as_ref().map(findings).map_err(Clone::clone)
    }

    fn line_of(&self, finding: &Finding) -> u32 {
        let mut found = self.0.iter().flatten();
        found.find(|(known, _)| known == finding).map_or(0, |(_, row)| row.line)
    }

    fn on_clean(self, known_clean: bool, triage: &Triage) -> OnClean {
        let found = match self.0 {
            Ok(found) => found,
            Err(silence) => return silent(silence),
        };
        let findings = found.into_iter().map(|(finding, row)| {
            let place = Place {
                line: row.line,
                qualname: row.qualname,
                statement: String::new(),
                shape: row.shape,
            };
            CleanFinding::new(finding, place, row.key, known_clean, triage)
        });
        OnClean {
            findings: findings.collect(),
            silence: None,
        }
    }
}

/// Everything that a record holds of what detectors said, by what a text is called and by detector.
struct Heard<'r> {
    record: &'r Record,
    findings: BTreeMap<(String, String), Vec<FindingRow>>,
    /// Why there is no verdict; empty where there is one.
    reasons: BTreeMap<(String, String), String>,
}

impl<'r> Heard<'r> {
    fn read(record: &'r Record) -> Result<Self, RecordError> {
        let mut findings: BTreeMap<(String, String), Vec<FindingRow>> = BTreeMap::new();
        for row in record.rows::<FindingRow>()? {
            let run_on = text_id(&row.run_on, &row.corpus, &row.module);
            findings.entry((run_on, row.detector.clone())).or_default().push(row);
        }
        let mut reasons = BTreeMap::new();
        for row in record.rows::<CleanRow>()? {
            reasons.insert((clean_id(&row.corpus, &row.module), row.detector), row.reason);
        }
        for row in record.rows::<OutcomeRow>()? {
            let unjudged = row.verdict == NO_VERDICT;
            let reason = if unjudged { row.reason } else { String::new() };
            reasons.insert((row.id, row.detector), reason);
        }
        Ok(Self {
            record,
            findings,
            reasons,
        })
    }

    fn on_clean(&mut self, sheet: &Sheet, detector: &str) -> Result<Heedful, RecordError> {
        self.on(sheet.id(), detector, CleanRow::FILE)
    }

    fn on_mutant(&mut self, id: &str, detector: &str) -> Result<Heedful, RecordError> {
        self.on(id.to_owned(), detector, OutcomeRow::FILE)
    }

    /// A text of which the record says nothing at all was not looked at: that is damage, not silence.
    fn on(&mut self, text: String, detector: &str, file: &str) -> Result<Heedful, RecordError> {
        let damaged = |file: &str, message: String| RecordError::damaged(&self.record.dir.join(file), 1, message);
        let key = (text, detector.to_owned());
        let reason = self.reasons.get(&key);
        let reason = reason.ok_or_else(|| damaged(file, format!("says nothing of {} on {}", key.1, key.0)))?;
        let rows = self.findings.remove(&key).unwrap_or_default();
        if let Some(silence) = silence(reason).map_err(|message| damaged(file, message))? {
            return Ok(Heedful(Err(silence)));
        }
        let found = rows.into_iter().map(|row| Ok((finding(&row)?, row)));
        let found = found.collect::<Result<_, String>>();
        Ok(Heedful(
            Ok(found.map_err(|message| damaged(FindingRow::FILE, message))?),
        ))
    }
}

const NO_VERDICT: &str = "no-verdict";

/// `KIND: DETAIL`. Without a baseline the detector did answer; the judge says so again.
fn silence(reason: &str) -> Result<Option<Silence>, String> {
    if reason.is_empty() {
        return Ok(None);
    }
    let (kind, detail) = reason.split_once(": ").unwrap_or((reason, ""));
    let kind: NoVerdict = kind.parse()?;
    Ok((kind != NoVerdict::NoBaseline).then(|| Silence {
        kind,
        detail: detail.to_owned(),
    }))
}

fn finding(row: &FindingRow) -> Result<Finding, String> {
    let patterns = split(&row.patterns).map(|word| word.parse().map_err(|error| format!("{error}")));
    Ok(Finding {
        span: Span::new(row.start, row.end),
        patterns: patterns.collect::<Result<_, String>>()?,
        rule: row.rule.clone(),
        resource: (!row.resource.is_empty()).then(|| row.resource.clone()),
        confidence: row.confidence.parse()?,
        message: row.message.clone(),
        suggestion: String::new(),
        related: Vec::new(),
    })
}
