//! Questions about bodies: by walking a graph, or by shape alone.

use super::{EdgeKind, Graph, Kind, StepId, Value};
use crate::python::ast::{
    Arguments, CmpOp, Constant, ExceptHandler, Expr, ExprContext, Identifier, Pattern, Stmt, UnaryOp,
};
use crate::python::node::Node;
use crate::python::span::Span;

impl Graph<'_> {
    /// Whether some path from just after the statement (or around a loop that encloses it) loads the
    /// name before it is stored or deleted. Exceptions that leave the statement count as paths, and a
    /// name that nested functions, lambdas or `global` reach counts as loaded. At module level,
    /// readers in other modules are not seen.
    pub fn live_after(&self, name: &str, statement: Span) -> bool {
        if self.is_shared(name) {
            return true;
        }
        let inside = |id: StepId| id > Self::JUMPED && statement.contains(self.step(id).span);
        let mut seen = vec![false; self.steps.len()];
        let mut open: Vec<StepId> = Vec::new();
        for id in self.ids().filter(|id| inside(*id)) {
            open.extend(self.out(id).iter().map(|edge| edge.to).filter(|to| !inside(*to)));
        }
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            match &self.step(id).kind {
                Kind::Load(load) if load.id.as_str() == name => return true,
                Kind::Opaque(statement) if mentions(statement, name) => return true,
                kind if stores(kind, name) => {}
                _ => open.extend(self.out(id).iter().map(|edge| edge.to)),
            }
        }
        false
    }

    /// Which steps some path from the entry reaches.
    pub fn reachable(&self) -> Vec<bool> {
        let mut seen = vec![false; self.steps.len()];
        let mut open = vec![Self::ENTRY];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id as usize], true) {
                open.extend(self.out(id).iter().map(|edge| edge.to));
            }
        }
        seen
    }

    /// Whether the step may raise.
    pub fn raises(&self, id: StepId) -> bool {
        self.out(id).iter().any(|edge| edge.kind == EdgeKind::Exception)
    }
}

fn mentions(statement: &Stmt, name: &str) -> bool {
    let mut nodes = Node::Stmt(statement).descendants();
    nodes.any(|node| matches!(node, Node::Expr(Expr::Name(load)) if load.id.as_str() == name))
}

fn stores(kind: &Kind<'_>, name: &str) -> bool {
    match kind {
        Kind::Bind {
            value: Value::ItemOf { inner: true, .. },
            ..
        } => false,
        Kind::Bind { target, .. } | Kind::Delete(target) => names_bound(target).contains(&name),
        Kind::BindName(bound) => *bound == name,
        _ => false,
    }
}

/// The names that storing into a target binds.
pub fn names_bound(target: &Expr) -> Vec<&str> {
    match target {
        Expr::Name(name) => vec![name.id.as_str()],
        Expr::Starred(node) => names_bound(&node.value),
        Expr::Tuple(node) => node.elts.iter().flat_map(names_bound).collect(),
        Expr::List(node) => node.elts.iter().flat_map(names_bound).collect(),
        _ => Vec::new(),
    }
}

/// Whether control can reach the end of the statements.
pub fn falls_through(body: &[Stmt]) -> bool {
    Graph::of_body(body).reachable()[Graph::END as usize]
}

/// Whether the statements hold a `return`, or a `break` or `continue` of a loop outside.
pub fn leaves_early(body: &[Stmt]) -> bool {
    let mut open: Vec<(&Stmt, bool)> = body.iter().map(|statement| (statement, false)).collect();
    while let Some((statement, in_loop)) = open.pop() {
        match statement {
            Stmt::Return(_) => return true,
            Stmt::Break(_) | Stmt::Continue(_) if !in_loop => return true,
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(node) => inside_loop(&mut open, &node.body, &node.orelse, in_loop),
            Stmt::AsyncFor(node) => inside_loop(&mut open, &node.body, &node.orelse, in_loop),
            Stmt::While(node) => inside_loop(&mut open, &node.body, &node.orelse, in_loop),
            other => open.extend(child_statements(other).map(|child| (child, in_loop))),
        }
    }
    false
}

fn inside_loop<'a>(open: &mut Vec<(&'a Stmt, bool)>, body: &'a [Stmt], orelse: &'a [Stmt], in_loop: bool) {
    open.extend(body.iter().map(|statement| (statement, true)));
    open.extend(orelse.iter().map(|statement| (statement, in_loop)));
}

