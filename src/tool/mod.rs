//! External tools: what is known of each stands in a page of data, everything else is the same for all.
//!
//! [`Adapter`] (built in, or a user's file) says how a tool is called, what its output looks like and which rule
//! claims which pattern. [`Call`] runs a command without a shell, within limits, in a process group of its own.
//! [`read`](Adapter::read) turns output into [`RawFinding`]s. Which files a tool is shown, and what its failures
//! mean, is for `lab`: a tool that failed is never a tool that found nothing.

mod adapter;
mod error;
mod place;
mod process;
mod read;

pub use adapter::{Adapter, CANARY_MARK, Canary, known_adapters};
pub use error::ToolError;
pub use place::{Columns, Unit, span_of};
pub use process::{Call, Ended, Killed, Limits};
pub use read::{RawFinding, Said, read_sarif};
