//! Conditions on collections: what makes them grow or shrink, and whether others get hold of them.

use super::class::is_plain;
use super::{Argument, Scene, Truth};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::site::At;
use crate::mutate::unify::Value;
use crate::python::ast::{CmpOp, Constant, Expr, ExprCall, ExprContext, Operator, Stmt};
use crate::python::names::{BindingKind, ScopeKind, is_builtin};
use crate::python::{Node, ScopeId, Span};

/// Where a collection is kept.
#[derive(Clone, Copy)]
pub(super) enum Root<'a> {
    /// An attribute of the objects of a class, where it is known; of any object the name says it.
    Attribute(&'a str, Option<ScopeId>),
    /// A name, and the scope that it belongs to.
    Name(&'a str, ScopeId),
}

/// What one mention does with the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Grows,
    Shrinks,
    /// The name or attribute gets another value.
    Replaced,
    Read,
    /// Someone else has it from here on.
    Shared,
}

const GROWING: [&str; 8] = [
    "append",
    "appendleft",
    "add",
    "extend",
    "extendleft",
    "insert",
    "setdefault",
    "update",
];
const SHRINKING: [&str; 6] = ["pop", "popleft", "popitem", "clear", "remove", "discard"];
const ASKING: [&str; 13] = [
    "get",
    "keys",
    "values",
    "items",
    "index",
    "count",
    "copy",
    "sort",
    "reverse",
    "rotate",
    "move_to_end",
    "most_common",
    "maxlen",
];
/// Builtins that look at a collection and let it go.
const LOOKING: [&str; 17] = [
    "len",
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
    "sorted",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "enumerate",
    "reversed",
    "iter",
    "bool",
    "print",
];
/// Methods that look at the collection they are given.
const COPYING: [&str; 5] = ["join", "extend", "update", "writelines", "union"];

