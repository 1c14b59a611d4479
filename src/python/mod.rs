//! Python, and nothing about leaks: text, spans, edits, trees, names and control flow.
//!
//! Only this folder names the parser crates. It re-exports the node types as [`ast`]; the parsing
//! entry points stay in `parse`.

pub mod edit;
pub mod flow;
mod kind;
pub mod names;
mod nesting;
pub mod node;
pub mod parse;
pub mod source;
pub mod span;

pub use edit::{Edit, Edits, Piece, SpanMap};
pub use names::{Names, Resolved, ScopeId};
pub use node::{Node, Part, Sink, walk};
pub use parse::{Module, Token, TokenKind};
pub use rustpython_parser::ast;
pub use source::{Source, Unparsed};
pub use span::{LineIndex, Position, Span};
