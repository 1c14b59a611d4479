//! External tools on everything that is measured: laid out as files, asked batch by batch, answered module by module.
//!
//! Whatever goes wrong becomes a silence with its reason, of as few files as can be: a
//! batch that fails is cut in halves until the one file that it fails on stands alone. A tool must pass the `canary` first;
//! what it prints is kept (`outputs`), and what it said of a text is not asked again (`cache`).

mod cache;
mod canary;
mod outputs;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use self::cache::ToolCache;
use self::canary::sing;
use self::outputs::{Outputs, Printed};
use crate::judge::NoVerdict;
use crate::lab::error::LabError;
use crate::lab::shown::{File, Shown, Tree, shuffle};
use crate::lab::watch::Watch;
use crate::lab::work::{Said, Silence};
use crate::leak::{Confidence, Finding};
use crate::record::Recording;
use crate::record::triage::hex;
use crate::tool::{Adapter, Call, Ended, Killed, Limits, RawFinding, ToolError, span_of};

/// A call on mutants may take this many times what the baseline took for as many files.
const PATIENCE: u32 = 10;

/// An adapter that has been tried: its tool is there, new enough, and tells the canaries apart.
#[derive(Debug)]
pub struct Tool {
    pub adapter: Adapter,
    pub version: String,
    /// Another program stands in for it; what that says today it need not say tomorrow, under the same version.
    is_replaced: bool,
}

/// What a tool said of every text, and what it took.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub id: String,
    /// By what the text is called.
    said: BTreeMap<String, Said>,
    /// Of all calls together.
    pub wall: Duration,
    /// Texts that these calls gave an answer on; what was cached is not among them.
    pub asked: u64,
    pub peak_bytes: Option<u64>,
    /// How often each rule was reported.
    rules: BTreeMap<String, u64>,
}

impl Answers {
    /// A slip in `[rules]` would look like a tool that finds nothing.
    fn slip(&self, adapter: &Adapter) -> Option<String> {
        let seen = |rule: &&String| {
            self.rules
                .keys()
                .any(|reported| adapter.rule(reported) == rule.as_str())
        };
        let unseen: Vec<&str> = adapter
            .rules
            .keys()
            .filter(|rule| !seen(rule))
            .map(String::as_str)
            .collect();
        let foreign = self
            .rules
            .iter()
            .filter(|(rule, _)| adapter.patterns_of(rule).is_empty());
        let foreign: Vec<String> = foreign.map(|(rule, count)| format!("{rule} ({count} times)")).collect();
        (!unseen.is_empty() && !foreign.is_empty()).then(|| {
            format!(
                "{}: never reported {}, but {}, of which [rules] says nothing",
                adapter.name(),
                unseen.join(", "),
                foreign.join(", ")
            )
        })
    }

    pub(super) fn of(&self, id: &str) -> Said {
        let silence = || Silence {
            kind: NoVerdict::NotRun,
            detail: "the tool was not asked".to_owned(),
        };
        self.said.get(id).cloned().unwrap_or_else(|| Err(silence()))
    }
}

impl Tool {
    /// Finds the program and its version, and shows it the canaries.
    pub fn ready(mut adapter: Adapter, command: Option<&str>) -> Result<Self, LabError> {
        // Before anything of it is changed: there is nothing to change in an empty one.
        runs_here(&adapter)?;
        let here = std::env::current_dir().unwrap_or_default();
        if let Some(program) = command {
            // A path is meant from here; tools run elsewhere.
            let is_path = Path::new(program).components().count() > 1;
            let program = if is_path {
                here.join(program).display().to_string()
            } else {
                program.to_owned()
            };
            program.clone_into(&mut adapter.command[0]);
            adapter.version[0] = program;
        }
        for word in adapter.command.iter_mut().chain(&mut adapter.version) {
            *word = word.replace("{here}", &here.display().to_string());
        }
        let tool = Self {
            version: version(&adapter)?,
            is_replaced: command.is_some(),
            adapter,
        };
        sing(&tool)?;
        Ok(tool)
    }
}

