//! The vocabulary: pattern, confidence, effect, label, finding. Values only; knows nothing but spans.

mod finding;
mod label;
mod pattern;
mod witness;

pub use finding::{Confidence, Finding, Related};
pub(crate) use label::words;
pub use label::{Effect, Label, Place, Strength};
pub use pattern::{Family, Pattern};
pub use witness::{Outcome, Witness};
