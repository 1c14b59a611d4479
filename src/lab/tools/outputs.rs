//! What tools have printed, byte for byte: `raw/TOOL/HASH`, and in `raw/TOOL.jsonl` which of them speaks of which text.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lab::error::LabError;
use crate::lab::walk::io_reason;
use crate::record::triage::hex;

/// Where one tool's outputs go, and what is known of them so far.
#[derive(Debug)]
pub(super) struct Outputs {
    folder: PathBuf,
    index: Mutex<BTreeMap<String, Printed>>,
}

/// Which output speaks of a text, and by which path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Printed {
    /// The file's name: it begins the SHA-256 of its bytes.
    pub output: String,
    pub shown_as: String,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Id of a mutant, or `CORPUS/PATH` of a clean text.
    run_on: &'a str,
    #[serde(flatten)]
    printed: &'a Printed,
}

const HASH_DIGITS: usize = 24;

fn name_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))[..HASH_DIGITS].to_owned()
}

impl Outputs {
    /// `raw` is the folder of all tools.
    pub(super) fn new(raw: &Path, tool: &str) -> Result<Self, LabError> {
        let outputs = Self {
            folder: raw.join(tool),
            index: Mutex::default(),
        };
        fs::create_dir_all(&outputs.folder).map_err(|error| failed(&outputs.folder, &error))?;
        Ok(outputs)
    }

    /// Returns the name that it goes by.
    pub(super) fn keep(&self, bytes: &[u8]) -> Result<String, LabError> {
        let name = name_of(bytes);
        let path = self.folder.join(&name);
        if !path.exists() {
            fs::write(&path, bytes).map_err(|error| failed(&path, &error))?;
        }
        Ok(name)
    }

    /// The output that goes by this name, if it is there and as it was.
    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(name)).ok()?;
        (name_of(&bytes) == name).then_some(bytes)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.folder.join(name).is_file()
    }

    pub(super) fn speaks_of(&self, run_on: &str, printed: Printed) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.insert(run_on.to_owned(), printed);
    }

    /// The list of what speaks of what.
    pub(super) fn finish(self) -> Result<(), LabError> {
        let path = self.folder.with_extension("jsonl");
        let index = self.index.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (run_on, printed) in &index {
            let line = Line { run_on, printed };
            text += &serde_json::to_string(&line).expect("strings always serialise");
            text.push('\n');
        }
        crate::record::write_whole(&path, &text).map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> LabError {
    LabError::corpus(&path.display().to_string(), io_reason(error))
}
