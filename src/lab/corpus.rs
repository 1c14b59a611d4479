//! Corpora: the embedded one, folders and files that somebody names, and their modules in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::error::LabError;
use super::tags::{self, CorpusFile, TAGS_FILE, Tags};
use super::walk::{io_reason, modules_below, read_module, relative};
use crate::python::{Source, Unparsed};
use crate::record::Outcomes;
use crate::record::row::{Row, UnparsedRow, WitnessRow};
use crate::record::triage::hex;

static EMBEDDED: Dir = include_dir!("$CARGO_MANIFEST_DIR/corpus/core");

/// What stands beside the modules of a corpus, for the witness; none of it is a module.
const DRIVERS: &str = "drivers/";
const STUBS: &str = "stubs/";

/// A folder of Python code, not yet read.
#[derive(Debug)]
pub struct Corpus {
    pub name: String,
    pub embedded: bool,
    /// Whether its `corpus.toml` declares it clean.
    pub known_clean: bool,
    /// Whether it has a `corpus.toml`: then modules are independent, else those of a package are not.
    pub declared: bool,
    pub entries: Vec<Entry>,
    pub unreadable: Vec<(String, String)>,
    /// Modules that `corpus.toml` does not list.
    pub unlisted: Vec<String>,
    pub aids: Aids,
}

/// What the witness needs of a corpus, and what it has seen of it.
#[derive(Debug, Default)]
pub struct Aids {
    /// By the path of the module that they drive.
    drivers: BTreeMap<String, Content>,
    /// By their path below `stubs/`.
    stubs: BTreeMap<String, Content>,
    /// From `witness.csv`.
    pub outcomes: Outcomes,
}

impl Aids {
    /// The driver of a module, if it has one; its text is UTF-8.
    pub fn driver(&self, module: &str) -> Result<Option<String>, LabError> {
        self.drivers
            .get(module)
            .map(|content| text_of(DRIVERS, module, content))
            .transpose()
    }

    pub fn stubs(&self) -> Result<BTreeMap<String, String>, LabError> {
        let stubs = self.stubs.iter();
        stubs
            .map(|(path, content)| Ok((path.clone(), text_of(STUBS, path, content)?)))
            .collect()
    }

    /// Takes what is no module out of `files`.
    fn taken_from(files: &mut BTreeMap<String, Content>) -> Self {
        let mut aids = Self::default();
        for (path, content) in std::mem::take(files) {
            if let Some(below) = path.strip_prefix(DRIVERS) {
                aids.drivers.insert(below.to_owned(), content);
            } else if let Some(below) = path.strip_prefix(STUBS) {
                aids.stubs.insert(below.to_owned(), content);
            } else {
                files.insert(path, content);
            }
        }
        aids
    }
}

fn text_of(folder: &str, path: &str, content: &Content) -> Result<String, LabError> {
    let bytes = content
        .bytes()
        .map_err(|error| LabError::corpus(&format!("{folder}{path}"), io_reason(&error)))?;
    String::from_utf8(bytes).map_err(|_| LabError::corpus(&format!("{folder}{path}"), "is not UTF-8"))
}

#[derive(Debug)]
pub struct Entry {
    pub path: String,
    pub tags: Tags,
    /// Whether somebody named this module, not a folder that holds it.
    pub named: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Embedded(&'static [u8]),
    Given(Vec<u8>),
    File(PathBuf),
}

/// The text of one module.
#[derive(Debug)]
pub struct Text {
    pub path: String,
    pub tags: Tags,
    pub source: Source,
    pub sha256: [u8; 32],
}

impl Content {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Embedded(bytes) => Ok(bytes.to_vec()),
            Self::Given(bytes) => Ok(bytes.clone()),
            Self::File(path) => read_module(path),
        }
    }
}

impl Entry {
    /// The file, if there is one outside the program.
    pub fn file(&self) -> Option<&Path> {
        match &self.content {
            Content::Embedded(_) | Content::Given(_) => None,
            Content::File(path) => Some(path),
        }
    }

