//! Which files of a folder are modules.
//!
//! Nobody's ignore files are honoured: what is measured must not depend on who measures. Hidden folders,
//! caches and virtual environments are no part of a project; links are not followed, so that no module
//! counts twice and no loop traps the walk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::python::source::MAX_BYTES;

/// Below a root: caches, and what others have installed there. Named as root, each of them is walked.
const SKIPPED: [&str; 4] = ["__pycache__", "dist-packages", "node_modules", "site-packages"];

/// What a walk has found: modules by path relative to the root with `/`, and what could not be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub modules: Vec<(String, PathBuf)>,
    pub unreadable: Vec<(String, String)>,
}

/// In the order of the relative paths. `root` is a folder.
pub(super) fn modules_below(root: &Path) -> Found {
    let mut builder = WalkBuilder::new(root);
    builder
        .standard_filters(false)
        .follow_links(false)
        .filter_entry(is_walked);
    let mut found = Found::default();
    for entry in builder.build() {
        match entry {
            Ok(entry) if is_module(&entry) => {
                let path = relative(root, entry.path());
                found.modules.push((path, entry.into_path()));
            }
            Ok(_) => {}
            Err(error) => found.unreadable.push(unreadable(root, &error)),
        }
    }
    found.modules.sort();
    found.unreadable.sort();
    found
}

fn is_walked(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    let skipped = name.starts_with('.') || SKIPPED.contains(&name.as_ref());
    !skipped && !entry.path().join("pyvenv.cfg").is_file()
}

fn is_module(entry: &DirEntry) -> bool {
    let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
    is_file && entry.path().extension().is_some_and(|extension| extension == "py")
}

/// With `/` between the parts, whatever the system's separator is.
pub(super) fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

fn unreadable(root: &Path, error: &ignore::Error) -> (String, String) {
    let mut at = error;
    let mut path = root;
    loop {
        match at {
            ignore::Error::WithPath { path: here, err } => (path, at) = (here, err),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => at = err,
            _ => break,
        }
    }
    (relative(root, path), format!("cannot be read: {}", reason(at)))
}

fn reason(error: &ignore::Error) -> String {
    match error.io_error() {
        Some(error) => io_reason(error),
        None => error.to_string(),
    }
}

/// Without the system's error number, which differs between systems.
pub(super) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    }
}

/// At most one byte more than a module may have: enough to know that it is too large.
pub(super) fn read_module(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_hidden_folders_and_environments_are_skipped_and_ignore_files_are_not_honoured() {
        let root = tempfile::tempdir().unwrap();
        for path in ["b.py", "a/x.py", "__pycache__/c.py", ".git/d.py", "venv/e.py", "f.txt"] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::write(root.path().join("venv/pyvenv.cfg"), "").unwrap();
        std::fs::write(root.path().join(".gitignore"), "*.py\n").unwrap();
        std::fs::write(root.path().join(".ignore"), "*.py\n").unwrap();
        let found = modules_below(root.path());
        let names: Vec<&str> = found.modules.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a/x.py", "b.py"]);
    }
}
