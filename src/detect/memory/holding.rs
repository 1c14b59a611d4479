//! Which objects a function makes hold one another:
//!
//! ```py
//! node.parent = self          # node holds self
//! self.children.append(node)  # self holds node
//! child = Child(self)         # child holds self, if its constructor keeps that
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::collection::may_be_of;
use super::registry::{self, is_method};
use super::tail;
use crate::detect::Analysed;
use crate::python::ast::{BoolOp, Expr, ExprCall, Keyword, Ranged, Stmt};
use crate::python::names::{BindingKind, ScopeKind};
use crate::python::{Node, ScopeId, Span};

const MAX_STEPS: u32 = 6;
/// Methods that put their arguments into what they are called on.
const PUTS: [&str; 8] = [
    "append",
    "add",
    "insert",
    "appendleft",
    "setdefault",
    "extend",
    "update",
    "__setitem__",
];
/// What hardly ever is anything but a method.
const METHODS: [&str; 16] = [
    "result", "close", "read", "readline", "write", "flush", "send", "sendall", "recv", "append", "cancel", "join",
    "start", "stop", "shutdown", "release",
];
/// What makes a weak reference to an object.
const REFERENCES: [&str; 3] = ["ref", "proxy", "WeakMethod"];
/// Names of what an object is a part of.
const OWNERS: [&str; 16] = [
    "parent",
    "owner",
    "master",
    "container",
    "root",
    "outer",
    "host",
    "manager",
    "app",
    "server",
    "client",
    "tree",
    "document",
    "context",
    "controller",
    "creator",
];

/// An object, by the place of the call that makes it, or the variable that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum Object<'m> {
    Named(&'m str),
    Made(u32),
}

/// How one object holds another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum How {
    Itself,
    /// A bound method, or a function that uses it.
    Callable,
    /// The same behind a cache of the object's own, which is to go with it.
    Cached,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Edge<'m> {
    pub(in crate::detect) from: Object<'m>,
    /// Its class, if it is one of this module.
    pub(in crate::detect) class: Option<ScopeId>,
    /// The attributes on the way; none of a container that is the object itself.
    pub(in crate::detect) through: Option<&'m str>,
    /// Objects that nobody looks into lie between: `self.a.b = self`.
    pub(in crate::detect) is_far: bool,
    /// The attribute is the other object itself, not a collection that has it.
    pub(in crate::detect) is_whole: bool,
    pub(in crate::detect) to: Object<'m>,
    pub(in crate::detect) how: How,
    /// The statement or call that makes it so.
    pub(in crate::detect) at: Span,
    /// Where the constructor that is called keeps it.
    pub(in crate::detect) kept_at: Option<Span>,
}

impl Edge<'_> {
    /// Whether the other object is one that the module makes of a class of its own, and no collection of such.
    pub(in crate::detect) fn is_to_one_made(&self) -> bool {
        self.is_whole && matches!(self.to, Object::Made(_))
    }

    /// Whether it is the one of a part to its whole.
    pub(in crate::detect) fn is_to_owner(&self) -> bool {
        self.through.is_some_and(|name| {
            let lower = name.to_lowercase();
            lower.contains("parent") || lower.split('_').any(|word| OWNERS.contains(&word))
        })
    }
}

/// The edges that each function makes, and the module's own body.
pub(in crate::detect) fn of_module<'m>(module: &Analysed<'m>) -> BTreeMap<ScopeId, Vec<Edge<'m>>> {
    let mut all: BTreeMap<ScopeId, Vec<Edge<'m>>> = BTreeMap::new();
    let weak = Weak::default();
    for node in module.nodes() {
        let at = node.span().start;
        let is_statement = matches!(
            node,
            Node::Stmt(Stmt::Assign(_) | Stmt::AnnAssign(_)) | Node::Expr(Expr::Call(_))
        );
        if !is_statement {
            continue;
        }
        let scope = module.names.scope_at(at);
        if matches!(module.names.scope(scope).kind, ScopeKind::Function | ScopeKind::Module) {
            let body = Body {
                module,
                scope,
                weak: &weak,
            };
            body.note(node, all.entry(scope).or_default());
        }
    }
    all
}

