//! How likely a call of a function of the module raises: as likely as the likeliest step of its body.

use super::state::State;
use super::{Grade, World, summary};
use super::{body, class, risk};
use crate::detect::resources::Resource;
use crate::python::ast::{ExceptHandler, Expr, ExprCall, Ranged, Stmt, StmtRaise, StmtTry};
use crate::python::names::Def;
use crate::python::{Node, ScopeId};

/// Helpers that call helpers are looked through this far.
pub(super) const MAX_DEPTH: u32 = 2;
/// A body of more statements does something that may fail.
const MAX_STATEMENTS: usize = 20;

/// `None` if it is no function of the module, or one that may do anything.
pub(super) fn grade(world: World<'_, '_>, resource: &Resource, call: &ExprCall, asked: Asked<'_, '_>) -> Option<Grade> {
    let depth = asked.depth.checked_sub(1)?;
    let (scope, def) = body_of(world, call)?;
    let is_plain = def
        .decorators
        .iter()
        .all(|one| ["staticmethod", "classmethod"].contains(&super::tail(one)));
    if !is_plain || summary::is_abstract(def.body) {
        return None;
    }
    let carried = call.args.iter().find(|one| asked.state.carries(one));
    let parameter = carried.and_then(|one| summary::parameter_taking(world, call, one));
    let state = State::handed_maybe(parameter);
    let inside = Inside {
        world,
        resource,
        scope,
        asked: Asked { state: &state, depth },
        but: None,
    };
    let mut left = MAX_STATEMENTS;
    Some(inside.of_block(def.body, &mut left)).filter(|worst| *worst < Grade::Likely)
}

/// What the one `raise` of the function names, where nothing else in it is likely to raise: `except TimeoutError` around
/// `remaining(deadline)` catches all that comes.
pub(super) fn sole_raise<'m>(
    world: World<'_, 'm>,
    resource: &Resource,
    call: &ExprCall,
    asked: Asked<'_, 'm>,
) -> Option<&'m Expr> {
    let depth = asked.depth.checked_sub(1)?;
    let (scope, def) = body_of(world, call)?;
    let raises = body::nodes_of(world, scope).filter_map(|node| match node {
        Node::Stmt(Stmt::Raise(node)) => Some(node),
        _ => None,
    });
    let raises: Vec<_> = raises.collect();
    let [raise] = raises.as_slice() else { return None };
    let inside = Inside {
        world,
        resource,
        scope,
        asked: Asked { depth, ..asked },
        but: Some(std::ptr::from_ref(*raise)),
    };
    let is_plain = def.decorators.is_empty() && !summary::is_abstract(def.body);
    let is_quiet = is_plain && inside.of_block(def.body, &mut MAX_STATEMENTS.clone()) < Grade::Likely;
    raise.exc.as_deref().filter(|_| is_quiet)
}

/// How likely it is that an object which is to own the argument is never made: a constructor that reads or writes may find
/// that it cannot, one that only checks what it is handed does not fail for those who know it.
pub(super) fn of_owner(world: World<'_, '_>, resource: &Resource, call: &ExprCall, argument: &Expr) -> Grade {
    let init = body_of(world, call).zip(summary::parameter_taking(world, call, argument));
    let Some(((scope, def), parameter)) = init else {
        return Grade::Nothing;
    };
    let class = world.names.scope(scope).parent;
    let kept = summary::kept_as(def, parameter);
    let is_it = |object: &Expr| match object {
        Expr::Name(name) => name.id.as_str() == parameter,
        other => kept.is_some() && class::on_self(other) == kept,
    };
    let uses = |statement: &Stmt| {
        let calls = Node::Stmt(statement).descendants().filter_map(|node| match node {
            Node::Expr(Expr::Call(call)) => call.func.as_attribute_expr(),
            _ => None,
        });
        let mut methods = calls.filter(|method| !resource.quiet.iter().any(|quiet| quiet == method.attr.as_str()));
        methods.any(|method| is_it(&method.value) && !risk::is_quiet_method(&method.attr))
    };
    let helpers = def.body.iter().filter_map(|statement| {
        let called = statement
            .as_expr_stmt()?
            .value
            .as_call_expr()?
            .func
            .as_attribute_expr()?;
        let helper = class::is_self(&called.value).then(|| summary::method_of(world, class?, &called.attr))?;
        Def::of(helper?.statement)
    });
    let mut bodies = helpers.chain([def]).flat_map(|def| def.body);
    let guards = def.body.iter().any(Stmt::is_try_stmt);
    if !guards && bodies.any(uses) {
        Grade::Likely
    } else {
        Grade::Nothing
    }
}

