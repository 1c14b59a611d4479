//! The ground truth of a mutant.

use std::fmt;
use std::str::FromStr;

use super::Pattern;
use crate::python::Span;

/// What a mutator does to the contract of deterministic release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    Leak,
    Safe,
    Contested,
}

/// `Must`: the rewrite alone shows the leak. `May`: it rests on something no static check decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    Must,
    May,
}

/// A place where a report counts, in the text of the mutant: a simple statement or the header of a
/// compound one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub pattern: Pattern,
    pub region: Span,
}

/// What is true of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub pattern: Pattern,
    pub resource: String,
    pub effect: Effect,
    pub strength: Strength,
    /// The acquisition or creation itself, in the text of the mutant.
    pub span: Span,
    /// Where a report counts: first the statement or header that holds `span`, then further true places.
    pub places: Vec<Place>,
}

macro_rules! words {
    ($type:ident, $($variant:ident = $word:literal),+) => {
        impl $type {
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("{other:?} is none of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}
pub(crate) use words;

words!(Effect, Leak = "leak", Safe = "safe", Contested = "contested");
words!(Strength, Must = "must", May = "may");
