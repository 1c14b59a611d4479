//! What the functions and classes of the module do with handles: a helper that returns one, closes its
//! argument or keeps it; a class that owns one, and the methods that release it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::callee::Treatment;
use super::class;
use super::follow::follow_parameter;
use super::owner::Owners;
use super::{Doubt, Fate, Move, Obligation, World, body, borrow};
use crate::detect::resources::Resource;
use crate::python::ast::{Expr, ExprAttribute, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, parameters};
use crate::python::{Node, Resolved, ScopeId};

/// How many methods that call one another are looked through for a release.
const MAX_HELPERS: u32 = 3;

/// What has been found out so far; parameters are looked into when a call hands them something.
#[derive(Default)]
pub(in crate::detect) struct Summaries {
    parameters: RefCell<BTreeMap<(ScopeId, String, bool), Treatment>>,
    /// What a call of the function or class acquires.
    acquired: BTreeMap<ScopeId, Resource>,
}

/// A function or class of this module that a call runs.
#[derive(Clone, Copy)]
pub(super) struct Local<'m> {
    pub(super) scope: ScopeId,
    pub(super) statement: &'m Stmt,
    /// Whether the first parameter is filled already: methods on `self`.
    is_bound: bool,
}

/// The function, method or class of the module that is called.
pub(super) fn called<'m>(world: World<'_, 'm>, func: &Expr) -> Option<Local<'m>> {
    if let Expr::Attribute(node) = func
        && node
            .value
            .as_name_expr()
            .is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()))
    {
        let class = world.names.enclosing_class(func.start().to_u32())?;
        return method_of(world, class, &node.attr);
    }
    if func.as_name_expr().is_some_and(|name| name.id.as_str() == "cls") {
        let class = world.names.enclosing_class(func.start().to_u32())?;
        return local(world, class, false);
    }
    if let Expr::Attribute(node) = func
        && let Some(class) = class_of_instance(world, &node.value)
    {
        return method_of(world, class, &node.attr);
    }
    let Resolved::Local { bindings, path, .. } = world.names.resolve(func) else {
        return None;
    };
    let [binding] = bindings else { return None };
    let (BindingKind::Def(statement) | BindingKind::Class(statement)) = binding.kind else {
        return None;
    };
    let scope = world.names.scope_of(statement)?;
    match path.as_slice() {
        [] => local(world, scope, false),
        [method] => method_of(world, scope, method),
        _ => None,
    }
}

/// The class of the module that makes what the only binding of a name holds.
fn class_of_instance(world: World<'_, '_>, object: &Expr) -> Option<ScopeId> {
    let name = object.as_name_expr()?;
    let [binding] = world
        .names
        .bindings(&name.id, world.names.scope_at(name.start().to_u32()))
    else {
        return None;
    };
    match binding.kind {
        BindingKind::Assign {
            value: Some(Expr::Call(call)),
        } => class_named(world, &call.func),
        _ => None,
    }
}

fn local<'m>(world: World<'_, 'm>, scope: ScopeId, is_bound: bool) -> Option<Local<'m>> {
    let Some(Node::Stmt(statement)) = world.names.scope(scope).node else {
        return None;
    };
    Some(Local {
        scope,
        statement,
        is_bound,
    })
}

/// The method that instances of the class have, its own or that of a base in the module.
pub(super) fn method_of<'m>(world: World<'_, 'm>, class: ScopeId, name: &str) -> Option<Local<'m>> {
    let method = class::method(world, class, name)?;
    let is_static = has_decorator(method.def, "staticmethod");
    local(world, method.scope, !is_static)
}

/// The class of this module that the expression names.
pub(super) fn class_named(world: World<'_, '_>, expr: &Expr) -> Option<ScopeId> {
    let Resolved::Local { bindings, path, .. } = world.names.resolve(expr) else {
        return None;
    };
    match (bindings, path.as_slice()) {
        ([binding], []) => match binding.kind {
            BindingKind::Class(statement) => world.names.scope_of(statement),
            _ => None,
        },
        _ => None,
    }
}

