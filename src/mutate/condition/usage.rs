//! Conditions on resources and on what happens to the name that holds one.

use super::callee::taken_by_callee;
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::Facts;
use crate::mutate::resources::{nested_acquisitions, resource_of};
use crate::python::ast::{Comprehension, Expr, ExprCall, ExprContext, Keyword, Stmt};
use crate::python::{Node, Span};

/// `resource($a, kind…)`: a call that acquires what its `with` releases.
pub(super) fn resource(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let Some(found) = resource_of(scene.facts, expr) else {
        return Truth::Unknown;
    };
    let kinds = texts(arguments, 1);
    let named = kinds.contains(&found.kind.as_str());
    let wanted = if kinds.is_empty() {
        !found.by_name && found.exit.ends()
    } else {
        named
    };
    scene.site.resource = Some(found.kind.clone());
    wanted.into()
}

/// `release($c, $a)`: `$c` is the method that releases what `$a` acquires.
pub(super) fn release(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(method), Some(expr)) = (scene.word(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Some(found) = resource_of(scene.facts, expr) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(found.kind.clone());
    (found.release == method && !found.by_name).into()
}

/// `exit($a, word…)`: the table says of the end of its `with` one of the words.
pub(super) fn exit(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(found) = scene.expr(arguments, 0).and_then(|expr| resource_of(scene.facts, expr)) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(found.kind.clone());
    (!found.by_name && texts(arguments, 1).contains(&found.exit.word())).into()
}

/// `safe-before($a)`: the acquiring call acquires nothing else that the original would leave open.
pub(super) fn safe_before(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    scene.expr(arguments, 0).map_or(Truth::Unknown, |expr| {
        (nested_acquisitions(scene.facts, expr) == 0).into()
    })
}

/// Methods that end a resource's life or give it up.
pub(super) const RELEASES: [&str; 12] = [
    "close",
    "aclose",
    "server_close",
    "release",
    "shutdown",
    "terminate",
    "detach",
    "quit",
    "logout",
    "disconnect",
    "stop",
    "__exit__",
];

/// `mentioned($n, $$b)`: the name stands in the block.
pub(super) fn mentioned(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let mut exprs = value
        .nodes()
        .iter()
        .flat_map(|node| node.descendants())
        .filter_map(Node::as_expr);
    exprs.any(|expr| is_name(expr, &name)).into()
}

/// `released($n, $$b)`: closed, entered again, deleted, or given to one who takes it, in the block.
pub(super) fn released(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let mut nodes = value.nodes().iter().flat_map(|node| node.descendants());
    nodes
        .any(|node| releases(node, &name) || taken_by_callee(scene.facts, node, &name))
        .into()
}

pub(in crate::mutate) fn releases(node: Node<'_>, name: &str) -> bool {
    match node {
        Node::Expr(Expr::Attribute(node)) => is_name(&node.value, name) && RELEASES.contains(&node.attr.as_str()),
        Node::WithItem(item) => is_name(&item.context_expr, name),
        Node::Stmt(Stmt::Delete(node)) => node.targets.iter().any(|target| is_name(target, name)),
        Node::Expr(Expr::Call(call)) => {
            let taker = match &*call.func {
                Expr::Name(function) => TAKERS.contains(&function.id.as_str()),
                Expr::Attribute(method) => TAKERS.contains(&method.attr.as_str()),
                // Whatever a call gives may take its argument: `codecs.getreader("utf-8")(raw)`.
                Expr::Call(_) => true,
                _ => false,
            };
            let sock = call
                .keywords
                .iter()
                .any(|keyword| keyword.arg.as_deref() == Some("sock") && is_name(&keyword.value, name));
            sock || taker
                && call
                    .args
                    .iter()
                    .any(|arg| is_name(arg, name) || is_descriptor_of(arg, name))
        }
        _ => false,
    }
}

/// Functions and classes that close what they are given, or see to it.
pub(super) const TAKERS: [&str; 17] = [
    "closing",
    "aclosing",
    "enter_context",
    "enter_async_context",
    "push",
    "push_async_exit",
    "callback",
    "finalize",
    "close",
    "fdopen",
    "wrap_socket",
    "StreamReaderWriter",
    "TextIOWrapper",
    "BufferedReader",
    "BufferedWriter",
    "BufferedRandom",
    "BufferedRWPair",
];

/// `handle.fileno()`
fn is_descriptor_of(expr: &Expr, name: &str) -> bool {
    let Expr::Call(call) = expr else { return false };
    matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "fileno" && is_name(&method.value, name))
}

/// `rebound($n, $$b)`: stored or deleted there; without a block, anywhere in the function but at the site.
pub(super) fn rebound(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let (block, inside) = match scene.value(arguments, 1) {
        Some(value) => match value.nodes().split_first() {
            Some((first, rest)) => (first.span().cover(rest.last().unwrap_or(first).span()), true),
            None => return Truth::No,
        },
        None if arguments.len() > 1 => return Truth::Unknown,
        None => (scene.at(), false),
    };
    let stores = scene.facts.names.stores(&name, scene.facts.names.scope_at(block.start));
    if stores.iter().any(|store| store.nested) {
        return Truth::Unknown;
    }
    stores.iter().any(|store| block.contains(store.span) == inside).into()
}

