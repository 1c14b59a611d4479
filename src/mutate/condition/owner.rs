//! Conditions on classes that own something: whether their clean form is clean, and what is left of its
//! release in the mutant.

use super::attribute::home;
use super::class::{first_block, is_own, is_plain, method, releases_first};
use super::guard::is_quiet;
use super::usage::{RELEASES, TAKERS};
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::{Facts, attribute_values, is_self};
use crate::mutate::resources::{Exit, Resource, resource_of};
use crate::python::ast::{ExceptHandler, Expr, ExprContext, Stmt, StmtClassDef, StmtTry};
use crate::python::names::Def;
use crate::python::{Node, Resolved, Span};

/// Methods that end the life of an owner.
const ENDS: [&str; 10] = [
    "close",
    "__exit__",
    "stop",
    "shutdown",
    "disconnect",
    "quit",
    "release",
    "terminate",
    "finish",
    "server_close",
];

/// Methods after whose failure nobody has the object to close it.
const SETUPS: [&str; 2] = ["__init__", "__enter__"];

/// The class around a place.
pub(super) fn class_at<'m>(facts: &Facts<'m>, at: Span) -> Option<&'m StmtClassDef> {
    let class = facts.names.enclosing_class(at.start)?;
    match facts.names.scope(class).node {
        Some(Node::Stmt(Stmt::ClassDef(class))) => Some(class),
        _ => None,
    }
}

/// The method that holds the anchor, or is it.
fn anchor_method<'m>(scene: &Scene<'_, '_, 'm>) -> Option<&'m Stmt> {
    let anchor = scene.site.parts.first()?;
    match anchor.node() {
        Node::Stmt(statement) if Def::of(statement).is_some() => Some(statement),
        node => home(scene.facts, node.span()).map(|(_, method)| method),
    }
}

/// `owned($attr, $a)`: the clean form is clean. All that `self.$attr` ever gets is acquired like `$a`, or
/// `None`; nothing may raise between acquiring it and the end of the set-up, unless a handler releases
/// it; what it held before is not forgotten; and a method that ends the object's life releases it
/// before anything else may go wrong.
pub(super) fn owned(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some((class, attr, resource)) = attribute_of(scene, arguments) else {
        return Truth::Unknown;
    };
    scene.site.resource = Some(resource.kind.clone());
    if !is_plain(class) || resource.by_name {
        return Truth::Unknown;
    }
    let alike = |value: &Expr| resource_of(scene.facts, value).is_some_and(|found| found.release == resource.release);
    let fits = |value: Option<&Expr>| value.is_some_and(|value| is_none(value) || alike(value));
    let owner = Owner {
        class,
        attr: &attr,
        release: &resource.release,
    };
    let acquires = |method: &Stmt| {
        let methods = std::slice::from_ref(method);
        attribute_values(methods, &attr)
            .flatten()
            .find(|value| alike(value))
            .map(|value| Node::Expr(value).span())
    };
    let kept = class
        .body
        .iter()
        .all(|method| acquires(method).is_none_or(|at| owner.keeps(method, at)));
    let ends = ENDS.iter().filter_map(|name| method(class, name));
    let released = ends
        .into_iter()
        .any(|end| releases_first(first_block(end), &attr, &resource.release));
    (attribute_values(&class.body, &attr).all(fits) && kept && released).into()
}

fn attribute_of<'m>(
    scene: &Scene<'_, '_, 'm>,
    arguments: &[Argument],
) -> Option<(&'m StmtClassDef, String, &'m Resource)> {
    let acquire = scene.expr(arguments, 1)?;
    let class = class_at(scene.facts, Node::Expr(acquire).span())?;
    Some((class, scene.word(arguments, 0)?, resource_of(scene.facts, acquire)?))
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(constant) if constant.value.is_none())
}

/// One attribute of a class and the method that releases what it holds.
struct Owner<'o, 'm> {
    class: &'m StmtClassDef,
    attr: &'o str,
    release: &'o str,
}

