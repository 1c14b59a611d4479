//! `leakbench mutate`: the mutants as files, for tools that are not run from here.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::arguments::Jobs;
use super::config::ConfigFile;
use super::exit::{Exit, Failure};
use super::scores::{close, meta};
use super::terminal::Terminal;
use super::wanted::WantedArgs;
use crate::console;
use crate::lab::{export, on_threads};
use crate::record::Recording;
use crate::record::triage::Triage;

/// Writes mutants, clean modules and a manifest, for tools that run elsewhere
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    leakbench mutate --out mutants         the embedded corpus: mutants/tree is what a tool is shown\n  \
    leakbench mutate src/ --out mutants --max-mutants 500\n  \
    leakbench score --sarif tool.sarif --manifest mutants --tool ruff    what it said, judged")]
pub(super) struct Mutate {
    #[command(flatten)]
    wanted: WantedArgs,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    config: ConfigFile,
    /// The folder to make: tree/ for the tool, manifest.csv and manifest.json for you
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Mutate {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let settings = self.config.load()?;
        let pages = self.wanted.pages(&settings)?;
        let threads = self.jobs.threads(settings.check.jobs);
        let wanted = self.wanted.wanted(&pages, &settings)?;
        let mut meta = meta(wanted.quota, &[], &Triage::default(), &settings, threads);
        let recording = Recording::create(&self.out, &meta)?;
        let terminal = Terminal::new();
        let exported =
            on_threads(threads, || export(&wanted, &recording, &mut meta, &terminal)).and_then(|ended| ended);
        terminal.end();
        let exported = exported?;
        meta.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reason = if exported.interrupted { "interrupted" } else { "done" };
        close(!exported.interrupted, reason.to_owned(), &mut meta, &recording)?;
        if let Some(moved) = &recording.moved {
            console::note(&format!("what stood there before is in {}", moved.display()));
        }
        if exported.interrupted {
            console::warning("interrupted: the folder is incomplete");
            return Ok(Exit::Interrupted);
        }
        if exported.unwritten > 0 {
            console::warning(&format!(
                "{} mutants were left out: the encoding of their module cannot hold them",
                exported.unwritten
            ));
        }
        let (clean, mutants, out) = (
            exported.clean,
            exported.mutants - exported.unwritten,
            self.out.display(),
        );
        console::print(&format!(
            "{clean} clean modules and {mutants} mutants in {out}/tree, what each is in {out}/manifest.csv\n\
             beside each stand the other modules of its folder, for imports; nobody judges what is said of those\n"
        ))?;
        if exported.mutants == 0 {
            console::error("no mutant could be made");
            return Ok(Exit::Nothing);
        }
        Ok(Exit::Done)
    }
}
