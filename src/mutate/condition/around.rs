//! Conditions on what stands around the site: its function, its class, its place in the module.

use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::{Facts, around};
use crate::mutate::unify::Value;
use crate::python::ast::{Expr, ExprContext, Stmt};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, ScopeId, Span};

/// `decorated("pkg.name", …)`: the function around the site carries one of them; unknown where it carries
/// another one that is not known to leave generators alone.
pub(super) fn decorated(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let names = &scene.facts.names;
    let function = names
        .enclosing_function(scene.at().start)
        .and_then(|id| names.scope(id).node)
        .and_then(Node::as_stmt);
    let Some(definition) = function.and_then(Def::of) else {
        return Truth::No;
    };
    let wanted = texts(arguments, 0);
    let mut truth = Truth::No;
    for decorator in definition.decorators {
        let maker = match decorator {
            Expr::Call(call) => &*call.func,
            other => other,
        };
        match names.resolve(maker) {
            Resolved::Qualified(name) if wanted.contains(&name.as_str()) => return Truth::Yes,
            Resolved::Qualified(name) if HARMLESS.iter().any(|package| name.starts_with(package)) => {}
            _ => truth = Truth::Unknown,
        }
    }
    truth
}

/// Where decorators come from that make no context manager.
const HARMLESS: [&str; 4] = ["builtins.", "typing.", "abc.", "functools."];

/// `in-testcase()`: straight in a method of a class that has `unittest.TestCase` as a base.
pub(super) fn in_testcase(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let names = &scene.facts.names;
    let at = scene.at().start;
    let Some(class) = names.enclosing_class(at) else {
        return Truth::No;
    };
    let Some(Node::Stmt(Stmt::ClassDef(class))) = names.scope(class).node else {
        return Truth::Unknown;
    };
    let is_case = |base: &Expr| {
        let base = names.resolve(base);
        base.qualified().is_some_and(|name| {
            matches!(
                name,
                "unittest.TestCase" | "unittest.case.TestCase" | "unittest.IsolatedAsyncioTestCase"
            )
        })
    };
    let in_method = class.body.iter().any(|statement| {
        let own = names.enclosing_function(at).and_then(|id| names.scope(id).node);
        let takes_self = Def::of(statement).is_some_and(|method| {
            method
                .arguments
                .args
                .first()
                .is_some_and(|first| first.def.arg.as_str() == "self")
        });
        takes_self && own.is_some_and(|own| own.span() == Node::Stmt(statement).span())
    });
    if !class.bases.iter().any(is_case) {
        return Truth::Unknown;
    }
    in_method.into()
}

/// `runs-once()`: at the top of the module, in no loop, so that it runs once per process.
pub(super) fn runs_once(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    let repeated = around(scene.facts.module, scene.at()).into_iter().any(repeats);
    (!repeated).into()
}

/// `at-top()`: in no other statement, so that it runs whenever the module is imported.
pub(super) fn at_top(scene: &mut Scene<'_, '_, '_>, _arguments: &[Argument]) -> Truth {
    around(scene.facts.module, scene.at()).is_empty().into()
}

/// Whether what stands in the statement may run more than once, or later.
fn repeats(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::For(_)
            | Stmt::AsyncFor(_)
            | Stmt::While(_)
            | Stmt::FunctionDef(_)
            | Stmt::AsyncFunctionDef(_)
            | Stmt::ClassDef(_)
    )
}

/// `input($x, $a)`: the one name of the function around the site that the expression reads; everything
/// else in it means the same at the top of the module.
pub(super) fn input(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 1) else {
        return Truth::Unknown;
    };
    let mut found: Vec<&str> = Vec::new();
    for node in Node::Expr(expr).descendants().filter_map(Node::as_expr) {
        match node {
            Expr::Name(name) if name.ctx != ExprContext::Load => return Truth::No,
            Expr::Lambda(_) | Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::NamedExpr(_) => {
                return Truth::No;
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::GeneratorExp(_) => return Truth::No,
            Expr::Name(name) if is_local(scene.facts, &name.id, Node::Expr(node).span()) => found.push(&name.id),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [only] if !matches!(only, "self" | "cls") => scene.bind(arguments, Value::Text(only.to_owned())),
        _ => Truth::No,
    }
}

/// `parameter($x)`: a parameter of the function around the site, and bound by nothing else. `parameter($x, $a)`:
/// and all that the call `$a` does with it is to take it as an argument, or to be a method of it.
pub(super) fn parameter(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let names = &scene.facts.names;
    let bindings = names.bindings(&name, names.scope_at(scene.at().start));
    let is_parameter = matches!(bindings, [only] if matches!(only.kind, BindingKind::Parameter(_)));
    let is_taken = arguments.len() < 2 || scene.expr(arguments, 1).is_some_and(|call| takes(call, &name));
    (is_parameter && is_taken).into()
}

/// Whether every mention of the name in the call is an argument or its object.
fn takes(acquire: &Expr, name: &str) -> bool {
    let Expr::Call(call) = acquire else { return false };
    let is_it = |expr: &Expr| matches!(expr, Expr::Name(found) if &*found.id == name);
    let object = match &*call.func {
        Expr::Attribute(method) => Some(&*method.value),
        _ => None,
    };
    let values = call
        .args
        .iter()
        .chain(call.keywords.iter().map(|keyword| &keyword.value));
    let taken = values.chain(object).filter(|value| is_it(value)).count();
    let mentions = Node::Expr(acquire)
        .descendants()
        .filter_map(Node::as_expr)
        .filter(|expr| is_it(expr))
        .count();
    taken == mentions
}

/// Whether a name belongs to a function or class and not to the module.
fn is_local(facts: &Facts<'_>, name: &str, at: Span) -> bool {
    let scope = facts.names.scope_at(at.start);
    let bindings = facts.names.bindings(name, scope);
    bindings.iter().any(|binding| binding.scope != ScopeId::MODULE)
}
