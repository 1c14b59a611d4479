//! Gathers verdicts while modules are measured, and turns them into the tables of the record.

use std::collections::BTreeMap;

use super::plan::{Plan, Planned};
use super::rows::{clean_row, cluster, counted};
use super::side_by_side::side_by_side;
use super::work::{CleanFinding, Measured, OnClean};
use crate::judge::controls::{ControlCase, ControlOff, check_controls};
use crate::judge::interval::Proportion;
use crate::judge::row::Row;
use crate::judge::score::{Scores, Settings, score};
use crate::judge::{Charge, CleanModule, Judged, Subject, Twin, Verdict};
use crate::leak::{Label, Witness};
use crate::mutate::Mutant;
use crate::python::SpanMap;
use crate::record::row::{CleanRow, ContestedRow, UnpairedRow};
use crate::record::triage::Ruling;
use crate::record::{ScoreLine, Tables};

/// Tags that scores are given apart for.
pub(super) const TAGS: [&str; 2] = ["blind", "not-blind"];

/// Every mutant that counts, as the judge knows it, in the order of the plan.
#[derive(Debug)]
pub(super) struct Field<'p> {
    pub subjects: Vec<Subject>,
    mutants: Vec<&'p Mutant>,
    blind: Vec<bool>,
}

impl<'p> Field<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let shared = shared_folders(plan);
        let twins = twins(plan);
        let mut field = Self {
            subjects: Vec::new(),
            mutants: Vec::new(),
            blind: Vec::new(),
        };
        for planned in &plan.modules {
            let cluster = cluster(planned, &shared[planned.corpus.name.as_str()]);
            for mutant in counted(planned) {
                let twins = twins.get(mutant.id.as_str()).cloned().unwrap_or_default();
                field.subjects.push(subject(planned, mutant, &cluster, twins));
                field.mutants.push(mutant);
                field.blind.push(planned.text.tags.blind);
            }
        }
        field
    }

    /// Whether detectors with known scores get these scores.
    pub(super) fn check_controls(&self) -> Vec<ControlOff> {
        let maps: Vec<SpanMap> = self.mutants.iter().map(|mutant| mutant.edits.map()).collect();
        let labels = self.mutants.iter().map(|mutant| &mutant.label);
        let cases = self.subjects.iter().zip(labels).zip(&maps);
        let case = |((subject, label), map): ((_, &'p Label), _)| ControlCase { subject, label, map };
        check_controls(&cases.map(case).collect::<Vec<_>>())
            .err()
            .unwrap_or_default()
    }
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

/// By id of the leak mutant.
fn twins<'p>(plan: &'p Plan) -> BTreeMap<&'p str, Vec<Twin>> {
    let mut twins: BTreeMap<&str, Vec<Twin>> = BTreeMap::new();
    for decoy in plan.modules.iter().flat_map(counted) {
        for twin in &decoy.twin_of {
            twins.entry(&twin.leak).or_default().push(Twin {
                id: decoy.id.clone(),
                primary: twin.primary,
            });
        }
    }
    twins
}

fn subject(planned: &Planned, mutant: &Mutant, cluster: &str, twins: Vec<Twin>) -> Subject {
    Subject {
        id: mutant.id.clone(),
        corpus: planned.corpus.name.clone(),
        module: cluster.to_owned(),
        mutator: mutant.mutator.clone(),
        modifier: mutant.modifier.clone().unwrap_or_default(),
        pattern: mutant.label.pattern,
        resource: mutant.label.resource.clone(),
        effect: mutant.label.effect,
        witnessed: planned.witness(mutant) == Witness::Witnessed,
        twins,
    }
}

/// What one detector said of everything.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// In the order of [`Field::subjects`].
    verdicts: Vec<(Verdict, Vec<Charge>)>,
    clean: Vec<CleanModule>,
    blind: Vec<bool>,
    pub clean_rows: Vec<CleanRow>,
}

impl Ledger {
    /// `measured` is `None` for a module that an interrupted run did not reach.
    pub(super) fn add(&mut self, planned: &Planned, measured: Option<&Measured>, at: usize, detector: &str) {
        let Some(measured) = measured else {
            let not_run = counted(planned).map(|_| (Verdict::NoVerdict, Vec::new()));
            return self.verdicts.extend(not_run);
        };
        let judged = measured.mutants.iter().map(|by_detector| &by_detector[at].judgement);
        self.verdicts
            .extend(judged.map(|judgement| (judgement.verdict, judgement.charges.clone())));
        let on = &measured.clean[at];
        self.clean.push(clean_module(planned, on));
        self.blind.push(planned.text.tags.blind);
        self.clean_rows.push(clean_row(planned, detector, on));
    }

    fn judged<'f>(&self, field: &'f Field, wanted: impl Fn(bool) -> bool) -> Vec<Judged<'f>> {
        let all = field.subjects.iter().zip(&self.verdicts).zip(&field.blind);
        let wanted = all.filter(|(_, blind)| wanted(**blind));
        let judged = wanted.map(|((subject, (verdict, charges)), _)| Judged {
            subject,
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
fn clean_module(planned: &Planned, on: &OnClean) -> CleanModule {
    let charged = |found: &&CleanFinding| {
        let excused = matches!(found.ruling, Some(Ruling::True | Ruling::Contested));
        let settled = !planned.corpus.known_clean && found.ruling.is_some();
        found.disposition.is_some() && !excused && !settled
    };
    let findings = on
        .findings
        .iter()
        .filter(charged)
        .filter_map(|found| Charge::of(&found.finding));
    CleanModule {
        corpus: planned.corpus.name.clone(),
        natural_mix: planned.text.tags.kind == super::tags::Kind::Mix,
        known_clean: planned.corpus.known_clean,
        lines: planned.lines,
        acquisitions: planned.acquisitions,
        findings: on.silence.is_none().then(|| findings.collect()),
    }
}

/// All tables but `unparsed`, detector by detector.
pub(super) fn tables(field: &Field, ledgers: Vec<Ledger>, detectors: &[&str]) -> Tables {
    let judged: Vec<Vec<Judged>> = ledgers.iter().map(|ledger| ledger.judged(field, |_| true)).collect();
    let mut tables = side_by_side(detectors, &judged);
    let any_blind = field.blind.contains(&true) || ledgers.iter().any(|ledger| ledger.blind.contains(&true));
    for (detector, ledger) in detectors.iter().zip(ledgers) {
        let scores = score(
            &ledger.judged(field, |_| true),
            &ledger.clean(|_| true),
            &Settings::default(),
        );
        add_scores(&mut tables, detector, scores);
        for tag in TAGS.iter().filter(|_| any_blind) {
            let wanted = |blind: bool| blind == (*tag == "blind");
            let scores = score(
                &ledger.judged(field, wanted),
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
