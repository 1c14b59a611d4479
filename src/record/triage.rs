//! What people have decided about findings on clean code: one file, keyed by content, without line numbers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::write_whole;

pub const DEFAULT_FILE: &str = "triage.toml";

/// What a person says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    True,
    False,
    Contested,
}

impl Ruling {
    pub const fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Contested => "contested",
        }
    }
}

/// One triage decision. All but key and verdict is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub key: String,
    pub verdict: Ruling,
    pub reason: String,
    #[serde(default)]
    pub rule: String,
    #[serde(default)]
    pub shape: String,
    #[serde(default)]
    pub module: String,
    #[serde(default)]
    pub qualname: String,
}

/// All decisions of one file, by key.
#[derive(Clone, Debug, Default)]
pub struct Triage {
    decisions: BTreeMap<String, Decision>,
    sha256: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct TriageError {
    pub file: String,
    pub message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    decision: Vec<Decision>,
}

impl Triage {
    /// A file that is not there holds no decisions.
    pub fn load(path: &Path) -> Result<Self, TriageError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|message| fault(path, message)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(fault(path, error)),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut decisions = BTreeMap::new();
        for decision in file.decision {
            if decision.reason.trim().is_empty() {
                return Err(format!("decision {} has no reason; say why", decision.key));
            }
            let key = decision.key.clone();
            if decisions.insert(key.clone(), decision).is_some() {
                return Err(format!("key {key} is decided twice; keep one of them"));
            }
        }
        let sha256 = hex(&Sha256::digest(text.as_bytes()));
        Ok(Self { decisions, sha256 })
    }

    pub fn ruling(&self, key: &str) -> Option<Ruling> {
        self.decisions.get(key).map(|decision| decision.verdict)
    }

    pub fn get(&self, key: &str) -> Option<&Decision> {
        self.decisions.get(key)
    }

    /// SHA-256 of the file; empty where there is none.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub fn set(&mut self, decision: Decision) {
        self.decisions.insert(decision.key.clone(), decision);
    }

    /// Sorted by key, so that a change is a small diff.
    pub fn save(&self, path: &Path) -> Result<(), TriageError> {
        let file = File {
            decision: self.decisions.values().cloned().collect(),
        };
        let text = toml::to_string_pretty(&file).map_err(|error| fault(path, error))?;
        write_whole(path, &text).map_err(|error| fault(path, error))
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "whatever can be shown is welcome, at the end of a chain"
)]
fn fault(path: &Path, message: impl ToString) -> TriageError {
    TriageError {
        file: path.display().to_string(),
        message: message.to_string().trim_end().to_owned(),
    }
}

/// Same rule, same statement, same definition: the same finding, wherever its lines have moved.
pub fn key(rule: &str, statement: &str, qualname: &str) -> String {
    let mut hash = Sha256::new();
    for part in [rule, statement, qualname] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())[..12].to_owned()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_without_a_reason_is_refused() {
        let error = Triage::parse("[[decision]]\nkey = 'a'\nverdict = 'false'\nreason = ' '\n").unwrap_err();
        assert!(error.contains("has no reason"), "{error}");
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("triage.toml");
        let mut triage = Triage::default();
        triage.set(Decision {
            key: key("rule", "handle = open(path)", "load"),
            verdict: Ruling::Contested,
            reason: "it depends".to_owned(),
            rule: "rule".to_owned(),
            shape: String::new(),
            module: "a.py".to_owned(),
            qualname: "load".to_owned(),
        });
        triage.save(&path).unwrap();
        let loaded = Triage::load(&path).unwrap();
        assert_eq!(loaded.decisions, triage.decisions);
        assert!(!loaded.sha256().is_empty());
    }
}
