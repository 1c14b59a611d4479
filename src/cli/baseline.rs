//! Baselines of `check`: which findings are known, by what stays the same when lines move.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure};
use crate::record::write_whole;
use crate::report::findings::Located;

/// Rises when fingerprints are made in another way.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    findings: Vec<Known>,
}

/// All but the fingerprint is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    path: String,
    qualname: String,
    rule: String,
    message: String,
    fingerprint: String,
}

/// The findings of a baseline, by fingerprint.
#[derive(Debug)]
pub(super) struct Baseline(BTreeMap<String, Known>);

impl Baseline {
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("read {shown}: {error}; --write-baseline makes one")))?;
        let damaged = |error| Failure::new(Exit::Inconsistent, format!("{shown}: no baseline: {error}"));
        let file: File = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if file.format != FORMAT {
            return Err(damaged(format!("its format is {}, not {FORMAT}", file.format)));
        }
        let known = file.findings.into_iter();
        Ok(Self(known.map(|each| (each.fingerprint.clone(), each)).collect()))
    }

    pub(super) fn of(found: &[Located]) -> Self {
        let known = found.iter().map(|found| Known {
            path: found.path.clone(),
            qualname: found.qualname.clone(),
            rule: found.finding.rule.clone(),
            message: found.finding.message.clone(),
            fingerprint: found.fingerprint.clone(),
        });
        Self(known.map(|each| (each.fingerprint.clone(), each)).collect())
    }

    pub(super) fn knows(&self, found: &Located) -> bool {
        self.0.contains_key(&found.fingerprint)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many stand in one of the modules that were looked at and are no longer found.
    pub(super) fn gone(&self, found: &[Located], looked_at: impl Fn(&str) -> bool) -> usize {
        let now = Self::of(found);
        let gone = |known: &&Known| looked_at(&known.path) && !now.0.contains_key(&known.fingerprint);
        self.0.values().filter(gone).count()
    }

    /// Sorted, so that a change is a small diff; all or nothing.
    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        let mut findings: Vec<Known> = self.0.values().cloned().collect();
        findings.sort();
        let file = File {
            format: FORMAT,
            findings,
        };
        let text = serde_json::to_string_pretty(&file).map_err(anyhow::Error::from)?;
        write_whole(path, &(text + "\n")).map_err(|error| Failure::usage(format!("write {}: {error}", path.display())))
    }
}