/// One body, in which names stand for objects.
#[derive(Clone, Copy)]
struct Body<'a, 'm> {
    module: &'a Analysed<'m>,
    scope: ScopeId,
    weak: &'a Weak<'m>,
}

/// What has been found out of attributes, and of which class they are.
type Weak<'m> = RefCell<BTreeMap<(&'m str, Option<ScopeId>), bool>>;

impl<'m> Body<'_, 'm> {
    fn note(self, node: Node<'m>, edges: &mut Vec<Edge<'m>>) {
        match node {
            Node::Stmt(statement @ Stmt::Assign(assign)) => {
                let span = statement.range().into();
                for target in &assign.targets {
                    self.store(target, &assign.value, span, edges);
                }
            }
            Node::Stmt(statement @ Stmt::AnnAssign(assign)) => {
                if let Some(value) = assign.value.as_deref() {
                    self.store(&assign.target, value, statement.range().into(), edges);
                }
            }
            Node::Expr(Expr::Call(call)) => {
                self.put(call, edges);
                self.construct(call, edges);
            }
            _ => {}
        }
    }

    fn store(self, target: &'m Expr, value: &'m Expr, at: Span, edges: &mut Vec<Edge<'m>>) {
        if !target.is_attribute_expr() && !target.is_subscript_expr() {
            return;
        }
        let is_whole = target.is_attribute_expr() && (value.is_name_expr() || value.is_call_expr());
        self.hold(target, value, (at, is_whole), edges);
    }

    fn edge(self, from: Object<'m>, through: Option<&'m str>, to: Object<'m>, at: Span) -> Edge<'m> {
        Edge {
            from,
            class: self.class_of(from),
            through,
            is_far: false,
            is_whole: false,
            to,
            how: How::Itself,
            at,
            kept_at: None,
        }
    }

    fn class_of(self, object: Object<'m>) -> Option<ScopeId> {
        match object {
            Object::Named("self") => registry::class_around(self.module, self.scope),
            Object::Named(_) => None,
            Object::Made(at) => self.module.notes().class_made(at),
        }
    }

    /// What `holder` names holds the value from now on.
    fn hold(self, holder: &'m Expr, value: &'m Expr, (at, is_whole): (Span, bool), edges: &mut Vec<Edge<'m>>) {
        let Some((from, through)) = self.holder(holder) else {
            return;
        };
        if through.is_some_and(|name| self.is_weak(name, self.class_of(from))) {
            return;
        }
        let mut held = Vec::new();
        self.held(value, How::Itself, MAX_STEPS, &mut held);
        let is_far = is_far(holder);
        let class = self.class_of(from).filter(|_| !is_far);
        edges.extend(held.into_iter().map(|(to, how)| Edge {
            class,
            is_far,
            is_whole,
            how,
            ..self.edge(from, through, to, at)
        }));
    }

    /// `a.x`, `a.x[k]`, `a[k]`, `a`
    fn holder(self, expr: &'m Expr) -> Option<(Object<'m>, Option<&'m str>)> {
        match expr {
            Expr::Attribute(node) => match &*node.value {
                Expr::Name(name) => Some((self.object(name.id.as_str())?, Some(&node.attr))),
                inner @ Expr::Attribute(_) => {
                    let (from, first) = self.holder(inner)?;
                    let is_weak = first.is_some_and(|name| self.is_weak(name, self.class_of(from)));
                    (!is_weak).then_some((from, Some(&node.attr)))
                }
                _ => None,
            },
            Expr::Subscript(node) => self.holder(&node.value),
            Expr::Name(name) => Some((self.object(name.id.as_str())?, None)),
            _ => None,
        }
    }

    /// The variable, if it stands for one object all the time.
    fn object(self, name: &'m str) -> Option<Object<'m>> {
        let names = &self.module.names;
        if names.home(name, self.scope) != self.scope {
            return None;
        }
        let [binding] = names.bindings(name, self.scope) else {
            return None;
        };
        match &binding.kind {
            BindingKind::Assign {
                value: Some(Expr::Call(call)),
            } if self.class_called(call).is_some() => Some(Object::Made(call.start().to_u32())),
            BindingKind::Assign {
                value: Some(Expr::Name(other)),
            } if other.id.as_str() != name => self.object(other.id.as_str()).or(Some(Object::Named(name))),
            BindingKind::Parameter(_)
            | BindingKind::Assign { .. }
            | BindingKind::For { .. }
            | BindingKind::With { .. } => Some(Object::Named(name)),
            _ => None,
        }
    }

    /// What is kept alive by the value.
    fn held(self, value: &'m Expr, how: How, steps: u32, found: &mut Vec<(Object<'m>, How)>) {
        let Some(rest) = steps.checked_sub(1) else { return };
        match value {
            Expr::Name(name) => self.held_by_name(name.id.as_str(), how, rest, found),
            Expr::Attribute(node) => {
                let class = self.module.names.enclosing_class(value.start().to_u32());
                let on_self = node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self");
                if on_self && class.is_some_and(|class| is_method(self.module, class, &node.attr)) {
                    let how = how.max(How::Callable);
                    found.extend(self.object("self").map(|object| (object, how)));
                }
                // Whatever it is, what is called so is a method, and holds its object.
                if let Expr::Name(name) = &*node.value
                    && !on_self
                    && METHODS.contains(&node.attr.as_str())
                {
                    found.extend(self.object(name.id.as_str()).map(|object| (object, How::Callable)));
                }
            }
            Expr::Lambda(lambda) => self.used_in(Node::Expr(&lambda.body), found),
            Expr::Call(call) => self.held_by_call(call, how, rest, found),
            Expr::BoolOp(node) if node.op == BoolOp::And => {
                if let Some(last) = node.values.last() {
                    self.held(last, how, rest, found);
                }
            }
            other => {
                for part in parts(other) {
                    self.held(part, how, rest, found);
                }
            }
        }
    }

    fn held_by_name(self, name: &'m str, how: How, rest: u32, found: &mut Vec<(Object<'m>, How)>) {
        let bindings = self.module.names.bindings(name, self.scope);
        if let [binding] = bindings
            && binding.scope == self.scope
        {
            match binding.kind {
                BindingKind::Def(statement) if self.scope != ScopeId::MODULE => {
                    return self.used_in(Node::Stmt(statement), found);
                }
                BindingKind::Assign {
                    value: Some(value @ (Expr::Attribute(_) | Expr::Lambda(_))),
                } => {
                    return self.held(value, how, rest, found);
                }
                BindingKind::Assign {
                    value: Some(Expr::Call(call)),
                } if passes_on(call) => {
                    return self.held_by_call(call, how, rest, found);
                }
                _ => {}
            }
        }
        found.extend(self.object(name).map(|object| (object, how)));
    }

    fn held_by_call(self, call: &'m ExprCall, how: How, rest: u32, found: &mut Vec<(Object<'m>, How)>) {
        if passes_on(call) {
            let how = if is_cache(call) { How::Cached } else { How::Callable };
            let keywords = call.keywords.iter().map(|keyword| &keyword.value);
            for argument in call.args.iter().chain(keywords) {
                self.held(argument, how, rest, found);
            }
        } else if self.class_called(call).is_some() {
            found.push((Object::Made(call.start().to_u32()), how));
        }
    }

    /// The variables of this body that a function inside it uses.
    fn used_in(self, function: Node<'m>, found: &mut Vec<(Object<'m>, How)>) {
        let weakly = self.weak_calls_beside(function);
        for node in function.descendants() {
            if let Node::Expr(Expr::Name(name)) = node
                && name.id.as_str() == "self"
                && name.ctx.is_load()
                && self
                    .module
                    .names
                    .home("self", self.module.names.scope_at(name.start().to_u32()))
                    == self.scope
                && !weakly.iter().any(|span| span.contains(name.range().into()))
            {
                found.extend(self.object("self").map(|object| (object, How::Callable)));
                return;
            }
        }
    }

    /// Defaults such as `weakref.ref(self)`. The same in the function's own body needs what it is about.
    fn weak_calls_beside(self, function: Node<'m>) -> Vec<Span> {
        let names = &self.module.names;
        let is_weak = |node: &Node<'m>| {
            let call = node.as_expr().and_then(Expr::as_call_expr);
            let is_reference = |call: &ExprCall| tail(&call.func).is_some_and(|name| REFERENCES.contains(&name));
            call.is_some_and(is_reference) && names.scope_at(node.span().start) == self.scope
        };
        let calls = function.descendants().filter(is_weak);
        calls.map(Node::span).collect()
    }

    /// `self.children.append(node)`
    fn put(self, call: &'m ExprCall, edges: &mut Vec<Edge<'m>>) {
        let Expr::Attribute(node) = &*call.func else { return };
        if !PUTS.contains(&node.attr.as_str()) || !self.is_container(&node.value) {
            return;
        }
        for argument in values(call) {
            self.hold(&node.value, argument, (call.range().into(), false), edges);
        }
    }

    /// Whether putting something into it keeps that: an attribute, or a variable with a fresh collection.
    fn is_container(self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => {
                let bindings = self.module.names.bindings(&name.id, self.scope);
                let [binding] = bindings else { return false };
                match &binding.kind {
                    BindingKind::Assign { value: Some(value) } => is_fresh(value),
                    _ => false,
                }
            }
            Expr::Attribute(_) | Expr::Subscript(_) => true,
            _ => false,
        }
    }

    /// Some class keeps the attribute weakly, or behind code of its own.
    fn is_weak(self, attribute: &'m str, class: Option<ScopeId>) -> bool {
        let known = self.weak.borrow().get(&(attribute, class)).copied();
        known.unwrap_or_else(|| {
            let found = self.is_made_weak(attribute, class);
            self.weak.borrow_mut().insert((attribute, class), found);
            found
        })
    }

    fn is_made_weak(self, attribute: &str, class: Option<ScopeId>) -> bool {
        let index = self.module.index();
        let mentions = index.attributes(attribute).iter();
        let own = mentions.filter(|mention| class.is_none_or(|class| may_be_of(self.module, class, mention)));
        let stores = own.filter_map(|store| index.parent(store));
        let made_weak = stores.into_iter().any(|parent| match parent {
            Node::Stmt(Stmt::Assign(assign)) => is_weak_call(&assign.value),
            Node::Stmt(Stmt::AnnAssign(assign)) => assign.value.as_deref().is_some_and(is_weak_call),
            _ => false,
        });
        made_weak || self.module.notes().has_setter(attribute)
    }

    /// The class of the module that is called.
    fn class_called(self, call: &ExprCall) -> Option<ScopeId> {
        self.module.notes().class_called(call)
    }

    /// `Child(self)`: the new object holds what its constructor keeps.
    fn construct(self, call: &'m ExprCall, edges: &mut Vec<Edge<'m>>) {
        let Some(class) = self.class_called(call) else { return };
        let made = Object::Made(call.start().to_u32());
        for (position, attribute, kept_at) in self.module.notes().kept_by(class) {
            let Some(argument) = argument(call, *position, attribute.parameter) else {
                continue;
            };
            if self.is_weak(attribute.name, Some(class)) {
                continue;
            }
            let mut held = Vec::new();
            self.held(argument, How::Itself, MAX_STEPS, &mut held);
            // Of many arguments, the bound method is the one to look at.
            let place = |how| {
                if how == How::Itself {
                    call.range()
                } else {
                    argument.range()
                }
            };
            edges.extend(held.into_iter().map(|(to, how)| Edge {
                how,
                kept_at: Some(*kept_at),
                ..self.edge(made, Some(attribute.name), to, place(how).into())
            }));
        }
    }
}