    pub fn load(&self, corpus: &str) -> Result<Text, UnparsedRow> {
        let bytes = self.content.bytes().map_err(|error| {
            let reason = format!("cannot be read: {}", io_reason(&error));
            unparsed(corpus, &self.path, Unparsed { reason, line: None })
        })?;
        let source = Source::load(&bytes).map_err(|why| unparsed(corpus, &self.path, why))?;
        Ok(Text {
            path: self.path.clone(),
            tags: self.tags,
            source,
            sha256: Sha256::digest(&bytes).into(),
        })
    }
}

pub fn unparsed(corpus: &str, module: &str, why: Unparsed) -> UnparsedRow {
    UnparsedRow {
        corpus: corpus.to_owned(),
        module: module.to_owned(),
        reason: why.reason,
        line: why.line,
    }
}

/// SHA-256 over paths and bytes, in order.
pub fn hash_of(texts: &[Text]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.path.as_bytes());
        hash.update([0]);
        hash.update(text.sha256);
    }
    hex(&hash.finalize())
}

/// The corpus that the program brings.
pub fn embedded() -> Result<Corpus, LabError> {
    let mut files = Vec::new();
    embedded_files(&EMBEDDED, &mut files);
    let tags = EMBEDDED.get_file(TAGS_FILE).and_then(include_dir::File::contents_utf8);
    let file = tags.ok_or_else(|| LabError::corpus(TAGS_FILE, "the program was built without it"))?;
    let file = tags::parse(file).map_err(|message| LabError::corpus(TAGS_FILE, message))?;
    let mut corpus = declared(&file, files, TAGS_FILE)?;
    if let Some(file) = EMBEDDED.get_file(WitnessRow::FILE) {
        corpus.aids.outcomes = Outcomes::parse(file.path(), file.contents())?;
    }
    Ok(Corpus {
        embedded: true,
        ..corpus
    })
}

fn embedded_files(dir: &'static Dir, into: &mut Vec<(String, Content)>) {
    for file in dir.files() {
        if file.path().extension().is_some_and(|extension| extension == "py") {
            let path = relative(Path::new(""), file.path());
            into.push((path, Content::Embedded(file.contents())));
        }
    }
    dir.dirs().for_each(|dir| embedded_files(dir, into));
}

/// A folder with a `corpus.toml`.
pub fn from_folder(root: &Path) -> Result<Corpus, LabError> {
    must_be_there(root)?;
    let path = root.join(TAGS_FILE);
    let shown = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| {
        LabError::corpus(
            &shown,
            format!("{}; a corpus needs one, corpus/README.md says how", io_reason(&error)),
        )
    })?;
    let file = tags::parse(&text).map_err(|message| LabError::corpus(&shown, message))?;
    let found = modules_below(root);
    let files = found
        .modules
        .into_iter()
        .map(|(name, path)| (name, Content::File(path)));
    let mut corpus = declared(&file, files.collect(), &shown)?;
    let witness = root.join(WitnessRow::FILE);
    if let Ok(bytes) = fs::read(&witness) {
        corpus.aids.outcomes = Outcomes::parse(&witness, &bytes)?;
    }
    Ok(Corpus {
        unreadable: found.unreadable,
        ..corpus
    })
}

/// Holds the files against the list: what is listed must be there, what is not listed is of the natural mix.
fn declared(file: &CorpusFile, files: Vec<(String, Content)>, shown: &str) -> Result<Corpus, LabError> {
    let mut files: BTreeMap<String, Content> = files.into_iter().collect();
    let aids = Aids::taken_from(&mut files);
    if let Some(path) = file.modules.keys().find(|path| !files.contains_key(*path)) {
        let message = format!("lists {path}, which is not there; remove the entry or add the module");
        return Err(LabError::corpus(shown, message));
    }
    let unlisted = files
        .keys()
        .filter(|path| !file.modules.contains_key(*path))
        .cloned()
        .collect();
    let entry = |(path, content)| Entry {
        tags: file.modules.get(&path).copied().unwrap_or_default(),
        named: false,
        path,
        content,
    };
    Ok(Corpus {
        name: file.name.clone(),
        embedded: false,
        known_clean: file.clean,
        declared: true,
        entries: files.into_iter().map(entry).collect(),
        unreadable: Vec::new(),
        unlisted,
        aids,
    })
}

