//! A task is started, and nobody holds, awaits or cancels it.

use super::course::{definition, is_endless};
use super::obligation::{Loss, Obligation, Origin, Release};
use super::report::{acquisition, ending, finding, related};
use super::{Analysed, Info, PythonResourceDetector};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::Expr;

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
            let confidence = if ended_elsewhere {
                Confidence::Medium
            } else {
                Confidence::Low
            };
            let why = ending(module, left.how, left.at);
            let message = format!("the task of {what} is neither awaited nor cancelled {why}");
            (left.doubt.lowers(confidence, "task"), message, Some(left.at))
        }
        (None, Some(attribute)) => {
            let is_left = module.end_of(task) == Some(Release::Nowhere);
            if !is_left || !runs_for_ever(module, task) {
                return None;
            }
            let message =
                format!("the task of {what} never ends, and nobody cancels what is kept as `self.{attribute}`");
            (Confidence::Medium, message, None)
        }
        _ => return None,
    };
    let mut finding = finding(Pattern::DanglingTask, task, confidence, message);
    "keep it until it is done, and await or cancel it; or start it in an `asyncio.TaskGroup`"
        .clone_into(&mut finding.suggestion);
    finding
        .related
        .extend(at.map(|at| related(at, "the last reference to it ends here")));
    Some(finding)
}

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
        None => module.module.nodes().any(runs),
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