pub(super) fn unusable(adapter: &Adapter, message: String) -> LabError {
    LabError::Tool(ToolError::Unusable {
        tool: adapter.name(),
        message,
    })
}

fn runs_here(adapter: &Adapter) -> Result<(), LabError> {
    if adapter.runs_here() {
        return Ok(());
    }
    let message = "is not run from here: give its SARIF to `leakbench score --sarif`";
    Err(unusable(adapter, message.to_owned()))
}

pub(super) const fn limits(time: Duration) -> Limits {
    Limits {
        time,
        bytes: Limits::MOST_BYTES,
    }
}

/// What its version command says; also whether it can be started at all.
pub fn version(adapter: &Adapter) -> Result<String, LabError> {
    runs_here(adapter)?;
    let failed = |why: String| unusable(adapter, why);
    let temp = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let call = Call {
        words: &adapter.version,
        folder: temp.path(),
        temp: temp.path(),
    };
    let limits = limits(adapter.time_limit);
    let ended = call.run(limits, || false).map_err(|error| {
        let program = adapter.version.first().map_or("", String::as_str);
        failed(format!(
            "{program} cannot be started: {error}; install it or name it with --tool-command"
        ))
    })?;
    if ended.exit != Some(0) {
        return Err(failed(format!(
            "`{}`: {}",
            adapter.version.join(" "),
            ended.describe(limits)
        )));
    }
    let printed = String::from_utf8_lossy(&ended.output).into_owned() + &ended.complaints;
    adapter.version_in(&printed).map_err(failed)
}

/// Findings of one file, as the tool said them.
pub(super) type Raw = Result<Vec<RawFinding>, Silence>;

/// What is the same for every text that a tool is asked about.
pub(super) struct Asking<'a> {
    tool: &'a Tool,
    cache: ToolCache,
    outputs: Outputs,
    watch: &'a dyn Watch,
    answers: Mutex<Answers>,
}

impl<'a> Asking<'a> {
    /// What it prints is kept in the record.
    pub(super) fn new(
        tool: &'a Tool,
        cache: Option<&Path>,
        recording: &Recording,
        watch: &'a dyn Watch,
    ) -> Result<Self, LabError> {
        let id = tool.adapter.id.clone();
        Ok(Self {
            tool,
            cache: ToolCache::open(cache.filter(|_| !tool.is_replaced), tool)?,
            outputs: Outputs::new(&recording.raw(), &id)?,
            watch,
            answers: Mutex::new(Answers {
                id,
                ..Answers::default()
            }),
        })
    }

    /// Clean texts first: what they take is what mutants may take. `None` if it was interrupted.
    pub(super) fn ask(self, clean: Vec<Shown>, mutants: Vec<Shown>) -> Result<Option<Answers>, LabError> {
        self.watch
            .begin(&self.tool.adapter.id, (clean.len() + mutants.len()) as u64);
        let baseline_limit = self.tool.adapter.time_limit;
        self.all(clean, baseline_limit)?;
        let (wall, asked) = {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            (answers.wall, answers.asked)
        };
        let per_file = wall / u32::try_from(asked.max(1)).unwrap_or(u32::MAX);
        let batch = u32::try_from(self.tool.adapter.batch).unwrap_or(u32::MAX);
        self.all(mutants, baseline_limit.max(per_file * batch * PATIENCE))?;
        self.outputs.finish()?;
        let answers = self.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(slip) = answers.slip(&self.tool.adapter) {
            self.watch.warn(&slip);
        }
        Ok((!self.watch.interrupted()).then_some(answers))
    }

    fn all(&self, shown: Vec<Shown>, time: Duration) -> Result<(), LabError> {
        let mut open = Vec::new();
        for one in shown {
            match self.cache.get(&cache_key(&one), &self.outputs)? {
                Some(kept) => {
                    self.answer(&one, Ok(kept.found), Some(kept.printed));
                    self.watch.advance(1);
                }
                None => open.push(one),
            }
        }
        shuffle(&mut open);
        let batches = open.par_chunks(self.tool.adapter.batch);
        batches.map(|batch| self.batch(batch, limits(time))).collect()
    }

