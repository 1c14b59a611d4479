//! Conditions on classes.

use super::guard::is_quiet;
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::is_self;
use crate::mutate::resources::{IN_MEMORY, Resource, nested_acquisitions, resource_of};
use crate::python::Node;
use crate::python::ast::{ExceptHandler, Expr, ExprContext, Stmt, StmtClassDef, StmtIf, StmtWith};
use crate::python::{Resolved, names::BindingKind};

fn anchor_class<'m>(scene: &Scene<'_, '_, 'm>) -> Option<&'m StmtClassDef> {
    match scene.site.parts.first()?.node() {
        Node::Stmt(Stmt::ClassDef(class)) => Some(class),
        _ => None,
    }
}

pub(super) fn method<'m>(class: &'m StmtClassDef, name: &str) -> Option<&'m Stmt> {
    class.body.iter().find(|statement| match statement {
        Stmt::FunctionDef(node) => node.name.as_str() == name,
        Stmt::AsyncFunctionDef(node) => node.name.as_str() == name,
        _ => false,
    })
}

/// `plain-class()`: the anchor is a class of the module without bases (but `object`), metaclass and
/// decorators.
pub(super) fn plain_class(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else {
        return Truth::Unknown;
    };
    let top_level = scene
        .facts
        .module
        .body
        .iter()
        .any(|statement| matches!(statement, Stmt::ClassDef(node) if std::ptr::eq(node, class)));
    (top_level && is_plain(class)).into()
}

pub(super) fn is_plain(class: &StmtClassDef) -> bool {
    let bare = class.keywords.is_empty() && class.decorator_list.is_empty();
    bare && class
        .bases
        .iter()
        .all(|base| matches!(base, Expr::Name(name) if name.id.as_str() == "object"))
}

/// `enters-itself()`: a method of the anchor class puts `self` in a `with` or an exit stack, or the
/// module calls `__enter__` or `__exit__` by name.
pub(super) fn enters_itself(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else {
        return Truth::Unknown;
    };
    let by_name = scene.facts.module.nodes().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => matches!(node.attr.as_str(), "__enter__" | "__exit__"),
        _ => false,
    });
    let enters = |node: Node<'_>| match node {
        Node::WithItem(item) => is_self(&item.context_expr),
        Node::Expr(Expr::Call(call)) => {
            let stack = matches!(&*call.func, Expr::Attribute(method) if matches!(method.attr.as_str(), "enter_context" | "push"));
            stack && call.args.iter().any(is_self)
        }
        _ => false,
    };
    (by_name
        || class
            .body
            .iter()
            .flat_map(|statement| Node::Stmt(statement).descendants())
            .any(enters))
    .into()
}

/// `owns-resource()`: `__init__` of the anchor class ends with keeping its only acquisition on `self`,
/// `close` releases it before anything can go wrong, and nothing else of the class releases it.
pub(super) fn owns_resource(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else {
        return Truth::Unknown;
    };
    let (Some(init), Some(close)) = (method(class, "__init__"), method(class, "close")) else {
        return Truth::No;
    };
    let Some((attr, found)) = kept(scene, init) else {
        return Truth::No;
    };
    let others = class.body.iter().filter(|other| {
        !std::ptr::eq(*other, close) && method(class, "__exit__").is_none_or(|exit| !std::ptr::eq(*other, exit))
    });
    let mut others = others.flat_map(|statement| Node::Stmt(statement).descendants());
    if !releases_first(first_block(close), attr, &found.release)
        || others.any(|node| releases_elsewhere(node, attr, &found.release))
    {
        return Truth::No;
    }
    scene.site.resource = Some(found.kind.clone());
    Truth::Yes
}

pub(super) fn first_block(statement: &Stmt) -> &[Stmt] {
    Node::Stmt(statement).blocks().into_iter().next().unwrap_or_default()
}

