//! Conditions on locks: that it is one which others wait for, and that only the site holds and lets go.

use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, attribute_values};
use crate::python::ast::{Expr, ExprCall, Stmt, StmtClassDef};
use crate::python::names::chain;
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, ScopeId};

/// What `with` acquires and releases. Those of `asyncio` take an `async with`.
const MAKERS: [&str; 12] = [
    "threading.Lock",
    "threading.RLock",
    "threading.Condition",
    "threading.Semaphore",
    "threading.BoundedSemaphore",
    "_thread.allocate_lock",
    "multiprocessing.Lock",
    "multiprocessing.RLock",
    "multiprocessing.Condition",
    "multiprocessing.Semaphore",
    "multiprocessing.BoundedSemaphore",
    "multiprocessing.synchronize.Lock",
];

/// How many base classes of the module are followed.
const MAX_BASES: u32 = 4;

/// `lock($x)`: an attribute of the object or its class, or a name of the module, that is given nothing but
/// locks. One that only the function knows holds up nobody.
pub(super) fn lock(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let facts = scene.facts;
    let values = match expr {
        Expr::Name(name) => module_values(facts, &name.id, Node::Expr(expr).span().start),
        Expr::Attribute(node) => class_of(facts, &node.value)
            .map(|class| class_values(facts, class, &node.attr, MAX_BASES))
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let sure = !values.is_empty()
        && values
            .iter()
            .all(|value| value.is_some_and(|value| makes_lock(facts, value)));
    if sure { Truth::Yes } else { Truth::Unknown }
}

/// All that the module's own name is ever given; nothing for the name of a function or class.
fn module_values<'f>(facts: &'f Facts<'_>, name: &str, at: u32) -> Vec<Option<&'f Expr>> {
    let bindings = facts.names.bindings(name, facts.names.scope_at(at));
    let values = bindings.iter().map(|binding| match binding.kind {
        BindingKind::Assign { value } if binding.scope == ScopeId::MODULE => value,
        _ => None,
    });
    values.collect()
}

/// The class that `self`, `cls` or the class's own name stands for.
fn class_of<'f>(facts: &'f Facts<'_>, owner: &Expr) -> Option<&'f StmtClassDef> {
    let Expr::Name(name) = owner else { return None };
    if matches!(name.id.as_str(), "self" | "cls") {
        let class = facts.names.enclosing_class(Node::Expr(owner).span().start)?;
        return as_class(facts.names.scope(class).node?.as_stmt()?);
    }
    named_class(facts, owner)
}

fn named_class<'f>(facts: &'f Facts<'_>, expr: &Expr) -> Option<&'f StmtClassDef> {
    match facts.names.resolve(expr) {
        Resolved::Local {
            bindings: [only], path, ..
        } if path.is_empty() => match only.kind {
            BindingKind::Class(statement) => as_class(statement),
            _ => None,
        },
        _ => None,
    }
}

fn as_class(statement: &Stmt) -> Option<&StmtClassDef> {
    match statement {
        Stmt::ClassDef(class) => Some(class),
        _ => None,
    }
}

/// All that the class and its bases in the module give to an attribute, in methods and in their own bodies.
fn class_values<'f>(facts: &'f Facts<'_>, class: &'f StmtClassDef, attr: &str, depth: u32) -> Vec<Option<&'f Expr>> {
    let is_it = |target: &Expr| matches!(target, Expr::Name(name) if name.id.as_str() == attr);
    let mut values: Vec<Option<&Expr>> = attribute_values(&class.body, attr).collect();
    values.extend(class.body.iter().filter_map(|statement| match statement {
        Stmt::Assign(node) if node.targets.iter().any(is_it) => Some(Some(&*node.value)),
        Stmt::AnnAssign(node) if is_it(&node.target) => node.value.as_deref().map(Some),
        _ => None,
    }));
    let bases = class.bases.iter().filter_map(|base| named_class(facts, base));
    if depth > 0 {
        values.extend(bases.flat_map(|base| class_values(facts, base, attr, depth - 1)));
    }
    values
}

/// `threading.Lock()`, `field(default_factory=threading.Lock)`
fn makes_lock(facts: &Facts<'_>, value: &Expr) -> bool {
    let Expr::Call(call) = value else { return false };
    is_maker(facts, &call.func) || default_factory(facts, call).is_some_and(|factory| is_maker(facts, factory))
}

fn is_maker(facts: &Facts<'_>, function: &Expr) -> bool {
    let resolved = facts.names.resolve(function);
    resolved.qualified().is_some_and(|name| MAKERS.contains(&name))
}

fn default_factory<'e>(facts: &Facts<'_>, call: &'e ExprCall) -> Option<&'e Expr> {
    let is_field = facts.names.resolve(&call.func).qualified() == Some("dataclasses.field");
    let mut keywords = call.keywords.iter().filter(|_| is_field);
    keywords
        .find(|keyword| keyword.arg.as_deref() == Some("default_factory"))
        .map(|keyword| &keyword.value)
}

/// What may be asked of a lock without giving it up for good.
const ASKED: [&str; 5] = ["wait", "wait_for", "notify", "notify_all", "locked"];

/// `left-alone($x, $$b)`: the block neither acquires nor releases the lock nor hands it on, and no function
/// of the module releases what another one has acquired.
pub(super) fn left_alone(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(lock), Some(block)) = (scene.expr(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let is_lock = |expr: &Expr| Node::Expr(expr).same_code(Node::Expr(lock));
    let (mut stands, mut asked) = (0_u32, 0_u32);
    for expr in block
        .nodes()
        .iter()
        .flat_map(|node| node.descendants())
        .filter_map(Node::as_expr)
    {
        stands += u32::from(is_lock(expr));
        asked += u32::from(matches!(expr, Expr::Attribute(node)
            if ASKED.contains(&node.attr.as_str()) && is_lock(&node.value)));
    }
    let Some(word) = last_word(lock) else {
        return Truth::Unknown;
    };
    let mut functions = scene
        .facts
        .definitions
        .iter()
        .filter_map(|definition| Def::of(definition));
    (stands == asked && !functions.any(|function| only_releases(function.body, word))).into()
}

/// `_lock` of `self._lock`
fn last_word(lock: &Expr) -> Option<&str> {
    let (root, attributes) = chain(lock)?;
    Some(attributes.last().copied().unwrap_or(&root.id))
}

/// Whether the body names `….lock.release` and not `….lock.acquire`: it gives back what others took.
fn only_releases(body: &[Stmt], lock: &str) -> bool {
    let asks = |wanted: &str| {
        let mut nodes = body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
        nodes.any(|node| match node {
            Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == wanted && last_word(&node.value) == Some(lock),
            _ => false,
        })
    };
    asks("release") && !asks("acquire")
}