    fn answer(&self, shown: &Shown, raw: Raw, printed: Option<Printed>) {
        if let Some(printed) = printed {
            self.outputs.speaks_of(shown.id, printed);
        }
        let rules: Vec<String> = raw.iter().flatten().map(|found| found.rule.clone()).collect();
        let said = raw.map(|found| findings(&self.tool.adapter, &shown.text(), found));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules {
            *answers.rules.entry(rule).or_default() += 1;
        }
        answers.said.insert(shown.id.to_owned(), said);
    }

    fn batch(&self, batch: &[Shown], limits: Limits) -> Result<(), LabError> {
        let mut asked = Vec::new();
        let mut files = Vec::new();
        for one in batch {
            if let Some(file) = one.file() {
                asked.push(*one);
                files.push(file);
            } else {
                let silence = Silence {
                    kind: NoVerdict::Unsupported,
                    detail: "the encoding of the module cannot hold the mutant".to_owned(),
                };
                self.answer(one, Err(silence), None);
            }
        }
        self.cut(&asked, &files, limits)?;
        self.watch.advance(batch.len() as u64);
        Ok(())
    }

    /// In halves, while there is more than one file that it fails on.
    fn cut(&self, shown: &[Shown], files: &[File], limits: Limits) -> Result<(), LabError> {
        if files.is_empty() {
            return Ok(());
        }
        let asked = ask(&self.tool.adapter, files, limits, &|| self.watch.interrupted());
        self.took(&asked, files.len());
        let said = match asked.said {
            Err(silence) if files.len() > 1 && silence.kind != NoVerdict::NotRun => {
                let half = files.len() / 2;
                self.cut(&shown[..half], &files[..half], limits)?;
                return self.cut(&shown[half..], &files[half..], limits);
            }
            Err(silence) => files.iter().map(|_| Err(silence.clone())).collect(),
            Ok(said) => said,
        };
        let output = asked
            .ended
            .map(|ended| self.outputs.keep(&ended.printed()))
            .transpose()?;
        for ((one, raw), shown_as) in shown.iter().zip(said).zip(asked.paths) {
            let printed = output.clone().map(|output| Printed { output, shown_as });
            if let (Ok(found), Some(printed)) = (&raw, &printed) {
                self.cache.put(&cache_key(one), found, printed, &self.outputs)?;
            }
            self.answer(one, raw, printed);
        }
        Ok(())
    }

