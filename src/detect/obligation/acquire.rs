//! Finds the calls that acquire, and the body each stands in.

use std::collections::{BTreeSet, HashSet};

use super::{Origin, World, guess, source, summary};
use crate::detect::resources::{Resource, is_standard};
use crate::detect::text_at;
use crate::python::ast::{Constant, Expr, ExprCall, Keyword, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, ScopeKind, chain, parameters};
use crate::python::{Node, Resolved, ScopeId, Span};

/// A call that acquires.
#[derive(Clone, Copy)]
pub(super) struct Acquisition<'a, 'm> {
    pub(super) call: &'m Expr,
    pub(super) resource: &'a Resource,
    pub(super) body: ScopeId,
    pub(super) origin: Origin,
    /// What is held, where that is the object whose method acquires: `lock` of `lock.acquire()`.
    pub(super) receiver: Option<&'m str>,
}

/// Packages in packages are looked for this far up.
const MAX_PACKAGES: usize = 4;

/// The calls that the table knows; with `helpers`, the calls of those functions and classes instead.
pub(super) fn in_module<'a, 'm>(world: World<'a, 'm>, helpers: Option<&BTreeSet<ScopeId>>) -> Vec<Acquisition<'a, 'm>> {
    let calls = world.nodes().filter_map(Node::as_expr);
    let alone = helpers.map_or_else(|| alone(world), |_| HashSet::new());
    let released = match helpers {
        None if !world.table.only_named_releases => guess::released_later(world),
        _ => HashSet::new(),
    };
    let found = calls.filter_map(|expr| {
        let call = expr.as_call_expr()?;
        let (origin, resource) = match helpers {
            // `device.open(name, "r")` as a statement opens what the device is.
            None if alone.contains(&std::ptr::from_ref(expr)) => (Origin::Table, acquired(world, call)?),
            None => match acquired(world, call).or_else(|| guessed(world, call)) {
                Some(resource) => (Origin::Table, resource),
                None => (
                    Origin::Release,
                    released
                        .contains(&std::ptr::from_ref(expr))
                        .then(|| world.table.any())?,
                ),
            },
            Some(helpers) => {
                let (scope, resource) = summary::acquired(world, &call.func)?;
                helpers.contains(&scope).then_some((Origin::Module(scope), resource))?
            }
        };
        let receiver = receiver_of(world, call).filter(|_| resource.is_receiver());
        (resource.is_receiver() == receiver.is_some()).then_some(Acquisition {
            call: expr,
            resource,
            body: body_of(world, expr.start().to_u32()),
            origin,
            receiver,
        })
    });
    found.collect()
}

/// The calls whose value is dropped at once or only tested.
fn alone(world: World<'_, '_>) -> HashSet<*const Expr> {
    let dropped = world.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Expr(node)) => Some(&*node.value),
        Node::Stmt(Stmt::If(node)) => Some(&*node.test),
        Node::Stmt(Stmt::While(node)) => Some(&*node.test),
        Node::Expr(Expr::UnaryOp(node)) => Some(&*node.operand),
        _ => None,
    });
    dropped.map(std::ptr::from_ref).collect()
}

fn guessed<'a>(world: World<'a, '_>, call: &ExprCall) -> Option<&'a Resource> {
    world.table.acquired_by(guess::callable(world, call)?)
}

/// `self.lock` of `self.lock.acquire()`, if it is a chain of names on one line; or `cls.get_lock()`.
fn receiver_of<'m>(world: World<'_, 'm>, call: &'m ExprCall) -> Option<&'m str> {
    let receiver = &call.func.as_attribute_expr()?.value;
    chain(asked(receiver).unwrap_or(receiver))?;
    let text = text_at(world.module.text(), receiver.range().into());
    (!text.contains(char::is_whitespace)).then_some(text)
}

/// The callable of `get_lock()`.
pub(super) fn asked(receiver: &Expr) -> Option<&Expr> {
    let call = receiver.as_call_expr()?;
    (call.args.is_empty() && call.keywords.is_empty()).then_some(&*call.func)
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

/// Whether the value is a newly acquired handle.
pub(super) fn acquires(world: World<'_, '_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => {
            let known = acquired(world, call).or_else(|| guessed(world, call));
            known.is_some() || summary::acquired(world, &call.func).is_some()
        }
        Expr::Await(node) => acquires(world, &node.value),
        _ => false,
    }
}

