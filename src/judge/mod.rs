//! Judging, pure: values in, values out. No I/O, no threads, no clock, and no pattern has a meaning here.
//!
//! One mutant and one detector become a [`Judgement`] ([`judge`]); the judgements of one detector become
//! rows of scores ([`score`](score::score)); two runs become a [`Comparison`](paired::Comparison), several
//! detectors of one run rows of [`agreement`]; and the [`controls`] prove on every run that the scale itself is straight.

pub mod agreement;
mod apart;
mod clean;
pub mod controls;
pub mod fix_pair;
pub mod interval;
mod matching;
pub mod paired;
mod pairs;
pub mod row;
pub mod score;
mod subject;
mod tally;
mod verdict;

pub use apart::{ContestedRow, UnpairedRow};
pub use matching::Width;
pub use subject::{Charge, CleanModule, Judged, Subject, Twin};
pub use verdict::{Case, Disposition, Judgement, NoVerdict, Report, Verdict, dispose_clean, judge};

#[cfg(test)]
mod agreement_cases;
#[cfg(test)]
mod paired_cases;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod score_cases;
#[cfg(test)]
mod verdict_cases;
