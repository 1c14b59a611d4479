//! Conditions on objects that reach themselves: what keeps whom, and whether something breaks the circle.

use super::class::{first_block, is_plain, method};
use super::collection::{Root, Use, is_of_another, uses};
use super::registry::class_named;
use super::usage::is_name;
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::unify::Value;
use crate::python::ast::{Constant, ExceptHandler, Expr, ExprCall, ExprContext, Stmt, StmtClassDef};
use crate::python::names::{BindingKind, Def, ScopeKind, parameters};
use crate::python::{Node, ScopeId, Span};

/// `call-within($w, $x, "pkg.name", …)`: the one call of it in `$x`, or `$x` itself.
pub(super) fn call_within(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 1) else {
        return Truth::Unknown;
    };
    let wanted = texts(arguments, 2);
    let names = &scene.facts.names;
    let is_wanted = |call: &ExprCall| {
        let resolved = names.resolve(&call.func);
        resolved.qualified().is_some_and(|name| wanted.contains(&name))
    };
    let exprs = Node::Expr(expr).descendants().filter_map(Node::as_expr);
    let calls: Vec<&Expr> = exprs
        .filter(|expr| expr.as_call_expr().is_some_and(is_wanted))
        .collect();
    match calls[..] {
        [only] => scene.bind(arguments, Value::Node(Node::Expr(only))),
        _ => Truth::No,
    }
}

/// `argument($p, $w)`: all that the call is given.
pub(super) fn argument(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    match scene.expr(arguments, 1) {
        Some(Expr::Call(call)) => match &call.args[..] {
            [only] if call.keywords.is_empty() && !only.is_starred_expr() => {
                scene.bind(arguments, Value::Node(Node::Expr(only)))
            }
            _ => Truth::No,
        },
        _ => Truth::Unknown,
    }
}

/// The class around a place, if it stands at the top of the module.
fn class_at<'m>(facts: &Facts<'m>, at: Span) -> Option<&'m StmtClassDef> {
    let class = facts.names.enclosing_class(at.start)?;
    match facts.names.scope(class).node {
        Some(Node::Stmt(Stmt::ClassDef(class))) => is_top_level(facts, class).then_some(class),
        _ => None,
    }
}

fn is_top_level(facts: &Facts<'_>, class: &StmtClassDef) -> bool {
    let mut classes = facts.module.body.iter().filter_map(Stmt::as_class_def_stmt);
    classes.any(|other| std::ptr::eq(other, class))
}

/// `keeps($made, $w)`: `$made` makes an instance of a class of this module, which keeps the argument `$w` for good; nothing
/// else that it is given leads back to `self`.
pub(super) fn keeps(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(made), Some(given)) = (scene.expr(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    keeper(scene, made, given).map_or(Truth::Unknown, |_| Truth::Yes)
}

/// `kept-as($k, $made, $w)`: the attribute in which it does, of a class to which the module gives only this weak reference.
pub(super) fn kept_as(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(made), Some(given)) = (scene.expr(arguments, 1), scene.expr(arguments, 2)) else {
        return Truth::Unknown;
    };
    match keeper(scene, made, given).filter(|_| is_made_once(scene.facts, made)) {
        Some(attr) => scene.bind(arguments, Value::Text(attr.to_owned())),
        None => Truth::Unknown,
    }
}

/// Another object of the class may have been given a weak reference, too, which wants to be called.
fn is_made_once(facts: &Facts<'_>, made: &Expr) -> bool {
    let class_of = |expr: &Expr| class_named(facts, &expr.as_call_expr()?.func);
    let Some(class) = class_of(made) else { return false };
    let is_weak = |expr: &Expr| {
        let known = expr.as_call_expr().map(|call| facts.names.resolve(&call.func));
        known.is_some_and(|known| known.qualified().is_some_and(|name| name.starts_with("weakref.")))
    };
    let takes_weak =
        |call: &ExprCall| call.args.iter().any(is_weak) || call.keywords.iter().any(|each| is_weak(&each.value));
    let calls = facts
        .module
        .nodes()
        .filter_map(Node::as_expr)
        .filter_map(Expr::as_call_expr);
    let others = calls.filter(|call| class_named(facts, &call.func).is_some_and(|other| std::ptr::eq(other, class)));
    others.filter(|call| takes_weak(call)).count() == 1
}

