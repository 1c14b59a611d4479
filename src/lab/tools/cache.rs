//! What a tool has said before of the same text at the same path, with the same version, arguments and adapter.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Tool;
use super::outputs::{Outputs, Printed};
use crate::lab::error::LabError;
use crate::lab::walk::io_reason;
use crate::record::triage::hex;
use crate::tool::RawFinding;

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(flatten)]
    kept: Kept,
}

/// What was found in a text, and the output that said so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub found: Vec<RawFinding>,
    #[serde(flatten)]
    pub printed: Printed,
}

/// One file per tool, version, command and adapter; lines are only ever added.
#[derive(Debug)]
pub(super) struct ToolCache {
    known: BTreeMap<String, Kept>,
    path: PathBuf,
    /// `None`: nothing is kept.
    open: Option<(Mutex<File>, Outputs)>,
}

impl ToolCache {
    /// Without a folder nothing is known and nothing is kept.
    pub(super) fn open(folder: Option<&Path>, tool: &Tool) -> Result<Self, LabError> {
        let mut hash = Sha256::new();
        let output = format!("{:?}", tool.adapter.format);
        for part in [&tool.version, &output, &tool.adapter.command.join("\0")] {
            hash.update(part);
            hash.update([0]);
        }
        let name = format!("{}-{:.16}", tool.adapter.id, hex(&hash.finalize()));
        let mut cache = Self {
            known: BTreeMap::new(),
            path: folder.unwrap_or(Path::new("")).join(format!("{name}.jsonl")),
            open: None,
        };
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| cache.failed(&error))?;
            cache.read()?;
            let file = File::options().append(true).create(true).open(&cache.path);
            let mut file = file.map_err(|error| cache.failed(&error))?;
            // Ends what an interrupted run may have left half written.
            file.write_all(b"\n").map_err(|error| cache.failed(&error))?;
            cache.open = Some((Mutex::new(file), Outputs::new(folder, &name)?));
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
            if let Ok(Line { key, kept }) = serde_json::from_str(&line) {
                self.known.insert(key, kept);
            }
        }
        Ok(())
    }

    /// Nothing of which the output is gone; that comes into the outputs of this run.
    pub(super) fn get(&self, key: &str, outputs: &Outputs) -> Result<Option<Kept>, LabError> {
        let (Some(kept), Some((_, own))) = (self.known.get(key), &self.open) else {
            return Ok(None);
        };
        if !outputs.has(&kept.printed.output) {
            let Some(bytes) = own.get(&kept.printed.output) else {
                return Ok(None);
            };
            outputs.keep(&bytes)?;
        }
        Ok(Some(kept.clone()))
    }

    /// The output stands in those of this run.
    pub(super) fn put(
        &self,
        key: &str,
        found: &[RawFinding],
        printed: &Printed,
        outputs: &Outputs,
    ) -> Result<(), LabError> {
        let Some((file, own)) = &self.open else {
            return Ok(());
        };
        if let Some(bytes) = outputs.get(&printed.output).filter(|_| !own.has(&printed.output)) {
            own.keep(&bytes)?;
        }
        let line = Line {
            key: key.to_owned(),
            kept: Kept {
                found: found.to_vec(),
                printed: printed.clone(),
            },
        };
        let mut line = serde_json::to_string(&line).expect("findings are plain values");
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|error| self.failed(&error))
    }
}
