//! Which releases are likely to raise, and so to skip the releases after them.

use super::effect::Setting;
use super::state::State;
use super::{Grade, World, acquire, class, tail};
use crate::python::ast::{Expr, ExprAttribute, ExprCall, Ranged, Stmt};
use crate::python::flow::{Kind, Step};
use crate::python::names::BindingKind;
use crate::python::{Node, ScopeId, Span};

/// Methods that release their object.
const RELEASES: [&str; 15] = [
    "close",
    "aclose",
    "wait_closed",
    "shutdown",
    "terminate",
    "kill",
    "cleanup",
    "stop",
    "quit",
    "logout",
    "disconnect",
    "dispose",
    "unlink",
    "__exit__",
    "__aexit__",
];
/// Of these, the ones that talk to somebody else, or to the file system.
const TALKING: [&str; 6] = ["quit", "logout", "disconnect", "unlink", "wait_closed", "cleanup"];
/// Words in the names of calls that finish something before a release, and fail where it cannot be finished.
const FINISHING: [&str; 13] = [
    "flush",
    "commit",
    "rollback",
    "wait",
    "send",
    "write",
    "logout",
    "quit",
    "communicate",
    "save",
    "dump",
    "fsync",
    "shutdown",
];

/// A step that releases something else.
pub(super) fn of_another(setting: Setting<'_, '_>, step: &Step<'_>, state: &State<'_>) -> Option<Grade> {
    if let Some(release) = handed_on(setting, step, state) {
        return (setting.ending && may_be_none(setting.world, setting.body, state, &release.value))
            .then_some(Grade::Likely);
    }
    let method = of_other(step, state)?;
    let world = setting.world;
    let raises = TALKING.contains(&method.attr.as_str())
        || made_by(world, &method.value)
            .into_iter()
            .any(|made| finishes_when_closed(world, made))
        || is_missing(setting, state, &method.value)
        || called(step).is_some_and(ends_a_connection);
    Some(if raises { Grade::Likely } else { Grade::Unlikely })
}

/// `a.close` where that is called and `a` is something else.
fn of_other<'m>(step: &Step<'m>, state: &State<'_>) -> Option<&'m ExprAttribute> {
    let method = called(step)?.func.as_attribute_expr()?;
    is_release_of_other(method, state).then_some(method)
}

/// The same where it is handed on to be called later: `stack.callback(self._a.close)`.
fn handed_on<'m>(setting: Setting<'_, '_>, step: &Step<'m>, state: &State<'_>) -> Option<&'m ExprAttribute> {
    let Kind::Evaluate(expr) = step.kind else { return None };
    let method = expr.as_attribute_expr()?;
    let is_called = setting.callees.contains(&std::ptr::from_ref(expr));
    (!is_called && is_release_of_other(method, state)).then_some(method)
}

fn is_release_of_other(method: &ExprAttribute, state: &State<'_>) -> bool {
    let is_other = state.holds(&method.value).is_none() && !class::is_self(&method.value);
    is_other && RELEASES.contains(&method.attr.as_str())
}

/// Whether there may be nothing to release.
fn is_missing(setting: Setting<'_, '_>, state: &State<'_>, value: &Expr) -> bool {
    (setting.ending && may_be_none(setting.world, setting.body, state, value))
        || may_be_unbound(setting.world, setting.body, value)
}

/// The classes one of which catches all that a step raises in practice that releases or finishes something.
pub(super) fn caught_as(setting: Setting<'_, '_>, step: &Step<'_>, state: &State<'_>) -> &'static [&'static str] {
    let Some(method) = called(step).and_then(|call| call.func.as_attribute_expr()) else {
        return &[];
    };
    let is_of_database = |made: &Expr| is_of_database(setting.world, made);
    match method.attr.as_str() {
        _ if is_missing(setting, state, &method.value) => &[],
        _ if made_by(setting.world, &method.value).into_iter().any(is_of_database) => {
            &["Error", "DatabaseError", "error"]
        }
        "wait" | "communicate" => &["TimeoutExpired", "TimeoutError"],
        "terminate" | "kill" => &["OSError", "IOError", "EnvironmentError", "error", "ProcessLookupError"],
        "unlink" | "remove" | "rmdir" => &["OSError", "IOError", "EnvironmentError", "error", "FileNotFoundError"],
        "quit" | "logout" => &["OSError", "SMTPException", "all_errors", "Error", "error"],
        "close" | "aclose" | "wait_closed" | "shutdown" | "flush" | "fsync" | "send" | "sendall" => {
            &["OSError", "IOError", "EnvironmentError", "error"]
        }
        _ => &[],
    }
}

