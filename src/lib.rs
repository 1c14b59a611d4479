//! leakbench: a mutation-testing benchmark for detectors of Python resource leaks.
pub mod detect;
pub mod judge;
pub mod leak;
pub mod mutate;
pub mod python;
