//! Conditions on registries: lists of callbacks that live longer than who stands in them.

use super::class::{is_own, method};
use super::collection::{Root, Use, uses};
use super::guard::is_quiet;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, attribute_values, is_self};
use crate::python::ast::{Expr, ExprContext, Stmt, StmtClassDef, WithItem};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, ScopeId, Span};

/// Who adds, and who takes out again.
const PAIRS: [(&str, &str); 14] = [
    ("addHandler", "removeHandler"),
    ("addFilter", "removeFilter"),
    ("append", "remove"),
    ("register", "unregister"),
    ("subscribe", "unsubscribe"),
    ("connect", "disconnect"),
    ("attach", "detach"),
    ("watch", "unwatch"),
    ("add_listener", "remove_listener"),
    ("add_observer", "remove_observer"),
    ("add_callback", "remove_callback"),
    ("add_handler", "remove_handler"),
    ("add_hook", "remove_hook"),
    ("add_watcher", "remove_watcher"),
];

/// A registry that is sure to outlive who registers.
enum Registry<'m> {
    /// `logging.getLogger(…)`: keeps each handler once.
    Logger,
    /// A module or list of the library that keeps everything, under this name.
    Library(String),
    /// An instance of a class of this module.
    Own(&'m StmtClassDef),
}

fn registry_of<'m>(facts: &Facts<'m>, expr: &Expr) -> Option<Registry<'m>> {
    if facts.is_instance(expr, "logging.getLogger") {
        return Some(Registry::Logger);
    }
    match facts.names.resolve(expr) {
        Resolved::Qualified(name) if name == "logging.root" => Some(Registry::Logger),
        Resolved::Qualified(name) => Some(Registry::Library(name)),
        _ => own_class(facts, expr, 3).map(Registry::Own),
    }
}