fn acquired<'a>(world: World<'a, '_>, call: &ExprCall) -> Option<&'a Resource> {
    let (callable, resource) = callables(world, call)
        .into_iter()
        .find_map(|name| world.table.acquired_by(&name).map(|resource| (name, resource)))?;
    if world.config.safe_callables.contains(&callable) {
        return None;
    }
    let wanted = resource
        .only_if
        .as_deref()
        .is_none_or(|condition| has_keyword(world, call, condition));
    let works_on_another = resource
        .unless
        .as_deref()
        .is_some_and(|words| has_argument(call, words));
    let is_given = |name| starts_with_argument(call, name);
    let acts_now = resource.needs.as_deref().is_none_or(is_given);
    let unopened = world.table.unopened_by(&callable).filter(|_| !acts_now);
    let resource = unopened.unwrap_or(resource);
    let is_owed = wanted && !works_on_another && !(resource.of_parent && parent_is_owed(world, call));
    (is_owed && !source::owns_nothing(world, call, &callable)).then_some(resource)
}

/// Whether the first parameter, of that name, may be given.
fn starts_with_argument(call: &ExprCall, name: &str) -> bool {
    let may_be = |keyword: &Keyword| keyword.arg.as_deref().is_none_or(|arg| arg == name);
    !call.args.is_empty() || call.keywords.iter().any(may_be)
}

/// `context.socket()` where the same body has made the context: ending that ends the socket.
fn parent_is_owed(world: World<'_, '_>, call: &ExprCall) -> bool {
    let parent = call.func.as_attribute_expr().map(|method| &*method.value);
    let is_made = |value: &Expr| {
        let made = value.as_call_expr().and_then(|call| callable(world, call));
        made.is_some_and(|callable| world.table.acquired_by(&callable).is_some())
    };
    let Some(Expr::Name(name)) = parent else {
        return parent.is_some_and(is_made);
    };
    let scope = world.names.scope_at(name.start().to_u32());
    world.names.bindings(&name.id, scope).iter().any(|binding| {
        let made = match binding.kind {
            BindingKind::Assign { value } => value,
            BindingKind::With { context } => context,
            _ => None,
        };
        binding.scope == scope && made.is_some_and(is_made)
    })
}

/// The dotted names that the callee may go by in the table, the likeliest first.
fn callables(world: World<'_, '_>, call: &ExprCall) -> Vec<String> {
    let known = callable(world, call);
    let others = known.as_deref().map(|name| copies(world, name)).unwrap_or_default();
    known.into_iter().chain(others).collect()
}

/// Folders in which packages keep copies of others.
const VENDORED: [&str; 5] = ["_vendor", "vendor", "_vendored", "vendored", "packages"];

/// What else a name of another module is called: `.sessions.Session` in the folder `requests`, and what is imported from a
/// copy that a package brings with it, `pip._vendor.requests.get`.
fn copies(world: World<'_, '_>, name: &str) -> Vec<String> {
    let relative = name.trim_start_matches('.');
    let parts: Vec<_> = relative.split('.').collect();
    let copied = parts.iter().position(|part| VENDORED.contains(part));
    let mut all: Vec<_> = copied.map(|at| parts[at + 1..].join(".")).into_iter().collect();
    let dots = name.len() - relative.len();
    if dots > 0 {
        let mut folders: Vec<_> = world.module.place.split(['/', '\\']).rev().skip(dots).collect();
        folders.reverse();
        let suffixes = (0..folders.len()).rev().take(MAX_PACKAGES);
        all.extend(suffixes.map(|at| format!("{}.{relative}", folders[at..].join("."))));
    }
    all
}

/// `create_memory_object_stream` of `create_memory_object_stream[Item](…)`
fn generic<'e>(world: World<'_, '_>, func: &'e Expr) -> Option<&'e Expr> {
    let value = &func.as_subscript_expr()?.value;
    let resolved = world.names.resolve(value);
    let known = world.table.acquired_by(resolved.qualified()?).is_some();
    known.then_some(value)
}

