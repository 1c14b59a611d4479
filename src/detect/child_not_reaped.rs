//! A child process is started, and nobody waits for it.

use super::obligation::{Obligation, Origin, Release};
use super::report::{acquisition, confidence_in, ending, finding, related};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{ExceptHandler, Expr, Keyword, Ranged, Stmt};
use crate::python::names::ScopeKind;
use crate::python::{Node, Span};

pub(super) struct ChildNotReaped;

impl PythonResourceDetector for ChildNotReaped {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ChildNotReaped,
            page: include_str!("pages/child-not-reaped.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let children = module.lifecycles("child");
        children.filter_map(|child| report(module, child)).collect()
    }
}

/// Whether the child that is started there is reported.
pub(super) fn is_lost(module: &Analysed<'_>, started: Span) -> bool {
    let mut children = module.lifecycles("child");
    children.any(|child| child.span == started && report(module, child).is_some())
}

fn report(module: &Analysed<'_>, child: &Obligation<'_>) -> Option<Finding> {
    let of_class = match child.origin {
        Origin::Table | Origin::Release => false,
        Origin::Module(scope) => module.names.scope(scope).kind == ScopeKind::Class,
    };
    if child.fate.unknown || of_class || (is_forked(child) && waits_for_any(module)) {
        return None;
    }
    let what = acquisition(child);
    let (confidence, message, at) = match (&child.fate.left_open, child.on_self()) {
        (Some(left), _) if is_started(module, child, left.name) && !ends_the_process(module, child) => {
            let confidence = left.doubt.lowers(confidence_in(module, child, left.name), "child");
            let why = ending(module, left.how, left.at);
            let message = format!("the child of {what} has not been waited for {why}");
            (confidence, message, Some(left.at))
        }
        (None, Some(attribute)) => {
            let confidence = match module.end_of(child)? {
                Release::Somewhere => return None,
                Release::OnlyFinalizer | Release::Maybe => Confidence::Low,
                Release::Nowhere if is_known_by_number(module, attribute) => Confidence::Low,
                Release::Nowhere => Confidence::Medium,
            };
            let message = format!("the child of {what} is kept as `self.{attribute}`, and nobody waits for it");
            (confidence, message, None)
        }
        (None, None) => {
            let at = timed_out(module, child)?;
            let message = format!(
                "the child of {what} has not been waited for if {} raises",
                text_at(module.module.text(), at)
            );
            (Confidence::Medium, message, Some(at))
        }
        _ => return None,
    };
    let mut finding = finding(
        Pattern::ChildNotReaped,
        child,
        confidence.min(confidence_in_purpose(module, child)),
        message,
    );
    let suggestion = if is_forked(child) {
        "wait for it with `os.waitpid`"
    } else {
        "call `wait` or `communicate` on it, or use it in a `with`"
    };
    suggestion.clone_into(&mut finding.suggestion);
    finding
        .related
        .extend(at.map(|at| related(at, "nobody has waited for it here")));
    Some(finding)
}

/// The wait with a time limit that a handler lets pass: `except subprocess.TimeoutExpired: child.kill()`.
fn timed_out(module: &Analysed<'_>, child: &Obligation<'_>) -> Option<Span> {
    let skipped = child.fate.skipped.filter(|skipped| skipped.caught)?;
    let mut calls = module.nodes().filter_map(|node| node.as_expr()?.as_call_expr());
    let has_limit = |keyword: &Keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == "timeout");
    let waits = calls.any(|call| Span::from(call.range()) == skipped.at && call.keywords.iter().any(has_limit));
    (waits && lets_time_out(module, skipped.at)).then_some(skipped.at)
}

/// Whether a handler around is for what the limit raises.
fn lets_time_out(module: &Analysed<'_>, at: Span) -> bool {
    const TYPES: [&str; 5] = [
        "TimeoutExpired",
        "SubprocessError",
        "TimeoutError",
        "Exception",
        "BaseException",
    ];
    let is_for_it = |handler: &ExceptHandler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        handler.type_.as_deref().is_none_or(|type_| {
            let names = Node::Expr(type_).descendants().filter_map(Node::as_expr);
            names.into_iter().any(|expr| match expr {
                Expr::Name(name) => TYPES.contains(&name.id.as_str()),
                Expr::Attribute(node) => TYPES.contains(&node.attr.as_str()),
                _ => false,
            })
        })
    };
    module.nodes().any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => {
            let is_inside = node
                .body
                .iter()
                .any(|statement| Span::from(statement.range()).contains(at));
            is_inside && node.handlers.iter().any(is_for_it)
        }
        _ => false,
    })
}