impl<'m> Owner<'_, 'm> {
    /// Whether what the method acquires at a place has an owner whatever happens then, and takes the
    /// place of nothing open.
    fn keeps(&self, method: &'m Stmt, at: Span) -> bool {
        let Some(definition) = Def::of(method) else {
            return false;
        };
        if SETUPS.contains(&definition.name) {
            return self.quiet_after(definition.body, at);
        }
        let looks = Node::Stmt(method)
            .descendants()
            .filter(|node| node.span().end <= at.start);
        let looks = looks.into_iter().any(|node| self.looks_at(node));
        let callers = SETUPS.iter().filter_map(|name| self::method(self.class, name));
        let mut calls = callers.flat_map(|caller| {
            let calls = Node::Stmt(caller)
                .descendants()
                .filter(|node| calls_own(*node, definition.name));
            calls.map(move |node| (caller, node.span()))
        });
        let quiet = calls
            .all(|(caller, call)| self.quiet_after(definition.body, at) && self.quiet_after(first_block(caller), call));
        looks && quiet
    }

    /// `self.attr`, or a call of a method that releases it.
    fn looks_at(&self, node: Node<'_>) -> bool {
        match node {
            Node::Expr(expr) if is_own(expr, self.attr) => true,
            Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => {
                method(self.class, &node.attr).is_some_and(|method| self.mentions_release(method))
            }
            _ => false,
        }
    }

    fn mentions_release(&self, statement: &Stmt) -> bool {
        let mut nodes = Node::Stmt(statement).descendants();
        nodes.any(|node| match node {
            Node::Expr(Expr::Attribute(node)) => is_own(&node.value, self.attr) && node.attr.as_str() == self.release,
            _ => false,
        })
    }

    /// Whether nothing behind the place may raise without a handler that releases.
    fn quiet_after(&self, block: &[Stmt], at: Span) -> bool {
        let Some(index) = block
            .iter()
            .position(|statement| Node::Stmt(statement).span().contains(at))
        else {
            return false;
        };
        let inside = match &block[index] {
            Stmt::If(_) => {
                let blocks = Node::Stmt(&block[index]).blocks().into_iter();
                blocks
                    .filter(|inner| covers(inner, at))
                    .all(|inner| self.quiet_after(inner, at))
            }
            Stmt::Try(node) if covers(&node.body, at) => {
                let rest = || node.orelse.iter().chain(&node.finalbody);
                let quiet = || rest().all(|later| is_quiet(Node::Stmt(later)));
                self.guards(node) || self.quiet_after(&node.body, at) && quiet()
            }
            Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Expr(_) => true,
            _ => false,
        };
        inside && block[index + 1..].iter().all(|later| self.is_guarded(later))
    }

    fn is_guarded(&self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Try(node) => self.guards(node),
            other => is_quiet(Node::Stmt(other)),
        }
    }

    /// `except BaseException: self.attr.close(); raise`
    fn guards(&self, node: &StmtTry) -> bool {
        let guards = |handler: &ExceptHandler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let broad = handler.type_.as_deref().is_none_or(
                |class| matches!(class, Expr::Name(name) if matches!(name.id.as_str(), "Exception" | "BaseException")),
            );
            let mut nodes = handler
                .body
                .iter()
                .flat_map(|statement| Node::Stmt(statement).descendants());
            broad && matches!(handler.body.last(), Some(Stmt::Raise(_))) && nodes.any(|node| self.lets_go(node))
        };
        let rest = node.orelse.iter().chain(&node.finalbody);
        node.handlers.iter().any(guards) && rest.into_iter().all(|later| is_quiet(Node::Stmt(later)))
    }

    fn lets_go(&self, node: Node<'_>) -> bool {
        match node {
            Node::Expr(Expr::Attribute(node)) if is_own(&node.value, self.attr) => node.attr.as_str() == self.release,
            Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => {
                method(self.class, &node.attr).is_some_and(|method| self.mentions_release(method))
            }
            _ => false,
        }
    }
}

fn covers(block: &[Stmt], at: Span) -> bool {
    block.iter().any(|statement| Node::Stmt(statement).span().contains(at))
}

fn calls_own(node: Node<'_>, name: &str) -> bool {
    matches!(node, Node::Expr(Expr::Attribute(node)) if node.attr.as_str() == name && is_self(&node.value))
}

