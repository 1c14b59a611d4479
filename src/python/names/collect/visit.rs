//! What each kind of node means for names: which scope it opens, what it binds, where its parts
//! are evaluated.

use super::super::super::ast::{
    Alias, Arguments, Comprehension, ExceptHandler, Expr, Identifier, Pattern, Ranged, Stmt, StmtClassDef,
    StmtImportFrom, StmtTypeAlias, TypeParam, WithItem,
};
use super::super::super::node::Node;
use super::super::super::span::{Span, offset};
use super::super::binding::{BindingKind, Fate, What};
use super::super::def::{Def, parameters};
use super::super::scope::{ScopeId, ScopeKind};
use super::{Collector, Task};

impl<'m> Collector<'m> {
    pub(super) fn visit(&mut self, task: Task<'m>) {
        let Task { node, scope, role } = task;
        match node {
            Node::Stmt(statement) => self.statement(statement, scope),
            Node::Expr(expr) => self.expression(expr, scope, role),
            Node::Handler(ExceptHandler::ExceptHandler(handler)) => {
                let from = handler.type_.as_ref().map_or(handler.start(), |class| class.end());
                let to = handler.body.first().map_or(handler.end(), Ranged::start);
                if let Some(name) = &handler.name {
                    let span = self.first_word(Span::new(from.to_u32(), to.to_u32()), name);
                    self.bind(name, span, scope, BindingKind::Except);
                }
                self.descend(node, scope, None);
            }
            Node::Pattern(pattern) => {
                if let Some(name) = captured(pattern) {
                    let span = self.last_word(node.span(), name);
                    self.bind(name, span, scope, BindingKind::Match);
                }
                self.descend(node, scope, None);
            }
            _ => self.descend(node, scope, None),
        }
    }

