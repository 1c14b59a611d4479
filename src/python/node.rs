//! One borrowing walker over every node of a tree.
//!
//! [`Node::parts`] is the only place that knows which node has which fields. Walking, comparing,
//! matching templates and printing trees all stand on it. It replaces `rustpython_ast::Visitor`,
//! which does not descend into `with` items, keywords, comprehensions, match cases or aliases.

use rustpython_parser::ast::{
    Alias, Arg, ArgWithDefault, Arguments, BoolOp, Comprehension, Constant, ExceptHandler, Expr, Identifier, Keyword,
    MatchCase, Pattern, Ranged, Stmt, TypeParam, WithItem,
};

use super::kind::{comparison, conversion, expression_kind, operator, pattern_kind, statement_kind, unary_operator};
use super::span::Span;

/// A borrowed node of any kind.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    Stmt(&'a Stmt),
    Expr(&'a Expr),
    Handler(&'a ExceptHandler),
    Arguments(&'a Arguments),
    Parameter(&'a ArgWithDefault),
    Arg(&'a Arg),
    Keyword(&'a Keyword),
    Alias(&'a Alias),
    WithItem(&'a WithItem),
    Case(&'a MatchCase),
    Pattern(&'a Pattern),
    Comprehension(&'a Comprehension),
    TypeParam(&'a TypeParam),
}

/// One field of a node.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// An identifier; `None` where an optional one is absent.
    Word(Option<&'a str>),
    Constant(&'a Constant),
    /// An operator or another fixed choice.
    Op(&'static str),
    /// A child, or the place of an optional one.
    Child(Option<Node<'a>>),
    Children(Vec<Node<'a>>),
}

/// Takes the fields of a node, in a fixed order for each kind.
pub trait Sink<'a> {
    fn word(&mut self, _word: Option<&'a str>) {}
    fn constant(&mut self, _constant: &'a Constant) {}
    fn op(&mut self, _op: &'static str) {}
    fn child(&mut self, child: Option<Node<'a>>);
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>);
    /// The children that are the items of a list. A sink that is in a hurry takes them without a call for each.
    fn list<T>(&mut self, items: &'a [T], as_node: impl Fn(&'a T) -> Node<'a>) {
        self.children(&mut items.iter().map(as_node));
    }
}

impl<'a> Sink<'a> for Vec<Part<'a>> {
    fn word(&mut self, word: Option<&'a str>) {
        self.push(Part::Word(word));
    }
    fn constant(&mut self, constant: &'a Constant) {
        self.push(Part::Constant(constant));
    }
    fn op(&mut self, op: &'static str) {
        self.push(Part::Op(op));
    }
    fn child(&mut self, child: Option<Node<'a>>) {
        self.push(Part::Child(child));
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>) {
        self.push(Part::Children(children.collect()));
    }
}

struct Children<'s, 'a>(&'s mut Vec<Node<'a>>);

impl<'a> Sink<'a> for Children<'_, 'a> {
    fn child(&mut self, child: Option<Node<'a>>) {
        self.0.extend(child);
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>) {
        self.0.extend(children);
    }
    fn list<T>(&mut self, items: &'a [T], as_node: impl Fn(&'a T) -> Node<'a>) {
        self.0.extend(items.iter().map(as_node));
    }
}

struct Each<F>(F);

impl<'a, F: FnMut(Node<'a>)> Sink<'a> for Each<F> {
    fn child(&mut self, child: Option<Node<'a>>) {
        child.into_iter().for_each(&mut self.0);
    }
    fn children(&mut self, children: &mut dyn Iterator<Item = Node<'a>>) {
        children.for_each(&mut self.0);
    }
}

/// Every node below `body`, parents before children, siblings in the order of their fields.
pub fn walk(body: &[Stmt]) -> Walk<'_> {
    Walk {
        stack: body.iter().rev().map(Node::Stmt).collect(),
        fresh: Vec::new(),
    }
}

/// The iterator behind [`walk`] and [`Node::descendants`]. It keeps its own stack, so that depth
/// costs memory, not the thread's stack.
pub struct Walk<'a> {
    stack: Vec<Node<'a>>,
    fresh: Vec<Node<'a>>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let node = self.stack.pop()?;
        node.parts(&mut Children(&mut self.fresh));
        self.stack.extend(self.fresh.drain(..).rev());
        Some(node)
    }
}

/// How many nodes the longest way from the root to a leaf has.
pub(super) fn depth_of(body: &[Stmt]) -> usize {
    let mut stack: Vec<(Node<'_>, usize)> = body.iter().map(|statement| (Node::Stmt(statement), 1)).collect();
    let (mut deepest, mut fresh) = (0, Vec::new());
    while let Some((node, depth)) = stack.pop() {
        deepest = deepest.max(depth);
        node.parts(&mut Children(&mut fresh));
        stack.extend(fresh.drain(..).map(|child| (child, depth + 1)));
    }
    deepest
}

impl<'a> Node<'a> {
    /// This node and all below it, as [`walk`] orders them.
    pub fn descendants(self) -> Walk<'a> {
        Walk {
            stack: vec![self],
            fresh: Vec::new(),
        }
    }

    /// The direct children, in the order of the fields.
    pub fn children(self) -> Vec<Node<'a>> {
        let mut children = Vec::new();
        self.parts(&mut Children(&mut children));
        children
    }

    /// The same, one after the other.
    pub fn for_each_child(self, see: impl FnMut(Node<'a>)) {
        self.parts(&mut Each(see));
    }

    pub fn as_expr(self) -> Option<&'a Expr> {
        match self {
            Node::Expr(expr) => Some(expr),
            _ => None,
        }
    }

    pub fn as_stmt(self) -> Option<&'a Stmt> {
        match self {
            Node::Stmt(statement) => Some(statement),
            _ => None,
        }
    }

    pub fn span(self) -> Span {
        match self {
            Node::Stmt(node) => node.range(),
            Node::Expr(node) => node.range(),
            Node::Handler(node) => node.range(),
            Node::Arguments(node) => node.range(),
            Node::Parameter(node) => node.range(),
            Node::Arg(node) => node.range(),
            Node::Keyword(node) => node.range(),
            Node::Alias(node) => node.range(),
            Node::WithItem(node) => node.range(),
            Node::Case(node) => node.range(),
            Node::Pattern(node) => node.range(),
            Node::Comprehension(node) => node.range(),
            Node::TypeParam(node) => node.range(),
        }
        .into()
    }

    /// The name CPython's `ast` gives the node's class.
    pub fn kind(self) -> &'static str {
        match self {
            Node::Stmt(node) => statement_kind(node),
            Node::Expr(node) => expression_kind(node),
            Node::Pattern(node) => pattern_kind(node),
            Node::Handler(_) => "ExceptHandler",
            Node::Arguments(_) => "arguments",
            Node::Parameter(_) => "parameter",
            Node::Arg(_) => "arg",
            Node::Keyword(_) => "keyword",
            Node::Alias(_) => "alias",
            Node::WithItem(_) => "withitem",
            Node::Case(_) => "match_case",
            Node::Comprehension(_) => "comprehension",
            Node::TypeParam(TypeParam::TypeVar(_)) => "TypeVar",
            Node::TypeParam(TypeParam::ParamSpec(_)) => "ParamSpec",
            Node::TypeParam(TypeParam::TypeVarTuple(_)) => "TypeVarTuple",
        }
    }

    /// Hands every field to `sink`.
    pub fn parts(self, sink: &mut impl Sink<'a>) {
        match self {
            Node::Stmt(node) => statement_parts(node, sink),
            Node::Expr(node) => expression_parts(node, sink),
            Node::Pattern(node) => pattern_parts(node, sink),
            Node::Handler(ExceptHandler::ExceptHandler(node)) => {
                sink.child(boxed(node.type_.as_deref()));
                sink.word(word(node.name.as_ref()));
                block(sink, &node.body);
            }
            Node::Arguments(node) => {
                sink.list(&node.posonlyargs, Node::Parameter);
                sink.list(&node.args, Node::Parameter);
                sink.child(node.vararg.as_deref().map(Node::Arg));
                sink.list(&node.kwonlyargs, Node::Parameter);
                sink.child(node.kwarg.as_deref().map(Node::Arg));
            }
            Node::Parameter(node) => {
                sink.child(Some(Node::Arg(&node.def)));
                sink.child(boxed(node.default.as_deref()));
            }
            Node::Arg(node) => {
                sink.word(Some(&node.arg));
                sink.child(boxed(node.annotation.as_deref()));
            }
            Node::Keyword(node) => {
                sink.word(word(node.arg.as_ref()));
                sink.child(Some(Node::Expr(&node.value)));
            }
            Node::Alias(node) => {
                sink.word(Some(&node.name));
                sink.word(word(node.asname.as_ref()));
            }
            Node::WithItem(node) => {
                sink.child(Some(Node::Expr(&node.context_expr)));
                sink.child(boxed(node.optional_vars.as_deref()));
            }
            Node::Case(node) => {
                sink.child(Some(Node::Pattern(&node.pattern)));
                sink.child(boxed(node.guard.as_deref()));
                block(sink, &node.body);
            }
            Node::Comprehension(node) => {
                sink.op(if node.is_async { "async" } else { "" });
                sink.child(Some(Node::Expr(&node.target)));
                sink.child(Some(Node::Expr(&node.iter)));
                sink.list(&node.ifs, Node::Expr);
            }
            Node::TypeParam(TypeParam::TypeVar(node)) => {
                sink.word(Some(&node.name));
                sink.child(boxed(node.bound.as_deref()));
            }
            Node::TypeParam(TypeParam::ParamSpec(node)) => sink.word(Some(&node.name)),
            Node::TypeParam(TypeParam::TypeVarTuple(node)) => sink.word(Some(&node.name)),
        }
    }
}

fn boxed(expr: Option<&Expr>) -> Option<Node<'_>> {
    expr.map(Node::Expr)
}

fn word(identifier: Option<&Identifier>) -> Option<&str> {
    identifier.map(Identifier::as_str)
}

fn block<'a>(sink: &mut impl Sink<'a>, body: &'a [Stmt]) {
    sink.list(body, Node::Stmt);
}

fn exprs<'a>(sink: &mut impl Sink<'a>, list: &'a [Expr]) {
    sink.list(list, Node::Expr);
}

fn one<'a>(sink: &mut impl Sink<'a>, expr: &'a Expr) {
    sink.child(Some(Node::Expr(expr)));
}

/// The fields of `def` and `async def`, which share no type.
macro_rules! function_parts {
    ($node:expr, $sink:expr) => {{
        exprs($sink, &$node.decorator_list);
        $sink.word(Some(&$node.name));
        $sink.list(&$node.type_params, Node::TypeParam);
        $sink.child(Some(Node::Arguments(&$node.args)));
        $sink.child(boxed($node.returns.as_deref()));
        block($sink, &$node.body);
    }};
}

macro_rules! for_parts {
    ($node:expr, $sink:expr) => {{
        one($sink, &$node.target);
        one($sink, &$node.iter);
        block($sink, &$node.body);
        block($sink, &$node.orelse);
    }};
}

macro_rules! with_parts {
    ($node:expr, $sink:expr) => {{
        $sink.list(&$node.items, Node::WithItem);
        block($sink, &$node.body);
    }};
}

macro_rules! try_parts {
    ($node:expr, $sink:expr) => {{
        block($sink, &$node.body);
        $sink.list(&$node.handlers, Node::Handler);
        block($sink, &$node.orelse);
        block($sink, &$node.finalbody);
    }};
}

macro_rules! comprehension_parts {
    ($node:expr, $sink:expr) => {{
        one($sink, &$node.elt);
        $sink.list(&$node.generators, Node::Comprehension);
    }};
}

fn statement_parts<'a>(statement: &'a Stmt, sink: &mut impl Sink<'a>) {
    match statement {
        Stmt::FunctionDef(node) => function_parts!(node, sink),
        Stmt::AsyncFunctionDef(node) => function_parts!(node, sink),
        Stmt::ClassDef(node) => {
            exprs(sink, &node.decorator_list);
            sink.word(Some(&node.name));
            sink.list(&node.type_params, Node::TypeParam);
            exprs(sink, &node.bases);
            sink.list(&node.keywords, Node::Keyword);
            block(sink, &node.body);
        }
        Stmt::For(node) => for_parts!(node, sink),
        Stmt::AsyncFor(node) => for_parts!(node, sink),
        Stmt::While(node) => {
            one(sink, &node.test);
            block(sink, &node.body);
            block(sink, &node.orelse);
        }
        Stmt::If(node) => {
            one(sink, &node.test);
            block(sink, &node.body);
            block(sink, &node.orelse);
        }
        Stmt::With(node) => with_parts!(node, sink),
        Stmt::AsyncWith(node) => with_parts!(node, sink),
        Stmt::Try(node) => try_parts!(node, sink),
        Stmt::TryStar(node) => try_parts!(node, sink),
        Stmt::Match(node) => {
            one(sink, &node.subject);
            sink.list(&node.cases, Node::Case);
        }
        simple => simple_statement_parts(simple, sink),
    }
}

fn simple_statement_parts<'a>(statement: &'a Stmt, sink: &mut impl Sink<'a>) {
    match statement {
        Stmt::Return(node) => sink.child(boxed(node.value.as_deref())),
        Stmt::Delete(node) => exprs(sink, &node.targets),
        Stmt::Assign(node) => {
            exprs(sink, &node.targets);
            one(sink, &node.value);
        }
        Stmt::TypeAlias(node) => {
            one(sink, &node.name);
            sink.list(&node.type_params, Node::TypeParam);
            one(sink, &node.value);
        }
        Stmt::AugAssign(node) => {
            one(sink, &node.target);
            sink.op(operator(node.op));
            one(sink, &node.value);
        }
        Stmt::AnnAssign(node) => {
            sink.op(if node.simple { "simple" } else { "" });
            one(sink, &node.target);
            one(sink, &node.annotation);
            sink.child(boxed(node.value.as_deref()));
        }
        Stmt::Raise(node) => {
            sink.child(boxed(node.exc.as_deref()));
            sink.child(boxed(node.cause.as_deref()));
        }
        Stmt::Assert(node) => {
            one(sink, &node.test);
            sink.child(boxed(node.msg.as_deref()));
        }
        Stmt::Import(node) => sink.list(&node.names, Node::Alias),
        Stmt::ImportFrom(node) => {
            let level = node.level.map_or(0, |level| level.to_usize());
            sink.op(["", ".", "..", "...", "....", "....."]
                .get(level)
                .copied()
                .unwrap_or("......"));
            sink.word(word(node.module.as_ref()));
            sink.list(&node.names, Node::Alias);
        }
        Stmt::Global(node) => node.names.iter().for_each(|name| sink.word(Some(name))),
        Stmt::Nonlocal(node) => node.names.iter().for_each(|name| sink.word(Some(name))),
        Stmt::Expr(node) => one(sink, &node.value),
        _ => {}
    }
}

