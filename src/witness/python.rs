//! The interpreter: found, and new enough.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::WitnessError;

/// Works in every Python there ever was.
const ASK_VERSION: &str = "import sys; sys.stdout.write('%d.%d.%d' % tuple(sys.version_info[:3]))";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    pub path: PathBuf,
    pub version: String,
}

impl Python {
    pub fn find(path: &Path) -> Result<Self, WitnessError> {
        let no_python = |reason: String| WitnessError::NoPython {
            path: path.to_owned(),
            reason,
        };
        let asked = Command::new(path).args(["-c", ASK_VERSION]).output();
        let asked = asked.map_err(|error| no_python(reason(&error)))?;
        let version = String::from_utf8_lossy(&asked.stdout).into_owned();
        match parsed(&version) {
            Some(numbers) if numbers >= (3, 10) => Ok(Self {
                path: path.to_owned(),
                version,
            }),
            Some(_) => Err(WitnessError::TooOld {
                path: path.to_owned(),
                version,
            }),
            None => Err(no_python("it does not answer as Python does".to_owned())),
        }
    }

    /// Runs a script to its end, with the streams of this program; whether it succeeded.
    pub fn run(&self, script: &str, arguments: &[&OsStr]) -> Result<bool, WitnessError> {
        let ended = Command::new(&self.path).arg("-c").arg(script).args(arguments).status();
        let ended = ended.map_err(|error| WitnessError::NoPython {
            path: self.path.clone(),
            reason: reason(&error),
        })?;
        Ok(ended.success())
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such program".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}
