//! Conditions on objects and modules that keep a thing longer than they need it.

use super::class::{first_block, is_plain, method};
use super::owner::{class_at, reaches_all};
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, attribute_values, is_self};
use crate::mutate::resources::resource_of;
use crate::python::ast::{Constant, Expr, ExprCall, ExprContext, Stmt, StmtClassDef};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, ScopeId};

/// `takes-attributes()`: the site stands straight in a method with `self`, of a class that may get one
/// more attribute without anyone noticing: no bases, no `__slots__`, nothing that looks at all of them.
pub(super) fn takes_attributes(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some((class, own)) = super::attribute::home(scene.facts, scene.at()) else {
        return Truth::No;
    };
    let Some(definition) = Def::of(own) else {
        return Truth::No;
    };
    let first = definition
        .arguments
        .posonlyargs
        .iter()
        .chain(&definition.arguments.args)
        .next();
    let bound = first.is_some_and(|first| first.def.arg.as_str() == "self") && definition.decorators.is_empty();
    let nodes = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    let noticed = nodes.into_iter().any(|node| match node {
        Node::Expr(Expr::Name(name)) => matches!(name.id.as_str(), "__slots__" | "pickle" | "deepcopy"),
        node => reaches_all(node),
    });
    let hooks = ["__setattr__", "__getattr__", "__del__"];
    (is_plain(class) && bound && !noticed && hooks.iter().all(|hook| method(class, hook).is_none())).into()
}

/// `holds-itself()`: each instance of the class that is the anchor is part of a cycle from `__init__` on,
/// and no method breaks it.
pub(super) fn holds_itself(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Node::Stmt(Stmt::ClassDef(class)) = scene.site.parts[0].node() else {
        return Truth::Unknown;
    };
    let Some(init) = method(class, "__init__") else {
        return Truth::No;
    };
    let ties = first_block(init).iter().any(|statement| {
        let (target, value) = match statement {
            Stmt::Assign(node) => match &node.targets[..] {
                [target] => (target, Some(&*node.value)),
                _ => return false,
            },
            Stmt::AnnAssign(node) => (&*node.target, node.value.as_deref()),
            _ => return false,
        };
        match (target, value) {
            (Expr::Attribute(target), Some(value)) => {
                is_self(&target.value)
                    && holds_self(scene.facts, class, value)
                    && attribute_values(&class.body, &target.attr).count() == 1
                    && !is_emptied(class, &target.attr)
            }
            _ => false,
        }
    });
    ties.into()
}

/// Whether the value keeps the object that makes it alive: a bound method, a lambda, a part that gets
/// its parent.
fn holds_self(facts: &Facts<'_>, class: &StmtClassDef, value: &Expr) -> bool {
    let holds = |value: &Expr| holds_self(facts, class, value);
    match value {
        Expr::Attribute(node) => is_self(&node.value) && is_bound_method(class, &node.attr),
        Expr::Dict(node) => node.values.iter().any(holds),
        Expr::List(node) => node.elts.iter().any(holds),
        Expr::Tuple(node) => node.elts.iter().any(holds),
        Expr::Lambda(node) => Node::Expr(&node.body)
            .descendants()
            .filter_map(Node::as_expr)
            .any(is_self),
        Expr::Call(call) => match facts.names.resolve(&call.func) {
            Resolved::Qualified(name) if name == "functools.partial" => call.args.iter().any(holds),
            Resolved::Local {
                bindings: [only], path, ..
            } if path.is_empty() => match only.kind {
                BindingKind::Class(Stmt::ClassDef(part)) => keeps_argument(part, call),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

fn is_bound_method(class: &StmtClassDef, name: &str) -> bool {
    let definition = method(class, name).and_then(Def::of);
    definition.is_some_and(|definition| definition.decorators.is_empty())
}

/// `Part(self)`, where `__init__(self, owner)` does `self.owner = owner`.
fn keeps_argument(part: &StmtClassDef, call: &ExprCall) -> bool {
    let Some(at) = call.args.iter().position(is_self) else {
        return false;
    };
    let Some(init) = method(part, "__init__") else {
        return false;
    };
    let Some(parameter) = Def::of(init).and_then(|init| init.arguments.args.get(at + 1)) else {
        return false;
    };
    let name = parameter.def.arg.as_str();
    let keeps = |statement: &Stmt| match statement {
        Stmt::Assign(node) => {
            let own = |target: &Expr| matches!(target, Expr::Attribute(node) if is_self(&node.value));
            node.targets.iter().any(own) && matches!(&*node.value, Expr::Name(value) if value.id.as_str() == name)
        }
        _ => false,
    };
    is_plain(part) && first_block(init).iter().any(keeps)
}

/// `self.attr.clear()`, `del self.attr`
fn is_emptied(class: &StmtClassDef, attr: &str) -> bool {
    let mut nodes = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) if super::class::is_own(&node.value, attr) => {
            matches!(node.attr.as_str(), "clear" | "pop" | "popitem" | "remove" | "__dict__")
        }
        Node::Expr(Expr::Attribute(node)) => {
            node.attr.as_str() == attr && is_self(&node.value) && node.ctx == ExprContext::Del
        }
        _ => false,
    })
}

/// `constant-call($a)`: everything in it means the same at the top of the module, where it is bound once.
pub(super) fn constant_call(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let names = &scene.facts.names;
    let constant = |node: Node<'_>| match node {
        Node::Expr(Expr::Name(name)) => {
            let bindings = names.bindings(&name.id, names.scope_at(name.range.start().to_u32()));
            bindings.is_empty() || matches!(bindings, [only] if only.scope == ScopeId::MODULE)
        }
        Node::Expr(
            Expr::Await(_) | Expr::Lambda(_) | Expr::NamedExpr(_) | Expr::ListComp(_) | Expr::GeneratorExp(_),
        ) => false,
        _ => true,
    };
    Node::Expr(expr).descendants().all(constant).into()
}