/// The attribute that the only acquisition of `__init__` is kept in, with nothing after it that could
/// raise while the instance has no owner yet.
fn kept<'m>(scene: &Scene<'_, '_, 'm>, init: &'m Stmt) -> Option<(&'m str, &'m Resource)> {
    let body = first_block(init);
    let exprs = Node::Stmt(init).descendants().filter_map(Node::as_expr);
    if exprs.filter(|expr| resource_of(scene.facts, expr).is_some()).count() != 1 {
        return None;
    }
    body.iter().enumerate().find_map(|(at, statement)| {
        let (target, value) = match statement {
            Stmt::Assign(node) => (node.targets.first().filter(|_| node.targets.len() == 1)?, &*node.value),
            Stmt::AnnAssign(node) => (&*node.target, node.value.as_deref()?),
            _ => return None,
        };
        let Expr::Attribute(target) = target else { return None };
        let found = resource_of(scene.facts, value).filter(|found| !found.by_name && is_self(&target.value))?;
        body[at + 1..]
            .iter()
            .all(|later| is_quiet(Node::Stmt(later)))
            .then_some((target.attr.as_str(), found))
    })
}

/// Whether the block releases `self.attr` before it does anything that may go wrong.
pub(super) fn releases_first(block: &[Stmt], attr: &str, release: &str) -> bool {
    let mut names: Vec<&str> = Vec::new();
    releases_first_as(block, attr, release, &mut names)
}

fn releases_first_as<'a>(block: &'a [Stmt], attr: &str, release: &str, names: &mut Vec<&'a str>) -> bool {
    for statement in block {
        match statement {
            Stmt::Expr(node) if is_release(&node.value, attr, release, names) => return true,
            Stmt::If(node)
                if is_quiet(Node::Expr(&node.test)) && releases_first_as(&node.body, attr, release, names) =>
            {
                return true;
            }
            Stmt::If(node) if leaves_for_another(node, attr) => return false,
            Stmt::With(node) if suppresses(node) && releases_first_as(&node.body, attr, release, names) => {
                return true;
            }
            Stmt::With(node) if is_stack(node) => return stacks_first(&node.body, attr, release, names),
            Stmt::Try(node) => {
                let found = [&node.finalbody, &node.body]
                    .into_iter()
                    .any(|block| releases_first_as(block, attr, release, names));
                if found || !lets_nothing_out(statement) {
                    return found;
                }
            }
            other if !lets_nothing_out(other) => return false,
            Stmt::Assign(node) => names.extend(
                node.targets
                    .iter()
                    .filter_map(|target| name_for(target, &node.value, attr)),
            ),
            _ => {}
        }
    }
    false
}

/// Whether the block gives the release of `self.attr` to an `ExitStack` before anything may go wrong:
/// `stack.callback(self.attr.close)`, behind others like it.
fn stacks_first<'a>(block: &'a [Stmt], attr: &str, release: &str, names: &mut Vec<&'a str>) -> bool {
    for statement in block {
        match statement {
            Stmt::Expr(node) if is_callback(&node.value, |held| holds(held, attr, release, names)) => return true,
            Stmt::Expr(node) if is_callback(&node.value, |_| true) => {}
            Stmt::If(node) if is_quiet(Node::Expr(&node.test)) && node.orelse.is_empty() => {
                if stacks_first(&node.body, attr, release, names) {
                    return true;
                }
                if !node.body.iter().all(|inner| {
                    matches!(inner, Stmt::Expr(node) if is_callback(&node.value, |_| true))
                        || is_quiet(Node::Stmt(inner))
                }) {
                    return false;
                }
            }
            other if !is_quiet(Node::Stmt(other)) => return false,
            Stmt::Assign(node) => {
                let targets = node.targets.iter();
                names.extend(targets.filter_map(|target| name_for(target, &node.value, attr)));
            }
            _ => {}
        }
    }
    false
}

/// `stack.callback(function)`, where the function is what is asked for.
fn is_callback(expr: &Expr, wanted: impl Fn(&Expr) -> bool) -> bool {
    let Expr::Call(call) = expr else { return false };
    let by_stack = matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "callback");
    by_stack && matches!(&call.args[..], [only] if is_quiet(Node::Expr(only)) && wanted(only))
}

/// `with ExitStack() as stack:`
fn is_stack(with: &StmtWith) -> bool {
    let called = |name: &str| name == "ExitStack";
    matches!(&with.items[..], [item] if match &item.context_expr {
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) => called(&name.id),
            Expr::Attribute(node) => called(&node.attr),
            _ => false,
        },
        _ => false,
    })
}