/// `self.protocol` where the class says `protocol = LoggingProtocol`.
pub(super) fn is_class_attribute(world: World<'_, '_>, func: &Expr) -> bool {
    let Expr::Attribute(node) = func else { return false };
    let Some(class) = world.names.enclosing_class(func.start().to_u32()) else {
        return false;
    };
    let Some(Node::Stmt(Stmt::ClassDef(class))) = world.names.scope(class).node else {
        return false;
    };
    let on_self = node
        .value
        .as_name_expr()
        .is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()));
    on_self
        && class.body.iter().any(|statement| match statement {
            Stmt::Assign(assign) => assign.targets.iter().any(|target| {
                let named = target.as_name_expr().is_some_and(|name| name.id == node.attr);
                named
                    && assign
                        .value
                        .as_name_expr()
                        .is_some_and(|name| name.id.starts_with(char::is_uppercase))
            }),
            _ => false,
        })
}

/// Whether the method of the class is one that releases what `self` keeps under this name, by itself or by
/// another method that it calls.
pub(super) fn releases(world: World<'_, '_>, method: &ExprAttribute, attribute: &str, release: &[String]) -> bool {
    let class = world.names.enclosing_class(method.start().to_u32());
    let asked = (attribute, release);
    class.is_some_and(|class| method_releases(world, (class, method.attr.as_str()), asked, MAX_HELPERS))
}

fn method_releases(
    world: World<'_, '_>,
    method: (ScopeId, &str),
    (attribute, release): (&str, &[String]),
    depth: u32,
) -> bool {
    let (Some(rest), Some(local)) = (depth.checked_sub(1), method_of(world, method.0, method.1)) else {
        return false;
    };
    let names = names_for(local.statement, attribute);
    let stands_for = |expr: &Expr| match expr {
        Expr::Attribute(node) => node.attr.as_str() == attribute,
        Expr::Name(name) => names.contains(name.id.as_str()),
        _ => false,
    };
    let mut inner = Node::Stmt(local.statement).descendants().filter_map(Node::as_expr);
    inner.any(|expr| match expr {
        Expr::Attribute(node) if is_release(&node.attr, release) => stands_for(&node.value),
        Expr::Call(call) if call.args.iter().any(stands_for) => releases_argument(world, &call.func),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(node) if node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self") => {
                method_releases(world, (method.0, node.attr.as_str()), (attribute, release), rest)
            }
            _ => false,
        },
        _ => false,
    })
}

fn is_release(method: &str, release: &[String]) -> bool {
    super::callee::RELEASE_METHODS.contains(&method) || release.iter().any(|known| known == method)
}

/// `os.close(fd)`, `close_quietly(f)`
fn releases_argument(world: World<'_, '_>, func: &Expr) -> bool {
    match world.names.resolve(func) {
        Resolved::Qualified(name) => world.table.releases_by_function(&name),
        _ => super::callee::names_a_release(super::tail(func)),
    }
}

/// The names that a method gives to the attribute: `f, self._f = self._f, None`.
fn names_for<'m>(method: &'m Stmt, attribute: &str) -> BTreeSet<&'m str> {
    let mut names = BTreeSet::new();
    let mut collect = |target: &'m Expr, value: &Expr| {
        if let (Expr::Name(name), Expr::Attribute(node)) = (target, value)
            && node.attr.as_str() == attribute
        {
            names.insert(name.id.as_str());
        }
    };
    for node in Node::Stmt(method).descendants() {
        match node {
            Node::Stmt(Stmt::Assign(node)) => {
                for target in &node.targets {
                    match (target, &*node.value) {
                        (Expr::Tuple(targets), Expr::Tuple(values)) => {
                            let pairs = targets.elts.iter().zip(&values.elts);
                            pairs.for_each(|(target, value)| collect(target, value));
                        }
                        (target, value) => collect(target, value),
                    }
                }
            }
            Node::Expr(Expr::NamedExpr(node)) => collect(&node.target, &node.value),
            _ => {}
        }
    }
    names
}