fn expression_parts<'a>(expr: &'a Expr, sink: &mut impl Sink<'a>) {
    match expr {
        Expr::BoolOp(node) => {
            sink.op(if node.op == BoolOp::And { "and" } else { "or" });
            exprs(sink, &node.values);
        }
        Expr::NamedExpr(node) => {
            one(sink, &node.target);
            one(sink, &node.value);
        }
        Expr::BinOp(node) => {
            one(sink, &node.left);
            sink.op(operator(node.op));
            one(sink, &node.right);
        }
        Expr::UnaryOp(node) => {
            sink.op(unary_operator(node.op));
            one(sink, &node.operand);
        }
        Expr::Lambda(node) => {
            sink.child(Some(Node::Arguments(&node.args)));
            one(sink, &node.body);
        }
        Expr::IfExp(node) => {
            one(sink, &node.body);
            one(sink, &node.test);
            one(sink, &node.orelse);
        }
        Expr::Dict(node) => {
            for (key, value) in node.keys.iter().zip(&node.values) {
                sink.child(key.as_ref().map(Node::Expr));
                one(sink, value);
            }
        }
        Expr::Set(node) => exprs(sink, &node.elts),
        Expr::ListComp(node) => comprehension_parts!(node, sink),
        Expr::SetComp(node) => comprehension_parts!(node, sink),
        Expr::GeneratorExp(node) => comprehension_parts!(node, sink),
        Expr::DictComp(node) => {
            one(sink, &node.key);
            one(sink, &node.value);
            sink.list(&node.generators, Node::Comprehension);
        }
        Expr::Compare(node) => {
            one(sink, &node.left);
            node.ops.iter().for_each(|op| sink.op(comparison(*op)));
            exprs(sink, &node.comparators);
        }
        Expr::Call(node) => {
            one(sink, &node.func);
            exprs(sink, &node.args);
            sink.list(&node.keywords, Node::Keyword);
        }
        simple => leaf_parts(simple, sink),
    }
}

