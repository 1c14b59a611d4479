//! Brings the files of fix pairs from the package index: a script for the Python that pip belongs to.

use std::ffi::OsStr;
use std::path::Path;

use super::error::LabError;
use super::fix_pairs::FixPairs;
use crate::witness::Python;

const SCRIPT: &str = include_str!("../../scripts/fetch_pairs.py");

/// The files of `pairs`, or of all, appear beside the list. The script tells its own progress.
pub fn fetch(list: &Path, pairs: &[String], python: &Path) -> Result<(), LabError> {
    let known = FixPairs::read(list)?;
    if let Some(stranger) = pairs.iter().find(|pair| !known.lists(pair)) {
        return Err(LabError::corpus(
            &list.display().to_string(),
            format!("lists no pair {stranger}"),
        ));
    }
    let folder = FixPairs::folder(list);
    let mut arguments = vec![list.as_os_str(), folder.as_os_str()];
    arguments.extend(pairs.iter().map(OsStr::new));
    if Python::find(python)?.run(SCRIPT, &arguments)? {
        Ok(())
    } else {
        Err(LabError::FetchFailed(list.to_owned()))
    }
}
