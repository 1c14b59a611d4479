//! The body that acquires: its statements, its flow graph, and what the definition around it says.

use super::World;
use crate::python::Node;
use crate::python::ast::{Expr, Stmt};
use crate::python::flow::{Graph, Options};
use crate::python::names::Def;

/// Methods after whose failure nobody has the object, or nobody is likely to close it.
const CONSTRUCTORS: [&str; 4] = ["__init__", "__post_init__", "__enter__", "__aenter__"];
const STARTERS: [&str; 4] = ["start", "open", "connect", "setup"];

/// Decorators under which a generator gets control back after its `yield`.
const MANAGERS: [&str; 2] = ["contextmanager", "asynccontextmanager"];
const FIXTURES: [&str; 3] = ["fixture", "yield_fixture", "async_fixture"];

/// Whether `self` may be without an owner when the method raises.
pub(super) fn constructs(node: Option<Node<'_>>) -> bool {
    is_named(node, &CONSTRUCTORS) || is_named(node, &STARTERS)
}

fn is_named(node: Option<Node<'_>>, names: &[&str]) -> bool {
    let def = node.and_then(Node::as_stmt).and_then(Def::of);
    def.is_some_and(|def| names.contains(&def.name))
}

pub(super) fn is_managed(node: Option<Node<'_>>) -> bool {
    is_decorated(node, &MANAGERS) || is_fixture(node)
}

/// A fixture of pytest, which goes on after its `yield` whatever the test did.
pub(super) fn is_fixture(node: Option<Node<'_>>) -> bool {
    is_decorated(node, &FIXTURES)
}

fn is_decorated(node: Option<Node<'_>>, names: &[&str]) -> bool {
    let Some(def) = node.and_then(Node::as_stmt).and_then(Def::of) else {
        return false;
    };
    def.decorators.iter().any(|decorator| match decorator {
        Expr::Call(call) => names.contains(&super::tail(&call.func)),
        other => names.contains(&super::tail(other)),
    })
}

pub(super) fn statements<'m>(world: World<'_, 'm>, node: Option<Node<'m>>) -> &'m [Stmt] {
    match node {
        None => &world.module.body,
        Some(Node::Stmt(Stmt::ClassDef(class))) => &class.body,
        Some(Node::Stmt(statement)) => Def::of(statement).map_or(&[], |def| def.body),
        Some(_) => &[],
    }
}

pub(super) fn graph_of<'m>(world: World<'_, 'm>, node: Option<Node<'m>>) -> Graph<'m> {
    let swallows = |context: &Expr| {
        calls(
            world,
            context,
            &["contextlib.suppress", "pytest.raises"],
            &["assertRaises", "assertRaisesRegex"],
        )
    };
    // A server serves until somebody ends it, mostly by an exception.
    let never_returns = |call: &Expr| calls(world, call, &["sys.exit", "os._exit", "os.abort"], &["serve_forever"]);
    let options = Options {
        swallows: &swallows,
        never_returns: &never_returns,
    };
    match node {
        Some(Node::Expr(Expr::Lambda(lambda))) => Graph::of_lambda(&lambda.body, &options),
        other => Graph::with_options(statements(world, other), &options),
    }
}

fn calls(world: World<'_, '_>, expr: &Expr, qualified: &[&str], methods: &[&str]) -> bool {
    let Expr::Call(call) = expr else { return false };
    let is_method = match &*call.func {
        Expr::Attribute(node) => methods.contains(&node.attr.as_str()),
        _ => false,
    };
    is_method
        || world
            .names
            .resolve(&call.func)
            .qualified()
            .is_some_and(|name| qualified.contains(&name))
}