fn leaf_parts<'a>(expr: &'a Expr, sink: &mut impl Sink<'a>) {
    match expr {
        Expr::Await(node) => one(sink, &node.value),
        Expr::Yield(node) => sink.child(boxed(node.value.as_deref())),
        Expr::YieldFrom(node) => one(sink, &node.value),
        Expr::FormattedValue(node) => {
            one(sink, &node.value);
            sink.op(conversion(node.conversion.to_char()));
            sink.child(boxed(node.format_spec.as_deref()));
        }
        Expr::JoinedStr(node) => exprs(sink, &node.values),
        Expr::Constant(node) => {
            sink.constant(&node.value);
            sink.word(node.kind.as_deref());
        }
        Expr::Attribute(node) => {
            one(sink, &node.value);
            sink.word(Some(&node.attr));
        }
        Expr::Subscript(node) => {
            one(sink, &node.value);
            one(sink, &node.slice);
        }
        Expr::Starred(node) => one(sink, &node.value),
        Expr::Name(node) => sink.word(Some(&node.id)),
        Expr::List(node) => exprs(sink, &node.elts),
        Expr::Tuple(node) => exprs(sink, &node.elts),
        Expr::Slice(node) => {
            sink.child(boxed(node.lower.as_deref()));
            sink.child(boxed(node.upper.as_deref()));
            sink.child(boxed(node.step.as_deref()));
        }
        _ => {}
    }
}

