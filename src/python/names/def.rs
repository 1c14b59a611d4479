//! `def` and `async def` seen as one thing; the tree has a type for each.

use super::super::ast::{Arg, ArgWithDefault, Arguments, Expr, Stmt, TypeParam};

/// The fields of a function definition.
#[derive(Clone, Copy, Debug)]
pub struct Def<'a> {
    pub is_async: bool,
    pub name: &'a str,
    pub decorators: &'a [Expr],
    pub type_params: &'a [TypeParam],
    pub arguments: &'a Arguments,
    pub returns: Option<&'a Expr>,
    pub body: &'a [Stmt],
}

macro_rules! view {
    ($node:expr, $is_async:expr) => {
        Some(Def {
            is_async: $is_async,
            name: &$node.name,
            decorators: &$node.decorator_list,
            type_params: &$node.type_params,
            arguments: &$node.args,
            returns: $node.returns.as_deref(),
            body: &$node.body,
        })
    };
}

impl<'a> Def<'a> {
    pub fn of(statement: &'a Stmt) -> Option<Self> {
        match statement {
            Stmt::FunctionDef(node) => view!(node, false),
            Stmt::AsyncFunctionDef(node) => view!(node, true),
            _ => None,
        }
    }
}

/// Whether a statement is `async def`.
pub fn is_async(statement: &Stmt) -> bool {
    matches!(statement, Stmt::AsyncFunctionDef(_))
}

/// Every parameter with its default, in the order of the text.
pub fn parameters(arguments: &Arguments) -> Vec<(&Arg, Option<&Expr>)> {
    let positional = arguments.posonlyargs.iter().chain(&arguments.args);
    let mut all: Vec<_> = positional.map(with_default).collect();
    all.extend(arguments.vararg.iter().map(|each| (&**each, None)));
    all.extend(arguments.kwonlyargs.iter().map(with_default));
    all.extend(arguments.kwarg.iter().map(|each| (&**each, None)));
    all
}

fn with_default(parameter: &ArgWithDefault) -> (&Arg, Option<&Expr>) {
    (&parameter.def, parameter.default.as_deref())
}
