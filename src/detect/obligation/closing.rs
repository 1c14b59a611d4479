//! What the methods that end an object's life do about one attribute of it.

use std::collections::BTreeSet;

use super::alias::Holder;
use super::callee::names_a_release;
use super::class::Method;
use super::owner::{Owners, Release};
use super::{Cause, Grade, Move, Obligation, World, class, finalizer, follow};
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Ranged, Stmt};
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
/// Where one of these fails, the test does.
const OF_TESTS: [&str; 5] = [
    "tearDown",
    "tearDownClass",
    "asyncTearDown",
    "teardown_method",
    "teardown_class",
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
    /// Something calls its `close`, and does not await that.
    pub unawaited: bool,
    /// The method that releases other things, or ends a `with`, and leaves this open: `close`, `Derived.close`.
    pub forgotten_by: Option<String>,
    /// The registration that keeps every instance alive.
    pub pinned_by: Option<Span>,
    pub fragile: Option<Fragile>,
}

/// How a method that releases it may fail to, or may release too much.
#[derive(Clone, Debug)]
pub struct Fragile {
    /// The name of the method.
    pub method: String,
    /// The step that raises; what a second call does again or cannot do again.
    pub at: Span,
    pub twice: Option<Twice>,
    pub is_likely: bool,
}

/// What becomes of a second call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// It closes a number that may be another's by then.
    Closes,
    /// It gives back what may be another's by then.
    GivesBack,
    Fails,
}

pub(super) fn owned<'m>(world: World<'_, 'm>, obligation: &Obligation<'m>, owners: &Owners<'m>) -> Option<Owned> {
    let holder = Holder::Attribute(obligation.kept_in_self()?);
    let class = world.names.enclosing_class(obligation.span.start)?;
    let mut resource = obligation.resource.as_ref().clone();
    // What can be entered is the stack that it is kept in.
    resource.with_releases |= obligation.on_self().is_none();
    let resource = &resource;
    let is_direct = obligation.on_self().is_some();
    let mut releasing = owners.releasing(world, (holder, is_direct), class, resource);
    releasing.extend(owners.releasing(world, (Holder::AnyOf(class), is_direct), class, resource));
    let release = match owners.release_of(world, (holder, is_direct), class, resource) {
        // What the constructor releases is not what another method opens after that.
        Release::Somewhere
            if !is_run_only_at_birth(world, obligation.body)
                && releasing.iter().all(|scope| is_run_only_at_birth(world, *scope)) =>
        {
            Release::Nowhere
        }
        other => other,
    };
    let fragile = match release {
        Release::Somewhere => obligation
            .on_self()
            .and_then(|attribute| fragile(world, class, attribute, obligation, &releasing)),
        _ => None,
    };
    let (forgotten_by, pinned_by) = match release {
        Release::Somewhere => (
            hollow_exit(world, class, obligation, &releasing)
                .or_else(|| overriding(world, class, obligation.body, &releasing)),
            finalizer::pinned_by(world, class, &releasing),
        ),
        Release::OnlyFinalizer => (None, None),
        Release::Nowhere | Release::Maybe => (forgetful(world, class), None),
    };
    Some(Owned {
        unawaited: owners.is_released_unawaited(holder, resource),
        release,
        forgotten_by,
        pinned_by,
        fragile,
    })
}

/// Whether the body is a constructor, or a private method that only constructors run.
fn is_run_only_at_birth(world: World<'_, '_>, function: ScopeId) -> bool {
    let name = world.names.scope(function).name();
    if name == "__init__" {
        return true;
    }
    if !name.starts_with('_') || name.ends_with("__") || class::of_method(world, function).is_none() {
        return false;
    }
    let mentions = world.nodes().filter_map(|node| match node {
        Node::Expr(Expr::Attribute(node)) if node.attr.as_str() == name => Some(node.start().to_u32()),
        _ => None,
    });
    let in_constructor = |at: u32| {
        let around = world.names.enclosing_function(at);
        around.is_some_and(|scope| world.names.scope(scope).name() == "__init__")
    };
    let all: Vec<_> = mentions.map(in_constructor).collect();
    !all.is_empty() && all.iter().all(|inside| *inside)
}

