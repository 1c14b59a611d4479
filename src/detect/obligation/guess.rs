//! What a call acquires where neither imports nor types tell: names, modes and keywords do.

use std::collections::{BTreeSet, HashSet};

use super::acquire::asked;
use super::{World, summary, tail};
use crate::detect::resources::is_standard;
use crate::python::ast::{Constant, Expr, ExprCall, Keyword, Ranged};
use crate::python::names::{Binding, BindingKind, ScopeKind};
use crate::python::{Node, Resolved, ScopeId};

/// `file_path.open()`, `entry.open("rb")` and `server_sock.accept()` without a type in sight: names and
/// modes tell.
pub(super) fn class(call: &ExprCall, receiver: &Expr, method: &str) -> Option<&'static str> {
    let receiver = asked(receiver).filter(|_| method == "acquire").unwrap_or(receiver);
    let word = match receiver {
        Expr::Name(name) if name.id.as_str() != "self" => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => return None,
    };
    let word = word.to_lowercase();
    let is_path = word.ends_with("path");
    match method {
        "open" if is_path || opens_with_mode(call) => Some("pathlib.Path"),
        "accept" if word.contains("sock") || word.contains("listener") => Some("socket.socket"),
        "create_task" if word == "loop" || word.ends_with("_loop") || word == "ioloop" => {
            Some("asyncio.AbstractEventLoop")
        }
        "acquire" if names_a_lock(&word) => Some("threading.Lock"),
        _ => None,
    }
}

/// `lock`, `_write_lock`, `mutex`, `sem`; not `block` or `clock`.
fn names_a_lock(word: &str) -> bool {
    let mut parts = word.split('_');
    let is_lock = parts.any(|part| {
        [
            "lock",
            "rlock",
            "wlock",
            "mutex",
            "sem",
            "semaphore",
            "cond",
            "condition",
        ]
        .contains(&part)
    });
    is_lock || word.ends_with("mutex") || word.ends_with("semaphore")
}

/// `p.open("rb")`, `p.open(encoding="utf-8")`; of `archive.open(name, "r")` nobody knows the path.
fn opens_with_mode(call: &ExprCall) -> bool {
    match call.args.first() {
        Some(first) => is_mode(first) && !call.args.get(1).is_some_and(is_mode),
        None => keyword(call, "encoding").is_some(),
    }
}

/// A callable of the table that does what the callee must do, by its name and what it is handed: `fs.open(path, "rb")`,
/// `storage.get_fileobj("w")`, `session.get(url, stream=True)`.
pub(super) fn callable(world: World<'_, '_>, call: &ExprCall) -> Option<&'static str> {
    let callee = tail(&call.func).trim_start_matches('_').to_lowercase();
    let guessed = if streams_response(&callee, call) {
        "requests.request"
    } else if opens(&callee, call) {
        "builtins.open"
    } else {
        return None;
    };
    is_foreign(world, &call.func).then_some(guessed)
}

/// Whether the callee is neither the module's own nor the standard library's, which the table knows.
fn is_foreign(world: World<'_, '_>, func: &Expr) -> bool {
    match world.names.resolve(func) {
        Resolved::Qualified(name) => {
            let root = name.split('.').next().unwrap_or(&name);
            root != "builtins" && !is_standard(root) && !OBJECTS.contains(&root)
        }
        _ => summary::called(world, func).is_none(),
    }
}

/// Libraries whose `open` with a mode gives what holds nothing open.
const OBJECTS: [&str; 2] = ["zarr", "PIL"];

/// `requests.get(url, stream=True)`, whoever is called `requests` there.
fn streams_response(word: &str, call: &ExprCall) -> bool {
    const VERBS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "request", "send"];
    let is_true = |value: &Expr| matches!(value, Expr::Constant(node) if node.value == Constant::Bool(true));
    VERBS.contains(&word) && keyword(call, "stream").is_some_and(is_true)
}

/// `open`, `open_text`, `get_prepare_fileobj` with a mode that is written out.
fn opens(word: &str, call: &ExprCall) -> bool {
    let mut parts = word.split('_');
    let says_so = parts.any(|part| ["open", "xopen", "fileobj"].contains(&part));
    let mode = keyword(call, "mode").or(call.args.get(1)).or(call.args.first());
    // `path.open("rb")` is known otherwise, and `device.open("r")` may be anything.
    let is_other = word != "open" || call.args.len() > 1 || keyword(call, "mode").is_some();
    says_so && is_other && mode.is_some_and(is_mode)
}

