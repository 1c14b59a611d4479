//! One walk over the tree that opens the scopes and notes where each name occurs.
//!
//! It keeps its own stack: the depth of a tree must not cost the thread's.

mod visit;

use std::borrow::Cow;

use super::super::ast::{Expr, Stmt};
use super::super::node::{Node, Sink};
use super::super::parse::Module;
use super::super::span::{Span, offset};
use super::binding::{BindingKind, Event, Fate, Table, What, mangled};
use super::scope::{Scope, ScopeId, ScopeKind};

pub(super) struct Collector<'m> {
    module: &'m Module,
    pub(super) scopes: Vec<Scope<'m>>,
    pub(super) tables: Vec<Table<'m>>,
    pub(super) regions: Vec<(Span, ScopeId)>,
    pub(super) events: Vec<Event<'m>>,
    /// The modules of `from module import *`.
    pub(super) stars: Vec<String>,
    stack: Vec<Task<'m>>,
    fresh: Vec<Task<'m>>,
}

struct Task<'m> {
    node: Node<'m>,
    scope: ScopeId,
    /// How the names of a target are bound; `None` where an expression is evaluated.
    role: Option<BindingKind<'m>>,
}

/// Puts a node's children on the stack.
struct Children<'s, 'm> {
    tasks: &'s mut Vec<Task<'m>>,
    scope: ScopeId,
    role: Option<BindingKind<'m>>,
}

impl<'m> Sink<'m> for Children<'_, 'm> {
    fn child(&mut self, child: Option<Node<'m>>) {
        self.push_all(child.into_iter());
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'m>>) {
        self.push_all(children);
    }
    fn list<T>(&mut self, items: &'m [T], as_node: impl Fn(&'m T) -> Node<'m>) {
        self.push_all(items.iter().map(as_node));
    }
}

impl<'m> Children<'_, 'm> {
    fn push_all(&mut self, nodes: impl Iterator<Item = Node<'m>>) {
        let (scope, role) = (self.scope, &self.role);
        self.tasks.extend(nodes.map(|node| Task {
            node,
            scope,
            role: role.clone(),
        }));
    }
}

impl<'m> Collector<'m> {
    pub(super) fn run(module: &'m Module) -> Self {
        let mut collector = Self {
            module,
            scopes: Vec::new(),
            tables: Vec::new(),
            regions: Vec::new(),
            events: Vec::new(),
            stars: Vec::new(),
            stack: Vec::new(),
            fresh: Vec::new(),
        };
        let whole = Span::new(0, offset(module.text().len()));
        collector.add_scope(Scope {
            kind: ScopeKind::Module,
            parent: None,
            node: None,
            qualname: "<module>".to_owned(),
            span: whole,
            yields: false,
            class: None,
        });
        collector.block(&module.body, ScopeId::MODULE);
        while let Some(task) = collector.next() {
            collector.visit(task);
        }
        collector.events.sort_by_key(|event| event.span.start);
        collector
    }

    /// The order is that of the text, so that a `global` is known before the `def` it concerns.
    fn next(&mut self) -> Option<Task<'m>> {
        self.stack.extend(self.fresh.drain(..).rev());
        self.stack.pop()
    }
}

/// The small steps that visits are made of.
impl<'m> Collector<'m> {
    fn add_scope(&mut self, scope: Scope<'m>) -> ScopeId {
        let id = ScopeId::new(self.scopes.len());
        self.regions.push((scope.span, id));
        self.scopes.push(scope);
        self.tables.push(Table::default());
        id
    }

    fn open(&mut self, kind: ScopeKind, node: Node<'m>, name: &str, span: Span, parent: ScopeId) -> ScopeId {
        let qualname = self.qualname(kind, name, parent);
        self.add_scope(Scope {
            kind,
            parent: Some(parent),
            node: Some(node),
            qualname,
            span,
            yields: false,
            class: self.scopes[parent.index()].class,
        })
    }

