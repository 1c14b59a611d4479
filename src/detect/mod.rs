//! The built-in suite: detectors over one obligation analysis.
//!
//! Prints nothing, reads no files, starts no threads, and knows nothing of the mutators. A detector is a
//! file `NAME.rs` that picks the fates which are its pattern, a page `pages/NAME.md` with explanation and
//! cases, and a line in `DETECTORS`.
//!
//! Findings are disjoint: an acquisition has one primary pattern, the first of these that fits.
//!
//! 1. `descriptor-not-adopted`: what is held is a raw descriptor or the pipe of a child, whatever path loses it;
//!    kept on `self` an object has adopted it, and exceptions on the way are those of 5 to 7.
//! 2. `inline-acquisition`: its value is dropped before any name has held it.
//! 3. A normal path leaves it open: `non-closing-context` if a `with` was trusted to release it and nothing else
//!    does; `rebound-while-open` if its name gets another handle, and the round of the loop that acquires does not
//!    release; `release-skipped-on-path` if another path releases it or a normal one hands it on; else `never-released`.
//!    A variable of the module that functions use holds it at the end of the module: `held-globally` instead.
//! 4. `handle-returned`: it is returned, and every caller in sight leaks it. `held-globally`: a variable of the module or
//!    of a class gets it, and nothing releases that.
//! 5. It is kept on `self`: `finalizer-cleanup` if only finalizers release that; if nobody does, `incomplete-release` where a
//!    method that ends the object releases other things or ends a `with`, else `owner-without-release`. Somebody
//!    releases it: `incomplete-release` if `__exit__`, or a method that takes the place of the releasing one, does not;
//!    `finalizer-cleanup` if every instance keeps itself alive by what it registers.
//! 6. `rebound-while-open`: it is kept on `self` over one that may be open. `fragile-release`: the method that releases it
//!    releases or finishes something else first, which may raise, or closes the number of a descriptor twice.
//! 7. Only an exception leaves it open: `generator-scope` if that comes from a `yield`; `partial-acquisition` if it
//!    comes from further steps of setting up that nothing guards, or from any step that nothing guards where no
//!    normal path releases it but hands it on, or nothing but handing on ever ends the obligation; else
//!    `release-skipped-on-exception`. A handler that is too narrow is a guard. If nothing but other releases just before its
//!    own can raise: `fragile-release`.
//!
//! What the rounds of a loop put into a list that nobody else has yet is a `partial-acquisition`, if nothing guards the loop.
//!
//! Three rules need no acquisition in sight: a handler that releases something and lets a cancellation pass is a
//! `release-skipped-on-exception`; an `__enter__` or a method that opens, which may fail half-way, a `partial-acquisition`.
//!
//! What an event loop owns is `async-resource-not-closed` instead of `never-released`, `inline-acquisition`,
//! `non-closing-context` or `owner-without-release`, and of `incomplete-release` if a method closes it and does not await that.
//!
//! A queue between processes is `incomplete-release` or nothing: the end of the process does the rest.
//!
//! What has a life rather than a handle is followed by the same analysis with a table of its own, `lifecycles.toml`, and
//! each kind has one detector: `lock-not-released`, `temp-left-behind` (the path; the descriptor of `mkstemp` is a handle),
//! `child-not-reaped` (whose report stands for that of the pipes), `thread-not-joined`, `pool-not-shut-down`, `dangling-task`.
//!
//! Patterns of memory have no acquisition, and are disjoint by themselves: a mapping whose keys functions look up
//! before they put them in is an `unbounded-cache`, any other collection that only grows an `unbounded-collection`; what
//! instances put of themselves into one is a `registration-never-removed`.
//!
//! Specification 73 asked for a Python resource analysis; its names and ours:
//!
//! | there | here |
//! |---|---|
//! | `PythonResourceDetector` | [`PythonResourceDetector`], with [`PythonResourceDetector::info`] besides |
//! | `detect_issues(&ast::Mod, &Path)` | [`PythonResourceDetector::detect_issues`]; [`Analysed`] holds tree, path and what is computed of them |
//! | `assess_resource_impact(&issue)` | [`PythonResourceDetector::assess_resource_impact`]; it takes the module too |
//! | `ResourceIssue`, `ResourceImpact` | [`Finding`], [`ResourceImpact`]; a debt item is [`impact::DebtItem`] |
//! | `PythonContextManagerDetector` | `never-released`, `inline-acquisition`, `release-skipped-on-exception` |
//! | its `resource_types`, `safe_patterns` | [`Config::resource`] beside `resources.toml`, [`Config::safe_callables`] |
//! | `PythonCircularRefDetector` | `reference-cycle`; its `max_depth` is [`Config::cycle_depth`], `known_patterns` its page of cases |
//! | `PythonUnboundedCollectionDetector` | `unbounded-collection`, `unbounded-cache`; [`Config::growth_methods`] and [`Config::size_threshold`] |
//! | file, socket and connection tracking | the obligation analysis, [`Obligation`] |
//! | async and thread checks | `async-resource-not-closed`, `dangling-task`, `thread-not-joined`, `pool-not-shut-down` |
//! | locks, processes, temporary files | `lock-not-released`, `child-not-reaped`, `temp-left-behind` |
//! | missing `__del__` or cleanup methods | `owner-without-release`, `incomplete-release`, `finalizer-cleanup`; `__del__` is no release here |
//! | `analyze_python_file` | [`Suite::findings`] |

