//! Digests of code, places left out: of a tree as it is, or with the hunks of a site substituted.
//!
//! A block that a rewrite empties is no Python. What it becomes is decided here for the check, and in
//! `emptied` for the text; both must come to the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::output::loads;
use super::site::{At, Site, SitePart};
use super::template::{Hunk, Mark, Meta, meta, meta_of};
use super::unify::{Place, Value};
use crate::python::ast::{Constant, Expr, ExprCall, Stmt};
use crate::python::names::import_point;
use crate::python::parse::{parse_expression, parse_suite};
use crate::python::{Module, Node, Part, Sink, Span};

/// The digest of what `feed` feeds, with the hunks of the site substituted.
pub(super) fn digest_of(site: &Site<'_, '_>, feed: impl FnOnce(&mut Digest<'_, '_, '_>)) -> u64 {
    let mut digest = Digest::new(Some(site));
    feed(&mut digest);
    hash_of(&digest.items)
}

/// The digest of code as it stands.
pub(super) fn plain_digest(body: &[Stmt]) -> u64 {
    let mut digest = Digest::new(None);
    digest.list(&statements(body));
    hash_of(&digest.items)
}

fn statements(body: &[Stmt]) -> Vec<Node<'_>> {
    body.iter().map(Node::Stmt).collect()
}

/// The digest of a node or a field of one, or of a list of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    One(u64),
    List(Vec<Item>),
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Digests code: plainly, or with the hunks of a site substituted.
pub(super) struct Digest<'s, 't, 'm> {
    /// What the node or list that is being fed consists of so far.
    items: Vec<Item>,
    site: Option<&'s Site<'t, 'm>>,
    /// Parts whose after side is being fed: their own values may start where they do.
    open_parts: Vec<usize>,
}

impl<'s, 't, 'm> Digest<'s, 't, 'm> {
    fn new(site: Option<&'s Site<'t, 'm>>) -> Self {
        Self {
            items: Vec::new(),
            site,
            open_parts: Vec::new(),
        }
    }

    pub(super) fn module(&mut self, body: &[Stmt], imports: &[String], module: &Module) {
        let point = import_point(module);
        let at = body.partition_point(|statement| Node::Stmt(statement).span().start < point);
        self.list(&statements(&body[..at]));
        for name in imports {
            let import = parse_suite(&format!("import {name}\n")).unwrap_or_default();
            self.list(&statements(&import));
        }
        self.list(&statements(&body[at..]));
    }

    /// A statement without what is put in front of it.
    pub(super) fn statement(&mut self, statement: &Stmt) {
        let node = Node::Stmt(statement);
        if self.substituted(node).is_none() {
            self.plain(node);
        }
    }

    /// Nodes in a row; a hunk may take several of them.
    fn list(&mut self, nodes: &[Node<'_>]) {
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            self.inserted_before(*node);
            at += self.substituted(*node).unwrap_or_else(|| {
                self.plain(*node);
                1
            });
        }
    }

    /// What hunks of new lines alone put in front of a statement.
    pub(super) fn inserted_before(&mut self, node: Node<'_>) {
        let Some(site) = self.site else { return };
        let here = |part: &&SitePart<'m>| matches!((part.at, node), (At::Before(at), Node::Stmt(statement)) if std::ptr::eq(at, statement));
        for part in site.parts.iter().filter(here) {
            let template: Vec<Node<'t>> = site.rewrite.hunks[part.hunk]
                .after
                .body
                .iter()
                .map(Node::Stmt)
                .collect();
            self.template_list(&template, part);
        }
    }

    /// Feeds the after side of a hunk that matched here, and says how many nodes it took.
    fn substituted(&mut self, node: Node<'_>) -> Option<usize> {
        let site = self.site?;
        let index = site.parts.iter().position(|part| match (part.at, node) {
            (At::Statements(block), Node::Stmt(statement)) => std::ptr::eq(&raw const block[0], statement),
            (At::Expression(expr), Node::Expr(other)) => std::ptr::eq(expr, other),
            _ => false,
        })?;
        if self.open_parts.contains(&index) {
            return None;
        }
        let part = &site.parts[index];
        self.open_parts.push(index);
        let taken = self.after_side(part);
        self.open_parts.pop();
        taken
    }

