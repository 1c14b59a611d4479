//! Conditions that give a metavariable its value.

use super::{Argument, Scene, Truth, texts};
use crate::mutate::resources::{Exit, resource_of};
use crate::mutate::unify::Value;
use crate::python::ast::{Expr, Stmt};
use crate::python::names::BindingKind;
use crate::python::{Node, ScopeId};

/// `fresh($x, "hint")`: a name that stands nowhere in the module.
pub(super) fn fresh(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(hint) = texts(arguments, 1).first().map(|hint| scene.facts.names.fresh(hint)) else {
        return Truth::Unknown;
    };
    scene.bind(arguments, Value::Text(hint))
}

/// `fresh-for($x, $n)`: `_` and what `$n` is, if that stands nowhere in the module; else with a number.
pub(super) fn fresh_for(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 1) else {
        return Truth::Unknown;
    };
    let fresh = scene.facts.names.fresh(&format!("_{}", name.trim_start_matches('_')));
    scene.bind(arguments, Value::Text(fresh))
}

/// `close-of($c, $a)`: the method that releases `$a`; false where `with` does more than call it.
pub(super) fn close_of(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(resource) = scene.expr(arguments, 1).and_then(|expr| resource_of(scene.facts, expr)) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    if resource.exit != Exit::Releases || resource.by_name {
        return Truth::No;
    }
    scene.bind(arguments, Value::Text(resource.release.clone()))
}

/// `release-of($c, $a)`: the method that releases `$a`, whatever a `with` would do.
pub(super) fn release_of(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(resource) = scene.expr(arguments, 1).and_then(|expr| resource_of(scene.facts, expr)) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    if resource.by_name {
        return Truth::No;
    }
    scene.bind(arguments, Value::Text(resource.release.clone()))
}

/// `spelled($f, "pkg.name")`: how the module writes it; adds an import where it does not yet.
pub(super) fn spelled(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(dotted) = texts(arguments, 1).first().map(|text| (*text).to_owned()) else {
        return Truth::Unknown;
    };
    let Some((package, name)) = dotted.rsplit_once('.') else {
        return Truth::Unknown;
    };
    if package == "builtins" {
        let scope = scene.facts.names.scope_at(scene.at().start);
        let is_free = scene.facts.names.bindings(name, scope).is_empty();
        let text = Value::Text(name.to_owned());
        return if is_free {
            scene.bind(arguments, text)
        } else {
            Truth::Unknown
        };
    }
    if let Some(text) = imported_as(scene, &dotted) {
        return scene.bind(arguments, Value::Text(text));
    }
    if let Some(text) = imported_as(scene, package) {
        return scene.bind(arguments, Value::Text(format!("{text}.{name}")));
    }
    let top = package.split('.').next().unwrap_or(package);
    let scope = scene.facts.names.scope_at(scene.at().start);
    if !scene.facts.names.bindings(top, scope).is_empty() || !scene.facts.names.uses(top, ScopeId::MODULE).is_empty() {
        return Truth::Unknown;
    }
    if !scene.site.imports.iter().any(|import| import == package) {
        scene.site.imports.push(package.to_owned());
    }
    scene.bind(arguments, Value::Text(dotted))
}

/// The module-level name that an import gives to `qualified`, where the site sees just that.
fn imported_as(scene: &Scene<'_, '_, '_>, qualified: &str) -> Option<String> {
    let names = &scene.facts.names;
    let site = scene.at().start;
    let scope = names.scope_at(site);
    let imports = scene
        .facts
        .module
        .body
        .iter()
        .filter(|statement| matches!(statement, Stmt::Import(_) | Stmt::ImportFrom(_)));
    let aliases = imports
        .flat_map(|statement| Node::Stmt(statement).children())
        .filter_map(|node| match node {
            Node::Alias(alias) => Some(alias),
            _ => None,
        });
    let bound = aliases.map(|alias| {
        alias
            .asname
            .as_deref()
            .unwrap_or_else(|| alias.name.split('.').next().unwrap_or(&alias.name))
    });
    let fits = |name: &&str| {
        let bindings = names.bindings(name, scope);
        let sure = bindings.len() == 1 && bindings[0].scope == ScopeId::MODULE && bindings[0].span.start < site;
        sure && bindings[0].kind.qualified() == Some(qualified)
    };
    bound.into_iter().find(fits).map(str::to_owned)
}

/// `call-in($call, $f, $s)`: the one call of `$f` in a simple statement, evaluated whenever it runs.
pub(super) fn call_in(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(function), Some(statement)) = (scene.word(arguments, 1), scene.value(arguments, 2)) else {
        return Truth::Unknown;
    };
    let Some(statement) = statement.nodes().first().and_then(|node| node.as_stmt()) else {
        return Truth::Unknown;
    };
    if !matches!(
        statement,
        Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) | Stmt::Expr(_) | Stmt::Return(_)
    ) {
        return Truth::No;
    }
    let mut calls = Vec::new();
    unconditional(Node::Stmt(statement), &mut calls);
    let names = &scene.facts.names;
    let is_call = |call: &&Expr| match call {
        Expr::Call(node) => {
            matches!(&*node.func, Expr::Name(name) if name.id.as_str() == function && is_definition(names, name))
        }
        _ => false,
    };
    let mentions = Node::Stmt(statement)
        .descendants()
        .filter(|node| matches!(node, Node::Expr(Expr::Name(name)) if name.id.as_str() == function));
    let found: Vec<&Expr> = calls.into_iter().filter(is_call).collect();
    match (&found[..], mentions.count()) {
        ([call], 1) => scene.bind(arguments, Value::Node(Node::Expr(call))),
        _ => Truth::No,
    }
}

fn is_definition(names: &crate::python::Names<'_>, name: &crate::python::ast::ExprName) -> bool {
    let scope = names.scope_at(name.range.start().to_u32());
    matches!(names.bindings(&name.id, scope), [only] if matches!(only.kind, BindingKind::Def(_)))
}

/// Expressions below a node that are evaluated once whenever it is.
fn unconditional<'m>(node: Node<'m>, found: &mut Vec<&'m Expr>) {
    let perhaps = matches!(
        node,
        Node::Expr(
            Expr::Lambda(_)
                | Expr::GeneratorExp(_)
                | Expr::ListComp(_)
                | Expr::SetComp(_)
                | Expr::DictComp(_)
                | Expr::BoolOp(_)
                | Expr::IfExp(_)
                | Expr::Compare(_)
                | Expr::Await(_)
                | Expr::Yield(_)
                | Expr::YieldFrom(_)
        )
    );
    if !perhaps {
        found.extend(node.as_expr());
        let children = node.children().into_iter();
        children.for_each(|child| unconditional(child, found));
    }
}
