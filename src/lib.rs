//! leakbench: a mutation-testing benchmark for detectors of Python resource leaks.
<<<<<<< HEAD
pub mod judge;
=======
pub mod detect;
>>>>>>> detect
pub mod leak;
pub mod mutate;
pub mod python;