/// Of the other steps of a method that ends an object's life, those count that finish something; that it complains
/// about being called at the wrong time skips no release.
pub(super) fn in_ending(world: World<'_, '_>, step: &Step<'_>, risk: Grade) -> Option<Grade> {
    if let Kind::Raise(_) = step.kind {
        return None;
    }
    let call = called(step)?;
    if calls_back(world, &call.func) {
        return Some(Grade::Likely);
    }
    let lower = tail(&call.func).to_lowercase();
    FINISHING.iter().any(|word| lower.contains(word)).then_some(risk)
}

/// `self.close_callback()`, `hook()`: what users hand in may raise what it likes. A method that is called so is none.
fn calls_back(world: World<'_, '_>, func: &Expr) -> bool {
    let around = world.names.enclosing_class(func.start().to_u32());
    let is_method = class::on_self(func).is_some_and(|name| {
        let methods = around.map(|around| class::own_methods(world, around));
        methods.into_iter().flatten().any(|method| method.def.name == name)
    });
    if is_method {
        return false;
    }
    let is_held = func.is_name_expr() || class::on_self(func).is_some();
    let name = tail(func).trim_start_matches('_');
    let is_one = |word: &str| name == word || name.ends_with(&format!("_{word}"));
    is_held && ["callback", "cb", "hook", "listener"].into_iter().any(is_one)
}

fn called<'m>(step: &Step<'m>) -> Option<&'m ExprCall> {
    let Kind::Evaluate(expr) = step.kind else { return None };
    match expr {
        Expr::Await(node) => node.value.as_call_expr(),
        other => other.as_call_expr(),
    }
}

/// The calls that may have made the value of a name or of an attribute of `self`.
fn made_by<'m>(world: World<'_, 'm>, value: &Expr) -> Vec<&'m Expr> {
    match value {
        Expr::Name(name) => {
            let bindings = world
                .names
                .bindings(&name.id, world.names.scope_at(name.start().to_u32()));
            let values = bindings.iter().filter_map(|binding| match binding.kind {
                BindingKind::Assign { value } => value,
                _ => None,
            });
            values.filter(|value| value.is_call_expr()).collect()
        }
        other => {
            let stores = class::on_self(other).map(|attribute| stores_of(world, other, attribute));
            let values = stores.into_iter().flatten().map(|(_, value)| value);
            values.filter(|value| value.is_call_expr()).collect()
        }
    }
}

/// What the class around `at` stores into the attribute, and in which of its bodies.
fn stores_of<'m>(world: World<'_, 'm>, at: &Expr, attribute: &str) -> Vec<(ScopeId, &'m Expr)> {
    let Some(class) = world.names.enclosing_class(at.start().to_u32()) else {
        return Vec::new();
    };
    let nodes = class::lineage(world, class).into_iter();
    let nodes = nodes.filter_map(|class| world.names.scope(class).node);
    let stores = nodes.flat_map(Node::descendants).filter_map(|node| {
        let (targets, value) = match node {
            Node::Stmt(Stmt::Assign(node)) => (node.targets.as_slice(), &*node.value),
            Node::Stmt(Stmt::AnnAssign(node)) => (std::slice::from_ref(&*node.target), node.value.as_deref()?),
            _ => return None,
        };
        let names = |target: &Expr| match target {
            Expr::Name(name) => name.id.as_str() == attribute,
            other => class::on_self(other) == Some(attribute),
        };
        let body = acquire::body_of(world, node.span().start);
        targets.iter().any(names).then_some((body, value))
    });
    stores.collect()
}

fn is_of_database(world: World<'_, '_>, made: &Expr) -> bool {
    let Expr::Call(call) = made else { return false };
    let resolved = world.names.resolve(&call.func);
    let known = resolved.qualified().and_then(|name| world.table.acquired_by(name));
    known.is_some_and(|resource| resource.kind == "db-connection")
}

