//! The check: a parsed mutant must equal the original tree with all hunks substituted.
//!
//! Trees are compared by digests of their code, places left out. Only the smallest definitions that
//! hold all edits are parsed again.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::render::{Rendered, loads};
use super::scope_rules::breaks_scope_rules;
use super::site::{At, Site, SitePart};
use super::template::{Hunk, Mark, Meta, meta, meta_of};
use super::unify::{Place, Value};
use crate::python::ast::{Constant, Expr, Stmt};
use crate::python::parse::{header_end, parse_expression, parse_suite};
use crate::python::span::offset;
use crate::python::{Module, Node, Part, Sink, Span};

/// The statements of the mutant that were parsed again, and where they stand in it.
pub(super) struct Checked {
    units: Vec<Unit>,
}

struct Unit {
    body: Vec<Stmt>,
    /// Offset in the mutant of the parsed text's first byte (may be before the text's start).
    shift: i64,
}

/// `None` if the mutant is not what the page says it should be.
pub(super) fn check(module: &Module, site: &Site<'_, '_>, rendered: &Rendered, mutant: &str) -> Option<Checked> {
    let mut units = Vec::new();
    for owner in owners(module, site) {
        let (old, expected, is_module) = match owner {
            Some(definition) => {
                let start = module.lines.line_start(module.statement_start(definition));
                let span = Span::new(start, Node::Stmt(definition).span().end);
                (span, digest_of(site, |digest| digest.statement(definition)), false)
            }
            None => {
                let span = Span::new(0, offset(module.text().len()));
                (
                    span,
                    digest_of(site, |digest| digest.module(&module.body, &site.imports, module)),
                    true,
                )
            }
        };
        let new = moved(rendered, old, is_module);
        let indented = !is_module && mutant[new.start as usize..].starts_with([' ', '\t', '\x0c']);
        let prefix = if indented { "if 1:\n" } else { "" };
        let body = parse_suite(&format!("{prefix}{}", new.of(mutant))).ok()?;
        let body = if indented { unwrap_if(body)? } else { body };
        let mut found = Digest::new(None);
        found.list(&body.iter().map(Node::Stmt).collect::<Vec<_>>());
        if found.hasher.finish() != expected || breaks_scope_rules(&body, owner.is_some()) {
            return None;
        }
        units.push(Unit {
            body,
            shift: i64::from(new.start) - i64::from(offset(prefix.len())),
        });
    }
    Some(Checked { units })
}

impl Checked {
    /// The statement of the mutant that holds `at`; of a compound one its header.
    pub(super) fn region_at(&self, mutant: &str, at: u32) -> Option<Span> {
        self.units.iter().find_map(|unit| {
            let inner = u32::try_from(i64::from(at) - unit.shift).ok()?;
            let region = innermost(&unit.body, inner, mutant, unit.shift)?;
            Some(region)
        })
    }
}

fn innermost(body: &[Stmt], at: u32, mutant: &str, shift: i64) -> Option<Span> {
    let absolute = |at: u32| u32::try_from(i64::from(at) + shift).ok();
    let statements = body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants())
        .filter_map(Node::as_stmt);
    let holder = statements
        .filter(|statement| Node::Stmt(statement).span().holds(at))
        .min_by_key(|statement| Node::Stmt(statement).span().len())?;
    let span = Node::Stmt(holder).span();
    let start = absolute(span.start)?;
    let first = Node::Stmt(holder)
        .blocks()
        .first()
        .and_then(|block| block.first())
        .map(|first| Node::Stmt(first).span().start);
    let end = match first {
        Some(first) => header_end(mutant, Span::new(start, absolute(first)?)),
        None => absolute(span.end)?,
    };
    Some(Span::new(start, end))
}

fn unwrap_if(body: Vec<Stmt>) -> Option<Vec<Stmt>> {
    match body.into_iter().next()? {
        Stmt::If(node) => Some(node.body),
        _ => None,
    }
}

/// Where a stretch of the original that is edited inside, not at its ends, stands in the mutant.
fn moved(rendered: &Rendered, old: Span, from_start: bool) -> Span {
    let shift = |until: u32| -> i64 {
        let before = rendered.edits.list().iter().filter(|edit| edit.span.end <= until);
        before
            .map(|edit| i64::from(offset(edit.text.len())) - i64::from(edit.span.len()))
            .sum()
    };
    let at = |old: u32, shift: i64| u32::try_from(i64::from(old) + shift).expect("a mutant holds its units");
    let start = if from_start {
        old.start
    } else {
        at(old.start, shift(old.start))
    };
    Span::new(start, at(old.end, shift(old.end)))
}

