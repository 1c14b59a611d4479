//! What becomes of an acquisition: the ends of all paths that start with the name that holds it.
//!
//! Only names of functions are followed. Another name for the same thing, and a nested function that
//! knows it, make the answer unknown.

use super::condition::{hands_on, holds_handle, is_name, releases, taken_by_callee};
use super::facts::Facts;
use super::resources::Resource;
use crate::python::ast::{CmpOp, Expr, ExprCall};
use crate::python::flow::{EdgeKind, Graph, Kind, StepId, Value, names_bound};
use crate::python::{Node, Span};

/// Which ends some path reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Released, or handed to someone who keeps it.
    pub(super) settled: bool,
    /// Open at the end of a path on which nothing raised.
    pub(super) open_on_path: bool,
    /// Open after something raised.
    pub(super) open_on_exception: bool,
}

/// What is followed.
#[derive(Clone, Copy)]
pub(super) struct Held<'h> {
    pub(super) name: &'h str,
    pub(super) resource: &'h Resource,
    /// The call that acquires it.
    pub(super) acquire: Span,
}

/// `None` where no function binds the name to the acquisition, and where it is not to be told.
pub(super) fn fate_of(facts: &Facts<'_>, held: Held<'_>) -> Option<Fate> {
    facts.names.enclosing_function(held.acquire.start)?;
    let graph = facts.graph_at(held.acquire.start);
    let starts: Vec<StepId> = graph.ids().filter(|id| binds(&graph.step(*id).kind, held)).collect();
    if starts.is_empty() || graph.is_shared(held.name) {
        return None;
    }
    let mut fate = Fate::default();
    let mut walk = Walk {
        facts,
        graph: &graph,
        held,
        seen: [vec![false; graph.steps.len()], vec![false; graph.steps.len()]],
        open: Vec::new(),
    };
    for (start, raising) in held_from(&graph, held, starts) {
        for edge in graph.out(start) {
            let raised = edge.kind == EdgeKind::Exception;
            if raising || !raised {
                walk.open.push((edge.to, raised));
            }
        }
    }
    while let Some((step, raised)) = walk.open.pop() {
        walk.step(step, raised, &mut fate)?;
    }
    Some(fate)
}

/// The steps behind which it is held, and whether it is when they raise: those that bind it, or that make
/// it open something at last. Whom it is given to may have done that, too.
fn held_from(graph: &Graph<'_>, held: Held<'_>, bound: Vec<StepId>) -> Vec<(StepId, bool)> {
    let resource = held.resource;
    if resource.opened_by.is_empty() {
        return bound.into_iter().map(|id| (id, false)).collect();
    }
    let opens = |id: StepId| {
        let Kind::Evaluate(Expr::Call(call)) = &graph.step(id).kind else {
            return None;
        };
        let (own, goes_on) = match &*call.func {
            Expr::Attribute(method) if is_name(&method.value, held.name) => {
                let among = |names: &[String]| names.iter().any(|name| *name == *method.attr);
                (among(&resource.opened_by), among(&resource.opened_within))
            }
            _ => (false, false),
        };
        let given = call.args.iter().any(|arg| is_name(arg, held.name));
        (own || goes_on || given).then_some((id, goes_on || given))
    };
    graph.ids().filter_map(opens).collect()
}

/// Whether the step gives the acquisition its name.
fn binds(kind: &Kind<'_>, held: Held<'_>) -> bool {
    let Kind::Bind { target, value } = kind else {
        return false;
    };
    let of = match value {
        Value::Of(expr) => Node::Expr(expr).span(),
        _ => return false,
    };
    of == held.acquire && names_bound(target).contains(&held.name)
}

struct Walk<'w, 'm> {
    facts: &'w Facts<'m>,
    graph: &'w Graph<'m>,
    held: Held<'w>,
    /// Steps met while nothing had raised, and after something had.
    seen: [Vec<bool>; 2],
    open: Vec<(StepId, bool)>,
}

enum What {
    /// Released or handed over.
    Settles,
    /// The name is given something else.
    Loses,
    Unclear,
    Nothing,
}

impl Walk<'_, '_> {
    /// `None` where the answer is unknown from here on.
    fn step(&mut self, id: StepId, raised: bool, fate: &mut Fate) -> Option<()> {
        if std::mem::replace(&mut self.seen[usize::from(raised)][id as usize], true) {
            return Some(());
        }
        let ends = id == Graph::END || id == Graph::RETURNED || id == Graph::RAISED || id == Graph::JUMPED;
        match self.what(&self.graph.step(id).kind) {
            What::Settles => fate.settled = true,
            What::Unclear => return None,
            What::Nothing if !ends => self.leave(id, self.only_way(id), raised),
            What::Loses | What::Nothing => {
                fate.open_on_path |= !raised;
                fate.open_on_exception |= raised;
            }
        }
        Some(())
    }

