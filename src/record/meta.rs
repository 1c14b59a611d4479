//! `run.json`: what was run, with what, where and how it ended. The only file that knows time and host.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::leak::Pattern;

pub const META_FILE: &str = "run.json";

/// Rises when a reader of older records could misunderstand a file.
pub const FORMAT: u32 = 1;

/// Rises whenever the same findings would be judged or scored otherwise.
pub const JUDGING_RULES: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub record_format: u32,
    pub leakbench: String,
    /// Runs are comparable only under the same rules.
    pub judging_rules: u32,
    pub complete: bool,
    /// `done`, or why the run ended before that.
    pub exit_reason: String,
    pub seed: u64,
    pub per_mutator: Option<usize>,
    pub max_mutants: Option<usize>,
    /// As given on the command line, without the program's name.
    pub arguments: Vec<String>,
    pub corpora: Vec<CorpusMeta>,
    /// SHA-256 over all mutator pages of the run, in order of their ids.
    pub pages_sha256: String,
    pub mutators: Vec<String>,
    pub detectors: Vec<DetectorMeta>,
    pub resource_tables: ResourceTables,
    /// SHA-256 of the triage file; empty without one.
    pub triage_sha256: String,
    /// SHA-256 of the configuration file; empty without one.
    #[serde(default)]
    pub configuration_sha256: String,
    /// Mutants that a second corpus holds as well; counted once.
    pub repeated_mutants: u64,
    /// SHA-256 of the list of fix pairs; empty without one.
    #[serde(default)]
    pub pairs_sha256: String,
    /// Of `score`: how wide a finding might be, and what was judged; empty after a run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub width: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judged: String,
    /// SHA-256 of every other file, by its path in the record: what has changed since is not judged again.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    pub host: Host,
    pub started_unix_s: u64,
    pub wall_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusMeta {
    pub name: String,
    pub embedded: bool,
    pub known_clean: bool,
    /// SHA-256 over the paths and bytes of its modules.
    pub sha256: String,
    pub modules: u64,
    pub lines: u64,
    pub unparsed: u64,
}

/// How many acquiring callables mutators and detectors know, each by a table of their own, and how many
/// both do: if the tables were one, recall would only measure it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceTables {
    pub mutators: u64,
    pub detectors: u64,
    pub both: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectorMeta {
    pub id: String,
    pub version: String,
    /// Of an external tool: program and arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The patterns that its rules claim, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<String>>,
    /// Wall time of all its work together, as if one thread had done it. Of an external tool: of its calls, without
    /// what was cached; of a built-in suite: parsing included, which suites share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_ms: Option<u64>,
    /// Modules and mutants that `busy_ms` was spent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// Of an external tool: the resident memory of its largest call, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
}

impl DetectorMeta {
    /// Of which nothing has been measured yet.
    pub fn new(id: &str, version: &str, claims: Option<BTreeSet<Pattern>>) -> Self {
        Self {
            id: id.to_owned(),
            version: version.to_owned(),
            command: Vec::new(),
            claims: claims.map(|claims| claims.iter().map(ToString::to_string).collect()),
            busy_ms: None,
            asked: None,
            peak_bytes: None,
        }
    }

    /// Those of its claims that are patterns of this version.
    pub fn claimed(&self) -> Option<BTreeSet<Pattern>> {
        let words = self.claims.as_ref()?.iter();
        Some(words.filter_map(|word| word.parse().ok()).collect())
    }

    /// Whether some rule of it claims the pattern; so it is taken to be where its claims are not known.
    pub fn has_rule(&self, pattern: &str) -> bool {
        let claims = self.claims.as_ref();
        claims.is_none_or(|claims| claims.iter().any(|claimed| claimed == pattern))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub system: String,
    pub architecture: String,
    pub threads: usize,
}
