//! Conditions on resources that an object keeps: which method releases them, and whether others do.

use super::class::{first_block, is_own, is_plain, method, releases_first};
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::{Facts, attribute_values, is_self};
use crate::mutate::resources::{Resource, resource_of};
use crate::python::ast::{ExceptHandler, Expr, Stmt, StmtClassDef};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Node, Span};

/// The class whose method holds the site, and that method.
pub(super) fn home<'m>(facts: &Facts<'m>, at: Span) -> Option<(&'m StmtClassDef, &'m Stmt)> {
    let function = facts.names.enclosing_function(at.start)?;
    let scope = facts.names.scope(function);
    let own = scope.node.and_then(Node::as_stmt)?;
    let class = facts.names.scope(scope.parent?);
    match class.node {
        Some(Node::Stmt(Stmt::ClassDef(node))) if class.kind == ScopeKind::Class => Some((node, own)),
        _ => None,
    }
}

/// `in-methods(name, …)`: the site stands in a method of one of these names.
pub(super) fn in_methods(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some((_, own)) = home(scene.facts, scene.at()) else {
        return Truth::Unknown;
    };
    let name = Def::of(own).map(|definition| definition.name);
    name.is_some_and(|name| texts(arguments, 0).contains(&name)).into()
}

/// `method-releases($m, $attr, $a)`: the method `$m` of the class releases `self.$attr` before anything
/// else in it may go wrong.
pub(super) fn method_releases(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(attr), Some(resource)) = (
        scene.word(arguments, 0),
        scene.word(arguments, 1),
        scene.expr(arguments, 2).and_then(|expr| resource_of(scene.facts, expr)),
    ) else {
        return Truth::Unknown;
    };
    let Some((class, _)) = home(scene.facts, scene.at()) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    method(class, &name).map_or(Truth::Unknown, |method| {
        (!resource.by_name && releases_first(first_block(method), &attr, &resource.release)).into()
    })
}

/// `owns-attribute($attr, $a)`: all that `self.$attr` ever gets is acquired like `$a`, or `None`; another
/// method of the class releases it, and this one only on lines that the rewrite removes.
pub(super) fn owns_attribute(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(attr), Some(resource)) = (
        scene.word(arguments, 0),
        scene.expr(arguments, 1).and_then(|expr| resource_of(scene.facts, expr)),
    ) else {
        return Truth::Unknown;
    };
    let Some((class, own)) = home(scene.facts, scene.at()) else {
        return Truth::Unknown;
    };
    if !is_plain(class) {
        return Truth::Unknown;
    }
    let acquired = attribute_values(&class.body, &attr).all(|value| {
        value.is_some_and(|value| {
            let same = |found: &Resource| found.release == resource.release;
            is_none(value) || resource_of(scene.facts, value).is_some_and(same)
        })
    });
    let removed = scene.site.parts[0].removed(&scene.site.rewrite.hunks[0]);
    let releasing = |node: &Node<'_>| releases(class, *node, &attr, &resource.release);
    let here = |node: &Node<'_>| !removed.iter().any(|span| span.contains(node.span()));
    let also_here = Node::Stmt(own).descendants().filter(releasing).any(|node| here(&node));
    let mut others = class.body.iter().filter(|other| !std::ptr::eq(*other, own));
    let elsewhere = others.any(|other| {
        Node::Stmt(other)
            .descendants()
            .any(|node| is_release(node, &attr, &resource.release))
    });
    (acquired && elsewhere && !also_here).into()
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(constant) if constant.value.is_none())
}

/// `self.attr.close`, also through another name: `handle = self.attr`.
fn is_release(node: Node<'_>, attr: &str, release: &str) -> bool {
    match node {
        Node::Expr(Expr::Attribute(node)) => is_own(&node.value, attr) && node.attr.as_str() == release,
        Node::Stmt(Stmt::Assign(node)) => node.targets.iter().any(Expr::is_name_expr) && is_own(&node.value, attr),
        Node::WithItem(item) => is_own(&item.context_expr, attr),
        _ => false,
    }
}

/// The same, or a call of a method that does it.
fn releases(class: &StmtClassDef, node: Node<'_>, attr: &str, release: &str) -> bool {
    let by_method = match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => method(class, &node.attr),
        _ => None,
    };
    is_release(node, attr, release)
        || by_method.is_some_and(|method| {
            Node::Stmt(method)
                .descendants()
                .any(|node| is_release(node, attr, release))
        })
}

/// `broad($$h)`: among these handlers (or with this class) every ordinary exception is caught.
pub(super) fn broad(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let all =
        |class: &Expr| matches!(class, Expr::Name(name) if matches!(name.id.as_str(), "Exception" | "BaseException"));
    let catches = |node: &Node<'_>| match node {
        Node::Handler(ExceptHandler::ExceptHandler(handler)) => handler.type_.as_deref().is_none_or(all),
        Node::Expr(class) => all(class),
        _ => false,
    };
    value.nodes().iter().any(catches).into()
}

/// `hands-self-on($$b)`: the block gives the object itself to someone.
pub(super) fn hands_self_on(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let gives = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => {
            call.args.iter().any(is_self) || call.keywords.iter().any(|keyword| is_self(&keyword.value))
        }
        Node::Stmt(Stmt::Assign(node)) => is_self(&node.value),
        _ => false,
    };
    value.nodes().iter().any(|node| node.descendants().any(gives)).into()
}
