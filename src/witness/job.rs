//! What is asked of a worker and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::leak::Outcome;

/// Which definitions each scenario has entered.
pub type Entered = BTreeMap<String, Vec<String>>;

/// A module with its driver, and how long it may take.
#[derive(Clone, Debug, Serialize)]
pub struct Place<'a> {
    /// Relative to the corpus.
    pub module: &'a str,
    pub text: &'a str,
    pub driver: &'a str,
    /// A folder that imports are looked for in before anywhere else.
    pub stubs: &'a str,
    /// What `__file__` begins with.
    pub root: &'a str,
    /// Seconds for one run of a scenario.
    pub limit: f64,
    /// Seconds for the whole job.
    pub patience: f64,
}

/// Runs every scenario, with an error at every call.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "clean")]
pub struct CleanJob<'a> {
    #[serde(flatten)]
    pub place: Place<'a>,
}

/// Runs what enters the label's definition, until something of the label stays open.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "mutant")]
pub struct MutantJob<'a> {
    #[serde(flatten)]
    pub place: Place<'a>,
    /// The label, in bytes of `text`.
    pub start: u32,
    pub end: u32,
    pub pattern: &'a str,
    pub effect: &'a str,
    /// How a run shows it, in the word of the page.
    pub witness: &'a str,
    /// The clean text, where both are run and compared.
    pub original: Option<&'a str>,
    /// From the answer on the clean module.
    pub entered: &'a Entered,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CleanAnswer {
    pub outcome: Outcome,
    /// For people: what leaks, what is broken.
    pub lines: Vec<String>,
    pub entered: Entered,
    #[serde(default)]
    pub signals: Vec<String>,
    pub runs: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MutantAnswer {
    pub outcome: Outcome,
    /// How it shows.
    pub signals: Vec<String>,
    /// Scenario, failing call, and what was acquired where.
    pub place: String,
    /// Why there is no other outcome.
    pub reason: String,
}
