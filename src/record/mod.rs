//! The run folder `results/NAME/`: what is written, how it is protected, how it is read back.
//!
//! `results/README.md` defines every column; a test holds it against the headers in code. Nothing here
//! measures, judges or prints. CSV is RFC 4180 with LF, in the order it was given; no time and no host
//! stand in it, so that two runs of one state are byte-equal.

mod edits;
mod error;
mod folder;
mod judgements;
mod meta;
mod read;
pub mod row;
mod table;
mod tables;
pub mod triage;
mod witness;

pub use edits::{EDITS_FILE, EditHunk, EditLine, EditRow, edits_text, read_edits};
pub use error::RecordError;
pub use folder::{Recording, Rows, write_whole};
pub use judgements::{Judgements, counts, subject};
pub use meta::{CorpusMeta, DetectorMeta, FORMAT, Host, JUDGING_RULES, META_FILE, Meta, ResourceTables};
pub use read::Record;
pub use table::{POOLED, ScoreLine, ScoreTable, scores_csv};
pub use tables::Tables;
pub use witness::{Outcomes, outcomes_csv, text_hash, write_outcomes};