fn child_statements(statement: &Stmt) -> impl Iterator<Item = &Stmt> {
    let nested = Node::Stmt(statement)
        .children()
        .into_iter()
        .flat_map(|child| match child {
            Node::Stmt(statement) => vec![statement],
            Node::Handler(ExceptHandler::ExceptHandler(handler)) => handler.body.iter().collect(),
            Node::Case(case) => case.body.iter().collect(),
            _ => Vec::new(),
        });
    nested.collect::<Vec<_>>().into_iter()
}

/// Whether the statements hold a `yield` of their own function.
pub fn has_yield(body: &[Stmt]) -> bool {
    let mut open: Vec<Node<'_>> = body.iter().map(Node::Stmt).collect();
    while let Some(node) = open.pop() {
        match node {
            Node::Expr(Expr::Yield(_) | Expr::YieldFrom(_)) => return true,
            scope if is_scope(scope) => {}
            other => open.extend(other.children()),
        }
    }
    false
}

/// Whether evaluating any of the statements may raise, whatever catches it.
pub fn may_raise(body: &[Stmt]) -> bool {
    let mut open: Vec<Node<'_>> = body.iter().map(Node::Stmt).collect();
    any_raises(&mut open)
}

/// Whether evaluating the expression may raise. Plain names, constants, `is`, `not`, `and`, `or` and
/// displays of those cannot.
pub fn may_raise_expr(expr: &Expr) -> bool {
    any_raises(&mut vec![Node::Expr(expr)])
}

fn any_raises(open: &mut Vec<Node<'_>>) -> bool {
    while let Some(node) = open.pop() {
        match node {
            Node::Stmt(statement) if statement_raises(statement) => return true,
            Node::Expr(expr) if expression_raises(expr) => return true,
            Node::Case(_) => return true,
            Node::Expr(Expr::Lambda(node)) => open.extend(defaults(&node.args)),
            Node::Stmt(Stmt::FunctionDef(node)) => {
                open.extend(node.decorator_list.iter().map(Node::Expr));
                open.extend(defaults(&node.args));
            }
            Node::Stmt(Stmt::AsyncFunctionDef(node)) => {
                open.extend(node.decorator_list.iter().map(Node::Expr));
                open.extend(defaults(&node.args));
            }
            Node::Stmt(Stmt::AnnAssign(node)) => {
                open.push(Node::Expr(&node.target));
                open.extend(node.value.as_deref().map(Node::Expr));
            }
            other => open.extend(other.children()),
        }
    }
    false
}

fn defaults(arguments: &Arguments) -> impl Iterator<Item = Node<'_>> {
    let positional = arguments.posonlyargs.iter().chain(&arguments.args);
    let all = positional.chain(&arguments.kwonlyargs);
    all.filter_map(|parameter| parameter.default.as_deref().map(Node::Expr))
}

fn statement_raises(statement: &Stmt) -> bool {
    match statement {
        Stmt::Assign(node) => {
            let value = Value::Of(&node.value);
            (node.targets.iter()).any(|target| super::expr::store_may_raise(target, value))
        }
        Stmt::FunctionDef(node) => !node.decorator_list.is_empty(),
        Stmt::AsyncFunctionDef(node) => !node.decorator_list.is_empty(),
        Stmt::Delete(node) => node.targets.iter().any(|target| !target.is_name_expr()),
        Stmt::Raise(_)
        | Stmt::Assert(_)
        | Stmt::Import(_)
        | Stmt::ImportFrom(_)
        | Stmt::AugAssign(_)
        | Stmt::For(_)
        | Stmt::AsyncFor(_)
        | Stmt::With(_)
        | Stmt::AsyncWith(_)
        | Stmt::ClassDef(_) => true,
        _ => false,
    }
}

fn expression_raises(expr: &Expr) -> bool {
    match expr {
        Expr::Compare(node) => !node.ops.iter().all(|op| matches!(op, CmpOp::Is | CmpOp::IsNot)),
        Expr::UnaryOp(node) => node.op != UnaryOp::Not && !node.operand.is_constant_expr(),
        Expr::Call(_)
        | Expr::Await(_)
        | Expr::Yield(_)
        | Expr::YieldFrom(_)
        | Expr::BinOp(_)
        | Expr::Attribute(_)
        | Expr::Subscript(_)
        | Expr::Starred(_)
        | Expr::FormattedValue(_)
        | Expr::ListComp(_)
        | Expr::SetComp(_)
        | Expr::DictComp(_)
        | Expr::GeneratorExp(_) => true,
        _ => false,
    }
}

