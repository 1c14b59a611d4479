//! leakbench: a mutation-testing benchmark for detectors of Python resource leaks.
