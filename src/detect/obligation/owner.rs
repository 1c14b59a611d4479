//! Classes that keep a handle on `self`: which attributes are released somewhere, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::{Aliases, Holder};
use super::callee::{self, Treatment};
use super::summary::method_of;
use super::{Move, Obligation, World, class, finalizer};
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
pub(super) struct Owners<'m> {
    /// The attributes that are asked about: those in which obligations end.
    wanted: BTreeSet<&'m str>,
    aliases: Aliases<'m>,
    /// What stands for wanted attributes, and for which.
    reaching: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>>,
    /// Attribute → where it is released.
    released: BTreeMap<Holder<'m>, BTreeSet<Place>>,
    /// The same for attributes that a `with` enters: whether that releases is the resource's affair.
    entered: BTreeMap<Holder<'m>, BTreeSet<Place>>,
    /// Attributes that are handed on to something that may release them.
    exposed: BTreeSet<Holder<'m>>,
    /// Methods that are handed to something that calls them later: `atexit.register(self.close)`.
    registered: BTreeSet<&'m str>,
}

/// Where something is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// `MODULE` for code outside of functions.
    function: ScopeId,
    /// The class whose own attribute it is, where that is said of `self`: `self.f.close()`.
    own: Option<ScopeId>,
}

impl Place {
    fn of(world: World<'_, '_>, value: &Expr) -> Self {
        let at = value.start().to_u32();
        let own = class::on_self(value).and_then(|_| world.names.enclosing_class(at));
        Self {
            function: world.names.enclosing_function(at).unwrap_or(ScopeId::MODULE),
            own,
        }
    }

    /// Another class may have an attribute of the same name, and release only that.
    fn concerns(self, world: World<'_, '_>, holder: Holder<'_>, class: ScopeId) -> bool {
        let (Some(own), Holder::Attribute(attribute)) = (self.own, holder) else {
            return true;
        };
        own == class || class::is_related(world, own, class) || !class::stores(world, own, attribute)
    }
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

impl<'m> Owners<'m> {
    pub(super) fn of_module(world: World<'_, 'm>, wanted: BTreeSet<&'m str>) -> Self {
        if wanted.is_empty() {
            return Self::default();
        }
        let aliases = Aliases::of_module(world);
        let mut owners = Self {
            reaching: aliases.reaching(&wanted),
            wanted,
            aliases,
            ..Self::default()
        };
        for node in world.module.nodes() {
            owners.note(world, node);
        }
        owners
    }

    fn note(&mut self, world: World<'_, 'm>, node: Node<'m>) {
        match node {
            Node::Expr(Expr::Attribute(node)) if RELEASES.contains(&node.attr.as_str()) => {
                self.releases(world, &node.value);
                // `self.session.socket.close()` releases what the session holds, too.
                let mut object = &*node.value;
                while let Expr::Attribute(inner) = object {
                    object = &inner.value;
                    if object.is_attribute_expr() {
                        self.releases(world, object);
                    }
                }
            }
            Node::WithItem(WithItem { context_expr, .. }) => {
                let place = Place::of(world, context_expr);
                for attribute in self.attributes(world, context_expr) {
                    self.entered.entry(attribute).or_default().insert(place);
                }
            }
            Node::Expr(Expr::Call(call)) => self.note_arguments(world, call),
            Node::Stmt(Stmt::Return(node)) => self.expose(world, node.value.as_deref()),
            Node::Expr(Expr::Yield(node)) => self.expose(world, node.value.as_deref()),
            _ => {}
        }
    }

    pub(super) fn knows_all(&self, wanted: &BTreeSet<&'m str>) -> bool {
        self.wanted.is_superset(wanted)
    }

