//! From what was measured to the rows of the record. No decisions, only spelling.

use std::collections::BTreeSet;

use super::claims::why_missed;
use super::plan::Planned;
use super::sheet::{Sheet, Sought};
use super::work::{CleanFinding, Measured, OnClean, OnMutant};
use crate::judge::Judgement;
use crate::leak::{Finding, Pattern, Witness};
use crate::mutate::Mutant;
use crate::python::span::offset;
use crate::python::{Edit, LineIndex, Span};
use crate::record::row::{CleanRow, FindingRow, ModuleRow, MutantRow, OutcomeRow, joined};
use crate::record::triage::{Ruling, hex};
use crate::record::{EditHunk, EditLine, EditRow};

/// What `run_on` holds for a finding on untouched code.
pub const CLEAN: &str = "clean";

/// The disposition of a finding below the confidence that counts.
pub const LOW_CONFIDENCE: &str = "low-confidence";

/// Lines of context kept around the edits of a mutant.
const CONTEXT_LINES: u32 = 3;

/// Modules of a package are alike: on code without a `corpus.toml` the package is the cluster.
/// `shared` is the folder that all modules of the corpus have in common.
pub(super) fn cluster(planned: &Planned, shared: &str) -> String {
    let path = &planned.text.path;
    if planned.corpus.declared {
        return path.clone();
    }
    let below = path.strip_prefix(shared).unwrap_or(path);
    below.split('/').next().unwrap_or(below).to_owned()
}

pub(super) fn mutant_row(planned: &Planned, mutant: &Mutant, lines: &LineIndex, cluster: &str) -> MutantRow {
    let primary = mutant.twin_of.iter().filter(|twin| twin.primary);
    let places = mutant.label.places.iter();
    MutantRow {
        id: mutant.id.clone(),
        corpus: planned.corpus.name.clone(),
        module: planned.text.path.clone(),
        mutator: mutant.mutator.clone(),
        modifier: mutant.modifier.clone().unwrap_or_default(),
        pattern: mutant.label.pattern.to_string(),
        resource: mutant.label.resource.clone(),
        effect: mutant.label.effect.to_string(),
        strength: mutant.label.strength.to_string(),
        witness: planned.witness(mutant).to_string(),
        twin_of: joined(mutant.twin_of.iter().map(|twin| &twin.leak)),
        primary: joined(primary.map(|twin| &twin.leak)),
        qualname: mutant.qualname.clone(),
        start: mutant.site.start,
        end: mutant.site.end,
        label_start: mutant.label.span.start,
        label_end: mutant.label.span.end,
        duplicate_of: mutant.duplicate_of.clone().unwrap_or_default(),
        regions: joined(places.map(|place| {
            let Span { start, end } = place.region;
            format!("{}@{start}-{end}", place.pattern)
        })),
        line: lines.line_of(mutant.label_site.start) + 1,
        kind: planned.text.tags.kind.word().to_owned(),
        blind: planned.text.tags.blind,
        cluster: cluster.to_owned(),
    }
}

pub(super) fn module_row(planned: &Planned) -> ModuleRow {
    ModuleRow {
        corpus: planned.corpus.name.clone(),
        module: planned.text.path.clone(),
        kind: planned.text.tags.kind.word().to_owned(),
        blind: planned.text.tags.blind,
        known_clean: planned.corpus.known_clean,
        lines: planned.lines,
        acquisitions: planned.acquisitions,
        definitions: joined(
            planned
                .definitions
                .iter()
                .map(|span| format!("{}-{}", span.start, span.end)),
        ),
        sha256: hex(&planned.text.sha256),
    }
}

pub(super) fn edit_row(planned: &Planned, mutant: &Mutant, lines: &LineIndex) -> EditRow {
    let text = &planned.text.source.text;
    let mut groups: Vec<(Span, Vec<&Edit>)> = Vec::new();
    for edit in mutant.edits.list() {
        let around = with_context(edit.span, lines, text);
        match groups.last_mut() {
            Some((span, edits)) if around.start <= span.end => {
                *span = span.cover(around);
                edits.push(edit);
            }
            _ => groups.push((around, vec![edit])),
        }
    }
    let hunks = groups.into_iter().map(|(span, edits)| EditHunk {
        start: span.start,
        line: lines.line_of(span.start) + 1,
        context: span.of(text).to_owned(),
        edits: edits.into_iter().map(edit_line).collect(),
    });
    EditRow {
        id: mutant.id.clone(),
        corpus: planned.corpus.name.clone(),
        module: planned.text.path.clone(),
        hunks: hunks.collect(),
    }
}

fn edit_line(edit: &Edit) -> EditLine {
    EditLine {
        start: edit.span.start,
        end: edit.span.end,
        text: edit.text.clone(),
    }
}

