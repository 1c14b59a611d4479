//! What can go wrong with a run folder. Every message names the file and what to do.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("write {path}: {source}; choose another folder with --out", path = .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} holds files but no run.json, so it is no record; choose another folder with --out", path = .0.display())]
    NotARecord(PathBuf),
    #[error("another run is writing to {path}; wait for it or choose another folder with --out", path = .0.display())]
    Locked(PathBuf),
    #[error("{path} is no record: it has no run.json; make one with `leakbench run --out {path}`", path = .0.display())]
    Missing(PathBuf),
    #[error("read {path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}:{line}: {message}; the record is damaged, run again", path = .path.display())]
    Damaged { path: PathBuf, line: u64, message: String },
    #[error("{path} {how}; nothing is judged on it, restore the file or run again", path = .path.display())]
    Changed { path: PathBuf, how: &'static str },
    #[error("{dir} is incomplete ({reason}); run again", dir = .dir.display())]
    Incomplete { dir: PathBuf, reason: String },
    #[error("{path} has record format {found}, this program reads {known}; run again with this version", path = .path.display())]
    Format { path: PathBuf, found: u32, known: u32 },
}

impl RecordError {
    pub fn write(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Write {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn changed(path: &Path, how: &'static str) -> Self {
        Self::Changed {
            path: path.to_owned(),
            how,
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "whatever can be shown is welcome, at the end of a chain"
    )]
    pub fn damaged(path: &Path, line: u64, message: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            line,
            message: message.to_string(),
        }
    }

    /// A csv error on reading: its line where it has one.
    pub(super) fn csv_read(path: &Path, error: &csv::Error) -> Self {
        let line = error.position().map_or(1, csv::Position::line);
        Self::damaged(path, line, error)
    }

    pub(super) fn csv_write(path: &Path, error: csv::Error) -> Self {
        Self::write(path, io::Error::other(error))
    }
}