/// `reusable($a, $$body)`: what `$a` acquires can be used again as it is: a session, a datagram socket, a
/// database, an archive that is read; and the block binds it to no address.
pub(super) fn reusable(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(expr @ Expr::Call(call)), Some(block)) = (scene.expr(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Some(resource) = resource_of(scene.facts, expr) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    let resolved = scene.facts.names.resolve(&call.func);
    let callee = resolved.qualified().unwrap_or_default();
    let kind = match resource.kind.as_str() {
        "client" => matches!(
            callee,
            "requests.Session" | "requests.session" | "httpx.Client" | "redis.Redis" | "redis.StrictRedis"
        ),
        "socket" => call
            .args
            .iter()
            .any(|arg| scene.facts.names.resolve(arg).qualified() == Some("socket.SOCK_DGRAM")),
        "db-connection" => true,
        "archive" => callee == "zipfile.ZipFile" && mode(call, 1).is_none_or(|mode| mode == "r"),
        _ => false,
    };
    let mut nodes = block.nodes().iter().flat_map(|node| node.descendants());
    let once = nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => matches!(node.attr.as_str(), "bind" | "listen" | "backup"),
        _ => false,
    });
    (kind && !once).into()
}

/// The mode that a call names; none if it gives no such argument.
fn mode(call: &ExprCall, at: usize) -> Option<&str> {
    let keyword = call
        .keywords
        .iter()
        .find(|keyword| keyword.arg.as_deref() == Some("mode"));
    match keyword.map(|keyword| &keyword.value).or_else(|| call.args.get(at))? {
        Expr::Constant(constant) => match &constant.value {
            Constant::Str(text) => Some(text),
            _ => Some(""),
        },
        _ => Some(""),
    }
}

/// `release-may-fail($$b)`: the block releases an attribute whose release has something left to write.
pub(super) fn release_may_fail(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(block), Some(class)) = (
        scene.value(arguments, 0),
        class_at(scene.facts, scene.site.parts[0].span()),
    ) else {
        return Truth::Unknown;
    };
    let writes = |value: &Expr| {
        let (Expr::Call(call), Some(resource)) = (value, resource_of(scene.facts, value)) else {
            return false;
        };
        let on_path = scene.facts.names.resolve(&call.func).qualified().is_none();
        let mode = mode(call, usize::from(!on_path));
        match resource.kind.as_str() {
            "file" | "archive" => mode.is_some_and(|mode| mode.contains(['w', 'a', 'x', '+'])),
            "database" => true,
            _ => false,
        }
    };
    let fails = |node: Node<'_>| {
        let Node::Expr(Expr::Attribute(release)) = node else {
            return false;
        };
        let Expr::Attribute(held) = &*release.value else {
            return false;
        };
        let mut values = attribute_values(&class.body, &held.attr).flatten();
        is_self(&held.value) && release.attr.as_str() == "close" && values.any(writes)
    };
    block.nodes().iter().any(|node| node.descendants().any(fails)).into()
}
