//! `leakbench run`: the whole measurement.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::arguments::{Jobs, not_parsed, pages, pattern};
use super::config::{ConfigFile, Settings};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::console;
use crate::detect::{self, Suite, suites_with};
use crate::lab::corpus::{Corpus, embedded, from_folder, from_paths};
use crate::lab::{Ended, FixPairs, LabError, Request, Tool, on_threads, run};
use crate::leak::Pattern;
use crate::mutate::{self, Quota};
use crate::record::triage::{DEFAULT_FILE, Triage};
use crate::record::{DetectorMeta, FORMAT, Host, Meta, Recording, ResourceTables, ScoreLine};
use crate::report::{self, Style};

/// Leak mutants kept per mutator on code that is not ours.
const PER_MUTATOR: usize = 200;

/// Measures the built-in detectors on a corpus: injects leaks, looks who finds them, says how many
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    leakbench run                          the embedded corpus, everything\n  \
    leakbench run src/ tools/build.py      leaks injected into your own code\n  \
    leakbench run --pattern never-released --out results/base\n  \
    leakbench run --tool ruff --tool pylint    other tools on the same mutants\n  \
    leakbench run --pairs corpus/wild/pairs.csv    real leaks and their fixes as well\n  \
    leakbench run --corpus corpus/core --mutators my-pages -j 1 --format csv")]