/// Methods and functions that keep what they are given.
const KEEPERS: [&str; 19] = [
    "append",
    "appendleft",
    "add",
    "insert",
    "extend",
    "put",
    "put_nowait",
    "setdefault",
    "push",
    "register",
    "submit",
    "send",
    "addCleanup",
    "start_new_thread",
    "__setitem__",
    "partial",
    "set",
    "set_result",
    "setattr",
];

/// `handed-on($n, $$b)`: returned, yielded, stored, put in a container or captured. As a plain
/// argument it is not: the clean `with` proves that the callee does not own it.
pub(super) fn handed_on(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Some(first) = value.nodes().first() else {
        return Truth::No;
    };
    let block = value
        .nodes()
        .iter()
        .map(|node| node.span())
        .reduce(Span::cover)
        .unwrap_or_default();
    let scope = scene.facts.names.scope_at(first.span().start);
    let captured = scene
        .facts
        .names
        .loads(&name, scope)
        .iter()
        .any(|load| load.nested && block.contains(load.span));
    let is_value = value.expr().is_some_and(|expr| holds_handle(expr, &name));
    let mut nodes = value.nodes().iter().flat_map(|node| node.descendants());
    (captured || is_value || nodes.any(|node| hands_on(node, &name))).into()
}

pub(in crate::mutate) fn hands_on(node: Node<'_>, name: &str) -> bool {
    let holds = |expr: &Expr| holds_handle(expr, name);
    let some = |expr: &Option<Box<Expr>>| expr.as_deref().is_some_and(holds);
    match node {
        Node::Stmt(Stmt::Return(node)) => some(&node.value),
        Node::Stmt(Stmt::Assign(node)) => holds(&node.value),
        Node::Stmt(Stmt::AnnAssign(node)) => some(&node.value),
        Node::Stmt(Stmt::AugAssign(node)) => holds(&node.value),
        Node::Stmt(Stmt::Raise(node)) => some(&node.exc),
        Node::Expr(Expr::Yield(node)) => some(&node.value),
        Node::Expr(Expr::Await(node)) => holds(&node.value),
        Node::Expr(Expr::NamedExpr(node)) => holds(&node.value),
        Node::Expr(Expr::Starred(node)) => holds(&node.value),
        Node::Expr(Expr::ListComp(node)) => holds(&node.elt),
        Node::Expr(Expr::SetComp(node)) => holds(&node.elt),
        Node::Expr(Expr::DictComp(node)) => holds(&node.value),
        Node::Expr(Expr::GeneratorExp(node)) => holds(&node.elt),
        // `for line in handle` lends it; `for stream in (source, target)` gives it another name.
        Node::Stmt(Stmt::For(node)) => !is_name(&node.iter, name) && holds(&node.iter),
        Node::Comprehension(node) => !is_name(&node.iter, name) && holds(&node.iter),
        Node::Stmt(Stmt::Match(node)) => holds(&node.subject),
        Node::Parameter(node) => some(&node.default),
        Node::Expr(Expr::Subscript(node)) => node.ctx == ExprContext::Store && holds(&node.slice),
        Node::Expr(Expr::Call(call)) => {
            let keeper = match &*call.func {
                Expr::Attribute(method) => KEEPERS.contains(&method.attr.as_str()),
                Expr::Name(function) => KEEPERS.contains(&function.id.as_str()),
                _ => false,
            };
            let values = call
                .args
                .iter()
                .chain(call.keywords.iter().map(|keyword| &keyword.value));
            values.into_iter().any(|value| match value {
                // A plain argument is borrowed, unless the method keeps what it gets.
                Expr::Name(_) => keeper && holds(value),
                other => holds(other),
            })
        }
        _ => false,
    }
}

/// Whether the value of `expr` is the handle itself, a container with it, or a bound method of it.
pub(in crate::mutate) fn holds_handle(expr: &Expr, name: &str) -> bool {
    let holds = |expr: &Expr| holds_handle(expr, name);
    match expr {
        Expr::Name(_) => is_name(expr, name),
        Expr::Attribute(node) => {
            is_name(&node.value, name) && !matches!(node.attr.as_str(), "name" | "mode" | "encoding" | "closed")
        }
        Expr::Tuple(node) => node.elts.iter().any(holds),
        Expr::List(node) => node.elts.iter().any(holds),
        Expr::Set(node) => node.elts.iter().any(holds),
        Expr::Dict(node) => node.keys.iter().flatten().chain(&node.values).any(holds),
        Expr::IfExp(node) => holds(&node.body) || holds(&node.orelse),
        Expr::BoolOp(node) => node.values.iter().any(holds),
        Expr::NamedExpr(node) => holds(&node.value),
        Expr::Starred(node) => holds(&node.value),
        _ => false,
    }
}

