//! A task is started, and nobody holds, awaits or cancels it.

use super::course::{definition, is_endless};
use super::obligation::{Loss, Obligation, Origin, Release};
use super::report::{acquisition, ending, finding, related};
use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, Ranged, Stmt};
use crate::python::names::Def;
use crate::python::{Node, Span};

pub(super) struct DanglingTask;

impl PythonResourceDetector for DanglingTask {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::DanglingTask,
            page: include_str!("pages/dangling-task.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let tasks = module.lifecycles("task");
        let started = tasks.filter(|task| task.origin == Origin::Table && !task.fate.unknown);
        started.filter_map(|task| report(module, task)).collect()
    }
}

fn report(module: &Analysed<'_>, task: &Obligation<'_>) -> Option<Finding> {
    let what = acquisition(task);
    let (confidence, message, at) = match (&task.fate.left_open, task.on_self()) {
        (Some(left), _) if left.how == Loss::Dropped => {
            let confidence = if runs_loop(module, task) {
                Confidence::Low
            } else {
                Confidence::High
            };
            let message = format!("the task of {what} is dropped: nobody holds it, awaits it or sees its exception");
            (confidence, message, Some(left.at))
        }
        (Some(left), _) => {
            let ended_elsewhere = task.fate.released || !task.fate.moves.is_empty();
            let confidence = if ended_elsewhere || runs_for_ever(module, task) {
                Confidence::Medium
            } else {
                Confidence::Low
            };
            let why = ending(module, left.how, left.at);
            let message = format!("the task of {what} is neither awaited nor cancelled {why}");
            (left.doubt.lowers(confidence, "task"), message, Some(left.at))
        }
        (None, Some(attribute)) => {
            if !runs_for_ever(module, task) || is_ended(module, task, attribute) {
                return None;
            }
            let message =
                format!("the task of {what} never ends, and nobody cancels what is kept as `self.{attribute}`");
            (Confidence::Medium, message, None)
        }
        (None, None) => {
            let shield = left_by_shield(module, task)?;
            let message =
                format!("nobody holds the task of {what} any more once what awaits it by `shield` is cancelled");
            (Confidence::Medium, message, Some(shield))
        }
    };
    let mut finding = finding(Pattern::DanglingTask, task, confidence, message);
    "keep it until it is done, and await or cancel it; or start it in an `asyncio.TaskGroup`"
        .clone_into(&mut finding.suggestion);
    finding
        .related
        .extend(at.map(|at| related(at, "the last reference to it ends here")));
    Some(finding)
}

/// `await asyncio.shield(task)`, where nothing but a local name has the task: cancelled, the function forgets it.
fn left_by_shield(module: &Analysed<'_>, task: &Obligation<'_>) -> Option<Span> {
    let index = module.index();
    let mut assignments = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(made)) if Span::from(made.value.range()) == task.span => made.targets.first(),
        _ => None,
    });
    let name = assignments.next()?.as_name_expr()?;
    let home = module.names.home(&name.id, task.body);
    let loads = index.names(home, &name.id).iter();
    let mut shields = loads.filter(|mention| mention.as_name_expr().is_some_and(|name| name.ctx.is_load()));
    let mut shield = None;
    let only_looked_at = shields.all(|mention| match index.parent(mention) {
        Some(Node::Expr(Expr::Call(call)))
            if module.names.resolve(&call.func).qualified() == Some("asyncio.shield") =>
        {
            shield = Some(call.range().into());
            !is_in_loop(module, task, call.range().into())
        }
        Some(Node::Expr(Expr::Attribute(method))) => LOOKS.contains(&method.attr.as_str()),
        _ => false,
    });
    shield.filter(|_| only_looked_at && home == task.body)
}

/// Whether a loop that begins after the task does awaits it again.
fn is_in_loop(module: &Analysed<'_>, task: &Obligation<'_>, at: Span) -> bool {
    module.nodes().any(|node| match node {
        Node::Stmt(Stmt::While(_)) => node.span().contains(at) && !node.span().contains(task.span),
        _ => false,
    })
}

/// What neither ends a task nor keeps it.
const LOOKS: [&str; 6] = [
    "add_done_callback",
    "done",
    "cancelled",
    "result",
    "exception",
    "set_name",
];

/// Whether the same function goes on to run the loop, as the main program does.
fn runs_loop(module: &Analysed<'_>, task: &Obligation<'_>) -> bool {
    let runs = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) => {
            ["run_forever", "run_until_complete", "run_app"].contains(&node.attr.as_str())
        }
        _ => false,
    };
    match module.names.scope(task.body).node {
        Some(body) => body.descendants().any(runs),
        None => module.nodes().any(runs),
    }
}

/// Whether the coroutine that it runs has a loop without a way out.
fn runs_for_ever(module: &Analysed<'_>, task: &Obligation<'_>) -> bool {
    let coroutine = task
        .call
        .as_call_expr()
        .and_then(|call| call.args.first()?.as_call_expr());
    let definition = coroutine.and_then(|coroutine| definition(module, &coroutine.func));
    definition.is_some_and(|def| is_endless(def.body))
}

/// Methods that are there to end what their object does.
const ENDINGS: [&str; 8] = [
    "close",
    "aclose",
    "stop",
    "shutdown",
    "disconnect",
    "cleanup",
    "__aexit__",
    "terminate",
];

/// Whether somebody cancels the task that is kept there, or waits for it as a server waits for its work. To wait for
/// it where the object is closed ends nothing.
fn is_ended(module: &Analysed<'_>, task: &Obligation<'_>, attribute: &str) -> bool {
    match module.end_of(task) {
        Some(Release::Nowhere) => return false,
        Some(Release::Somewhere) => {}
        _ => return true,
    }
    let is_it = |expr: &Expr| {
        expr.as_attribute_expr()
            .is_some_and(|node| node.attr.as_str() == attribute)
    };
    let mentions = |node: Node<'_>| node.descendants().filter_map(Node::as_expr).any(is_it);
    let functions = module
        .nodes()
        .filter_map(|node| Some((node, Def::of(node.as_stmt()?)?)));
    let mut others = functions.filter(|(node, _)| mentions(*node) && !node.span().contains(task.span));
    others.any(|(node, def)| {
        let mut inner = node.descendants().filter_map(Node::as_expr);
        let cancels = inner.any(|expr| {
            let method = expr.as_attribute_expr();
            method.is_some_and(|method| method.attr.as_str() == "cancel")
        });
        cancels || !ENDINGS.contains(&def.name)
    })
}