/// The worst that the methods which release it do.
fn fragile(
    world: World<'_, '_>,
    class: ScopeId,
    attribute: &str,
    obligation: &Obligation<'_>,
    releasing: &BTreeSet<ScopeId>,
) -> Option<Fragile> {
    let line = class::lineage(world, class).into_iter();
    let methods = line.flat_map(|class| class::own_methods(world, class));
    let ends = |name: &str| ENDINGS.contains(&name) || (names_a_release(name) && !name.starts_with("test"));
    let releases = |name: &str| !class::reach(world, class, name).bodies.is_disjoint(releasing);
    // Where a test fails to clean up, that is reported.
    let ending = methods.filter(|method| {
        let name = method.def.name;
        ends(name) && !OF_TESTS.contains(&name) && releases(name)
    });
    let found = ending.filter_map(|method| {
        let twice = cannot_run_twice(world, class, method, attribute);
        let skipped = may_skip(world, (class, method), attribute, obligation, releasing);
        match (twice, skipped) {
            (Some(twice), Some(skipped)) if skipped.is_likely && !twice.is_likely => Some(skipped),
            (twice, skipped) => twice.or(skipped),
        }
    });
    found.max_by_key(|fragile| fragile.is_likely)
}

fn may_skip(
    world: World<'_, '_>,
    (class, method): (ScopeId, Method<'_>),
    attribute: &str,
    obligation: &Obligation<'_>,
    releasing: &BTreeSet<ScopeId>,
) -> Option<Fragile> {
    let fate = follow::follow_attribute(world, method.scope, attribute, &obligation.resource)?;
    let is_registered = fate.moves.contains(&Move::Registered);
    let skipped = fate.skipped.filter(|_| fate.released || is_registered)?;
    let releases = |body: &[Stmt]| {
        let runs = |expr: &Expr| {
            class::on_self(expr).is_some_and(|name| !class::reach(world, class, name).bodies.is_disjoint(releasing))
        };
        let mut inner = body.iter().flat_map(|one| Node::Stmt(one).descendants());
        fate.released_at.iter().any(|at| holds(body, *at)) || inner.any(|node| node.as_expr().is_some_and(runs))
    };
    if is_guarded(method, skipped.at, &releases) {
        return None;
    }
    let is_likely = skipped.grade == Grade::Likely;
    (is_likely || skipped.cause == Cause::Release).then(|| Fragile {
        method: method.def.name.to_owned(),
        at: skipped.at,
        twice: None,
        is_likely,
    })
}

fn holds(body: &[Stmt], at: Span) -> bool {
    body.iter().any(|one| Span::from(one.range()).contains(at))
}

/// Whether a `finally` or a handler around the step has the release, so that it is meant not to happen where it does
/// not.
fn is_guarded(method: Method<'_>, at: Span, releases: &dyn Fn(&[Stmt]) -> bool) -> bool {
    Node::Stmt(method.statement).descendants().any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => {
            let handlers = node.handlers.iter();
            let handlers = handlers.map(|ExceptHandler::ExceptHandler(handler)| handler.body.as_slice());
            let mut guards = handlers.chain([node.finalbody.as_slice()]);
            holds(&node.body, at) && guards.any(releases)
        }
        _ => false,
    })
}

/// `with suppress(OSError):`
fn suppresses(context: &Expr) -> bool {
    let call = context.as_call_expr();
    call.is_some_and(|call| super::tail(&call.func) == "suppress")
}