/// `uses-once($n, $s)`: loaded once, and the load runs once when the statement does.
pub(super) fn uses_once(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Some(statement) = value.nodes().first() else {
        return Truth::Unknown;
    };
    let (mut once, mut repeated) = (0, 0);
    count_loads(*statement, &name, false, &mut once, &mut repeated);
    (once == 1 && repeated == 0).into()
}

fn count_loads(node: Node<'_>, name: &str, in_loop: bool, once: &mut u32, repeated: &mut u32) {
    match node {
        Node::Expr(Expr::Name(found)) if found.id.as_str() == name => {
            if in_loop || found.ctx != ExprContext::Load {
                *repeated += 1;
            } else {
                *once += 1;
            }
        }
        Node::Expr(Expr::Lambda(_)) => node
            .children()
            .into_iter()
            .for_each(|child| count_loads(child, name, true, once, repeated)),
        Node::Expr(Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::GeneratorExp(_)) => {
            let first = comprehensions(node).first().map(|first| Node::Expr(&first.iter).span());
            for child in node.descendants().skip(1).filter_map(Node::as_expr) {
                let inner = Node::Expr(child);
                let is_first = first.is_some_and(|first| first.contains(inner.span()));
                if matches!(child, Expr::Name(_)) {
                    count_loads(inner, name, in_loop || !is_first, once, repeated);
                }
            }
        }
        _ => node
            .children()
            .into_iter()
            .for_each(|child| count_loads(child, name, in_loop, once, repeated)),
    }
}

fn comprehensions(node: Node<'_>) -> &[Comprehension] {
    match node {
        Node::Expr(Expr::ListComp(node)) => &node.generators,
        Node::Expr(Expr::SetComp(node)) => &node.generators,
        Node::Expr(Expr::DictComp(node)) => &node.generators,
        Node::Expr(Expr::GeneratorExp(node)) => &node.generators,
        _ => &[],
    }
}

/// `reads-all($n, $s)`: the statement reads it to its end at once: `$n.read()`, `json.load($n)`.
pub(super) fn reads_all(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let nodes = value.nodes().iter().flat_map(|node| node.descendants());
    let reads = |call: &ExprCall| match (&*call.func, &call.args[..]) {
        (Expr::Attribute(method), []) => {
            is_name(&method.value, &name) && matches!(method.attr.as_str(), "read" | "readlines")
        }
        (function, [only]) => {
            is_name(only, &name) && scene.facts.names.resolve(function).qualified() == Some("json.load")
        }
        _ => false,
    };
    let mut calls = nodes.filter_map(|node| node.as_expr().and_then(Expr::as_call_expr));
    calls.any(reads).into()
}

/// `only-asked($n, $$b, attribute, …)`: all that the block does with it is to load these attributes.
pub(super) fn only_asked(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let attributes = texts(arguments, 2);
    let (mut all, mut asked) = (0_u32, 0_u32);
    for node in value.nodes().iter().flat_map(|node| node.descendants()) {
        match node {
            Node::Expr(expr) if is_name(expr, &name) => all += 1,
            Node::Expr(Expr::Attribute(node)) if is_name(&node.value, &name) => {
                asked += u32::from(attributes.contains(&node.attr.as_str()));
            }
            _ => {}
        }
    }
    (all == asked).into()
}

/// What a text held in memory can do as well as a file.
const READS: [&str; 6] = ["read", "readline", "readlines", "seek", "tell", "readable"];

/// `only-reads($n, $$b)`: nothing is asked of it that only a real file can do.
pub(super) fn only_reads(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let mut nodes = value.nodes().iter().flat_map(|node| node.descendants());
    let other = nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => is_name(&node.value, &name) && !READS.contains(&node.attr.as_str()),
        Node::Expr(Expr::Call(call)) => needs_descriptor(scene.facts, call, &name),
        _ => false,
    });
    (!other).into()
}

/// `subprocess.run(…, stdin=handle)`, `fcntl.flock(handle, …)`, `connection.sendfile(handle)`
fn needs_descriptor(facts: &Facts<'_>, call: &ExprCall, name: &str) -> bool {
    let stream = |keyword: &Keyword| matches!(keyword.arg.as_deref(), Some("stdin" | "stdout" | "stderr"));
    let redirected = call
        .keywords
        .iter()
        .any(|keyword| stream(keyword) && is_name(&keyword.value, name));
    let resolved = facts.names.resolve(&call.func);
    let system = resolved.qualified().is_some_and(|function| {
        ["fcntl.", "os.", "select."]
            .iter()
            .any(|module| function.starts_with(module))
    });
    let sent = matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "sendfile");
    redirected || (system || sent) && call.args.iter().any(|arg| is_name(arg, name))
}

pub(in crate::mutate) fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Name(node) if node.id.as_str() == name)
}
