//! What leaves a block before its end, in a way that a reader would expect. Python may raise almost anywhere;
//! a label must not rest on `len(items)` or on a lookup that the line above has made safe.

use super::callee::callee;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::Facts;
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Stmt, WithItem};
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
    let nodes: Vec<Node<'_>> = nodes.collect();
    let calm: Vec<Span> = nodes.iter().copied().flat_map(calm_spans).collect();
    let handled: Vec<Span> = nodes.into_iter().flat_map(handled_spans).collect();
    let holds = |spans: &[Span], step: Span| spans.iter().any(|span| span.contains(step));
    let mut seen = vec![false; graph.steps.len()];
    let mut open: Vec<StepId> = vec![Graph::ENTRY];
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id as usize], true) {
            continue;
        }
        let step = graph.step(id);
        let is_calm = holds(&calm, step.span) || asks_the_system(facts, &step.kind) && holds(&handled, step.span);
        let fails = passes_on(&step.kind) || may_fail(facts, &step.kind, calls) && !is_calm;
        let out = graph.out(id).iter();
        open.extend(
            out.filter(|edge| fails || edge.kind != EdgeKind::Exception)
                .map(|edge| edge.to),
        );
    }
    seen
}

/// What nobody expects to raise: an assertion, and what is deleted after a question.
fn calm_spans(node: Node<'_>) -> Vec<Span> {
    match node {
        Node::Stmt(Stmt::Assert(_)) => vec![node.span()],
        Node::Stmt(Stmt::If(node)) => {
            let deletions = node.body.iter().filter(|statement| statement.is_delete_stmt());
            deletions.map(|statement| Node::Stmt(statement).span()).collect()
        }
        _ => Vec::new(),
    }
}

/// What stands in a block that sees to the failures of the system.
fn handled_spans(node: Node<'_>) -> Vec<Span> {
    let spans = |block: &[Stmt]| block.iter().map(|statement| Node::Stmt(statement).span()).collect();
    match node {
        Node::Stmt(Stmt::With(with)) if with.items.iter().any(suppresses_system) => spans(&with.body),
        Node::Stmt(Stmt::Try(node)) if node.handlers.iter().any(catches_system) => spans(&node.body),
        _ => Vec::new(),
    }
}

/// A call that fails with an `OSError` if it fails.
fn asks_the_system(facts: &Facts<'_>, kind: &Kind<'_>) -> bool {
    let Kind::Evaluate(Expr::Call(call)) = kind else {
        return false;
    };
    if let Some(name) = facts.names.resolve(&call.func).qualified() {
        return ["os.", "shutil.", "socket."]
            .iter()
            .any(|module| name.starts_with(module));
    }
    let of_the_system = [
        "shutdown",
        "close",
        "send",
        "sendall",
        "recv",
        "flush",
        "kill",
        "terminate",
        "unlink",
        "rmdir",
    ];
    last_name(&call.func).is_some_and(|name| of_the_system.contains(&name))
}

/// `suppress(OSError)`
fn suppresses_system(item: &WithItem) -> bool {
    match &item.context_expr {
        Expr::Call(call) => last_name(&call.func) == Some("suppress") && call.args.iter().any(is_system_error),
        _ => false,
    }
}

fn catches_system(handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(handler) = handler;
    match handler.type_.as_deref() {
        None => true,
        Some(Expr::Tuple(classes)) => classes.elts.iter().any(is_system_error),
        Some(class) => is_system_error(class),
    }
}

fn is_system_error(class: &Expr) -> bool {
    matches!(
        last_name(class),
        Some("OSError" | "EnvironmentError" | "IOError" | "Exception" | "BaseException")
    )
}

fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(node) => Some(&node.attr),
        _ => None,
    }
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
    let known = callee(facts, call).map(|(function, _)| function);
    let Some(definition) = known.or_else(|| only_method(facts, call)).and_then(Def::of) else {
        return true;
    };
    calls > 0 && reached(facts, definition.body, calls - 1)[Graph::RAISED as usize]
}

/// The only method of this name in the module, whatever it is called on.
fn only_method<'m>(facts: &Facts<'m>, call: &ExprCall) -> Option<&'m Stmt> {
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let is_it = |statement: &&Stmt| Def::of(statement).is_some_and(|def| def.name == method.attr.as_str());
    let mut found = facts.definitions.iter().copied().filter(is_it);
    found.next().filter(|_| found.next().is_none())
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
        // With a way to treat what does not fit, every byte can be read.
        Expr::Attribute(method) if method.attr.as_str() == "decode" => call.args.len() + call.keywords.len() > 1,
        Expr::Attribute(method) => METHODS.contains(&method.attr.as_str()),
        _ => false,
    }
}

/// Functions and classes that do not fail on what they are usually given.
const FUNCTIONS: [&str; 50] = [
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
    "contextlib.ExitStack",
    "contextlib.suppress",
];

/// Methods of containers, texts, loggers and conditions. Those that do fail on what is not there, such as
/// `pop`, mostly stand below a question that makes sure of it.
const METHODS: [&str; 53] = [
    "add",
    "append",
    "callback",
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
