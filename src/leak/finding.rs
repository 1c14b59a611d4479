//! One report of a detector or a tool.

use std::fmt;
use std::str::FromStr;

use super::Pattern;
use super::label::words;
use crate::python::Span;

/// How sure the reporter is. `High`: a normal path exists on which nothing releases. `Medium`: only
/// an exception path. `Low`: a doubt about style or ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    Low,
    Medium,
    High,
}

words!(Confidence, Low = "low", Medium = "medium", High = "high");

/// A further place that explains a finding: where the exception leaves, which exit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    pub span: Span,
    pub note: String,
}

/// One report, in the text it was made on. Which module and detector it belongs to is known to
/// whoever holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The acquisition, or the header of the class or function for ownership patterns.
    pub span: Span,
    pub rule: String,
    /// What the rule claims; empty if it maps to no pattern.
    pub patterns: Vec<Pattern>,
    /// The kind of resource, if the reporter knows it.
    pub resource: Option<String>,
    pub confidence: Confidence,
    pub message: String,
    pub suggestion: String,
    pub related: Vec<Related>,
}