/// `sole-release($attr, $a)`: outside of the lines that the rewrite removes nobody in the module may
/// release what `self.$attr` holds: it is only asked and used. Asked last.
pub(super) fn sole_release(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some((class, attr, resource)) = attribute_of(scene, arguments) else {
        return Truth::Unknown;
    };
    let parts = scene.site.parts.iter();
    let mut gone: Vec<Span> = parts
        .flat_map(|part| {
            let hunk = &scene.site.rewrite.hunks[part.hunk];
            match part.node() {
                // What goes from one method of the class to another is meant: into `__del__`.
                Node::Stmt(Stmt::ClassDef(_)) => part.removed(hunk),
                _ => part.gone(hunk),
            }
        })
        .collect();
    gone.extend(
        SETUPS
            .iter()
            .filter_map(|name| method(class, name))
            .flat_map(failures_of),
    );
    let nodes = scene
        .facts
        .module
        .nodes()
        .filter(|node| !gone.iter().any(|gone| gone.contains(node.span())));
    let body: Vec<Node<'_>> = nodes.collect();
    let wholesale = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants())
        .any(reaches_all);
    (!wholesale && only_used(scene.facts, &body, class, &attr, resource)).into()
}

/// The handlers of a set-up that fails: there, nobody has the object.
fn failures_of(method: &Stmt) -> impl Iterator<Item = Span> {
    let handlers = Node::Stmt(method).descendants().filter(|node| match node {
        Node::Handler(ExceptHandler::ExceptHandler(handler)) => matches!(handler.body.last(), Some(Stmt::Raise(_))),
        _ => false,
    });
    handlers.map(Node::span)
}

/// `vars(self)`, `self.__dict__`, `getattr(self, name)`
pub(super) fn reaches_all(node: Node<'_>) -> bool {
    match node {
        Node::Expr(Expr::Attribute(node)) => node.attr.as_str() == "__dict__",
        Node::Expr(Expr::Call(call)) => {
            let reaching = matches!(&*call.func, Expr::Name(name) if matches!(name.id.as_str(), "vars" | "getattr" | "asdict" | "setattr"));
            reaching && call.args.first().is_some_and(is_self)
        }
        _ => false,
    }
}

/// `dropped-here($attr, $a)`: the method that holds the anchor, or is it, releases `self.$attr` only on
/// lines that the rewrite removes, by its own methods too.
pub(super) fn dropped_here(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some((class, attr, resource)), Some(own)) = (attribute_of(scene, arguments), anchor_method(scene)) else {
        return Truth::Unknown;
    };
    let removed = scene.site.parts[0].gone(&scene.site.rewrite.hunks[0]);
    let nodes = Node::Stmt(own)
        .descendants()
        .filter(|node| !removed.iter().any(|gone| gone.contains(node.span())));
    let nodes: Vec<Node<'_>> = nodes.collect();
    let still = |node: &Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => method(class, &node.attr).is_some_and(|other| {
            let nodes: Vec<Node<'_>> = Node::Stmt(other).descendants().collect();
            !only_used(scene.facts, &nodes, class, &attr, resource)
        }),
        _ => false,
    };
    (only_used(scene.facts, &nodes, class, &attr, resource) && !nodes.iter().any(still)).into()
}

/// Whether these nodes do no more with the attribute than ask it and use it.
fn only_used(facts: &Facts<'_>, nodes: &[Node<'_>], class: &StmtClassDef, attr: &str, resource: &Resource) -> bool {
    let home = Span::new(class.range.start().to_u32(), class.range.end().to_u32());
    let is_it = |expr: &Expr| match expr {
        Expr::Attribute(node) if node.attr.as_str() == attr && node.ctx == ExprContext::Load => {
            !is_self(&node.value) || home.contains(Node::Expr(expr).span())
        }
        _ => false,
    };
    let mut harmless: Vec<Span> = Vec::new();
    let mut all: Vec<Span> = Vec::new();
    for node in nodes {
        if let Node::Expr(expr) = node
            && is_it(expr)
        {
            all.push(node.span());
        }
        let used = uses_of(facts, *node, resource);
        harmless.extend(
            used.into_iter()
                .filter(|expr| is_it(expr))
                .map(|expr| Node::Expr(expr).span()),
        );
    }
    all.iter().all(|span| harmless.contains(span))
}

