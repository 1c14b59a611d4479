//! Detectors on somebody's code as it is: no mutants, no verdicts.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::corpus::{Corpus, Entry, unparsed};
use super::error::LabError;
use super::guard::caught;
use super::place::Places;
use super::suppress::suppressed;
use super::watch::Watch;
use crate::detect::{ResourceImpact, Suite};
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

/// A finding, and what is the same about it wherever its lines move.
#[derive(Clone, Debug)]
pub struct Checked {
    pub finding: Finding,
    /// None for what is wrong with a comment.
    pub impact: Option<ResourceImpact>,
    pub qualname: String,
    /// The statement, or the header of a compound one, token by token.
    pub statement: String,
    /// Which it is among findings of one rule on equal statements of one definition.
    pub ordinal: usize,
}

/// `each` turns the findings of one module into whatever the caller wants of them.
pub fn examine<T: Send>(
    corpora: &[Corpus],
    suite: &Suite,
    watch: &dyn Watch,
    each: impl Fn(&Entry, &Module, Vec<Checked>) -> Vec<T> + Sync,
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
    each: &impl Fn(&Entry, &Module, Vec<Checked>) -> Vec<T>,
) -> Result<Vec<T>, UnparsedRow> {
    let text = entry.load(&corpus.name)?;
    let looked = caught(|| {
        let mut module = Module::parse(&entry.path, text.source)?;
        if let Some(file) = entry.file().and_then(|file| std::path::absolute(file).ok()) {
            module.place = file.to_string_lossy().into_owned();
        }
        let checked = check(&module, suite);
        Ok(each(entry, &module, checked))
    });
    let looked = looked.unwrap_or_else(|panic| {
        let reason = format!("crash of the detector: {panic}");
        Err(Unparsed { reason, line: None })
    });
    looked.map_err(|why| unparsed(&corpus.name, &entry.path, why))
}

/// What comments suppress is left out; what is wrong with the comments comes in.
fn check(module: &Module, suite: &Suite) -> Vec<Checked> {
    let found = suite.assessed(module);
    let findings: Vec<&Finding> = found.iter().map(|(finding, _)| finding).collect();
    let (stays, faults) = suppressed(module, &findings);
    if stays.is_empty() && faults.is_empty() {
        return Vec::new();
    }
    let found = found.into_iter().map(|(finding, impact)| (finding, Some(impact)));
    let mut all: Vec<_> = found.zip(stays).collect();
    all.extend(faults.into_iter().map(|fault| ((fault, None), true)));
    all.sort_by(|((one, _), _), ((other, _), _)| one.cmp(other));
    let places = Places::new(module);
    let mut seen: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    // What is suppressed counts, so that a comment changes the number of no other finding.
    let numbered = all.into_iter().map(|((finding, impact), stays)| {
        let place = places.place(finding.span.start);
        let key = (finding.rule.clone(), place.qualname.clone(), place.statement.clone());
        let count = seen.entry(key).or_default();
        *count += 1;
        let checked = Checked {
            finding,
            impact,
            qualname: place.qualname,
            statement: place.statement,
            ordinal: *count,
        };
        stays.then_some(checked)
    });
    numbered.flatten().collect()
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