    fn after_side(&mut self, part: &SitePart<'m>) -> Option<usize> {
        let site = self.site?;
        let after = &site.rewrite.hunks[part.hunk].after.body;
        match (part.at, &after[..]) {
            (At::Expression(_), [Stmt::Expr(expr)]) => {
                self.template(Node::Expr(&expr.value), part);
                Some(1)
            }
            (At::Statements(block), _) => {
                let template: Vec<Node<'t>> = after.iter().map(Node::Stmt).collect();
                self.template_list(&template, part);
                Some(block.len())
            }
            _ => None,
        }
    }

    fn plain(&mut self, node: Node<'_>) {
        let start = self.items.len();
        node.parts(&mut Plain(self));
        self.close_node(start, node.kind());
    }

    /// All items from `start` on become one node; what a rewrite has emptied becomes less.
    fn close_node(&mut self, start: usize, kind: &str) {
        let fields = self.items.split_off(start);
        let is_empty = |at: usize| fields.get(at).is_some_and(|field| *field == Item::List(Vec::new()));
        match (kind, &fields[..]) {
            ("If", [_, ..]) if is_empty(1) && is_empty(2) => {}
            ("Try", [Item::List(body), ..]) if is_empty(1) && is_empty(2) && is_empty(3) => {
                self.items.extend(body.iter().cloned());
            }
            ("FunctionDef" | "AsyncFunctionDef", _) if fields.last() == Some(&Item::List(Vec::new())) => {
                self.items.push(Item::One(hash_of(&(kind, with_pass(fields)))));
            }
            _ => self.items.push(Item::One(hash_of(&(kind, fields)))),
        }
    }

    fn word(&mut self, word: Option<&str>) {
        self.items.push(Item::One(hash_of(&word)));
    }

    fn constant(&mut self, constant: &Constant) {
        let mut hasher = DefaultHasher::new();
        hash_constant(constant, &mut hasher);
        self.items.push(Item::One(hasher.finish()));
    }

    fn child(&mut self, child: Option<Node<'_>>) {
        match child {
            Some(node) => self.list(&[node]),
            None => self.items.push(Item::One(0)),
        }
    }

    /// All items from `start` on become one list.
    fn close_list(&mut self, start: usize) {
        let list = self.items.split_off(start);
        self.items.push(Item::List(list));
    }

