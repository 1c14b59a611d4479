//! How long the instances of a class live, as far as the module tells.

use crate::detect::Analysed;
use crate::python::ast::{Expr, Ranged, Stmt, StmtClassDef};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Names, Node, ScopeId};

use super::tail;

/// The class statement of a scope.
pub(in crate::detect) fn class_of<'m>(names: &Names<'m>, scope: ScopeId) -> Option<&'m StmtClassDef> {
    match names.scope(scope).node {
        Some(Node::Stmt(Stmt::ClassDef(class))) => Some(class),
        _ => None,
    }
}

/// Whether its instances are a few that the class statement itself makes.
pub(in crate::detect) fn is_enum(names: &Names<'_>, class: &Stmt) -> bool {
    let Stmt::ClassDef(class) = class else { return false };
    has_enum_base(names, class)
}

pub(in crate::detect) fn has_enum_base(names: &Names<'_>, class: &StmtClassDef) -> bool {
    class.bases.iter().any(|base| {
        let qualified = names.resolve(base).qualified().map(str::to_owned);
        let is_enum = qualified.is_some_and(|name| name.starts_with("enum."));
        is_enum || tail(base).is_some_and(|name| name.ends_with("Enum") || name.ends_with("Flag"))
    })
}

/// Whether its instances are classes.
pub(in crate::detect) fn is_metaclass(names: &Names<'_>, class: &StmtClassDef) -> bool {
    class.bases.iter().any(|base| {
        let qualified = names.resolve(base).qualified().map(str::to_owned);
        qualified
            .is_some_and(|name| ["builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"].contains(&&*name))
    })
}

/// How the module makes instances of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Made {
    /// Calls that run once, at import.
    pub(in crate::detect) at_import: usize,
    /// Calls in functions.
    pub(in crate::detect) later: usize,
}

pub(in crate::detect) fn made(module: &Analysed<'_>, class: &StmtClassDef) -> Made {
    let names = &module.names;
    let mut made = Made::default();
    for node in module.module.nodes() {
        let Node::Expr(Expr::Call(call)) = node else { continue };
        if tail(&call.func) != Some(class.name.as_str()) {
            continue;
        }
        let at = call.start().to_u32();
        if runs_at_import(names, at) {
            made.at_import += 1;
        } else {
            made.later += 1;
        }
    }
    made
}

/// Whether code at `at` runs when the module is imported, and not again.
pub(in crate::detect) fn runs_at_import(names: &Names<'_>, at: u32) -> bool {
    let mut around = names.ancestors(names.scope_at(at));
    !around.any(|scope| matches!(names.scope(scope).kind, ScopeKind::Function | ScopeKind::Lambda))
}

/// Whether there is meant to be one instance for the whole process.
pub(in crate::detect) fn is_singleton(module: &Analysed<'_>, class: &StmtClassDef) -> bool {
    let made = made(module, class);
    if made.at_import > 0 && made.later == 0 {
        return true;
    }
    let named = |word: Option<&str>| word.is_some_and(|word| word.to_lowercase().contains("singleton"));
    let keywords = class.keywords.iter().map(|keyword| &keyword.value);
    let marks = class.bases.iter().chain(keywords).chain(&class.decorator_list);
    named(Some(&class.name)) || marks.map(tail).any(named) || keeps_its_instance(class)
}

/// `_instance = None` in the body, and `__new__` or a class method that fills it.
fn keeps_its_instance(class: &StmtClassDef) -> bool {
    let names_instance =
        |target: &Expr| tail(target).is_some_and(|name| name.trim_matches('_').to_lowercase().ends_with("instance"));
    class.body.iter().any(|statement| match statement {
        Stmt::Assign(node) => node.targets.iter().any(names_instance),
        Stmt::AnnAssign(node) => names_instance(&node.target),
        other => Def::of(other).is_some_and(|def| def.name == "instance" || def.name == "get_instance"),
    })
}