impl<'a> Root<'a> {
    /// `self.attr`, a name of the module, of a class or of a function.
    pub(super) fn of(facts: &Facts<'_>, expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::Attribute(node) if is_self(&node.value) => {
                let class = facts.names.enclosing_class(node.range.start().to_u32());
                Some(Self::Attribute(&node.attr, class))
            }
            Expr::Name(name) => {
                let home = facts
                    .names
                    .home(&name.id, facts.names.scope_at(name.range.start().to_u32()));
                match facts.names.scope(home).kind {
                    ScopeKind::Class => Some(Self::Attribute(&name.id, Some(home))),
                    ScopeKind::Module | ScopeKind::Function => Some(Self::Name(&name.id, home)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn is(self, facts: &Facts<'_>, expr: &Expr) -> bool {
        match (self, expr) {
            (Self::Attribute(attr, class), Expr::Attribute(node)) => {
                node.attr.as_str() == attr && !is_of_another(facts, expr, class)
            }
            (Self::Attribute(attr, Some(class)), Expr::Name(name)) if name.id.as_str() == attr => {
                facts
                    .names
                    .home(attr, facts.names.scope_at(name.range.start().to_u32()))
                    == class
            }
            (Self::Name(wanted, home), Expr::Name(name)) if name.id.as_str() == wanted => {
                facts
                    .names
                    .home(wanted, facts.names.scope_at(name.range.start().to_u32()))
                    == home
            }
            _ => false,
        }
    }

    const fn word(self) -> &'a str {
        match self {
            Self::Attribute(word, _) | Self::Name(word, _) => word,
        }
    }

    /// Whether it may live as long as the process.
    fn is_long_lived(self) -> bool {
        matches!(self, Self::Attribute(..) | Self::Name(_, ScopeId::MODULE))
    }
}

/// Whether `self.attr` is an attribute of another class, one without bases.
pub(super) fn is_of_another(facts: &Facts<'_>, attribute: &Expr, class: Option<ScopeId>) -> bool {
    let Expr::Attribute(node) = attribute else { return false };
    let (Some(class), Some(own)) = (class, facts.names.enclosing_class(node.range.start().to_u32())) else {
        return false;
    };
    let bare = matches!(facts.names.scope(own).node, Some(Node::Stmt(Stmt::ClassDef(own))) if is_plain(own));
    is_self(&node.value) && own != class && bare
}

/// What the module makes the collection of: whether a subscript adds to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Keyed,
    Plain,
    /// A deque that drops what is too much by itself.
    Bounded,
}

/// `None` where it may be anything: a mapping of weak references, say.
fn made_of(facts: &Facts<'_>, value: &Expr) -> Option<Made> {
    match value {
        Expr::Dict(_) | Expr::DictComp(_) => Some(Made::Keyed),
        Expr::List(_) | Expr::ListComp(_) | Expr::Set(_) | Expr::SetComp(_) => Some(Made::Plain),
        Expr::Call(call) => match facts.names.resolve(&call.func).qualified()? {
            "builtins.dict" | "collections.OrderedDict" | "collections.defaultdict" | "collections.Counter" => {
                Some(Made::Keyed)
            }
            "collections.deque" if call.args.len() > 1 || !call.keywords.is_empty() => Some(Made::Bounded),
            "builtins.list" | "builtins.set" | "collections.deque" => Some(Made::Plain),
            _ => None,
        },
        _ => None,
    }
}

/// All values that the module gives to the root.
fn values<'m>(facts: &Facts<'m>, root: Root<'_>) -> Vec<&'m Expr> {
    let statements = facts.module.nodes().filter_map(Node::as_stmt);
    let given = statements.filter_map(|statement| match statement {
        Stmt::Assign(node) if node.targets.iter().any(|target| root.is(facts, target)) => Some(&*node.value),
        Stmt::AnnAssign(node) if root.is(facts, &node.target) => node.value.as_deref(),
        _ => None,
    });
    given.collect()
}

/// Every mention of the root with the place where it stands.
pub(super) fn uses(facts: &Facts<'_>, root: Root<'_>, keyed: bool) -> Vec<(Use, Span)> {
    let mut found = Vec::new();
    for parent in facts.module.nodes() {
        for child in parent.children().into_iter().filter_map(Node::as_expr) {
            if root.is(facts, child) {
                found.push((use_in(facts, parent, child, keyed), parent.span()));
            }
        }
    }
    found
}

fn use_in(facts: &Facts<'_>, parent: Node<'_>, held: &Expr, keyed: bool) -> Use {
    match parent {
        Node::Stmt(statement) => use_by_statement(statement, held),
        Node::Expr(Expr::Attribute(node)) => use_by_method(&node.attr),
        Node::Expr(Expr::Subscript(node)) if std::ptr::eq(&raw const *node.value, held) => match node.ctx {
            ExprContext::Del => Use::Shrinks,
            ExprContext::Store if node.slice.is_slice_expr() => Use::Shrinks,
            ExprContext::Store if keyed => Use::Grows,
            ExprContext::Load | ExprContext::Store => Use::Read,
        },
        Node::Expr(Expr::Call(call)) if looks(facts, call) => Use::Read,
        Node::Expr(Expr::IfExp(node)) if std::ptr::eq(&raw const *node.test, held) => Use::Read,
        Node::Expr(
            Expr::Subscript(_)
            | Expr::Compare(_)
            | Expr::UnaryOp(_)
            | Expr::BinOp(_)
            | Expr::FormattedValue(_)
            | Expr::Starred(_),
        )
        | Node::Comprehension(_) => Use::Read,
        _ => Use::Shared,
    }
}

fn use_by_method(name: &str) -> Use {
    match name {
        name if GROWING.contains(&name) => Use::Grows,
        name if SHRINKING.contains(&name) => Use::Shrinks,
        name if ASKING.contains(&name) => Use::Read,
        _ => Use::Shared,
    }
}

fn use_by_statement(statement: &Stmt, held: &Expr) -> Use {
    let is_it = |expr: &Expr| std::ptr::eq(expr, held);
    match statement {
        Stmt::Assign(node) if is_it(&node.value) => Use::Shared,
        Stmt::AnnAssign(node) if node.value.as_deref().is_some_and(is_it) => Use::Shared,
        Stmt::AnnAssign(node) if node.value.is_none() => Use::Read,
        Stmt::Assign(_) | Stmt::AnnAssign(_) => Use::Replaced,
        Stmt::AugAssign(node) if is_it(&node.value) => Use::Read,
        Stmt::AugAssign(node) if matches!(node.op, Operator::Add | Operator::BitOr) => Use::Grows,
        Stmt::AugAssign(_) | Stmt::Delete(_) => Use::Shrinks,
        Stmt::For(node) if is_it(&node.iter) => Use::Read,
        Stmt::If(_) | Stmt::While(_) | Stmt::Assert(_) | Stmt::Expr(_) | Stmt::Match(_) => Use::Read,
        _ => Use::Shared,
    }
}

fn looks(facts: &Facts<'_>, call: &ExprCall) -> bool {
    if matches!(&*call.func, Expr::Attribute(method) if COPYING.contains(&method.attr.as_str())) {
        return true;
    }
    let resolved = facts.names.resolve(&call.func);
    resolved
        .qualified()
        .and_then(|name| name.strip_prefix("builtins."))
        .is_some_and(|name| LOOKING.contains(&name))
}

/// `long-lived($c)`: an attribute of `self`, or a name of the module or of a class.
pub(super) fn long_lived(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let root = scene
        .expr(arguments, 0)
        .and_then(|expr| Root::of(scene.facts, expr).map(Root::is_long_lived));
    root.map_or(Truth::Unknown, Truth::from)
}

/// `only-grows($c)`: in the mutant the module adds to the collection, never takes anything out, and keeps it
/// to itself.
pub(super) fn only_grows(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let Some(root) = scene.expr(arguments, 0).and_then(|expr| Root::of(facts, expr)) else {
        return Truth::Unknown;
    };
    let removed = removed(scene);
    let gone = |span: Span| removed.iter().any(|removed| removed.contains(span));
    let kept = values(facts, root)
        .into_iter()
        .filter(|value| !gone(Node::Expr(value).span()));
    let made: Option<Vec<Made>> = kept.map(|value| made_of(facts, value)).collect();
    let Some(made) = made.filter(|made| !made.contains(&Made::Bounded)) else {
        return Truth::Unknown;
    };
    let public = !root.word().starts_with('_') && root.is_long_lived();
    if public && facts.index.stands_elsewhere(root.word()) {
        return Truth::Unknown;
    }
    let mut uses = uses(facts, root, made.contains(&Made::Keyed));
    let constructors = uses.iter().filter(|(usage, _)| *usage == Use::Replaced).count();
    uses.retain(|(_, span)| !gone(*span));
    let has = |wanted: Use| uses.iter().any(|(usage, _)| *usage == wanted);
    if has(Use::Shared) {
        return Truth::Unknown;
    }
    let grows = |(usage, span): &(Use, Span)| {
        *usage == Use::Grows && is_callable_code(facts, *span) && !is_measured_first(facts, root, *span)
    };
    (constructors == 1 && !has(Use::Shrinks) && uses.iter().any(grows)).into()
}

/// What the rewrite takes away, sub-expressions included.
fn removed(scene: &Scene<'_, '_, '_>) -> Vec<Span> {
    let parts = scene.site.parts.iter();
    let spans = parts.flat_map(|part| match part.at {
        At::Expression(expr) => vec![Node::Expr(expr).span()],
        _ => part.removed(&scene.site.rewrite.hunks[part.hunk]),
    });
    spans.collect()
}

/// Whether the place runs whenever somebody calls a function, and not just as the object is made.
fn is_callable_code(facts: &Facts<'_>, span: Span) -> bool {
    let function = facts.names.enclosing_function(span.start);
    let name = function.map(|id| facts.names.scope(id).qualname.as_str());
    name.is_some_and(|name| !name.ends_with(".__init__"))
}

/// Whether an `if` or `while` around the place asks how long the collection is: `while len(fields) < 4:`.
fn is_measured_first(facts: &Facts<'_>, root: Root<'_>, span: Span) -> bool {
    let measures = |test: &Expr| {
        let mut inner = Node::Expr(test).descendants().filter_map(Node::as_expr);
        inner.any(|expr| match expr {
            Expr::Call(call) => {
                let known = facts.names.resolve(&call.func);
                known.qualified() == Some("builtins.len") && call.args.iter().any(|each| root.is(facts, each))
            }
            _ => false,
        })
    };
    let mut statements = facts.module.nodes().filter_map(Node::as_stmt);
    statements.any(|statement| match statement {
        Stmt::If(node) => Node::Stmt(statement).span().contains(span) && measures(&node.test),
        Stmt::While(node) => Node::Stmt(statement).span().contains(span) && measures(&node.test),
        _ => false,
    })
}

/// `stays-local($c)`: the function that makes the collection gives it to nobody.
pub(super) fn stays_local(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let Some(root @ Root::Name(_, home)) = scene.expr(arguments, 0).and_then(|expr| Root::of(facts, expr)) else {
        return Truth::Unknown;
    };
    let uses = uses(facts, root, false);
    let shared = uses.iter().any(|(usage, _)| *usage == Use::Shared);
    let nested = facts.names.uses(root.word(), home).iter().any(|each| each.nested);
    (facts.names.scope(home).kind == ScopeKind::Function && !shared && !nested).into()
}

/// `overflow($c, $test)`: `$test` is `len(…) > n` or `len(…) >= n`; gives what is measured. Not where `n` is
/// so small that this is no bound but a way to empty it.
pub(super) fn overflow(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Compare(test)) = scene.expr(arguments, 1) else {
        return Truth::No;
    };
    let ([CmpOp::Gt | CmpOp::GtE], [bound]) = (&test.ops[..], &test.comparators[..]) else {
        return Truth::No;
    };
    let number = match scene.facts.constant(bound) {
        Some(Constant::Int(number)) => number.to_string().parse().unwrap_or(u64::MAX),
        Some(_) => 0,
        None => u64::MAX,
    };
    let Expr::Call(call) = &*test.left else {
        return Truth::No;
    };
    let is_len = scene.facts.names.resolve(&call.func).qualified() == Some("builtins.len");
    match &call.args[..] {
        [measured] if is_len && number > 1 => scene.bind(arguments, Value::Node(Node::Expr(measured))),
        _ => Truth::No,
    }
}

