//! Classes that keep a handle on `self`: which attributes are released somewhere, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::callee::{self, Treatment};
use super::summary::method_of;
use super::{Move, Obligation, World};
use crate::detect::resources::Resource;
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, WithItem};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Node, ScopeId, Span};

/// Methods that release whatever they are called on.
const RELEASES: [&str; 18] = [
    "close",
    "aclose",
    "__exit__",
    "__aexit__",
    "shutdown",
    "stop",
    "terminate",
    "disconnect",
    "quit",
    "cleanup",
    "detach",
    "release",
    "dispose",
    "server_close",
    "join",
    "kill",
    "logout",
    "unbind",
];

/// What the module does with attributes, whosever they are: `self.f.close()` as well as `owner.f.close()`.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// Attribute → the functions in which it is released.
    released: BTreeMap<String, BTreeSet<ScopeId>>,
    /// Attributes that are handed on to something that may release them.
    exposed: BTreeSet<String>,
    /// Methods that are handed to something that calls them later: `atexit.register(self.close)`.
    registered: BTreeSet<String>,
}

/// How sure it is that nobody releases an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Somewhere,
    /// Only `__del__` does.
    OnlyFinalizer,
    /// Handed on, or a base class may do it.
    Maybe,
    Nowhere,
}

impl Owners {
    pub(super) fn of_module(world: World<'_, '_>) -> Self {
        let mut owners = Self::default();
        for node in world.module.nodes() {
            owners.note(world, node);
        }
        owners
    }

    fn note(&mut self, world: World<'_, '_>, node: Node<'_>) {
        match node {
            Node::Expr(Expr::Attribute(node)) if RELEASES.contains(&node.attr.as_str()) => {
                // `self.session.socket.close()` releases what the session holds, too.
                let mut object = &*node.value;
                while let Expr::Attribute(inner) = object {
                    self.releases(world, &inner.attr, node.start().to_u32());
                    object = &inner.value;
                }
            }
            Node::WithItem(WithItem {
                context_expr: Expr::Attribute(node),
                ..
            }) => {
                self.releases(world, &node.attr, node.start().to_u32());
            }
            Node::Expr(Expr::Call(call)) => self.note_arguments(world, call),
            Node::Stmt(Stmt::Assign(node)) => self.note_aliases(world, &node.value),
            Node::Stmt(Stmt::For(node)) => self.note_aliases(world, &node.iter),
            Node::Stmt(Stmt::Return(node)) => self.expose(node.value.as_deref()),
            Node::Expr(Expr::Yield(node)) => self.expose(node.value.as_deref()),
            _ => {}
        }
    }

    fn releases(&mut self, world: World<'_, '_>, attribute: &str, at: u32) {
        if let Some(function) = world.names.enclosing_function(at) {
            self.released.entry(attribute.to_owned()).or_default().insert(function);
        }
    }

    fn expose(&mut self, value: Option<&Expr>) {
        if let Some(Expr::Attribute(node)) = value {
            self.exposed.insert(node.attr.to_string());
        }
    }