/// `open(path, "w")`, `ZipFile(path, "a")`, `sqlite3.connect(path)`: closing it writes what is left, or ends a session.
fn finishes_when_closed(world: World<'_, '_>, made: &Expr) -> bool {
    let Expr::Call(call) = made else { return false };
    let writes = |expr: &Expr| {
        let text = expr.as_constant_expr().and_then(|constant| constant.value.as_str());
        text.is_some_and(|text| text.len() <= 4 && text.contains(['w', 'a', 'x', '+']))
    };
    let resolved = world.names.resolve(&call.func);
    let known = resolved.qualified().and_then(|name| world.table.acquired_by(name));
    let values = call
        .keywords
        .iter()
        .filter(|keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == "mode"));
    let mut modes = call
        .args
        .iter()
        .skip(1)
        .take(1)
        .chain(values.map(|keyword| &keyword.value));
    match known.map(|resource| resource.kind.as_str()) {
        Some(
            "db-connection"
            | "database-file"
            | "mail-client"
            | "client"
            | "ssh-client"
            | "temporary-file"
            | "temporary-directory",
        ) => true,
        Some(_) => modes.any(writes),
        // A class of the module: nobody knows what its `close` does.
        None => acquire::acquires(world, made),
    }
}

/// `sock.shutdown(SHUT_RDWR)` fails once the other side is gone.
fn ends_a_connection(call: &ExprCall) -> bool {
    let how = call.args.first();
    tail(&call.func) == "shutdown" && how.is_some_and(|how| tail(how).starts_with("SHUT_"))
}

/// `cursor.close()` in a `finally`, where only the body of that `try` gives the name a value, and may fail to.
fn may_be_unbound(world: World<'_, '_>, body: ScopeId, value: &Expr) -> bool {
    let Some(name) = value.as_name_expr() else {
        return false;
    };
    let bindings = world.names.bindings(&name.id, body);
    let around = world.names.scope(body).node.into_iter().flat_map(Node::descendants);
    let mut tries = around.filter_map(|node| match node {
        Node::Stmt(Stmt::Try(node)) => Some(node),
        _ => None,
    });
    let holds = |statements: &[Stmt], at: Span| statements.iter().any(|one| Span::from(one.range()).contains(at));
    !bindings.is_empty()
        && tries.any(|node| {
            holds(&node.finalbody, name.range().into())
                && node.handlers.is_empty()
                && bindings.iter().all(|binding| holds(&node.body, binding.span))
        })
}

/// `self._log.close()` where the object begins with `self._log = None`, only another method than the one that acquires
/// what is followed gives it a value, and nothing here asks.
fn may_be_none(world: World<'_, '_>, body: ScopeId, state: &State<'_>, value: &Expr) -> bool {
    let Some(attribute) = class::on_self(value) else {
        return false;
    };
    let stores = stores_of(world, value, attribute);
    let (none, made): (Vec<_>, Vec<_>) = stores.into_iter().partition(|(_, value)| is_none(value));
    let begins_as_none = none.iter().any(|(body, _)| {
        let scope = world.names.scope(*body);
        scope.kind == crate::python::names::ScopeKind::Class || scope.qualname.ends_with(".__init__")
    });
    let held = state.on_self().unwrap_or_default();
    let together = stores_of(world, value, held)
        .into_iter()
        .any(|(body, value)| !is_none(value) && made.iter().any(|(other, _)| *other == body));
    begins_as_none && !together && !is_asked(world, body, attribute)
}

fn is_none(value: &Expr) -> bool {
    value
        .as_constant_expr()
        .is_some_and(|constant| constant.value.is_none())
}

/// Whether a condition of the body mentions the attribute.
fn is_asked(world: World<'_, '_>, body: ScopeId, attribute: &str) -> bool {
    let mentions = |node: Node<'_>| {
        let mut inner = node.descendants().filter_map(Node::as_expr);
        inner.any(|expr| class::on_self(expr) == Some(attribute))
    };
    let node = world.names.scope(body).node;
    node.into_iter().flat_map(Node::descendants).any(|node| match node {
        Node::Stmt(Stmt::If(node)) => mentions(Node::Expr(&node.test)),
        Node::Stmt(Stmt::While(node)) => mentions(Node::Expr(&node.test)),
        Node::Stmt(Stmt::Assert(node)) => mentions(Node::Expr(&node.test)),
        Node::Expr(Expr::IfExp(node)) => mentions(Node::Expr(&node.test)),
        Node::Expr(Expr::BoolOp(_)) => mentions(node),
        _ => false,
    })
}
