//! What CPython's compiler refuses although it parses.

use crate::python::Node;
use crate::python::ast::{Expr, Stmt};

#[derive(Clone, Copy)]
struct Context {
    function: bool,
    asynchronous: bool,
    looping: bool,
}

/// Whether the statements break a rule of scope: `return`, `yield` or `await` outside a function that
/// allows it, `break` or `continue` outside a loop. `inside`: they start with a definition.
pub(super) fn breaks_scope_rules(body: &[Stmt], inside: bool) -> bool {
    let outer = Context {
        function: false,
        asynchronous: false,
        looping: false,
    };
    let _ = inside;
    body.iter().any(|statement| statement_breaks(statement, outer))
}

fn statement_breaks(statement: &Stmt, context: Context) -> bool {
    let body = |asynchronous| Context {
        function: true,
        asynchronous,
        looping: false,
    };
    match statement {
        Stmt::Return(_) if !context.function => true,
        Stmt::Break(_) | Stmt::Continue(_) => !context.looping,
        Stmt::AsyncFor(_) | Stmt::AsyncWith(_) if !context.asynchronous => true,
        Stmt::FunctionDef(node) => node.body.iter().any(|inner| statement_breaks(inner, body(false))),
        Stmt::AsyncFunctionDef(node) => node.body.iter().any(|inner| statement_breaks(inner, body(true))),
        Stmt::ClassDef(node) => {
            let context = Context {
                function: false,
                asynchronous: false,
                looping: false,
            };
            node.body.iter().any(|inner| statement_breaks(inner, context))
        }
        Stmt::For(node) => loop_breaks(statement, &node.body, context),
        Stmt::AsyncFor(node) => loop_breaks(statement, &node.body, context),
        Stmt::While(node) => loop_breaks(statement, &node.body, context),
        _ => children_break(Node::Stmt(statement), context),
    }
}

fn loop_breaks(statement: &Stmt, body: &[Stmt], context: Context) -> bool {
    let inner = Context {
        looping: true,
        ..context
    };
    let others = Node::Stmt(statement)
        .children()
        .into_iter()
        .filter(|child| match child {
            Node::Stmt(child) => !body.iter().any(|own| std::ptr::eq(own, *child)),
            _ => true,
        });
    body.iter().any(|child| statement_breaks(child, inner))
        || others.into_iter().any(|child| node_breaks(child, context))
}

fn children_break(node: Node<'_>, context: Context) -> bool {
    node.children().into_iter().any(|child| node_breaks(child, context))
}

fn node_breaks(node: Node<'_>, context: Context) -> bool {
    match node {
        Node::Stmt(statement) => statement_breaks(statement, context),
        Node::Expr(Expr::Lambda(_)) => false,
        Node::Expr(Expr::Await(_)) if !context.asynchronous => true,
        Node::Expr(Expr::Yield(_) | Expr::YieldFrom(_)) if !context.function => true,
        _ => children_break(node, context),
    }
}
