//! What a user may set for the detectors; the defaults need nothing.

use std::sync::OnceLock;

use serde::Deserialize;

use super::resources::{Resource, Table};

/// The detectors' part of the configuration. Specification 73 calls these `resource_types`,
/// `safe_patterns`, `max_depth`, `growth_patterns` and `size_thresholds`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// More acquiring callables.
    pub resource: Vec<Resource>,
    /// Callables, as imports resolve them, whose results nobody has to release.
    pub safe_callables: Vec<String>,
    /// How many objects a cycle of references may go through to be reported.
    pub cycle_depth: usize,
    /// Methods that make a collection grow.
    pub growth_methods: Vec<String>,
    /// A collection bounded by a test against at most this size is no leak.
    pub size_threshold: usize,
    #[serde(skip)]
    table: OnceLock<Table>,
    #[serde(skip)]
    lifecycles: OnceLock<Table>,
}

impl Config {
    /// The built-in resources and those of this configuration; read once.
    pub(super) fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::with(&self.resource))
    }

    /// The built-in locks, children, threads and the like; read once.
    pub(super) fn lifecycles(&self) -> &Table {
        self.lifecycles.get_or_init(Table::of_lifecycles)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resource: Vec::new(),
            safe_callables: Vec::new(),
            cycle_depth: 3,
            growth_methods: ["append", "add", "insert", "extend", "setdefault", "update"]
                .map(str::to_owned)
                .to_vec(),
            size_threshold: 1_000_000,
            table: OnceLock::new(),
            lifecycles: OnceLock::new(),
        }
    }
}
