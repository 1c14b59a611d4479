//! What a tool has said before of the same text at the same path, with the same version, arguments and adapter.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::LabError;
use super::tools::Tool;
use super::walk::io_reason;
use crate::record::triage::hex;
use crate::tool::RawFinding;

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    found: Vec<RawFinding>,
}

/// One file per tool, version, command and adapter; lines are only ever added.
#[derive(Debug)]
pub(super) struct ToolCache {
    known: BTreeMap<String, Vec<RawFinding>>,
    path: PathBuf,
    file: Option<Mutex<File>>,
}

impl ToolCache {
    /// Without a folder nothing is known and nothing is kept.
    pub(super) fn open(folder: Option<&Path>, tool: &Tool) -> Result<Self, LabError> {
        let mut hash = Sha256::new();
        for part in [&tool.version, &tool.adapter.text, &tool.adapter.command.join("\0")] {
            hash.update(part);
            hash.update([0]);
        }
        let name = format!("{}-{:.16}.jsonl", tool.adapter.id, hex(&hash.finalize()));
        let mut cache = Self {
            known: BTreeMap::new(),
            path: folder.unwrap_or(Path::new("")).join(name),
            file: None,
        };
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| cache.failed(&error))?;
            cache.read()?;
            let file = File::options().append(true).create(true).open(&cache.path);
            let mut file = file.map_err(|error| cache.failed(&error))?;
            // Ends what an interrupted run may have left half written.
            file.write_all(b"\n").map_err(|error| cache.failed(&error))?;
            cache.file = Some(Mutex::new(file));
        }
        Ok(cache)
    }

    fn failed(&self, error: &std::io::Error) -> LabError {
        LabError::corpus(&self.path.display().to_string(), io_reason(error))
    }

    /// A line that an interrupted run left half written is as good as none.
    fn read(&mut self) -> Result<(), LabError> {
        let Ok(file) = File::open(&self.path) else {
            return Ok(());
        };
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|error| self.failed(&error))?;
            if let Ok(Line { key, found }) = serde_json::from_str(&line) {
                self.known.insert(key, found);
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<RawFinding>> {
        self.known.get(key).cloned()
    }

    pub(super) fn put(&self, key: &str, found: &[RawFinding]) -> Result<(), LabError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let line = Line {
            key: key.to_owned(),
            found: found.to_vec(),
        };
        let mut line = serde_json::to_string(&line).expect("findings are plain values");
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|error| self.failed(&error))
    }
}
