//! How a measurement ends on the command line: scores on stdout, what went wrong on stderr, the exit code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::config::Settings;
use super::exit::{Exit, Failure};
use crate::console;
use crate::detect::{self, Suite};
use crate::lab::{Ended, LabError, suite_claims};
use crate::mutate::{self, Quota};
use crate::record::triage::Triage;
use crate::record::{DetectorMeta, FORMAT, Host, JUDGING_RULES, Meta, Recording, ResourceTables, ScoreLine};
use crate::report::{self, Style};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Markdown,
    Json,
    Csv,
}

impl Format {
    pub(super) fn show(self, ended: &Ended, meta: &Meta) -> Result<(), Failure> {
        let style = |colour| Style { colour };
        let shown = match self {
            Self::Table => report::table(&ended.tables, meta, style(console::stdout_has_colour())),
            Self::Markdown => report::markdown(&ended.tables, meta),
            Self::Json => report::json(&ended.tables, meta),
            Self::Csv => report::csv(&ended.tables),
        };
        Ok(console::print(&shown)?)
    }
}

/// Of a measurement that begins now.
pub(super) fn meta(quota: Quota, suites: &[Suite], triage: &Triage, settings: &Settings, threads: usize) -> Meta {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let detector = |suite: &Suite| DetectorMeta::new(suite.id, suite.version, Some(suite_claims(suite)));
    Meta {
        record_format: FORMAT,
        leakbench: env!("CARGO_PKG_VERSION").to_owned(),
        judging_rules: JUDGING_RULES,
        complete: false,
        exit_reason: "running, or ended without a chance to say so".to_owned(),
        seed: quota.seed,
        per_mutator: quota.per_mutator,
        max_mutants: quota.max_mutants,
        arguments: arguments(),
        corpora: Vec::new(),
        pages_sha256: String::new(),
        mutators: Vec::new(),
        detectors: suites.iter().map(detector).collect(),
        resource_tables: resource_tables(),
        triage_sha256: triage.sha256().to_owned(),
        configuration_sha256: settings.sha256.clone(),
        repeated_mutants: 0,
        pairs_sha256: String::new(),
        width: String::new(),
        judged: String::new(),
        files: BTreeMap::new(),
        host: host(threads),
        started_unix_s: now.map_or(0, |since| since.as_secs()),
        wall_ms: 0,
    }
}

pub(super) fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

fn resource_tables() -> ResourceTables {
    let mutators: BTreeSet<String> = mutate::acquiring_callables().into_iter().map(str::to_owned).collect();
    let detectors: BTreeSet<String> = detect::acquiring_callables().into_iter().map(str::to_owned).collect();
    ResourceTables {
        mutators: mutators.len() as u64,
        detectors: detectors.len() as u64,
        both: mutators.intersection(&detectors).count() as u64,
    }
}

fn host(threads: usize) -> Host {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Host {
        system: std::env::consts::OS.to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        threads: if threads == 0 { cores } else { threads },
    }
}

/// Completes the record with how it ended. Without an error the record is one that can be judged again.
pub(super) fn seal(ended: &Result<Ended, LabError>, meta: &mut Meta, recording: &Recording) -> Result<Exit, Failure> {
    let exit = conclude(ended);
    let complete = matches!(exit, Exit::Done | Exit::Nothing | Exit::Detector) && ended.is_ok();
    close(complete, exit_reason(ended, exit), meta, recording)?;
    Ok(exit)
}

/// Writes the last word of a record; a complete one lists its files.
pub(super) fn close(complete: bool, reason: String, meta: &mut Meta, recording: &Recording) -> Result<(), Failure> {
    meta.complete = complete;
    meta.exit_reason = reason;
    meta.files = if complete {
        recording.checksums()?
    } else {
        BTreeMap::new()
    };
    Ok(recording.write_meta(meta)?)
}

fn conclude(ended: &Result<Ended, LabError>) -> Exit {
    match ended {
        Ok(ended) if ended.interrupted => Exit::Interrupted,
        Ok(ended) if !ended.controls_off.is_empty() => Exit::Internal,
        Ok(ended) if ended.mutants == 0 => Exit::Nothing,
        Ok(ended) if !short_of_verdicts(ended).is_empty() => Exit::Detector,
        Ok(_) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

/// Detectors without a verdict on more than one mutant in ten: their ratios would be about what they happened to survive.
fn short_of_verdicts(ended: &Ended) -> Vec<&ScoreLine> {
    let pooled = ended.tables.scores.iter().filter(|line| line.is_pooled());
    pooled
        .filter(|line| line.count("no_verdict") * 10 > line.count("n_mutants"))
        .collect()
}

fn exit_reason(ended: &Result<Ended, LabError>, exit: Exit) -> String {
    match (ended, exit) {
        (Err(error), _) => error.to_string(),
        (_, Exit::Interrupted) => "interrupted".to_owned(),
        (_, Exit::Internal) => "a control is off".to_owned(),
        (_, Exit::Nothing) => "no mutant".to_owned(),
        (_, Exit::Detector) => "a detector gave too few verdicts".to_owned(),
        _ => "done".to_owned(),
    }
}

/// `moved` is where an earlier record stands now, `out` where this one does.
pub(super) fn tell(ended: &Ended, exit: Exit, moved: Option<&Path>, out: Option<&Path>) {
    if let Some(moved) = moved {
        console::note(&format!("the earlier record is in {}", moved.display()));
    }
    for off in &ended.controls_off {
        console::error(&off.to_string());
    }
    match exit {
        Exit::Internal => console::error("the scale is broken: these scores mean nothing; please report this"),
        Exit::Nothing => console::error("no mutant could be made, so nothing was measured"),
        Exit::Detector => {
            for line in short_of_verdicts(ended) {
                let (count, all) = (line.count("no_verdict"), line.count("n_mutants"));
                console::error(&format!(
                    "{}: no verdict on {count} of {all} mutants, more than one in ten; outcomes.csv says why",
                    line.detector
                ));
            }
        }
        Exit::Interrupted => console::warning("interrupted: the record is incomplete"),
        _ => {}
    }
    if let Some(out) = out {
        console::note(&format!("record: {}", out.display()));
    }
}
