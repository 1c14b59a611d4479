//! Matching templates against source: metavariables get values, template lines get places.

use std::collections::BTreeMap;

use super::fit::fits;
use super::template::{Meta, Side, meta, meta_of};
use crate::python::ast::{self, Expr, Stmt};
use crate::python::span::offset;
use crate::python::{Module, Node, Part, Span, TokenKind};

/// What a metavariable stands for.
#[derive(Clone, Debug)]
pub(super) enum Value<'m> {
    Node(Node<'m>),
    Many(Vec<Node<'m>>),
    /// An identifier of the source that is no node of its own: an attribute, a definition's name.
    Word(&'m str),
    /// New text, given by a condition.
    Text(String),
}

impl<'m> Value<'m> {
    /// The identifier, where the value is one.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Value::Node(Node::Expr(Expr::Name(name))) => Some(&name.id),
            Value::Word(word) => Some(word),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn expr(&self) -> Option<&'m Expr> {
        match self {
            Value::Node(node) => node.as_expr(),
            _ => None,
        }
    }

    /// The nodes it consists of.
    pub(super) fn nodes(&self) -> &[Node<'m>] {
        match self {
            Value::Node(node) => std::slice::from_ref(node),
            Value::Many(nodes) => nodes,
            _ => &[],
        }
    }

    fn same(&self, other: &Value<'_>) -> bool {
        if let (Some(left), Some(right)) = (self.word(), other.word()) {
            return left == right;
        }
        let (left, right) = (self.nodes(), other.nodes());
        !left.is_empty() && left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.same_code(*b))
    }
}

/// Where a line of the template stands in the source.
#[derive(Clone, Debug)]
pub(super) enum Place<'m> {
    /// A whole simple statement.
    Statement(&'m Stmt),
    /// The header of a compound statement or clause, to its colon. `whole` is all that it heads.
    Header { node: Node<'m>, header: Span, whole: Span },
    /// The statements of a `$$sequence`; may be empty.
    Block(Vec<Node<'m>>),
}

impl Place<'_> {
    /// The source of the line itself; `None` for an empty sequence.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Place::Statement(statement) => Some(Node::Stmt(statement).span()),
            Place::Header { header, .. } => Some(*header),
            Place::Block(nodes) => nodes.iter().map(|node| node.span()).reduce(Span::cover),
        }
    }
}

/// One way in which a template fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Match<'m> {
    pub(super) values: BTreeMap<String, Value<'m>>,
    /// Hunk line → place, for the lines of the before side.
    pub(super) places: BTreeMap<usize, Place<'m>>,
}

impl<'m> Match<'m> {
    fn bind(&mut self, name: &str, value: Value<'m>) -> bool {
        if let Some(known) = self.values.get(name) {
            return known.same(&value);
        }
        self.values.insert(name.to_owned(), value);
        true
    }
}

/// Matches one side of a hunk in one module.
#[derive(Clone, Copy)]
pub(super) struct Unifier<'t, 'm> {
    pub(super) module: &'m Module,
    pub(super) side: &'t Side,
}

impl<'t, 'm> Unifier<'t, 'm> {
    /// Matches the side's statements against `block` from `at` on. Returns how many it took.
    pub(super) fn statements(self, block: &'m [Stmt], at: usize, start: &Match<'m>) -> Option<(Match<'m>, usize)> {
        let first = Node::Stmt(self.side.body.first()?);
        if at > 0 && many(first).is_some() || !fits(first, Node::Stmt(block.get(at)?)) {
            return None;
        }
        let template: Vec<Node<'t>> = self.side.body.iter().map(Node::Stmt).collect();
        let source: Vec<Node<'m>> = block[at..].iter().map(Node::Stmt).collect();
        let to_end = template.last().is_some_and(|last| many(*last).is_some());
        self.sequence(&template, &source, to_end, start.clone())
    }