fn keeper<'m>(scene: &Scene<'_, '_, 'm>, made: &Expr, given: &Expr) -> Option<&'m str> {
    let facts = scene.facts;
    let Expr::Call(call) = made else { return None };
    let (class, home) = (class_named(facts, &call.func)?, class_at(facts, scene.at())?);
    let args = call
        .args
        .iter()
        .chain(call.keywords.iter().map(|keyword| &keyword.value));
    let mut others = args.filter(|arg| !std::ptr::eq(*arg, given));
    if !is_top_level(facts, class) || !is_plain(class) || others.any(|arg| leads_back(home, arg)) {
        return None;
    }
    let init = Def::of(method(class, "__init__")?)?;
    let attr = attribute_for(class, parameter_of(&init, call, given)?)?;
    (stores(facts, attr, None).len() == 1).then_some(attr)
}

/// `self`, a method of it, or a function that may hold it.
fn leads_back(class: &StmtClassDef, arg: &Expr) -> bool {
    Node::Expr(arg).descendants().any(|node| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => method(class, &node.attr).is_some(),
        Node::Expr(Expr::Lambda(_)) => true,
        _ => false,
    }) || is_self(arg)
}

/// The parameter of a method that an argument fills.
fn parameter_of<'m>(method: &Def<'m>, call: &ExprCall, given: &Expr) -> Option<&'m str> {
    if let Some(at) = call.args.iter().position(|arg| std::ptr::eq(arg, given)) {
        let mut all = method.arguments.posonlyargs.iter().chain(&method.arguments.args);
        return all.nth(at + 1).map(|parameter| parameter.def.arg.as_str());
    }
    let keyword = call
        .keywords
        .iter()
        .find(|keyword| std::ptr::eq(&raw const keyword.value, given))?;
    let name = keyword.arg.as_deref()?;
    let mut all = parameters(method.arguments)
        .into_iter()
        .map(|(arg, _)| arg.arg.as_str());
    all.find(|parameter| *parameter == name)
}

/// The attribute that `__init__` keeps the parameter in: `self.attr = parameter`, on its first level.
fn attribute_for<'m>(class: &'m StmtClassDef, parameter: &str) -> Option<&'m str> {
    let init = method(class, "__init__")?;
    first_block(init).iter().find_map(|statement| {
        let (target, value) = match statement {
            Stmt::Assign(node) => (node.targets.first().filter(|_| node.targets.len() == 1)?, &*node.value),
            Stmt::AnnAssign(node) => (&*node.target, node.value.as_deref()?),
            _ => return None,
        };
        match target {
            Expr::Attribute(node) if is_self(&node.value) && is_name(value, parameter) => Some(node.attr.as_str()),
            _ => None,
        }
    })
}

/// Where the module stores or deletes the attribute, or says its name in a string. Where the class is known, another
/// one's `self.attr` does not count.
fn stores(facts: &Facts<'_>, attr: &str, class: Option<ScopeId>) -> Vec<Span> {
    let found = facts.module.nodes().filter_map(|node| match node {
        Node::Expr(expr @ Expr::Attribute(found))
            if found.ctx != ExprContext::Load && found.attr.as_str() == attr && !is_of_another(facts, expr, class) =>
        {
            Some(node.span())
        }
        Node::Expr(Expr::Constant(found)) if found.value.as_str().is_some_and(|text| text == attr) => Some(node.span()),
        _ => None,
    });
    found.collect()
}

/// `stored-once($attr)`: nothing else in the module stores or deletes it, but for `None`, and that not where the life of
/// the object ends.
pub(super) fn stored_once(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(attr) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let facts = scene.facts;
    if !attr.starts_with('_') && facts.index.stands_elsewhere(&attr) {
        return Truth::Unknown;
    }
    let site = scene.site.parts[0].span();
    let class = class_of_self(scene);
    let own = facts.names.enclosing_function(site.start);
    let cleared = facts.module.nodes().filter_map(Node::as_stmt).filter_map(none_stored);
    let cleared: Vec<Span> = cleared.collect();
    let harmless = |span: Span| {
        let before = facts.names.enclosing_function(span.start) == own && span.start < site.start;
        cleared.contains(&span) && (before || !in_ending(facts, span))
    };
    let mut others = stores(facts, &attr, class)
        .into_iter()
        .filter(|span| !site.contains(*span));
    others.all(harmless).into()
}

