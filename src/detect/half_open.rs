//! Objects whose method that opens them fails half-way, and whose only owner is a name of the caller.

use super::obligation::{Grade, Obligation};
use super::{Analysed, course::own_nodes, text_at};
use crate::leak::{Confidence, Finding, Pattern, Related};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, ScopeId, Span};

/// A method that may fail when it has stored a handle on `self`.
struct Opener<'a, 'm> {
    class: ScopeId,
    name: &'a str,
    obligation: &'a Obligation<'m>,
}

/// ```py
/// async def connect(url):
///     connection = Connection(url)
///     await connection.open()  # fails when it has the socket already, and nobody closes that
///     return connection
/// ```
pub(super) fn dropped(module: &Analysed<'_>, pattern: Pattern) -> Vec<Finding> {
    let openers: Vec<_> = module
        .obligations()
        .iter()
        .filter_map(|obligation| opener(module, obligation))
        .collect();
    if openers.is_empty() {
        return Vec::new();
    }
    let functions = module.nodes().filter_map(|node| Def::of(node.as_stmt()?));
    let mut found: Vec<_> = functions
        .flat_map(|def| in_function(module, pattern, def.body, &openers))
        .collect();
    found.sort();
    found.dedup_by_key(|finding| finding.span);
    found
}

fn opener<'a, 'm>(module: &'a Analysed<'m>, obligation: &'a Obligation<'m>) -> Option<Opener<'a, 'm>> {
    let skipped = obligation.fate.skipped.as_ref()?;
    let scope = module.names.scope(obligation.body);
    let name = scope.name();
    let fails = skipped.kept_on_self && skipped.grade == Grade::Likely && !name.ends_with("__");
    fails.then_some(Opener {
        class: module.names.enclosing_class(obligation.span.start)?,
        name,
        obligation,
    })
}

/// The objects that the function makes and opens where nothing guards that.
fn in_function(module: &Analysed<'_>, pattern: Pattern, body: &[Stmt], openers: &[Opener<'_, '_>]) -> Vec<Finding> {
    let guards: Vec<Span> = own_nodes(body)
        .filter(|node| matches!(node, Node::Stmt(Stmt::Try(_) | Stmt::With(_) | Stmt::AsyncWith(_))))
        .map(Node::span)
        .collect();
    let made = own_nodes(body).filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(node)) => match (node.targets.as_slice(), &*node.value) {
            ([Expr::Name(name)], Expr::Call(call)) => Some((name.id.as_str(), call)),
            _ => None,
        },
        _ => None,
    });
    let found = made.filter_map(|(name, maker)| {
        let class = class_of(module, maker)?;
        let step = openers
            .iter()
            .filter(|opener| opener.class == class)
            .find_map(|opener| {
                let mut calls = own_nodes(body).filter_map(|node| called(node, name, opener.name));
                calls
                    .find(|call| call.start > maker.end().to_u32())
                    .map(|call| (opener, call))
            });
        let (opener, call) = step?;
        let is_guarded = guards.iter().any(|guard| guard.contains(call));
        (!is_guarded).then(|| report(module, pattern, maker, (opener, call)))
    });
    found.collect()
}

fn class_of(module: &Analysed<'_>, maker: &ExprCall) -> Option<ScopeId> {
    let Resolved::Local { bindings, path, .. } = module.names.resolve(&maker.func) else {
        return None;
    };
    match (bindings, path.as_slice()) {
        ([binding], []) => match binding.kind {
            BindingKind::Class(statement) => module.names.scope_of(statement),
            _ => None,
        },
        _ => None,
    }
}

/// `name.method(...)`
fn called(node: Node<'_>, name: &str, method: &str) -> Option<Span> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    let func = call.func.as_attribute_expr()?;
    let object = func.value.as_name_expr()?;
    (object.id.as_str() == name && func.attr.as_str() == method).then(|| call.range().into())
}

fn report(
    module: &Analysed<'_>,
    pattern: Pattern,
    maker: &ExprCall,
    (opener, call): (&Opener<'_, '_>, Span),
) -> Finding {
    let text = |span: Span| text_at(module.module.text(), span);
    let (what, step) = (text(maker.func.range().into()), text(call));
    Finding {
        span: maker.range().into(),
        rule: pattern.id().to_owned(),
        patterns: vec![pattern],
        resource: Some(opener.obligation.resource.kind.clone()),
        confidence: Confidence::Medium,
        message: format!("`{what}(...)` is not closed if `{step}` raises, which may have opened it by then"),
        suggestion: "close it in an `except BaseException`, and raise again".to_owned(),
        related: vec![Related {
            span: opener.obligation.span,
            note: "opened here before the method is done".to_owned(),
        }],
    }
}