    /// Matches the side's only expression against `expr`.
    pub(super) fn expression(self, expr: &'m Expr, start: &Match<'m>) -> Option<Match<'m>> {
        let [Stmt::Expr(template)] = &self.side.body[..] else {
            return None;
        };
        let mut found = start.clone();
        self.node(Node::Expr(&template.value), Node::Expr(expr), &mut found)
            .then_some(found)
    }

    /// Sequences take the shortest match, the last one reaches the end; `to_end`: nothing may remain.
    fn sequence(
        self,
        template: &[Node<'t>],
        source: &[Node<'m>],
        to_end: bool,
        mut found: Match<'m>,
    ) -> Option<(Match<'m>, usize)> {
        let Some((first, rest)) = template.split_first() else {
            return (source.is_empty() || !to_end).then_some((found, 0));
        };
        let Some(name) = many(*first) else {
            let (head, tail) = source.split_first()?;
            if !self.node(*first, *head, &mut found) {
                return None;
            }
            let (found, taken) = self.sequence(rest, tail, to_end, found)?;
            return Some((found, taken + 1));
        };
        let shortest = if rest.is_empty() { source.len() } else { 0 };
        let may_end = |length: &usize| match (rest.first(), source.get(*length)) {
            (Some(next), Some(node)) => fits(*next, *node),
            _ => true,
        };
        (shortest..=source.len()).filter(may_end).find_map(|length| {
            let mut found = found.clone();
            let nodes = source[..length].to_vec();
            if matches!(first, Node::Stmt(_) | Node::Handler(_)) {
                found
                    .places
                    .insert(self.side.line_of(*first), Place::Block(nodes.clone()));
            }
            if !found.bind(name, Value::Many(nodes)) {
                return None;
            }
            let (found, taken) = self.sequence(rest, &source[length..], to_end, found)?;
            Some((found, taken + length))
        })
    }

    fn node(self, template: Node<'t>, source: Node<'m>, found: &mut Match<'m>) -> bool {
        if let Some(Meta::One(name)) = meta_of(template) {
            return self.metavariable(name, template, source, found);
        }
        match (template, source) {
            (Node::Stmt(template), Node::Stmt(source)) => self.statement(template, source, found),
            (Node::Expr(Expr::Call(template)), Node::Expr(Expr::Call(source))) => self.call(template, source, found),
            (Node::Handler(_), Node::Handler(source)) => {
                let ast::ExceptHandler::ExceptHandler(handler) = source;
                let whole = Node::Handler(source).span();
                self.place_header(template, Node::Handler(source), handler.body.first(), whole, found);
                self.parts(template, Node::Handler(source), found)
            }
            _ => template.kind() == source.kind() && self.parts(template, source, found),
        }
    }

    fn metavariable(self, name: &str, template: Node<'t>, source: Node<'m>, found: &mut Match<'m>) -> bool {
        match (template, source) {
            (Node::Stmt(_), Node::Stmt(statement)) => {
                found
                    .places
                    .insert(self.side.line_of(template), Place::Statement(statement));
            }
            (Node::Expr(_), Node::Expr(_)) => {}
            _ => return false,
        }
        found.bind(name, Value::Node(source))
    }

    fn statement(self, template: &'t Stmt, source: &'m Stmt, found: &mut Match<'m>) -> bool {
        let fits = match (template, source) {
            (Stmt::Assign(wanted), Stmt::AnnAssign(given)) => match (&wanted.targets[..], &given.value) {
                ([target], Some(value)) => {
                    self.node(Node::Expr(target), Node::Expr(&given.target), found)
                        && self.node(Node::Expr(&wanted.value), Node::Expr(value), found)
                }
                _ => false,
            },
            (Stmt::FunctionDef(wanted), Stmt::FunctionDef(given)) => {
                identifier(&wanted.name, &given.name, found)
                    && self.decorators(&wanted.decorator_list, &given.decorator_list, found)
                    && self.parameters(&wanted.args, &given.args, found)
            }
            (Stmt::FunctionDef(wanted), Stmt::AsyncFunctionDef(given)) => {
                identifier(&wanted.name, &given.name, found)
                    && self.decorators(&wanted.decorator_list, &given.decorator_list, found)
                    && self.parameters(&wanted.args, &given.args, found)
            }
            (Stmt::ClassDef(wanted), Stmt::ClassDef(given)) => {
                identifier(&wanted.name, &given.name, found)
                    && self.decorators(&wanted.decorator_list, &given.decorator_list, found)
                    && self.list(&exprs(&wanted.bases), &class_arguments(given), found)
            }
            _ => Node::Stmt(template).kind() == Node::Stmt(source).kind() && self.header_parts(template, source, found),
        };
        fits && self.blocks(template, source, found)
    }

    /// All parts of a statement but its blocks and handlers.
    fn header_parts(self, template: &'t Stmt, source: &'m Stmt, found: &mut Match<'m>) -> bool {
        let (mut wanted, mut given): (Vec<Part<'t>>, Vec<Part<'m>>) = (Vec::new(), Vec::new());
        Node::Stmt(template).parts(&mut wanted);
        Node::Stmt(source).parts(&mut given);
        if compound(template) {
            wanted.retain(|part| !holds_blocks(part));
            given.retain(|part| !holds_blocks(part));
        }
        self.part_lists(&wanted, &given, found)
    }

    fn blocks(self, template: &'t Stmt, source: &'m Stmt, found: &mut Match<'m>) -> bool {
        if !compound(template) {
            found
                .places
                .insert(self.side.line_of(Node::Stmt(template)), Place::Statement(source));
            return true;
        }
        let (wanted, given) = (Node::Stmt(template).blocks(), Node::Stmt(source).blocks());
        let whole = Node::Stmt(source).span();
        self.place_header(
            Node::Stmt(template),
            Node::Stmt(source),
            given.first().and_then(|block| block.first()),
            whole,
            found,
        );
        if !self.handlers(template, source, found) {
            return false;
        }
        let mut before = given
            .first()
            .and_then(|block| block.last())
            .map_or(whole.start, |last| Node::Stmt(last).span().end);
        before = before.max(last_handler_end(source).unwrap_or(0));
        for (index, (wanted, given)) in wanted.iter().zip(&given).enumerate() {
            if wanted.is_empty() != given.is_empty() {
                return false;
            }
            if index > 0 && !given.is_empty() {
                self.place_clause(&wanted[0], source, given, before, found);
                before = Node::Stmt(&given[given.len() - 1]).span().end;
            }
            let (wanted, given) = (statements(wanted), statements(given));
            match self.sequence(&wanted, &given, true, std::mem::take(found)) {
                Some((better, _)) => *found = better,
                None => return false,
            }
        }
        true
    }

    fn handlers(self, template: &'t Stmt, source: &'m Stmt, found: &mut Match<'m>) -> bool {
        let (Stmt::Try(wanted), Stmt::Try(given)) = (template, source) else {
            return true;
        };
        let wanted: Vec<Node<'t>> = wanted.handlers.iter().map(Node::Handler).collect();
        let given: Vec<Node<'m>> = given.handlers.iter().map(Node::Handler).collect();
        self.list(&wanted, &given, found)
    }

    fn place_header(
        self,
        template: Node<'t>,
        source: Node<'m>,
        body: Option<&'m Stmt>,
        whole: Span,
        found: &mut Match<'m>,
    ) {
        let Some(body) = body else { return };
        let header = self.module.header(source.span(), Node::Stmt(body).span());
        found.places.insert(
            self.side.line_of(template),
            Place::Header {
                node: source,
                header,
                whole,
            },
        );
    }

    /// Places an `else:` or `finally:` line. `before` is where the part in front of the clause ends.
    fn place_clause(self, template: &'t Stmt, source: &'m Stmt, block: &'m [Stmt], before: u32, found: &mut Match<'m>) {
        let start = self.module.statement_start(&block[0]);
        let between = self.module.tokens_in(Span::new(before, start));
        let keyword = between.iter().find(|token| token.kind == TokenKind::Other);
        if let Some(keyword) = keyword {
            let header = self.module.header(keyword.span, Node::Stmt(&block[0]).span());
            let whole = header.cover(Node::Stmt(&block[block.len() - 1]).span());
            let place = Place::Header {
                node: Node::Stmt(source),
                header,
                whole,
            };
            found.places.insert(self.side.line_before(Node::Stmt(template)), place);
        }
    }

    fn call(self, template: &'t ast::ExprCall, source: &'m ast::ExprCall, found: &mut Match<'m>) -> bool {
        if !self.node(Node::Expr(&template.func), Node::Expr(&source.func), found) {
            return false;
        }
        let mut rest: Vec<&'m ast::Keyword> = source.keywords.iter().collect();
        for wanted in &template.keywords {
            let Some(at) = rest.iter().position(|given| keyword_named(wanted, given)) else {
                return false;
            };
            if !self.parts(Node::Keyword(wanted), Node::Keyword(rest.remove(at)), found) {
                return false;
            }
        }
        let collector = template.args.iter().filter_map(|arg| many(Node::Expr(arg))).next_back();
        if collector.is_none() && !rest.is_empty() {
            return false;
        }
        if !self.list(&exprs(&template.args), &exprs(&source.args), found) {
            return false;
        }
        if let Some(Value::Many(nodes)) = collector.and_then(|name| found.values.get_mut(name)) {
            let keywords = rest
                .into_iter()
                .map(Node::Keyword)
                .filter(|keyword| !nodes.iter().any(|node| node.span() == keyword.span()));
            nodes.extend(keywords.collect::<Vec<_>>());
            nodes.sort_by_key(|node| node.span());
        }
        true
    }

    fn parameters(self, template: &'t ast::Arguments, source: &'m ast::Arguments, found: &mut Match<'m>) -> bool {
        let wanted: Vec<Node<'t>> = template
            .posonlyargs
            .iter()
            .chain(&template.args)
            .map(Node::Parameter)
            .collect();
        let mut given: Vec<Node<'m>> = source
            .posonlyargs
            .iter()
            .chain(&source.args)
            .map(Node::Parameter)
            .collect();
        given.extend(source.vararg.as_deref().map(Node::Arg));
        given.extend(source.kwonlyargs.iter().map(Node::Parameter));
        given.extend(source.kwarg.as_deref().map(Node::Arg));
        self.list(&wanted, &given, found)
    }

    /// A template without decorators takes any.
    fn decorators(self, template: &'t [Expr], source: &'m [Expr], found: &mut Match<'m>) -> bool {
        if !template.is_empty() && !self.list(&exprs(template), &exprs(source), found) {
            return false;
        }
        let mut at = 0;
        for wanted in template {
            if let Some(name) = many(Node::Expr(wanted)) {
                at += found.values.get(name).map_or(0, |value| value.nodes().len());
                continue;
            }
            let given = Node::Expr(&source[at]);
            let line = self.module.lines.line_start(given.span().start);
            let before = Span::new(line, given.span().start).of(self.module.text());
            let sign = line + offset(before.rfind('@').unwrap_or(before.len()));
            let header = Span::new(sign, given.span().end);
            let place = Place::Header {
                node: given,
                header,
                whole: header,
            };
            found.places.insert(self.side.line_of(Node::Expr(wanted)), place);
            at += 1;
        }
        true
    }

    fn parts(self, template: Node<'t>, source: Node<'m>, found: &mut Match<'m>) -> bool {
        let (mut wanted, mut given): (Vec<Part<'t>>, Vec<Part<'m>>) = (Vec::new(), Vec::new());
        template.parts(&mut wanted);
        source.parts(&mut given);
        self.part_lists(&wanted, &given, found)
    }

    fn part_lists(self, wanted: &[Part<'t>], given: &[Part<'m>], found: &mut Match<'m>) -> bool {
        wanted.len() == given.len()
            && wanted
                .iter()
                .zip(given)
                .all(|(wanted, given)| self.part(wanted, given, found))
    }

    fn part(self, wanted: &Part<'t>, given: &Part<'m>, found: &mut Match<'m>) -> bool {
        match (wanted, given) {
            (Part::Word(Some(wanted)), Part::Word(Some(given))) => identifier(wanted, given, found),
            (Part::Word(wanted), Part::Word(given)) => wanted == given,
            (Part::Constant(wanted), Part::Constant(given)) => wanted == given,
            (Part::Op(wanted), Part::Op(given)) => wanted == given,
            (Part::Child(Some(wanted)), Part::Child(Some(given))) => self.node(*wanted, *given, found),
            (Part::Child(None), Part::Child(None)) => true,
            (Part::Children(wanted), Part::Children(given)) => self.list(wanted, given, found),
            _ => false,
        }
    }

    fn list(self, wanted: &[Node<'t>], given: &[Node<'m>], found: &mut Match<'m>) -> bool {
        match self.sequence(wanted, given, true, std::mem::take(found)) {
            Some((better, _)) => {
                *found = better;
                true
            }
            None => false,
        }
    }
}

fn identifier<'m>(template: &str, source: &'m str, found: &mut Match<'m>) -> bool {
    match meta(template) {
        Some(Meta::One(name)) => found.bind(name, Value::Word(source)),
        _ => template == source,
    }
}

