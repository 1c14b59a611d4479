//! Detectors on somebody's code as it is: no mutants, no verdicts.

use rayon::prelude::*;

use super::corpus::{Corpus, Entry, unparsed};
use super::error::LabError;
use super::guard::caught;
use super::watch::Watch;
use crate::detect::Suite;
use crate::leak::Finding;
use crate::python::{Module, Unparsed};
use crate::record::row::UnparsedRow;

/// What was made of all findings, in the order of corpora and modules.
#[derive(Debug)]
pub struct Examined<T> {
    pub found: Vec<T>,
    pub unparsed: Vec<UnparsedRow>,
    pub modules: usize,
    pub interrupted: bool,
}

/// `each` turns the findings of one module into whatever the caller wants of them.
pub fn examine<T: Send>(
    corpora: &[Corpus],
    suite: &Suite,
    watch: &dyn Watch,
    each: impl Fn(&Entry, &Module, Vec<Finding>) -> Vec<T> + Sync,
) -> Result<Examined<T>, LabError> {
    let entries = corpora
        .iter()
        .flat_map(|corpus| corpus.entries.iter().map(move |entry| (corpus, entry)));
    let entries: Vec<(&Corpus, &Entry)> = entries.collect();
    if entries.is_empty() {
        let names: Vec<&str> = corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        return Err(LabError::NoModules(names.join(", ")));
    }
    watch.begin("checking", entries.len() as u64);
    let results = entries.par_iter().map(|(corpus, entry)| {
        let stop = watch.interrupted();
        let result = (!stop).then(|| look_at(corpus, entry, suite, &each));
        watch.advance(1);
        result
    });
    let results: Vec<Option<Result<Vec<T>, UnparsedRow>>> = results.collect();
    Ok(gather(corpora, results))
}

fn look_at<T>(
    corpus: &Corpus,
    entry: &Entry,
    suite: &Suite,
    each: &impl Fn(&Entry, &Module, Vec<Finding>) -> Vec<T>,
) -> Result<Vec<T>, UnparsedRow> {
    let text = entry.load(&corpus.name)?;
    let looked = caught(|| {
        let mut module = Module::parse(&entry.path, text.source)?;
        if let Some(file) = entry.file().and_then(|file| std::path::absolute(file).ok()) {
            module.place = file.to_string_lossy().into_owned();
        }
        let findings = suite.findings(&module);
        Ok(each(entry, &module, findings))
    });
    let looked = looked.unwrap_or_else(|panic| {
        let reason = format!("crash of the detector: {panic}");
        Err(Unparsed { reason, line: None })
    });
    looked.map_err(|why| unparsed(&corpus.name, &entry.path, why))
}

fn gather<T>(corpora: &[Corpus], results: Vec<Option<Result<Vec<T>, UnparsedRow>>>) -> Examined<T> {
    let mut examined = Examined {
        found: Vec::new(),
        unparsed: Vec::new(),
        modules: results.len(),
        interrupted: false,
    };
    for result in results {
        match result {
            Some(Ok(found)) => examined.found.extend(found),
            Some(Err(row)) => examined.unparsed.push(row),
            None => examined.interrupted = true,
        }
    }
    for corpus in corpora {
        for (path, reason) in corpus.unreadable.iter().cloned() {
            let why = Unparsed { reason, line: None };
            examined.unparsed.push(unparsed(&corpus.name, &path, why));
        }
    }
    examined
}
