//! Builds a graph: statements.
//!
//! The builder holds a *frontier*: the edges that wait for the next step. An empty frontier means dead
//! code; it is built all the same, so that every statement has its steps.

use super::exits::{Frame, Targets};
use super::{Edge, EdgeKind, Graph, Kind, Options, Step, StepId, Value, Way};
use crate::python::ast::{
    ExceptHandler, ExceptHandlerExceptHandler, Expr, Identifier, Pattern, Ranged, Stmt, StmtIf, StmtMatch, StmtRaise,
    WithItem,
};
use crate::python::node::Node;
use crate::python::span::{Span, offset};

/// Statements nested deeper become one opaque step each: a worker's stack is small.
const MAX_DEPTH: u32 = 1_200;

pub(super) type Frontier = Vec<(StepId, EdgeKind)>;

/// Which exceptions a step may raise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Raises {
    Nothing,
    Ordinary,
    /// Also `GeneratorExit` and `CancelledError`.
    Both,
}

pub(super) struct Builder<'a, 'o> {
    pub(super) steps: Vec<Step<'a>>,
    /// Whether an edge leads to the step.
    pub(super) reached: Vec<bool>,
    edges: Vec<(StepId, Edge)>,
    pub(super) frontier: Frontier,
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) raise_to: Targets,
    pub(super) options: &'o Options<'o>,
    /// How many copies of `finally` bodies the builder stands in.
    pub(super) copies: u32,
    depth: u32,
    pub(super) expr_depth: u32,
    /// Nested functions and lambdas, and what `global` and `nonlocal` name.
    pub(super) closures: Vec<Node<'a>>,
    declared: Vec<&'a str>,
}

pub(super) fn graph<'a>(body: &'a [Stmt], options: &Options<'_>) -> Graph<'a> {
    let mut builder = Builder::new(options);
    builder.body(body);
    builder.finish()
}

pub(super) fn lambda<'a>(body: &'a Expr, options: &Options<'_>) -> Graph<'a> {
    let mut builder = Builder::new(options);
    builder.expr(body);
    builder.add(Kind::Return(Some(body)), body.range().into(), Raises::Nothing);
    builder.jump(Way::Return);
    builder.finish()
}

impl<'o> Builder<'_, 'o> {
    fn new(options: &'o Options<'o>) -> Self {
        let outside = Targets {
            ordinary: Graph::RAISED,
            exit: Graph::RAISED,
        };
        let mut builder = Self {
            steps: Vec::new(),
            reached: Vec::new(),
            edges: Vec::new(),
            frontier: vec![(Graph::ENTRY, EdgeKind::Normal)],
            frames: Vec::new(),
            raise_to: outside,
            options,
            copies: 0,
            depth: 0,
            expr_depth: 0,
            closures: Vec::new(),
            declared: Vec::new(),
        };
        for kind in [Kind::Entry, Kind::End, Kind::Returned, Kind::Raised, Kind::Jumped] {
            builder.place(kind, Span::default());
        }
        builder
    }
}