fn has_decorator(def: Def<'_>, name: &str) -> bool {
    let named = |decorator: &Expr| decorator.as_name_expr().is_some_and(|word| word.id.as_str() == name);
    def.decorators.iter().any(named)
}

/// What a function of the module does with the argument, or with what is in it.
pub(super) fn treatment(
    world: World<'_, '_>,
    call: &ExprCall,
    (argument, in_list): (&Expr, bool),
) -> Option<Treatment> {
    let callee = called(world, &call.func)?;
    let callee = match callee.statement {
        // A class without `__init__` of its own stores what it is handed, as dataclasses do.
        Stmt::ClassDef(_) => match method_of(world, callee.scope, "__init__") {
            Some(init) => {
                let def = Def::of(init.statement)?;
                let parameter = parameter_for(def, true, call, argument)?;
                return Some(of_constructor(world, callee.scope, (init.scope, def), parameter));
            }
            None => return Some(Treatment::Keeps),
        },
        _ => callee,
    };
    let def = Def::of(callee.statement)?;
    if callee.is_bound && is_abstract(def.body) {
        return Some(Treatment::Unknown);
    }
    let parameter = parameter_for(def, callee.is_bound, call, argument)?;
    Some(of_parameter(world, callee.scope, (parameter, in_list)))
}

/// The parameter of the function or `__init__` of the module that takes the argument.
pub(super) fn parameter_taking<'m>(world: World<'_, 'm>, call: &ExprCall, argument: &Expr) -> Option<&'m str> {
    let callee = called(world, &call.func)?;
    let (statement, is_bound) = match callee.statement {
        Stmt::ClassDef(_) => (method_of(world, callee.scope, "__init__")?.statement, true),
        statement => (statement, callee.is_bound),
    };
    parameter_for(Def::of(statement)?, is_bound, call, argument)
}

/// Whether the call makes an object of the module that does nothing with the argument but own it.
pub(super) fn makes_owner(world: World<'_, '_>, call: &ExprCall, argument: &Expr) -> bool {
    let is_class = called(world, &call.func).is_some_and(|callee| callee.statement.is_class_def_stmt());
    is_class && treatment(world, call, (argument, false)) == Some(Treatment::MayWrap)
}

/// Whether instances keep what the parameter of `__init__` brings as theirs, and nothing but methods named for that
/// releases it: then whoever drops the instance drops that.
fn is_closed_like_it(world: World<'_, '_>, class: ScopeId, init: Def<'_>, parameter: &str) -> bool {
    let Some(attribute) = kept_as(init, parameter) else {
        return false;
    };
    let released = |method: &str| {
        let asked = (attribute, world.table.any().release.as_slice());
        method_releases(world, (class, method), asked, MAX_HELPERS)
    };
    let line = class::lineage(world, class).into_iter();
    let methods = line.flat_map(|class| class::own_methods(world, class));
    let releasing: Vec<_> = methods
        .map(|method| method.def.name)
        .filter(|name| released(name))
        .collect();
    let is_usual = |name: &&str| super::callee::RELEASE_METHODS.contains(name) || *name == "__del__";
    !releasing.is_empty() && releasing.iter().all(is_usual)
}

/// The attribute of `self` that the constructor puts the parameter into.
pub(super) fn kept_as<'m>(init: Def<'m>, parameter: &str) -> Option<&'m str> {
    init.body.iter().find_map(|statement| match statement {
        Stmt::Assign(node) => {
            let is_it = node
                .value
                .as_name_expr()
                .is_some_and(|name| name.id.as_str() == parameter);
            node.targets.iter().find_map(class::on_self).filter(|_| is_it)
        }
        _ => None,
    })
}