/// What a node uses without a claim to it.
fn uses_of<'n>(facts: &Facts<'_>, node: Node<'n>, resource: &Resource) -> Vec<&'n Expr> {
    match node {
        Node::Expr(Expr::Attribute(node))
            if node.attr.as_str() != resource.release && !RELEASES.contains(&node.attr.as_str()) =>
        {
            vec![&*node.value]
        }
        Node::Expr(Expr::Subscript(node)) => vec![&*node.value],
        Node::Expr(Expr::Compare(node)) => std::iter::once(&*node.left).chain(&node.comparators).collect(),
        Node::Expr(Expr::UnaryOp(node)) => vec![&*node.operand],
        Node::Expr(Expr::BoolOp(node)) => node.values.iter().collect(),
        Node::Stmt(Stmt::If(node)) => vec![&*node.test],
        Node::Stmt(Stmt::While(node)) => vec![&*node.test],
        Node::Stmt(Stmt::For(node)) => vec![&*node.iter],
        Node::Comprehension(node) => vec![&node.iter],
        Node::WithItem(item) if resource.exit == Exit::Keeps => vec![&item.context_expr],
        Node::Expr(Expr::Call(call)) => match facts.names.resolve(&call.func) {
            Resolved::Qualified(name) if !TAKERS.iter().any(|taker| name.ends_with(taker)) => call
                .args
                .iter()
                .chain(call.keywords.iter().map(|keyword| &keyword.value))
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// `releases-others($attr)`: the method around the anchor also releases another attribute, which the
/// class fills with something acquired.
pub(super) fn releases_others(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(attr), Some(own)) = (scene.word(arguments, 0), anchor_method(scene)) else {
        return Truth::Unknown;
    };
    let Some(class) = class_at(scene.facts, scene.site.parts[0].span()) else {
        return Truth::Unknown;
    };
    let other = |node: Node<'_>| {
        let Node::Expr(Expr::Attribute(release)) = node else {
            return false;
        };
        let Expr::Attribute(held) = &*release.value else {
            return false;
        };
        let mut values = attribute_values(&class.body, &held.attr).flatten();
        let acquired = values
            .any(|value| resource_of(scene.facts, value).is_some_and(|found| found.release == release.attr.as_str()));
        held.attr.as_str() != attr && is_self(&held.value) && acquired
    };
    Node::Stmt(own).descendants().any(other).into()
}

/// `ends-others()`: a method that ends the lives of the objects of the class around the anchor releases something.
pub(super) fn ends_others(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = class_at(scene.facts, scene.site.parts[0].span()) else {
        return Truth::Unknown;
    };
    let ends = |statement: &&Stmt| {
        let name = Def::of(statement).map(|def| def.name);
        name.is_some_and(|name| ENDS.contains(&name) || matches!(name, "aclose" | "__aexit__"))
    };
    let releases = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(release)) => RELEASES.contains(&release.attr.as_str()),
        _ => false,
    };
    let mut methods = class.body.iter().filter(ends);
    methods
        .any(|method| Node::Stmt(method).descendants().any(releases))
        .into()
}

/// `has-method(name, …)`: the class that is the anchor, or holds it, defines one of these.
pub(super) fn has_method(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let class = match scene.site.parts[0].node() {
        Node::Stmt(Stmt::ClassDef(class)) => Some(class),
        node => class_at(scene.facts, node.span()),
    };
    let names = texts(arguments, 0);
    class.map_or(Truth::Unknown, |class| {
        names.iter().any(|name| method(class, name).is_some()).into()
    })
}

/// `has-net()`: besides what its callers do, the class around the anchor sees to its release by a finalizer
/// or a hook for the end of the process.
pub(super) fn has_net(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let Some(class) = class_at(scene.facts, scene.site.parts[0].span()) else {
        return Truth::Unknown;
    };
    let nets = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => match &*call.func {
            Expr::Name(name) => name.id.as_str() == "finalize",
            Expr::Attribute(method) => {
                let hook = matches!(&*method.value, Expr::Name(module) if module.id.as_str() == "atexit");
                hook || method.attr.as_str() == "finalize"
            }
            _ => false,
        },
        _ => false,
    };
    let mut nodes = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    (method(class, "__del__").is_some() || nodes.any(nets)).into()
}

/// `starts-empty($attr)`: an instance begins with `self.$attr` as `None`, and `__init__` does not fill it.
pub(super) fn starts_empty(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(attr), Some(class)) = (
        scene.word(arguments, 0),
        class_at(scene.facts, scene.site.parts[0].span()),
    ) else {
        return Truth::Unknown;
    };
    let Some(init) = method(class, "__init__") else {
        return Truth::Unknown;
    };
    let own: Vec<Option<&Expr>> = attribute_values(std::slice::from_ref(init), &attr).collect();
    let fills = |node: Node<'_>| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => method(class, &node.attr)
            .is_some_and(|method| attribute_values(std::slice::from_ref(method), &attr).next().is_some()),
        _ => false,
    };
    let empty = matches!(own[..], [Some(value)] if is_none(value));
    (empty && !Node::Stmt(init).descendants().any(fills)).into()
}
