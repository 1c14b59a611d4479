//! What one place does with a collection that it names: makes it grow, shrink, hands it on, or just looks.

use super::index::Index;
use super::tail;
use crate::detect::Config;
use crate::python::Node;
use crate::python::ast::{CmpOp, Constant, Expr, ExprAttribute, ExprCall, ExprContext, ExprSubscript, Operator, Stmt};

#[derive(Clone, Copy, Debug)]
pub(in crate::detect) enum Role<'m> {
    Read,
    /// Asks for one key.
    Lookup(&'m Expr),
    Grow(Grow<'m>),
    /// Takes something out, or gives the name another collection.
    Shrink,
    /// The same, but of a collection inside.
    ShrinkInside,
    /// Asks whether it has become too large.
    Limit,
    Return,
    /// Someone else gets it.
    Escape,
    /// Another name for it.
    Alias(&'m Expr),
}

#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Grow<'m> {
    /// The call, subscript or target that does it.
    pub(in crate::detect) at: &'m Expr,
    /// Equal keys take no more room. `None` where each growth does.
    pub(in crate::detect) key: Option<&'m Expr>,
    pub(in crate::detect) value: Option<&'m Expr>,
    /// A collection inside grows.
    pub(in crate::detect) is_inside: bool,
}

pub(super) const SHRINKS: [&str; 12] = [
    "pop",
    "popitem",
    "popleft",
    "remove",
    "discard",
    "clear",
    "difference_update",
    "intersection_update",
    "symmetric_difference_update",
    "subtract",
    "__delitem__",
    "resize",
];
/// Methods that make a collection grow, beside those of the configuration.
const GROWS: [&str; 3] = ["appendleft", "extendleft", "__setitem__"];
/// Words in the names of functions that take from their arguments, or keep them.
const TAKES: [&str; 30] = [
    "drain", "flush", "consume", "pop", "clear", "trim", "prune", "evict", "expire", "purge", "clean", "reset",
    "shrink", "truncate", "remove", "discard", "append", "add", "put", "register", "set", "submit", "start", "partial",
    "delete", "limit", "bind", "init", "rotate", "take",
];
/// What only looks at its arguments.
const READERS: [&str; 50] = [
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
    "iter",
    "enumerate",
    "zip",
    "map",
    "filter",
    "reversed",
    "str",
    "repr",
    "print",
    "isinstance",
    "bool",
    "id",
    "next",
    "join",
    "format",
    "dumps",
    "dump",
    "deepcopy",
    "copy",
    "choice",
    "choices",
    "sample",
    "mean",
    "median",
    "fsum",
    "info",
    "debug",
    "warning",
    "error",
    "chain",
    "islice",
    "Counter",
    "wait",
    "as_completed",
    "pformat",
    "pprint",
    "array",
    "stdev",
];

pub(in crate::detect) struct Reader<'a, 'm> {
    pub(in crate::detect) index: &'a Index<'m>,
    pub(in crate::detect) config: &'a Config,
    /// Whether reading a key puts it in.
    pub(in crate::detect) fills_itself: bool,
    /// Whether `add` and `update` bring keys.
    pub(in crate::detect) is_keyed: bool,
}

impl<'m> Reader<'_, 'm> {
    pub(in crate::detect) fn role(&self, mention: &'m Expr) -> Role<'m> {
        let Some(parent) = self.index.parent(mention) else {
            return Role::Escape;
        };
        match parent {
            Node::Expr(outer @ Expr::Attribute(node)) => self.of_method(outer, node),
            Node::Expr(outer @ Expr::Subscript(node)) if std::ptr::eq(&raw const *node.value, mention) => {
                self.of_item(outer, node)
            }
            Node::Expr(Expr::Call(call)) if std::ptr::eq(&raw const *call.func, mention) => Role::Read,
            Node::Expr(outer @ Expr::Call(call)) => self.of_argument(outer, call),
            Node::Expr(choice @ Expr::IfExp(_)) if self.is_rebound_to_itself(choice, mention) => Role::Read,
            Node::Expr(expr) => of_operand(expr, mention),
            Node::Stmt(statement) => of_statement(statement, mention),
            Node::Comprehension(_) => Role::Read,
            _ => Role::Escape,
        }
    }

    /// `items = [] if items is None else items`
    fn is_rebound_to_itself(&self, choice: &Expr, mention: &Expr) -> bool {
        match (self.index.parent(choice), mention) {
            (Some(Node::Stmt(Stmt::Assign(assign))), Expr::Name(name)) => match assign.targets.as_slice() {
                [Expr::Name(target)] => target.id == name.id,
                _ => false,
            },
            _ => false,
        }
    }

    fn grows(&self, method: &str) -> bool {
        GROWS.contains(&method) || self.config.growth_methods.iter().any(|grows| grows == method)
    }

    /// `c.append(x)`, `c.get(k)`, `c.pop`
    fn of_method(&self, outer: &'m Expr, node: &'m ExprAttribute) -> Role<'m> {
        let method = node.attr.as_str();
        let called = match self.index.parent(outer) {
            Some(Node::Expr(at @ Expr::Call(call))) if std::ptr::eq(&raw const *call.func, outer) => Some((at, call)),
            _ => None,
        };
        if SHRINKS.contains(&method) {
            return Role::Shrink;
        }
        match called {
            Some((at, call)) if self.grows(method) => self.of_growing(at, call, method),
            Some((at, call)) if method == "get" => call.args.first().map_or(Role::Read, |key| self.of_element(at, key)),
            Some((at, _)) if ["values", "items"].contains(&method) => match self.index.parent(at) {
                Some(Node::Stmt(Stmt::For(_))) => Role::ShrinkInside,
                _ => Role::Read,
            },
            Some(_) => Role::Read,
            None => Role::Escape,
        }
    }

    fn of_growing(&self, at: &'m Expr, call: &'m ExprCall, method: &str) -> Role<'m> {
        let first = call.args.first();
        let grow = |key, value| {
            Role::Grow(Grow {
                at,
                key,
                value,
                is_inside: false,
            })
        };
        match method {
            "setdefault" => match self.inside(at) {
                Some(Role::Grow(inside)) => Role::Grow(Grow { key: None, ..inside }),
                _ => grow(first, call.args.get(1)),
            },
            "__setitem__" => grow(first, call.args.get(1)),
            "insert" => grow(None, call.args.get(1)),
            "add" | "update" | "extend" if self.is_keyed => grow(first, first),
            _ => grow(None, first),
        }
    }

    /// What is done with the element that an expression gives.
    fn inside(&self, element: &'m Expr) -> Option<Role<'m>> {
        match self.index.parent(element)? {
            Node::Expr(outer @ Expr::Attribute(node)) => {
                let method = node.attr.as_str();
                let Some(Node::Expr(at @ Expr::Call(call))) = self.index.parent(outer) else {
                    return None;
                };
                let grow = Grow {
                    at,
                    key: None,
                    value: call.args.first(),
                    is_inside: true,
                };
                if SHRINKS.contains(&method) {
                    Some(Role::ShrinkInside)
                } else {
                    self.grows(method).then_some(Role::Grow(grow))
                }
            }
            Node::Stmt(Stmt::Assign(_) | Stmt::Return(_) | Stmt::For(_)) | Node::Expr(Expr::NamedExpr(_)) => {
                Some(Role::ShrinkInside)
            }
            _ => None,
        }
    }

    fn of_element(&self, at: &'m Expr, key: &'m Expr) -> Role<'m> {
        match self.inside(at) {
            Some(Role::Grow(grow)) => Role::Grow(grow),
            Some(Role::ShrinkInside) if !matches!(self.index.parent(at), Some(Node::Stmt(_))) => Role::ShrinkInside,
            _ => Role::Lookup(key),
        }
    }

    /// `c[k]`
    fn of_item(&self, outer: &'m Expr, node: &'m ExprSubscript) -> Role<'m> {
        let value = match self.index.parent(outer) {
            Some(Node::Stmt(Stmt::Assign(assign))) => Some(&*assign.value),
            Some(Node::Stmt(Stmt::AnnAssign(assign))) => assign.value.as_deref(),
            _ => None,
        };
        let grow = Role::Grow(Grow {
            at: outer,
            key: Some(&node.slice),
            value,
            is_inside: false,
        });
        match node.ctx {
            ExprContext::Del => Role::Shrink,
            ExprContext::Store if node.slice.is_slice_expr() => Role::Shrink,
            ExprContext::Store if self.is_keyed => match self.index.parent(outer) {
                // `c[k] += 1` needs the key, unless it fills itself.
                Some(Node::Stmt(Stmt::AugAssign(_))) if !self.fills_itself => Role::Lookup(&node.slice),
                _ => grow,
            },
            ExprContext::Store => Role::Read,
            ExprContext::Load => match self.of_element(outer, &node.slice) {
                Role::Lookup(_) if self.fills_itself => grow,
                role => role,
            },
        }
    }

    fn of_argument(&self, outer: &'m Expr, call: &'m ExprCall) -> Role<'m> {
        match tail(&call.func).unwrap_or_default() {
            "len" if self.is_limit(outer) => Role::Limit,
            "heappush" | "insort" | "insort_left" | "insort_right" => Role::Grow(Grow {
                at: outer,
                key: None,
                value: call.args.get(1),
                is_inside: false,
            }),
            "heappop" => Role::Shrink,
            "extend" | "update" | "union" => Role::Read,
            reader if READERS.contains(&reader) || !may_keep(reader) => Role::Read,
            _ => Role::Escape,
        }
    }

    /// Whether the size is held against a limit; against nothing or one tells only whether it is empty.
    fn is_limit(&self, len: &Expr) -> bool {
        match self.index.parent(len) {
            Some(Node::Expr(Expr::Compare(node))) => {
                let sides = std::iter::once(&*node.left).chain(&node.comparators);
                let mut others = sides.filter(|side| !std::ptr::eq(*side, len));
                others.any(|other| self.is_size(other))
            }
            Some(Node::Expr(sum @ Expr::BinOp(node))) if matches!(node.op, Operator::Add | Operator::Sub) => {
                self.is_limit(sum)
            }
            _ => false,
        }
    }

    fn is_size(&self, limit: &Expr) -> bool {
        let Expr::Constant(constant) = limit else { return true };
        match &constant.value {
            Constant::Int(number) => {
                let number = number.to_string().parse::<usize>().unwrap_or(usize::MAX);
                number > 1 && number <= self.config.size_threshold
            }
            _ => true,
        }
    }
}