/// Whatever code somebody names: every folder is a corpus, all files together are one.
pub fn from_paths(paths: &[PathBuf]) -> Result<Vec<Corpus>, LabError> {
    let mut folders = BTreeSet::new();
    let mut files = BTreeSet::new();
    for path in paths {
        must_exist(path)?;
        let path = path.canonicalize().map_err(|error| LabError::path(path, &error))?;
        if path.is_dir() {
            folders.insert(path);
        } else if path.is_file() {
            files.insert(path);
        } else {
            let reason = "neither a file nor a folder".to_owned();
            return Err(LabError::Path { path, reason });
        }
    }
    refuse_overlap(&folders, &files)?;
    let mut corpora = Vec::new();
    for folder in &folders {
        corpora.push(if folder.join(TAGS_FILE).is_file() {
            from_folder(folder)?
        } else {
            wild(folder)
        });
    }
    if !files.is_empty() {
        corpora.push(of_files(&files));
    }
    name_apart(&mut corpora);
    corpora.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(corpora)
}

fn must_exist(path: &Path) -> Result<(), LabError> {
    path.metadata()
        .map(|_| ())
        .map_err(|error| LabError::path(path, &error))
}

fn must_be_there(root: &Path) -> Result<(), LabError> {
    must_exist(root)?;
    if root.is_dir() {
        return Ok(());
    }
    Err(LabError::corpus(
        &root.display().to_string(),
        "is no folder; name a file without --corpus",
    ))
}

/// A module in two corpora would be measured twice.
fn refuse_overlap(folders: &BTreeSet<PathBuf>, files: &BTreeSet<PathBuf>) -> Result<(), LabError> {
    for inner in folders.iter().chain(files) {
        let outer = folders.iter().find(|outer| *outer != inner && inner.starts_with(outer));
        if let Some(outer) = outer {
            return Err(LabError::Overlap {
                inner: inner.clone(),
                outer: outer.clone(),
            });
        }
    }
    Ok(())
}

fn wild(folder: &Path) -> Corpus {
    let found = modules_below(folder);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entry = |(path, file)| Entry {
        path,
        tags: Tags::default(),
        named: false,
        content: Content::File(file),
    };
    Corpus {
        name: if name.is_empty() { "root".to_owned() } else { name },
        embedded: false,
        known_clean: false,
        declared: false,
        entries: found.modules.into_iter().map(entry).collect(),
        unreadable: found.unreadable,
        unlisted: Vec::new(),
        aids: Aids::default(),
    }
}

/// One module that stands in no file, or not yet.
pub fn of_text(path: &str, bytes: Vec<u8>) -> Corpus {
    let entry = Entry {
        path: path.to_owned(),
        tags: Tags::default(),
        named: true,
        content: Content::Given(bytes),
    };
    Corpus {
        name: "stdin".to_owned(),
        embedded: false,
        known_clean: false,
        declared: false,
        entries: vec![entry],
        unreadable: Vec::new(),
        unlisted: Vec::new(),
        aids: Aids::default(),
    }
}

/// Files go by their path below the folder that holds them all.
fn of_files(files: &BTreeSet<PathBuf>) -> Corpus {
    let parents = files.iter().filter_map(|file| file.parent());
    let common = parents.fold(None, |common: Option<&Path>, parent| match common {
        None => Some(parent),
        Some(common) => common.ancestors().find(|folder| parent.starts_with(folder)),
    });
    let entry = |file: &PathBuf| Entry {
        path: relative(common.unwrap_or(Path::new("")), file),
        tags: Tags::default(),
        named: true,
        content: Content::File(file.clone()),
    };
    Corpus {
        name: "files".to_owned(),
        embedded: false,
        known_clean: false,
        declared: false,
        entries: files.iter().map(entry).collect(),
        unreadable: Vec::new(),
        unlisted: Vec::new(),
        aids: Aids::default(),
    }
}

/// Two folders of one name are told apart by a number, in the order of their full paths.
fn name_apart(corpora: &mut [Corpus]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for corpus in corpora {
        let count = seen.entry(corpus.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            corpus.name = format!("{}-{count}", corpus.name);
        }
    }
}