/// A method that others override: nothing but a docstring, `pass`, `...` or a `raise`.
pub(super) fn is_abstract(body: &[Stmt]) -> bool {
    body.iter().all(|statement| match statement {
        Stmt::Pass(_) | Stmt::Raise(_) => true,
        Stmt::Expr(node) => node.value.is_constant_expr(),
        _ => false,
    })
}

/// The name of the parameter that takes the argument; `None` for `*args` and `**kwargs`.
fn parameter_for<'m>(def: Def<'m>, is_bound: bool, call: &ExprCall, argument: &Expr) -> Option<&'m str> {
    let all = parameters(def.arguments);
    let keyword = call.keywords.iter().find(|keyword| is_same(&keyword.value, argument));
    if let Some(keyword) = keyword {
        let name = keyword.arg.as_ref()?.as_str();
        return all
            .iter()
            .map(|(parameter, _)| parameter.arg.as_str())
            .find(|known| *known == name);
    }
    let at = call.args.iter().position(|one| is_same(one, argument))?;
    if call.args[..=at].iter().any(Expr::is_starred_expr) {
        return None;
    }
    let positional = def.arguments.posonlyargs.len() + def.arguments.args.len();
    let at = at + usize::from(is_bound);
    (at < positional).then(|| all[at].0.arg.as_str())
}

/// An object that only uses what it is handed leaves it to whoever has opened it; one that is closed as that is has it
/// closed with it.
fn of_constructor(
    world: World<'_, '_>,
    class: ScopeId,
    (scope, init): (ScopeId, Def<'_>),
    parameter: &str,
) -> Treatment {
    let key = (class, parameter.to_owned(), false);
    if let Some(known) = world.summaries.parameters.borrow().get(&key) {
        return *known;
    }
    let mut found = of_parameter(world, scope, (parameter, false));
    world.summaries.parameters.borrow_mut().insert(key.clone(), found);
    // Whoever has a thread or a child can wait for it.
    if found == Treatment::Keeps && !world.table.only_named_releases {
        if borrow::only_uses(world, class, scope, parameter) {
            found = Treatment::Unknown;
        } else if is_closed_like_it(world, class, init, parameter) {
            found = Treatment::MayWrap;
        }
    }
    world.summaries.parameters.borrow_mut().insert(key, found);
    found
}

fn is_same(one: &Expr, other: &Expr) -> bool {
    std::ptr::eq(one, other)
}

fn of_parameter(world: World<'_, '_>, scope: ScopeId, (parameter, in_list): (&str, bool)) -> Treatment {
    let key = (scope, parameter.to_owned(), in_list);
    if let Some(known) = world.summaries.parameters.borrow().get(&key) {
        return *known;
    }
    // A recursive function is taken to borrow until it is known to do more.
    world
        .summaries
        .parameters
        .borrow_mut()
        .insert(key.clone(), Treatment::Borrows);
    let fate = follow_parameter(world, scope, (parameter, in_list));
    let found = match fate.map_or(Treatment::Unknown, |fate| classify(&fate)) {
        // `while files: files.pop().close()`
        Treatment::Borrows if in_list && may_take_out(world, scope) => Treatment::Keeps,
        found => found,
    };
    world.summaries.parameters.borrow_mut().insert(key, found);
    found
}

/// Whether the function releases something, or takes something out of a list.
fn may_take_out(world: World<'_, '_>, function: ScopeId) -> bool {
    let called = body::nodes_of(world, function).filter_map(|node| match node {
        Node::Expr(Expr::Attribute(node)) => Some(node.attr.as_str()),
        Node::Expr(Expr::Name(name)) => Some(name.id.as_str()),
        _ => None,
    });
    called
        .into_iter()
        .any(|name| name.starts_with("pop") || super::callee::names_a_release(name))
}

fn classify(fate: &Fate<'_>) -> Treatment {
    match fate.moves.as_slice() {
        _ if fate.unknown => Treatment::Unknown,
        [] if fate.left_open.as_ref().is_some_and(|left| left.doubt > Doubt::None) => Treatment::Unknown,
        [] if !fate.released => Treatment::Borrows,
        [] if fate.left_open.is_none() => Treatment::Releases,
        [Move::Returned] if !fate.released => Treatment::Wraps,
        // Closed on some paths, kept on others: the caller cannot be blamed.
        _ => Treatment::Keeps,
    }
}

/// A call of a helper that returns a handle, or of a class that owns one.
pub(super) fn acquired<'a>(world: World<'a, '_>, func: &Expr) -> Option<(ScopeId, &'a Resource)> {
    if world.summaries.acquired.is_empty() {
        return None;
    }
    let callee = called(world, func)?;
    let line = match callee.statement {
        Stmt::ClassDef(_) => class::lineage(world, callee.scope),
        _ => vec![callee.scope],
    };
    for scope in line {
        if let Some(resource) = world.summaries.acquired.get(&scope) {
            return Some((scope, resource));
        }
        // A constructor of its own may do without the one that acquires.
        let init = class::own_methods(world, scope)
            .into_iter()
            .find(|method| method.def.name == "__init__");
        if init.is_some_and(|init| !calls_super(init.statement)) {
            return None;
        }
    }
    None
}

