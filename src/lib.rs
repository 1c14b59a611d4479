//! leakbench: a mutation-testing benchmark for detectors of Python resource leaks.
pub mod cli;
pub mod console;
pub mod detect;
pub mod judge;
pub mod lab;
pub mod leak;
pub mod mutate;
pub mod python;
pub mod record;
pub mod report;
