//! The kinds of leak that scores are grouped by.

use std::fmt;
use std::str::FromStr;

use super::label::words;

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
    IncompleteRelease,
    FragileRelease,
    FinalizerCleanup,
    HeldGlobally,
    LockNotReleased,
    TempLeftBehind,
    ChildNotReaped,
    ThreadNotJoined,
    PoolNotShutDown,
    AsyncResourceNotClosed,
    DanglingTask,
    ReferenceCycle,
    UnboundedCache,
    UnboundedCollection,
    RegistrationNeverRemoved,
}

/// Id, numbers of the Common Weakness Enumeration, and one sentence; in the order of [`Pattern`].
const FACTS: [(&str, &[u16], &str); 26] = [
    ("never-released", &[772, 775], "acquired, and no path releases it"),
    (
        "inline-acquisition",
        &[772],
        "acquired inside an expression, so that no name is left to release it by",
    ),
    (
        "release-skipped-on-exception",
        &[772, 460],
        "released, but not when something in between raises",
    ),
    (
        "release-skipped-on-path",
        &[772],
        "released, but one branch or an early exit leaves while it is open",
    ),
    (
        "partial-acquisition",
        &[772],
        "acquired, and a further step of setting up may fail before anybody owns or guards it",
    ),
    (
        "rebound-while-open",
        &[772],
        "the name or attribute that holds it gets another one while it is open",
    ),
    (
        "non-closing-context",
        &[772],
        "entered by a `with` that does not release it, and nothing else does",
    ),
    (
        "descriptor-not-adopted",
        &[775],
        "a raw descriptor or pipe that on some path nobody closes or adopts",
    ),
    (
        "handle-returned",
        &[772],
        "a function returns it open, and its callers do not release it",
    ),
    (
        "generator-scope",
        &[772],
        "held over a `yield` without a guard, so that a consumer who stops or raises leaves it open",
    ),
    (
        "owner-without-release",
        &[772, 404],
        "kept by an object whose release is missing or that nobody releases",
    ),
    (
        "incomplete-release",
        &[459],
        "released in part: a release method lets go of some of what its object holds, not of all",
    ),
    (
        "fragile-release",
        &[460, 1341],
        "released by steps of which one that fails, or a second call, keeps the others from running",
    ),
    (
        "finalizer-cleanup",
        &[772, 568],
        "released by a finalizer alone, which runs at an unknown time or never",
    ),
    (
        "held-globally",
        &[772],
        "kept by the module or a class for the life of the process, and nothing ever releases it",
    ),
    (
        "lock-not-released",
        &[667, 772],
        "acquired, and some path leaves without releasing the lock",
    ),
    (
        "temp-left-behind",
        &[459],
        "a temporary file or folder that on some path nobody removes",
    ),
    ("child-not-reaped", &[772], "a child process that nobody waits for"),
    ("thread-not-joined", &[772], "a thread that nobody stops or joins"),
    (
        "pool-not-shut-down",
        &[772],
        "a pool or executor that is kept and never shut down",
    ),
    (
        "async-resource-not-closed",
        &[772],
        "an asynchronous resource or generator that nobody closes, or whose close nobody awaits",
    ),
    ("dangling-task", &[772], "a task that nobody holds, awaits or cancels"),
    (
        "reference-cycle",
        &[401],
        "an object that reaches itself, so that only the cyclic collector can free it",
    ),
    (
        "unbounded-cache",
        &[401, 770],
        "a cache that keeps every key it was ever asked for",
    ),
    (
        "unbounded-collection",
        &[401, 770],
        "a long-lived collection that only grows",
    ),
    (
        "registration-never-removed",
        &[401],
        "registered with something that outlives it, and never taken out again",
    ),
];

impl Pattern {
    /// In the order of reports.
    pub const ALL: [Self; FACTS.len()] = [
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
        Self::IncompleteRelease,
        Self::FragileRelease,
        Self::FinalizerCleanup,
        Self::HeldGlobally,
        Self::LockNotReleased,
        Self::TempLeftBehind,
        Self::ChildNotReaped,
        Self::ThreadNotJoined,
        Self::PoolNotShutDown,
        Self::AsyncResourceNotClosed,
        Self::DanglingTask,
        Self::ReferenceCycle,
        Self::UnboundedCache,
        Self::UnboundedCollection,
        Self::RegistrationNeverRemoved,
    ];

    pub const fn id(self) -> &'static str {
        FACTS[self as usize].0
    }

    /// Numbers of the Common Weakness Enumeration.
    pub const fn cwe(self) -> &'static [u16] {
        FACTS[self as usize].1
    }

    /// One sentence.
    pub const fn summary(self) -> &'static str {
        FACTS[self as usize].2
    }
}

/// Patterns that are looked at together: what holds descriptors and must be released on every path, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Handles,
    Ownership,
    State,
    Workers,
    Async,
    Memory,
}

words!(
    Family,
    Handles = "handles",
    Ownership = "ownership",
    State = "locks-and-temp",
    Workers = "workers",
    Async = "async",
    Memory = "memory"
);

impl Pattern {
    pub const fn family(self) -> Family {
        match self {
            Self::NeverReleased
            | Self::InlineAcquisition
            | Self::ReleaseSkippedOnException
            | Self::ReleaseSkippedOnPath
            | Self::PartialAcquisition
            | Self::ReboundWhileOpen
            | Self::NonClosingContext
            | Self::DescriptorNotAdopted
            | Self::HandleReturned
            | Self::GeneratorScope => Family::Handles,
            Self::OwnerWithoutRelease
            | Self::IncompleteRelease
            | Self::FragileRelease
            | Self::FinalizerCleanup
            | Self::HeldGlobally => Family::Ownership,
            Self::LockNotReleased | Self::TempLeftBehind => Family::State,
            Self::ChildNotReaped | Self::ThreadNotJoined | Self::PoolNotShutDown => Family::Workers,
            Self::AsyncResourceNotClosed | Self::DanglingTask => Family::Async,
            Self::ReferenceCycle
            | Self::UnboundedCache
            | Self::UnboundedCollection
            | Self::RegistrationNeverRemoved => Family::Memory,
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
