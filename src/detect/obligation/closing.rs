//! What the methods that end an object's life do about one attribute of it.

use std::collections::BTreeSet;

use super::alias::Holder;
use super::callee::names_a_release;
use super::owner::{Owners, Release};
use super::{Obligation, World, class, finalizer};
use crate::python::ast::{Expr, ExprCall};
use crate::python::names::ScopeKind;
use crate::python::{Node, ScopeId, Span};

/// Methods after which users take an object to hold nothing any more.
const ENDINGS: [&str; 19] = [
    "close",
    "aclose",
    "__exit__",
    "__aexit__",
    "shutdown",
    "stop",
    "disconnect",
    "terminate",
    "cleanup",
    "dispose",
    "quit",
    "destroy",
    "finish",
    "server_close",
    "teardown",
    "tearDown",
    "asyncTearDown",
    "teardown_method",
    "tearDownClass",
];
/// Leaving a `with` ends it.
const EXITS: [&str; 2] = ["__exit__", "__aexit__"];
const ENTRANCES: [&str; 4] = ["__init__", "__post_init__", "__enter__", "__aenter__"];
/// What a `with` of a transaction does when it is left, which goes on living.
const TRANSACTIONS: [&str; 6] = ["commit", "rollback", "release", "flush", "pop", "reset"];
/// Methods by which other objects are released.
const RELEASES: [&str; 13] = [
    "close",
    "aclose",
    "shutdown",
    "stop",
    "terminate",
    "disconnect",
    "quit",
    "cleanup",
    "dispose",
    "server_close",
    "kill",
    "logout",
    "__exit__",
];

/// Who releases an attribute that holds an obligation, and how well.
#[derive(Clone, Debug)]
pub struct Owned {
    pub release: Release,
    /// The method that releases other things, or ends a `with`, and leaves this open: `close`, `Derived.close`.
    pub forgotten_by: Option<String>,
    /// The registration that keeps every instance alive.
    pub pinned_by: Option<Span>,
}

pub(super) fn owned<'m>(world: World<'_, 'm>, obligation: &Obligation<'m>, owners: &Owners<'m>) -> Option<Owned> {
    let attribute = obligation.on_self()?;
    let class = world.names.enclosing_class(obligation.span.start)?;
    let with_releases = obligation.resource.with_releases;
    let release = owners.release_of(world, attribute, class, &obligation.resource);
    let holder = Holder::Attribute(attribute);
    let mut releasing = owners.releasing(world, holder, class, with_releases);
    releasing.extend(owners.releasing(world, Holder::AnyOf(class), class, with_releases));
    let (forgotten_by, pinned_by) = match release {
        Release::Somewhere => (
            hollow_exit(world, class, obligation, &releasing).or_else(|| overriding(world, class, &releasing)),
            finalizer::pinned_by(world, class, &releasing),
        ),
        Release::OnlyFinalizer => (None, None),
        Release::Nowhere | Release::Maybe => (forgetful(world, class), None),
    };
    Some(Owned {
        release,
        forgotten_by,
        pinned_by,
    })
}

/// The ending of a class that releases something, if only what its body of a `with` is taken to use.
fn forgetful(world: World<'_, '_>, class: ScopeId) -> Option<String> {
    let promises = |name: &&&str| {
        let reach = class::reach(world, class, name);
        let exists = !reach.bodies.is_empty();
        exists && (EXITS.contains(name) || reach.bodies.iter().any(|body| releases_something(world, *body)))
    };
    ENDINGS.iter().find(promises).map(|name| (*name).to_owned())
}

fn releases_something(world: World<'_, '_>, body: ScopeId) -> bool {
    let node = world.names.scope(body).node;
    let mut inner = node.into_iter().flat_map(Node::descendants).filter_map(Node::as_expr);
    inner.any(|expr| matches!(expr, Expr::Call(call) if is_release(world, call)))
}

/// `self._pool.shutdown()`, `os.close(self.fd)`, `super().close()`, `close_quietly(self._sock)`; not `self.close()`, whose
/// body is looked at besides.
fn is_release(world: World<'_, '_>, call: &ExprCall) -> bool {
    let tail = super::tail(&call.func);
    match &*call.func {
        Expr::Attribute(node) if class::is_self(&node.value) => false,
        Expr::Attribute(node) if RELEASES.contains(&tail) => !node.value.is_constant_expr(),
        func => {
            let resolved = world.names.resolve(func);
            let known = resolved
                .qualified()
                .is_some_and(|name| world.table.releases_by_function(name));
            known || (!call.args.is_empty() && names_a_release(tail))
        }
    }
}

/// The `__exit__` that does not do what `close` does about something that the object has from its beginning.
fn hollow_exit(
    world: World<'_, '_>,
    class: ScopeId,
    obligation: &Obligation<'_>,
    releasing: &BTreeSet<ScopeId>,
) -> Option<String> {
    let is_own = |function: &ScopeId| class::of_method(world, *function) == Some(class);
    let from_the_beginning = ENTRANCES
        .iter()
        .any(|name| class::reach(world, class, name).bodies.contains(&obligation.body));
    if !from_the_beginning || !releasing.iter().any(is_own) {
        return None;
    }
    let is_hollow = |name: &&&str| {
        let reach = class::reach(world, class, name);
        !reach.bodies.is_empty()
            && !reach.beyond
            && reach.bodies.is_disjoint(releasing)
            && !reach.bodies.iter().any(|body| is_transaction(world, *body))
    };
    EXITS.iter().find(is_hollow).map(|name| (*name).to_owned())
}

fn is_transaction(world: World<'_, '_>, body: ScopeId) -> bool {
    let node = world.names.scope(body).node;
    let mut inner = node.into_iter().flat_map(Node::descendants).filter_map(Node::as_expr);
    inner.any(|expr| matches!(expr, Expr::Call(call) if TRANSACTIONS.contains(&super::tail(&call.func))))
}

/// The method of a derived class that takes the place of the one that releases, and does not run it.
fn overriding(world: World<'_, '_>, class: ScopeId, releasing: &BTreeSet<ScopeId>) -> Option<String> {
    let ends_it = |name: &&&str| !class::reach(world, class, name).bodies.is_disjoint(releasing);
    let endings: Vec<_> = ENDINGS.iter().filter(ends_it).collect();
    let classes = world.names.scopes().filter(|(_, scope)| scope.kind == ScopeKind::Class);
    let derived = classes.filter(|(id, _)| *id != class && class::lineage(world, *id).contains(&class));
    for (id, scope) in derived {
        let own = class::own_methods(world, id);
        for method in own
            .iter()
            .filter(|method| endings.iter().any(|name| **name == method.def.name))
        {
            let reach = class::reach(world, id, method.def.name);
            if !reach.beyond && reach.bodies.is_disjoint(releasing) {
                return Some(format!("{}.{}", scope.qualname, method.def.name));
            }
        }
    }
    None
}
