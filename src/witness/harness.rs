//! The Python side, unpacked where an interpreter can read it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::WitnessError;

macro_rules! files {
    ($($name:literal),+) => { [$(($name, include_str!(concat!("harness/", $name)))),+] };
}

const FILES: [(&str, &str); 17] = files![
    "box.py",
    "callee.py",
    "census.py",
    "child.py",
    "examine.py",
    "exits.py",
    "instrument.py",
    "label.py",
    "mutant.py",
    "probe.py",
    "recurring.py",
    "registry.py",
    "rounds.py",
    "runtime.py",
    "stuck.py",
    "surroundings.py",
    "worker.py"
];

const STUBS: &str = "stubs";

/// A folder with the harness and the stubs of a corpus; it goes when this goes.
#[derive(Debug)]
pub struct Harness {
    folder: TempDir,
}

impl Harness {
    /// `stubs`: path and text of stand-ins that modules import.
    pub fn unpack<'a>(stubs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, WitnessError> {
        let folder = tempfile::Builder::new().prefix("leakbench-harness-").tempdir();
        let harness = Self {
            folder: folder.map_err(WitnessError::Harness)?,
        };
        for (name, text) in FILES {
            harness.write(Path::new(name), text)?;
        }
        fs::create_dir(harness.stubs()).map_err(WitnessError::Harness)?;
        for (path, text) in stubs {
            harness.write(&Path::new(STUBS).join(path), text)?;
        }
        Ok(harness)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), WitnessError> {
        let path = self.folder.path().join(path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, text)
        };
        write().map_err(WitnessError::Harness)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn stubs(&self) -> PathBuf {
        self.folder.path().join(STUBS)
    }
}
