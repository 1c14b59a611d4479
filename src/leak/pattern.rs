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

impl Pattern {
    /// In the order of reports.
    pub const ALL: [Self; 26] = [
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
            Self::IncompleteRelease => (
                "incomplete-release",
                &[459],
                "released in part: a release method lets go of some of what its object holds, not of all",
            ),
            Self::FragileRelease => (
                "fragile-release",
                &[460, 1341],
                "released by steps of which one that fails, or a second call, keeps the others from running",
            ),
            Self::FinalizerCleanup => (
                "finalizer-cleanup",
                &[772, 568],
                "released by a finalizer alone, which runs at an unknown time or never",
            ),
            Self::HeldGlobally => (
                "held-globally",
                &[772],
                "kept by the module or a class for the life of the process, and nothing ever releases it",
            ),
            Self::LockNotReleased => (
                "lock-not-released",
                &[667, 772],
                "acquired, and some path leaves without releasing the lock",
            ),
            Self::TempLeftBehind => (
                "temp-left-behind",
                &[459],
                "a temporary file or folder that on some path nobody removes",
            ),
            Self::ChildNotReaped => ("child-not-reaped", &[772], "a child process that nobody waits for"),
            Self::ThreadNotJoined => ("thread-not-joined", &[772], "a thread that nobody stops or joins"),
            Self::PoolNotShutDown => (
                "pool-not-shut-down",
                &[772],
                "a pool or executor that is kept and never shut down",
            ),
            Self::AsyncResourceNotClosed => (
                "async-resource-not-closed",
                &[772],
                "an asynchronous resource or generator that nobody closes, or whose close nobody awaits",
            ),
            Self::DanglingTask => ("dangling-task", &[772], "a task that nobody holds, awaits or cancels"),
            Self::ReferenceCycle => (
                "reference-cycle",
                &[401],
                "an object that reaches itself, so that only the cyclic collector can free it",
            ),
            Self::UnboundedCache => (
                "unbounded-cache",
                &[401, 770],
                "a cache that keeps every key it was ever asked for",
            ),
            Self::UnboundedCollection => (
                "unbounded-collection",
                &[401, 770],
                "a long-lived collection that only grows",
            ),
            Self::RegistrationNeverRemoved => (
                "registration-never-removed",
                &[401],
                "registered with something that outlives it, and never taken out again",
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