    fn leave(&mut self, id: StepId, only: Option<EdgeKind>, raised: bool) {
        for edge in self.graph.out(id) {
            let exception = edge.kind == EdgeKind::Exception;
            let impossible = match edge.kind {
                EdgeKind::Exception => is_harmless(self.facts, &self.graph.step(id).kind),
                kind => only.is_some_and(|only| only != kind),
            };
            if !impossible {
                self.open.push((edge.to, raised || exception));
            }
        }
    }

    /// `if handle:`, `if handle is not None:`, while it is held.
    fn only_way(&self, id: StepId) -> Option<EdgeKind> {
        let Kind::Branch(test) = self.graph.step(id).kind else {
            return None;
        };
        match test {
            Expr::Name(_) if is_name(test, self.held.name) => Some(EdgeKind::True),
            Expr::Compare(node) if is_name(&node.left, self.held.name) => {
                match (&node.ops[..], &node.comparators[..]) {
                    ([CmpOp::Is], [Expr::Constant(constant)]) if constant.value.is_none() => Some(EdgeKind::False),
                    ([CmpOp::IsNot], [Expr::Constant(constant)]) if constant.value.is_none() => Some(EdgeKind::True),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn what(&self, kind: &Kind<'_>) -> What {
        let name = self.held.name;
        match kind {
            Kind::Evaluate(Expr::Attribute(node)) if is_name(&node.value, name) => {
                if node.attr.as_str() == self.held.resource.release {
                    What::Settles
                } else if gives_up(&node.attr) {
                    What::Unclear
                } else {
                    What::Nothing
                }
            }
            Kind::Evaluate(expr @ Expr::Call(call)) => self.call(expr, call),
            Kind::Enter(item) if is_name(&item.context_expr, name) && self.held.resource.exit.ends() => What::Settles,
            Kind::Return(Some(value)) if holds_handle(value, name) => What::Settles,
            Kind::Bind { target, .. } if names_bound(target).contains(&name) => What::Loses,
            Kind::Bind {
                target,
                value: Value::Of(value),
            } if holds_handle(value, name) => match target {
                Expr::Attribute(_) | Expr::Subscript(_) => What::Settles,
                _ => What::Unclear,
            },
            Kind::BindName(bound) if *bound == name => What::Loses,
            Kind::Delete(target) if names_bound(target).contains(&name) => What::Loses,
            Kind::Opaque(_) => What::Unclear,
            _ => What::Nothing,
        }
    }

    fn call(&self, expr: &Expr, call: &ExprCall) -> What {
        let name = self.held.name;
        let adopts = adopts(self.facts, call) && call.args.first().is_some_and(|first| is_name(first, name));
        let node = Node::Expr(expr);
        if adopts || releases(node, name) || hands_on(node, name) || taken_by_callee(self.facts, node, name) {
            What::Settles
        } else {
            What::Nothing
        }
    }
}

/// Methods that end it in another way, or make it someone else's.
fn gives_up(method: &str) -> bool {
    matches!(
        method,
        "close"
            | "aclose"
            | "server_close"
            | "release"
            | "detach"
            | "terminate"
            | "quit"
            | "logout"
            | "disconnect"
            | "stop"
            | "__exit__"
    )
}

/// `open(fd)`, `os.fdopen(fd)`: the object closes it.
fn adopts(facts: &Facts<'_>, call: &ExprCall) -> bool {
    matches!(
        facts.names.resolve(&call.func).qualified(),
        Some("builtins.open" | "io.open" | "os.fdopen")
    )
}

/// Steps whose exception no reader would think of: a loaded attribute, a stored one, a comparison, a
/// line for the log.
fn is_harmless(facts: &Facts<'_>, kind: &Kind<'_>) -> bool {
    match kind {
        Kind::Evaluate(Expr::Attribute(_) | Expr::Compare(_)) | Kind::Load(_) => true,
        Kind::Bind { target, .. } => target.is_attribute_expr(),
        Kind::Evaluate(Expr::Call(call)) => never_fails(facts, call),
        _ => false,
    }
}

fn never_fails(facts: &Facts<'_>, call: &ExprCall) -> bool {
    let logs = |method: &str| matches!(method, "debug" | "info" | "warning" | "error" | "exception");
    if let Expr::Attribute(method) = &*call.func {
        let log = |name: &str| {
            matches!(
                name,
                "log" | "logger" | "LOG" | "LOGGER" | "logging" | "_logger" | "_log"
            )
        };
        if logs(&method.attr) && matches!(&*method.value, Expr::Name(name) if log(&name.id)) {
            return true;
        }
    }
    let resolved = facts.names.resolve(&call.func);
    matches!(
        resolved.qualified(),
        Some(
            "builtins.isinstance"
                | "builtins.len"
                | "builtins.print"
                | "builtins.id"
                | "builtins.callable"
                | "builtins.hasattr"
                | "time.time"
                | "time.monotonic"
                | "time.perf_counter"
        )
    )
}