fn calls_super(method: &Stmt) -> bool {
    let mut inner = Node::Stmt(method).descendants().filter_map(Node::as_expr);
    inner.any(|expr| expr.as_name_expr().is_some_and(|name| name.id.as_str() == "super"))
}

impl Summaries {
    /// Learns what the obligations tell about helpers and owners; gives those that are new.
    pub(super) fn learn(&mut self, found: BTreeMap<ScopeId, Resource>) -> BTreeSet<ScopeId> {
        let fresh: BTreeMap<_, _> = found
            .into_iter()
            .filter(|(scope, _)| !self.acquired.contains_key(scope))
            .collect();
        let scopes = fresh.keys().copied().collect();
        self.acquired.extend(fresh);
        self.parameters.borrow_mut().clear();
        scopes
    }
}

/// Functions that return what they acquire, and classes whose constructor acquires what a method releases.
pub(super) fn acquiring<'m>(
    world: World<'_, 'm>,
    obligations: &[Obligation<'m>],
    owners: &Owners<'m>,
) -> BTreeMap<ScopeId, Resource> {
    let mut found = BTreeMap::new();
    for obligation in obligations {
        learn_returned(world, obligation, &mut found);
        if let Some((class, resource)) = owners.instance_of(world, obligation) {
            found.entry(class).or_insert(resource);
        }
    }
    for function in announced(world) {
        let opened = world.table.acquired_by("builtins.open");
        found
            .entry(function)
            .or_insert_with(|| whole(opened.unwrap_or(world.table.any())));
    }
    found
}

/// What the function returns, as its value or as items of a tuple. What it has registered for cleanup on some path it owes
/// itself.
fn learn_returned(world: World<'_, '_>, obligation: &Obligation<'_>, found: &mut BTreeMap<ScopeId, Resource>) {
    let moves = &obligation.fate.moves;
    if moves.contains(&Move::Registered) || !is_plain(world, obligation.body) {
        return;
    }
    if moves.contains(&Move::Returned) && obligation.resource.parts.is_empty() {
        found
            .entry(obligation.body)
            .or_insert_with(|| whole(&obligation.resource));
    }
    for moved in moves {
        let Move::ReturnedAs(item) = moved else { continue };
        if !always_returns_it(world, obligation.body, *item) {
            continue;
        }
        let known = found.entry(obligation.body).or_insert_with(|| Resource {
            parts: vec![*item],
            ..obligation.resource.as_ref().clone()
        });
        if known.kind == obligation.resource.kind && !known.parts.is_empty() && !known.parts.contains(item) {
            known.parts.push(*item);
        }
    }
}

