//! `witness.csv`: what `verify` has seen, written beside a corpus and taken over by `run`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::RecordError;
use super::folder::{csv_writer, write_whole};
use super::row::{Row, WitnessRow};
use super::triage::hex;
use crate::leak::Outcome;

/// Hex digits that tell one text from another.
const HASH_DIGITS: usize = 12;

/// Outcomes by id. One of another text is no outcome.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(BTreeMap<String, (String, Outcome)>);

impl Outcomes {
    /// `path` is for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RecordError> {
        let mut outcomes = BTreeMap::new();
        for row in csv::Reader::from_reader(bytes).deserialize() {
            let row: WitnessRow = row.map_err(|error| RecordError::csv_read(path, &error))?;
            let outcome = row.outcome.parse();
            let outcome = outcome.map_err(|message: String| RecordError::damaged(path, 1, message))?;
            outcomes.insert(row.id, (row.text_sha256, outcome));
        }
        Ok(Self(outcomes))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of the mutant (or, by its path, the module) that has this very text.
    pub fn of(&self, id: &str, text: &str) -> Option<Outcome> {
        let (hash, outcome) = self.0.get(id)?;
        (*hash == text_hash(text)).then_some(*outcome)
    }
}

pub fn text_hash(text: &str) -> String {
    let mut hash = hex(&Sha256::digest(text.as_bytes()));
    hash.truncate(HASH_DIGITS);
    hash
}

/// Writes `witness.csv` into a folder, whole or not at all; what else stands there is left alone.
pub fn write_outcomes(folder: &Path, rows: &[WitnessRow]) -> Result<(), RecordError> {
    let path = folder.join(WitnessRow::FILE);
    let write = || {
        fs::create_dir_all(folder)?;
        write_whole(&path, &outcomes_csv(rows)?)
    };
    write().map_err(|error: std::io::Error| RecordError::write(&path, error))
}

/// The text of `witness.csv`.
pub fn outcomes_csv(rows: &[WitnessRow]) -> std::io::Result<String> {
    let mut writer = csv_writer(Vec::new());
    writer.write_record(WitnessRow::COLUMNS)?;
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, outcome: &str, text: &str) -> WitnessRow {
        WitnessRow {
            id: id.to_owned(),
            outcome: outcome.to_owned(),
            signals: "unreleased".to_owned(),
            place: "reads: line 3 `f(a, \"b\")` raises OSError".to_owned(),
            reason: String::new(),
            text_sha256: text_hash(text),
        }
    }

    #[test]
    fn an_outcome_is_taken_over_for_the_same_text_alone() {
        let folder = tempfile::tempdir().unwrap();
        write_outcomes(
            folder.path(),
            &[row("a.py", "clean", "x = 1\n"), row("0123", "leaks", "y\n")],
        )
        .unwrap();
        let path = folder.path().join("witness.csv");
        let outcomes = Outcomes::parse(&path, &fs::read(&path).unwrap()).unwrap();
        assert_eq!(outcomes.of("a.py", "x = 1\n"), Some(Outcome::Clean));
        assert_eq!(outcomes.of("0123", "y\n"), Some(Outcome::Leaks));
        assert_eq!(outcomes.of("0123", "y = 2\n"), None);
        assert_eq!(outcomes.of("4567", "y\n"), None);
    }

    #[test]
    fn a_file_with_an_unknown_outcome_is_refused_with_its_name() {
        let text = "id,outcome,signals,place,reason,text_sha256\na,perhaps,,,,0\n";
        let error = Outcomes::parse(Path::new("w/witness.csv"), text.as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("w/witness.csv") && message.contains("perhaps"),
            "{message}"
        );
    }
}
