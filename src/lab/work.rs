//! One module: every detector on the clean text and on each of its mutants, and the verdicts.

use std::time::Duration;

use rayon::prelude::*;

use super::busy::{Busy, timed};
use super::guard::caught;
use super::place::{Place, Places};
use super::plan::Planned;
use super::rows::counted;
use super::sheet::clean_id;
use super::tools::Answers;
use super::watch::Watch;
use crate::detect::Suite;
use crate::judge::{Case, Disposition, Judgement, NoVerdict, Width, dispose_clean, judge};
use crate::leak::{Confidence, Finding, Label};
use crate::mutate::Mutant;
use crate::python::{Module, Source, SpanMap};
use crate::record::triage::{Ruling, Triage, key};

/// Findings below this are recorded, but neither credited nor charged.
pub(super) const LEAST_CONFIDENCE: Confidence = Confidence::Medium;

/// What a detector said, sorted; or why it said nothing, with a word for people.
pub(super) type Said = Result<Vec<Finding>, Silence>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub kind: NoVerdict,
    pub detail: String,
}

/// One module, measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// One per detector.
    pub clean: Vec<OnClean>,
    /// One list per mutant that is no duplicate, in the order of the plan, with one entry per detector.
    pub mutants: Vec<Vec<OnMutant>>,
}

#[derive(Debug)]
pub(super) struct OnClean {
    pub findings: Vec<CleanFinding>,
    pub silence: Option<Silence>,
}

/// A finding on untouched code, and what is known of it.
#[derive(Debug)]
pub(super) struct CleanFinding {
    pub finding: Finding,
    pub place: Place,
    pub key: String,
    pub ruling: Option<Ruling>,
    /// `None` if it is below [`LEAST_CONFIDENCE`].
    pub disposition: Option<Disposition>,
}

impl CleanFinding {
    pub(super) fn new(finding: Finding, place: Place, key: String, known_clean: bool, triage: &Triage) -> Self {
        let counts = finding.confidence >= LEAST_CONFIDENCE;
        Self {
            disposition: counts.then(|| dispose_clean(&finding, known_clean)),
            ruling: triage.ruling(&key),
            finding,
            place,
            key,
        }
    }
}

#[derive(Debug)]
pub(super) struct OnMutant {
    pub judgement: Judgement,
    pub findings: Vec<MutantFinding>,
    /// What stands beside the reason of a `no-verdict`.
    pub detail: String,
}

impl OnMutant {
    /// The finding that decided the verdict. The judge counts only those that are confident enough.
    pub(super) fn deciding(&self) -> Option<&Finding> {
        let mut counted = self.findings.iter().filter(|found| found.disposition.is_some());
        counted.nth(self.judgement.deciding?).map(|found| &found.finding)
    }
}

#[derive(Debug)]
pub(super) struct MutantFinding {
    pub finding: Finding,
    /// One-based.
    pub line: u32,
    /// `None` if it is below [`LEAST_CONFIDENCE`].
    pub disposition: Option<Disposition>,
}

/// What every module is measured with.
pub(super) struct Bench<'a> {
    pub suites: &'a [Suite],
    /// Of each suite.
    pub busy: &'a [Busy],
    /// What external tools have said already; they come after the suites.
    pub tools: &'a [Answers],
    pub triage: &'a Triage,
    pub watch: &'a dyn Watch,
}

/// `None` if it was interrupted.
pub(super) fn measure(planned: &Planned, bench: &Bench) -> Option<Measured> {
    if bench.watch.interrupted() {
        return None;
    }
    let (clean, parsing) = timed(|| parsed(&planned.text.path, planned.text.source.clone()));
    let suites = ask_all(bench, &clean, parsing);
    let tools = bench
        .tools
        .iter()
        .map(|tool| tool.of(&clean_id(&planned.corpus.name, &planned.text.path)));
    let said: Vec<Said> = suites.chain(tools).collect();
    let baselines: Vec<Report> = said.iter().map(Report::new).collect();
    let mutants: Vec<&Mutant> = counted(planned).collect();
    let mutants: Option<Vec<_>> = mutants
        .par_iter()
        .map(|mutant| measure_mutant(planned, mutant, &baselines, bench))
        .collect();
    let clean = said
        .into_iter()
        .map(|said| on_clean(said, &clean, planned.corpus.known_clean, bench.triage));
    Some(Measured {
        clean: clean.collect(),
        mutants: mutants?,
    })
}

pub(super) fn parsed(path: &str, source: Source) -> Result<Module, Silence> {
    Module::parse(path, source).map_err(|why| Silence {
        kind: NoVerdict::Parse,
        detail: why.reason,
    })
}

