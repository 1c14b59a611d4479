//! What keeps code from being run at all.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("start {}: {reason}; verify runs code under CPython 3.10 or later, --python names one", .path.display())]
    NoPython { path: PathBuf, reason: String },
    #[error("{} is Python {version}; verify needs 3.10 or later, --python names one", .path.display())]
    TooOld { path: PathBuf, version: String },
    #[error("unpack the harness: {0}")]
    Harness(std::io::Error),
    #[error("the Python worker has ended: {0}")]
    Worker(String),
}
