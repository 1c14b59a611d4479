//! External tools on everything that is measured: laid out as files, asked batch by batch, answered module by module.
//!
//! A tool sees `NNNN/PATH` in shuffled order, with the siblings of the module beside it, so that neither name nor
//! neighbour says what a file is. Whatever goes wrong becomes a silence with its reason, of as few files as can be: a
//! batch that fails is cut in halves until the one file that it fails on stands alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::error::LabError;
use super::plan::{Plan, Planned};
use super::rows::counted;
use super::tool_cache::ToolCache;
use super::watch::Watch;
use super::work::{Said, Silence};
use crate::judge::NoVerdict;
use crate::leak::{Confidence, Finding};
use crate::mutate::Mutant;
use crate::record::triage::hex;
use crate::tool::{Adapter, Call, Ended, Limits, RawFinding, ToolError, span_of};

/// A call on mutants may take this many times what the baseline took for as many files.
const PATIENCE: u32 = 10;

/// An adapter that has been tried: its tool is there, new enough, and tells the canaries apart.
#[derive(Debug)]
pub struct Tool {
    pub adapter: Adapter,
    pub version: String,
}

/// What a tool said of every module and mutant, and what it took.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub id: String,
    said: BTreeMap<String, Said>,
    pub wall: Duration,
    /// Texts that `wall` was spent on.
    pub asked: u64,
    pub peak_bytes: Option<u64>,
}

impl Answers {
    pub(super) fn on_clean(&self, planned: &Planned) -> Said {
        self.of(&clean_key(planned))
    }

    pub(super) fn on_mutant(&self, mutant: &Mutant) -> Said {
        self.of(&mutant.id)
    }

    fn of(&self, key: &str) -> Said {
        let silence = || Silence {
            kind: NoVerdict::NotRun,
            detail: "the tool was not asked".to_owned(),
        };
        self.said.get(key).cloned().unwrap_or_else(|| Err(silence()))
    }
}

/// No id of a mutant holds a slash.
fn clean_key(planned: &Planned) -> String {
    format!("{}/{}", planned.corpus.name, planned.text.path)
}

impl Tool {
    /// Finds the adapter, the program and its version, and shows it the canaries.
    pub fn ready(name: &str, command: Option<&str>) -> Result<Self, LabError> {
        let mut adapter = Adapter::find(name)?;
        if let Some(program) = command {
            program.clone_into(&mut adapter.command[0]);
            program.clone_into(&mut adapter.version[0]);
        }
        let tool = Self {
            version: version(&adapter)?,
            adapter,
        };
        tool.sing()?;
        Ok(tool)
    }

    fn unusable(&self, message: String) -> LabError {
        unusable(&self.adapter, message)
    }

    /// The canaries: one must be reported, one must not.
    fn sing(&self) -> Result<(), LabError> {
        let failed = |what: &str, why: String| self.unusable(format!("on {what}: {why}"));
        for (what, text, wanted) in [
            ("the canary that leaks", &self.adapter.canary.leak, true),
            ("the safe canary", &self.adapter.canary.safe, false),
        ] {
            let files = [File {
                path: "canary.py".to_owned(),
                bytes: text.clone().into_bytes(),
                siblings: Vec::new(),
            }];
            let limits = Limits {
                time: self.adapter.time_limit,
            };
            let asked = ask(&self.adapter, &files, limits, &|| false);
            let answer = asked.and_then(|(mut said, _)| said.remove(0));
            let found = answer.map_err(|silence| failed(what, silence.detail))?;
            let mapped = found.iter().any(|raw| self.adapter.rules.contains_key(&raw.rule));
            if mapped != wanted {
                let said = if wanted {
                    "it reports nothing"
                } else {
                    "it reports a leak"
                };
                return Err(failed(what, said.to_owned()));
            }
        }
        Ok(())
    }
}

fn unusable(adapter: &Adapter, message: String) -> LabError {
    LabError::Tool(ToolError::Unusable {
        tool: adapter.id.clone(),
        message,
    })
}

/// What its version command says; also whether it can be started at all.
pub fn version(adapter: &Adapter) -> Result<String, LabError> {
    let failed = |why: String| unusable(adapter, why);
    let temp = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let call = Call {
        words: &adapter.version,
        folder: temp.path(),
        temp: temp.path(),
    };
    let limits = Limits {
        time: adapter.time_limit,
    };
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

/// One file as a tool is shown it.
struct File {
    path: String,
    bytes: Vec<u8>,
    /// Paths and bytes of what stands beside it.
    siblings: Vec<(String, Vec<u8>)>,
}

/// Findings of one file, as the tool said them.
type Raw = Result<Vec<RawFinding>, Silence>;

/// One module as it is, or a mutant of it.
#[derive(Clone, Copy)]
struct Shown<'p> {
    planned: &'p Planned<'p>,
    mutant: Option<&'p Mutant>,
}

