//! Texts as others are shown them: modules and mutants as files, `NNNN/PATH` each in a folder of its own, with the
//! siblings of the module beside it, so that neither name nor neighbour says what a file is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::plan::{Plan, Planned};
use super::rows::counted;
use super::sheet::clean_id;
use crate::mutate::Mutant;
use crate::python::{Edits, Source};

/// One module as it is, or a mutant of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'p> {
    /// Id of the mutant; of a clean text, what it is called beside those.
    pub id: &'p str,
    pub path: &'p str,
    source: &'p Source,
    edits: Option<&'p Edits>,
    beside: Option<&'p Planned<'p>>,
}

/// One file on its way to disk.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub path: String,
    pub bytes: Vec<u8>,
    /// Paths and bytes of what stands beside it.
    pub siblings: Vec<(String, Vec<u8>)>,
}

impl<'p> Shown<'p> {
    /// Alone, as it is.
    pub(super) const fn alone(id: &'p str, path: &'p str, source: &'p Source) -> Self {
        Self {
            id,
            path,
            source,
            edits: None,
            beside: None,
        }
    }

    fn clean(id: &'p str, planned: &'p Planned) -> Self {
        Self {
            beside: Some(planned),
            ..Self::alone(id, &planned.text.path, &planned.text.source)
        }
    }

    fn mutant(planned: &'p Planned, mutant: &'p Mutant) -> Self {
        Self {
            edits: Some(&mutant.edits),
            ..Self::clean(&mutant.id, planned)
        }
    }

    pub(super) fn text(&self) -> String {
        let text = &self.source.text;
        self.edits.map_or_else(|| text.clone(), |edits| edits.apply(text))
    }

    /// `None` if the module's encoding cannot hold what the mutator wrote.
    pub(super) fn file(&self) -> Option<File> {
        Some(File {
            path: self.path.to_owned(),
            bytes: self.source.encode(&self.text())?,
            siblings: self.beside.map(siblings).unwrap_or_default(),
        })
    }
}

/// Everything of a plan that is measured: clean texts, then mutants.
pub(super) fn all_shown<'p>(plan: &'p Plan, ids: &'p [String]) -> (Vec<Shown<'p>>, Vec<Shown<'p>>) {
    let clean = plan.modules.iter().zip(ids);
    let mutants = plan
        .modules
        .iter()
        .flat_map(|planned| counted(planned).map(move |mutant| Shown::mutant(planned, mutant)));
    (
        clean.map(|(planned, id)| Shown::clean(id, planned)).collect(),
        mutants.collect(),
    )
}

/// What the clean texts of a plan are called, in its order.
pub(super) fn clean_ids(plan: &Plan) -> Vec<String> {
    let modules = plan.modules.iter();
    modules
        .map(|planned| clean_id(&planned.corpus.name, &planned.text.path))
        .collect()
}

/// An order that says nothing of what a file is, the same in every run.
pub(super) fn shuffle(shown: &mut [Shown]) {
    shown.sort_by_cached_key(|one| Sha256::digest(one.id).to_vec());
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

/// Writes files below a folder; each sibling is one file with many names.
#[derive(Debug)]
pub(super) struct Tree {
    folder: PathBuf,
    siblings: BTreeMap<String, PathBuf>,
    written: usize,
}

impl Tree {
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            siblings: BTreeMap::new(),
            written: 0,
        })
    }

    /// Its path below the tree.
    pub(super) fn add(&mut self, file: &File) -> io::Result<String> {
        let number = format!("{:04}", self.written);
        self.written += 1;
        let home = self.folder.join(&number);
        write(&home.join(&file.path), &file.bytes)?;
        for (path, bytes) in &file.siblings {
            let place = home.join(path);
            make_parent(&place)?;
            let first = self.siblings.entry(path.clone()).or_insert_with(|| place.clone());
            // The same path in another corpus may have another text, and some disks know no second name.
            let linked = *first != place && fs::read(&*first)? == *bytes && fs::hard_link(&*first, &place).is_ok();
            if !linked {
                fs::write(&place, bytes)?;
            }
        }
        Ok(format!("{number}/{}", file.path))
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_parent(path)?;
    fs::write(path, bytes)
}