/// `open` of `asyncio.to_thread(open, path)` and `loop.run_in_executor(None, open, path)`, which give what that opens.
fn run_elsewhere<'e>(world: World<'_, '_>, call: &'e ExprCall) -> Option<&'e Expr> {
    let run = match super::tail(&call.func) {
        "to_thread" | "run_sync" => call.args.first(),
        "run_in_executor" => call.args.get(1),
        _ => None,
    }?;
    let resolved = world.names.resolve(run);
    let known = world.table.acquired_by(resolved.qualified()?).is_some();
    known.then_some(run)
}

/// The dotted name of an acquiring callable.
fn callable(world: World<'_, '_>, call: &ExprCall) -> Option<String> {
    let other = generic(world, &call.func).or_else(|| run_elsewhere(world, call));
    let func = other.unwrap_or(&call.func);
    let tail = match func {
        Expr::Name(name) => &name.id,
        Expr::Attribute(node) if world.table.knows_tail(&node.attr) => &node.attr,
        Expr::Attribute(_) => return instance_called(world, func),
        _ => return opener_among(world, &alternatives(func)),
    };
    if let Resolved::Qualified(name) = world.names.resolve(func) {
        return Some(name);
    }
    let candidates = world.names.candidates(func);
    if let Some(name) = candidates.iter().find(|name| world.table.acquired_by(name).is_some()) {
        return Some(name.clone());
    }
    if let Some(name) = brought_by_star(world, func, &candidates) {
        return Some(name.to_owned());
    }
    if let Some(base) = base_of_class(world, func) {
        return Some(base);
    }
    let Expr::Attribute(node) = func else {
        return opener_value(world, func).or_else(|| instance_called(world, func));
    };
    let typed = world.types().of(&node.value);
    let class = typed.or_else(|| guess::class(call, &node.value, tail).map(str::to_owned));
    class.map(|class| format!("{class}.{tail}"))
}

/// `threading.Thread` for a class of the module that derives from it: where lives are followed, its instances
/// are what that makes.
fn base_of_class(world: World<'_, '_>, func: &Expr) -> Option<String> {
    let called = summary::called(world, func).filter(|_| world.table.only_named_releases)?;
    let Stmt::ClassDef(class) = called.statement else {
        return None;
    };
    let mut bases = class.bases.iter().filter_map(|base| match world.names.resolve(base) {
        Resolved::Qualified(name) => Some(name),
        _ => None,
    });
    bases.find(|base| world.table.acquired_by(base).is_some())
}

/// A name bound more often than this is no opener.
const MAX_OPENERS: usize = 4;

/// `o = open`, `o = functools.partial(open, encoding="utf-8")`, `o = gzip.open if packed else open`, and a
/// parameter that is `open` unless somebody says otherwise.
fn opener_value(world: World<'_, '_>, func: &Expr) -> Option<String> {
    let name = func.as_name_expr()?;
    let scope = world.names.scope_at(name.start().to_u32());
    let bindings = world.names.bindings(&name.id, scope);
    if bindings.len() > MAX_OPENERS {
        return None;
    }
    let values = bindings.iter().map(|binding| match binding.kind {
        BindingKind::Assign { value } => value,
        BindingKind::Parameter(_) => default_of(world, &name.id, world.names.home(&name.id, scope)),
        _ => None,
    });
    let values: Option<Vec<&Expr>> = values.collect();
    let openers: Vec<_> = values?.into_iter().flat_map(alternatives).collect();
    opener_among(world, &openers)
}

/// The first of the callables that acquires.
fn opener_among(world: World<'_, '_>, openers: &[&Expr]) -> Option<String> {
    openers.iter().find_map(|opener| {
        let opener = match opener {
            Expr::Call(call) => {
                let made = world.names.resolve(&call.func);
                let is_partial = made.qualified() == Some("functools.partial");
                call.args.first().filter(|_| is_partial)?
            }
            other => other,
        };
        let known = world.names.resolve(opener).qualified()?.to_owned();
        world.table.acquired_by(&known).map(|_| known)
    })
}

/// The callables one of which the expression is: `gzip.open if packed else open`, `OPENERS.get(kind, open)`.
fn alternatives(func: &Expr) -> Vec<&Expr> {
    match func {
        Expr::IfExp(node) => vec![&node.body, &node.orelse],
        Expr::BoolOp(node) => node.values.iter().collect(),
        Expr::Subscript(node) => match &*node.value {
            Expr::Dict(dict) => dict.values.iter().collect(),
            _ => Vec::new(),
        },
        Expr::Call(call) if super::tail(&call.func) == "get" => call.args.iter().skip(1).collect(),
        other => vec![other],
    }
}