fn pattern_parts<'a>(pattern: &'a Pattern, sink: &mut impl Sink<'a>) {
    match pattern {
        Pattern::MatchValue(node) => one(sink, &node.value),
        Pattern::MatchSingleton(node) => sink.constant(&node.value),
        Pattern::MatchSequence(node) => sink.list(&node.patterns, Node::Pattern),
        Pattern::MatchMapping(node) => {
            exprs(sink, &node.keys);
            sink.list(&node.patterns, Node::Pattern);
            sink.word(word(node.rest.as_ref()));
        }
        Pattern::MatchClass(node) => {
            one(sink, &node.cls);
            sink.list(&node.patterns, Node::Pattern);
            node.kwd_attrs.iter().for_each(|attr| sink.word(Some(attr)));
            sink.list(&node.kwd_patterns, Node::Pattern);
        }
        Pattern::MatchStar(node) => sink.word(word(node.name.as_ref())),
        Pattern::MatchAs(node) => {
            sink.child(node.pattern.as_deref().map(Node::Pattern));
            sink.word(word(node.name.as_ref()));
        }
        Pattern::MatchOr(node) => sink.list(&node.patterns, Node::Pattern),
    }
}

impl<'a> Node<'a> {
    /// The statement blocks that belong to this node itself: body, handlers excluded, else, finally.
    pub fn blocks(self) -> Vec<&'a [Stmt]> {
        match self {
            Node::Stmt(statement) => statement_blocks(statement),
            Node::Handler(ExceptHandler::ExceptHandler(node)) => vec![&node.body],
            Node::Case(node) => vec![&node.body],
            _ => Vec::new(),
        }
    }

    /// Whether the two are the same code, wherever they stand.
    pub fn same_code(self, other: Node<'_>) -> bool {
        let (mut left, mut right): (Vec<Part<'_>>, Vec<Part<'_>>) = (Vec::new(), Vec::new());
        self.parts(&mut left);
        other.parts(&mut right);
        self.kind() == other.kind()
            && left.len() == right.len()
            && left.iter().zip(&right).all(|(a, b)| same_part(a, b))
    }
}