/// Whole lines.
fn with_context(span: Span, lines: &LineIndex, text: &str) -> Span {
    let first = lines.line_of(span.start).saturating_sub(CONTEXT_LINES);
    let after = lines.line_of(span.end) + CONTEXT_LINES + 1;
    let end = if after < lines.line_count() {
        lines.start_of(after)
    } else {
        offset(text.len())
    };
    Span::new(lines.start_of(first), end)
}

/// Clean module first, then mutant by mutant; within each, detector by detector, then by place.
pub(super) fn finding_rows(sheet: &Sheet, measured: &Measured, detectors: &[&str]) -> Vec<FindingRow> {
    let module = &sheet.module;
    let mut rows = Vec::new();
    for (detector, clean) in detectors.iter().zip(&measured.clean) {
        rows.extend(
            clean
                .findings
                .iter()
                .map(|found| clean_finding_row(module, detector, found)),
        );
    }
    let measured_mutants = sheet.mutants.iter().zip(&measured.mutants);
    for (mutant, by_detector) in measured_mutants {
        for (detector, on) in detectors.iter().zip(by_detector) {
            rows.extend(on.findings.iter().map(|found| {
                let disposition = found
                    .disposition
                    .map_or(LOW_CONFIDENCE, |disposition| disposition.word());
                FindingRow {
                    run_on: mutant.subject.id.clone(),
                    line: found.line,
                    ..finding_row(module, detector, &found.finding, disposition)
                }
            }));
        }
    }
    rows
}

/// The mutants that detectors look at; [`counts`](crate::record::counts) says the same of rows.
pub(super) fn counted<'p>(planned: &'p Planned) -> impl Iterator<Item = &'p Mutant> {
    let counts = |mutant: &&Mutant| mutant.duplicate_of.is_none() && planned.witness(mutant) != Witness::Refuted;
    planned.mutants.iter().filter(counts)
}

fn clean_finding_row(module: &ModuleRow, detector: &str, found: &CleanFinding) -> FindingRow {
    let disposition = found
        .disposition
        .map_or(LOW_CONFIDENCE, |disposition| disposition.word());
    FindingRow {
        run_on: CLEAN.to_owned(),
        line: found.place.line,
        qualname: found.place.qualname.clone(),
        shape: found.place.shape.clone(),
        key: found.key.clone(),
        triage: found.ruling.map_or("", Ruling::word).to_owned(),
        ..finding_row(module, detector, &found.finding, disposition)
    }
}

fn finding_row(module: &ModuleRow, detector: &str, finding: &Finding, disposition: &str) -> FindingRow {
    FindingRow {
        run_on: String::new(),
        detector: detector.to_owned(),
        rule: finding.rule.clone(),
        patterns: joined(&finding.patterns),
        module: module.module.clone(),
        start: finding.span.start,
        end: finding.span.end,
        confidence: finding.confidence.to_string(),
        message: finding.message.clone(),
        disposition: disposition.to_owned(),
        corpus: module.corpus.clone(),
        line: 0,
        resource: finding.resource.clone().unwrap_or_default(),
        qualname: String::new(),
        shape: String::new(),
        key: String::new(),
        triage: String::new(),
    }
}

pub(super) fn outcome_row(
    sought: &Sought,
    detector: &str,
    on: &OnMutant,
    claims: Option<&BTreeSet<Pattern>>,
) -> OutcomeRow {
    let Judgement { verdict, reason, .. } = &on.judgement;
    let deciding = on.deciding();
    let reason = reason.map(|reason| match on.detail.as_str() {
        "" => reason.to_string(),
        detail => format!("{reason}: {detail}"),
    });
    let no_rule = || why_missed(*verdict, &sought.label, claims).map(str::to_owned);
    OutcomeRow {
        id: sought.subject.id.clone(),
        detector: detector.to_owned(),
        verdict: verdict.to_string(),
        rule: deciding.map(|finding| finding.rule.clone()).unwrap_or_default(),
        confidence: deciding
            .map(|finding| finding.confidence.to_string())
            .unwrap_or_default(),
        reason: reason.or_else(no_rule).unwrap_or_default(),
    }
}

pub(super) fn clean_row(module: &ModuleRow, detector: &str, on: &OnClean) -> CleanRow {
    let counted = || on.findings.iter().filter(|found| found.disposition.is_some());
    let ruled = |ruling| counted().filter(|found| found.ruling == ruling).count() as u64;
    let reason = on
        .silence
        .as_ref()
        .map(|silence| format!("{}: {}", silence.kind, silence.detail));
    CleanRow {
        detector: detector.to_owned(),
        corpus: module.corpus.clone(),
        module: module.module.clone(),
        kind: module.kind.clone(),
        blind: module.blind,
        known_clean: module.known_clean,
        lines: module.lines,
        acquisitions: module.acquisitions,
        findings: counted().count() as u64,
        triaged_true: ruled(Some(Ruling::True)),
        triaged_false: ruled(Some(Ruling::False)),
        triaged_contested: ruled(Some(Ruling::Contested)),
        untriaged: ruled(None),
        reason: reason.unwrap_or_default(),
    }
}