/// The class around the site, where the site stores an attribute of `self`: another class may have one of the same name.
fn class_of_self(scene: &Scene<'_, '_, '_>) -> Option<ScopeId> {
    let site = scene.site.parts[0].node();
    let of_self = matches!(site, Node::Stmt(Stmt::Assign(node)) if matches!(&node.targets[0], Expr::Attribute(target) if is_self(&target.value)));
    let of_self = of_self
        || matches!(site, Node::Stmt(Stmt::AnnAssign(node)) if matches!(&*node.target, Expr::Attribute(target) if is_self(&target.value)));
    scene.facts.names.enclosing_class(site.span().start).filter(|_| of_self)
}

/// `foreign($x)`: `$x` is `self` in another class than the one whose attribute the site stores.
pub(super) fn foreign(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(expr), class) = (scene.expr(arguments, 0), class_of_self(scene)) else {
        return Truth::Unknown;
    };
    let own = scene.facts.names.enclosing_class(Node::Expr(expr).span().start);
    (is_self(expr) && class.is_some() && own != class).into()
}

/// Methods that are there to let go: who does not call them breaks a promise of his own.
const ENDING: [&str; 18] = [
    "__del__",
    "__exit__",
    "aclose",
    "clear",
    "close",
    "destroy",
    "dispose",
    "dissolve",
    "free",
    "finish",
    "release",
    "reset",
    "shutdown",
    "stop",
    "teardown",
    "terminate",
    "uninstall",
    "unlink",
];

fn in_ending(facts: &Facts<'_>, span: Span) -> bool {
    is_within(facts, span, &ENDING)
}

/// Whether the place stands in a function of one of the names.
fn is_within(facts: &Facts<'_>, span: Span, wanted: &[&str]) -> bool {
    let function = facts.names.enclosing_function(span.start);
    let name = function.map(|id| facts.names.scope(id).name());
    name.is_some_and(|name| wanted.contains(&name))
}

/// The target of `self.attr = None`.
fn none_stored(statement: &Stmt) -> Option<Span> {
    let (target, value) = match statement {
        Stmt::Assign(node) => (node.targets.first().filter(|_| node.targets.len() == 1)?, &*node.value),
        Stmt::AnnAssign(node) => (&*node.target, node.value.as_deref()?),
        _ => return None,
    };
    let is_none = matches!(value, Expr::Constant(constant) if constant.value == Constant::None);
    is_none.then(|| Node::Expr(target).span())
}

/// `only-called($attr, $owner)`: whoever reads the attribute calls it, or asks whether it is there. Where the site stores
/// it on `$owner`, that of another class does not count.
pub(super) fn only_called(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(attr) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let class = class_of_self(scene).filter(|_| arguments.len() > 1);
    let is_it = |expr: &Expr| {
        let named =
            matches!(expr, Expr::Attribute(node) if node.ctx == ExprContext::Load && node.attr.as_str() == attr);
        named && !is_of_another(scene.facts, expr, class)
    };
    let (mut all, mut fine) = (0_u32, 0_u32);
    for node in scene.facts.module.nodes() {
        match node {
            Node::Expr(expr) if is_it(expr) => all += 1,
            Node::Expr(Expr::Call(call)) if is_it(&call.func) && call.args.is_empty() => fine += 1,
            Node::Expr(Expr::Compare(test)) if is_it(&test.left) => fine += 1,
            Node::Stmt(Stmt::If(node)) if is_it(&node.test) => fine += 1,
            Node::Expr(Expr::IfExp(node)) if is_it(&node.test) => fine += 1,
            _ => {}
        }
    }
    let methods = scene
        .facts
        .definitions
        .iter()
        .filter_map(|statement| Def::of(statement));
    let is_method = methods.into_iter().any(|definition| definition.name == attr);
    (all > 0 && all == fine && !is_method).into()
}

/// `faces-none($attr)`: someone asks whether what a call of the attribute gives is there.
pub(super) fn faces_none(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(attr) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let given = |expr: &Expr| match expr {
        Expr::Call(call) => matches!(&*call.func, Expr::Attribute(node) if node.attr.as_str() == attr),
        _ => false,
    };
    let nodes = || scene.facts.module.nodes();
    let names: Vec<&str> = nodes()
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(node)) if given(&node.value) => node.targets.first(),
            Node::Expr(Expr::NamedExpr(node)) if given(&node.value) => Some(&*node.target),
            _ => None,
        })
        .filter_map(|target| target.as_name_expr().map(|name| name.id.as_str()))
        .collect();
    let is_it = |expr: &Expr| match expr {
        Expr::NamedExpr(node) => given(&node.value),
        Expr::Name(name) => names.contains(&name.id.as_str()),
        _ => given(expr),
    };
    let asked = nodes().any(|node| match node {
        Node::Expr(Expr::Compare(test)) => is_it(&test.left),
        Node::Expr(Expr::BoolOp(node)) => node.values.iter().any(is_it),
        Node::Expr(Expr::UnaryOp(node)) => is_it(&node.operand),
        Node::Expr(Expr::IfExp(node)) => is_it(&node.test),
        Node::Stmt(Stmt::If(node)) => is_it(&node.test),
        Node::Stmt(Stmt::While(node)) => is_it(&node.test),
        _ => false,
    });
    asked.into()
}

