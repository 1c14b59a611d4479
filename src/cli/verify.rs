//! `leakbench verify`: runs modules and mutants under `CPython`, and says whether the labels are true.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::arguments::{Jobs, not_parsed, pages, pattern};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::console;
use crate::lab::corpus::{Corpus, embedded, from_folder};
use crate::lab::{LabError, Verified, VerifiedModule, VerifyRequest, on_threads, verify};
use crate::leak::{Outcome, Pattern};
use crate::mutate::Quota;
use crate::record::row::{Row, WitnessRow};
use crate::record::{outcomes_csv, write_outcomes};
use crate::report::Style;
use crate::report::verify::{Trial, TrialMutant, contradictions, json, table};
use crate::witness::Python;

/// Modules whose trouble is told line by line.
const LINES_SHOWN: usize = 5;

/// Runs the corpus and its mutants under Python: leaks must leak, decoys and clean modules must not
#[derive(Debug, Args)]
#[command(
    after_help = "Runs code: the modules of the corpus, their drivers and mutants, in temporary folders.\n\n\
    Examples:\n  \
    leakbench verify                                       the embedded corpus, everything\n  \
    leakbench verify --pattern never-released --max-mutants 100\n  \
    leakbench verify --corpus corpus/core --out corpus/core   renew witness.csv, which `run` takes over\n\n\
    Exit codes: 0 no contradiction · 1 contradictions · 2 usage, no Python · 4 corpus inconsistent\n\
    5 nothing could be run · 130 interrupted"
)]
pub(super) struct Verify {
    /// A folder with a corpus.toml and drivers/ [default: the embedded corpus]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
    /// Only mutants of this pattern; may be given several times
    #[arg(long = "pattern", value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    /// Leak mutants run in all
    #[arg(long, value_name = "N")]
    max_mutants: Option<usize>,
    /// What the sample is drawn by
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The interpreter, 3.10 or later
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    jobs: Jobs,
    /// Seconds that a mutant may take
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = seconds)]
    time_limit: f64,
    /// Where witness.csv goes; without it nothing is written. A part (--pattern, --max-mutants) never replaces a file that is there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

fn seconds(word: &str) -> Result<f64, String> {
    let parsed: f64 = word.parse().map_err(|_| "no number of seconds".to_owned())?;
    let in_range = parsed.is_finite() && parsed > 0.0;
    in_range.then_some(parsed).ok_or_else(|| "must be above 0".to_owned())
}

impl Verify {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let began = Instant::now();
        let python = Python::find(&self.python)?;
        let pages = pages(self.mutators.as_deref())?;
        let request = VerifyRequest {
            corpus: self.corpus()?,
            pages: &pages,
            patterns: &self.patterns,
            quota: Quota {
                seed: self.seed,
                per_mutator: None,
                max_mutants: self.max_mutants,
            },
            python: &python,
            time_limit_s: self.time_limit,
        };
        if let Some(out) = &self.out {
            self.replace_nothing_by_a_part(out)?;
            write_nothing_yet(out)?;
        }
        let terminal = Terminal::new();
        let verified = on_threads(self.jobs.threads(None), || verify(&request, &terminal));
        terminal.end();
        let verified = verified.and_then(|verified| verified)?;
        not_parsed(&verified.unparsed);
        warn(&verified.modules);
        let rows: Vec<WitnessRow> = verified.modules.iter().flat_map(VerifiedModule::rows).collect();
        let trials = trials(&verified.modules);
        self.show(&trials, &rows)?;
        tell(&trials, &python, began.elapsed().as_secs_f64());
        if let (Some(out), false) = (&self.out, verified.interrupted) {
            write_outcomes(out, &rows)?;
            console::note(&format!("written: {}", out.join(WitnessRow::FILE).display()));
        }
        Ok(conclude(&verified, &trials))
    }

    /// Outcomes of what does not run this time would be lost.
    fn replace_nothing_by_a_part(&self, out: &Path) -> Result<(), Failure> {
        let path = out.join(WitnessRow::FILE);
        let is_part = !self.patterns.is_empty() || self.max_mutants.is_some();
        if is_part && path.exists() {
            return Err(Failure::usage(format!(
                "{} is there, and outcomes of a part of the mutants (--pattern, --max-mutants) would replace it; \
                 choose another --out, or run all",
                path.display()
            )));
        }
        Ok(())
    }

    fn corpus(&self) -> Result<Corpus, LabError> {
        self.corpus.as_deref().map_or_else(embedded, from_folder)
    }

    fn show(&self, trials: &[Trial], rows: &[WitnessRow]) -> Result<(), Failure> {
        let shown = match self.format {
            Format::Table => table(
                trials,
                Style {
                    colour: console::stdout_has_colour(),
                },
            ),
            Format::Csv => outcomes_csv(rows)?,
            Format::Json => json(trials),
        };
        Ok(console::print(&shown)?)
    }
}

