//! One warm interpreter: a line of JSON in, a line of JSON out.
//!
//! While it works it sends empty lines, so that the wish to stop is heard. It ends by itself when nobody reads them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WitnessError;
use super::harness::Harness;
use super::python::Python;

const START: &str = "import sys; sys.path.insert(0, sys.argv[1]); import worker; worker.main()";

#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    complaints: PathBuf,
}

impl Worker {
    pub fn start(python: &Python, harness: &Harness) -> Result<Self, WitnessError> {
        let failed = |error: std::io::Error| WitnessError::Worker(error.to_string());
        let complaints = tempfile::Builder::new()
            .prefix("stderr-")
            .disable_cleanup(true)
            .tempfile_in(harness.folder());
        let (file, complaints) = complaints.map_err(failed)?.into_parts();
        let mut child = Command::new(&python.path)
            .args(["-I", "-B", "-c", START])
            .arg(harness.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(file))
            .spawn()
            .map_err(failed)?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take().map(BufReader::new),
            child,
            complaints: complaints.to_path_buf(),
        })
    }

    /// `None` if `stop` said so meanwhile; the worker is of no use then.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        job: &impl Serialize,
        stop: impl Fn() -> bool,
    ) -> Result<Option<A>, WitnessError> {
        let broken = |error: serde_json::Error| WitnessError::Worker(error.to_string());
        let mut line = serde_json::to_string(job).map_err(broken)?;
        line.push('\n');
        let input = self.input.as_mut();
        let sent = input.is_some_and(|input| input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_ok());
        if !sent {
            return Err(self.ended());
        }
        loop {
            line.clear();
            let read = self.output.as_mut().map_or(Ok(0), |output| output.read_line(&mut line));
            match read {
                Ok(0) | Err(_) => return Err(self.ended()),
                Ok(_) if stop() => return Ok(None),
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => return serde_json::from_str(&line).map(Some).map_err(broken),
            }
        }
    }

    fn ended(&self) -> WitnessError {
        let said = fs::read_to_string(&self.complaints).unwrap_or_default();
        let last: Vec<&str> = said.trim_end().lines().rev().take(3).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        WitnessError::Worker(if last.is_empty() {
            "without a word".to_owned()
        } else {
            last.join(" / ")
        })
    }
}

impl Drop for Worker {
    /// It notices that nobody listens, ends what it has forked, and goes.
    fn drop(&mut self) {
        self.input = None;
        self.output = None;
        let _ = self.child.wait();
    }
}
