//! A variable of the module or of a class gets a handle once, and nothing ever releases it.

use super::obligation::{Obligation, Release};
use super::report::{acquisition, finding, participle};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::Expr;
use crate::python::names::{Def, ScopeKind};

pub(super) struct HeldGlobally;

impl PythonResourceDetector for HeldGlobally {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::HeldGlobally,
            page: include_str!("pages/held-globally.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::HeldGlobally);
        all.filter_map(|obligation| held(module, obligation)).collect()
    }
}

/// Kinds whose documentation tells people to make one and keep it.
pub(super) const SHARED: [&str; 9] = [
    "client",
    "http-client",
    "temporary-directory",
    "ssh-client",
    "engine",
    "db-pool",
    "db-session",
    "log-handler",
    "event-loop",
];
/// Words in the names of what is held on purpose, to the end: a lock or PID file.
const SENTINELS: [&str; 6] = ["lock", "pid", "mutex", "sentinel", "null", "keepalive"];
/// Calls that make a file such a sentinel.
const LOCKING: [&str; 4] = ["flock", "lockf", "locking", "lock"];
/// Words in the names of functions that release what the module holds.
const ENDING: [&str; 7] = [
    "close",
    "shutdown",
    "cleanup",
    "teardown",
    "dispose",
    "disconnect",
    "reset",
];

/// How sure it is that the variable keeps the handle for good; `None` if it does not, or is meant to.
pub(super) fn confidence<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Confidence> {
    let name = obligation.held_globally()?;
    let release = module.global_release(obligation)?;
    let lower = name.to_lowercase();
    let is_meant =
        SENTINELS.iter().any(|word| lower.contains(word)) || is_locked(module, name) || is_ended(module, name);
    if is_meant || !outlives(module, obligation, name) {
        return None;
    }
    match release {
        Release::Somewhere | Release::OnlyFinalizer => None,
        Release::Maybe => Some(Confidence::Low),
        Release::Nowhere if SHARED.contains(&obligation.resource.kind.as_str()) => Some(Confidence::Low),
        Release::Nowhere => Some(Confidence::Medium),
    }
}

/// A script may take its variables for local ones: functions must use it.
fn outlives<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>, name: &str) -> bool {
    obligation.body_kind != ScopeKind::Module || {
        let mut uses = module.names.uses(name, obligation.body).iter();
        uses.any(|each| each.nested)
    }
}

/// `fcntl.flock(handle, fcntl.LOCK_EX)`
fn is_locked(module: &Analysed<'_>, name: &str) -> bool {
    module.nodes().any(|node| match node {
        Node::Expr(Expr::Call(call)) => {
            let tail = match &*call.func {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(node) => node.attr.as_str(),
                _ => "",
            };
            LOCKING.contains(&tail) && mentions(node, name)
        }
        _ => false,
    })
}

/// A function that ends what the module holds has to do with it.
fn is_ended(module: &Analysed<'_>, name: &str) -> bool {
    module.nodes().any(|node| {
        let def = node.as_stmt().and_then(Def::of);
        def.is_some_and(|def| {
            let lower = def.name.to_lowercase();
            ENDING.iter().any(|word| lower.contains(word)) && mentions(node, name)
        })
    })
}

fn mentions(node: Node<'_>, name: &str) -> bool {
    node.descendants().any(|inner| match inner {
        Node::Expr(Expr::Name(node)) => node.id.as_str() == name,
        Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == name,
        _ => false,
    })
}

fn held<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let name = obligation.held_globally()?;
    let confidence = confidence(module, obligation)?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let message = format!("{what} is held by `{name}` for as long as the program runs, and never {done}");
    let mut finding = finding(Pattern::HeldGlobally, obligation, confidence, message);
    finding.suggestion = format!("acquire it where it is used, or release `{name}` when its users are done");
    Some(finding)
}
