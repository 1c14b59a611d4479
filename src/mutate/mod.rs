//! The semantic-patch engine: mutator pages go in, mutants with labels come out.
//!
//! Prints nothing, reads no files, starts no threads, and knows no detector. The way of a mutant:
//! `page` (with `template`) → `search` (with `fit`, `unify` and `condition`) → `render` (with `output`, `layout`, `deletion`) →
//! `check` (with `digest`) → `draft` (label, id, twins) → `modifier` → `sample`.

mod check;
mod condition;
mod deletion;
mod digest;
mod draft;
mod facts;
mod fate;
mod fit;
mod index;
mod layout;
mod modifier;
#[cfg(test)]
mod modifier_tests;
mod mutant;
mod output;
mod page;
mod render;
mod resources;
#[cfg(test)]
mod rewrite_tests;
mod sample;
mod scope_rules;
mod search;
mod site;
mod split;
mod template;
#[cfg(test)]
mod tests;
mod unify;

pub use draft::{Declined, declined, mutants_of};
pub use index::Index;
pub use modifier::{MODIFIERS, Modifier};
pub use mutant::{Mutant, Twin};
pub use page::{Page, PageError, Pages};
pub use resources::{OwnResource, acquiring_callables};
pub use sample::{Quota, sample};