    /// The wanted attributes that the value may come from.
    fn attributes(&self, world: World<'_, 'm>, value: &'m Expr) -> Vec<Holder<'m>> {
        let mut found = Vec::new();
        for source in self.aliases.sources(world, value) {
            found.extend(self.reaching.get(&source).into_iter().flatten());
            found.extend(Some(source).filter(|source| matches!(source, Holder::AnyOf(_))));
        }
        found
    }

    fn releases(&mut self, world: World<'_, 'm>, value: &'m Expr) {
        let place = Place::of(world, value);
        for attribute in self.attributes(world, value) {
            self.released.entry(attribute).or_default().insert(place);
        }
    }

    fn expose(&mut self, world: World<'_, 'm>, value: Option<&'m Expr>) {
        if let Some(value) = value {
            self.exposed.extend(self.attributes(world, value));
        }
    }

    fn note_arguments(&mut self, world: World<'_, 'm>, call: &'m ExprCall) {
        let keywords = call.keywords.iter().map(|keyword| &keyword.value);
        for argument in call.args.iter().chain(keywords) {
            if let Expr::Attribute(node) = argument
                && node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self")
            {
                self.registered.insert(&node.attr);
            }
            if self.attributes(world, argument).is_empty() {
                continue;
            }
            match callee::treatment(world, call, argument) {
                Treatment::Borrows => {}
                Treatment::Unknown => self.expose(world, Some(argument)),
                _ => self.releases(world, argument),
            }
        }
    }

    /// The functions in which what instances of the class have there is released, if a `with` does it or does not.
    pub(super) fn releasing(
        &self,
        world: World<'_, '_>,
        holder: Holder<'m>,
        class: ScopeId,
        with_releases: bool,
    ) -> BTreeSet<ScopeId> {
        let entered = self.entered.get(&holder).filter(|_| with_releases);
        let released = self.released.get(&holder);
        let places = released.into_iter().chain(entered).flatten();
        let relevant = places.filter(|place| place.concerns(world, holder, class));
        relevant.map(|place| place.function).collect()
    }

    /// Whether something releases the attribute in which an obligation ends.
    pub(super) fn release_of(
        &self,
        world: World<'_, '_>,
        attribute: &'m str,
        class: ScopeId,
        resource: &Resource,
    ) -> Release {
        let holder = Holder::Attribute(attribute);
        let functions = self.releasing(world, holder, class, resource.with_releases);
        let any = self.releasing(world, Holder::AnyOf(class), class, resource.with_releases);
        match functions.is_empty() {
            _ if !any.is_empty() => Release::Somewhere,
            false
                if functions
                    .iter()
                    .all(|scope| finalizer::is_run_only_by_one(world, *scope)) =>
            {
                Release::OnlyFinalizer
            }
            false => Release::Somewhere,
            true if self.exposed.contains(&holder) || has_unknown_base(world, class) => Release::Maybe,
            true => Release::Nowhere,
        }
    }

    /// If the obligation ends on `self` in a constructor and methods of the class release it: the class,
    /// and what it is to hold an instance.
    pub(super) fn instance_of(&self, world: World<'_, '_>, obligation: &Obligation<'m>) -> Option<(ScopeId, Resource)> {
        let attribute = obligation.on_self()?;
        let init = world.names.scope(obligation.body);
        let class = init
            .parent
            .filter(|parent| world.names.scope(*parent).kind == ScopeKind::Class)?;
        let constructs = ["__init__", "__post_init__"]
            .iter()
            .any(|name| init.qualname.ends_with(&format!(".{name}")));
        if !constructs || obligation.resource.kind == "pipe" || !stands_unconditionally(init.node, obligation.span) {
            return None;
        }
        let has = |method: &str| method_of(world, class, method).is_some();
        let mut release: Vec<String> = self.methods_releasing(world, class, obligation, attribute);
        let with_releases = has("__exit__") || has("__aexit__");
        let registered = release.iter().any(|method| self.registered.contains(method.as_str()));
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
                with_releases: with_releases || may_inherit_with(world, class),
                acquire: Vec::new(),
                functions: Vec::new(),
                class: None,
                parts: Vec::new(),
                only_if: None,
                ends_itself: false,
                of_receiver: false,
                ..obligation.resource.as_ref().clone()
            },
        ))
    }

    /// The public ways to release: methods that do it, and methods that call those.
    fn methods_releasing(
        &self,
        world: World<'_, '_>,
        class: ScopeId,
        obligation: &Obligation<'m>,
        attribute: &'m str,
    ) -> Vec<String> {
        let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
            return Vec::new();
        };
        let holder = Holder::Attribute(attribute);
        let functions = self.releasing(world, holder, class, obligation.resource.with_releases);
        let releases = |statement: &Stmt| {
            let scope = world.names.scope_of(statement);
            scope.is_some_and(|scope| functions.contains(&scope))
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

/// Base classes of the standard library that release nothing and bring no `with` protocol along.
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

/// The base classes that are not harmless; `None` if it is no class of this module.
fn telling_bases<'m>(world: World<'_, 'm>, class: ScopeId) -> Option<Vec<&'m Expr>> {
    let Some(Node::Stmt(Stmt::ClassDef(node))) = world.names.scope(class).node else {
        return None;
    };
    let bases = node.bases.iter().map(|base| match base {
        Expr::Subscript(node) => &*node.value,
        other => other,
    });
    let is_harmless = |base: &&Expr| {
        let resolved = world.names.resolve(base);
        resolved.qualified().is_some_and(|name| HARMLESS.contains(&name))
    };
    Some(bases.filter(|base| !is_harmless(base)).collect())
}

/// A base class may bring the `with` protocol along.
fn may_inherit_with(world: World<'_, '_>, class: ScopeId) -> bool {
    telling_bases(world, class).is_some_and(|bases| !bases.is_empty())
}

/// Whether a base class is defined elsewhere.
fn has_unknown_base(world: World<'_, '_>, class: ScopeId) -> bool {
    let bases = telling_bases(world, class);
    bases.is_none_or(|bases| bases.iter().any(|base| super::summary::called(world, base).is_none()))
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