mod analysed;
mod async_resource_not_closed;
mod cancellation;
mod child_not_reaped;
mod config;
mod course;
mod dangling_task;
mod descriptor_not_adopted;
mod entrance;
mod finalizer_cleanup;
mod fragile_release;
mod generator_scope;
mod half_open;
mod handle_returned;
mod held_globally;
pub mod impact;
mod incomplete_release;
mod inline_acquisition;
mod lock_not_released;
mod memory;
mod never_released;
mod non_closing_context;
mod obligation;
mod owner_without_release;
mod partial_acquisition;
mod pool_not_shut_down;
mod primary;
mod rebound_while_open;
mod reference_cycle;
mod registration_never_removed;
mod release_skipped_on_exception;
mod release_skipped_on_path;
mod report;
mod resources;
mod rounds;
mod seed_naive;
mod silenced;
mod temp_left_behind;
#[cfg(test)]
mod tests;
mod thread_not_joined;
mod thread_stop;
mod types;
mod unbounded_cache;
mod unbounded_collection;

pub use analysed::Analysed;
pub use config::Config;
pub use impact::ResourceImpact;
pub use obligation::{
    Cause, Doubt, Fate, Fragile, Grade, LeftOpen, Loss, Move, Obligation, Origin, Owned, Release, Skipped, Twice,
};
pub use resources::{Resource, acquiring_callables};

use crate::leak::{Finding, Pattern};
use crate::python::Module;

/// Looks for one kind of leak.
pub trait PythonResourceDetector: Sync {
    fn info(&self) -> Info;

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding>;

    /// Takes the module besides, which the specification's method does not: a [`Finding`] is text and
    /// places, the same for every tool, and only the module tells whether its place runs once or per call.
    fn assess_resource_impact(&self, module: &Analysed<'_>, finding: &Finding) -> ResourceImpact {
        impact::assess(module, finding)
    }
}

/// What a detector is called and what its page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    pub pattern: Pattern,
    /// Markdown: explanation, then cases under `## Cases`.
    pub page: &'static str,
}

