//! The warm interpreters of a verification: as many as there are threads that ask at once.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::watch::Watch;
use crate::witness::{Harness, Python, WitnessError, Worker};

pub(super) struct Crew<'a> {
    python: &'a Python,
    harness: &'a Harness,
    watch: &'a dyn Watch,
    idle: Mutex<Vec<Worker>>,
}

impl<'a> Crew<'a> {
    pub(super) fn new(python: &'a Python, harness: &'a Harness, watch: &'a dyn Watch) -> Self {
        Self {
            python,
            harness,
            watch,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// `None` if it was interrupted. A worker that breaks is replaced once: the next one may have better luck.
    pub(super) fn ask<A: DeserializeOwned>(&self, job: &impl Serialize) -> Result<Option<A>, WitnessError> {
        if self.watch.interrupted() {
            return Ok(None);
        }
        match self.ask_once(job) {
            Err(_) if !self.watch.interrupted() => self.ask_once(job),
            other => other,
        }
    }

    fn ask_once<A: DeserializeOwned>(&self, job: &impl Serialize) -> Result<Option<A>, WitnessError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::start(self.python, self.harness)?,
        };
        let answer = worker.ask(job, || self.watch.interrupted())?;
        if answer.is_some() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        Ok(answer)
    }
}