/// `a.b.c`
fn is_far(holder: &Expr) -> bool {
    match holder {
        Expr::Attribute(node) => node.value.is_attribute_expr(),
        Expr::Subscript(node) => is_far(&node.value),
        _ => false,
    }
}

/// The argument at a position or of that name.
fn argument<'m>(call: &'m ExprCall, position: usize, name: &str) -> Option<&'m Expr> {
    let is_named = |keyword: &&Keyword| keyword.arg.as_deref() == Some(name);
    let named = call.keywords.iter().find(is_named).map(|keyword| &keyword.value);
    let spread = call.args.iter().take(position + 1).any(Expr::is_starred_expr);
    named.or_else(|| call.args.get(position).filter(|_| !spread))
}

/// Calls whose result holds their arguments.
fn passes_on(call: &ExprCall) -> bool {
    matches!(wrapper(call), Some("partial" | "partialmethod")) || is_cache(call)
}

fn is_cache(call: &ExprCall) -> bool {
    matches!(wrapper(call), Some("cache" | "lru_cache"))
}

/// `lru_cache` of `functools.lru_cache(8)(f)`
fn wrapper(call: &ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Call(inner) => tail(&inner.func),
        func => tail(func),
    }
}

fn is_weak_call(value: &Expr) -> bool {
    let words = [
        "ref",
        "proxy",
        "WeakMethod",
        "WeakSet",
        "WeakValueDictionary",
        "WeakKeyDictionary",
    ];
    Node::Expr(value).descendants().any(|node| match node {
        Node::Expr(Expr::Call(call)) => tail(&call.func).is_some_and(|name| words.contains(&name)),
        _ => false,
    })
}