/// What a second call of the method does again, or cannot do again, though nothing asks whether the first has done it.
fn cannot_run_twice(world: World<'_, '_>, class: ScopeId, method: Method<'_>, attribute: &str) -> Option<Fragile> {
    if EXITS.contains(&method.def.name) || method.def.name == "__del__" {
        return None;
    }
    let inner = || Node::Stmt(method.statement).descendants();
    let resets = inner().any(|node| node.as_expr().is_some_and(|expr| class::is_store(expr, attribute)));
    let about_self = |node: Node<'_>| node.descendants().filter_map(Node::as_expr).any(class::is_self);
    let asks = inner().any(|node| match node {
        Node::Stmt(Stmt::If(node)) => about_self(Node::Expr(&node.test)),
        Node::Stmt(Stmt::While(node)) => about_self(Node::Expr(&node.test)),
        Node::Expr(Expr::IfExp(node)) => about_self(Node::Expr(&node.test)),
        Node::Expr(Expr::BoolOp(_)) => about_self(node),
        _ => false,
    });
    let deletes = inner().any(|node| matches!(node, Node::Stmt(Stmt::Delete(_))) && about_self(node));
    let releases = || inner().find_map(|node| released_again(world, node, attribute));
    let fails = || {
        let once = inner().filter_map(|node| done_once(world, node));
        let once = once.chain(resets.then(|| used_after_reset(method, attribute)).flatten());
        let mut unguarded = once.filter(|at| !is_caught(method, *at));
        unguarded.next().map(|at| (at, Twice::Fails))
    };
    let (at, twice) = if asks {
        None
    } else if resets || deletes {
        PROMISING.contains(&method.def.name).then(fails).flatten()
    } else {
        releases().or_else(|| PROMISING.contains(&method.def.name).then(fails).flatten())
    }?;
    let also_runs = |name: &&str| class::reach(world, class, name).bodies.contains(&method.scope);
    let takes_from_others = twice != Twice::Fails && PROMISING.contains(&method.def.name);
    Some(Fragile {
        method: method.def.name.to_owned(),
        at,
        twice: Some(twice),
        is_likely: takes_from_others || ["__exit__", "__aexit__", "__del__"].iter().any(also_runs),
    })
}

/// Methods that users take to do nothing the second time.
const PROMISING: [&str; 2] = ["close", "aclose"];
/// Methods of pools that take something back.
const GIVING_BACK: [&str; 6] = [
    "putconn",
    "put_conn",
    "release",
    "release_connection",
    "return_connection",
    "give_back",
];

/// `os.close(self.fd)`, `self.pool.putconn(self.conn)`: by the second call it may be somebody else's.
fn released_again(world: World<'_, '_>, node: Node<'_>, attribute: &str) -> Option<(Span, Twice)> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    if call.args.first().and_then(class::on_self) != Some(attribute) {
        return None;
    }
    let resolved = world.names.resolve(&call.func);
    let closes = resolved
        .qualified()
        .is_some_and(|name| world.table.releases_by_function(name));
    let gives_back = call.func.is_attribute_expr() && GIVING_BACK.contains(&super::tail(&call.func));
    let twice = match (closes, gives_back) {
        (true, _) => Twice::Closes,
        (_, true) => Twice::GivesBack,
        _ => return None,
    };
    Some((call.range().into(), twice))
}

/// `_open.pop(self.name)`, `del _open[self.name]`, `os.unlink(self.path)`: there is nothing left to remove by the second call.
fn done_once(world: World<'_, '_>, node: Node<'_>) -> Option<Span> {
    let about_self = |expr: &Expr| {
        Node::Expr(expr)
            .descendants()
            .filter_map(Node::as_expr)
            .any(class::is_self)
    };
    match node {
        Node::Stmt(Stmt::Delete(statement)) => {
            let is_gone = |target: &Expr| match target {
                Expr::Subscript(item) => about_self(&item.slice),
                other => class::on_self(other).is_some(),
            };
            statement.targets.iter().any(is_gone).then(|| node.span())
        }
        Node::Expr(Expr::Call(call)) => {
            let [argument] = call.args.as_slice() else { return None };
            let takes_out = call.func.is_attribute_expr() && ["pop", "remove"].contains(&super::tail(&call.func));
            let resolved = world.names.resolve(&call.func);
            let removes = match resolved.qualified() {
                Some(name) => ["os.unlink", "os.remove", "os.rmdir", "shutil.rmtree"].contains(&name),
                None => takes_out,
            };
            (removes && call.keywords.is_empty() && about_self(argument)).then(|| node.span())
        }
        _ => None,
    }
}