pub(super) struct Run {
    /// Files and folders of Python code; without any, the embedded corpus
    paths: Vec<PathBuf>,
    /// A folder with a corpus.toml
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    corpus: Option<PathBuf>,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
    /// Only mutants of this pattern; may be given several times
    #[arg(long = "pattern", value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    /// What the sample is drawn by
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Leak mutants kept per mutator [default: all of the embedded corpus, 200 elsewhere]
    #[arg(long, value_name = "N")]
    per_mutator: Option<usize>,
    /// Leak mutants kept in all
    #[arg(long, value_name = "N")]
    max_mutants: Option<usize>,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    config: ConfigFile,
    /// Where the record goes; an earlier one there moves to DIR.old
    #[arg(long, value_name = "DIR", default_value = "results/latest")]
    out: PathBuf,
    /// Decisions about findings on clean code (`leakbench triage`)
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    triage: PathBuf,
    /// An external tool beside the built-in suite: a name of `leakbench list tools` or an adapter's FILE.toml; several times
    #[arg(long = "tool", value_name = "NAME")]
    tools: Vec<String>,
    /// Another program for a tool: a development build, say
    #[arg(long = "tool-command", value_name = "NAME=PROGRAM", value_parser = tool_command)]
    tool_commands: Vec<(String, String)>,
    /// Where what tools have said of a text is kept
    #[arg(long, value_name = "DIR", default_value = "results/cache")]
    cache: PathBuf,
    /// Asks tools anew, and keeps nothing
    #[arg(long)]
    no_cache: bool,
    /// A list of real leaks and their fixes, looked at as well (`leakbench corpus fetch` brings their files)
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// How the scores are shown
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// For clap: `NAME=PROGRAM`.
fn tool_command(word: &str) -> Result<(String, String), String> {
    let split = word
        .split_once('=')
        .filter(|(name, program)| !name.is_empty() && !program.is_empty());
    let (name, program) = split.ok_or_else(|| "must be NAME=PROGRAM".to_owned())?;
    Ok((name.to_owned(), program.to_owned()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Markdown,
    Json,
    Csv,
}

impl Run {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let triage = Triage::load(&self.triage)?;
        let pairs = self.pairs.as_deref().map(FixPairs::read).transpose()?;
        let tools = self.tools()?;
        let settings = self.config.load()?;
        let pages = pages(self.mutators.as_deref())?.with_resources(settings.mutable_resources());
        let threads = self.jobs.threads(settings.check.jobs);
        let corpora = self.corpora(&settings)?;
        let quota = self.quota(&corpora);
        let suites = suites_with(&settings.detectors);
        let mut meta = self.meta(quota, &suites, &triage, &settings);
        let recording = Recording::create(&self.out, &meta)?;
        let request = Request {
            corpora,
            pages: &pages,
            patterns: &self.patterns,
            quota,
            suites: &suites,
            triage: &triage,
            tools: &tools,
            tool_cache: (!self.no_cache).then_some(self.cache.as_path()),
            pairs: pairs.as_ref(),
        };
        let terminal = Terminal::new();
        let ended = on_threads(threads, || run(&request, &recording, &mut meta, &terminal));
        let ended = ended.and_then(|ended| ended);
        terminal.end();
        meta.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let exit = conclude(&ended);
        meta.complete = matches!(exit, Exit::Done | Exit::Nothing | Exit::Detector) && ended.is_ok();
        meta.exit_reason = exit_reason(&ended, exit);
        recording.write_meta(&meta)?;
        if let Err(LabError::TooManyUnparsed { unparsed, .. }) = &ended {
            not_parsed(unparsed);
        }
        let ended = ended?;
        self.show(&ended, &meta)?;
        self.tell(&ended, exit, recording.moved.as_deref());
        Ok(exit)
    }

    fn tools(&self) -> Result<Vec<Tool>, Failure> {
        let named = |(tool, _): &&(String, String), name: &str| tool == name;
        let ready = |name: &String| {
            let command = self.tool_commands.iter().find(|pair| named(pair, name));
            Tool::ready(name, command.map(|(_, program)| program.as_str()))
        };
        let stranger = self.tool_commands.iter().find(|(tool, _)| !self.tools.contains(tool));
        if let Some((tool, _)) = stranger {
            return Err(Failure::usage(format!(
                "--tool-command {tool}=…: there is no --tool {tool}"
            )));
        }
        let tools: Vec<Tool> = self.tools.iter().map(ready).collect::<Result<_, LabError>>()?;
        let mut ids: Vec<&str> = tools.iter().map(|tool| tool.adapter.id.as_str()).collect();
        ids.sort_unstable();
        let named = ids.len();
        ids.dedup();
        if ids.len() < named {
            return Err(Failure::usage("a tool is named twice"));
        }
        Ok(tools)
    }

    fn corpora(&self, settings: &Settings) -> Result<Vec<Corpus>, Failure> {
        if let Some(folder) = &self.corpus {
            return Ok(vec![from_folder(folder)?]);
        }
        if self.paths.is_empty() {
            return Ok(vec![embedded()?]);
        }
        let mut corpora = from_paths(&self.paths)?;
        settings.exclude()?.apply(&mut corpora);
        Ok(corpora)
    }

    fn quota(&self, corpora: &[Corpus]) -> Quota {
        let ours = corpora.iter().all(|corpus| corpus.embedded);
        Quota {
            seed: self.seed,
            per_mutator: self.per_mutator.or((!ours).then_some(PER_MUTATOR)),
            max_mutants: self.max_mutants,
        }
    }

    fn meta(&self, quota: Quota, suites: &[Suite], triage: &Triage, settings: &Settings) -> Meta {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let detector = |suite: &Suite| DetectorMeta {
            id: suite.id.to_owned(),
            version: suite.version.to_owned(),
            command: Vec::new(),
            claims: Vec::new(),
            busy_ms: None,
            peak_bytes: None,
        };
        Meta {
            record_format: FORMAT,
            leakbench: env!("CARGO_PKG_VERSION").to_owned(),
            judging_rules: crate::record::JUDGING_RULES,
            complete: false,
            exit_reason: "running, or ended without a chance to say so".to_owned(),
            seed: quota.seed,
            per_mutator: quota.per_mutator,
            max_mutants: quota.max_mutants,
            arguments: std::env::args().skip(1).collect(),
            corpora: Vec::new(),
            pages_sha256: String::new(),
            mutators: Vec::new(),
            detectors: suites.iter().map(detector).collect(),
            resource_tables: resource_tables(),
            triage_sha256: triage.sha256().to_owned(),
            configuration_sha256: settings.sha256.clone(),
            repeated_mutants: 0,
            pairs_sha256: String::new(),
            host: host(self.jobs.threads(settings.check.jobs)),
            started_unix_s: now.map_or(0, |since| since.as_secs()),
            wall_ms: 0,
        }
    }

    fn show(&self, ended: &Ended, meta: &Meta) -> Result<(), Failure> {
        let style = |colour| Style { colour };
        let shown = match self.format {
            Format::Table => report::table(&ended.tables, meta, style(console::stdout_has_colour())),
            Format::Markdown => report::markdown(&ended.tables, meta),
            Format::Json => report::json(&ended.tables, meta),
            Format::Csv => report::csv(&ended.tables),
        };
        Ok(console::print(&shown)?)
    }

    fn tell(&self, ended: &Ended, exit: Exit, moved: Option<&Path>) {
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
        console::note(&format!("record: {}", self.out.display()));
    }
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
