//! The main loop, and the only owner of threads: corpora go in, a record comes out.
//!
//! The way of a run: `corpus` (with `walk`, `tags`) → `load` → `plan` → `rows` of the record, and from these `sheet`s of what
//! is judged → `work` per module → `books` → `score` and `side_by_side`. `again` judges what a record holds, `foreign`
//! what a tool's log says of the files that `export` has written: both from the same sheets.
//! External `tools` are asked before the rest is worked on, about texts laid out as files (`shown`). `verify` (with `crew`) runs what the plan makes. `fix_pairs` judges real leaks, of which `fetch` brings the files. Trees live only while their module is worked on; what a run says does not
//! depend on how many threads it has. Writes to no terminal: a [`Watch`] looks on.

mod again;
mod books;
mod busy;
pub mod census;
mod claims;
pub mod corpus;
mod crew;
mod error;
mod examine;
pub mod exclude;
mod export;
mod fetch;
mod fix_pairs;
mod foreign;
mod guard;
mod load;
mod place;
mod plan;
mod rows;
mod run;
mod score;
mod sheet;
mod shown;
mod side_by_side;
pub mod suppress;
pub mod tags;
mod tools;
mod verify;
mod walk;
mod watch;
mod work;

pub use again::{WidthChoice, score_again};
pub use claims::suite_claims;
pub use error::LabError;
pub use examine::{Checked, Examined, examine};
pub use export::{Exported, export};
pub use fetch::fetch;
pub use fix_pairs::FixPairs;
pub use foreign::{Foreign, score_log};
pub use rows::{CLEAN, LOW_CONFIDENCE};
pub use run::{Ended, Request, Wanted, run};
pub use tools::{Tool, version};
pub use verify::{Verified, VerifiedModule, VerifiedMutant, VerifyRequest, verify};
pub use watch::Watch;

/// A worker's stack: deep syntax trees are walked and dropped recursively.
const STACK_BYTES: usize = 256 << 20;

/// Runs `act` on a pool of `threads` workers; `0` takes one per core.
pub fn on_threads<T: Send>(threads: usize, act: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .build();
    let pool = pool.map_err(|error| LabError::Threads {
        threads,
        reason: error.to_string(),
    })?;
    Ok(pool.install(act))
}
