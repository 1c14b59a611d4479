//! The body that acquires: its statements, its flow graph, and what the definition around it says.

use super::{World, summary};
use std::collections::{BTreeSet, HashSet};

use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::flow::{Graph, Options};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Node, ScopeId, Span};

/// Methods after whose failure nobody has the object, or nobody is likely to close it.
const CONSTRUCTORS: [&str; 4] = ["__init__", "__post_init__", "__enter__", "__aenter__"];
const STARTERS: [&str; 4] = ["start", "open", "connect", "setup"];

/// Calls with which the program ends, or another takes its place.
const ENDINGS: [&str; 16] = [
    "sys.exit",
    "builtins.exit",
    "builtins.quit",
    "argparse.ArgumentParser.error",
    "argparse.ArgumentParser.exit",
    "os._exit",
    "os.abort",
    "os.execl",
    "os.execle",
    "os.execlp",
    "os.execlpe",
    "os.execv",
    "os.execve",
    "os.execvp",
    "os.execvpe",
    "posix.execve",
];

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
    let never_returns = |call: &Expr| {
        let known = calls(world, call, &ENDINGS, &["serve_forever"]);
        known || last_of_helper(world, call).is_some_and(|last| last.is_raise_stmt() || ends_the_program(world, last))
    };
    let options = Options {
        swallows: &swallows,
        never_returns: &never_returns,
    };
    match node {
        Some(Node::Expr(Expr::Lambda(lambda))) => Graph::of_lambda(&lambda.body, &options),
        other => Graph::with_options(statements(world, other), &options),
    }
}

/// Whether the call runs a function of the module that ends the program: `def die(text): print(text); sys.exit(1)`.
pub(super) fn exits(world: World<'_, '_>, call: &ExprCall) -> bool {
    helper_ending(world, call).is_some_and(|last| ends_the_program(world, last))
}

fn last_of_helper<'m>(world: World<'_, 'm>, call: &Expr) -> Option<&'m Stmt> {
    helper_ending(world, call.as_call_expr()?)
}

/// The last statement of the function of the module that is called, if that does not return before it.
fn helper_ending<'m>(world: World<'_, 'm>, call: &ExprCall) -> Option<&'m Stmt> {
    let callee = summary::called(world, &call.func)?;
    let Stmt::FunctionDef(function) = callee.statement else {
        return None;
    };
    let is_method = || {
        let parent = world.names.scope(callee.scope).parent;
        parent.is_some_and(|parent| world.names.scope(parent).kind == ScopeKind::Class)
    };
    let is_for_others = summary::is_abstract(&function.body) && is_method();
    let is_plain = function.decorator_list.is_empty() && !is_for_others;
    let returns = || {
        let inside = nodes(&function.body);
        inside
            .into_iter()
            .any(|node| matches!(node, Node::Stmt(Stmt::Return(_)) | Node::Expr(Expr::Yield(_))))
    };
    function.body.last().filter(|_| is_plain && !returns())
}

fn ends_the_program(world: World<'_, '_>, statement: &Stmt) -> bool {
    let value = statement.as_expr_stmt().map(|statement| &*statement.value);
    value.is_some_and(|call| calls(world, call, &ENDINGS, &[]))
}

fn calls(world: World<'_, '_>, expr: &Expr, qualified: &[&str], methods: &[&str]) -> bool {
    let Expr::Call(call) = expr else { return false };
    let is_method = match &*call.func {
        Expr::Attribute(node) => methods.contains(&node.attr.as_str()),
        _ => false,
    };
    let is_known = |name: &str| qualified.contains(&name);
    is_method
        || world.names.resolve(&call.func).qualified().is_some_and(is_known)
        || typed_method(world, call, qualified).is_some_and(|name| is_known(&name))
}

/// `argparse.ArgumentParser.error` of `parser.error(...)`, if one of the callables is a method of that name.
fn typed_method(world: World<'_, '_>, call: &ExprCall, qualified: &[&str]) -> Option<String> {
    let method = call.func.as_attribute_expr()?;
    let is_method = |name: &&str| {
        let (class, attribute) = name.rsplit_once('.')?;
        let is_class = class.rsplit('.').next()?.starts_with(char::is_uppercase);
        Some(is_class && attribute == method.attr.as_str())
    };
    qualified
        .iter()
        .any(|name| is_method(name) == Some(true))
        .then_some(())?;
    Some(format!("{}.{}", world.types().of(&method.value)?, method.attr))
}