/// `"rb"`, `"w+"`
fn is_mode(expr: &Expr) -> bool {
    let text = expr.as_constant_expr().and_then(|constant| constant.value.as_str());
    text.is_some_and(|text| {
        let mut letters = text.chars();
        letters.next().is_some_and(|first| "rwxa".contains(first)) && letters.all(|letter| "bt+U".contains(letter))
    })
}

fn keyword<'c>(call: &'c ExprCall, wanted: &str) -> Option<&'c Expr> {
    let named = |keyword: &&Keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == wanted);
    call.keywords.iter().find(named).map(|keyword| &keyword.value)
}

/// Releases by which a function says that what it has made needs one.
const RELEASES: [&str; 4] = ["close", "aclose", "disconnect", "quit"];
/// The same of a writer; of a hash or a builder it ends the use and releases nothing.
const FINISH: &str = "finalize";

/// Words in the names of callees whose results hold nothing open, though they have such a method.
const HARMLESS: [&str; 13] = [
    "exec", "cursor", "stringio", "bytesio", "tqdm", "progress", "bar", "parser", "feed", "figure", "window", "dialog",
    "section",
];

/// The calls of unknown callees whose result their function releases, in whatever way that is:
///
/// ```py
/// def index(path):
///     writer = Writer(path)  # nobody knows what this is, but
///     writer.add(read(path))
///     writer.close()         # it wants to be closed
/// ```
pub(super) fn released_later(world: World<'_, '_>) -> HashSet<*const Expr> {
    let mut names: BTreeSet<(ScopeId, &str, bool)> = BTreeSet::new();
    for node in world.nodes() {
        if let Node::Expr(Expr::Call(call)) = node
            && let Expr::Attribute(method) = &*call.func
            && let Expr::Name(name) = &*method.value
            && (RELEASES.contains(&method.attr.as_str()) || method.attr.as_str() == FINISH)
        {
            let is_finished = method.attr.as_str() == FINISH;
            names.insert((
                world.names.scope_at(name.start().to_u32()),
                name.id.as_str(),
                is_finished,
            ));
        }
    }
    let in_functions = names.into_iter().filter(|(scope, name, _)| {
        world.names.home(name, *scope) == *scope && world.names.scope(*scope).kind == ScopeKind::Function
    });
    let made = in_functions.filter_map(|(scope, name, is_finished)| {
        let calls = made_by(world, world.names.bindings(name, scope))?;
        Some(calls.into_iter().filter(move |call| !is_finished || makes_writer(call)))
    });
    made.flatten().map(std::ptr::from_ref).collect()
}

/// The calls of unknown callees, if nothing else gives the name a value.
fn made_by<'m>(world: World<'_, 'm>, bindings: &[Binding<'m>]) -> Option<Vec<&'m Expr>> {
    let mut calls = Vec::new();
    for binding in bindings {
        let BindingKind::Assign { value: Some(value) } = binding.kind else {
            return None;
        };
        let made = match value {
            Expr::Await(node) => &node.value,
            other => other,
        };
        match made {
            Expr::Constant(_) => {}
            Expr::Call(call) if is_unknown(world, call) => calls.push(made),
            _ => return None,
        }
    }
    Some(calls)
}

fn makes_writer(made: &Expr) -> bool {
    made.as_call_expr()
        .is_some_and(|call| tail(&call.func).ends_with("Writer"))
}

fn is_unknown(world: World<'_, '_>, call: &ExprCall) -> bool {
    let callee = tail(&call.func).to_lowercase();
    let is_harmless = HARMLESS.iter().any(|harmless| callee.contains(harmless));
    !callee.is_empty()
        && !is_harmless
        && !only_fetches(&callee)
        && !is_reference(world, call)
        && is_foreign(world, &call.func)
}

/// `for reference in references: handler = reference()`: what a weak reference gives has its owner.
fn is_reference(world: World<'_, '_>, call: &ExprCall) -> bool {
    let Some(name) = call.func.as_name_expr().filter(|_| call.args.is_empty()) else {
        return false;
    };
    let scope = world.names.scope_at(name.start().to_u32());
    let bindings = world.names.bindings(&name.id, scope);
    let is_item = |binding: &Binding<'_>| matches!(binding.kind, BindingKind::For { .. });
    call.keywords.is_empty() && !bindings.is_empty() && bindings.iter().all(is_item)
}

/// `get_transport`, `result`, `enter_context`: what they give is there already, or released by them; not `get_connection`.
fn only_fetches(word: &str) -> bool {
    const FETCHING: [&str; 7] = ["get", "pop", "find", "lookup", "current", "result", "enter"];
    const OPENING: [&str; 7] = ["conn", "session", "sock", "client", "file", "db", "new"];
    FETCHING.iter().any(|each| word.starts_with(each)) && !OPENING.iter().any(|each| word.contains(each))
}