fn same_part(left: &Part<'_>, right: &Part<'_>) -> bool {
    match (left, right) {
        (Part::Word(a), Part::Word(b)) => a == b,
        (Part::Constant(a), Part::Constant(b)) => a == b,
        (Part::Op(a), Part::Op(b)) => a == b,
        (Part::Child(None), Part::Child(None)) => true,
        (Part::Child(Some(a)), Part::Child(Some(b))) => a.same_code(*b),
        (Part::Children(a), Part::Children(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_code(*b)),
        _ => false,
    }
}

fn statement_blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::FunctionDef(node) => vec![&node.body],
        Stmt::AsyncFunctionDef(node) => vec![&node.body],
        Stmt::ClassDef(node) => vec![&node.body],
        Stmt::With(node) => vec![&node.body],
        Stmt::AsyncWith(node) => vec![&node.body],
        Stmt::If(node) => vec![&node.body, &node.orelse],
        Stmt::While(node) => vec![&node.body, &node.orelse],
        Stmt::For(node) => vec![&node.body, &node.orelse],
        Stmt::AsyncFor(node) => vec![&node.body, &node.orelse],
        Stmt::Try(node) => vec![&node.body, &node.orelse, &node.finalbody],
        Stmt::TryStar(node) => vec![&node.body, &node.orelse, &node.finalbody],
        _ => Vec::new(),
    }
}
