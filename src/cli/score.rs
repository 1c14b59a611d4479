//! `leakbench score`: findings that are there already, judged.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::scores::{Format, arguments, seal, tell};
use super::terminal::Terminal;
use crate::console;
use crate::lab::{Ended, Foreign, LabError, WidthChoice, on_threads, score_again, score_log};
use crate::record::triage::{DEFAULT_FILE, Triage};
use crate::record::{DetectorMeta, Meta, Record, Recording};
use crate::tool::Adapter;

/// Judges findings that are there already: those of a record again, or a tool's SARIF log
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    leakbench score results/latest --width function    how much is lost to places that differ?\n  \
    leakbench score results/latest --triage decisions.toml --out results/triaged\n  \
    leakbench mutate --out mutants && ruff check --output-format sarif -o ruff.sarif mutants/tree\n  \
    leakbench score --sarif ruff.sarif --manifest mutants --tool ruff")]
pub(super) struct Score {
    /// The record whose findings are judged again
    #[arg(required_unless_present = "sarif", conflicts_with = "sarif")]
    record: Option<PathBuf>,
    /// What a tool has said of the files of `leakbench mutate`
    #[arg(long, value_name = "LOG", requires = "manifest", requires = "tool")]
    sarif: Option<PathBuf>,
    /// The folder that `leakbench mutate` has made
    #[arg(long, value_name = "DIR", requires = "sarif")]
    manifest: Option<PathBuf>,
    /// Which rule claims what: a name of `leakbench list tools`, or an adapter's FILE.toml
    #[arg(long, value_name = "NAME", requires = "sarif")]
    tool: Option<String>,
    /// How far a finding that covers a leak may reach: its statement or header, the function around it, or the file
    #[arg(long, value_enum, default_value_t = Width::Statement)]
    width: Width,
    /// Decisions about findings on clean code (`leakbench triage`)
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    triage: PathBuf,
    /// Where a record of it goes [default: none is kept]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the scores are shown
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Width {
    Statement,
    Function,
    File,
}

impl From<Width> for WidthChoice {
    fn from(width: Width) -> Self {
        match width {
            Width::Statement => Self::Statement,
            Width::Function => Self::Function,
            Width::File => Self::File,
        }
    }
}

impl Score {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let started = Instant::now();
        let triage = Triage::load(&self.triage)?;
        let source = self
            .record
            .as_deref()
            .or(self.manifest.as_deref())
            .unwrap_or(Path::new("."));
        if source.is_file() {
            let folder = source.parent().unwrap_or(Path::new(".")).display();
            return Err(Failure::usage(format!(
                "{} is a file; name its folder, {folder}",
                source.display()
            )));
        }
        if self.out.as_deref() == Some(source) {
            return Err(Failure::usage(
                "--out is the record that is judged; name another folder",
            ));
        }
        let record = Record::open(source)?;
        // Asked before the new record moves an old one out of its way.
        record.check_files()?;
        let adapter = self
            .tool
            .as_deref()
            .map(Adapter::find)
            .transpose()
            .map_err(LabError::from)?;
        let mut meta = self.meta(&record, &triage, adapter.as_ref());
        let temp = tempfile::tempdir()?;
        let kept = self.out.clone().unwrap_or_else(|| temp.path().join("record"));
        let recording = Recording::create(&kept, &meta)?;
        let terminal = Terminal::new();
        let ended = on_threads(0, || {
            self.judge(&record, adapter.as_ref(), &triage, &recording, &terminal)
        });
        let ended = ended.and_then(|ended| ended);
        terminal.end();
        meta.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let exit = seal(&ended, &mut meta, &recording)?;
        let ended = ended?;
        self.format.show(&ended, &meta)?;
        tell(&ended, exit, recording.moved.as_deref(), self.out.as_deref());
        Ok(exit)
    }

    fn judge(
        &self,
        record: &Record,
        adapter: Option<&Adapter>,
        triage: &Triage,
        recording: &Recording,
        terminal: &Terminal,
    ) -> Result<Ended, LabError> {
        let width = self.width.into();
        let (Some(log), Some(adapter)) = (&self.sarif, adapter) else {
            return score_again(record, width, triage, recording);
        };
        let foreign = Foreign {
            log,
            adapter,
            manifest: record,
            width,
            triage,
        };
        let (ended, elsewhere) = score_log(&foreign, recording, terminal)?;
        if elsewhere > 0 {
            console::note(&format!(
                "{}: {elsewhere} findings are about files that the manifest does not list, most often the siblings that stand beside every mutant",
                log.display()
            ));
        }
        Ok(ended)
    }

    /// Inputs and versions stay those of what is judged.
    fn meta(&self, record: &Record, triage: &Triage, adapter: Option<&Adapter>) -> Meta {
        let mut meta = record.meta.clone();
        if let Some(adapter) = adapter {
            meta.detectors = vec![DetectorMeta::new(&adapter.id, "", adapter.claims())];
        }
        meta.complete = false;
        meta.arguments = arguments();
        triage.sha256().clone_into(&mut meta.triage_sha256);
        WidthChoice::from(self.width).word().clone_into(&mut meta.width);
        meta.judged = record.dir.display().to_string();
        meta
    }
}
