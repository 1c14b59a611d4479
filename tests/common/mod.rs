//! What the end-to-end tests share: a working folder of their own and the program run in it.

#![allow(dead_code, reason = "each test program uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// Leaks can be injected here in several ways; nothing leaks as it stands.
pub(crate) const CLEAN: &str = "\
import sqlite3


def load(path):
    with open(path) as handle:
        text = handle.read()
        if not text:
            text = path.upper()
    return text


def count(path):
    with open(path, 'rb') as handle:
        total = len(handle.read())
    return total


def rows(path):
    connection = sqlite3.connect(path)
    try:
        found = connection.execute('select 1').fetchall()
    finally:
        connection.close()
    return found
";

/// A leak that is there without any help.
pub(crate) const LEAKY: &str = "def load(path):\n    handle = open(path)\n    text = handle.read()\n    print(text)\n";

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        for (path, text) in files {
            folder.write(path, text.as_bytes());
        }
        folder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn csv_files(&self, record: &str) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.path(record))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut names: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|end| end == "csv"))
            .collect();
        names.sort();
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        names
            .iter()
            .map(|path| (name(path), fs::read_to_string(path).unwrap()))
            .collect()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("leakbench"));
        command.current_dir(self.0.path()).env_remove("NO_COLOR");
        for name in ["CONFIG", "EXCLUDE", "IGNORE", "JOBS", "MIN_CONFIDENCE", "SELECT"] {
            command.env_remove(format!("LEAKBENCH_{name}"));
        }
        command
    }

    /// Runs `arguments`, split at blanks, and wants this exit code.
    pub(crate) fn run(&self, arguments: &str, exit: i32) -> Ran {
        self.run_with(&[], arguments, exit)
    }

    /// The same with these variables in its environment.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &str, exit: i32) -> Ran {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        let ran = Ran {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{arguments}\n{}\n{}",
            ran.stdout,
            ran.stderr
        );
        ran
    }
}

pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}