/// The class of this module that a value from outside is: a name of the module, a parameter with a type, an
/// attribute that keeps one of these.
fn own_class<'m>(facts: &Facts<'m>, expr: &Expr, steps: u32) -> Option<&'m StmtClassDef> {
    let steps = steps.checked_sub(1)?;
    match expr {
        Expr::Name(name) => {
            let scope = facts.names.scope_at(name.range.start().to_u32());
            let [only] = facts.names.bindings(&name.id, scope) else {
                return None;
            };
            match only.kind {
                BindingKind::Assign {
                    value: Some(Expr::Call(call)),
                } if only.scope == ScopeId::MODULE => class_named(facts, &call.func),
                BindingKind::Parameter(arg) => class_named(facts, arg.annotation.as_deref()?),
                _ => None,
            }
        }
        Expr::Attribute(node) if is_self(&node.value) => {
            let owner = facts.names.enclosing_class(node.range.start().to_u32())?;
            let Some(Node::Stmt(Stmt::ClassDef(owner))) = facts.names.scope(owner).node else {
                return None;
            };
            let given: Vec<Option<&Expr>> = attribute_values(&owner.body, &node.attr).collect();
            match given[..] {
                [Some(only)] => own_class(facts, only, steps),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The class that a name or a string stands for.
pub(super) fn class_named<'m>(facts: &Facts<'m>, expr: &Expr) -> Option<&'m StmtClassDef> {
    let name = match expr {
        Expr::Name(name) => name.id.as_str(),
        Expr::Constant(constant) => constant.value.as_str()?,
        _ => return None,
    };
    match facts.names.bindings(name, ScopeId::MODULE) {
        [only] => match only.kind {
            BindingKind::Class(Stmt::ClassDef(class)) => Some(class),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the pair belongs to the registry, and whether it keeps what it is given twice a second time.
fn piles(facts: &Facts<'_>, registry: &Registry<'_>, add: &str) -> Option<bool> {
    let remove = PAIRS.iter().find(|(known, _)| *known == add).map(|(_, remove)| *remove);
    match registry {
        Registry::Logger => matches!(add, "addHandler" | "addFilter").then_some(false),
        Registry::Library(name) => {
            let known = match name.as_str() {
                "atexit" | "codecs" => add == "register",
                "gc.callbacks" | "sys.meta_path" | "sys.path_hooks" => add == "append",
                _ => false,
            };
            known.then_some(true)
        }
        Registry::Own(class) => {
            let (add, remove) = (method(class, add)?, method(class, remove?)?);
            let added = changes(facts, add, Use::Grows)?;
            (changes(facts, remove, Use::Shrinks)? == added).then(|| keeps_all(add, added))
        }
    }
}

/// The one attribute of `self` that the method adds to, or takes from.
fn changes<'m>(facts: &Facts<'_>, method: &'m Stmt, wanted: Use) -> Option<&'m str> {
    let attributes = Node::Stmt(method).descendants().filter_map(|node| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => Some(node.attr.as_str()),
        _ => None,
    });
    let span = Node::Stmt(method).span();
    let mut found: Vec<&str> = attributes
        .filter(|attr| {
            let uses = uses(facts, Root::Attribute(attr, None), true);
            uses.iter().any(|(usage, at)| *usage == wanted && span.contains(*at))
        })
        .collect();
    found.dedup();
    match found[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// `self._callbacks.append(callback)`
fn keeps_all(method: &Stmt, attr: &str) -> bool {
    Node::Stmt(method).descendants().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == "append" && is_own(&node.value, attr),
        _ => false,
    })
}

/// `piles-up($registry, $add, $$args)`: the method adds to a registry that outlives who registers, and each time
/// there is one more entry: it keeps everything, or what it gets is new each time.
pub(super) fn piles_up(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let (Some(expr), Some(add), Some(args)) = (
        scene.expr(arguments, 0),
        scene.word(arguments, 1),
        scene.value(arguments, 2),
    ) else {
        return Truth::Unknown;
    };
    let piles = registry_of(facts, expr).and_then(|registry| piles(facts, &registry, &add));
    if args.nodes().iter().any(|arg| goes_by_itself(facts, *arg, &add)) {
        return Truth::No;
    }
    match piles {
        Some(true) if !args.nodes().is_empty() => Truth::Yes,
        Some(false) if args.nodes().iter().any(|arg| is_new(facts, *arg)) => Truth::Yes,
        _ => Truth::Unknown,
    }
}

/// Whether the argument is a function that takes something out of a registry, as who is called just once does.
fn goes_by_itself(facts: &Facts<'_>, arg: Node<'_>, add: &str) -> bool {
    let (Node::Expr(Expr::Name(name)), Some((_, remove))) = (arg, PAIRS.iter().find(|(known, _)| *known == add)) else {
        return false;
    };
    let scope = facts.names.scope_at(name.range.start().to_u32());
    let mut bodies = facts
        .names
        .bindings(&name.id, scope)
        .iter()
        .filter_map(|binding| match binding.kind {
            BindingKind::Def(definition) => Some(Node::Stmt(definition)),
            _ => None,
        });
    bodies.any(|body| {
        body.descendants()
            .any(|node| matches!(node, Node::Expr(Expr::Attribute(method)) if method.attr.as_str() == *remove))
    })
}

/// Whether the argument is another object each time: made on the spot or in the same function, `self`, a method
/// of it, or an attribute that the class fills with something new.
fn is_new(facts: &Facts<'_>, arg: Node<'_>) -> bool {
    let Node::Expr(expr) = arg else { return false };
    match expr {
        Expr::Call(_) | Expr::Lambda(_) => true,
        Expr::Name(name) if name.id.as_str() == "self" => true,
        Expr::Name(name) => {
            let scope = facts.names.scope_at(name.range.start().to_u32());
            let made = |kind: &BindingKind<'_>| match kind {
                BindingKind::Assign { value: Some(value) } => value.is_call_expr() || value.is_lambda_expr(),
                BindingKind::Def(_) => true,
                _ => false,
            };
            let bindings = facts.names.bindings(&name.id, scope);
            facts.names.home(&name.id, scope) != ScopeId::MODULE
                && !bindings.is_empty()
                && bindings.iter().all(|binding| made(&binding.kind))
        }
        Expr::Attribute(node) if is_self(&node.value) => {
            let owner = facts.names.enclosing_class(node.range.start().to_u32());
            let Some(Node::Stmt(Stmt::ClassDef(owner))) = owner.and_then(|id| facts.names.scope(id).node) else {
                return false;
            };
            let mut values = attribute_values(&owner.body, &node.attr).peekable();
            method(owner, &node.attr).is_some()
                || values.peek().is_some() && values.all(|value| value.is_some_and(Expr::is_call_expr))
        }
        _ => false,
    }
}

/// `pair($add, $remove)`: the second takes out what the first puts in.
pub(super) fn pair(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(add), Some(remove)) = (scene.word(arguments, 0), scene.word(arguments, 1)) else {
        return Truth::Unknown;
    };
    PAIRS.contains(&(&*add, &*remove)).into()
}

/// `surely($x)`: once its function is called, the statement runs: before it, nothing may go wrong, or it stands in the
/// `finally` of a `try` that this holds for.
pub(super) fn surely(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let at = scene.at();
    let function = scene.facts.names.enclosing_function(at.start);
    let definition = function
        .and_then(|id| scene.facts.names.scope(id).node)
        .and_then(Node::as_stmt)
        .and_then(Def::of);
    definition.map_or(Truth::Unknown, |definition| reaches(definition.body, at).into())
}

fn reaches(block: &[Stmt], at: Span) -> bool {
    for statement in block {
        let span = Node::Stmt(statement).span();
        if !span.contains(at) {
            if is_quiet(Node::Stmt(statement)) {
                continue;
            }
            return false;
        }
        return span == at
            || match statement {
                Stmt::If(node) => is_quiet(Node::Expr(&node.test)) && reaches(&node.body, at),
                Stmt::With(node) => node.items.iter().all(is_lock) && reaches(&node.body, at),
                Stmt::Try(node) => {
                    let in_finally = node.finalbody.iter().any(|inner| Node::Stmt(inner).span().contains(at));
                    reaches(if in_finally { &node.finalbody } else { &node.body }, at)
                }
                _ => false,
            };
    }
    false
}

/// `with self._lock:`
fn is_lock(item: &WithItem) -> bool {
    item.optional_vars.is_none() && !item.context_expr.is_call_expr()
}

/// `in-release()`: the place stands in a method that ends the life of its object.
pub(super) fn in_release(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    const RELEASES: [&str; 10] = [
        "close",
        "stop",
        "shutdown",
        "dispose",
        "detach",
        "uninstall",
        "disconnect",
        "unsubscribe",
        "teardown",
        "__exit__",
    ];
    let names = &scene.facts.names;
    let function = names.enclosing_function(scene.at().start);
    let name = function.map(|id| names.scope(id).name());
    name.is_some_and(|name| RELEASES.contains(&name)).into()
}

/// `nearest($f)`: of all functions of this name it is the last one above the anchor, and what the anchor says means the
/// same in it.
pub(super) fn nearest(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let facts = scene.facts;
    let (at, anchor) = (scene.at(), scene.site.parts[0].node());
    let above = facts.definitions.iter().filter(|statement| {
        let same = Def::of(statement).is_some_and(|definition| definition.name == name);
        same && Node::Stmt(statement).span().start < anchor.span().start
    });
    let Some(last) = above.max_by_key(|statement| Node::Stmt(statement).span().start) else {
        return Truth::No;
    };
    let scope = facts.names.scope_of(last);
    let own = scope.map(|id| facts.names.names_in(id)).unwrap_or_default();
    let captured = anchor.descendants().any(|node| match node {
        Node::Expr(Expr::Name(name)) => name.ctx == ExprContext::Load && own.contains(&name.id.as_str()),
        _ => false,
    });
    (Node::Stmt(last).span() == at && !captured).into()
}