/// What is known where the call stands, and how deep to look.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a, 'm> {
    pub(super) state: &'a State<'m>,
    pub(super) depth: u32,
}

/// The function that runs, for a class its `__init__`.
fn body_of<'m>(world: World<'_, 'm>, call: &ExprCall) -> Option<(ScopeId, Def<'m>)> {
    let callee = summary::called(world, &call.func)?;
    let callee = match callee.statement {
        Stmt::ClassDef(_) => summary::method_of(world, callee.scope, "__init__")?,
        _ => callee,
    };
    Some((callee.scope, Def::of(callee.statement)?))
}

struct Inside<'a, 'm> {
    world: World<'a, 'm>,
    resource: &'a Resource,
    scope: ScopeId,
    asked: Asked<'a, 'm>,
    /// A statement that is left out.
    but: Option<*const StmtRaise>,
}

impl Inside<'_, '_> {
    fn of_block(&self, body: &[Stmt], left: &mut usize) -> Grade {
        let mut worst = Grade::Nothing;
        for statement in body {
            let Some(rest) = left.checked_sub(1).filter(|_| worst < Grade::Likely) else {
                return Grade::Likely;
            };
            *left = rest;
            worst = worst.max(self.of_statement(statement, left));
        }
        worst
    }

    fn of_statement(&self, statement: &Stmt, left: &mut usize) -> Grade {
        match statement {
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_) => return Grade::Nothing,
            Stmt::Raise(node) if self.but == Some(std::ptr::from_ref(node)) => return Grade::Nothing,
            Stmt::Raise(_) | Stmt::With(_) | Stmt::AsyncWith(_) | Stmt::AsyncFor(_) => return Grade::Likely,
            Stmt::Try(node) if catches_all(node) => {
                let handlers = node.handlers.iter();
                let handlers = handlers.map(|ExceptHandler::ExceptHandler(handler)| handler.body.as_slice());
                let blocks = handlers.chain([node.orelse.as_slice(), node.finalbody.as_slice()]);
                let worst = blocks.map(|block| self.of_block(block, left)).max();
                return worst.unwrap_or_default();
            }
            _ => {}
        }
        let node = Node::Stmt(statement);
        let blocks = node.blocks();
        let within = |at: u32| {
            blocks
                .iter()
                .flat_map(|block| block.iter())
                .any(|one| Node::Stmt(one).span().holds(at))
        };
        let own = node.descendants().filter_map(Node::as_expr);
        let own = own.filter(|expr| !within(expr.start().to_u32()));
        let iterated = match statement {
            Stmt::For(node) => risk::of_iteration(self.world, &node.iter, self.asked.state),
            _ => Grade::Nothing,
        };
        let worst = own
            .map(|expr| self.of_expr(expr))
            .max()
            .unwrap_or_default()
            .max(iterated);
        blocks.iter().fold(worst, |worst, block| {
            if worst == Grade::Likely {
                worst
            } else {
                worst.max(self.of_block(block, left))
            }
        })
    }

    fn of_expr(&self, expr: &Expr) -> Grade {
        // What a lambda or a comprehension does there is judged as if it were done at once.
        match expr {
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => Grade::Likely,
            Expr::Call(call) => risk::of_call(self.world, self.resource, call, self.asked),
            Expr::Subscript(node) if node.ctx.is_load() && !self.is_annotation(expr) => {
                risk::of_subscript(self.world, node)
            }
            _ => Grade::Nothing,
        }
    }

    /// `parts: list[str] = []`
    fn is_annotation(&self, expr: &Expr) -> bool {
        let around = self.world.names.scope(self.scope).node;
        around.into_iter().flat_map(Node::descendants).any(|node| match node {
            Node::Stmt(Stmt::AnnAssign(node)) => Node::Expr(&node.annotation).span().holds(expr.start().to_u32()),
            _ => false,
        })
    }
}

/// Whether whatever the body raises ends there.
fn catches_all(node: &StmtTry) -> bool {
    node.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| {
        handler
            .type_
            .as_deref()
            .is_none_or(|type_| ["Exception", "BaseException"].contains(&super::tail(type_)))
    })
}