/// Whether no exception that a release raises leaves the statement: it is quiet, or what it releases is
/// in a `suppress` or a `try` whose handlers let nothing out.
fn lets_nothing_out(statement: &Stmt) -> bool {
    match statement {
        Stmt::With(node) => suppresses(node) && node.body.iter().all(only_releases),
        Stmt::Try(node) => {
            let quiet = |handler: &ExceptHandler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.iter().all(|statement| is_quiet(Node::Stmt(statement)))
            };
            let rest = node.orelse.is_empty() && node.finalbody.is_empty() && !node.handlers.is_empty();
            rest && node.handlers.iter().all(quiet) && node.body.iter().all(only_releases)
        }
        Stmt::If(node) => {
            is_quiet(Node::Expr(&node.test)) && node.body.iter().chain(&node.orelse).all(lets_nothing_out)
        }
        other => is_quiet(Node::Stmt(other)),
    }
}

/// `if self.other is None: return`
fn leaves_for_another(node: &StmtIf, attr: &str) -> bool {
    let leaves = node.body.iter().any(|statement| matches!(statement, Stmt::Return(_)));
    let asked = match &*node.test {
        Expr::Compare(test) => &*test.left,
        Expr::UnaryOp(test) => &*test.operand,
        _ => return false,
    };
    let is_flag = |name: &str| name.contains("closed") || name.contains("stopped") || name.contains("done");
    let other = matches!(asked, Expr::Attribute(asked) if is_self(&asked.value) && asked.attr.as_str() != attr && !is_flag(&asked.attr));
    leaves && other
}

fn suppresses(with: &StmtWith) -> bool {
    let is_suppress = |expr: &Expr| match expr {
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) => name.id.as_str() == "suppress",
            Expr::Attribute(node) => node.attr.as_str() == "suppress",
            _ => false,
        },
        _ => false,
    };
    with.items.iter().all(|item| is_suppress(&item.context_expr))
}

/// `self.other.close()` and quiet statements.
fn only_releases(statement: &Stmt) -> bool {
    match statement {
        Stmt::Expr(node) => match &*node.value {
            Expr::Call(call) => {
                let Expr::Attribute(method) = &*call.func else {
                    return false;
                };
                call.args.is_empty() && is_quiet(Node::Expr(&method.value))
            }
            other => is_quiet(Node::Expr(other)),
        },
        Stmt::If(node) => is_quiet(Node::Expr(&node.test)) && node.body.iter().chain(&node.orelse).all(only_releases),
        other => is_quiet(Node::Stmt(other)),
    }
}

fn is_release(expr: &Expr, attr: &str, release: &str, names: &[&str]) -> bool {
    let Expr::Call(call) = expr else { return false };
    holds(&call.func, attr, release, names)
}

/// `self.attr.close`, or the same of another name for it.
fn holds(function: &Expr, attr: &str, release: &str, names: &[&str]) -> bool {
    let Expr::Attribute(function) = function else {
        return false;
    };
    let held = match &*function.value {
        Expr::Name(name) => names.contains(&name.id.as_str()),
        other => is_own(other, attr),
    };
    held && function.attr.as_str() == release
}

/// The name that `out = self.attr` or `out, self.attr = self.attr, None` gives to the attribute.
fn name_for<'a>(target: &'a Expr, value: &Expr, attr: &str) -> Option<&'a str> {
    match (target, value) {
        (Expr::Name(name), value) if is_own(value, attr) => Some(&name.id),
        (Expr::Tuple(targets), Expr::Tuple(values)) => targets
            .elts
            .iter()
            .zip(&values.elts)
            .find_map(|(target, value)| name_for(target, value, attr)),
        _ => None,
    }
}

pub(super) fn is_own(expr: &Expr, attr: &str) -> bool {
    matches!(expr, Expr::Attribute(node) if node.attr.as_str() == attr && is_self(&node.value))
}

/// `self.close`, `self.attr.close`, `weakref.finalize` and `atexit.register`: someone besides `close`
/// and `__exit__` sees to the release.
fn releases_elsewhere(node: Node<'_>, attr: &str, release: &str) -> bool {
    let Node::Expr(Expr::Attribute(node)) = node else {
        return matches!(node, Node::Expr(Expr::Name(name)) if name.id.as_str() == "finalize");
    };
    match node.attr.as_str() {
        "finalize" | "register" => true,
        "close" if is_self(&node.value) => true,
        name => name == release && is_own(&node.value, attr),
    }
}