fn default_of<'m>(world: World<'_, 'm>, parameter: &str, function: ScopeId) -> Option<&'m Expr> {
    let def = world
        .names
        .scope(function)
        .node
        .and_then(Node::as_stmt)
        .and_then(Def::of)?;
    let all = parameters(def.arguments).into_iter();
    let mut named = all.filter(|(known, _)| known.arg.as_str() == parameter);
    named.next()?.1
}

/// `Session()` after `Session = sessionmaker(engine)`: an object that is called.
fn instance_called(world: World<'_, '_>, func: &Expr) -> Option<String> {
    world.has_factories.then_some(())?;
    let class = world.types().of(func)?;
    let callable = format!("{class}.__call__");
    world.table.acquired_by(&callable).map(|_| callable)
}

/// `tempfile.mkstemp` where only `from helpers import *` can have brought `tempfile`: a standard module
/// goes by its own name there, too.
fn brought_by_star<'a>(world: World<'a, '_>, func: &Expr, candidates: &[String]) -> Option<&'a str> {
    let spelled = text_at(world.module.text(), func.range().into());
    let (root, _) = spelled.split_once('.')?;
    let ends = |name: &String| name.strip_suffix(spelled).is_some_and(|star| star.ends_with('.'));
    let brought = is_standard(root) && candidates.iter().any(ends);
    (brought && world.table.acquired_by(spelled).is_some()).then_some(spelled)
}

/// Whether the call has one of the keywords, whatever its value.
fn has_argument(call: &ExprCall, words: &str) -> bool {
    let mut given = call.keywords.iter().filter_map(|keyword| keyword.arg.as_ref());
    given.any(|word| words.split('|').any(|name| name == word.as_str()))
}

/// Whether the call has one of the keywords with the value, as in `stream=True` and `stdout=PIPE`.
fn has_keyword(world: World<'_, '_>, call: &ExprCall, condition: &str) -> bool {
    let Some((keywords, value)) = condition.split_once('=') else {
        return false;
    };
    call.keywords.iter().any(|keyword| {
        let named = |name: &str| keywords.split('|').any(|one| one == name);
        keyword.arg.as_ref().is_some_and(|word| named(word)) && !places(world, &keyword.value, value).is_empty()
    })
}

/// The streams of a child that are pipes, `stdout=PIPE`, and where that is said.
pub(super) fn piped(world: World<'_, '_>, call: &Expr) -> Vec<(&'static str, Vec<Span>)> {
    let keywords = call.as_call_expr().map_or(&[][..], |call| &call.keywords);
    let said = |stream: &str| {
        let named = |keyword: &&Keyword| keyword.arg.as_ref().is_some_and(|word| word.as_str() == stream);
        let keyword = keywords.iter().find(named);
        keyword
            .map(|keyword| places(world, &keyword.value, "PIPE"))
            .unwrap_or_default()
    };
    let streams = ["stdin", "stdout", "stderr"].map(|stream| (stream, said(stream)));
    streams.into_iter().filter(|(_, places)| !places.is_empty()).collect()
}

/// Where the value is the constant; a choice or a variable may be it:
///
/// ```py
/// stdout = None if show else subprocess.PIPE
/// ```
fn places(world: World<'_, '_>, value: &Expr, constant: &str) -> Vec<Span> {
    let is_it = match value {
        Expr::Constant(node) => match &node.value {
            Constant::Bool(true) => constant == "True",
            Constant::Bool(false) => constant == "False",
            _ => false,
        },
        Expr::IfExp(node) => {
            let sides = [&*node.body, &*node.orelse];
            return sides
                .into_iter()
                .flat_map(|side| places(world, side, constant))
                .collect();
        }
        Expr::Name(name) if name.id.as_str() != constant => {
            let bindings = world
                .names
                .bindings(&name.id, world.names.scope_at(name.start().to_u32()));
            let values = bindings.iter().filter_map(|binding| match binding.kind {
                BindingKind::Assign { value } => value.filter(|value| !value.is_name_expr()),
                _ => None,
            });
            return values.flat_map(|value| places(world, value, constant)).collect();
        }
        other => super::tail(other) == constant,
    };
    is_it.then(|| value.range().into()).into_iter().collect()
}
