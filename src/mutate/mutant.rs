//! A mutant: one site with its mutator applied, exactly one change to one module.

use std::collections::HashMap;

use super::draft::{Draft, drafts_of, finish};
use super::facts::Facts;
use super::page::Pages;
use super::split::split_withs;
use crate::leak::Label;
use crate::python::{Edits, Module, Span};

/// One change to one module, and what is true of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutant {
    /// Twelve hex digits. Line numbers have no part in it, so ids survive edits elsewhere.
    pub id: String,
    /// Id of the page.
    pub mutator: String,
    /// What was laid on top of the base mutant, if anything.
    pub modifier: Option<String>,
    /// Path of the module, relative to its corpus.
    pub module: String,
    /// `__qualname__` of the definition that encloses the label; empty at module level.
    pub qualname: String,
    /// From the first to the last edited byte of the original.
    pub site: Span,
    /// What `label` names, in the original: mutants with the same one are twins.
    pub label_site: Span,
    pub edits: Edits,
    pub label: Label,
    /// The mutant with the same text that counts instead of this one.
    pub duplicate_of: Option<String>,
    /// Of a decoy: the leak mutants at the same site, by id.
    pub twin_of: Vec<Twin>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twin {
    /// Id of the leak mutant.
    pub leak: String,
    /// Whether the leak mutator's score is held against this decoy in the first place.
    pub primary: bool,
}

/// Which words stand in which modules of a corpus: tells whether a name may be used elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Index {
    modules_with: HashMap<String, u32>,
}

impl Index {
    /// `texts`: every module of the corpus, once.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut modules_with = HashMap::new();
        for text in texts {
            let mut words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                *modules_with.entry(word.to_owned()).or_insert(0) += 1;
            }
        }
        Self { modules_with }
    }

    /// Whether a module other than the one asking holds `word`; the asking one does.
    pub fn stands_elsewhere(&self, word: &str) -> bool {
        self.modules_with.get(word).is_some_and(|modules| *modules > 1)
    }
}

/// All mutants of one module, in the order of span, then mutator. Twins and duplicates are filled in.
/// A decoy that is someone's twin comes only with a leak mutant at its site.
pub fn mutants_of(pages: &Pages, module: &Module, index: &Index) -> Vec<Mutant> {
    let facts = Facts::new(module, index);
    let mut drafts: Vec<Draft> = pages.list().iter().flat_map(|page| drafts_of(page, &facts)).collect();
    for split in split_withs(module) {
        drafts.extend(split.drafts(pages, module, index));
    }
    let mut mutants = finish(pages, module, drafts);
    mutants.retain(|mutant| {
        let is_twin = pages.get(&mutant.mutator).is_some_and(|page| !page.twin_of.is_empty());
        !is_twin || !mutant.twin_of.is_empty() || mutant.duplicate_of.is_some()
    });
    mutants
}
