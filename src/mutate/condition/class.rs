//! Conditions on classes.

use super::{Argument, Scene, Truth};
use crate::mutate::facts::is_self;
use crate::mutate::resources::resource_of;
use crate::python::Node;
use crate::python::ast::{Expr, Stmt, StmtClassDef};
use crate::python::{Resolved, names::BindingKind};

fn anchor_class<'m>(scene: &Scene<'_, '_, 'm>) -> Option<&'m StmtClassDef> {
    match scene.site.parts.first()?.node() {
        Node::Stmt(Stmt::ClassDef(class)) => Some(class),
        _ => None,
    }
}

fn method<'m>(class: &'m StmtClassDef, name: &str) -> Option<&'m Stmt> {
    class.body.iter().find(|statement| match statement {
        Stmt::FunctionDef(node) => node.name.as_str() == name,
        Stmt::AsyncFunctionDef(node) => node.name.as_str() == name,
        _ => false,
    })
}

/// `no-bases()`: the anchor class has no base but `object`, and no metaclass.
pub(super) fn no_bases(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else { return Truth::Unknown };
    has_no_bases(class).into()
}

fn has_no_bases(class: &StmtClassDef) -> bool {
    class.keywords.is_empty() && class.bases.iter().all(|base| matches!(base, Expr::Name(name) if name.id.as_str() == "object"))
}

/// `has-method(name, …)`: the anchor class defines one of them.
pub(super) fn has_method(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else { return Truth::Unknown };
    scene.texts(arguments, 0).iter().any(|name| method(class, name).is_some()).into()
}

/// `owns-resource()`: `__init__` of the anchor class keeps a fresh acquisition on `self`, and its
/// `close` releases that attribute.
pub(super) fn owns_resource(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = anchor_class(scene) else { return Truth::Unknown };
    let (Some(init), Some(close)) = (method(class, "__init__"), method(class, "close")) else { return Truth::No };
    for statement in Node::Stmt(init).descendants().filter_map(Node::as_stmt) {
        let Stmt::Assign(node) = statement else { continue };
        let [Expr::Attribute(target)] = &node.targets[..] else { continue };
        let Some(found) = resource_of(scene.facts, &node.value).filter(|found| !found.by_name && is_self(&target.value)) else { continue };
        if releases_attribute(close, &target.attr, &found.release) {
            scene.site.resource = Some(found.kind.clone());
            return Truth::Yes;
        }
    }
    Truth::No
}

/// Whether the method reads `self.attr` and calls `.release()` on it or on a name it was put in.
fn releases_attribute(method: &Stmt, attr: &str, release: &str) -> bool {
    let reads = |node: Node<'_>| matches!(node, Node::Expr(Expr::Attribute(node)) if node.attr.as_str() == attr && is_self(&node.value));
    let calls = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => matches!(&*call.func, Expr::Attribute(function) if function.attr.as_str() == release && !is_self(&function.value)),
        _ => false,
    };
    Node::Stmt(method).descendants().any(reads) && Node::Stmt(method).descendants().any(calls)
}

/// `only-calls($$b, name)`: nothing but `self.name()`, perhaps a docstring and `return False` or `return None`.
pub(super) fn only_calls(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(block), [name]) = (scene.block(arguments, 0), &scene.texts(arguments, 1)[..]) else { return Truth::Unknown };
    let (calls, rest): (Vec<&Stmt>, Vec<&Stmt>) = block.iter().partition(|statement| is_self_call(statement, name));
    (calls.len() == 1 && rest.into_iter().all(says_nothing)).into()
}

fn is_self_call(statement: &Stmt, name: &str) -> bool {
    let Stmt::Expr(statement) = statement else { return false };
    let Expr::Call(call) = &*statement.value else { return false };
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

/// Context managers of the standard library that give themselves and hold nothing.
const HOLD_NOTHING: [&str; 2] = ["io.StringIO", "io.BytesIO"];

/// `no-resource($a)`: a call of something that gives itself on entry and holds nothing: an in-memory
/// stream, or a class of this module that only keeps values.
pub(super) fn no_resource(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else { return Truth::Unknown };
    match scene.facts.names.resolve(&call.func) {
        Resolved::Qualified(name) => HOLD_NOTHING.contains(&name.as_str()).into(),
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

/// Whether the class gives itself on entry, and its methods up to there call nothing but builtins
/// that make values and clocks.
fn keeps_values_only(class: &StmtClassDef) -> bool {
    let returns_self = |statement: &Stmt| match Node::Stmt(statement).blocks().first().and_then(|block| block.last()) {
        Some(Stmt::Return(node)) => node.value.as_deref().is_some_and(is_self),
        _ => false,
    };
    let enter = method(class, "__enter__").is_some_and(returns_self);
    let setup = ["__init__", "__enter__"].into_iter().filter_map(|name| method(class, name));
    let harmless = setup.flat_map(|method| Node::Stmt(method).descendants()).all(|node| match node {
        Node::Expr(Expr::Call(call)) => makes_a_value(&call.func),
        Node::Expr(Expr::Await(_)) => false,
        _ => true,
    });
    has_no_bases(class) && class.decorator_list.is_empty() && enter && harmless
}

fn makes_a_value(function: &Expr) -> bool {
    match function {
        Expr::Name(name) => matches!(name.id.as_str(), "list" | "dict" | "set" | "tuple" | "int" | "float" | "str" | "len" | "bool" | "Counter"),
        Expr::Attribute(node) => {
            let clock = matches!(node.attr.as_str(), "perf_counter" | "monotonic" | "time" | "process_time");
            clock && matches!(&*node.value, Expr::Name(module) if module.id.as_str() == "time")
        }
        _ => false,
    }
}