fn is_forked(child: &Obligation<'_>) -> bool {
    child.resource.functions.iter().any(|function| function == "os.waitpid")
}

/// `os.wait()`, `os.waitpid(-1, 0)`, a handler of `SIGCHLD`: whoever the child is, the module waits for it.
fn waits_for_any(module: &Analysed<'_>) -> bool {
    let names = |expr: &Expr| module.names.resolve(expr).qualified().map(str::to_owned);
    module.nodes().filter_map(Node::as_expr).any(|expr| match expr {
        Expr::Call(call) => match names(&call.func).as_deref() {
            Some("os.wait" | "os.wait3") => true,
            Some("os.waitpid") => call
                .args
                .first()
                .is_some_and(|first| first.is_unary_op_expr() || first.is_constant_expr()),
            _ => false,
        },
        Expr::Attribute(_) => {
            names(expr).is_some_and(|name| ["signal.SIGCHLD", "signal.SIGCLD"].contains(&name.as_str()))
        }
        _ => false,
    })
}

/// A `Process` is a child only once it is started.
fn is_started(module: &Analysed<'_>, child: &Obligation<'_>, name: Option<&str>) -> bool {
    if !child.callee.ends_with("Process") {
        return true;
    }
    let body = module.names.scope(child.body).node;
    let nodes: Box<dyn Iterator<Item = Node<'_>>> = match body {
        Some(node) => Box::new(node.descendants()),
        None => Box::new(module.nodes()),
    };
    let mut starts = nodes
        .filter_map(Node::as_expr)
        .filter_map(|expr| expr.as_attribute_expr());
    starts.any(|node| {
        let on_child = match &*node.value {
            Expr::Name(of) => name.is_some_and(|name| of.id.as_str() == name),
            made => Span::from(made.range()) == child.span,
        };
        node.attr.as_str() == "start" && on_child
    })
}

/// `self.child.pid`: whoever has the number can wait for it.
fn is_known_by_number(module: &Analysed<'_>, attribute: &str) -> bool {
    let mut attributes = module.nodes().filter_map(|node| node.as_expr()?.as_attribute_expr());
    attributes.any(|node| {
        let of_child = node
            .value
            .as_attribute_expr()
            .is_some_and(|child| child.attr.as_str() == attribute);
        of_child && ["pid", "returncode"].contains(&node.attr.as_str())
    })
}

/// `Popen(argv); os._exit(0)`: the child takes the parent's place.
fn ends_the_process(module: &Analysed<'_>, child: &Obligation<'_>) -> bool {
    let text = text_at(
        module.module.text(),
        Span::new(child.span.end, crate::python::span::offset(module.module.text().len())),
    );
    let after = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with([')', '#']));
    after.is_some_and(|line| {
        ["os._exit", "sys.exit", "exit(", "raise SystemExit"]
            .iter()
            .any(|exit| line.starts_with(exit))
    })
}

/// Keywords that say that the child is to live on without its parent, and their values.
const DETACHING: [(&str, &str); 6] = [
    ("start_new_session", "True"),
    ("preexec_fn", "setsid"),
    ("preexec_fn", "setpgrp"),
    ("creationflags", "DETACHED"),
    ("creationflags", "NEW_PROCESS_GROUP"),
    ("daemon", "True"),
];

/// Somebody who detaches a child, or throws away whatever it prints, may not want to see it again.
fn confidence_in_purpose(module: &Analysed<'_>, child: &Obligation<'_>) -> Confidence {
    if let Origin::Module(helper) = child.origin {
        let helper = module.names.scope(helper).node.map_or(Span::at(0), Node::span);
        let text = text_at(module.module.text(), helper);
        let detaches = ["daemon", "setsid", "start_new_session", "DETACHED"]
            .iter()
            .any(|word| text.contains(word));
        return if detaches { Confidence::Low } else { Confidence::Medium };
    }
    let keywords = child.call.as_call_expr().map_or(&[][..], |call| &call.keywords);
    let says = |keyword: &Keyword, name: &str, value: &str| {
        let text = text_at(module.module.text(), keyword.value.range().into());
        keyword.arg.as_ref().is_some_and(|word| word.as_str() == name) && text.contains(value)
    };
    let detached = |keyword: &Keyword| DETACHING.iter().any(|(name, value)| says(keyword, name, value));
    let is_silenced = |name: &str| keywords.iter().any(|keyword| says(keyword, name, "DEVNULL"));
    if keywords.iter().any(detached) || (is_silenced("stdout") && is_silenced("stderr")) {
        Confidence::Low
    } else {
        Confidence::High
    }
}
