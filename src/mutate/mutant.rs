//! A mutant: one site with its mutator applied, exactly one change to one module.

use crate::leak::Label;
use crate::python::{Edits, Span};

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