impl Shown<'_> {
    fn key(&self) -> String {
        self.mutant
            .map_or_else(|| clean_key(self.planned), |mutant| mutant.id.clone())
    }

    fn text(&self) -> String {
        let source = &self.planned.text.source;
        self.mutant
            .map_or_else(|| source.text.clone(), |mutant| mutant.edits.apply(&source.text))
    }

    /// `None` if the module's encoding cannot hold what the mutator wrote.
    fn file(&self) -> Option<File> {
        let text = self.planned.text;
        Some(File {
            path: text.path.clone(),
            bytes: text.source.encode(&self.text())?,
            siblings: siblings(self.planned),
        })
    }
}

/// Modules of the same folder, and the `__init__.py` of every folder above.
fn siblings(planned: &Planned) -> Vec<(String, Vec<u8>)> {
    let path = planned.text.path.as_str();
    let folder = |path: &str| {
        path.rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"))
    };
    let own = folder(path);
    let others = planned.corpus.texts.iter().filter(|other| other.path != path);
    let near = others.filter(|other| {
        let there = folder(&other.path);
        there == own || (own.starts_with(&there) && other.path == format!("{there}__init__.py"))
    });
    near.filter_map(|other| Some((other.path.clone(), other.source.encode(&other.source.text)?)))
        .collect()
}

/// Asks one tool about everything. `None` if it was interrupted.
pub(super) fn ask_tool(
    tool: &Tool,
    plan: &Plan,
    cache: &ToolCache,
    watch: &dyn Watch,
) -> Result<Option<Answers>, LabError> {
    let mut answers = Answers {
        id: tool.adapter.id.clone(),
        ..Answers::default()
    };
    let clean: Vec<Shown> = plan
        .modules
        .iter()
        .map(|planned| Shown { planned, mutant: None })
        .collect();
    let mutants = plan.modules.iter().flat_map(|planned| {
        counted(planned).map(move |mutant| Shown {
            planned,
            mutant: Some(mutant),
        })
    });
    let mutants: Vec<Shown> = mutants.collect();
    watch.begin(&tool.adapter.id, (clean.len() + mutants.len()) as u64);
    let baseline_limit = tool.adapter.time_limit;
    let each = Asking {
        tool,
        cache,
        watch,
        taken: Mutex::new(Taken::default()),
    };
    let files = clean.len();
    answers.said.extend(each.all(clean, baseline_limit)?);
    let taken = *each.taken.lock().unwrap_or_else(PoisonError::into_inner);
    let per_file = taken.wall / u32::try_from(files.max(1)).unwrap_or(u32::MAX);
    let batch = u32::try_from(tool.adapter.batch).unwrap_or(u32::MAX);
    answers
        .said
        .extend(each.all(mutants, baseline_limit.max(per_file * batch * PATIENCE))?);
    let taken = each.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.wall = taken.wall;
    answers.asked = taken.asked;
    answers.peak_bytes = taken.peak_bytes;
    Ok((!watch.interrupted()).then_some(answers))
}

#[derive(Clone, Copy, Default)]
struct Taken {
    wall: Duration,
    asked: u64,
    peak_bytes: Option<u64>,
}

struct Asking<'a> {
    tool: &'a Tool,
    cache: &'a ToolCache,
    watch: &'a dyn Watch,
    taken: Mutex<Taken>,
}