/// `only-calls($$b, name)`: nothing but `self.name()`, perhaps a docstring and `return False` or `return None`.
pub(super) fn only_calls(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(block), [name]) = (scene.block(arguments, 0), &texts(arguments, 1)[..]) else {
        return Truth::Unknown;
    };
    let (calls, rest): (Vec<&Stmt>, Vec<&Stmt>) = block.iter().partition(|statement| is_self_call(statement, name));
    (calls.len() == 1 && rest.into_iter().all(says_nothing)).into()
}

fn is_self_call(statement: &Stmt, name: &str) -> bool {
    let Stmt::Expr(statement) = statement else { return false };
    let Expr::Call(call) = &*statement.value else {
        return false;
    };
    let plain = call.args.is_empty() && call.keywords.is_empty();
    plain && matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == name && is_self(&method.value))
}

fn says_nothing(statement: &Stmt) -> bool {
    let falsy = |expr: &Expr| matches!(expr, Expr::Constant(constant) if constant.value.is_none() || constant.value.as_bool() == Some(&false));
    match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(node) => matches!(&*node.value, Expr::Constant(_)),
        Stmt::Return(node) => node.value.as_deref().is_none_or(falsy),
        _ => false,
    }
}

/// `no-resource($a)`: a call of something that gives itself on entry and holds nothing: an in-memory
/// stream, or a class of this module that only keeps values.
pub(super) fn no_resource(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(manager @ Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    if nested_acquisitions(scene.facts, manager) > 0 {
        return Truth::Unknown;
    }
    match scene.facts.names.resolve(&call.func) {
        Resolved::Qualified(name) => IN_MEMORY.contains(&name.as_str()).into(),
        Resolved::Local { bindings, path, .. } => match bindings {
            [only] if path.is_empty() => match only.kind {
                BindingKind::Class(Stmt::ClassDef(class)) => keeps_values_only(class).into(),
                _ => Truth::Unknown,
            },
            _ => Truth::Unknown,
        },
        Resolved::Unknown => Truth::Unknown,
    }
}

/// Whether the class gives itself on entry, and all that its life as a context runs is to keep values
/// on `self`: no calls but those that make values, no stores anywhere else.
fn keeps_values_only(class: &StmtClassDef) -> bool {
    let returns_self = |statement: &Stmt| match first_block(statement).last() {
        Some(Stmt::Return(node)) => node.value.as_deref().is_some_and(is_self),
        _ => false,
    };
    let enter = method(class, "__enter__").is_some_and(returns_self);
    let life = ["__init__", "__enter__", "__exit__"]
        .into_iter()
        .filter_map(|name| method(class, name));
    is_plain(class)
        && enter
        && life
            .flat_map(|method| Node::Stmt(method).descendants())
            .all(keeps_to_itself)
}

fn keeps_to_itself(node: Node<'_>) -> bool {
    match node {
        Node::Expr(Expr::Call(call)) => makes_a_value(&call.func),
        Node::Expr(Expr::Await(_)) | Node::Stmt(Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Delete(_)) => false,
        Node::Expr(Expr::Attribute(node)) => node.ctx == ExprContext::Load || is_self(&node.value),
        Node::Expr(Expr::Subscript(node)) => node.ctx == ExprContext::Load,
        _ => true,
    }
}

fn makes_a_value(function: &Expr) -> bool {
    match function {
        Expr::Name(name) => matches!(
            name.id.as_str(),
            "list"
                | "dict"
                | "set"
                | "tuple"
                | "int"
                | "float"
                | "str"
                | "len"
                | "bool"
                | "round"
                | "print"
                | "Counter"
        ),
        Expr::Attribute(node) => {
            let clock = matches!(
                node.attr.as_str(),
                "perf_counter" | "monotonic" | "time" | "process_time"
            );
            clock && matches!(&*node.value, Expr::Name(module) if module.id.as_str() == "time")
        }
        _ => false,
    }
}