/// Whether what is called so may keep its argument or take from it. Classes keep; functions mostly read.
fn may_keep(callable: &str) -> bool {
    let lower = callable.to_lowercase();
    callable.is_empty() || callable.starts_with(char::is_uppercase) || TAKES.iter().any(|word| lower.contains(word))
}

pub(super) fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::List(node) => node.elts.is_empty(),
        Expr::Dict(node) => node.keys.is_empty(),
        _ => false,
    }
}

fn of_operand<'m>(outer: &'m Expr, mention: &'m Expr) -> Role<'m> {
    match outer {
        Expr::Compare(node) => match node.ops.as_slice() {
            [CmpOp::In | CmpOp::NotIn] if !std::ptr::eq(&raw const *node.left, mention) => Role::Lookup(&node.left),
            _ => Role::Read,
        },
        Expr::UnaryOp(_) | Expr::FormattedValue(_) | Expr::Starred(_) | Expr::BinOp(_) | Expr::YieldFrom(_) => {
            Role::Read
        }
        // The object of a subscript is looked at elsewhere: this is its key.
        Expr::Subscript(_) => Role::Read,
        Expr::IfExp(node) if std::ptr::eq(&raw const *node.test, mention) => Role::Read,
        Expr::NamedExpr(node) if std::ptr::eq(&raw const *node.target, mention) => Role::Shrink,
        Expr::NamedExpr(node) => Role::Alias(&node.target),
        // Of `old, self.items = self.items, []` or a display.
        Expr::Tuple(node) if node.ctx == ExprContext::Store => Role::Shrink,
        Expr::List(node) if node.ctx == ExprContext::Store => Role::Shrink,
        _ => Role::Escape,
    }
}

