//! Gathers verdicts while modules are measured, and turns them into the tables of the record.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::rows::clean_row;
use super::sheet::{Sheet, Sought};
use super::side_by_side::side_by_side;
use super::tags::Kind;
use super::work::{CleanFinding, Measured, OnClean};
use crate::judge::controls::{ControlCase, ControlOff, check_controls};
use crate::judge::interval::Proportion;
use crate::judge::row::Row;
use crate::judge::score::{Scores, Settings, score};
use crate::judge::{Charge, CleanModule, Judged, Verdict};
use crate::python::SpanMap;
use crate::record::row::{CleanRow, ContestedRow, ModuleRow, UnpairedRow};
use crate::record::triage::Ruling;
use crate::record::{ScoreLine, Tables};

/// Tags that scores are given apart for.
pub(super) const TAGS: [&str; 2] = ["blind", "not-blind"];

/// Whether detectors with known scores get these scores.
pub(super) fn controls_off(sheets: &[Sheet]) -> Vec<ControlOff> {
    let sought: Vec<(&Sought, SpanMap)> = all_sought(sheets).map(|sought| (sought, sought.edits.map())).collect();
    let cases = sought.iter().map(|(sought, map)| ControlCase {
        subject: &sought.subject,
        label: &sought.label,
        map,
    });
    check_controls(&cases.collect::<Vec<_>>()).err().unwrap_or_default()
}

pub(super) fn all_sought(sheets: &[Sheet]) -> impl Iterator<Item = &Sought> {
    sheets.iter().flat_map(|sheet| &sheet.mutants)
}

/// The folder that all modules of each corpus lie in, with its slash; empty if there is none.
pub(super) fn shared_folders<'p>(plan: &'p Plan) -> BTreeMap<&'p str, String> {
    let mut shared: BTreeMap<&str, String> = BTreeMap::new();
    for planned in &plan.modules {
        let path = &planned.text.path;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let known = shared
            .entry(&planned.corpus.name)
            .or_insert_with(|| format!("{folder}/"));
        while !known.is_empty() && !path.starts_with(known.as_str()) {
            let shorter = known.trim_end_matches('/').rsplit_once('/');
            *known = shorter.map_or_else(String::new, |(outer, _)| format!("{outer}/"));
        }
    }
    shared
}

/// What one detector said of everything.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// In the order of the sheets' mutants.
    verdicts: Vec<(Verdict, Vec<Charge>)>,
    clean: Vec<CleanModule>,
    blind: Vec<bool>,
    pub clean_rows: Vec<CleanRow>,
}

impl Ledger {
    /// `measured` is `None` for a module that an interrupted run did not reach.
    pub(super) fn add(&mut self, sheet: &Sheet, measured: Option<&Measured>, at: usize, detector: &str) {
        let Some(measured) = measured else {
            let not_run = sheet.mutants.iter().map(|_| (Verdict::NoVerdict, Vec::new()));
            return self.verdicts.extend(not_run);
        };
        let judged = measured.mutants.iter().map(|by_detector| &by_detector[at].judgement);
        self.verdicts
            .extend(judged.map(|judgement| (judgement.verdict, judgement.charges.clone())));
        let on = &measured.clean[at];
        self.clean.push(clean_module(&sheet.module, on));
        self.blind.push(sheet.module.blind);
        self.clean_rows.push(clean_row(&sheet.module, detector, on));
    }

    fn judged<'s>(&self, sheets: &'s [Sheet], wanted: impl Fn(bool) -> bool) -> Vec<Judged<'s>> {
        let all = sheets
            .iter()
            .flat_map(|sheet| sheet.mutants.iter().map(|sought| (sought, sheet.module.blind)));
        let wanted = all.zip(&self.verdicts).filter(|((_, blind), _)| wanted(*blind));
        let judged = wanted.map(|((sought, _), (verdict, charges))| Judged {
            subject: &sought.subject,
            verdict: *verdict,
            charges: charges.clone(),
        });
        judged.collect()
    }

    fn clean(&self, wanted: impl Fn(bool) -> bool) -> Vec<CleanModule> {
        let modules = self.clean.iter().zip(&self.blind);
        modules
            .filter(|(_, blind)| wanted(**blind))
            .map(|(module, _)| module.clone())
            .collect()
    }
}

