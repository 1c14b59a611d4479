//! Finds the calls that acquire, and the body each stands in.

use std::collections::BTreeSet;

use super::{Origin, World, source, summary};
use crate::detect::resources::{Resource, is_standard};
use crate::detect::text_at;
use crate::python::ast::{Constant, Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, ScopeKind, chain, parameters};
use crate::python::{Node, Resolved, ScopeId};

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

/// `self.lock` of `self.lock.acquire()`, if it is a chain of names on one line; or `cls.get_lock()`.
fn receiver_of<'m>(world: World<'_, 'm>, call: &'m ExprCall) -> Option<&'m str> {
    let receiver = &call.func.as_attribute_expr()?.value;
    chain(asked(receiver).unwrap_or(receiver))?;
    let text = text_at(world.module.text(), receiver.range().into());
    (!text.contains(char::is_whitespace)).then_some(text)
}

/// The callable of `get_lock()`.
fn asked(receiver: &Expr) -> Option<&Expr> {
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
        Expr::Call(call) => acquired(world, call).is_some() || summary::acquired(world, &call.func).is_some(),
        Expr::Await(node) => acquires(world, &node.value),
        _ => false,
    }
}

fn acquired<'a>(world: World<'a, '_>, call: &ExprCall) -> Option<&'a Resource> {
    let callable = callable(world, call)?;
    if world.config.safe_callables.contains(&callable) {
        return None;
    }
    let resource = world.table.acquired_by(&callable)?;
    let wanted = resource
        .only_if
        .as_deref()
        .is_none_or(|condition| has_keyword(call, condition));
    let works_on_another = resource
        .unless
        .as_deref()
        .is_some_and(|words| has_argument(call, words));
    let is_owed = wanted && !works_on_another && !(resource.of_parent && parent_is_owed(world, call));
    (is_owed && !source::owns_nothing(world, call, &callable)).then_some(resource)
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

/// The dotted name of an acquiring callable.
fn callable(world: World<'_, '_>, call: &ExprCall) -> Option<String> {
    let func = &*call.func;
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
    let class = typed.or_else(|| guessed_class(call, &node.value, tail).map(str::to_owned));
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
    world.table.knows_tail("__call__").then_some(())?;
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

/// `file_path.open()`, `entry.open("rb")` and `server_sock.accept()` without a type in sight: names and
/// modes tell.
fn guessed_class(call: &ExprCall, receiver: &Expr, method: &str) -> Option<&'static str> {
    let receiver = asked(receiver).filter(|_| method == "acquire").unwrap_or(receiver);
    let word = match receiver {
        Expr::Name(name) if name.id.as_str() != "self" => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => return None,
    };
    let word = word.to_lowercase();
    let is_path = word == "path" || word.ends_with("_path");
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

/// `p.open("rb")`, `p.open(encoding="utf-8")`; `archive.open(name, "r")` is something else.
fn opens_with_mode(call: &ExprCall) -> bool {
    let is_mode = |expr: &Expr| {
        let text = expr.as_constant_expr().and_then(|constant| constant.value.as_str());
        text.is_some_and(|text| {
            let mut letters = text.chars();
            letters.next().is_some_and(|first| "rwxa".contains(first)) && letters.all(|letter| "bt+".contains(letter))
        })
    };
    let keyword = |wanted: &str| {
        let mut keywords = call.keywords.iter();
        keywords.any(|keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == wanted))
    };
    match call.args.first() {
        Some(first) => is_mode(first),
        None => keyword("encoding"),
    }
}

/// Whether the call has one of the keywords, whatever its value.
fn has_argument(call: &ExprCall, words: &str) -> bool {
    let mut given = call.keywords.iter().filter_map(|keyword| keyword.arg.as_ref());
    given.any(|word| words.split('|').any(|name| name == word.as_str()))
}

/// Whether the call has one of the keywords with the value, as in `stream=True` and `stdout=PIPE`.
fn has_keyword(call: &ExprCall, condition: &str) -> bool {
    let Some((keywords, value)) = condition.split_once('=') else {
        return false;
    };
    call.keywords.iter().any(|keyword| {
        let named = keyword
            .arg
            .as_ref()
            .is_some_and(|word| keywords.split('|').any(|name| name == word.as_str()));
        let spelled = match &keyword.value {
            Expr::Constant(node) => match &node.value {
                Constant::Bool(true) => "True",
                Constant::Bool(false) => "False",
                _ => "",
            },
            constant => super::tail(constant),
        };
        named && spelled == value
    })
}
