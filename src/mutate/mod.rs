//! The semantic-patch engine: mutator pages go in, mutants with labels come out.
//!
//! Prints nothing, reads no files, starts no threads, and knows no detector. The way of a mutant:
//! `page` (and `template`) → `site` (with `unify` and `condition`) → `render` → `check` → `sample`.

mod mutant;
mod page;
mod sample;

pub use mutant::{Index, Mutant, Twin, mutants_of};
pub use page::{Page, PageError, Pages};
pub use sample::{Quota, sample};