    fn note_arguments(&mut self, world: World<'_, '_>, call: &ExprCall) {
        let keywords = call.keywords.iter().map(|keyword| &keyword.value);
        for argument in call.args.iter().chain(keywords) {
            let Expr::Attribute(node) = argument else { continue };
            if node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self") {
                self.registered.insert(node.attr.to_string());
            }
            match callee::treatment(world, call, argument) {
                Treatment::Borrows => {}
                Treatment::Unknown => {
                    self.exposed.insert(node.attr.to_string());
                }
                _ => self.releases(world, &node.attr, node.start().to_u32()),
            }
        }
        // getattr(self, "f").close()
        if let (Expr::Name(name), Some(Expr::Constant(word))) = (&*call.func, call.args.get(1))
            && name.id.as_str() == "getattr"
            && let Some(word) = word.value.as_str()
        {
            self.releases(world, word, call.start().to_u32());
        }
    }

    /// `f = self.f` and `for f in (self.a, self.b)`, where the function goes on to release the name.
    fn note_aliases(&mut self, world: World<'_, '_>, value: &Expr) {
        let all = match value {
            Expr::Tuple(node) => node.elts.as_slice(),
            Expr::List(node) => node.elts.as_slice(),
            one => std::slice::from_ref(one),
        };
        for one in all {
            if let Expr::Attribute(node) = one {
                self.releases(world, &node.attr, node.start().to_u32());
            }
        }
    }

    /// Whether something releases the attribute in which an obligation ends.
    pub(super) fn release_of(&self, world: World<'_, '_>, attribute: &str, class: ScopeId) -> Release {
        let functions = self.released.get(attribute);
        let is_finalizer = |scope: &ScopeId| world.names.scope(*scope).qualname.ends_with(".__del__");
        match functions {
            Some(functions) if !functions.iter().all(is_finalizer) => Release::Somewhere,
            Some(_) => Release::OnlyFinalizer,
            None if self.exposed.contains(attribute) || has_unknown_base(world, class) => Release::Maybe,
            None => Release::Nowhere,
        }
    }

    /// If the obligation ends on `self` in a constructor and methods of the class release it: the class,
    /// and what it is to hold an instance.
    pub(super) fn instance_of(&self, world: World<'_, '_>, obligation: &Obligation<'_>) -> Option<(ScopeId, Resource)> {
        let attribute = obligation.on_self()?;
        let init = world.names.scope(obligation.body);
        let class = init
            .parent
            .filter(|parent| world.names.scope(*parent).kind == ScopeKind::Class)?;
        let constructs = ["__init__", "__post_init__"]
            .iter()
            .any(|name| init.qualname.ends_with(&format!(".{name}")));
        if !constructs || !stands_unconditionally(init.node, obligation.span) {
            return None;
        }
        let has = |method: &str| method_of(world, class, method).is_some();
        let mut release: Vec<String> = self.methods_releasing(world, class, attribute);
        let with_releases = has("__exit__") || has("__aexit__");
        let registered = release.iter().any(|method| self.registered.contains(method));
        if registered || (release.is_empty() && !with_releases) {
            return None;
        }
        release.extend(RELEASES.iter().filter(|name| has(name)).map(|name| (*name).to_owned()));
        release.sort();
        release.dedup();
        Some((
            class,
            Resource {
                release,
                with_releases,
                acquire: Vec::new(),
                functions: Vec::new(),
                class: None,
                parts: Vec::new(),
                only_if: None,
                ..obligation.resource.as_ref().clone()
            },
        ))
    }

    /// The public ways to release: methods that do it, and methods that call those.
    fn methods_releasing(&self, world: World<'_, '_>, class: ScopeId, attribute: &str) -> Vec<String> {
        let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
            return Vec::new();
        };
        let functions = self.released.get(attribute);
        let releases = |statement: &Stmt| {
            let scope = world.names.scope_of(statement);
            scope.is_some_and(|scope| functions.is_some_and(|functions| functions.contains(&scope)))
        };
        let methods: Vec<_> = node
            .body
            .iter()
            .filter_map(|statement| Some((statement, Def::of(statement)?)))
            .collect();
        let mut found: BTreeSet<&str> = methods
            .iter()
            .filter(|(statement, _)| releases(statement))
            .map(|(_, def)| def.name)
            .collect();
        for _ in 0..2 {
            let callers = methods.iter().filter(|(statement, _)| calls_one_of(statement, &found));
            let callers: Vec<_> = callers.map(|(_, def)| def.name).collect();
            found.extend(callers);
        }
        let public = found
            .into_iter()
            .filter(|name| *name != "__del__" && *name != "__init__");
        public.map(str::to_owned).collect()
    }
}

fn calls_one_of(method: &Stmt, names: &BTreeSet<&str>) -> bool {
    Node::Stmt(method).descendants().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => names.contains(node.attr.as_str()) && node.value.is_name_expr(),
        _ => false,
    })
}

/// Whether the statement stands directly in the body, or in a `try` or `with` there.
fn stands_unconditionally(function: Option<Node<'_>>, at: Span) -> bool {
    let Some(Node::Stmt(statement)) = function else {
        return false;
    };
    let mut body = Def::of(statement).map_or(&[][..], |def| def.body);
    loop {
        let Some(here) = body.iter().find(|statement| Span::from(statement.range()).contains(at)) else {
            return false;
        };
        body = match here {
            Stmt::Assign(node) => return !node.value.is_if_exp_expr(),
            Stmt::AnnAssign(_) => return true,
            Stmt::Try(node) => &node.body,
            Stmt::With(node) => &node.body,
            _ => return false,
        };
    }
}

/// Whether a base class is defined elsewhere; those of the standard library that release nothing
/// are known.
fn has_unknown_base(world: World<'_, '_>, class: ScopeId) -> bool {
    const HARMLESS: [&str; 12] = [
        "builtins.object",
        "builtins.Exception",
        "threading.Thread",
        "abc.ABC",
        "typing.Generic",
        "typing.Protocol",
        "enum.Enum",
        "typing.NamedTuple",
        "multiprocessing.Process",
        "unittest.TestCase",
        "builtins.dict",
        "builtins.list",
    ];
    let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
        return true;
    };
    node.bases.iter().any(|base| {
        let base = match base {
            Expr::Subscript(node) => &node.value,
            other => other,
        };
        match world.names.resolve(base).qualified() {
            Some(name) => !HARMLESS.contains(&name),
            None => super::summary::called(world, base).is_none(),
        }
    })
}

impl<'m> Obligation<'m> {
    /// The attribute of `self` in which it ends.
    pub fn on_self(&self) -> Option<&'m str> {
        self.fate.moves.iter().find_map(|moved| match moved {
            Move::OnSelf(attribute) => Some(*attribute),
            _ => None,
        })
    }
}