/// The detectors of the suite proper, in the order of reports.
const DETECTORS: &[&dyn PythonResourceDetector] = &[
    &never_released::NeverReleased,
    &inline_acquisition::InlineAcquisition,
    &release_skipped_on_exception::ReleaseSkippedOnException,
    &release_skipped_on_path::ReleaseSkippedOnPath,
    &partial_acquisition::PartialAcquisition,
    &rebound_while_open::ReboundWhileOpen,
    &non_closing_context::NonClosingContext,
    &descriptor_not_adopted::DescriptorNotAdopted,
    &handle_returned::HandleReturned,
    &generator_scope::GeneratorScope,
    &owner_without_release::OwnerWithoutRelease,
    &incomplete_release::IncompleteRelease,
    &fragile_release::FragileRelease,
    &finalizer_cleanup::FinalizerCleanup,
    &held_globally::HeldGlobally,
    &lock_not_released::LockNotReleased,
    &temp_left_behind::TempLeftBehind,
    &child_not_reaped::ChildNotReaped,
    &thread_not_joined::ThreadNotJoined,
    &pool_not_shut_down::PoolNotShutDown,
    &async_resource_not_closed::AsyncResourceNotClosed,
    &dangling_task::DanglingTask,
    &reference_cycle::ReferenceCycle,
    &unbounded_cache::UnboundedCache,
    &unbounded_collection::UnboundedCollection,
    &registration_never_removed::RegistrationNeverRemoved,
];

/// Detectors that are measured under one name.
pub struct Suite {
    pub id: &'static str,
    pub version: &'static str,
    pub detectors: Vec<&'static dyn PythonResourceDetector>,
    config: Config,
}

/// Every built-in suite: the real one, and the floor.
pub fn suites() -> Vec<Suite> {
    suites_with(&Config::default())
}

pub fn suites_with(config: &Config) -> Vec<Suite> {
    let version = env!("CARGO_PKG_VERSION");
    let suite = |id, detectors| Suite {
        id,
        version,
        detectors,
        config: config.clone(),
    };
    vec![
        suite("leakbench", DETECTORS.to_vec()),
        suite("seed-naive", vec![&seed_naive::SeedNaive]),
    ]
}

impl Suite {
    /// All findings in one module, in the order of the text.
    pub fn findings(&self, module: &Module) -> Vec<Finding> {
        let issues = self.issues(&Analysed::new(module, &self.config));
        issues.into_iter().map(|(finding, _)| finding).collect()
    }

    /// The same, each with how much it matters to the detector that reports it.
    pub fn assessed(&self, module: &Module) -> Vec<(Finding, ResourceImpact)> {
        let analysed = Analysed::new(module, &self.config);
        let issues = self.issues(&analysed).into_iter();
        let assessed = issues.map(|(finding, detector)| {
            let impact = detector.assess_resource_impact(&analysed, &finding);
            (finding, impact)
        });
        assessed.collect()
    }

    fn issues(&self, analysed: &Analysed<'_>) -> Vec<(Finding, &'static dyn PythonResourceDetector)> {
        let mut all = Vec::new();
        for detector in &self.detectors {
            let found = detector.detect_issues(analysed).into_iter();
            all.extend(found.map(|finding| (finding, *detector)));
        }
        for (finding, _) in &mut all {
            silenced::note(analysed, finding);
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        // Both ends of a pipe are acquired by one call, and one report says it.
        all.dedup_by(|(later, _), (first, _)| later.span == first.span && later.rule == first.rule);
        all
    }
}

/// The text under a span; empty where a span inside an f-string does not fit, as the parser's may not.
fn text_at(text: &str, span: crate::python::Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or("")
}

/// One entry per pattern that the suite detects.
pub fn infos() -> Vec<Info> {
    DETECTORS.iter().map(|detector| detector.info()).collect()
}

/// What a pattern is, why it leaks, an example, the fix, known limits.
pub fn explain(pattern: Pattern) -> Option<&'static str> {
    let info = infos().into_iter().find(|info| info.pattern == pattern)?;
    Some(info.page.split("\n## Cases").next().unwrap_or(info.page))
}