pub(in crate::detect) fn is_fresh(value: &Expr) -> bool {
    match value {
        Expr::List(_) | Expr::Dict(_) | Expr::Set(_) => true,
        Expr::Call(call) => matches!(
            tail(&call.func),
            Some("list" | "dict" | "set" | "deque" | "defaultdict" | "OrderedDict")
        ),
        _ => false,
    }
}

/// What a method that puts something in puts in.
fn values(call: &ExprCall) -> Vec<&Expr> {
    let skipped = match tail(&call.func) {
        Some("insert" | "setdefault" | "__setitem__") => 1,
        _ => 0,
    };
    let is_many = matches!(tail(&call.func), Some("extend" | "update"));
    let keywords = call.keywords.iter().map(|keyword| &keyword.value);
    let positional = call.args.iter().skip(skipped);
    // `extend(other)` puts in what `other` holds, not `other`.
    let positional = positional.filter(|argument| !is_many || !argument.is_name_expr());
    positional.chain(keywords).collect()
}

/// The expressions that are in the value of this one, or may be it.
fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Tuple(node) => node.elts.iter().collect(),
        Expr::List(node) => node.elts.iter().collect(),
        Expr::Set(node) => node.elts.iter().collect(),
        // `{**other}` takes over what is in there.
        Expr::Dict(node) => node
            .keys
            .iter()
            .zip(&node.values)
            .filter(|(key, _)| key.is_some())
            .map(|(_, value)| value)
            .collect(),
        Expr::BoolOp(node) => node.values.iter().collect(),
        Expr::IfExp(node) => vec![&node.body, &node.orelse],
        Expr::NamedExpr(node) => vec![&node.value],
        _ => Vec::new(),
    }
}