/// The `raise` statements under tests of what only handlers fill, which say that all attempts have failed:
///
/// ```py
/// for address in addresses:
///     try:
///         sock = socket.create_connection(address)
///         break
///     except OSError as error:
///         last = error
/// if last is not None:
///     raise last  # holding nothing
/// ```
pub(super) fn excused(body: &[Stmt]) -> HashSet<Span> {
    let raises = |statement: &Stmt| statement.is_raise_stmt().then(|| Span::from(statement.range()));
    let tests: Vec<_> = nodes(body)
        .filter_map(|node| match node {
            Node::Stmt(Stmt::If(choice)) => Some((&*choice.test, choice.body.iter().find_map(raises)?)),
            _ => None,
        })
        .collect();
    if tests.is_empty() {
        return HashSet::new();
    }
    let failures = filled_by_handlers(body);
    let names = |test: &Expr| {
        let mut inner = Node::Expr(test).descendants().filter_map(Node::as_expr);
        inner.any(|expr| {
            expr.as_name_expr()
                .is_some_and(|name| failures.contains(name.id.as_str()))
        })
    };
    tests
        .into_iter()
        .filter(|(test, _)| names(test))
        .map(|(_, raise)| raise)
        .collect()
}

/// All that stands in these statements, nested definitions included.
pub(super) fn nodes(body: &[Stmt]) -> impl Iterator<Item = Node<'_>> {
    body.iter().flat_map(|statement| Node::Stmt(statement).descendants())
}

/// All that stands in the body of a scope.
pub(super) fn nodes_of<'m>(world: World<'_, 'm>, scope: ScopeId) -> impl Iterator<Item = Node<'m>> {
    nodes(statements(world, world.names.scope(scope).node))
}

/// Variables that handlers fill, and nothing else but with a constant or something empty.
fn filled_by_handlers(body: &[Stmt]) -> BTreeSet<&str> {
    let handlers: Vec<Span> = nodes(body)
        .filter(|node| matches!(node, Node::Handler(_)))
        .map(Node::span)
        .collect();
    let (mut inside, mut outside) = (BTreeSet::new(), BTreeSet::new());
    for node in nodes(body) {
        let Some(name) = filled(node) else { continue };
        let is_inside = handlers.iter().any(|handler| handler.contains(node.span()));
        if is_inside { &mut inside } else { &mut outside }.insert(name);
    }
    inside.retain(|name| !outside.contains(name));
    inside
}

/// The variable that the node fills: `last = error`, `errors[address] = error`, `errors.append(error)`.
fn filled(node: Node<'_>) -> Option<&str> {
    let target = match node {
        Node::Stmt(Stmt::Assign(node)) if !is_empty(&node.value) => match node.targets.first()? {
            Expr::Subscript(item) => &*item.value,
            other => other,
        },
        Node::Expr(Expr::Call(call)) => {
            let method = call.func.as_attribute_expr()?;
            ["append", "add", "extend", "update"]
                .contains(&method.attr.as_str())
                .then_some(&*method.value)?
        }
        _ => return None,
    };
    target.as_name_expr().map(|name| name.id.as_str())
}

fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::Constant(_) => true,
        Expr::List(node) => node.elts.is_empty(),
        Expr::Dict(node) => node.values.is_empty(),
        Expr::Call(call) => call.args.is_empty(),
        _ => false,
    }
}

/// Words in the names that handles have.
const HANDLES: [&str; 9] = [
    "file", "fileobj", "fp", "fh", "stream", "handle", "sock", "socket", "conn",
];

/// The calls whose result gets a name that handles have.
pub(super) fn adopted(body: &[Stmt]) -> HashSet<*const Expr> {
    let named = |target: &Expr| super::tail(target).split('_').any(|word| HANDLES.contains(&word));
    let values = nodes(body).filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(node)) if node.targets.iter().any(named) => Some(&*node.value),
        _ => None,
    });
    values.map(std::ptr::from_ref).collect()
}
