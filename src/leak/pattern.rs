//! The kinds of leak that scores are grouped by.

use std::fmt;
use std::str::FromStr;

/// One kind of leak. Everything outside this folder and its detector treats it as opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    NeverReleased,
    InlineAcquisition,
    ReleaseSkippedOnException,
    ReleaseSkippedOnPath,
    PartialAcquisition,
    ReboundWhileOpen,
    NonClosingContext,
    DescriptorNotAdopted,
    HandleReturned,
    GeneratorScope,
    OwnerWithoutRelease,
}

impl Pattern {
    /// In the order of reports.
    pub const ALL: [Self; 11] = [
        Self::NeverReleased,
        Self::InlineAcquisition,
        Self::ReleaseSkippedOnException,
        Self::ReleaseSkippedOnPath,
        Self::PartialAcquisition,
        Self::ReboundWhileOpen,
        Self::NonClosingContext,
        Self::DescriptorNotAdopted,
        Self::HandleReturned,
        Self::GeneratorScope,
        Self::OwnerWithoutRelease,
    ];

    pub const fn id(self) -> &'static str {
        self.facts().0
    }

    /// Numbers of the Common Weakness Enumeration.
    pub const fn cwe(self) -> &'static [u16] {
        self.facts().1
    }

    /// One sentence.
    pub const fn summary(self) -> &'static str {
        self.facts().2
    }

    const fn facts(self) -> (&'static str, &'static [u16], &'static str) {
        match self {
            Self::NeverReleased => ("never-released", &[772, 775], "acquired, and no path releases it"),
            Self::InlineAcquisition => (
                "inline-acquisition",
                &[772],
                "acquired inside an expression, so that no name is left to release it by",
            ),
            Self::ReleaseSkippedOnException => (
                "release-skipped-on-exception",
                &[772, 460],
                "released, but not when something in between raises",
            ),
            Self::ReleaseSkippedOnPath => (
                "release-skipped-on-path",
                &[772],
                "released, but one branch or an early exit leaves while it is open",
            ),
            Self::PartialAcquisition => (
                "partial-acquisition",
                &[772],
                "acquired, and a further step of setting up may fail before anybody owns or guards it",
            ),
            Self::ReboundWhileOpen => (
                "rebound-while-open",
                &[772],
                "the name or attribute that holds it gets another one while it is open",
            ),
            Self::NonClosingContext => (
                "non-closing-context",
                &[772],
                "entered by a `with` that does not release it, and nothing else does",
            ),
            Self::DescriptorNotAdopted => (
                "descriptor-not-adopted",
                &[775],
                "a raw descriptor or pipe that on some path nobody closes or adopts",
            ),
            Self::HandleReturned => (
                "handle-returned",
                &[772],
                "a function returns it open, and its callers do not release it",
            ),
            Self::GeneratorScope => (
                "generator-scope",
                &[772],
                "held over a `yield` without a guard, so that a consumer who stops or raises leaves it open",
            ),
            Self::OwnerWithoutRelease => (
                "owner-without-release",
                &[772, 404],
                "kept by an object whose release is missing or that nobody releases",
            ),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// No pattern has this id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pattern is called {0:?}; patterns: {list}", list = Pattern::ALL.map(Pattern::id).join(", "))]
pub struct UnknownPattern(String);

impl FromStr for Pattern {
    type Err = UnknownPattern;

    fn from_str(id: &str) -> Result<Self, UnknownPattern> {
        let found = Self::ALL.into_iter().find(|pattern| pattern.id() == id);
        found.ok_or_else(|| UnknownPattern(id.to_owned()))
    }
}
