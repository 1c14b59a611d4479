//! A cheap look before unification: whether a node has the shape that a template asks for.
//!
//! It binds nothing and makes nothing, and whatever unifies passes it.

use super::template::{Meta, meta, meta_of};
use crate::python::Node;
use crate::python::ast::{Expr, ExprCall, Stmt, WithItem};

/// Whether the source may match the template.
pub(super) fn fits(template: Node<'_>, source: Node<'_>) -> bool {
    if meta_of(template).is_some() {
        return true;
    }
    match (template, source) {
        (Node::Stmt(template), Node::Stmt(source)) => statement_fits(template, source),
        (Node::Expr(template), Node::Expr(source)) => expression_fits(template, source),
        (Node::WithItem(template), Node::WithItem(source)) => item_fits(template, source),
        (template, source) => std::mem::discriminant(&template) == std::mem::discriminant(&source),
    }
}

fn statement_fits(template: &Stmt, source: &Stmt) -> bool {
    match (template, source) {
        (Stmt::Assign(wanted), Stmt::Assign(given)) => {
            list_fits(
                wanted.targets.iter().map(Node::Expr),
                given.targets.iter().map(Node::Expr),
            ) && expression_fits(&wanted.value, &given.value)
        }
        (Stmt::Assign(wanted), Stmt::AnnAssign(given)) => match (&wanted.targets[..], &given.value) {
            ([target], Some(value)) => expression_fits(target, &given.target) && expression_fits(&wanted.value, value),
            _ => false,
        },
        (Stmt::Expr(wanted), Stmt::Expr(given)) => expression_fits(&wanted.value, &given.value),
        (Stmt::If(wanted), Stmt::If(given)) => expression_fits(&wanted.test, &given.test),
        (Stmt::While(wanted), Stmt::While(given)) => expression_fits(&wanted.test, &given.test),
        (Stmt::For(wanted), Stmt::For(given)) => {
            expression_fits(&wanted.target, &given.target) && expression_fits(&wanted.iter, &given.iter)
        }
        (Stmt::With(wanted), Stmt::With(given)) => items_fit(&wanted.items, &given.items),
        (Stmt::AsyncWith(wanted), Stmt::AsyncWith(given)) => items_fit(&wanted.items, &given.items),
        (Stmt::Return(wanted), Stmt::Return(given)) => option_fits(wanted.value.as_deref(), given.value.as_deref()),
        (Stmt::FunctionDef(wanted), Stmt::FunctionDef(given)) => word_fits(&wanted.name, &given.name),
        (Stmt::FunctionDef(wanted), Stmt::AsyncFunctionDef(given)) => word_fits(&wanted.name, &given.name),
        (Stmt::ClassDef(wanted), Stmt::ClassDef(given)) => word_fits(&wanted.name, &given.name),
        _ => std::mem::discriminant(template) == std::mem::discriminant(source),
    }
}

fn expression_fits(template: &Expr, source: &Expr) -> bool {
    match (template, source) {
        (Expr::Name(wanted), _) if meta(&wanted.id).is_some() => true,
        (Expr::Name(wanted), Expr::Name(given)) => wanted.id == given.id,
        (Expr::Attribute(wanted), Expr::Attribute(given)) => {
            word_fits(&wanted.attr, &given.attr) && expression_fits(&wanted.value, &given.value)
        }
        (Expr::Call(wanted), Expr::Call(given)) => call_fits(wanted, given),
        (Expr::Await(wanted), Expr::Await(given)) => expression_fits(&wanted.value, &given.value),
        _ => std::mem::discriminant(template) == std::mem::discriminant(source),
    }
}

/// Without `$$args` there are as many arguments and keywords as the template has.
fn call_fits(template: &ExprCall, source: &ExprCall) -> bool {
    let collects = template.args.iter().any(|arg| is_many(Node::Expr(arg)));
    let counted = template.args.len() == source.args.len() && template.keywords.len() == source.keywords.len();
    (collects || counted) && expression_fits(&template.func, &source.func)
}

fn items_fit(template: &[WithItem], source: &[WithItem]) -> bool {
    list_fits(template.iter().map(Node::WithItem), source.iter().map(Node::WithItem))
}

fn item_fits(template: &WithItem, source: &WithItem) -> bool {
    expression_fits(&template.context_expr, &source.context_expr)
        && option_fits(template.optional_vars.as_deref(), source.optional_vars.as_deref())
}

fn list_fits<'t, 'm>(
    template: impl ExactSizeIterator<Item = Node<'t>> + Clone,
    source: impl ExactSizeIterator<Item = Node<'m>>,
) -> bool {
    template.clone().any(is_many)
        || template.len() == source.len() && template.zip(source).all(|(wanted, given)| fits(wanted, given))
}

fn option_fits(template: Option<&Expr>, source: Option<&Expr>) -> bool {
    match (template, source) {
        (Some(wanted), Some(given)) => expression_fits(wanted, given),
        (wanted, given) => wanted.is_none() && given.is_none(),
    }
}

fn word_fits(template: &str, source: &str) -> bool {
    meta(template).is_some() || template == source
}

fn is_many(node: Node<'_>) -> bool {
    matches!(meta_of(node), Some(Meta::Many(_)))
}
