//! Finds the calls that acquire, and the body each stands in.

use std::collections::BTreeSet;

use super::{Origin, World, summary};
use crate::detect::resources::Resource;
use crate::python::ast::{Constant, Expr, ExprCall, Ranged};
use crate::python::names::ScopeKind;
use crate::python::{Node, Resolved, ScopeId};

/// A call that acquires.
#[derive(Clone, Copy)]
pub(super) struct Acquisition<'a, 'm> {
    pub(super) call: &'m Expr,
    pub(super) resource: &'a Resource,
    pub(super) body: ScopeId,
    pub(super) origin: Origin,
}

/// The calls that the table knows; with `helpers`, the calls of those functions and classes instead.
pub(super) fn in_module<'a, 'm>(world: World<'a, 'm>, helpers: Option<&BTreeSet<ScopeId>>) -> Vec<Acquisition<'a, 'm>> {
    let calls = world.module.nodes().filter_map(Node::as_expr);
    let found = calls.filter_map(|expr| {
        let call = expr.as_call_expr()?;
        let (origin, resource) = match helpers {
            None => (Origin::Table, acquired(world, call)?),
            Some(helpers) => {
                let (scope, resource) = summary::acquired(world, &call.func)?;
                helpers.contains(&scope).then_some((Origin::Module(scope), resource))?
            }
        };
        Some(Acquisition {
            call: expr,
            resource,
            body: body_of(world, expr.start().to_u32()),
            origin,
        })
    });
    found.collect()
}

/// The innermost scope around `at` that has a body of its own.
pub(super) fn body_of(world: World<'_, '_>, at: u32) -> ScopeId {
    let mut around = world.names.ancestors(world.names.scope_at(at));
    let bodied = |id: &ScopeId| {
        let kind = world.names.scope(*id).kind;
        !matches!(kind, ScopeKind::Comprehension | ScopeKind::TypeParams)
    };
    around.find(bodied).unwrap_or(ScopeId::MODULE)
}

fn acquired<'a>(world: World<'a, '_>, call: &ExprCall) -> Option<&'a Resource> {
    let callable = callable(world, &call.func)?;
    if world.config.safe_callables.contains(&callable) || is_descriptor_open(call, &callable) {
        return None;
    }
    let resource = world.table.acquired_by(&callable)?;
    let wanted = resource
        .only_if
        .as_deref()
        .is_none_or(|condition| has_keyword(call, condition));
    (wanted && !is_in_memory(world, call, &callable)).then_some(resource)
}

/// The dotted name of an acquiring callable.
fn callable(world: World<'_, '_>, func: &Expr) -> Option<String> {
    let tail = match func {
        Expr::Name(name) => &name.id,
        Expr::Attribute(node) if world.table.knows_tail(&node.attr) => &node.attr,
        _ => return None,
    };
    if let Resolved::Qualified(name) = world.names.resolve(func) {
        return Some(name);
    }
    let candidates = world.names.candidates(func);
    if let Some(name) = candidates
        .into_iter()
        .find(|name| world.table.acquired_by(name).is_some())
    {
        return Some(name);
    }
    let Expr::Attribute(node) = func else { return None };
    let class = world
        .types()
        .of(&node.value)
        .or_else(|| guessed_class(&node.value, tail));
    class.map(|class| format!("{class}.{tail}"))
}

/// `file_path.open()` and `server_sock.accept()` without a type in sight: names tell.
fn guessed_class(receiver: &Expr, method: &str) -> Option<String> {
    let word = match receiver {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => return None,
    };
    let word = word.to_lowercase();
    let class = match method {
        "open" if word == "path" || word.ends_with("_path") => "pathlib.Path",
        "accept" if word.contains("sock") || word.contains("listener") => "socket.socket",
        _ => return None,
    };
    Some(class.to_owned())
}

/// `open(fd, "w", closefd=False)` acquires nothing.
fn is_descriptor_open(call: &ExprCall, callable: &str) -> bool {
    callable.ends_with("open") && has_keyword(call, "closefd=False")
}

/// Whether what is opened is no file of its own but another object's contents: `ZipFile(BytesIO(data))`,
/// `wave.open(f)`. Closing it releases nothing that its source does not hold.
fn is_in_memory(world: World<'_, '_>, call: &ExprCall, callable: &str) -> bool {
    const STREAMS: [&str; 9] = [
        "f", "fp", "fobj", "fileobj", "stream", "buf", "buffer", "bio", "bytes_io",
    ];
    let named = call.keywords.iter().filter(|keyword| {
        let name = keyword.arg.as_ref().map_or("", |name| name.as_str());
        ["fileobj", "file"].contains(&name)
    });
    let mut sources = call.args.first().into_iter().chain(named.map(|keyword| &keyword.value));
    let adapts = !["builtins.open", "io.open", "pathlib.Path.open", "os.fdopen"].contains(&callable);
    adapts
        && sources.any(|source| {
            let class = world.types().of(source);
            let is_stream = source
                .as_name_expr()
                .is_some_and(|name| STREAMS.contains(&name.id.as_str()));
            is_stream || class.is_some_and(|class| ["io.BytesIO", "io.StringIO", "io.IOBase"].contains(&class.as_str()))
        })
}

/// Whether the call has the keyword with the value, as in `stream=True`.
fn has_keyword(call: &ExprCall, condition: &str) -> bool {
    let Some((name, value)) = condition.split_once('=') else {
        return false;
    };
    call.keywords.iter().any(|keyword| {
        let named = keyword.arg.as_ref().is_some_and(|word| word.as_str() == name);
        let spelled = match &keyword.value {
            Expr::Constant(node) => match &node.value {
                Constant::Bool(true) => "True",
                Constant::Bool(false) => "False",
                _ => "",
            },
            _ => "",
        };
        named && spelled == value
    })
}