/// An unwritable folder fails before the work starts.
fn write_nothing_yet(out: &Path) -> Result<(), Failure> {
    let unwritable = |error| Failure::usage(format!("write to {}: {error}; choose another --out", out.display()));
    std::fs::create_dir_all(out).map_err(unwritable)?;
    tempfile::NamedTempFile::new_in(out).map(drop).map_err(unwritable)
}

fn trials(modules: &[VerifiedModule]) -> Vec<Trial> {
    modules.iter().flat_map(trials_of).collect()
}

fn trials_of(module: &VerifiedModule) -> Vec<Trial> {
    let clean = Trial {
        module: module.path.clone(),
        mutant: None,
        outcome: module.clean.as_ref().map(|answer| answer.outcome),
        said: module
            .clean
            .as_ref()
            .and_then(|answer| answer.lines.first().cloned())
            .unwrap_or_default(),
        seconds: module.seconds,
    };
    let mutants = module.mutants.iter().map(|mutant| Trial {
        module: module.path.clone(),
        mutant: Some(TrialMutant {
            id: mutant.id.clone(),
            mutator: mutant.mutator.clone(),
            effect: mutant.effect,
            line: mutant.line,
        }),
        outcome: mutant.answer.as_ref().map(|answer| answer.outcome),
        said: mutant.answer.as_ref().map_or_else(String::new, |answer| {
            let said = [answer.reason.as_str(), answer.place.as_str()];
            said.into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ")
        }),
        seconds: mutant.seconds,
    });
    std::iter::once(clean).chain(mutants).collect()
}

/// What leaks or is broken as it is, and what nothing can run.
fn warn(modules: &[VerifiedModule]) {
    for module in modules {
        let Some(clean) = module.clean.as_ref().filter(|clean| clean.outcome != Outcome::Clean) else {
            continue;
        };
        for line in clean.lines.iter().take(LINES_SHOWN) {
            console::warning(&format!("{}: {line}", module.path));
        }
        if clean.lines.len() > LINES_SHOWN {
            console::warning(&format!(
                "{}: and {} more",
                module.path,
                clean.lines.len() - LINES_SHOWN
            ));
        }
    }
    let undriven: Vec<&str> = modules
        .iter()
        .filter(|module| !module.has_driver)
        .map(|module| module.path.as_str())
        .collect();
    if !undriven.is_empty() {
        console::warning(&format!(
            "{} modules have no driver, so nothing of them was run: {}",
            undriven.len(),
            undriven.join(", ")
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of mutants")]
fn tell(trials: &[Trial], python: &Python, seconds: f64) {
    let ran = trials.iter().filter(|trial| trial.outcome.is_some());
    let mutants = ran.filter(|trial| trial.mutant.is_some());
    let (mut count, mut busy) = (0_u64, 0.0);
    for trial in mutants {
        count += 1;
        busy += trial.seconds;
    }
    let rate = if busy > 0.0 { count as f64 / busy } else { 0.0 };
    console::note(&format!(
        "{count} mutants run under Python {} in {seconds:.1} s, {rate:.1} per second and worker",
        python.version
    ));
}

fn conclude(verified: &Verified, trials: &[Trial]) -> Exit {
    if verified.interrupted {
        console::warning("interrupted: nothing was written");
        return Exit::Interrupted;
    }
    if trials.iter().all(|trial| trial.outcome.is_none()) {
        console::error("nothing could be run: no module has a driver");
        return Exit::Nothing;
    }
    if contradictions(trials).next().is_some() {
        return Exit::Failed;
    }
    Exit::Done
}
