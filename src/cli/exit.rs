//! Exit codes, and which failure has which.

use std::fmt;
use std::process::ExitCode;

use crate::lab::LabError;
use crate::record::RecordError;
use crate::record::triage::TriageError;
use crate::tool::ToolError;
use crate::witness::WitnessError;

/// What the program tells its caller. Scripts rely on the numbers; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; of `gate`: passed; of `check`: no findings.
    Done = 0,
    /// `gate`: a threshold is missed; `check`: there are findings.
    Failed = 1,
    /// The command line, a page, a configuration or a path is wrong.
    Usage = 2,
    /// A detector is unusable or gave too few verdicts.
    Detector = 3,
    /// Inputs contradict each other or themselves: a corpus, a baseline, a record.
    Inconsistent = 4,
    /// There was nothing to measure, so that no statement can be made.
    Nothing = 5,
    /// A bug of this program, or a control is off.
    Internal = 70,
    /// Stopped by Ctrl-C; the record is valid and marked incomplete.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A message for people and the exit code that goes with it.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            error: anyhow::anyhow!("{message}"),
        }
    }

    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        let exit = match &error {
            LabError::Corpus { .. }
            | LabError::TooManyUnparsed { .. }
            | LabError::NotFetched(_)
            | LabError::FetchFailed(_) => Exit::Inconsistent,
            LabError::NoModules(_) => Exit::Nothing,
            LabError::Tool(ToolError::Unusable { .. }) => Exit::Detector,
            LabError::Path { .. } | LabError::Overlap { .. } | LabError::Threads { .. } | LabError::Tool(_) => {
                Exit::Usage
            }
            LabError::Witness(error) => witness_exit(error),
            LabError::Record(error) => return Self::new(record_exit(error), error),
        };
        Self::new(exit, error)
    }
}

impl From<WitnessError> for Failure {
    fn from(error: WitnessError) -> Self {
        Self::new(witness_exit(&error), error)
    }
}

const fn witness_exit(error: &WitnessError) -> Exit {
    match error {
        WitnessError::NoPython { .. } | WitnessError::TooOld { .. } => Exit::Usage,
        WitnessError::Harness(_) | WitnessError::Worker(_) => Exit::Internal,
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::new(record_exit(&error), error)
    }
}

impl From<TriageError> for Failure {
    fn from(error: TriageError) -> Self {
        Self::usage(error)
    }
}

fn record_exit(error: &RecordError) -> Exit {
    match error {
        RecordError::Write { .. }
        | RecordError::NotARecord(_)
        | RecordError::Locked(_)
        | RecordError::Missing(_)
        | RecordError::Read { .. } => Exit::Usage,
        RecordError::Damaged { .. }
        | RecordError::Format { .. }
        | RecordError::Changed { .. }
        | RecordError::Incomplete { .. } => Exit::Inconsistent,
    }
}

/// Anything unforeseen.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            exit: Exit::Internal,
            error,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Internal, format!("write to stdout: {error}"))
    }
}