    /// Calls that failed cost time, too.
    fn took(&self, asked: &Asked, files: usize) {
        let Some(ended) = &asked.ended else {
            return;
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.wall += ended.wall;
        answers.peak_bytes = answers.peak_bytes.max(ended.peak_bytes);
        if asked.said.is_ok() {
            answers.asked += files as u64;
        }
    }
}

fn cache_key(shown: &Shown) -> String {
    let mut hash = Sha256::new();
    for part in [shown.path, &shown.text()] {
        hash.update(part);
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// From what a tool said of a text to findings, by the rules of its adapter.
pub(super) fn findings(adapter: &Adapter, text: &str, raw: Vec<RawFinding>) -> Vec<Finding> {
    let finding = |raw: RawFinding| Finding {
        span: span_of(&raw, text),
        patterns: adapter.patterns_of(&raw.rule),
        rule: adapter.rule(&raw.rule).to_owned(),
        resource: None,
        confidence: Confidence::Medium,
        message: raw.message,
        suggestion: String::new(),
        related: Vec::new(),
    };
    let mut findings: Vec<Finding> = raw.into_iter().map(finding).collect();
    findings.sort();
    findings
}

/// One call.
pub(super) struct Asked {
    /// Of each file, in their order.
    pub said: Result<Vec<Raw>, Silence>,
    /// What each file was called.
    paths: Vec<String>,
    /// `None` if nothing could be started.
    pub ended: Option<Ended>,
}

pub(super) fn ask(adapter: &Adapter, files: &[File], limits: Limits, stop: &dyn Fn() -> bool) -> Asked {
    let failed = |why: String, paths| Asked {
        said: Err(crash(why)),
        paths,
        ended: None,
    };
    let laid = match Laid::out(files) {
        Ok(laid) => laid,
        Err(error) => return failed(format!("its files cannot be written: {error}"), Vec::new()),
    };
    let words = laid.words(&adapter.command);
    let call = Call {
        words: &words,
        folder: &laid.tree,
        temp: &laid.temp,
    };
    match call.run(limits, stop) {
        Ok(ended) => Asked {
            said: heard(adapter, files, &laid, &ended, limits),
            paths: laid.paths,
            ended: Some(ended),
        },
        Err(error) => failed(format!("{} cannot be run: {error}", words[0]), laid.paths),
    }
}

const fn crash(detail: String) -> Silence {
    Silence {
        kind: NoVerdict::Crash,
        detail,
    }
}

/// What a call that has come to an end said of each file.
fn heard(adapter: &Adapter, files: &[File], laid: &Laid, ended: &Ended, limits: Limits) -> Result<Vec<Raw>, Silence> {
    let kind = match ended.killed {
        Some(Killed::Stopped) => Some(NoVerdict::NotRun),
        Some(Killed::TimeLimit) => Some(NoVerdict::Timeout),
        Some(Killed::DiskLimit) | None => None,
    };
    if let Some(kind) = kind {
        let detail = ended.describe(limits);
        return Err(Silence { kind, detail });
    }
    if !ended.exit.is_some_and(|code| adapter.accepted_exits.contains(&code)) {
        let accepted = adapter.accepted_exits.iter().map(ToString::to_string);
        let accepted = accepted.collect::<Vec<_>>().join(", ");
        let how = ended.describe(limits);
        return Err(crash(format!("{how} (accepted-exits = [{accepted}])")));
    }
    let said = adapter.read(&ended.output).map_err(crash)?;
    if !laid.is_untouched(files) {
        return Err(crash("it changed the files that it was shown".to_owned()));
    }
    let mut raw: Vec<Raw> = files.iter().map(|_| Ok(Vec::new())).collect();
    for mut finding in said.findings {
        if let Some(Ok(found)) = laid.number(&finding.path).and_then(|at| raw.get_mut(at)) {
            // It holds the number of the file in this call, which says nothing to anybody else.
            finding.path.clear();
            found.push(finding);
        }
    }
    for (path, detail) in said.unreadable {
        if let Some(at) = laid.number(&path) {
            raw[at] = Err(Silence {
                kind: NoVerdict::Parse,
                detail,
            });
        }
    }
    Ok(raw)
}

/// Files on disk, as one call sees them; gone when this is dropped.
struct Laid {
    tree: PathBuf,
    temp: PathBuf,
    /// Relative to the tree, in the order of the files.
    paths: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Laid {
    fn out(files: &[File]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let base = folder.path().canonicalize()?;
        let (tree, temp) = (base.join("tree"), base.join("temp"));
        fs::create_dir(&temp)?;
        let mut writer = Tree::new(tree.clone())?;
        Ok(Self {
            paths: files.iter().map(|file| writer.add(file)).collect::<io::Result<_>>()?,
            tree,
            temp,
            _folder: folder,
        })
    }

    fn words(&self, command: &[String]) -> Vec<String> {
        let word = |word: &String| match word.as_str() {
            "{files}" => self.paths.clone(),
            "{dir}" => vec![".".to_owned()],
            other => vec![other.to_owned()],
        };
        command.iter().flat_map(word).collect()
    }

    /// Which file a path of the output means; `None` for a sibling.
    fn number(&self, path: &str) -> Option<usize> {
        let below = Path::new(path).strip_prefix(&self.tree).unwrap_or(Path::new(path));
        let below = below.strip_prefix(".").unwrap_or(below);
        self.paths.iter().position(|known| Path::new(known) == below)
    }

    fn is_untouched(&self, files: &[File]) -> bool {
        let same =
            |(path, file): (&String, &File)| fs::read(self.tree.join(path)).is_ok_and(|bytes| bytes == file.bytes);
        self.paths.iter().zip(files).all(same)
    }
}
