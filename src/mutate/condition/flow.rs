//! Conditions on where control goes.

use super::{Argument, Scene, Truth};
use crate::mutate::facts::Facts;
use crate::python::ast::{Constant, Expr, Stmt, WithItem};
use crate::python::flow::{self, Graph};
use crate::python::names::ScopeKind;

fn of_block(scene: &Scene<'_, '_, '_>, arguments: &[Argument], question: fn(&[Stmt]) -> bool) -> Truth {
    scene
        .block(arguments, 0)
        .map_or(Truth::Unknown, |block| question(block).into())
}

/// `falls-through($$b)`: control can reach the end.
pub(super) fn falls_through(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::falls_through)
}

/// `leaves-early($$b)`: holds a return, or a break or continue of a loop outside.
pub(super) fn leaves_early(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::leaves_early)
}

/// `may-raise($$b, $n)`: an exception may leave the block. What a handler inside catches does not, and
/// short constants written to `$n` stay in its buffer.
pub(super) fn may_raise(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(block) = scene.block(arguments, 0) else {
        return Truth::Unknown;
    };
    let name = scene.word(arguments, 1);
    let buffered = |statement: &Stmt| {
        name.as_deref()
            .is_some_and(|name| only_buffers(scene.facts, statement, name))
    };
    let leaves = |statement: &Stmt| Graph::of_body(std::slice::from_ref(statement)).reachable()[Graph::RAISED as usize];
    block
        .iter()
        .any(|statement| !buffered(statement) && leaves(statement) && !suppresses_all(scene, statement))
        .into()
}

/// Far below any stream's buffer.
const SHORT: usize = 4000;

/// `name.write("a few words")`, or `name.write(WORDS)` of a constant of the module, or a look at what an archive has read on opening.
fn only_buffers(facts: &Facts<'_>, statement: &Stmt, name: &str) -> bool {
    let call = match statement {
        Stmt::Expr(node) => &*node.value,
        Stmt::Assign(node) => &*node.value,
        _ => return false,
    };
    let Expr::Call(call) = call else { return false };
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let own = matches!(&*method.value, Expr::Name(object) if object.id.as_str() == name);
    own && match (method.attr.as_str(), &call.args[..]) {
        ("write", [text]) => match facts.constant(text) {
            Some(Constant::Str(text)) => text.len() < SHORT,
            Some(Constant::Bytes(bytes)) => bytes.len() < SHORT,
            _ => false,
        },
        ("namelist", []) => true,
        _ => false,
    }
}

/// `with suppress(Exception):`
fn suppresses_all(scene: &Scene<'_, '_, '_>, statement: &Stmt) -> bool {
    let Stmt::With(node) = statement else { return false };
    let [
        WithItem {
            context_expr: Expr::Call(call),
            ..
        },
    ] = &node.items[..]
    else {
        return false;
    };
    let all =
        |class: &Expr| matches!(class, Expr::Name(name) if matches!(name.id.as_str(), "Exception" | "BaseException"));
    scene.facts.names.resolve(&call.func).qualified() == Some("contextlib.suppress") && call.args.iter().any(all)
}

/// `has-yield($$b)`
pub(super) fn has_yield(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::has_yield)
}

/// `used-after($n)`: read on some path that leaves the site, exceptions and loops included; unknown
/// where the name belongs to another scope than the code around it, or to a class.
pub(super) fn used_after(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let at = scene.at();
    let scope = scene.facts.names.scope_at(at.start);
    let in_class = scene.facts.names.scope(scope).kind == ScopeKind::Class;
    if in_class || scene.facts.names.home(&name, scope) != scope {
        return Truth::Unknown;
    }
    scene.facts.graph_at(at.start).live_after(&name, at).into()
}
