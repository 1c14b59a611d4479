//! `leakbench run`: the whole measurement.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::arguments::{Jobs, not_parsed};
use super::config::ConfigFile;
use super::exit::{Exit, Failure};
use super::scores::{Format, meta, seal, tell};
use super::terminal::Terminal;
use super::wanted::WantedArgs;
use crate::detect::{suites, suites_with};
use crate::lab::{FixPairs, LabError, Request, Tool, on_threads, run};
use crate::record::Recording;
use crate::record::triage::{DEFAULT_FILE, Triage};
use crate::tool::Adapter;

/// Measures detectors on a corpus: injects leaks, looks who finds them, says how many
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    leakbench run                          the embedded corpus, everything\n  \
    leakbench run src/ tools/build.py      leaks injected into your own code\n  \
    leakbench run --pattern never-released --out results/base\n  \
    leakbench run --tool ruff --tool pylint    other tools on the same mutants\n  \
    leakbench run --pairs corpus/wild/pairs.csv    real leaks and their fixes as well\n  \
    leakbench run --corpus corpus/core --mutators my-pages -j 1 --format csv")]
pub(super) struct Run {
    #[command(flatten)]
    wanted: WantedArgs,
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

impl Run {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let triage = Triage::load(&self.triage)?;
        let pairs = self.pairs.as_deref().map(FixPairs::read).transpose()?;
        let tools = self.tools()?;
        let settings = self.config.load()?;
        let pages = self.wanted.pages(&settings)?;
        let threads = self.jobs.threads(settings.check.jobs);
        let wanted = self.wanted.wanted(&pages, &settings)?;
        let suites = suites_with(&settings.detectors);
        let mut meta = meta(wanted.quota, &suites, &triage, &settings, threads);
        let recording = Recording::create(&self.out, &meta)?;
        let request = Request {
            wanted,
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
        let exit = seal(&ended, &mut meta, &recording)?;
        if let Err(LabError::TooManyUnparsed { unparsed, .. }) = &ended {
            not_parsed(unparsed);
        }
        let ended = ended?;
        self.format.show(&ended, &meta)?;
        tell(&ended, exit, recording.moved.as_deref(), Some(&self.out));
        Ok(exit)
    }

    /// A program given for a tool goes by the tool's name on the command line, or by its id.
    fn tools(&self) -> Result<Vec<Tool>, Failure> {
        let mut commands: BTreeMap<&str, &str> = BTreeMap::new();
        for (tool, program) in &self.tool_commands {
            commands.insert(tool, program);
        }
        let mut tools = Vec::new();
        let mut ids: Vec<String> = suites().iter().map(|suite| suite.id.to_owned()).collect();
        for name in &self.tools {
            let adapter = Adapter::find(name).map_err(LabError::from)?;
            let id = adapter.id.clone();
            if ids.contains(&id) {
                return Err(Failure::usage(format!(
                    "--tool {name}: {id} is a detector of this run already; give it another id"
                )));
            }
            let command = commands.remove(name.as_str()).or_else(|| commands.remove(id.as_str()));
            tools.push((adapter, command));
            ids.push(id);
        }
        if let Some(tool) = commands.keys().next() {
            return Err(Failure::usage(format!(
                "--tool-command {tool}=…: there is no --tool {tool}"
            )));
        }
        let ready = tools
            .into_iter()
            .map(|(adapter, command)| Tool::ready(adapter, command));
        Ok(ready.collect::<Result<_, LabError>>()?)
    }
}
