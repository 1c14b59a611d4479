//! What conditions ask about one module: names, blocks, flow graphs, light types.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::deletion::blocks_of;
use super::index::Index;
use super::resources::{Own, made_by};
use super::template::meta_of;
use crate::python::ast::{Constant, Expr, Operator, Stmt};
use crate::python::flow::Graph;
use crate::python::names::{BindingKind, Names, ScopeId};
use crate::python::{Module, Node, Span};

pub(super) struct Facts<'m> {
    pub(super) module: &'m Module,
    pub(super) names: Names<'m>,
    pub(super) index: &'m Index,
    pub(super) own: &'m Own,
    /// Every block, outer ones first.
    pub(super) blocks: Vec<&'m [Stmt]>,
    /// Every function and class, outer ones first.
    pub(super) definitions: Vec<&'m Stmt>,
    /// Every statement as its block and its place there, by block.
    places: Vec<Spot<'m>>,
    /// The places of each kind of statement, in the same order.
    by_kind: HashMap<&'static str, Vec<Spot<'m>>>,
    /// Statement → its block and its place there.
    homes: HashMap<*const Stmt, (usize, usize)>,
    graphs: RefCell<HashMap<Option<ScopeId>, Rc<Graph<'m>>>>,
    /// The bodies of `with assertRaises(…)` and `with pytest.raises(…)`.
    failing: Vec<Span>,
    /// Where alone a site may be anchored, if not everywhere.
    only: Option<Vec<Spot<'m>>>,
}

/// A statement: its block, and where it stands there.
pub(super) type Spot<'m> = (&'m [Stmt], usize);

/// The kind of a statement; those that one template matches have the same.
fn kind(statement: &Stmt) -> &'static str {
    match Node::Stmt(statement).kind() {
        "AnnAssign" => "Assign",
        "AsyncFunctionDef" => "FunctionDef",
        kind => kind,
    }
}

/// `self.assertRaises(…)`, `pytest.raises(…)`
fn wants_failure(context: &Expr) -> bool {
    let Expr::Call(call) = context else { return false };
    match &*call.func {
        Expr::Attribute(method) => matches!(method.attr.as_str(), "assertRaises" | "assertRaisesRegex" | "raises"),
        Expr::Name(name) => name.id.as_str() == "raises",
        _ => false,
    }
}

/// How far a value is followed through names.
const MAX_STEPS: u32 = 4;

impl<'m> Facts<'m> {
    pub(super) fn new(module: &'m Module, index: &'m Index, own: &'m Own) -> Self {
        let mut blocks: Vec<&'m [Stmt]> = vec![&module.body];
        blocks.extend(module.nodes().flat_map(Node::blocks).filter(|block| !block.is_empty()));
        let mut homes = HashMap::new();
        for (number, block) in blocks.iter().enumerate() {
            homes.extend(
                block
                    .iter()
                    .enumerate()
                    .map(|(at, statement)| (std::ptr::from_ref(statement), (number, at))),
            );
        }
        let places = blocks.iter().flat_map(|block| (0..block.len()).map(|at| (*block, at)));
        let places: Vec<Spot<'m>> = places.collect();
        let mut by_kind: HashMap<_, Vec<_>> = HashMap::new();
        for (block, at) in &places {
            by_kind.entry(kind(&block[*at])).or_default().push((*block, *at));
        }
        let definitions = module
            .nodes()
            .filter_map(Node::as_stmt)
            .filter(|statement| is_definition(statement));
        Self {
            module,
            names: Names::new(module),
            index,
            own,
            definitions: definitions.collect(),
            places,
            by_kind,
            failing: module
                .nodes()
                .filter_map(|node| match node {
                    Node::Stmt(Stmt::With(with)) => Some(with),
                    _ => None,
                })
                .filter(|with| with.items.iter().any(|item| wants_failure(&item.context_expr)))
                .filter_map(|with| {
                    Some(
                        Node::Stmt(with.body.first()?)
                            .span()
                            .cover(Node::Stmt(with.body.last()?).span()),
                    )
                })
                .collect(),
            only: None,
            blocks,
            homes,
            graphs: RefCell::default(),
        }
    }

