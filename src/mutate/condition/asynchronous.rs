//! Conditions on coroutines: closes that must be awaited, generators that hold something.

use super::class::is_plain;
use super::usage::{RELEASES, is_name};
use super::worker::definition;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::resources::resource_of;
use crate::python::ast::{Expr, ExprCall, Stmt, StmtClassDef};
use crate::python::flow::{has_yield, leaves_early};
use crate::python::names::{BindingKind, Def, ScopeKind};
use crate::python::{Node, Resolved};

/// `awaited-close($close, $a)`: `$close` is the coroutine that releases what `$a` acquires: of an asynchronous client of
/// the table, or of a class of this module that closes something there.
pub(super) fn awaited_close(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(close), Some(expr)) = (scene.word(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    let acquire = match expr {
        Expr::Await(node) => &*node.value,
        other => other,
    };
    if let Some(resource) = resource_of(scene.facts, acquire) {
        scene.site.resource = Some(resource.kind.clone());
        return (resource.kind.starts_with("async-") && resource.release == close).into();
    }
    let Expr::Call(call) = acquire else {
        return Truth::Unknown;
    };
    let Some(class) = class_of(scene.facts, call) else {
        return Truth::Unknown;
    };
    let definition = class
        .body
        .iter()
        .filter_map(Def::of)
        .find(|method| method.name == close);
    definition
        .is_some_and(|method| method.is_async && RELEASES.contains(&method.name) && releases_own(&method))
        .into()
}

fn class_of<'f>(facts: &'f Facts<'_>, call: &ExprCall) -> Option<&'f StmtClassDef> {
    let Resolved::Local {
        bindings: [only], path, ..
    } = facts.names.resolve(&call.func)
    else {
        return None;
    };
    match only.kind {
        BindingKind::Class(Stmt::ClassDef(class)) if path.is_empty() => Some(class),
        _ => None,
    }
}

/// `self.attr.close()` and the like.
fn releases_own(method: &Def<'_>) -> bool {
    let mut nodes = method
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => {
            let own = matches!(&*node.value, Expr::Attribute(attribute) if is_self(&attribute.value));
            own && (RELEASES.contains(&node.attr.as_str()) || node.attr.as_str() == "cancel")
        }
        _ => false,
    })
}

/// `gives-itself($a)`: a call of a class of this module without bases, whose `__aenter__` does no more than to give the instance, and
/// whose `__aexit__` releases something that it holds, perhaps by another method.
pub(super) fn gives_itself(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let Some(class) = class_of(scene.facts, call).filter(|class| is_plain(class)) else {
        return Truth::Unknown;
    };
    let find = |name: &str| {
        class
            .body
            .iter()
            .filter_map(Def::of)
            .find(|method| method.name == name && method.is_async)
    };
    let (Some(enter), Some(exit)) = (find("__aenter__"), find("__aexit__")) else {
        return Truth::No;
    };
    let gives = match enter.body {
        [Stmt::Return(last)] => last.value.as_deref().is_some_and(is_self),
        [Stmt::Expr(text), Stmt::Return(last)] => {
            text.value.is_constant_expr() && last.value.as_deref().is_some_and(is_self)
        }
        _ => false,
    };
    let mut called = exit
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    let by_method = called.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => {
            find(&node.attr).is_some_and(|method| releases_own(&method))
        }
        _ => false,
    });
    (gives && (by_method || releases_own(&exit))).into()
}

/// `holds-at-yield($a)`: a call of an asynchronous generator of this module that yields inside a `with` or a `try` with
/// `finally`: it must be closed before that is done.
pub(super) fn holds_at_yield(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let Some(generator) = definition(scene.facts, &call.func).and_then(|(statement, _)| Def::of(statement)) else {
        return Truth::Unknown;
    };
    let mut nodes = generator
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    let holds = nodes.any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => !node.finalbody.is_empty() && has_yield(&node.body),
        Node::Stmt(Stmt::With(node)) => has_yield(&node.body),
        Node::Stmt(Stmt::AsyncWith(node)) => has_yield(&node.body),
        _ => false,
    });
    (generator.is_async && generator.decorators.is_empty() && holds).into()
}

/// `stops-early($n, $$b)`: the block has an `async for` over `$n` that may end before `$n` does.
pub(super) fn stops_early(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(value)) = (scene.word(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let mut nodes = value.nodes().iter().flat_map(|node| node.descendants());
    nodes
        .any(|node| matches!(node, Node::Stmt(Stmt::AsyncFor(node)) if is_name(&node.iter, &name) && leaves_early(&node.body)))
        .into()
}

/// `keeps-attributes()`: the function around the site is a method that may give `self` a new attribute.
pub(super) fn keeps_attributes(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let names = &scene.facts.names;
    let Some(scope) = names.enclosing_function(scene.at().start).map(|id| names.scope(id)) else {
        return Truth::No;
    };
    let (Some(Node::Stmt(method)), Some(parent)) = (scope.node, scope.parent) else {
        return Truth::No;
    };
    let class = names.scope(parent);
    let (ScopeKind::Class, Some(Node::Stmt(Stmt::ClassDef(class)))) = (class.kind, class.node) else {
        return Truth::No;
    };
    let takes_self = Def::of(method).is_some_and(|method| {
        let first = method.arguments.posonlyargs.iter().chain(&method.arguments.args).next();
        first.is_some_and(|first| first.def.arg.as_str() == "self")
    });
    let closed = class.body.iter().any(|statement| match statement {
        Stmt::Assign(node) => node.targets.iter().any(|target| is_name(target, "__slots__")),
        other => Def::of(other).is_some_and(|method| method.name == "__setattr__"),
    });
    (takes_self && !closed && class.decorator_list.is_empty()).into()
}
