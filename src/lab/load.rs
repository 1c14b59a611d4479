//! From corpora to texts: every module is read once, what cannot be read is listed.

use rayon::prelude::*;

use super::corpus::{Corpus, Text, hash_of, unparsed};
use super::error::LabError;
use super::watch::Watch;
use crate::mutate::Index;
use crate::python::Unparsed;
use crate::record::Outcomes;
use crate::record::row::UnparsedRow;

/// A corpus in memory: texts, no trees.
#[derive(Debug)]
pub(super) struct Loaded {
    pub name: String,
    pub embedded: bool,
    pub known_clean: bool,
    pub declared: bool,
    pub sha256: String,
    pub texts: Vec<Text>,
    pub index: Index,
    /// What `verify` has seen of it.
    pub outcomes: Outcomes,
}

/// Also returns what could not be read or decoded.
pub(super) fn load(corpora: &[Corpus], watch: &dyn Watch) -> Result<(Vec<Loaded>, Vec<UnparsedRow>), LabError> {
    let modules: usize = corpora.iter().map(|corpus| corpus.entries.len()).sum();
    if modules == 0 {
        let names: Vec<&str> = corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        return Err(LabError::NoModules(names.join(", ")));
    }
    watch.begin("reading", modules as u64);
    let mut rejected = Vec::new();
    let loaded = corpora
        .iter()
        .map(|corpus| load_one(corpus, &mut rejected, watch))
        .collect();
    Ok((loaded, rejected))
}

fn load_one(corpus: &Corpus, rejected: &mut Vec<UnparsedRow>, watch: &dyn Watch) -> Loaded {
    for path in &corpus.unlisted {
        watch.warn(&format!(
            "{}: {path} is not listed in corpus.toml; taken as `mix`",
            corpus.name
        ));
    }
    let read = corpus.entries.par_iter().map(|entry| {
        watch.advance(1);
        entry.load(&corpus.name)
    });
    let mut texts = Vec::new();
    for result in read.collect::<Vec<_>>() {
        match result {
            Ok(text) => texts.push(text),
            Err(row) => rejected.push(row),
        }
    }
    for (path, reason) in corpus.unreadable.iter().cloned() {
        rejected.push(unparsed(&corpus.name, &path, Unparsed { reason, line: None }));
    }
    Loaded {
        name: corpus.name.clone(),
        embedded: corpus.embedded,
        known_clean: corpus.known_clean,
        declared: corpus.declared,
        sha256: hash_of(&texts),
        index: Index::new(texts.iter().map(|text| text.source.text.as_str())),
        texts,
        outcomes: corpus.aids.outcomes.clone(),
    }
}