    /// Limits anchors to the `with` whose one item starts at `item`.
    pub(super) fn only_with(mut self, item: u32) -> Self {
        let is_it = |(block, at): &(&[Stmt], usize)| match &block[*at] {
            Stmt::With(with) => {
                matches!(&with.items[..], [only] if Node::Expr(&only.context_expr).span().start == item)
            }
            _ => false,
        };
        self.only = Some(self.places.iter().copied().filter(is_it).collect());
        self
    }

    /// The statements at which the template may start.
    pub(super) fn places(&self, template: &Stmt) -> &[Spot<'m>] {
        if meta_of(Node::Stmt(template)).is_some() {
            return &self.places;
        }
        self.by_kind.get(kind(template)).map_or(&[], Vec::as_slice)
    }

    /// Those at which a site may be anchored.
    pub(super) fn anchors(&self, template: &Stmt) -> &[Spot<'m>] {
        match &self.only {
            Some(only) => only,
            None => self.places(template),
        }
    }

    /// Whether a test wants something to fail there, so that whatever is acquired may never be.
    pub(super) fn is_to_fail(&self, at: Span) -> bool {
        self.failing.iter().any(|body| body.contains(at))
    }

    /// Consecutive statements of one block as the slice that they are.
    pub(super) fn slice(&self, nodes: &[Node<'m>]) -> Option<&'m [Stmt]> {
        let first = nodes.first().and_then(|node| node.as_stmt())?;
        let (block, at) = self.homes.get(&std::ptr::from_ref(first))?;
        self.blocks[*block].get(*at..*at + nodes.len())
    }

    /// The flow graph of the function that holds `at`, or of the module.
    pub(super) fn graph_at(&self, at: u32) -> Rc<Graph<'m>> {
        let function = self.names.enclosing_function(at);
        let build = || {
            let node = function
                .and_then(|id| self.names.scope(id).node)
                .and_then(Node::as_stmt);
            let body = node.and_then(|statement| Node::Stmt(statement).blocks().into_iter().next());
            Rc::new(Graph::of_body(body.unwrap_or(&self.module.body)))
        };
        Rc::clone(self.graphs.borrow_mut().entry(function).or_insert_with(build))
    }

    /// The constant that an expression is, or that its name is bound to and nothing else.
    pub(super) fn constant<'e>(&self, expr: &'e Expr) -> Option<&'e Constant>
    where
        'm: 'e,
    {
        match expr {
            Expr::Constant(node) => Some(&node.value),
            Expr::Name(name) => {
                let scope = self.names.scope_at(Node::Expr(expr).span().start);
                match self.names.bindings(&name.id, scope) {
                    [only] => match only.kind {
                        BindingKind::Assign {
                            value: Some(Expr::Constant(node)),
                        } => Some(&node.value),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a value is sure to be a `class` ("pathlib.Path"): by constructor, annotation, or an
    /// operator that keeps the type.
    pub(super) fn is_instance(&self, expr: &Expr, class: &str) -> bool {
        self.instance_within(expr, class, MAX_STEPS)
    }

    fn instance_within(&self, expr: &Expr, class: &str, steps: u32) -> bool {
        let Some(steps) = steps.checked_sub(1) else {
            return false;
        };
        match expr {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if same_type_method(&method.attr) => {
                    self.instance_within(&method.value, class, steps)
                }
                function => self
                    .names
                    .resolve(function)
                    .qualified()
                    .is_some_and(|name| makes(name, class)),
            },
            Expr::BinOp(node) if node.op == Operator::Div => self.instance_within(&node.left, class, steps),
            Expr::Attribute(node) if node.attr.as_str() == "parent" => self.instance_within(&node.value, class, steps),
            Expr::Attribute(node) => is_self(&node.value) && self.attribute_is(expr, &node.attr, class, steps),
            Expr::Name(name) => {
                let scope = self.names.scope_at(name.range.start().to_u32());
                let bindings = self.names.bindings(&name.id, scope);
                !bindings.is_empty()
                    && bindings
                        .iter()
                        .all(|binding| self.binding_is(&binding.kind, class, steps))
            }
            _ => false,
        }
    }

    fn binding_is(&self, kind: &BindingKind<'_>, class: &str, steps: u32) -> bool {
        match kind {
            BindingKind::Assign { value: Some(value) } => self.instance_within(value, class, steps),
            // The classes that are asked for enter as themselves.
            BindingKind::With { context: Some(context) } => self.instance_within(context, class, steps),
            BindingKind::Parameter(arg) => arg
                .annotation
                .as_deref()
                .is_some_and(|annotation| self.annotation_is(annotation, class)),
            _ => false,
        }
    }

    fn annotation_is(&self, annotation: &Expr, class: &str) -> bool {
        match annotation {
            Expr::Constant(constant) => match &constant.value {
                Constant::Str(text) => class.ends_with(&format!(".{text}")) || class == text.as_str(),
                _ => false,
            },
            other => self.names.resolve(other).qualified() == Some(class),
        }
    }

    /// Whether every assignment to `self.attr` in the class around `at` gives a `class`.
    fn attribute_is(&self, at: &Expr, attr: &str, class: &str, steps: u32) -> bool {
        let Some(owner) = self.names.enclosing_class(Node::Expr(at).span().start) else {
            return false;
        };
        let Some(Node::Stmt(Stmt::ClassDef(owner))) = self.names.scope(owner).node else {
            return false;
        };
        let mut values = attribute_values(&owner.body, attr).peekable();
        values.peek().is_some()
            && values.all(|value| value.is_some_and(|value| self.instance_within(value, class, steps)))
    }
}

/// The statements that hold a place and are more than it, outer ones first.
pub(super) fn around(module: &Module, at: Span) -> Vec<&Stmt> {
    let mut found = Vec::new();
    let mut block = &module.body[..];
    loop {
        let next = block.partition_point(|statement| Node::Stmt(statement).span().end < at.end);
        let holder = block.get(next).filter(|statement| {
            let span = Node::Stmt(statement).span();
            span.contains(at) && span != at
        });
        let Some(holder) = holder else { return found };
        found.push(holder);
        let mut inner = blocks_of(holder).into_iter();
        let ends = |block: &&[Stmt]| block.last().map_or(0, |last| Node::Stmt(last).span().end);
        let starts = |block: &&[Stmt]| block.first().map_or(u32::MAX, |first| Node::Stmt(first).span().start);
        match inner.find(|block| starts(block) <= at.start && at.end <= ends(block)) {
            Some(inner) => block = inner,
            None => return found,
        }
    }
}

fn is_definition(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_)
    )
}

/// What is assigned to `self.attr` anywhere in a class body; `None` for an assignment that unpacks.
pub(super) fn attribute_values<'a>(body: &'a [Stmt], attr: &str) -> impl Iterator<Item = Option<&'a Expr>> {
    let statements = body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants())
        .filter_map(Node::as_stmt);
    let attr = attr.to_owned();
    statements.filter_map(move |statement| {
        let stores = |target: &Expr| matches!(target, Expr::Attribute(node) if node.attr.as_str() == attr && is_self(&node.value));
        match statement {
            Stmt::Assign(node) if node.targets.iter().any(stores) => Some(Some(&*node.value)),
            Stmt::AnnAssign(node) if stores(&node.target) => node.value.as_deref().map(Some),
            Stmt::AugAssign(node) if stores(&node.target) => Some(None),
            _ => None,
        }
    })
}

pub(super) fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(name) if name.id.as_str() == "self")
}

/// Methods of paths that give a path again.
fn same_type_method(name: &str) -> bool {
    matches!(
        name,
        "joinpath" | "with_suffix" | "with_name" | "resolve" | "absolute" | "expanduser"
    )
}

fn makes(callable: &str, class: &str) -> bool {
    callable == class
        || made_by(callable) == Some(class)
        || callable
            .strip_prefix(class)
            .is_some_and(|rest| matches!(rest, ".cwd" | ".home"))
}
