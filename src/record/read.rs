//! Reading a run folder back: typed rows, and errors that name file and line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::RecordError;
use super::meta::{FORMAT, META_FILE, Meta};
use super::row::Row;
use super::triage::hex;

/// A run folder that is there and of a format this program knows.
#[derive(Debug)]
pub struct Record {
    pub dir: PathBuf,
    pub meta: Meta,
}

impl Record {
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(META_FILE);
        if !path.is_file() {
            return Err(RecordError::Missing(dir.to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(|error| RecordError::read(&path, error))?;
        known_format(&path, &text)?;
        let meta = serde_json::from_str(&text);
        let meta = meta.map_err(|error| RecordError::damaged(&path, error.line() as u64, error))?;
        Ok(Self {
            dir: dir.to_owned(),
            meta,
        })
    }

    /// That every file is there and as the run wrote it: no score rests on a file that was lost or changed.
    pub fn check_files(&self) -> Result<(), RecordError> {
        if !self.meta.complete {
            return Err(RecordError::Incomplete {
                dir: self.dir.clone(),
                reason: self.meta.exit_reason.clone(),
            });
        }
        if self.meta.files.is_empty() {
            return Err(RecordError::changed(
                &self.dir.join(META_FILE),
                "lists no checksums of its files",
            ));
        }
        for (name, sum) in &self.meta.files {
            let path = self.dir.join(name);
            let bytes = fs::read(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => RecordError::changed(&path, "is missing"),
                _ => RecordError::read(&path, error),
            })?;
            if hex(&Sha256::digest(&bytes)) != *sum {
                return Err(RecordError::changed(&path, "is not what the run wrote"));
            }
        }
        Ok(())
    }

    /// All rows of one file, in its order.
    pub fn rows<R: Row>(&self) -> Result<Vec<R>, RecordError> {
        let path = self.dir.join(R::FILE);
        let file = fs::File::open(&path).map_err(|error| RecordError::read(&path, error))?;
        let mut reader = csv::Reader::from_reader(file);
        let rows = reader
            .deserialize()
            .map(|row| row.map_err(|error| RecordError::csv_read(&path, &error)));
        rows.collect()
    }

    /// The same for a file that a run writes only if it has something to say there.
    pub fn rows_if_any<R: Row>(&self) -> Result<Vec<R>, RecordError> {
        if self.dir.join(R::FILE).exists() {
            self.rows()
        } else {
            Ok(Vec::new())
        }
    }
}

/// Looked at by itself, for another format may lack what [`Meta`] needs.
fn known_format(path: &Path, text: &str) -> Result<(), RecordError> {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
    let value = parsed.map_err(|error| RecordError::damaged(path, error.line() as u64, error))?;
    let found = value.get("record_format").and_then(serde_json::Value::as_u64);
    let found = found.ok_or_else(|| RecordError::damaged(path, 1, "no record_format"))?;
    if found == u64::from(FORMAT) {
        return Ok(());
    }
    Err(RecordError::Format {
        path: path.to_owned(),
        found: u32::try_from(found).unwrap_or(u32::MAX),
        known: FORMAT,
    })
}
