//! Conditions on functions and methods that remember what they gave.

use super::class::{is_plain, method};
use super::{Argument, Scene, Truth};
use crate::mutate::facts::Facts;
use crate::mutate::site::SitePart;
use crate::mutate::unify::Value;
use crate::python::ast::{Arg, Constant, Expr, ExprContext, Stmt, StmtClassDef};
use crate::python::{Node, ScopeId};

/// `open-domain($$params)`: one of the parameters may have any number of values. Unknown where all have a type
/// that is not known to have many, and where a private function is called with constants alone.
pub(super) fn open_domain(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    if constants_only(scene) {
        return Truth::Unknown;
    }
    let open = |node: &Node<'_>| match node {
        Node::Parameter(parameter) => {
            let flag = parameter.default.as_deref().is_some_and(is_flag);
            !flag && may_be_many(scene.facts, &parameter.def)
        }
        Node::Arg(arg) => may_be_many(scene.facts, arg),
        _ => false,
    };
    match value.nodes() {
        [] => Truth::No,
        nodes if nodes.iter().any(open) => Truth::Yes,
        _ => Truth::Unknown,
    }
}

fn is_flag(default: &Expr) -> bool {
    matches!(default, Expr::Constant(constant) if matches!(constant.value, Constant::Bool(_)))
}

/// Types with no end of values.
fn may_be_many(facts: &Facts<'_>, parameter: &Arg) -> bool {
    const MANY: [&str; 9] = [
        "builtins.str",
        "builtins.bytes",
        "builtins.int",
        "builtins.float",
        "builtins.object",
        "builtins.tuple",
        "builtins.frozenset",
        "pathlib.Path",
        "typing.Any",
    ];
    let Some(annotation) = parameter.annotation.as_deref() else {
        return true;
    };
    let class = match annotation {
        Expr::Subscript(node) => &*node.value,
        other => other,
    };
    facts
        .names
        .resolve(class)
        .qualified()
        .is_some_and(|name| MANY.contains(&name))
}

/// Whether the anchor is a private function, and all that the module does with it is to call it with constants.
fn constants_only(scene: &Scene<'_, '_, '_>) -> bool {
    let Some(name) = anchor_name(scene).filter(|name| name.starts_with('_')) else {
        return false;
    };
    let calls = scene.facts.module.nodes().filter_map(|node| match node {
        Node::Expr(Expr::Call(call)) if matches!(&*call.func, Expr::Name(callee) if callee.id.as_str() == name) => {
            Some(call)
        }
        _ => None,
    });
    let constant = |expr: &Expr| matches!(expr, Expr::Constant(_));
    let calls: Vec<bool> = calls
        .map(|call| call.args.iter().all(constant) && call.keywords.iter().all(|keyword| constant(&keyword.value)))
        .collect();
    let loads = scene.facts.names.loads(name, ScopeId::MODULE).len();
    !calls.is_empty() && loads == calls.len() && calls.into_iter().all(|constants| constants)
}

fn anchor_name<'m>(scene: &Scene<'_, '_, 'm>) -> Option<&'m str> {
    match scene.site.parts.first()?.node() {
        Node::Stmt(Stmt::FunctionDef(node)) => Some(&node.name),
        Node::Stmt(Stmt::AsyncFunctionDef(node)) => Some(&node.name),
        _ => None,
    }
}

/// `cleared($f)`: somebody empties the cache of the function.
pub(super) fn cleared(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let empties = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) => {
            node.attr.as_str() == "cache_clear"
                && matches!(&*node.value, Expr::Name(function) if function.id.as_str() == name)
        }
        _ => false,
    };
    let elsewhere = scene.facts.index.stands_elsewhere("cache_clear") && scene.facts.index.stands_elsewhere(&name);
    (elsewhere || scene.facts.module.nodes().any(empties)).into()
}

/// `doubled($m, $n)`: twice the number.
pub(super) fn doubled(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 1) else {
        return Truth::Unknown;
    };
    let text = Node::Expr(expr).span().of(scene.facts.module.text());
    let doubled = match text.parse::<u64>() {
        Ok(number) => (2 * number).to_string(),
        Err(_) => format!("2 * {text}"),
    };
    scene.bind(arguments, Value::Text(doubled))
}

/// `many-instances()`: the anchor is a method of a class at the top of the module that can be made again and
/// again and told apart: no bases, decorators and equality of its own, and no instance made by the module.
pub(super) fn many_instances(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(Node::Stmt(anchor)) = scene.site.parts.first().map(SitePart::node) else {
        return Truth::Unknown;
    };
    let module = scene.facts.module;
    let classes = module.body.iter().filter_map(Stmt::as_class_def_stmt);
    let mut holders = classes.filter(|class| class.body.iter().any(|statement| std::ptr::eq(statement, anchor)));
    let Some(class) = holders.next() else {
        return Truth::No;
    };
    let equal = ["__eq__", "__hash__", "__new__"]
        .into_iter()
        .any(|name| method(class, name).is_some());
    (is_plain(class) && !equal && !has_instance(scene.facts, class)).into()
}

/// Whether the module makes an instance as it is imported.
fn has_instance(facts: &Facts<'_>, class: &StmtClassDef) -> bool {
    facts.module.nodes().any(|node| match node {
        Node::Expr(Expr::Call(call)) => {
            let is_it = matches!(&*call.func, Expr::Name(name) if name.id.as_str() == class.name.as_str());
            is_it && facts.names.enclosing_function(node.span().start).is_none()
        }
        _ => false,
    })
}

/// `reset($m)`: somebody stores or deletes an attribute of this name, or speaks of it in a string.
pub(super) fn reset(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let resets = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) => node.ctx != ExprContext::Load && node.attr.as_str() == name,
        Node::Expr(Expr::Constant(node)) => node.value.as_str().is_some_and(|text| *text == name),
        _ => false,
    };
    scene.facts.module.nodes().any(resets).into()
}