    fn template_list(&mut self, template: &[Node<'t>], part: &SitePart<'m>) {
        for node in template {
            self.template(*node, part);
        }
    }

    fn template(&mut self, template: Node<'t>, part: &SitePart<'m>) {
        let Some(site) = self.site else { return };
        let hunk = &site.rewrite.hunks[part.hunk];
        // An expression alone on a line is a statement there.
        let stands_alone = |name: &str| {
            let value = site.value(part, name);
            matches!(template, Node::Stmt(_)) && value.is_some_and(|value| value.expr().is_some())
        };
        match meta_of(template) {
            Some(Meta::One(name)) if stands_alone(name) => {}
            Some(Meta::One(name) | Meta::Many(name)) => return self.value(site.value(part, name)),
            Some(Meta::Substitution(index)) => return self.substitution(hunk, index, part),
            None => {}
        }
        if let (Node::Stmt(_) | Node::Handler(_), Some(source)) = (template, context_of(hunk, template, part)) {
            return self.context(template, source, part);
        }
        let start = self.items.len();
        match template {
            Node::Expr(Expr::Call(call)) => self.template_call(call, part),
            _ => template.parts(&mut Templated { digest: self, part }),
        }
        self.close_node(start, template.kind());
    }

    fn value(&mut self, value: Option<&Value<'m>>) {
        match value {
            Some(Value::Text(text)) => {
                if let Some(expr) = parse_expression(text) {
                    self.plain(Node::Expr(&expr));
                }
            }
            Some(Value::Word(word)) => {
                let start = self.items.len();
                self.word(Some(word));
                self.close_node(start, "Name");
            }
            Some(value) => self.list(value.nodes()),
            None => self.items.push(Item::One(1)),
        }
    }

    /// A statement of context: its own header, the template's blocks.
    fn context(&mut self, template: Node<'t>, source: Node<'m>, part: &SitePart<'m>) {
        let (mut wanted, mut given): (Vec<Part<'t>>, Vec<Part<'m>>) = (Vec::new(), Vec::new());
        template.parts(&mut wanted);
        source.parts(&mut given);
        let start = self.items.len();
        for (at, given) in given.iter().enumerate() {
            match wanted.get(at) {
                Some(Part::Children(nodes)) if is_the_templates(template, at, nodes) => {
                    let start = self.items.len();
                    self.template_list(nodes, part);
                    self.close_list(start);
                }
                _ => self.part(given),
            }
        }
        self.close_node(start, source.kind());
    }

    fn part(&mut self, part: &Part<'_>) {
        match part {
            Part::Word(word) => self.word(*word),
            Part::Constant(constant) => self.constant(constant),
            Part::Op(op) => self.word(Some(op)),
            Part::Child(child) => self.child(*child),
            Part::Children(nodes) => {
                let start = self.items.len();
                self.list(nodes);
                self.close_list(start);
            }
        }
    }

    /// A sequence may hold keywords, which stand in a list of their own.
    fn template_call(&mut self, call: &'t ExprCall, part: &SitePart<'m>) {
        let Some(site) = self.site else { return };
        self.template(Node::Expr(&call.func), part);
        let mut keywords: Vec<Node<'m>> = Vec::new();
        let start = self.items.len();
        for arg in &call.args {
            match meta_of(Node::Expr(arg)) {
                Some(Meta::Many(name)) => {
                    let nodes = site.value(part, name).map_or(&[][..], Value::nodes);
                    let (own, positional): (Vec<_>, Vec<_>) =
                        nodes.iter().partition(|node| matches!(node, Node::Keyword(_)));
                    keywords.extend(own);
                    self.list(&positional);
                }
                _ => self.template(Node::Expr(arg), part),
            }
        }
        self.close_list(start);
        let start = self.items.len();
        self.list(&keywords);
        for keyword in &call.keywords {
            self.template(Node::Keyword(keyword), part);
        }
        self.close_list(start);
    }

    fn substitution(&mut self, hunk: &'t Hunk, index: usize, part: &SitePart<'m>) {
        let Some(site) = self.site else { return };
        let substitution = &hunk.substitutions[index];
        let (Some(subject), Some(target)) = (
            site.value(part, &substitution.subject),
            site.value(part, &substitution.target),
        ) else {
            return;
        };
        let places = loads(subject.nodes(), target);
        let inner = Substituted {
            places: &places,
            with: &substitution.with,
        };
        for node in subject.nodes() {
            self.substituted_node(*node, &inner, part);
        }
    }

    fn substituted_node(&mut self, node: Node<'m>, inner: &Substituted<'_, 't>, part: &SitePart<'m>) {
        if matches!(node, Node::Expr(_)) && inner.places.contains(&node.span()) {
            return self.template(Node::Expr(inner.with), part);
        }
        let mut parts: Vec<Part<'m>> = Vec::new();
        node.parts(&mut parts);
        let start = self.items.len();
        for field in &parts {
            match field {
                Part::Child(Some(child)) => self.substituted_node(*child, inner, part),
                Part::Children(children) => {
                    let start = self.items.len();
                    for child in children {
                        self.substituted_node(*child, inner, part);
                    }
                    self.close_list(start);
                }
                other => self.part(other),
            }
        }
        self.close_node(start, node.kind());
    }
}

struct Substituted<'p, 't> {
    places: &'p [Span],
    with: &'t Expr,
}

struct Plain<'d, 's, 't, 'm>(&'d mut Digest<'s, 't, 'm>);

impl<'a> Sink<'a> for Plain<'_, '_, '_, '_> {
    fn word(&mut self, word: Option<&'a str>) {
        self.0.word(word);
    }
    fn constant(&mut self, constant: &'a Constant) {
        self.0.constant(constant);
    }
    fn op(&mut self, op: &'static str) {
        self.0.word(Some(op));
    }
    fn child(&mut self, child: Option<Node<'a>>) {
        self.0.child(child);
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>) {
        let start = self.0.items.len();
        self.0.list(&children.collect::<Vec<_>>());
        self.0.close_list(start);
    }
}

struct Templated<'d, 'p, 's, 't, 'm> {
    digest: &'d mut Digest<'s, 't, 'm>,
    part: &'p SitePart<'m>,
}