/// The truth of a constant; `None` where it is not known by looking.
pub fn truth(expr: &Expr) -> Option<bool> {
    let Expr::Constant(node) = expr else { return None };
    match &node.value {
        Constant::None => Some(false),
        Constant::Bool(value) => Some(*value),
        Constant::Int(value) => Some(value.to_string() != "0"),
        Constant::Str(value) => Some(!value.is_empty()),
        Constant::Ellipsis => Some(true),
        _ => None,
    }
}

/// Functions nested deeper are not looked into: a worker's stack is small.
const MAX_SCOPES: u32 = 100;

/// Adds the names that a function, lambda or class reaches outside of itself.
pub(super) fn free_names<'a>(closure: Node<'a>, depth: u32, free: &mut Vec<&'a str>) {
    let (mut bound, mut used) = (Vec::new(), Vec::new());
    let mut open = inner_nodes(closure);
    while let Some(node) = open.pop() {
        if is_scope(node) && depth < MAX_SCOPES {
            free_names(node, depth + 1, &mut used);
        }
        match node {
            Node::Expr(Expr::Name(name)) if matches!(name.ctx, ExprContext::Load) => used.push(name.id.as_str()),
            Node::Expr(Expr::Name(name)) => bound.push(name.id.as_str()),
            Node::Arg(argument) => bound.push(argument.arg.as_str()),
            Node::Stmt(Stmt::Global(node)) => free.extend(node.names.iter().map(Identifier::as_str)),
            Node::Stmt(Stmt::Nonlocal(node)) => free.extend(node.names.iter().map(Identifier::as_str)),
            Node::Pattern(Pattern::MatchAs(node)) => bound.extend(node.name.as_ref().map(Identifier::as_str)),
            Node::Handler(ExceptHandler::ExceptHandler(node)) => {
                bound.extend(node.name.as_ref().map(Identifier::as_str));
            }
            _ => {}
        }
        open.extend(outer_children(node));
    }
    bound.sort_unstable();
    free.extend(used.into_iter().filter(|name| bound.binary_search(name).is_err()));
}

fn is_scope(node: Node<'_>) -> bool {
    matches!(
        node,
        Node::Expr(Expr::Lambda(_)) | Node::Stmt(Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_))
    )
}

/// The children that belong to the scope the node stands in.
fn outer_children(node: Node<'_>) -> Vec<Node<'_>> {
    match node {
        Node::Expr(Expr::Lambda(node)) => defaults(&node.args).collect(),
        Node::Stmt(Stmt::FunctionDef(node)) => {
            let decorators = node.decorator_list.iter().map(Node::Expr);
            decorators.chain(defaults(&node.args)).collect()
        }
        Node::Stmt(Stmt::AsyncFunctionDef(node)) => {
            let decorators = node.decorator_list.iter().map(Node::Expr);
            decorators.chain(defaults(&node.args)).collect()
        }
        Node::Stmt(Stmt::ClassDef(node)) => {
            let bases = node.bases.iter().map(Node::Expr);
            bases.chain(node.decorator_list.iter().map(Node::Expr)).collect()
        }
        other => other.children(),
    }
}

/// What belongs to the nested scope itself: parameters and body.
fn inner_nodes(closure: Node<'_>) -> Vec<Node<'_>> {
    match closure {
        Node::Stmt(Stmt::FunctionDef(node)) => with_parameters(&node.args, node.body.iter().map(Node::Stmt)),
        Node::Stmt(Stmt::AsyncFunctionDef(node)) => with_parameters(&node.args, node.body.iter().map(Node::Stmt)),
        Node::Stmt(Stmt::ClassDef(node)) => node.body.iter().map(Node::Stmt).collect(),
        Node::Expr(Expr::Lambda(node)) => with_parameters(&node.args, std::iter::once(Node::Expr(&node.body))),
        _ => Vec::new(),
    }
}

fn with_parameters<'a>(arguments: &'a Arguments, body: impl Iterator<Item = Node<'a>>) -> Vec<Node<'a>> {
    let all = Node::Arguments(arguments).descendants();
    let parameters = all.filter(|node| matches!(node, Node::Arg(_)));
    parameters.chain(body).collect()
}
