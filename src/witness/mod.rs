//! Runs modules under `CPython` to prove labels.
//!
//! The harness is Python (`harness/`, standard library alone) and embedded: it makes the calls of a module fail one after
//! the other and says what stays open. Here is what starts it, asks it and ends it. Owns child processes; starts no
//! threads, and knows neither corpora nor mutators: a job is text.

mod error;
mod harness;
mod job;
mod python;
mod worker;

pub use error::WitnessError;
pub use harness::Harness;
pub use job::{CleanAnswer, CleanJob, Entered, MutantAnswer, MutantJob, Place};
pub use python::Python;
pub use worker::Worker;
