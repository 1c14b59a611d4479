//! Reading a run folder back: typed rows, and errors that name file and line.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::meta::{FORMAT, META_FILE, Meta};
use super::row::Row;

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