/// What people have called true or disputed is no false alarm.
fn clean_module(module: &ModuleRow, on: &OnClean) -> CleanModule {
    let charged = |found: &&CleanFinding| {
        let excused = matches!(found.ruling, Some(Ruling::True | Ruling::Contested));
        let settled = !module.known_clean && found.ruling.is_some();
        found.disposition.is_some() && !excused && !settled
    };
    let findings = on
        .findings
        .iter()
        .filter(charged)
        .filter_map(|found| Charge::of(&found.finding));
    CleanModule {
        corpus: module.corpus.clone(),
        natural_mix: module.kind == Kind::Mix.word(),
        known_clean: module.known_clean,
        lines: module.lines,
        acquisitions: module.acquisitions,
        findings: on.silence.is_none().then(|| findings.collect()),
    }
}

/// All tables but `unparsed`, detector by detector.
pub(super) fn tables(sheets: &[Sheet], ledgers: Vec<Ledger>, detectors: &[&str]) -> Tables {
    let judged: Vec<Vec<Judged>> = ledgers.iter().map(|ledger| ledger.judged(sheets, |_| true)).collect();
    let mut tables = side_by_side(detectors, &judged);
    let any_blind = sheets.iter().any(|sheet| sheet.module.blind);
    for (detector, ledger) in detectors.iter().zip(ledgers) {
        let scores = score(
            &ledger.judged(sheets, |_| true),
            &ledger.clean(|_| true),
            &Settings::default(),
        );
        add_scores(&mut tables, detector, scores);
        for tag in TAGS.iter().filter(|_| any_blind) {
            let wanted = |blind: bool| blind == (*tag == "blind");
            let scores = score(
                &ledger.judged(sheets, wanted),
                &ledger.clean(wanted),
                &Settings::default(),
            );
            tables.by_tag.extend(lines(detector, tag, &scores.by_pattern));
        }
        tables.clean.extend(ledger.clean_rows);
    }
    tables
}

fn add_scores(tables: &mut Tables, detector: &str, scores: Scores) {
    let mut rows = scores.by_pattern;
    rows.extend(scores.by_resource);
    rows.extend(scores.by_modifier);
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    tables.scores.extend(lines(detector, "", &rows));
    tables.by_mutator.extend(lines(detector, "", &scores.by_mutator));
    let unpaired = scores.unpaired.into_iter().map(|row| {
        let Proportion { ratio, interval, .. } = row.false_positive_rate;
        UnpairedRow {
            detector: detector.to_owned(),
            corpus: row.corpus,
            mutator: row.mutator,
            n_mutants: row.n_mutants,
            n_modules: row.n_modules,
            alarms: row.alarms,
            no_verdict: row.no_verdict,
            false_positive_rate: ratio.into(),
            false_positive_rate_low: interval.map(|interval| interval.low).into(),
            false_positive_rate_high: interval.map(|interval| interval.high).into(),
        }
    });
    tables.unpaired.extend(unpaired);
    let contested = scores.contested.into_iter().map(|row| ContestedRow {
        detector: detector.to_owned(),
        corpus: row.corpus,
        mutator: row.mutator,
        n_mutants: row.n_mutants,
        n_modules: row.n_modules,
        detected: row.detected,
        indifferent: row.indifferent,
        other_pattern: row.other_pattern,
        missed: row.missed,
        no_verdict: row.no_verdict,
    });
    tables.contested.extend(contested);
}

fn lines(detector: &str, tag: &str, rows: &[Row]) -> Vec<ScoreLine> {
    rows.iter().map(|row| ScoreLine::new(detector, tag, row)).collect()
}