    fn qualname(&self, kind: ScopeKind, name: &str, parent: ScopeId) -> String {
        let outer = &self.scopes[parent.index()];
        let stored = mangled(name, outer.class);
        let is_global = self.tables[parent.index()].fates.get(&*stored) == Some(&Fate::Global);
        match outer.kind {
            _ if kind == ScopeKind::TypeParams => outer.qualname.clone(),
            ScopeKind::Module => name.to_owned(),
            _ if is_global => name.to_owned(),
            ScopeKind::Class => format!("{}.{name}", outer.qualname),
            ScopeKind::TypeParams => self.qualname(kind, name, outer.parent.unwrap_or(ScopeId::MODULE)),
            _ => format!("{}.<locals>.{name}", outer.qualname),
        }
    }

    fn mangled(&self, name: &'m str, scope: ScopeId) -> Cow<'m, str> {
        mangled(name, self.scopes[scope.index()].class)
    }

    /// Gives the text of `expr` back to the outer scope.
    fn take_out(&mut self, expr: &'m Expr, inner: ScopeId, outer: ScopeId) {
        if inner != outer {
            self.regions.push((Node::Expr(expr).span(), outer));
        }
    }

    /// Where a `:=` in `scope` binds.
    fn outside_comprehensions(&self, mut scope: ScopeId) -> ScopeId {
        while let (ScopeKind::Comprehension, Some(parent)) =
            (self.scopes[scope.index()].kind, self.scopes[scope.index()].parent)
        {
            scope = parent;
        }
        scope
    }

    fn push(&mut self, node: Node<'m>, scope: ScopeId, role: Option<BindingKind<'m>>) {
        self.fresh.push(Task { node, scope, role });
    }

    fn descend(&mut self, node: Node<'m>, scope: ScopeId, role: Option<BindingKind<'m>>) {
        let tasks = &mut self.fresh;
        node.parts(&mut Children { tasks, scope, role });
    }

    fn load(&mut self, expr: &'m Expr, scope: ScopeId) {
        self.push(Node::Expr(expr), scope, None);
    }

    fn loads(&mut self, exprs: &'m [Expr], scope: ScopeId) {
        for expr in exprs {
            self.load(expr, scope);
        }
    }

    fn target(&mut self, expr: &'m Expr, scope: ScopeId, role: BindingKind<'m>) {
        self.push(Node::Expr(expr), scope, Some(role));
    }

    fn block(&mut self, body: &'m [Stmt], scope: ScopeId) {
        for statement in body {
            self.push(Node::Stmt(statement), scope, None);
        }
    }

    fn bind(&mut self, name: &'m str, span: Span, scope: ScopeId, kind: BindingKind<'m>) {
        let stored = self.mangled(name, scope);
        self.tables[scope.index()].fates.entry(stored).or_insert(Fate::Here);
        self.note(name, span, scope, What::Bind(kind));
    }

    fn bind_first_word(&mut self, name: &'m str, within: Span, scope: ScopeId, kind: BindingKind<'m>) {
        let span = self.first_word(within, name);
        self.bind(name, span, scope, kind);
    }

    fn note(&mut self, name: &'m str, span: Span, scope: ScopeId, what: What<'m>) {
        let name = self.mangled(name, scope);
        self.events.push(Event {
            name,
            span,
            scope,
            what,
        });
    }

    /// From the first keyword of a definition to its colon.
    fn header(&self, statement: &'m Stmt, body: &'m [Stmt]) -> Span {
        let whole = Node::Stmt(statement).span();
        let body = body.first().map_or(whole, |first| Node::Stmt(first).span());
        self.module.header(whole, body)
    }

    /// The first token in `within` that is `word`; all of `within` inside an f-string, whose
    /// contents are no tokens.
    fn first_word(&self, within: Span, word: &str) -> Span {
        let mut tokens = self.module.tokens_in(within).iter();
        let found = tokens.find(|token| token.span.of(self.module.text()) == word);
        found.map_or(within, |token| token.span)
    }

    fn last_word(&self, within: Span, word: &str) -> Span {
        let mut tokens = self.module.tokens_in(within).iter().rev();
        let found = tokens.find(|token| token.span.of(self.module.text()) == word);
        found.map_or(within, |token| token.span)
    }
}