/// The innermost definitions that hold the parts of a site, none inside another; `None` stands for
/// the whole module, where an edit lies outside every definition.
fn owners<'m>(module: &'m Module, site: &Site<'_, 'm>) -> Vec<Option<&'m Stmt>> {
    let mut owners: Vec<&'m Stmt> = Vec::new();
    for part in &site.parts {
        match owner(module, part) {
            Some(definition) => owners.push(definition),
            None => return vec![None],
        }
    }
    let inside = |inner: &Stmt, outer: &Stmt| {
        !std::ptr::eq(inner, outer) && Node::Stmt(outer).span().contains(Node::Stmt(inner).span())
    };
    let all = owners.clone();
    owners.retain(|inner| !all.iter().any(|outer| inside(inner, outer)));
    owners.sort_by_key(|definition| Node::Stmt(definition).span());
    owners.dedup_by(|a, b| std::ptr::eq(*a, *b));
    owners.into_iter().map(Some).collect()
}

fn owner<'m>(module: &'m Module, part: &SitePart<'m>) -> Option<&'m Stmt> {
    let at = part.node();
    let mut found = None;
    let mut block: &'m [Stmt] = &module.body;
    // Descends to the innermost block that holds the place, remembering the last definition passed.
    while let Some(next) = block
        .iter()
        .find(|statement| Node::Stmt(statement).span().contains(at.span()))
    {
        if at.as_stmt().is_some_and(|statement| std::ptr::eq(statement, next)) {
            break;
        }
        if matches!(
            next,
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_)
        ) {
            found = Some(next);
        }
        let inner = all_blocks(next)
            .into_iter()
            .find(|block| block.iter().any(|inner| Node::Stmt(inner).span().contains(at.span())));
        match inner {
            Some(inner) => block = inner,
            None => break,
        }
    }
    found
}

fn all_blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    let mut blocks = Node::Stmt(statement).blocks();
    for child in Node::Stmt(statement).children() {
        if matches!(child, Node::Handler(_) | Node::Case(_)) {
            blocks.extend(child.blocks());
        }
    }
    blocks
}

fn digest_of(site: &Site<'_, '_>, feed: impl FnOnce(&mut Digest<'_, '_, '_>)) -> u64 {
    let mut digest = Digest::new(Some(site));
    feed(&mut digest);
    digest.hasher.finish()
}

/// Feeds code to a hasher: plainly, or with the hunks of a site substituted.
struct Digest<'s, 't, 'm> {
    hasher: DefaultHasher,
    site: Option<&'s Site<'t, 'm>>,
    /// Parts whose after side is being fed: their own values may start where they do.
    open_parts: Vec<usize>,
}

impl<'s, 't, 'm> Digest<'s, 't, 'm> {
    fn new(site: Option<&'s Site<'t, 'm>>) -> Self {
        Self {
            hasher: DefaultHasher::new(),
            site,
            open_parts: Vec::new(),
        }
    }

    fn module(&mut self, body: &[Stmt], imports: &[String], module: &Module) {
        let point = crate::python::names::import_point(module);
        let at = body.partition_point(|statement| Node::Stmt(statement).span().start < point);
        self.list(&body[..at].iter().map(Node::Stmt).collect::<Vec<_>>());
        for name in imports {
            let import = parse_suite(&format!("import {name}\n")).unwrap_or_default();
            import.iter().for_each(|statement| self.plain(Node::Stmt(statement)));
        }
        self.list(&body[at..].iter().map(Node::Stmt).collect::<Vec<_>>());
    }