impl Asking<'_> {
    fn all(&self, shown: Vec<Shown>, time: Duration) -> Result<Vec<(String, Said)>, LabError> {
        let mut known = Vec::new();
        let mut open = Vec::new();
        for one in shown {
            match self.cache.get(&Self::cache_key(&one)) {
                Some(found) => known.push((one.key(), Ok(self.findings(&one, found)))),
                None => open.push(one),
            }
        }
        self.watch.advance(known.len() as u64);
        open.sort_by_cached_key(|one| Sha256::digest(one.key()).to_vec());
        let batches = open.par_chunks(self.tool.adapter.batch);
        let asked: Result<Vec<_>, LabError> = batches.map(|batch| self.batch(batch, Limits { time })).collect();
        known.extend(asked?.into_iter().flatten());
        Ok(known)
    }

    fn cache_key(shown: &Shown) -> String {
        let mut hash = Sha256::new();
        let text = shown.text();
        for part in [shown.planned.text.path.as_str(), &text] {
            hash.update(part);
            hash.update([0]);
        }
        hex(&hash.finalize())
    }

    fn batch(&self, batch: &[Shown], limits: Limits) -> Result<Vec<(String, Said)>, LabError> {
        let mut answered = Vec::new();
        let mut files = Vec::new();
        let mut asked = Vec::new();
        for one in batch {
            if let Some(file) = one.file() {
                files.push(file);
                asked.push(*one);
            } else {
                let silence = Silence {
                    kind: NoVerdict::Unsupported,
                    detail: "the encoding of the module cannot hold the mutant".to_owned(),
                };
                answered.push((one.key(), Err(silence)));
            }
        }
        let raw = self.cut(&files, limits);
        for (one, raw) in asked.iter().zip(raw) {
            let said = match raw {
                Ok(found) => {
                    self.cache.put(&Self::cache_key(one), &found)?;
                    Ok(self.findings(one, found))
                }
                Err(silence) => Err(silence),
            };
            answered.push((one.key(), said));
        }
        self.watch.advance(batch.len() as u64);
        Ok(answered)
    }

    /// In halves, while there is more than one file that it fails on.
    fn cut(&self, files: &[File], limits: Limits) -> Vec<Raw> {
        if files.is_empty() {
            return Vec::new();
        }
        match ask(&self.tool.adapter, files, limits, &|| self.watch.interrupted()) {
            Ok((said, ended)) => {
                let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.wall += ended.wall;
                taken.asked += files.len() as u64;
                taken.peak_bytes = taken.peak_bytes.max(ended.peak_bytes);
                said
            }
            Err(silence) if files.len() == 1 || silence.kind == NoVerdict::NotRun => {
                files.iter().map(|_| Err(silence.clone())).collect()
            }
            Err(_) => {
                let (first, second) = files.split_at(files.len() / 2);
                [self.cut(first, limits), self.cut(second, limits)].concat()
            }
        }
    }

    fn findings(&self, shown: &Shown, raw: Vec<RawFinding>) -> Vec<Finding> {
        let text = shown.text();
        let adapter = &self.tool.adapter;
        let finding = |raw: RawFinding| Finding {
            span: span_of(&raw, &text),
            patterns: adapter.rules.get(&raw.rule).cloned().unwrap_or_default(),
            rule: raw.rule,
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
}

/// One call: what it said of each file, in their order.
fn ask(
    adapter: &Adapter,
    files: &[File],
    limits: Limits,
    stop: &dyn Fn() -> bool,
) -> Result<(Vec<Raw>, Ended), Silence> {
    let crash = |detail: String| Silence {
        kind: NoVerdict::Crash,
        detail,
    };
    let laid = Laid::out(files).map_err(|error| crash(format!("its files cannot be written: {error}")))?;
    let words = laid.words(&adapter.command);
    let call = Call {
        words: &words,
        folder: &laid.tree,
        temp: &laid.temp,
    };
    let ended = call
        .run(limits, stop)
        .map_err(|error| crash(format!("cannot be run: {error}")))?;
    if ended.stopped {
        return Err(Silence {
            kind: NoVerdict::NotRun,
            detail: "interrupted".to_owned(),
        });
    }
    if ended.timed_out {
        return Err(Silence {
            kind: NoVerdict::Timeout,
            detail: ended.describe(limits),
        });
    }
    if !ended.exit.is_some_and(|code| adapter.accepted_exits.contains(&code)) {
        return Err(crash(ended.describe(limits)));
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
    Ok((raw, ended))
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
        let (tree, temp, pool) = (base.join("tree"), base.join("temp"), base.join("pool"));
        for part in [&tree, &temp, &pool] {
            fs::create_dir(part)?;
        }
        let mut paths = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let home = tree.join(format!("{number:04}"));
            write(&home.join(&file.path), &file.bytes)?;
            for (path, bytes) in &file.siblings {
                let original = pool.join(hex(&Sha256::digest(path)));
                if !original.exists() {
                    fs::write(&original, bytes)?;
                }
                let link = home.join(path);
                make_parent(&link)?;
                fs::hard_link(&original, &link)?;
            }
            paths.push(format!("{number:04}/{}", file.path));
        }
        Ok(Self {
            tree,
            temp,
            paths,
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

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_parent(path)?;
    fs::write(path, bytes)
}