/// `holds($ties, $p, $owner)`: what the object `$p` is keeps `$owner`, and nothing in the module makes it let go: the same function
/// says so, or every class that makes one with itself as `$p`. `$ties` are the places that say so.
pub(super) fn holds(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let (Some(Expr::Name(holder)), Some(Expr::Name(held))) = (scene.expr(arguments, 1), scene.expr(arguments, 2))
    else {
        return Truth::Unknown;
    };
    let Some(class) = class_at(facts, scene.at()) else {
        return Truth::Unknown;
    };
    let function = facts
        .names
        .enclosing_function(scene.at().start)
        .and_then(|id| facts.names.scope(id).node);
    let Some(function) = function else {
        return Truth::Unknown;
    };
    let here = keepers(function, &holder.id, &|value| is_name(value, &held.id));
    let (kept, ties): (Vec<&str>, Vec<Node<'_>>) = if held.id.as_str() == "self" && here.is_empty() {
        takers(facts, class, function, &holder.id)
    } else {
        here.into_iter().unzip()
    };
    let lets_go = |attr: &&str| lets_go(facts, attr);
    match kept[..] {
        [] => Truth::Unknown,
        _ if kept.iter().any(lets_go) => Truth::No,
        _ => scene.bind(arguments, Value::Many(ties)),
    }
}

/// Attributes of `holder` in which the code keeps a value, and where: `holder.attr = value`, `holder.attr[…] = value`,
/// `holder.attr.append(value)`.
fn keepers<'m>(code: Node<'m>, holder: &str, is_kept: &dyn Fn(&Expr) -> bool) -> Vec<(&'m str, Node<'m>)> {
    let attribute = |expr: &'m Expr| match expr {
        Expr::Attribute(node) if is_name(&node.value, holder) => Some(node.attr.as_str()),
        _ => None,
    };
    let kept_in = |node: Node<'m>| match node {
        Node::Stmt(Stmt::Assign(node)) if is_kept(&node.value) => node.targets.iter().find_map(|target| match target {
            Expr::Subscript(item) => attribute(&item.value),
            target => attribute(target),
        }),
        Node::Expr(Expr::Call(call)) => match (&*call.func, call.args.last()) {
            (Expr::Attribute(method), Some(last)) => {
                let adds = matches!(method.attr.as_str(), "append" | "add" | "insert" | "appendleft");
                (adds && is_kept(last)).then(|| attribute(&method.value)).flatten()
            }
            _ => None,
        },
        _ => None,
    };
    let nodes = code.descendants();
    nodes.filter_map(|node| Some((kept_in(node)?, node))).collect()
}

/// Attributes in which classes of the module keep an object of `class` for which they call the method `function` with
/// themselves as `parameter`: they make it (`Row(self)`), or tell it (`row.attach(self)`). Beside it where they keep it,
/// make it and tell it.
fn takers<'m>(
    facts: &Facts<'m>,
    class: &StmtClassDef,
    function: Node<'_>,
    parameter: &str,
) -> (Vec<&'m str>, Vec<Node<'m>>) {
    let Some(told) = function.as_stmt().and_then(Def::of) else {
        return (Vec::new(), Vec::new());
    };
    let gives_self = |call: &ExprCall| {
        let mut args = call
            .args
            .iter()
            .chain(call.keywords.iter().map(|keyword| &keyword.value));
        args.any(|arg| is_self(arg) && parameter_of(&told, call, arg) == Some(parameter))
    };
    let makes = |expr: &Expr| match expr {
        Expr::Call(call) if told.name == "__init__" => {
            class_named(facts, &call.func).is_some_and(|made| std::ptr::eq(made, class)) && gives_self(call)
        }
        _ => false,
    };
    let tells = |expr: &Expr, wanted: Option<&str>| match expr {
        Expr::Call(call) if told.name != "__init__" => match &*call.func {
            Expr::Attribute(function) if function.attr.as_str() == told.name && gives_self(call) => {
                wanted.is_none_or(|name| is_name(&function.value, name))
            }
            _ => false,
        },
        _ => false,
    };
    let (mut attributes, mut ties) = (Vec::new(), Vec::new());
    for method in methods(facts) {
        let scope = facts.names.scope_of(method);
        let exprs = || Node::Stmt(method).descendants().filter_map(Node::as_expr);
        let named = |expr: &Expr| match (expr, scope) {
            (Expr::Name(name), Some(scope)) => match facts.names.bindings(&name.id, scope) {
                [only] if matches!(only.kind, BindingKind::Assign { value: Some(value) } if makes(value)) => true,
                _ => exprs().any(|expr| tells(expr, Some(&name.id))),
            },
            _ => false,
        };
        let kept = keepers(Node::Stmt(method), "self", &|value| makes(value) || named(value));
        if !kept.is_empty() {
            let calls = exprs().filter(|expr| makes(expr) || tells(expr, None));
            ties.extend(calls.map(Node::Expr));
        }
        for (attribute, tie) in kept {
            attributes.push(attribute);
            ties.push(tie);
        }
    }
    (attributes, ties)
}