/// What `c = c + [x]`, `c = [*c, x]` or `c = {**c, k: x}` adds.
fn added<'m>(value: &'m Expr, target: &Expr) -> Option<&'m Expr> {
    match value {
        Expr::BinOp(node) if matches!(node.op, Operator::Add | Operator::BitOr) => {
            let sides = [(&node.left, &node.right), (&node.right, &node.left)];
            let other = sides.into_iter().find(|(side, _)| is_same(side, target));
            other.map(|(_, other)| &**other)
        }
        Expr::List(node) => {
            let is_kept = |part: &Expr| matches!(part, Expr::Starred(star) if is_same(&star.value, target));
            let is_whole = node.elts.iter().any(is_kept);
            node.elts.iter().find(|part| is_whole && !is_kept(part))
        }
        Expr::Dict(node) => {
            let pairs = || node.keys.iter().zip(&node.values);
            let is_whole = pairs().any(|(key, value)| key.is_none() && is_same(value, target));
            let mut values = pairs().filter_map(|(key, value)| key.as_ref().map(|_| value));
            values.next().filter(|_| is_whole)
        }
        _ => None,
    }
}

/// Whether both are the same name or attribute, read in one and written in the other.
fn is_same(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Name(one), Expr::Name(other)) => one.id == other.id,
        (Expr::Attribute(one), Expr::Attribute(other)) => one.attr == other.attr && is_same(&one.value, &other.value),
        _ => false,
    }
}

fn of_statement<'m>(statement: &'m Stmt, mention: &'m Expr) -> Role<'m> {
    match statement {
        Stmt::Assign(node) if node.targets.iter().any(|target| std::ptr::eq(target, mention)) => {
            added(&node.value, mention).map_or(Role::Shrink, |value| {
                Role::Grow(Grow {
                    at: mention,
                    key: None,
                    value: Some(value),
                    is_inside: false,
                })
            })
        }
        Stmt::Assign(node) => match node.targets.as_slice() {
            [target @ Expr::Name(_)] => Role::Alias(target),
            _ => Role::Escape,
        },
        Stmt::AnnAssign(node) if std::ptr::eq(&raw const *node.target, mention) => {
            if node.value.is_some() {
                Role::Shrink
            } else {
                Role::Read
            }
        }
        Stmt::AnnAssign(node) => Role::Alias(&node.target),
        Stmt::AugAssign(node) if std::ptr::eq(&raw const *node.target, mention) => match node.op {
            Operator::Add | Operator::BitOr => Role::Grow(Grow {
                at: &node.target,
                key: None,
                value: Some(&node.value),
                is_inside: false,
            }),
            _ => Role::Shrink,
        },
        Stmt::AugAssign(_)
        | Stmt::For(_)
        | Stmt::AsyncFor(_)
        | Stmt::If(_)
        | Stmt::While(_)
        | Stmt::Assert(_)
        | Stmt::Expr(_) => Role::Read,
        Stmt::Delete(_) => Role::Shrink,
        Stmt::Return(_) => Role::Return,
        _ => Role::Escape,
    }
}
