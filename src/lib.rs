//! leakbench: a mutation-testing benchmark for detectors of Python resource leaks.
//!
//! Clean Python code goes in, leaks are injected by deterministic mutation, detectors look at the
//! result, and precision and recall per leak pattern come out. This page is the map of the house.
//!
//! | room | what it does | what it must not know |
//! |---|---|---|
//! | [`python`] | texts, spans, edits, trees, names, control flow | anything about leaks |
//! | [`leak`] | the vocabulary: pattern, label, finding | anything but `python`'s spans |
//! | [`mutate`] | mutator pages to labelled mutants | detectors; files, threads, the terminal |
//! | [`detect`] | the built-in suite | mutators; files, threads, the terminal |
//! | [`judge`] | verdicts, scores, intervals, controls | I/O of any kind |
//! | [`tool`] | calls other people's detectors and reads what they print | corpora, mutators, the built-in suite; the terminal |
//! | [`witness`] | runs code under CPython, to prove labels | corpora, mutators, detectors; the terminal |
//! | [`record`] | the run folder: CSV, `run.json`, triage | |
//! | [`lab`] | the main loop | the terminal |
//! | [`report`] | tables, Markdown, SARIF, as text | the terminal |
//! | [`cli`] | one file per subcommand | |
//! | [`console`] | the only writer to the terminal | |
//!
//! `mutate` and `detect` never see each other and share no table of acquiring calls: if they did, recall
//! would only measure that table. `tests/walls.rs` fails on a breach.
//!
//! The way of the data:
//!
//! ```text
//! module text -> parse -> sites (per mutator page) -> sample -> mutants + labels
//! clean module ---------------> detectors -> baseline      \
//! mutant text  ---------------> detectors -> findings       -> judge -> verdicts -> scores -> CSV -> reports
//! ```

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
pub mod tool;
pub mod witness;