/// `turned($t, $test)`: the comparison written the other way round.
pub(super) fn turned(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Compare(test)) = scene.expr(arguments, 1) else {
        return Truth::No;
    };
    let sign = match test.ops[..] {
        [CmpOp::Gt] => "<",
        [CmpOp::GtE] => "<=",
        _ => return Truth::No,
    };
    let source = |expr: &Expr| Node::Expr(expr).span().of(scene.facts.module.text()).to_owned();
    let turned = format!("{} {sign} {}", source(&test.comparators[0]), source(&test.left));
    scene.bind(arguments, Value::Text(turned))
}

/// `evicts($$b, $c)`: all that the block does is to take items out of the collection, and every function
/// that adds to it holds the block or calls the one that does.
pub(super) fn evicts(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let facts = scene.facts;
    let (Some(block), Some(expr)) = (scene.block(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    let (Some(root), Some(first)) = (Root::of(facts, expr), block.first()) else {
        return Truth::Unknown;
    };
    let anchor = Node::Stmt(first)
        .span()
        .cover(Node::Stmt(&block[block.len() - 1]).span());
    let nodes = || block.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    let graph = facts.graph_at(anchor.start);
    let harmless = |node: Node<'_>| match node {
        Node::Stmt(Stmt::Expr(_) | Stmt::Delete(_) | Stmt::Assign(_) | Stmt::For(_)) => true,
        Node::Expr(Expr::Name(name)) if name.ctx == ExprContext::Store => !graph.live_after(&name.id, anchor),
        Node::Expr(Expr::Attribute(node)) if node.ctx != ExprContext::Load => false,
        Node::Expr(Expr::Call(call)) => takes_from(facts, call, root),
        node => !matches!(node, Node::Stmt(_)),
    };
    let keyed = values(facts, root)
        .iter()
        .any(|value| made_of(facts, value) == Some(Made::Keyed));
    let all = uses(facts, root, keyed);
    let shrinks = all
        .iter()
        .any(|(usage, span)| *usage == Use::Shrinks && anchor.contains(*span));
    let mut grown = all.iter().filter(|(usage, _)| *usage == Use::Grows);
    let trimmed = grown.all(|(_, span)| runs_too(facts, span.start, anchor.start));
    (nodes().all(harmless) && shrinks && trimmed).into()
}

/// `self._items.popitem()`, `next(iter(self._items))`, `min(self._items, key=…)`
fn takes_from(facts: &Facts<'_>, call: &ExprCall, root: Root<'_>) -> bool {
    match &*call.func {
        Expr::Attribute(method) => {
            let known = SHRINKING.contains(&&*method.attr) || ASKING.contains(&&*method.attr);
            known && root.is(facts, &method.value)
        }
        function => {
            let resolved = facts.names.resolve(function);
            let builtin = resolved.qualified().and_then(|name| name.strip_prefix("builtins."));
            builtin.is_some_and(|name| name == "next" || LOOKING.contains(&name))
        }
    }
}

/// Whether the function around `at` is, or calls, the one around `site`.
fn runs_too(facts: &Facts<'_>, at: u32, site: u32) -> bool {
    let (Some(here), Some(there)) = (facts.names.enclosing_function(at), facts.names.enclosing_function(site)) else {
        return false;
    };
    let name = facts.names.scope(there).name();
    let calls = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => match &*call.func {
            Expr::Attribute(method) => method.attr.as_str() == name && is_self(&method.value),
            Expr::Name(function) => function.id.as_str() == name,
            _ => false,
        },
        _ => false,
    };
    here == there
        || facts
            .names
            .scope(here)
            .node
            .is_some_and(|node| node.descendants().any(calls))
}

