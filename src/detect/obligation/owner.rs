//! Classes that keep a handle on `self`: which attributes are released somewhere, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::{Aliases, Holder};
use super::callee::{self, Treatment};
use super::summary::method_of;
use super::{Obligation, World, class, finalizer};
use crate::detect::resources::Resource;
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Ranged, Stmt, WithItem};
use crate::python::names::{BindingKind, Def, ScopeKind};
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

/// Methods that take single items out of a container; `clear` drops them all.
const EMPTYING: [&str; 5] = ["pop", "popleft", "popitem", "remove", "discard"];

/// What the module does with attributes, whosever they are: `self.f.close()` as well as `owner.f.close()`.
#[derive(Debug, Default)]
pub(super) struct Owners<'m> {
    /// The attributes and variables that are asked about: those in which obligations end.
    wanted: BTreeSet<Holder<'m>>,
    aliases: Aliases<'m>,
    /// What stands for wanted attributes, and for which.
    reaching: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>>,
    /// The same but for what only gets their items.
    standing: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>>,
    /// Attribute → where it is released, and how.
    released: BTreeMap<Holder<'m>, BTreeSet<Act<'m>>>,
    /// The callees of calls that stand alone as statements.
    alone: BTreeSet<u32>,
    /// The same for attributes that a `with` enters: whether that releases is the resource's affair.
    entered: BTreeMap<Holder<'m>, BTreeSet<Place>>,
    /// Attributes that are handed on to something that may release them.
    exposed: BTreeMap<Holder<'m>, BTreeSet<Place>>,
    /// Methods that return a wanted attribute: `connection` of `self._connection`.
    accessors: BTreeSet<(Holder<'m>, ScopeId)>,
    /// What methods name of their own object, by class.
    named_on_self: BTreeSet<(ScopeId, &'m str)>,
    /// Attributes of which items are handed on: lines of a file, or the files of a list.
    exposed_by_item: BTreeMap<Holder<'m>, BTreeSet<Place>>,
    /// Attributes of which something is handed on that `get` gives: an item of a mapping; of a client or shelf an answer.
    asked: BTreeSet<Holder<'m>>,
    /// Containers from which items are taken, so that somebody looks after each.
    emptied: BTreeSet<Holder<'m>>,
    /// Methods that are handed to something that calls them later: `atexit.register(self.close)`.
    registered: BTreeSet<&'m str>,
    /// Handlers that pass on what they catch.
    failing: Vec<Span>,
}

/// One release of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Act<'m> {
    place: Place,
    /// `None` where it is handed to something that releases it.
    method: Option<&'m str>,
    /// The call is a statement of its own, so that nothing awaits it.
    alone: bool,
    /// Only an item of it is taken over, which says nothing of what is no container.
    is_item: bool,
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
        let mut whole = value;
        while let Expr::Subscript(item) = whole {
            whole = &item.value;
        }
        // A name stands for what a method has taken out of its own object.
        let is_own = class::on_own(whole).is_some() || whole.is_name_expr();
        let own = world.names.enclosing_class(at).filter(|_| is_own);
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
    pub(super) fn of_module(world: World<'_, 'm>, wanted: BTreeSet<Holder<'m>>) -> Self {
        if wanted.is_empty() {
            return Self::default();
        }
        let aliases = Aliases::of_module(world);
        let mut owners = Self {
            reaching: aliases.reaching(&wanted, true),
            standing: aliases.reaching(&wanted, false),
            wanted,
            aliases,
            ..Self::default()
        };
        for node in world.nodes() {
            if let Node::Stmt(Stmt::Expr(statement)) = node
                && let Expr::Call(call) = &*statement.value
            {
                owners.alone.insert(call.func.start().to_u32());
            }
            owners.note(world, node);
        }
        owners
    }

    fn note(&mut self, world: World<'_, 'm>, node: Node<'m>) {
        if let Node::Expr(Expr::Attribute(named)) = node
            && class::is_self(&named.value)
        {
            let class = world.names.enclosing_class(named.start().to_u32());
            self.named_on_self
                .extend(class.map(|class| (class, named.attr.as_str())));
        }
        match node {
            Node::Handler(ExceptHandler::ExceptHandler(handler)) => {
                let is_failing = handler.body.last().is_some_and(Stmt::is_raise_stmt);
                self.failing.extend(is_failing.then(|| node.span()));
            }
            Node::Expr(Expr::Attribute(node)) if is_release(world, &node.attr) => {
                let (at, method) = (node.start().to_u32(), Some(node.attr.as_str()));
                self.releases(world, &node.value, at, method);
                // `self.session.socket.close()` releases what the session holds, too.
                let mut object = &*node.value;
                while let Expr::Attribute(inner) = object {
                    object = &inner.value;
                    if object.is_attribute_expr() {
                        self.releases(world, object, at, method);
                    }
                }
            }
            Node::WithItem(WithItem { context_expr, .. }) if !asks(context_expr) => {
                let place = Place::of(world, context_expr);
                for attribute in self.attributes(world, context_expr) {
                    self.entered.entry(attribute).or_default().insert(place);
                }
            }
            Node::Expr(Expr::Call(call)) => {
                if let Expr::Attribute(method) = &*call.func
                    && EMPTYING.contains(&method.attr.as_str())
                {
                    self.emptied.extend(self.attributes(world, &method.value));
                }
                self.note_arguments(world, call);
            }
            Node::Stmt(Stmt::Delete(node)) => {
                for item in node.targets.iter().filter_map(Expr::as_subscript_expr) {
                    self.emptied.extend(self.attributes(world, &item.value));
                }
            }
            Node::Expr(Expr::Await(node)) if world.table.only_named_releases => {
                self.releases(world, &node.value, node.start().to_u32(), None);
            }
            Node::Stmt(Stmt::Return(node)) => match node.value.as_deref() {
                Some(value) if class::on_own(value).is_some() => self.note_accessor(world, value),
                value => self.expose(world, value),
            },
            Node::Expr(Expr::Yield(node)) => self.expose(world, node.value.as_deref()),
            _ => {}
        }
    }

    pub(super) fn knows_all(&self, wanted: &BTreeSet<Holder<'m>>) -> bool {
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

    /// Whether the value is only an item of what the holder has.
    fn is_item(&self, world: World<'_, 'm>, value: &'m Expr, holder: Holder<'m>) -> bool {
        let sources = self.aliases.sources(world, value);
        !sources.iter().any(|source| {
            let standing = self.standing.get(source);
            *source == holder || standing.is_some_and(|held| held.contains(&holder))
        })
    }

    /// Something takes it over that may release it.
    fn takes_over(&mut self, world: World<'_, 'm>, argument: &'m Expr) {
        let place = Place::of(world, argument);
        for holder in self.attributes(world, argument) {
            if self.undoes(world, holder, place.function, argument.start().to_u32()) {
                continue;
            }
            let act = Act {
                place,
                method: None,
                alone: false,
                is_item: self.is_item(world, argument, holder),
            };
            self.released.entry(holder).or_default().insert(act);
        }
    }

    fn releases(&mut self, world: World<'_, 'm>, value: &'m Expr, at: u32, method: Option<&'m str>) {
        let place = Place::of(world, value);
        for attribute in self.attributes(world, value) {
            if self.undoes(world, attribute, place.function, at) {
                continue;
            }
            let alone = method.is_some() && self.alone.contains(&at);
            let act = Act {
                place,
                method,
                alone,
                is_item: false,
            };
            self.released.entry(attribute).or_default().insert(act);
        }
    }

    /// `except BaseException: self.f.close(); raise` in the body that opens it: what is kept when that goes well is not
    /// released by this.
    fn undoes(&self, world: World<'_, '_>, holder: Holder<'_>, function: ScopeId, at: u32) -> bool {
        let Holder::Attribute(attribute) = holder else {
            return false;
        };
        let is_failing = self.failing.iter().any(|handler| handler.contains(Span::at(at)));
        let mut inner = world.names.scope(function).node.into_iter().flat_map(Node::descendants);
        is_failing && inner.any(|node| node.as_expr().is_some_and(|expr| class::is_store(expr, attribute)))
    }

    /// `return self._connection`: where the class itself asks the method for it, nobody else is taken to end it.
    fn note_accessor(&mut self, world: World<'_, 'm>, value: &'m Expr) {
        let function = world.names.enclosing_function(value.start().to_u32());
        let is_private = class::on_own(value).is_some_and(|name| name.starts_with('_'));
        match function.filter(|_| is_private) {
            Some(function) => {
                let held = self.attributes(world, value).into_iter();
                self.accessors.extend(held.map(|holder| (holder, function)));
            }
            None => self.expose(world, Some(value)),
        }
    }

    /// Whether a method returns it that the class has no use for itself.
    fn is_given_away(&self, world: World<'_, '_>, holder: Holder<'m>, class: ScopeId) -> bool {
        let mut given = self.accessors.iter().filter(|(held, _)| *held == holder);
        given.any(|(_, function)| {
            let owner = class::of_method(world, *function);
            let concerns = owner.is_none_or(|owner| owner == class || class::is_related(world, owner, class));
            let name = world.names.scope(*function).name();
            concerns && !owner.is_some_and(|owner| self.named_on_self.contains(&(owner, name)))
        })
    }

    fn expose(&mut self, world: World<'_, 'm>, value: Option<&'m Expr>) {
        let Some(value) = value else { return };
        let place = Place::of(world, value);
        let (is_asked, is_item) = (asks(value), gives_items(world, value));
        for attribute in self.attributes(world, value) {
            if is_asked {
                self.asked.insert(attribute);
                continue;
            }
            let exposed = if is_item || self.is_item(world, value, attribute) {
                &mut self.exposed_by_item
            } else {
                &mut self.exposed
            };
            exposed.entry(attribute).or_default().insert(place);
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
                // Where the call stands says what becomes of its items.
                Treatment::Passes if super::tail(&call.func) == "iter" => {}
                Treatment::Unknown => self.expose(world, Some(argument)),
                Treatment::Releases => self.releases(world, argument, argument.start().to_u32(), None),
                _ => self.takes_over(world, argument),
            }
        }
    }

    /// The functions in which what instances of the class have there is released in a way that is one for the resource.
    pub(super) fn releasing(
        &self,
        world: World<'_, '_>,
        (holder, is_direct): (Holder<'m>, bool),
        class: ScopeId,
        resource: &Resource,
    ) -> BTreeSet<ScopeId> {
        let entered = self.entered.get(&holder).filter(|_| resource.with_releases);
        let is_one_of = |methods: &[String], act: &Act<'_>| {
            act.method.is_some_and(|method| methods.iter().any(|one| one == method))
        };
        let counts = |act: &&Act<'_>| {
            let named = act.method.is_none_or(|method| {
                let is_usual = !world.table.only_named_releases && RELEASES.contains(&method);
                is_usual || resource.release.iter().any(|one| one == method)
            });
            named && !(act.is_item && is_direct) && !(act.alone && is_one_of(&resource.awaited, act))
        };
        let released = self.released.get(&holder).into_iter().flatten().filter(counts);
        let places = released
            .map(|act| act.place)
            .chain(entered.into_iter().flatten().copied());
        let relevant = places.filter(|place| place.concerns(world, holder, class));
        relevant.map(|place| place.function).collect()
    }

    /// Whether a coroutine that would release it is made and not awaited.
    pub(super) fn is_released_unawaited(&self, holder: Holder<'m>, resource: &Resource) -> bool {
        let mut acts = self.released.get(&holder).into_iter().flatten();
        acts.any(|act| {
            act.alone
                && act
                    .method
                    .is_some_and(|method| resource.awaited.iter().any(|one| one == method))
        })
    }

    /// Whether it is handed on; of what is no container, items say nothing.
    fn is_exposed(&self, world: World<'_, '_>, holder: Holder<'m>, class: ScopeId, is_direct: bool) -> bool {
        let by_item = self.exposed_by_item.get(&holder).filter(|_| !is_direct);
        let mut places = self.exposed.get(&holder).into_iter().chain(by_item).flatten();
        places.any(|place| place.concerns(world, holder, class))
    }

    /// Whether something releases the attribute in which an obligation ends, directly or in a container.
    pub(super) fn release_of(
        &self,
        world: World<'_, '_>,
        (holder, is_direct): (Holder<'m>, bool),
        class: ScopeId,
        resource: &Resource,
    ) -> Release {
        let functions = self.releasing(world, (holder, is_direct), class, resource);
        let any = self.releasing(world, (Holder::AnyOf(class), is_direct), class, resource);
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
            true if self.is_given_away(world, holder, class) => Release::Maybe,
            true if self.is_exposed(world, holder, class, is_direct) || self.emptied.contains(&holder) => {
                Release::Maybe
            }
            true if self.asked.contains(&holder) && !is_direct => Release::Maybe,
            true if has_unknown_base(world, class) => Release::Maybe,
            true => Release::Nowhere,
        }
    }

    /// Whether something releases the variable, of the module or a class, that holds an obligation. Whoever is handed
    /// what everybody shares does not release it.
    pub(super) fn release_of_global(
        &self,
        world: World<'_, '_>,
        holder: Holder<'m>,
        class: ScopeId,
        resource: &Resource,
    ) -> Release {
        if !self.releasing(world, (holder, false), class, resource).is_empty() {
            Release::Somewhere
        } else if self.emptied.contains(&holder) {
            Release::Maybe
        } else {
            Release::Nowhere
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
                release: release.clone(),
                with_releases: with_releases || may_inherit_with(world, class),
                acquire: Vec::new(),
                functions: Vec::new(),
                class: None,
                parts: Vec::new(),
                only_if: None,
                unless: None,
                needs: None,
                of_parent: false,
                ends_itself: false,
                awaited: coroutines(world, class, &release),
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
        let functions = self.releasing(world, (holder, true), class, &obligation.resource);
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

/// Those of the methods that are coroutines.
fn coroutines(world: World<'_, '_>, class: ScopeId, methods: &[String]) -> Vec<String> {
    let is_coroutine = |name: &&String| {
        let method = method_of(world, class, name);
        method
            .and_then(|method| Def::of(method.statement))
            .is_some_and(|def| def.is_async)
    };
    methods.iter().filter(is_coroutine).cloned().collect()
}

/// `iter(self._lines)`, or the variable of a loop
fn gives_items(world: World<'_, '_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => call.func.is_name_expr() && super::tail(&call.func) == "iter",
        Expr::Name(name) => {
            let scope = world.names.scope_at(name.start().to_u32());
            let bindings = world.names.bindings(&name.id, scope);
            let is_of_loop = |kind: &BindingKind<'_>| matches!(kind, BindingKind::For { .. });
            !bindings.is_empty() && bindings.iter().all(|binding| is_of_loop(&binding.kind))
        }
        _ => false,
    }
}

/// `async with self.session.get(url) as response:`
fn asks(context: &Expr) -> bool {
    match context {
        Expr::Await(node) => asks(&node.value),
        Expr::Call(call) => super::tail(&call.func) == "get",
        _ => false,
    }
}

fn is_release(world: World<'_, '_>, method: &str) -> bool {
    RELEASES.contains(&method) || world.table.names_release(method)
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
const HARMLESS: [&str; 24] = [
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
    "logging.Handler",
    "logging.Filter",
    "logging.Formatter",
    "argparse.Action",
    "cmd.Cmd",
    "html.parser.HTMLParser",
    "asyncio.Protocol",
    "asyncio.DatagramProtocol",
    "queue.Queue",
    "collections.OrderedDict",
    "collections.UserDict",
    "socketserver.BaseRequestHandler",
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
pub(super) fn has_unknown_base(world: World<'_, '_>, class: ScopeId) -> bool {
    let bases = telling_bases(world, class);
    bases.is_none_or(|bases| bases.iter().any(|base| super::summary::called(world, base).is_none()))
}