/// Each suite is charged for the parsing as if it were alone.
fn ask_all(bench: &Bench, module: &Result<Module, Silence>, parsing: Duration) -> impl Iterator<Item = Said> {
    let suites = bench.suites.iter().zip(bench.busy);
    suites.map(move |(suite, busy)| busy.time(parsing, || ask(suite, module)))
}

fn ask(suite: &Suite, module: &Result<Module, Silence>) -> Said {
    let module = module.as_ref().map_err(Clone::clone)?;
    let mut findings = caught(|| suite.findings(module)).map_err(|panic| Silence {
        kind: NoVerdict::Crash,
        detail: panic,
    })?;
    findings.sort();
    Ok(findings)
}

/// The findings that count, and where each stood among all.
pub(super) struct Report {
    counted: Result<Vec<Finding>, NoVerdict>,
    indices: Vec<usize>,
}

impl Report {
    pub(super) fn new(said: &Said) -> Self {
        let all = match said {
            Ok(all) => all,
            Err(silence) => {
                return Self {
                    counted: Err(silence.kind),
                    indices: Vec::new(),
                };
            }
        };
        let counts = |at: &usize| all[*at].confidence >= LEAST_CONFIDENCE;
        let indices: Vec<usize> = (0..all.len()).filter(counts).collect();
        Self {
            counted: Ok(indices.iter().map(|at| all[*at].clone()).collect()),
            indices,
        }
    }

    fn as_judged(&self) -> Result<&[Finding], NoVerdict> {
        self.counted.as_deref().map_err(|kind| *kind)
    }
}

fn measure_mutant(planned: &Planned, mutant: &Mutant, baselines: &[Report], bench: &Bench) -> Option<Vec<OnMutant>> {
    if bench.watch.interrupted() {
        return None;
    }
    let text = mutant.edits.apply(&planned.text.source.text);
    let (module, parsing) = timed(|| parsed(&planned.text.path, Source::from_text(text)));
    let map = mutant.edits.map();
    let suites = ask_all(bench, &module, parsing);
    let tools = bench.tools.iter().map(|tool| tool.of(&mutant.id));
    let line = |finding: &Finding| line_in(&module, finding);
    let judged = suites.chain(tools).zip(baselines).map(|(said, baseline)| {
        let mark = Mark {
            label: &mutant.label,
            map: &map,
            width: Width::Statement,
        };
        mark.judge(said, baseline, &line)
    });
    let judged = judged.collect();
    bench.watch.advance(1);
    Some(judged)
}

/// What detectors are held against on one mutant.
#[derive(Clone, Copy)]
pub(super) struct Mark<'a> {
    pub label: &'a Label,
    pub map: &'a SpanMap,
    pub width: Width<'a>,
}

impl Mark<'_> {
    /// `line` counts from one.
    pub(super) fn judge(&self, said: Said, baseline: &Report, line: &dyn Fn(&Finding) -> u32) -> OnMutant {
        let report = Report::new(&said);
        let judgement = judge(&Case {
            label: self.label,
            map: self.map,
            width: self.width,
            baseline: baseline.as_judged(),
            report: report.as_judged(),
        });
        let (all, detail) = match said {
            Ok(all) => (all, String::new()),
            Err(silence) => (Vec::new(), silence.detail),
        };
        let disposition = |at: usize| {
            let counted = report.indices.binary_search(&at).ok()?;
            judgement.dispositions.get(counted).copied()
        };
        let findings = all.into_iter().enumerate().map(|(at, finding)| MutantFinding {
            line: line(&finding),
            disposition: disposition(at),
            finding,
        });
        OnMutant {
            findings: findings.collect(),
            judgement,
            detail,
        }
    }
}

/// One-based; 0 in a text that does not parse.
pub(super) fn line_in(module: &Result<Module, Silence>, finding: &Finding) -> u32 {
    module
        .as_ref()
        .map_or(0, |module| module.lines.line_of(finding.span.start) + 1)
}

/// `known_clean` says it of the corpus.
pub(super) fn on_clean(said: Said, module: &Result<Module, Silence>, known_clean: bool, triage: &Triage) -> OnClean {
    let (findings, module) = match (said, module) {
        (Ok(findings), Ok(module)) => (findings, module),
        (Err(silence), _) => return silent(silence),
        (_, Err(silence)) => return silent(silence.clone()),
    };
    let places = Places::new(module);
    let findings = findings.into_iter().map(|finding| {
        let place = places.place(finding.span.start);
        let key = key(&finding.rule, &place.statement, &place.qualname);
        CleanFinding::new(finding, place, key, known_clean, triage)
    });
    OnClean {
        findings: findings.collect(),
        silence: None,
    }
}

pub(super) fn silent(silence: Silence) -> OnClean {
    OnClean {
        findings: Vec::new(),
        silence: Some(silence),
    }
}