fn many(node: Node<'_>) -> Option<&str> {
    match meta_of(node) {
        Some(Meta::Many(name)) => Some(name),
        _ => None,
    }
}

fn keyword_named(wanted: &ast::Keyword, given: &ast::Keyword) -> bool {
    match (&wanted.arg, &given.arg) {
        (Some(wanted), Some(given)) => meta(wanted).is_some() || wanted == given,
        (wanted, given) => wanted.is_none() && given.is_none(),
    }
}

fn exprs(list: &[Expr]) -> Vec<Node<'_>> {
    list.iter().map(Node::Expr).collect()
}

fn statements(block: &[Stmt]) -> Vec<Node<'_>> {
    block.iter().map(Node::Stmt).collect()
}

/// Bases and keywords of a class, which `$$bases` takes together.
fn class_arguments(class: &ast::StmtClassDef) -> Vec<Node<'_>> {
    class
        .bases
        .iter()
        .map(Node::Expr)
        .chain(class.keywords.iter().map(Node::Keyword))
        .collect()
}

fn compound(statement: &Stmt) -> bool {
    !Node::Stmt(statement).blocks().is_empty()
}

fn holds_blocks(part: &Part<'_>) -> bool {
    match part {
        Part::Children(nodes) => nodes.is_empty() || matches!(nodes[0], Node::Stmt(_) | Node::Handler(_)),
        _ => false,
    }
}

fn last_handler_end(statement: &Stmt) -> Option<u32> {
    match statement {
        Stmt::Try(node) => node.handlers.last().map(|handler| Node::Handler(handler).span().end),
        _ => None,
    }
}