    fn statement(&mut self, statement: &Stmt) {
        self.list(&[Node::Stmt(statement)]);
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

    fn inserted_before(&mut self, node: Node<'_>) {
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
        node.kind().hash(&mut self.hasher);
        node.parts(&mut Plain(self));
    }

    fn child(&mut self, child: Option<Node<'_>>) {
        match child {
            Some(node) => self.list(&[node]),
            None => 0_u8.hash(&mut self.hasher),
        }
    }

    fn open(&mut self) {
        1_u8.hash(&mut self.hasher);
    }

    fn close(&mut self) {
        2_u8.hash(&mut self.hasher);
    }

    fn template_list(&mut self, template: &[Node<'t>], part: &SitePart<'m>) {
        for node in template {
            self.template(*node, part);
        }
    }

    fn template(&mut self, template: Node<'t>, part: &SitePart<'m>) {
        let Some(site) = self.site else { return };
        let hunk = &site.rewrite.hunks[part.hunk];
        match meta_of(template) {
            Some(Meta::One(name) | Meta::Many(name)) => return self.value(site.value(part, name)),
            Some(Meta::Substitution(index)) => return self.substitution(hunk, index, part),
            None => {}
        }
        if let (Node::Stmt(_) | Node::Handler(_), Some(source)) = (template, context_of(hunk, template, part)) {
            return self.context(template, source, part);
        }
        template.kind().hash(&mut self.hasher);
        match template {
            Node::Expr(Expr::Call(call)) => self.template_call(call, part),
            _ => template.parts(&mut Templated { digest: self, part }),
        }
    }

    fn value(&mut self, value: Option<&Value<'m>>) {
        match value {
            Some(Value::Text(text)) => {
                if let Some(expr) = parse_expression(text) {
                    self.plain(Node::Expr(&expr));
                }
            }
            Some(Value::Word(word)) => {
                "Name".hash(&mut self.hasher);
                Some(*word).hash(&mut self.hasher);
            }
            Some(value) => self.list(value.nodes()),
            None => 3_u8.hash(&mut self.hasher),
        }
    }

    /// A statement of context: its own header, the template's blocks.
    fn context(&mut self, template: Node<'t>, source: Node<'m>, part: &SitePart<'m>) {
        let (mut wanted, mut given): (Vec<Part<'t>>, Vec<Part<'m>>) = (Vec::new(), Vec::new());
        template.parts(&mut wanted);
        source.parts(&mut given);
        source.kind().hash(&mut self.hasher);
        let blocks = wanted.iter().filter_map(|part| match part {
            Part::Children(nodes)
                if nodes
                    .first()
                    .is_some_and(|node| matches!(node, Node::Stmt(_) | Node::Handler(_))) =>
            {
                Some(nodes)
            }
            _ => None,
        });
        let mut blocks = blocks.cloned().collect::<Vec<_>>().into_iter();
        for part_of_source in given {
            match part_of_source {
                Part::Children(nodes)
                    if nodes
                        .first()
                        .is_some_and(|node| matches!(node, Node::Stmt(_) | Node::Handler(_))) =>
                {
                    self.open();
                    self.template_list(&blocks.next().unwrap_or_default(), part);
                    self.close();
                }
                other => self.part(&other),
            }
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        match part {
            Part::Word(word) => word.hash(&mut self.hasher),
            Part::Constant(constant) => hash_constant(constant, &mut self.hasher),
            Part::Op(op) => op.hash(&mut self.hasher),
            Part::Child(child) => self.child(*child),
            Part::Children(nodes) => {
                self.open();
                self.list(nodes);
                self.close();
            }
        }
    }

    /// A sequence may hold keywords, which stand in a list of their own.
    fn template_call(&mut self, call: &'t crate::python::ast::ExprCall, part: &SitePart<'m>) {
        let Some(site) = self.site else { return };
        self.template(Node::Expr(&call.func), part);
        let mut keywords: Vec<Node<'m>> = Vec::new();
        self.open();
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
        self.close();
        self.open();
        self.list(&keywords);
        for keyword in &call.keywords {
            self.template(Node::Keyword(keyword), part);
        }
        self.close();
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
        node.kind().hash(&mut self.hasher);
        let mut parts: Vec<Part<'m>> = Vec::new();
        node.parts(&mut parts);
        for field in &parts {
            match field {
                Part::Child(Some(child)) => self.substituted_node(*child, inner, part),
                Part::Children(children) => {
                    self.open();
                    children
                        .iter()
                        .for_each(|child| self.substituted_node(*child, inner, part));
                    self.close();
                }
                other => self.part(other),
            }
        }
    }
}

struct Substituted<'p, 't> {
    places: &'p [Span],
    with: &'t Expr,
}

struct Plain<'d, 's, 't, 'm>(&'d mut Digest<'s, 't, 'm>);

impl<'a> Sink<'a> for Plain<'_, '_, '_, '_> {
    fn word(&mut self, word: Option<&'a str>) {
        word.hash(&mut self.0.hasher);
    }
    fn constant(&mut self, constant: &'a Constant) {
        hash_constant(constant, &mut self.0.hasher);
    }
    fn op(&mut self, op: &'static str) {
        op.hash(&mut self.0.hasher);
    }
    fn child(&mut self, child: Option<Node<'a>>) {
        self.0.child(child);
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>) {
        self.0.open();
        self.0.list(&children.collect::<Vec<_>>());
        self.0.close();
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
        value.or(word).hash(&mut self.digest.hasher);
    }
    fn constant(&mut self, constant: &'t Constant) {
        hash_constant(constant, &mut self.digest.hasher);
    }
    fn op(&mut self, op: &'static str) {
        op.hash(&mut self.digest.hasher);
    }
    fn child(&mut self, child: Option<Node<'t>>) {
        match child {
            Some(node) => self.digest.template(node, self.part),
            None => self.digest.child(None),
        }
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'t>>) {
        self.digest.open();
        self.digest.template_list(&children.collect::<Vec<_>>(), self.part);
        self.digest.close();
    }
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