    fn statement(&mut self, statement: &'m Stmt, scope: ScopeId) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) => self.function(statement, scope),
            Stmt::ClassDef(node) => self.class(statement, node, scope),
            Stmt::TypeAlias(node) => self.type_alias(statement, node, scope),
            Stmt::Import(node) => node.names.iter().for_each(|alias| self.import(alias, scope)),
            Stmt::ImportFrom(node) => self.import_from(node, scope),
            Stmt::Global(node) => self.redirect(statement, &node.names, scope, Fate::Global),
            Stmt::Nonlocal(node) => self.redirect(statement, &node.names, scope, Fate::Nonlocal),
            Stmt::Assign(node) => {
                for target in &node.targets {
                    self.target(target, scope, assigned(target, &node.value));
                }
                self.load(&node.value, scope);
            }
            Stmt::AnnAssign(node) => {
                // The parser calls `(x): int` simple too.
                let simple = node.simple && node.start() == node.target.start();
                let role = match &node.value {
                    Some(value) => Some(assigned(&node.target, value)),
                    None => simple.then_some(BindingKind::Annotated),
                };
                self.push(Node::Expr(&node.target), scope, role);
                self.load(&node.annotation, scope);
                if let Some(value) = &node.value {
                    self.load(value, scope);
                }
            }
            Stmt::AugAssign(node) => {
                if node.target.is_name_expr() {
                    self.load(&node.target, scope);
                }
                self.target(&node.target, scope, BindingKind::AugAssign);
                self.load(&node.value, scope);
            }
            Stmt::For(node) => self.loop_(&node.target, &node.iter, [&node.body, &node.orelse], scope),
            Stmt::AsyncFor(node) => self.loop_(&node.target, &node.iter, [&node.body, &node.orelse], scope),
            Stmt::With(node) => self.with(&node.items, &node.body, scope),
            Stmt::AsyncWith(node) => self.with(&node.items, &node.body, scope),
            Stmt::Delete(node) => {
                for target in &node.targets {
                    self.target(target, scope, BindingKind::Del);
                }
            }
            _ => self.descend(Node::Stmt(statement), scope, None),
        }
    }

    fn loop_(&mut self, target: &'m Expr, iterable: &'m Expr, blocks: [&'m [Stmt]; 2], scope: ScopeId) {
        self.target(target, scope, BindingKind::For { iterable });
        self.load(iterable, scope);
        for block in blocks {
            self.block(block, scope);
        }
    }

    fn with(&mut self, items: &'m [WithItem], body: &'m [Stmt], scope: ScopeId) {
        for item in items {
            self.load(&item.context_expr, scope);
            if let Some(target) = &item.optional_vars {
                let context = target.is_name_expr().then_some(&item.context_expr);
                self.target(target, scope, BindingKind::With { context });
            }
        }
        self.block(body, scope);
    }

    fn function(&mut self, statement: &'m Stmt, scope: ScopeId) {
        let Some(def) = Def::of(statement) else { return };
        let header = self.header(statement, def.body);
        self.bind_first_word(def.name, header, scope, BindingKind::Def(statement));
        self.loads(def.decorators, scope);
        let outer = self.type_params(statement, def.type_params, header.end, scope);
        for (parameter, default) in parameters(def.arguments) {
            if let Some(default) = default {
                self.load(default, scope);
                self.take_out(default, outer, scope);
            }
            if let Some(annotation) = &parameter.annotation {
                self.load(annotation, outer);
            }
        }
        if let Some(returns) = def.returns {
            self.load(returns, outer);
        }
        let span = Span::new(header.end, end_of(def.body, header.end));
        let inner = self.open(ScopeKind::Function, Node::Stmt(statement), def.name, span, outer);
        self.parameters(def.arguments, inner);
        self.block(def.body, inner);
    }

    fn class(&mut self, statement: &'m Stmt, node: &'m StmtClassDef, scope: ScopeId) {
        let header = self.header(statement, &node.body);
        self.bind_first_word(&node.name, header, scope, BindingKind::Class(statement));
        self.loads(&node.decorator_list, scope);
        let outer = self.type_params(statement, &node.type_params, header.end, scope);
        self.loads(&node.bases, outer);
        for keyword in &node.keywords {
            self.load(&keyword.value, outer);
        }
        let span = Span::new(header.end, end_of(&node.body, header.end));
        let inner = self.open(ScopeKind::Class, Node::Stmt(statement), &node.name, span, outer);
        self.scopes[inner.index()].class = Some(&node.name);
        self.block(&node.body, inner);
    }

    fn type_alias(&mut self, statement: &'m Stmt, node: &'m StmtTypeAlias, scope: ScopeId) {
        self.target(&node.name, scope, BindingKind::Assign { value: None });
        let from = node.type_params.first().map_or(node.value.start(), Ranged::start);
        let span = Span::new(from.to_u32(), node.end().to_u32());
        let inner = self.open(ScopeKind::TypeParams, Node::Stmt(statement), "", span, scope);
        self.declare_type_params(&node.type_params, inner);
        self.load(&node.value, inner);
    }

    /// The scope in which the rest of a header resolves: one of its own if there are type parameters.
    fn type_params(&mut self, node: &'m Stmt, params: &'m [TypeParam], end: u32, scope: ScopeId) -> ScopeId {
        let Some(first) = params.first() else { return scope };
        let span = Span::new(first.start().to_u32(), end);
        let inner = self.open(ScopeKind::TypeParams, Node::Stmt(node), "", span, scope);
        self.declare_type_params(params, inner);
        inner
    }

    fn declare_type_params(&mut self, params: &'m [TypeParam], scope: ScopeId) {
        for param in params {
            let name = match param {
                TypeParam::TypeVar(node) => &node.name,
                TypeParam::ParamSpec(node) => &node.name,
                TypeParam::TypeVarTuple(node) => &node.name,
            };
            self.bind_first_word(name, Node::TypeParam(param).span(), scope, BindingKind::TypeParam);
            self.descend(Node::TypeParam(param), scope, None);
        }
    }

    fn parameters(&mut self, arguments: &'m Arguments, scope: ScopeId) {
        for (parameter, _) in parameters(arguments) {
            let start = parameter.start().to_u32();
            let span = Span::new(start, start + offset(parameter.arg.len()));
            self.bind(&parameter.arg, span, scope, BindingKind::Parameter(parameter));
        }
    }

    fn expression(&mut self, expr: &'m Expr, scope: ScopeId, role: Option<BindingKind<'m>>) {
        let span = Node::Expr(expr).span();
        match expr {
            Expr::Name(node) => match role {
                Some(kind) => self.bind(&node.id, span, scope, kind),
                None => self.note(&node.id, span, scope, What::Load),
            },
            Expr::Tuple(_) | Expr::List(_) | Expr::Starred(_) => self.descend(Node::Expr(expr), scope, role),
            Expr::NamedExpr(node) => {
                let binder = self.outside_comprehensions(scope);
                self.target(&node.target, binder, assigned(&node.target, &node.value));
                self.load(&node.value, scope);
            }
            Expr::Lambda(node) => {
                let body = Node::Expr(&node.body);
                for (_, default) in parameters(&node.args) {
                    if let Some(default) = default {
                        self.load(default, scope);
                    }
                }
                let inner = self.open(ScopeKind::Lambda, Node::Expr(expr), "<lambda>", body.span(), scope);
                self.parameters(&node.args, inner);
                self.push(body, inner, None);
            }
            Expr::ListComp(node) => self.comprehension(expr, "<listcomp>", [&*node.elt], &node.generators, scope),
            Expr::SetComp(node) => self.comprehension(expr, "<setcomp>", [&*node.elt], &node.generators, scope),
            Expr::GeneratorExp(node) => self.comprehension(expr, "<genexpr>", [&*node.elt], &node.generators, scope),
            Expr::DictComp(node) => {
                self.comprehension(expr, "<dictcomp>", [&*node.key, &*node.value], &node.generators, scope);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.scopes[scope.index()].yields = true;
                self.descend(Node::Expr(expr), scope, None);
            }
            _ => self.descend(Node::Expr(expr), scope, None),
        }
    }

    fn comprehension<const N: usize>(
        &mut self,
        expr: &'m Expr,
        name: &str,
        elements: [&'m Expr; N],
        generators: &'m [Comprehension],
        scope: ScopeId,
    ) {
        let node = Node::Expr(expr);
        let inner = self.open(ScopeKind::Comprehension, node, name, node.span(), scope);
        for (place, generator) in generators.iter().enumerate() {
            let iterable = &generator.iter;
            self.target(&generator.target, inner, BindingKind::For { iterable });
            if place == 0 {
                self.take_out(iterable, inner, scope);
            }
            self.load(iterable, if place == 0 { scope } else { inner });
            self.loads(&generator.ifs, inner);
        }
        for element in elements {
            self.load(element, inner);
        }
    }

    fn import(&mut self, alias: &'m Alias, scope: ScopeId) {
        let whole = alias.name.as_str();
        let first = whole.split('.').next().unwrap_or(whole);
        let (bound, qualified) = match &alias.asname {
            Some(name) => (name.as_str(), whole),
            None => (first, first),
        };
        let qualified = qualified.to_owned();
        self.bind_alias(alias, bound, scope, BindingKind::Import { qualified });
    }

    fn import_from(&mut self, node: &'m StmtImportFrom, scope: ScopeId) {
        let dots = ".".repeat(node.level.map_or(0, |level| level.to_usize()));
        let module = node.module.as_ref().map_or("", Identifier::as_str);
        for alias in &node.names {
            if &*alias.name == "*" {
                self.stars.push(format!("{dots}{module}"));
                continue;
            }
            let dot = if module.is_empty() { "" } else { "." };
            let qualified = format!("{dots}{module}{dot}{}", alias.name);
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            self.bind_alias(alias, bound, scope, BindingKind::ImportFrom { qualified });
        }
    }

    fn bind_alias(&mut self, alias: &'m Alias, bound: &'m str, scope: ScopeId, kind: BindingKind<'m>) {
        let whole = Node::Alias(alias).span();
        let span = match alias.asname {
            Some(_) => Span::new(whole.end - offset(bound.len()), whole.end),
            None => Span::new(whole.start, whole.start + offset(bound.len())),
        };
        self.bind(bound, span, scope, kind);
    }

    fn redirect(&mut self, statement: &'m Stmt, names: &'m [Identifier], scope: ScopeId, fate: Fate) {
        let whole = Node::Stmt(statement).span();
        for name in names {
            let span = self.first_word(whole, name);
            let stored = self.mangled(name, scope);
            self.tables[scope.index()].fates.insert(stored, fate);
            self.note(name, span, scope, What::Redirect);
        }
    }
}

fn assigned<'m>(target: &'m Expr, value: &'m Expr) -> BindingKind<'m> {
    let value = target.is_name_expr().then_some(value);
    BindingKind::Assign { value }
}

fn captured(pattern: &Pattern) -> Option<&str> {
    let name = match pattern {
        Pattern::MatchAs(node) => node.name.as_ref(),
        Pattern::MatchStar(node) => node.name.as_ref(),
        Pattern::MatchMapping(node) => node.rest.as_ref(),
        _ => None,
    };
    name.map(Identifier::as_str)
}

fn end_of(body: &[Stmt], otherwise: u32) -> u32 {
    body.last().map_or(otherwise, |last| last.end().to_u32())
}