/// `limit($n)`: it is not `None`, and no parameter that is `None` unless somebody says more.
pub(super) fn limit(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    if scene.facts.constant(expr).is_some_and(|value| *value == Constant::None) {
        return Truth::No;
    }
    let Expr::Name(name) = expr else { return Truth::Yes };
    let function = scene
        .facts
        .names
        .enclosing_function(name.range.start().to_u32())
        .and_then(|id| scene.facts.names.scope(id).node);
    let none = |node: Node<'_>| match node {
        Node::Parameter(parameter) if parameter.def.arg.as_str() == name.id.as_str() => parameter
            .default
            .as_deref()
            .is_some_and(|default| matches!(default, Expr::Constant(constant) if constant.value.is_none())),
        _ => false,
    };
    match function {
        Some(function) if function.descendants().any(none) => Truth::Unknown,
        _ => Truth::Yes,
    }
}

/// `empty-list($x)`: `[]` or `list()`.
pub(super) fn empty_list(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    match scene.expr(arguments, 0) {
        Some(Expr::List(list)) => list.elts.is_empty().into(),
        Some(Expr::Call(call)) => {
            let is_list = scene.facts.names.resolve(&call.func).qualified() == Some("builtins.list");
            (is_list && call.args.is_empty() && call.keywords.is_empty()).into()
        }
        _ => Truth::No,
    }
}

/// `only-here($n)`: a local name of a function, bound once, and no name of the module or of a function around it.
pub(super) fn only_here(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let names = &scene.facts.names;
    let scope = names.scope_at(scene.at().start);
    let is_local = names.scope(scope).kind == ScopeKind::Function && names.home(&name, scope) == scope;
    let once = matches!(names.bindings(&name, scope), [only] if matches!(only.kind, BindingKind::Assign { .. }));
    let mut around = names.ancestors(scope).skip(1);
    let free = names.uses(&name, ScopeId::MODULE).is_empty() && !is_builtin(&name);
    (is_local && once && free && !around.any(|outer| names.names_in(outer).contains(&name.as_str()))).into()
}

/// `inside($x, $y)`: `$x` is a part of `$y`.
pub(super) fn inside(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    match (scene.expr(arguments, 0), scene.expr(arguments, 1)) {
        (Some(inner), Some(outer)) => Node::Expr(outer).span().contains(Node::Expr(inner).span()).into(),
        _ => Truth::Unknown,
    }
}
