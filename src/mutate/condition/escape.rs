//! What leaves a block before its end, in a way that a reader would expect. Python may raise almost anywhere;
//! a label must not rest on `len(items)` or on a lookup that the line above has made safe.

use super::callee::callee;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::Facts;
use crate::python::ast::{Expr, ExprCall, Stmt};
use crate::python::flow::{EdgeKind, Graph, Kind, StepId};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, Span};

/// How many calls of the module's own functions are followed.
const MAX_CALLS: u32 = 4;

/// `escapes($$b)`: a `return`, `break` or `continue` leaves it early, or something that a reader would expect
/// to fail: a call, a `raise`; not a look at attributes, the clock or a container.
pub(super) fn escapes(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(block) = scene.block(arguments, 0) else {
        return Truth::Unknown;
    };
    let reached = reached(scene.facts, block, MAX_CALLS);
    [Graph::RETURNED, Graph::JUMPED, Graph::RAISED]
        .iter()
        .any(|end| reached[*end as usize])
        .into()
}

/// The steps that are reached if nothing raises but what is expected to.
fn reached(facts: &Facts<'_>, block: &[Stmt], calls: u32) -> Vec<bool> {
    let graph = Graph::of_body(block);
    let nodes = block.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    let asserts: Vec<Span> = nodes
        .filter(|node| matches!(node, Node::Stmt(Stmt::Assert(_))))
        .map(Node::span)
        .collect();
    let mut seen = vec![false; graph.steps.len()];
    let mut open: Vec<StepId> = vec![Graph::ENTRY];
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id as usize], true) {
            continue;
        }
        let step = graph.step(id);
        let fails = passes_on(&step.kind) || may_fail(facts, &step.kind, calls) && !asserts.contains(&step.span);
        let out = graph.out(id).iter();
        open.extend(
            out.filter(|edge| fails || edge.kind != EdgeKind::Exception)
                .map(|edge| edge.to),
        );
    }
    seen
}

/// Steps that an exception is under way through already.
const fn passes_on(kind: &Kind<'_>) -> bool {
    matches!(kind, Kind::Dispatch(_) | Kind::Join)
}

fn may_fail(facts: &Facts<'_>, kind: &Kind<'_>, calls: u32) -> bool {
    match kind {
        Kind::Evaluate(Expr::Call(call)) => !is_harmless(facts, call) && call_fails(facts, call, calls),
        Kind::Evaluate(Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_))
        | Kind::Raise(_)
        | Kind::Import(_)
        | Kind::Opaque(_) => true,
        Kind::Delete(target) => target.is_subscript_expr(),
        _ => false,
    }
}

/// Whether a function or method of the module may raise; of others nothing is known, so they may.
fn call_fails(facts: &Facts<'_>, call: &ExprCall, calls: u32) -> bool {
    if makes_plain_object(facts, call) {
        return false;
    }
    let Some(definition) = callee(facts, call).and_then(|(function, _)| Def::of(function)) else {
        return true;
    };
    calls > 0 && reached(facts, definition.body, calls - 1)[Graph::RAISED as usize]
}

/// A class of the module whose instances are made without any code of its own.
fn makes_plain_object(facts: &Facts<'_>, call: &ExprCall) -> bool {
    let class = match facts.names.resolve(&call.func) {
        Resolved::Local {
            bindings: [only], path, ..
        } if path.is_empty() => match only.kind {
            BindingKind::Class(Stmt::ClassDef(class)) => class,
            _ => return false,
        },
        _ => return false,
    };
    let makers = ["__init__", "__new__", "__post_init__"];
    let mut methods = class.body.iter().filter_map(Def::of);
    class.bases.is_empty() && !methods.any(|method| makers.contains(&method.name))
}

fn is_harmless(facts: &Facts<'_>, call: &ExprCall) -> bool {
    if let Some(name) = facts.names.resolve(&call.func).qualified() {
        let short = name.strip_prefix("builtins.").unwrap_or(name);
        return FUNCTIONS.contains(&short) || short.starts_with("logging.");
    }
    match &*call.func {
        Expr::Attribute(method) => METHODS.contains(&method.attr.as_str()),
        _ => false,
    }
}

/// Functions and classes that do not fail on what they are usually given.
const FUNCTIONS: [&str; 48] = [
    "len",
    "isinstance",
    "issubclass",
    "id",
    "callable",
    "hasattr",
    "repr",
    "str",
    "bool",
    "type",
    "print",
    "list",
    "dict",
    "set",
    "frozenset",
    "tuple",
    "sorted",
    "reversed",
    "min",
    "max",
    "sum",
    "any",
    "all",
    "iter",
    "range",
    "enumerate",
    "zip",
    "object",
    "super",
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.timedelta",
    "math.ceil",
    "math.floor",
    "round",
    "os.getpid",
    "threading.get_ident",
    "threading.current_thread",
    "threading.Event",
    "threading.Thread",
    "collections.deque",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
];

/// Methods of containers, texts, loggers and conditions. Those that do fail on what is not there, such as
/// `pop`, mostly stand below a question that makes sure of it.
const METHODS: [&str; 52] = [
    "add",
    "append",
    "appendleft",
    "clear",
    "copy",
    "discard",
    "extend",
    "get",
    "insert",
    "items",
    "keys",
    "move_to_end",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "setdefault",
    "sort",
    "reverse",
    "update",
    "values",
    "difference",
    "union",
    "format",
    "join",
    "lower",
    "upper",
    "replace",
    "split",
    "strip",
    "lstrip",
    "rstrip",
    "startswith",
    "endswith",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "is_alive",
    "is_set",
    "locked",
    "notify",
    "notify_all",
    "set",
    "wait",
    "wait_for",
    "cancel",
    "count",
    "total_seconds",
    "timestamp",
    "hex",
];
