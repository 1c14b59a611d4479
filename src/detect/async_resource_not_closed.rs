//! An asynchronous resource that nobody closes, or whose `close` nobody awaits; an asynchronous generator that
//! is left half-way.

use super::course::{breaks, definition, own_nodes};
use super::obligation::{Obligation, Release};
use super::report::{acquisition, ending, finding, on_path, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, ExprCall, ExprName, Ranged, Stmt, StmtAsyncFor, WithItem};
use crate::python::flow::has_yield;
use crate::python::names::Def;
use crate::python::{Node, Span};

pub(super) struct AsyncResourceNotClosed;

impl PythonResourceDetector for AsyncResourceNotClosed {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::AsyncResourceNotClosed,
            page: include_str!("pages/async-resource-not-closed.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let unclosed = primary::all(module, self.info().pattern);
        let mut found: Vec<_> = unclosed.filter_map(|obligation| report(module, obligation)).collect();
        found.extend(module.nodes().filter_map(|node| match node {
            Node::Stmt(Stmt::AsyncFor(node)) => left_early(module, node),
            _ => None,
        }));
        found
    }
}

fn report<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let pattern = Pattern::AsyncResourceNotClosed;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let mut report = match (&obligation.fate.left_open, obligation.kept_in_self()) {
        (Some(left), _) => {
            let why = ending(module, left.how, left.at);
            on_path(module, pattern, obligation, left, format!("{what} is not {done} {why}"))
        }
        (None, Some(attribute)) => {
            let confidence = match module.release_of(obligation)? {
                Release::Somewhere => return None,
                Release::OnlyFinalizer | Release::Maybe => Confidence::Low,
                Release::Nowhere if attribute.starts_with('_') => Confidence::High,
                Release::Nowhere => Confidence::Medium,
            };
            let message = format!("{what} is kept in `self.{attribute}`, and nothing gets it {done}");
            finding(pattern, obligation, confidence, message)
        }
        (None, None) => {
            let message = format!("{what} is not {done} if an exception is swallowed");
            finding(pattern, obligation, Confidence::Medium, message)
        }
    };
    let is_awaited = !obligation.resource.awaited.is_empty();
    let release = obligation.resource.release.first().map_or("close", String::as_str);
    report.suggestion = if is_awaited {
        format!("use `async with`, or `await` its `{release}`: without `await` it never runs")
    } else {
        format!("call its `{release}` in a `finally`, and await that it has closed")
    };
    Some(report)
}

/// `async for` over a generator of the module that holds something across its `yield`, and a way out of the loop:
/// one of its own, or that of whoever consumes what it yields.
fn left_early<'m>(module: &Analysed<'m>, node: &'m StmtAsyncFor) -> Option<Finding> {
    let call = generator_call(module, node)?;
    let generator = definition(module, &call.func)?;
    let leaves = breaks(&node.body) || own_nodes(&node.body).any(|node| matches!(node, Node::Stmt(Stmt::Return(_))));
    let yields = has_yield(&node.body);
    if !(generator.is_async && (leaves || yields) && holds_over_a_yield(module, generator, MAX_DELEGATES)) {
        return None;
    }
    let name = text_at(module.module.text(), call.func.range().into());
    Some(Finding {
        span: Span::from(call.range()),
        rule: Pattern::AsyncResourceNotClosed.id().to_owned(),
        patterns: vec![Pattern::AsyncResourceNotClosed],
        resource: Some("async-generator".to_owned()),
        confidence: if leaves { Confidence::High } else { Confidence::Medium },
        message: format!("the generator of `{name}(...)` may be left half-way, and what it holds is not closed then"),
        suggestion: format!("use `async with contextlib.aclosing({name}(...)) as …:`"),
        related: vec![related(node.body.first()?.range().into(), "the loop may be left here")],
    })
}

/// The call that makes the generator: in the head of the loop, or bound to the name that stands there and that
/// nothing closes.
fn generator_call<'m>(module: &Analysed<'m>, node: &'m StmtAsyncFor) -> Option<&'m ExprCall> {
    match &*node.iter {
        Expr::Call(call) => Some(call),
        Expr::Name(name) => {
            let scope = module.names.scope_at(node.iter.start().to_u32());
            let [binding] = module.names.bindings(&name.id, scope) else {
                return None;
            };
            let crate::python::names::BindingKind::Assign {
                value: Some(Expr::Call(call)),
            } = binding.kind
            else {
                return None;
            };
            (!is_closed(module, name)).then_some(call)
        }
        _ => None,
    }
}

/// `await generator.aclose()`, `aclosing(generator)`, `stack.push_async_callback(generator.aclose)`
fn is_closed(module: &Analysed<'_>, name: &ExprName) -> bool {
    let here = |expr: &Expr| module.names.enclosing_function(expr.start().to_u32());
    let function = module.names.enclosing_function(name.start().to_u32());
    let is_it = |expr: &Expr| expr.as_name_expr().is_some_and(|word| word.id == name.id) && here(expr) == function;
    module.nodes().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == "aclose" && is_it(&node.value),
        Node::Expr(Expr::Call(call)) => call.args.iter().any(is_it),
        _ => false,
    })
}

/// Whether a plain `with` holds a resource; most set a context for a while.
fn acquires(module: &Analysed<'_>, items: &[WithItem]) -> bool {
    let mut contexts = items.iter().map(|item| Span::from(item.context_expr.range()));
    contexts.any(|context| module.obligations().iter().any(|one| context.contains(one.span)))
}

/// Generators that pass on what others yield are followed this far.
const MAX_DELEGATES: u32 = 3;

/// Whether a `yield` stands inside a `with` or in a `try` that has a `finally`, here or in a generator that it passes on.
fn holds_over_a_yield<'m>(module: &Analysed<'m>, generator: Def<'m>, depth: u32) -> bool {
    let Some(rest) = depth.checked_sub(1) else { return false };
    own_nodes(generator.body).any(|node| match node {
        Node::Stmt(Stmt::With(with)) => has_yield(&with.body) && acquires(module, &with.items),
        Node::Stmt(Stmt::AsyncWith(node)) => has_yield(&node.body),
        Node::Stmt(Stmt::Try(node)) => !node.finalbody.is_empty() && has_yield(&node.body),
        Node::Stmt(Stmt::AsyncFor(node)) if has_yield(&node.body) => {
            let inner = generator_call(module, node).and_then(|call| definition(module, &call.func));
            inner.is_some_and(|inner| inner.is_async && holds_over_a_yield(module, inner, rest))
        }
        _ => false,
    })
}