/// All methods of all classes.
fn methods<'f, 'm>(facts: &'f Facts<'m>) -> impl Iterator<Item = &'m Stmt> + use<'f, 'm> {
    let definitions = facts.definitions.iter().copied();
    definitions.filter(|statement| {
        let around = facts
            .names
            .scope_of(statement)
            .and_then(|id| facts.names.scope(id).parent);
        Def::of(statement).is_some() && around.is_some_and(|id| facts.names.scope(id).kind == ScopeKind::Class)
    })
}

/// Whether a method that ends the life of its object empties the attribute, or it is not the module that makes it,
/// just once.
fn lets_go(facts: &Facts<'_>, attr: &str) -> bool {
    let uses = uses(facts, Root::Attribute(attr, None), true);
    let changed = |wanted: &[Use], place: &[&str]| {
        let uses = uses
            .iter()
            .filter(|(usage, span)| wanted.contains(usage) && is_within(facts, *span, place));
        uses.count()
    };
    changed(&[Use::Replaced], &["__init__"]) != 1 || changed(&[Use::Shrinks, Use::Replaced], &ENDING) > 0
}

/// `caught($e, $owner)`: `$e` is the exception of the handler around the site, which does not raise again, and `$owner` a
/// name of the same function, so that the frame in its traceback reaches it.
pub(super) fn caught(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let (Some(Expr::Name(exception)), Some(Expr::Name(owner))) = (scene.expr(arguments, 0), scene.expr(arguments, 1))
    else {
        return Truth::No;
    };
    let at = scene.at();
    let handlers = facts.module.nodes().filter_map(|node| match node {
        Node::Handler(handler @ ExceptHandler::ExceptHandler(inner)) if node.span().contains(at) => {
            Some((Node::Handler(handler), inner))
        }
        _ => None,
    });
    let Some((node, handler)) = handlers.min_by_key(|(node, _)| node.span().len()) else {
        return Truth::No;
    };
    let named = handler.name.as_deref() == Some(exception.id.as_str());
    let raises = node
        .descendants()
        .any(|node| matches!(node, Node::Stmt(Stmt::Raise(_))));
    let scope = facts.names.scope_at(at.start);
    let same = facts.names.scope_at(node.span().start) == scope;
    let local = facts.names.home(&owner.id, scope) == scope && facts.names.scope(scope).kind == ScopeKind::Function;
    (named && !raises && same && local).into()
}

/// `own-method($m)`: `self.name`, where the class around the site defines that method.
pub(super) fn own_method(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(Expr::Attribute(bound)), Some(class)) = (scene.expr(arguments, 0), class_at(scene.facts, scene.at()))
    else {
        return Truth::No;
    };
    (is_self(&bound.value) && method(class, &bound.attr).is_some()).into()
}

/// `or-none($x, $w)`: `$x` is `$w`, or `$w if … else None`.
pub(super) fn or_none(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(value), Some(call)) = (scene.expr(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    let is_none = |expr: &Expr| matches!(expr, Expr::Constant(constant) if constant.value == Constant::None);
    let either = |one: &Expr, other: &Expr| std::ptr::eq(one, call) && is_none(other);
    let fits = match value {
        Expr::IfExp(node) => either(&node.body, &node.orelse) || either(&node.orelse, &node.body),
        other => std::ptr::eq(other, call),
    };
    fits.into()
}