impl<'a> Builder<'a, '_> {
    /// A step that nothing leads to yet.
    pub(super) fn place(&mut self, kind: Kind<'a>, span: Span) -> StepId {
        let id = offset(self.steps.len());
        self.steps.push(Step { kind, span });
        self.reached.push(false);
        id
    }

    pub(super) fn edge(&mut self, from: StepId, to: StepId, kind: EdgeKind) {
        self.edges.push((from, Edge { to, kind }));
        self.reached[to as usize] = true;
    }

    pub(super) fn connect(&mut self, from: Frontier, to: StepId) {
        for (step, kind) in from {
            self.edge(step, to, kind);
        }
    }

    /// The next step on the current way.
    pub(super) fn add(&mut self, kind: Kind<'a>, span: Span, raises: Raises) -> StepId {
        let id = self.place(kind, span);
        let from = std::mem::take(&mut self.frontier);
        self.connect(from, id);
        self.frontier.push((id, EdgeKind::Normal));
        if raises != Raises::Nothing {
            self.edge(id, self.raise_to.ordinary, EdgeKind::Exception);
        }
        if raises == Raises::Both && self.raise_to.exit != self.raise_to.ordinary {
            self.edge(id, self.raise_to.exit, EdgeKind::Exception);
        }
        id
    }

    fn finish(mut self) -> Graph<'a> {
        let ends = std::mem::take(&mut self.frontier);
        self.connect(ends, Graph::END);
        let mut shared = std::mem::take(&mut self.declared);
        for closure in &self.closures {
            super::query::free_names(*closure, 0, &mut shared);
        }
        shared.sort_unstable();
        shared.dedup();
        self.edges.sort_by_key(|(from, edge)| (*from, edge.kind, edge.to));
        self.edges.dedup();
        let mut first = Vec::with_capacity(self.steps.len() + 1);
        let mut at = 0;
        for step in 0..=offset(self.steps.len()) {
            while self.edges.get(at).is_some_and(|(from, _)| *from < step) {
                at += 1;
            }
            first.push(offset(at));
        }
        Graph {
            steps: self.steps,
            first,
            edges: self.edges.into_iter().map(|(_, edge)| edge).collect(),
            shared,
        }
    }

    pub(super) fn body(&mut self, body: &'a [Stmt]) {
        self.depth += 1;
        for statement in body {
            if self.depth > MAX_DEPTH {
                self.add(Kind::Opaque(statement), statement.range().into(), Raises::Ordinary);
            } else {
                self.statement(statement);
            }
        }
        self.depth -= 1;
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::If(node) => self.if_chain(node),
            Stmt::For(node) => self.for_loop(&node.target, &node.iter, &node.body, &node.orelse, Raises::Ordinary),
            Stmt::AsyncFor(node) => {
                self.for_loop(&node.target, &node.iter, &node.body, &node.orelse, Raises::Both);
            }
            Stmt::While(node) => self.while_loop(&node.test, &node.body, &node.orelse),
            Stmt::With(node) => self.with(&node.items, &node.body, Raises::Ordinary),
            Stmt::AsyncWith(node) => self.with(&node.items, &node.body, Raises::Both),
            Stmt::Try(node) => {
                self.try_finally(statement, &node.body, &node.handlers, &node.orelse, &node.finalbody);
            }
            Stmt::TryStar(node) => {
                self.try_finally(statement, &node.body, &node.handlers, &node.orelse, &node.finalbody);
            }
            Stmt::Match(node) => self.match_cases(node),
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_) => self.definition(statement),
            simple => self.simple(simple),
        }
    }

    fn simple(&mut self, statement: &'a Stmt) {
        let span = Span::from(statement.range());
        match statement {
            Stmt::Return(node) => {
                self.optional(node.value.as_deref());
                self.add(Kind::Return(node.value.as_deref()), span, Raises::Nothing);
                self.jump(Way::Return);
            }
            Stmt::Raise(node) => self.raise(node),
            Stmt::Break(_) => self.jump_from(span, Way::Break),
            Stmt::Continue(_) => self.jump_from(span, Way::Continue),
            Stmt::Assign(node) => {
                self.expr(&node.value);
                for target in &node.targets {
                    self.bind(target, Value::Of(&node.value));
                }
            }
            Stmt::AnnAssign(node) => {
                if let Some(value) = &node.value {
                    self.expr(value);
                    self.bind(&node.target, Value::Of(value));
                } else {
                    self.add(Kind::Nothing, span, Raises::Nothing);
                }
            }
            Stmt::AugAssign(node) => self.update(node),
            Stmt::Expr(node) => {
                self.expr(&node.value);
                self.add(Kind::Discard(&node.value), span, Raises::Nothing);
            }
            Stmt::Delete(node) => {
                for target in &node.targets {
                    self.delete(target);
                }
            }
            Stmt::Assert(node) => self.assert(&node.test, node.msg.as_deref(), span),
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.import(statement),
            other => self.declaration(other),
        }
    }

    fn declaration(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Global(node) => self.declared.extend(node.names.iter().map(Identifier::as_str)),
            Stmt::Nonlocal(node) => self.declared.extend(node.names.iter().map(Identifier::as_str)),
            _ => {}
        }
        self.add(Kind::Nothing, statement.range().into(), Raises::Nothing);
    }

    fn jump_from(&mut self, span: Span, way: Way) {
        self.add(Kind::Nothing, span, Raises::Nothing);
        self.jump(way);
    }

    fn raise(&mut self, node: &'a StmtRaise) {
        self.optional(node.exc.as_deref());
        self.optional(node.cause.as_deref());
        self.add(Kind::Raise(node.exc.as_deref()), node.range().into(), Raises::Ordinary);
        self.frontier.clear();
    }

    fn assert(&mut self, test: &'a Expr, message: Option<&'a Expr>, span: Span) {
        let (holds, fails) = self.test(test);
        self.frontier = fails;
        self.optional(message);
        self.add(Kind::Raise(None), span, Raises::Ordinary);
        self.frontier = holds;
    }

    fn update(&mut self, node: &'a crate::python::ast::StmtAugAssign) {
        if let Expr::Name(name) = &*node.target {
            self.add(Kind::Load(name), node.target.range().into(), Raises::Nothing);
        }
        self.expr(&node.value);
        self.add(Kind::Evaluate(&node.value), node.range().into(), Raises::Ordinary);
        self.bind(&node.target, Value::Updated(&node.value));
    }

    fn import(&mut self, statement: &'a Stmt) {
        let names = match statement {
            Stmt::Import(node) => &node.names,
            Stmt::ImportFrom(node) => &node.names,
            _ => return,
        };
        self.add(Kind::Import(statement), statement.range().into(), Raises::Ordinary);
        for alias in names {
            let dotted = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            let name = dotted.split('.').next().unwrap_or(dotted);
            self.add(Kind::BindName(name), alias.range().into(), Raises::Nothing);
        }
    }

    fn definition(&mut self, statement: &'a Stmt) {
        let (decorators, name) = match statement {
            Stmt::FunctionDef(node) => (&node.decorator_list, &node.name),
            Stmt::AsyncFunctionDef(node) => (&node.decorator_list, &node.name),
            Stmt::ClassDef(node) => (&node.decorator_list, &node.name),
            _ => return,
        };
        for decorator in decorators {
            self.expr(decorator);
        }
        let mut raises = Raises::Nothing;
        match statement {
            Stmt::FunctionDef(node) => self.defaults(&node.args),
            Stmt::AsyncFunctionDef(node) => self.defaults(&node.args),
            Stmt::ClassDef(node) => {
                for base in &node.bases {
                    self.expr(base);
                }
                for keyword in &node.keywords {
                    self.expr(&keyword.value);
                }
                raises = Raises::Ordinary;
            }
            _ => {}
        }
        let span = Span::from(statement.range());
        self.closures.push(Node::Stmt(statement));
        self.add(Kind::Create(Node::Stmt(statement)), span, raises);
        self.add(Kind::BindName(name), span, Raises::Nothing);
    }

    /// A loop, so that thousands of `elif` cost no stack.
    fn if_chain(&mut self, first: &'a StmtIf) {
        let (mut node, mut ends) = (first, Frontier::new());
        loop {
            let (yes, no) = self.test(&node.test);
            self.frontier = yes;
            self.body(&node.body);
            ends.append(&mut self.frontier);
            self.frontier = no;
            match node.orelse.as_slice() {
                [Stmt::If(next)] => node = next,
                rest => {
                    self.body(rest);
                    break;
                }
            }
        }
        self.frontier.append(&mut ends);
    }

    fn while_loop(&mut self, test: &'a Expr, body: &'a [Stmt], orelse: &'a [Stmt]) {
        let head = self.add(Kind::Join, test.range().into(), Raises::Nothing);
        let (yes, no) = self.test(test);
        self.frontier = yes;
        self.loop_body(head, body, no, orelse);
    }

    fn for_loop(&mut self, target: &'a Expr, iterable: &'a Expr, body: &'a [Stmt], orelse: &'a [Stmt], raises: Raises) {
        self.expr(iterable);
        let head = self.add(Kind::Next(iterable), iterable.range().into(), raises);
        self.frontier = vec![(head, EdgeKind::True)];
        self.bind(target, Value::ItemOf { iterable, inner: false });
        self.loop_body(head, body, vec![(head, EdgeKind::False)], orelse);
    }

    fn loop_body(&mut self, head: StepId, body: &'a [Stmt], done: Frontier, orelse: &'a [Stmt]) {
        self.frames.push(Frame::Loop {
            head,
            breaks: Frontier::new(),
        });
        self.body(body);
        let back = std::mem::take(&mut self.frontier);
        self.connect(back, head);
        let Some(Frame::Loop { breaks, .. }) = self.frames.pop() else {
            return;
        };
        self.frontier = done;
        self.body(orelse);
        self.frontier.extend(breaks);
    }

    fn with(&mut self, items: &'a [WithItem], body: &'a [Stmt], raises: Raises) {
        for item in items {
            self.expr(&item.context_expr);
            self.add(Kind::Enter(item), item.context_expr.range().into(), raises);
            self.open_with(item, raises);
            if let Some(target) = &item.optional_vars {
                self.bind(target, Value::Entered(item));
            }
        }
        self.body(body);
        for _ in items {
            self.close_cleanup();
        }
    }

    fn try_finally(
        &mut self,
        whole: &'a Stmt,
        body: &'a [Stmt],
        handlers: &'a [ExceptHandler],
        orelse: &'a [Stmt],
        finalbody: &'a [Stmt],
    ) {
        let span = Span::from(whole.range());
        if !finalbody.is_empty() {
            self.open_finally(finalbody, span);
        }
        if handlers.is_empty() {
            self.body(body);
            self.body(orelse);
        } else {
            self.try_except(span, body, handlers, orelse);
        }
        if !finalbody.is_empty() {
            self.close_cleanup();
        }
    }

    fn try_except(&mut self, span: Span, body: &'a [Stmt], handlers: &'a [ExceptHandler], orelse: &'a [Stmt]) {
        let outer = self.raise_to;
        let ordinary = self.place(Kind::Dispatch(handlers), span);
        let exit = self.place(Kind::Dispatch(handlers), span);
        self.raise_to = Targets { ordinary, exit };
        self.body(body);
        self.raise_to = outer;
        self.body(orelse);
        let mut ends = std::mem::take(&mut self.frontier);
        let (mut from_ordinary, mut from_exit) = (vec![(ordinary, EdgeKind::Normal)], vec![(exit, EdgeKind::Normal)]);
        if !self.reached[exit as usize] {
            from_exit.clear();
        }
        for ExceptHandler::ExceptHandler(node) in handlers {
            let caught = super::exits::caught(node.type_.as_deref());
            self.frontier.extend(from_ordinary.iter().copied());
            if caught.exit {
                self.frontier.extend(from_exit.iter().copied());
            }
            self.handler(node);
            ends.append(&mut self.frontier);
            if caught.all_ordinary {
                from_ordinary.clear();
            }
            if caught.all_exit {
                from_exit.clear();
            }
        }
        self.pass_on(from_ordinary, outer.ordinary);
        self.pass_on(from_exit, outer.exit);
        self.frontier = ends;
    }

    fn pass_on(&mut self, from: Frontier, to: StepId) {
        for (step, _) in from {
            self.edge(step, to, EdgeKind::Exception);
        }
    }

    fn handler(&mut self, node: &'a ExceptHandlerExceptHandler) {
        let span = Span::from(node.range());
        self.add(Kind::Catch(node), span, Raises::Nothing);
        if let Some(type_) = node.type_.as_deref() {
            self.names_in(type_);
        }
        if let Some(name) = &node.name {
            self.add(Kind::BindName(name), span, Raises::Nothing);
        }
        self.body(&node.body);
    }

    fn match_cases(&mut self, node: &'a StmtMatch) {
        self.expr(&node.subject);
        let mut ends = Frontier::new();
        for case in &node.cases {
            let span = Span::from(case.pattern.range());
            let step = self.add(Kind::Case(case), span, Raises::Ordinary);
            self.frontier = vec![(step, EdgeKind::True)];
            self.captures(&case.pattern);
            let mut missed: Frontier = vec![(step, EdgeKind::False)];
            if is_irrefutable(&case.pattern) {
                missed.clear();
            }
            if let Some(guard) = &case.guard {
                let (yes, no) = self.test(guard);
                self.frontier = yes;
                missed.extend(no);
            }
            self.body(&case.body);
            ends.append(&mut self.frontier);
            self.frontier = missed;
        }
        self.frontier.append(&mut ends);
    }

    fn captures(&mut self, pattern: &'a Pattern) {
        for node in Node::Pattern(pattern).descendants() {
            let name = match node {
                Node::Pattern(Pattern::MatchAs(node)) => node.name.as_ref(),
                Node::Pattern(Pattern::MatchStar(node)) => node.name.as_ref(),
                Node::Pattern(Pattern::MatchMapping(node)) => node.rest.as_ref(),
                Node::Expr(Expr::Name(name)) => {
                    self.add(Kind::Load(name), name.range().into(), Raises::Nothing);
                    None
                }
                _ => None,
            };
            if let Some(name) = name {
                self.add(Kind::BindName(name), node.span(), Raises::Nothing);
            }
        }
    }
}

fn is_irrefutable(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::MatchAs(node) => node.pattern.as_deref().is_none_or(is_irrefutable),
        Pattern::MatchOr(node) => node.patterns.iter().any(is_irrefutable),
        _ => false,
    }
}
