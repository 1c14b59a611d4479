//! Several things are released one after the other, and one that raises skips the rest; or a descriptor's number is
//! closed each time `close` is called.

use super::obligation::{Fragile, Obligation, Skipped};
use super::report::{acquisition, finding, on_exception, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Ranged, Stmt};
use crate::python::{Node, Span};

pub(super) struct FragileRelease;

impl PythonResourceDetector for FragileRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::FragileRelease,
            page: include_str!("pages/fragile-release.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::FragileRelease);
        let reports = all.filter_map(|obligation| {
            let fragile = module.owned(obligation).and_then(|owned| owned.fragile.as_ref());
            if let Some(fragile) = fragile {
                return in_method(module, obligation, fragile);
            }
            let skipped = obligation.fate.skipped.as_ref()?;
            let why = ", which is released first";
            Some(on_exception(module, Pattern::FragileRelease, obligation, skipped, why))
        });
        reports.collect()
    }
}

/// Whether what raises stands in one block with the release that it skips, and nothing but releases in between: a
/// release before the use of a handle is no part of its own.
pub(super) fn is_in_sequence(module: &Analysed<'_>, obligation: &Obligation<'_>, skipped: &Skipped) -> bool {
    let released = &obligation.fate.released_at;
    let around = module.names.scope(obligation.body).node;
    let whole = module.module.body.as_slice();
    let inner: Vec<_> = match around {
        Some(node) => node.descendants().collect(),
        None => whole.iter().flat_map(|one| Node::Stmt(one).descendants()).collect(),
    };
    let blocks = inner.iter().flat_map(|node| node.blocks());
    blocks.chain([whole]).any(|block| {
        let place = |at: Span| block.iter().position(|one| Span::from(one.range()).contains(at));
        let Some(first) = place(skipped.at) else { return false };
        released
            .iter()
            .filter_map(|at| place(*at))
            .any(|last| first < last && block[first..=last].iter().all(is_plain))
    })
}

/// `a.close()`, `await b.aclose()`, `if c: c.close()`, `d = None`
fn is_plain(statement: &Stmt) -> bool {
    match statement {
        Stmt::If(node) => node.body.iter().chain(&node.orelse).all(is_plain),
        Stmt::Assign(node) => !node.value.is_call_expr(),
        other => matches!(other, Stmt::Expr(_) | Stmt::Delete(_) | Stmt::Pass(_)),
    }
}

fn in_method<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>, fragile: &Fragile) -> Option<Finding> {
    let attribute = obligation.on_self()?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let (method, line) = (&fragile.method, module.line(fragile.at.start));
    let message = if fragile.is_twice {
        format!("{what} is kept as `self.{attribute}`, and a second call of `{method}` closes its number again")
    } else {
        format!("{what} is kept as `self.{attribute}`, and `{method}` does not get it {done} if line {line} raises")
    };
    let confidence = if fragile.is_likely {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let mut finding = finding(Pattern::FragileRelease, obligation, confidence, message);
    finding.suggestion = if fragile.is_twice {
        format!("take the number out of `self.{attribute}` before closing it, and ask whether it is there")
    } else {
        format!("put the release of `self.{attribute}` into a `finally`, or use an `ExitStack`")
    };
    finding.related.push(related(fragile.at, "here"));
    Some(finding)
}
