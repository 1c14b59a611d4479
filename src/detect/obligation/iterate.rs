//! Iterables that close themselves at their end, and consumers that stop before it.

use super::body::nodes;
use crate::python::Node;
use crate::python::ast::{CmpOp, Expr, Stmt};

use std::collections::HashSet;

/// What the generator expressions walk that somebody may abandon: `next(...)`, `any(...)`, `name in (...)`.
pub(super) fn abandoned(body: &[Stmt]) -> HashSet<*const Expr> {
    let left = nodes(body).filter_map(Node::as_expr).filter_map(left_early);
    let walked = left.filter_map(|consumed| match consumed {
        Expr::GeneratorExp(node) => node.generators.first().map(|generator| &generator.iter),
        _ => None,
    });
    walked.map(std::ptr::from_ref).collect()
}

/// The iterable of which the expression may take only a part.
pub(in crate::detect) fn left_early(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Call(call) => {
            let name = call.func.as_name_expr()?;
            call.args
                .first()
                .filter(|_| ["next", "any", "all"].contains(&name.id.as_str()))
        }
        Expr::Compare(node) => match (node.ops.as_slice(), node.comparators.as_slice()) {
            ([CmpOp::In | CmpOp::NotIn], [consumed]) => Some(consumed),
            _ => None,
        },
        _ => None,
    }
}
