//! Light types: the class of an expression's value, where one look at bindings tells it.
//!
//! Knows `Path` values, annotations, constructors and attributes assigned in a class's own methods.

use super::resources::Table;
use crate::python::ast::{Expr, Operator, Ranged, Stmt};
use crate::python::names::{Binding, BindingKind, Def};
use crate::python::{Names, Node, Resolved};

/// A name assigned more often than this has no one type.
const MAX_BINDINGS: usize = 6;
const MAX_STEPS: u32 = 6;
const PATH: &str = "pathlib.Path";
/// Methods and attributes of a path that are paths again.
const PATH_MEMBERS: [&str; 14] = [
    "parent",
    "joinpath",
    "with_suffix",
    "with_name",
    "with_stem",
    "resolve",
    "absolute",
    "expanduser",
    "relative_to",
    "cwd",
    "home",
    "rename",
    "replace",
    "readlink",
];

pub(super) struct Types<'a, 'm> {
    pub(super) names: &'a Names<'m>,
    pub(super) table: &'a Table,
}

impl Types<'_, '_> {
    /// The dotted name of the class of the expression's value.
    pub(super) fn of(&self, expr: &Expr) -> Option<String> {
        self.within(expr, MAX_STEPS)
    }

    fn within(&self, expr: &Expr, steps: u32) -> Option<String> {
        let rest = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => {
                let scope = self.names.scope_at(name.start().to_u32());
                self.of_bindings(self.names.bindings(&name.id, scope), rest)
            }
            Expr::Call(call) => self.of_call(&call.func, rest),
            Expr::Attribute(node) if PATH_MEMBERS.contains(&node.attr.as_str()) => {
                self.within(&node.value, rest).filter(|class| class == PATH)
            }
            Expr::Attribute(node) => self.of_attribute(&node.value, &node.attr, rest),
            Expr::BinOp(node) if node.op == Operator::Div => {
                let sides = [&node.left, &node.right];
                let found = sides.into_iter().find_map(|side| self.within(side, rest));
                found.filter(|class| class == PATH)
            }
            Expr::Await(node) => self.within(&node.value, rest),
            Expr::NamedExpr(node) => self.within(&node.value, rest),
            _ => None,
        }
    }

    fn of_call(&self, func: &Expr, rest: u32) -> Option<String> {
        if let Some(name) = self.names.resolve(func).qualified() {
            return Some(self.class_of_callable(name));
        }
        let Expr::Attribute(method) = func else { return None };
        let class = self.within(&method.value, rest)?;
        if class == PATH {
            return PATH_MEMBERS.contains(&method.attr.as_str()).then_some(class);
        }
        Some(self.class_of_callable(&format!("{class}.{}", method.attr)))
    }

    fn class_of_callable(&self, callable: &str) -> String {
        let acquired = self.table.acquired_by(callable);
        let class = acquired.and_then(|resource| resource.class.clone());
        class.unwrap_or_else(|| class_name(callable))
    }

    fn of_bindings(&self, bindings: &[Binding<'_>], rest: u32) -> Option<String> {
        if bindings.len() > MAX_BINDINGS {
            return None;
        }
        bindings.iter().find_map(|binding| match &binding.kind {
            BindingKind::Parameter(parameter) => self.of_annotation(parameter.annotation.as_deref()?),
            BindingKind::Assign { value: Some(value) } => self.within(value, rest),
            BindingKind::With { context: Some(context) } => self.within(context, rest),
            BindingKind::For { iterable } => self.item_of(iterable, rest),
            _ => None,
        })
    }

    /// What iterating gives: the paths of `path.iterdir()`, the items of `paths: list[Path]`.
    fn item_of(&self, iterable: &Expr, rest: u32) -> Option<String> {
        if let Expr::Name(name) = iterable {
            return self.item_of_parameter(&name.id, name.start().to_u32());
        }
        let Expr::Call(call) = iterable else { return None };
        if call
            .func
            .as_name_expr()
            .is_some_and(|name| name.id.as_str() == "sorted")
        {
            return self.item_of(call.args.first()?, rest);
        }
        let method = call.func.as_attribute_expr()?;
        let walks = ["iterdir", "glob", "rglob"].contains(&method.attr.as_str());
        walks
            .then(|| self.within(&method.value, rest))
            .flatten()
            .filter(|class| class == PATH)
    }

    /// `T` of a parameter that is annotated as `list[T]`.
    fn item_of_parameter(&self, name: &str, at: u32) -> Option<String> {
        let [binding] = self.names.bindings(name, self.names.scope_at(at)) else {
            return None;
        };
        match &binding.kind {
            BindingKind::Parameter(parameter) => match parameter.annotation.as_deref()? {
                Expr::Subscript(node) => self.of_annotation(&node.slice),
                _ => None,
            },
            _ => None,
        }
    }

    /// `self.x`: what a method of the class assigns, or the annotation says.
    fn of_attribute(&self, object: &Expr, attribute: &str, rest: u32) -> Option<String> {
        object.as_name_expr().filter(|name| name.id.as_str() == "self")?;
        let class = self.names.enclosing_class(object.start().to_u32())?;
        let Some(Node::Stmt(Stmt::ClassDef(class))) = self.names.scope(class).node else {
            return None;
        };
        let methods = class
            .body
            .iter()
            .filter_map(Def::of)
            .filter(|method| method.name == "__init__");
        let statements = class.body.iter().chain(methods.flat_map(|method| method.body));
        statements.take(200).find_map(|statement| match statement {
            Stmt::Assign(node) if node.targets.iter().any(|target| is_self(target, attribute)) => {
                self.within(&node.value, rest)
            }
            Stmt::AnnAssign(node) if is_self(&node.target, attribute) => self.of_annotation(&node.annotation),
            _ => None,
        })
    }

    /// The class an annotation names; `Optional[T]` and `T | None` are taken for `T`.
    fn of_annotation(&self, annotation: &Expr) -> Option<String> {
        match annotation {
            Expr::BinOp(node) => self
                .of_annotation(&node.left)
                .or_else(|| self.of_annotation(&node.right)),
            Expr::Subscript(node) => {
                let outer = self.names.resolve(&node.value);
                let tail = outer.qualified()?.rsplit('.').next()?.to_owned();
                let inner = match &*node.slice {
                    Expr::Tuple(items) => items.elts.iter().find_map(|item| self.of_annotation(item)),
                    one => self.of_annotation(one),
                };
                inner.filter(|_| ["Optional", "Union", "Annotated", "Final"].contains(&tail.as_str()))
            }
            other => match self.names.resolve(other) {
                Resolved::Qualified(name) => Some(class_name(&name)),
                _ => None,
            },
        }
    }
}

/// `Path` is written in several ways.
fn class_name(name: &str) -> String {
    match name {
        "pathlib.PosixPath" | "pathlib.WindowsPath" | "pathlib.Path.cwd" | "pathlib.Path.home" => PATH.to_owned(),
        other => other.to_owned(),
    }
}

fn is_self(target: &Expr, attribute: &str) -> bool {
    let Expr::Attribute(node) = target else {
        return target.as_name_expr().is_some_and(|name| name.id.as_str() == attribute);
    };
    node.attr.as_str() == attribute && node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self")
}
