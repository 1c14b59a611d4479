//! The floor: what a first implementation of specification 73 does. It knows acquiring calls by the names
//! that its author could think of, and that a `with` item is fine. It follows no path, looks for no
//! release, resolves no import. Every table shows it, so that a better detector has something to beat.

use std::collections::BTreeSet;

use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::{Expr, Ranged, Stmt, WithItem};

pub(super) struct SeedNaive;

const RESOURCE_TYPES: [&str; 7] = [
    "open",
    "socket",
    "connect",
    "Lock",
    "urlopen",
    "Session",
    "NamedTemporaryFile",
];

impl PythonResourceDetector for SeedNaive {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::NeverReleased,
            page: include_str!("pages/seed-naive.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let (mut managed, mut bound) = (BTreeSet::new(), BTreeSet::new());
        for node in module.nodes() {
            match node {
                Node::WithItem(WithItem { context_expr, .. }) => {
                    managed.insert(context_expr.start());
                }
                Node::Stmt(Stmt::Assign(assign)) => {
                    bound.insert(assign.value.start());
                }
                _ => {}
            }
        }
        let calls = module
            .nodes()
            .filter_map(Node::as_expr)
            .filter(|expr| is_resource_call(expr));
        let unmanaged = calls.filter(|call| !managed.contains(&call.start()));
        unmanaged
            .map(|call| finding(call, bound.contains(&call.start())))
            .collect()
    }
}

fn is_resource_call(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    let name = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => return false,
    };
    RESOURCE_TYPES.contains(&name)
}

fn finding(call: &Expr, is_bound: bool) -> Finding {
    let pattern = if is_bound {
        Pattern::NeverReleased
    } else {
        Pattern::InlineAcquisition
    };
    Finding {
        span: call.range().into(),
        rule: "missing-context-manager".to_owned(),
        patterns: vec![pattern],
        resource: None,
        confidence: Confidence::High,
        message: "resource is not managed by a `with` statement".to_owned(),
        suggestion: "use a context manager".to_owned(),
        related: Vec::new(),
    }
}