impl<'t> Sink<'t> for Templated<'_, '_, '_, 't, '_> {
    fn word(&mut self, word: Option<&'t str>) {
        let value = word.and_then(meta).and_then(|meta| match meta {
            Meta::One(name) => self.digest.site?.value(self.part, name)?.word(),
            _ => None,
        });
        self.digest.word(value.or(word));
    }
    fn constant(&mut self, constant: &'t Constant) {
        self.digest.constant(constant);
    }
    fn op(&mut self, op: &'static str) {
        self.digest.word(Some(op));
    }
    fn child(&mut self, child: Option<Node<'t>>) {
        match child {
            Some(node) => self.digest.template(node, self.part),
            None => self.digest.child(None),
        }
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'t>>) {
        let start = self.digest.items.len();
        self.digest.template_list(&children.collect::<Vec<_>>(), self.part);
        self.digest.close_list(start);
    }
}

/// Blocks, handlers, and decorators where the template has any.
fn is_the_templates(template: Node<'_>, at: usize, nodes: &[Node<'_>]) -> bool {
    match nodes.first() {
        Some(Node::Stmt(_) | Node::Handler(_)) => true,
        Some(_) => {
            let definition = matches!(
                template,
                Node::Stmt(Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_))
            );
            definition && at == 0
        }
        None => false,
    }
}

/// A definition whose body is empty gets the only statement that does nothing.
fn with_pass(mut fields: Vec<Item>) -> Vec<Item> {
    let pass = Item::One(hash_of(&("Pass", Vec::<Item>::new())));
    fields.pop();
    fields.push(Item::List(vec![pass]));
    fields
}

/// The source node of a template node that stands on a line of context.
fn context_of<'m>(hunk: &Hunk, template: Node<'_>, part: &SitePart<'m>) -> Option<Node<'m>> {
    let line = hunk.after.line_of(template);
    if hunk.lines[line].mark != Mark::Keep {
        return None;
    }
    match part.found.places.get(&line)? {
        Place::Statement(statement) => Some(Node::Stmt(statement)),
        Place::Header { node, .. } => Some(*node),
        Place::Block(_) => None,
    }
}

fn hash_constant(constant: &Constant, hasher: &mut DefaultHasher) {
    match constant {
        Constant::None => 10_u8.hash(hasher),
        Constant::Bool(value) => value.hash(hasher),
        Constant::Str(value) => value.hash(hasher),
        Constant::Bytes(value) => value.hash(hasher),
        Constant::Int(value) => value.hash(hasher),
        Constant::Tuple(values) => values.iter().for_each(|value| hash_constant(value, hasher)),
        Constant::Float(value) => value.to_bits().hash(hasher),
        Constant::Complex { real, imag } => (real.to_bits(), imag.to_bits()).hash(hasher),
        Constant::Ellipsis => 11_u8.hash(hasher),
    }
}