/// `self.sock.close()`, where `self.sock = None` follows.
fn used_after_reset(method: Method<'_>, attribute: &str) -> Option<Span> {
    let is_none = |value: &Expr| matches!(value, Expr::Constant(constant) if constant.value.is_none());
    let body = method.def.body.iter();
    let reset = body.filter_map(|statement| match statement {
        Stmt::Assign(node) if is_none(&node.value) => {
            let stores = node.targets.iter().any(|target| class::is_store(target, attribute));
            stores.then(|| node.start())
        }
        _ => None,
    });
    let reset = reset.into_iter().next()?;
    Node::Stmt(method.statement).descendants().find_map(|node| match node {
        Node::Expr(Expr::Call(call)) if call.start() < reset => {
            let object = call.func.as_attribute_expr().map(|method| &*method.value);
            (object.and_then(class::on_self) == Some(attribute)).then(|| node.span())
        }
        _ => None,
    })
}

/// Whether a handler or a `suppress` is around it.
fn is_caught(method: Method<'_>, at: Span) -> bool {
    Node::Stmt(method.statement).descendants().any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => !node.handlers.is_empty() && holds(&node.body, at),
        Node::Stmt(Stmt::With(node)) => {
            holds(&node.body, at) && node.items.iter().any(|item| suppresses(&item.context_expr))
        }
        _ => false,
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
    if !from_the_beginning || !releasing.iter().any(is_own) || is_put_on_a_stack(world, obligation) {
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

/// `self._stack.callback(lambda: self._file.close())` beside the acquisition: whatever unwinds the stack releases it.
fn is_put_on_a_stack(world: World<'_, '_>, obligation: &Obligation<'_>) -> bool {
    let body = world.names.scope(obligation.body).node;
    let mut inner = body.into_iter().flat_map(Node::descendants);
    inner.any(|node| match node {
        Node::Expr(Expr::Lambda(lambda)) => {
            let mut parts = Node::Expr(&lambda.body).descendants().filter_map(Node::as_expr);
            parts.any(|part| class::on_self(part).is_some_and(|name| obligation.on_self() == Some(name)))
        }
        _ => false,
    })
}

fn is_transaction(world: World<'_, '_>, body: ScopeId) -> bool {
    let node = world.names.scope(body).node;
    let mut inner = node.into_iter().flat_map(Node::descendants).filter_map(Node::as_expr);
    inner.any(|expr| matches!(expr, Expr::Call(call) if TRANSACTIONS.contains(&super::tail(&call.func))))
}

/// The method of a derived class that takes the place of the one that releases, and does not run it.
fn overriding(
    world: World<'_, '_>,
    class: ScopeId,
    acquiring: ScopeId,
    releasing: &BTreeSet<ScopeId>,
) -> Option<String> {
    let name_of = |scope: ScopeId| world.names.scope(scope).name();
    // What it does not acquire either is no concern of the derived class.
    let acquires = |derived: ScopeId| {
        let method = class::method(world, derived, name_of(acquiring));
        method.is_some_and(|method| method.scope == acquiring)
    };
    let ends_it = |name: &&&str| !class::reach(world, class, name).bodies.is_disjoint(releasing);
    let endings: Vec<_> = ENDINGS.iter().filter(ends_it).collect();
    let classes = world.names.scopes().filter(|(_, scope)| scope.kind == ScopeKind::Class);
    let derived =
        classes.filter(|(id, _)| *id != class && class::lineage(world, *id).contains(&class) && acquires(*id));
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
