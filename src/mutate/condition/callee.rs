//! What a function of the module does with an argument: the clean `with` says nothing of a callee
//! that closes what it gets, since closing twice does no harm.

use super::usage::{hands_on, is_name, releases};
use crate::mutate::facts::{Facts, is_self};
use crate::python::ast::{Expr, ExprCall, Stmt};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved};

/// Whether the node is a call that gives `name` to a function, method or class of this module which
/// releases or keeps it.
pub(in crate::mutate) fn taken_by_callee(facts: &Facts<'_>, node: Node<'_>, name: &str) -> bool {
    let Node::Expr(Expr::Call(call)) = node else {
        return false;
    };
    if !call
        .args
        .iter()
        .chain(call.keywords.iter().map(|keyword| &keyword.value))
        .any(|value| is_name(value, name))
    {
        return false;
    }
    let Some((callee, bound)) = callee(facts, call) else {
        return false;
    };
    let Some(definition) = Def::of(callee) else {
        return false;
    };
    let Some(parameter) = parameter(&definition, call, name, usize::from(bound)) else {
        return true;
    };
    let mut nodes = definition
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| releases(node, parameter) || hands_on(node, parameter))
}

/// The definition that a call runs, and whether its first parameter is filled by the way it is called.
pub(super) fn callee<'f>(facts: &'f Facts<'_>, call: &ExprCall) -> Option<(&'f Stmt, bool)> {
    if let Expr::Attribute(node) = &*call.func {
        return is_self(&node.value)
            .then(|| own_method(facts, call, &node.attr))
            .flatten();
    }
    let Resolved::Local {
        bindings: [only], path, ..
    } = facts.names.resolve(&call.func)
    else {
        return None;
    };
    match only.kind {
        BindingKind::Def(definition) if path.is_empty() => Some((definition, false)),
        BindingKind::Class(Stmt::ClassDef(class)) if path.is_empty() => Some((method(&class.body, "__init__")?, true)),
        _ => None,
    }
}

fn own_method<'f>(facts: &'f Facts<'_>, call: &ExprCall, name: &str) -> Option<(&'f Stmt, bool)> {
    let class = facts.names.enclosing_class(call.range.start().to_u32())?;
    let Some(Node::Stmt(Stmt::ClassDef(class))) = facts.names.scope(class).node else {
        return None;
    };
    let method = method(&class.body, name)?;
    let is_static = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id.as_str() == "staticmethod");
    let bound = !Def::of(method)?.decorators.iter().any(is_static);
    Some((method, bound))
}

fn method<'a>(body: &'a [Stmt], name: &str) -> Option<&'a Stmt> {
    body.iter()
        .find(|statement| Def::of(statement).is_some_and(|definition| definition.name == name))
}

/// The parameter that takes the argument `name`; `None` for `*args` and `**options`.
fn parameter<'a>(definition: &Def<'a>, call: &ExprCall, name: &str, filled: usize) -> Option<&'a str> {
    let by_keyword = call.keywords.iter().find(|keyword| is_name(&keyword.value, name));
    let all = definition
        .arguments
        .posonlyargs
        .iter()
        .chain(&definition.arguments.args);
    if let Some(keyword) = by_keyword {
        let wanted = keyword.arg.as_deref()?;
        let mut all = all.chain(&definition.arguments.kwonlyargs);
        return all
            .find(|parameter| parameter.def.arg.as_str() == wanted)
            .map(|parameter| parameter.def.arg.as_str());
    }
    let at = call.args.iter().position(|arg| is_name(arg, name))?;
    all.skip(filled).nth(at).map(|parameter| parameter.def.arg.as_str())
}