/// Functions that are called after opening and say that they return a stream, where their body leaves it to others to
/// open it: `def _open(self, path) -> BinaryIO: raise NotImplementedError`.
fn announced(world: World<'_, '_>) -> Vec<ScopeId> {
    if world.table.acquired_by("builtins.open").is_none() {
        return Vec::new();
    }
    let statements = world.nodes().filter_map(Node::as_stmt);
    let functions = statements.filter(|statement| {
        Def::of(statement).is_some_and(|def| {
            let opens = def.name.trim_start_matches('_').starts_with("open");
            opens && def.returns.is_some_and(|returns| is_stream(world, returns)) && leaves_it_to_others(def.body)
        })
    });
    let scopes = functions.filter_map(|function| world.names.scope_of(function));
    scopes.filter(|scope| is_plain(world, *scope)).collect()
}

/// `IO`, `TextIO`, `BinaryIO`, `IO[bytes]`
fn is_stream(world: World<'_, '_>, annotation: &Expr) -> bool {
    let class = match annotation {
        Expr::Subscript(node) => &node.value,
        other => other,
    };
    let resolved = world.names.resolve(class);
    let known = [
        "typing.IO",
        "typing.TextIO",
        "typing.BinaryIO",
        "io.TextIOWrapper",
        "io.BufferedReader",
    ];
    resolved.qualified().is_some_and(|name| known.contains(&name))
}

/// An abstract method, or one that returns what another call opens.
fn leaves_it_to_others(body: &[Stmt]) -> bool {
    let opens = |value: &Expr| {
        let call = value.as_call_expr();
        call.is_some_and(|call| super::tail(&call.func).to_lowercase().contains("open"))
    };
    is_abstract(body)
        || body.iter().all(|statement| match statement {
            Stmt::Return(node) => node.value.as_deref().is_some_and(opens),
            Stmt::Expr(node) => node.value.is_constant_expr(),
            _ => false,
        })
}

/// Whether the function has one `return`, and no other item of its tuple says whether the handle is the caller's:
/// `return file, is_own`.
fn always_returns_it(world: World<'_, '_>, function: ScopeId, item: usize) -> bool {
    let nodes = body::nodes_of(world, function);
    let returned: Vec<_> = nodes
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Return(node)) => node.value.as_deref(),
            _ => None,
        })
        .collect();
    let [Expr::Tuple(tuple)] = returned.as_slice() else {
        return false;
    };
    let is_bool = |value: &Expr| {
        let constant = value.as_constant_expr();
        constant.is_some_and(|constant| constant.value.is_bool() || constant.value.is_none())
    };
    let says_so = |other: &Expr| match other {
        Expr::Name(name) => world
            .names
            .bindings(&name.id, function)
            .iter()
            .any(|binding| match binding.kind {
                BindingKind::Assign { value } => value.is_some_and(is_bool),
                _ => false,
            }),
        other => is_bool(other) || other.is_compare_expr(),
    };
    !tuple
        .elts
        .iter()
        .enumerate()
        .any(|(at, other)| at != item && says_so(other))
}

fn whole(resource: &Resource) -> Resource {
    Resource {
        parts: Vec::new(),
        ..resource.clone()
    }
}

/// A function whose result is what it returns: no generator, and no decorator that changes it.
fn is_plain(world: World<'_, '_>, scope: ScopeId) -> bool {
    let Some(Node::Stmt(statement)) = world.names.scope(scope).node else {
        return false;
    };
    let Some(def) = Def::of(statement) else { return false };
    let harmless = ["staticmethod", "classmethod", "abstractmethod", "override", "final"];
    let plain = def.decorators.iter().all(|one| harmless.contains(&super::tail(one)));
    plain && !world.names.is_generator(statement)
}
