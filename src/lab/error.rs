//! What keeps a measurement from being made.

use std::io;
use std::path::{Path, PathBuf};

use super::walk::io_reason;
use crate::record::RecordError;
use crate::record::row::UnparsedRow;
use crate::tool::ToolError;
use crate::witness::WitnessError;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{path}: {reason}; name a Python file or a folder of them", path = .path.display())]
    Path { path: PathBuf, reason: String },
    #[error("{inner} lies in {outer}, which is measured as well; name one of them", inner = .inner.display(), outer = .outer.display())]
    Overlap { inner: PathBuf, outer: PathBuf },
    #[error("{file}: {message}")]
    Corpus { file: String, message: String },
    #[error("no Python file in {0}; nothing was measured")]
    NoModules(String),
    #[error(
        "{} of {modules} modules could not be parsed, more than one in ten; unparsed.csv lists them, leave them out or name other folders",
        .unparsed.len()
    )]
    TooManyUnparsed { unparsed: Vec<UnparsedRow>, modules: usize },
    #[error(
        "{list}: none of its files is there; run `leakbench corpus fetch {list}` first, which downloads them",
        list = .0.display()
    )]
    NotFetched(PathBuf),
    #[error("{list}: not every file could be fetched; the lines above say which and why", list = .0.display())]
    FetchFailed(PathBuf),
    #[error("start {threads} threads: {reason}")]
    Threads { threads: usize, reason: String },
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl LabError {
    pub(super) fn path(path: &Path, error: &io::Error) -> Self {
        Self::Path {
            path: path.to_owned(),
            reason: io_reason(error),
        }
    }

    pub(super) fn corpus(file: &str, message: impl Into<String>) -> Self {
        Self::Corpus {
            file: file.to_owned(),
            message: message.into(),
        }
    }
}
