//! Which attributes a name may stand for, anywhere in a module and in any order:
//!
//! ```py
//! archive, self._tar, self._zip = self._tar or self._zip, None, None
//! for handle in (self._a, self._b): ...
//! for name in ("_a", "_b"):
//!     handle = getattr(self, name)
//! stack = self._stack.pop_all()
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::python::ast::{Comprehension, Expr, ExprCall, Ranged, Stmt, WithItem};
use crate::python::{Node, ScopeId};

/// Expressions nested deeper hold nothing that anybody would follow.
const MAX_DEPTH: u32 = 20;
/// Calls that give their arguments, or items of them.
const PASSING_CALLS: [&str; 13] = [
    "list",
    "tuple",
    "set",
    "sorted",
    "reversed",
    "filter",
    "zip",
    "iter",
    "next",
    "enumerate",
    "chain",
    "cast",
    "copy",
];
/// Methods that give what the object holds.
const PASSING_METHODS: [&str; 10] = [
    "pop_all",
    "pop",
    "popleft",
    "popitem",
    "get",
    "values",
    "items",
    "copy",
    "detach",
    "__enter__",
];

/// Something that a handle can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder<'m> {
    /// A variable, by the scope it belongs to.
    Name(ScopeId, &'m str),
    Attribute(&'m str),
    /// An attribute of the class's instances, nobody knows which: `getattr(self, name)`.
    AnyOf(ScopeId),
}

#[derive(Debug, Default)]
pub(super) struct Aliases<'m> {
    /// What a holder may be another word for, or contain.
    holds: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>>,
    /// What the items are of that a loop gives a holder.
    walks: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>>,
    /// The strings that a variable runs through.
    words: BTreeMap<Holder<'m>, BTreeSet<&'m str>>,
}

impl<'m> Aliases<'m> {
    pub(super) fn of_module(world: World<'_, 'm>) -> Self {
        let mut aliases = Self::default();
        for node in world.nodes() {
            aliases.note(world, node);
        }
        aliases
    }

    fn note(&mut self, world: World<'_, 'm>, node: Node<'m>) {
        match node {
            Node::Stmt(Stmt::Assign(node)) => {
                for target in &node.targets {
                    self.bind(world, target, &node.value);
                    for other in &node.targets {
                        self.bind(world, target, other);
                    }
                }
            }
            Node::Stmt(Stmt::AnnAssign(node)) => {
                if let Some(value) = node.value.as_deref() {
                    self.bind(world, &node.target, value);
                }
            }
            Node::Expr(Expr::NamedExpr(node)) => self.bind(world, &node.target, &node.value),
            Node::Stmt(Stmt::For(node)) => self.iterate(world, &node.target, &node.iter),
            Node::Stmt(Stmt::AsyncFor(node)) => self.iterate(world, &node.target, &node.iter),
            Node::Expr(Expr::ListComp(node)) => self.generators(world, &node.generators),
            Node::Expr(Expr::SetComp(node)) => self.generators(world, &node.generators),
            Node::Expr(Expr::DictComp(node)) => self.generators(world, &node.generators),
            Node::Expr(Expr::GeneratorExp(node)) => self.generators(world, &node.generators),
            Node::WithItem(WithItem {
                context_expr,
                optional_vars: Some(target),
                ..
            }) => self.bind(world, target, context_expr),
            _ => {}
        }
    }

    fn generators(&mut self, world: World<'_, 'm>, generators: &'m [Comprehension]) {
        for generator in generators {
            self.iterate(world, &generator.target, &generator.iter);
        }
    }

    fn iterate(&mut self, world: World<'_, 'm>, target: &'m Expr, iterable: &'m Expr) {
        if let (Expr::Name(_), Some(items)) = (target, elements(iterable)) {
            let words = items.iter().filter_map(word);
            for holder in self.sources(world, target) {
                self.words.entry(holder).or_default().extend(words.clone());
            }
        }
        if elements(iterable).is_some() {
            return self.bind_whole(world, target, iterable);
        }
        let sources = self.sources(world, iterable);
        for holder in self.sources(world, target) {
            let others = sources.iter().filter(|source| **source != holder);
            self.walks.entry(holder).or_default().extend(others);
        }
    }

    /// Stores a value into a target, item by item where both are written out.
    fn bind(&mut self, world: World<'_, 'm>, target: &'m Expr, value: &'m Expr) {
        match (elements(target), elements(value)) {
            (Some(targets), Some(values)) if targets.len() == values.len() => {
                for (target, value) in targets.iter().zip(values) {
                    self.bind_whole(world, target, value);
                }
            }
            _ => self.bind_whole(world, target, value),
        }
    }

    fn bind_whole(&mut self, world: World<'_, 'm>, target: &'m Expr, value: &'m Expr) {
        let sources = self.sources(world, value);
        if sources.is_empty() {
            return;
        }
        for holder in self.sources(world, target) {
            for source in sources.iter().filter(|source| **source != holder) {
                self.holds.entry(holder).or_default().insert(*source);
                // After `self.f = f` the name is another word for the attribute.
                if let (Holder::Attribute(_), Holder::Name(..)) = (holder, source) {
                    self.holds.entry(*source).or_default().insert(holder);
                }
            }
        }
    }

    /// Where the value of an expression may come from.
    pub(super) fn sources(&self, world: World<'_, 'm>, expr: &'m Expr) -> Vec<Holder<'m>> {
        let mut found = Vec::new();
        self.collect(world, expr, MAX_DEPTH, &mut found);
        found
    }

    fn collect(&self, world: World<'_, 'm>, expr: &'m Expr, depth: u32, found: &mut Vec<Holder<'m>>) {
        let Some(rest) = depth.checked_sub(1) else { return };
        match expr {
            Expr::Name(name) => {
                let scope = world.names.scope_at(name.start().to_u32());
                found.push(Holder::Name(world.names.home(&name.id, scope), &name.id));
            }
            Expr::Attribute(node) if node.attr.as_str() == "__dict__" => found.extend(any_of(world, &node.value)),
            Expr::Attribute(node) => found.push(Holder::Attribute(&node.attr)),
            Expr::Call(call) => self.collect_call(world, call, rest, found),
            other => {
                for inner in parts(other) {
                    self.collect(world, inner, rest, found);
                }
            }
        }
    }

    fn collect_call(&self, world: World<'_, 'm>, call: &'m ExprCall, rest: u32, found: &mut Vec<Holder<'m>>) {
        let tail = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(node) => node.attr.as_str(),
            _ => return,
        };
        match (tail, call.args.as_slice()) {
            ("getattr", [object, name, ..]) => found.extend(self.named(world, object, name)),
            ("vars", [object]) => found.extend(any_of(world, object)),
            (_, arguments) if PASSING_CALLS.contains(&tail) && !arguments.is_empty() => {
                for argument in arguments {
                    self.collect(world, argument, rest, found);
                }
            }
            _ => {
                if let Expr::Attribute(node) = &*call.func
                    && PASSING_METHODS.contains(&tail)
                {
                    self.collect(world, &node.value, rest, found);
                }
            }
        }
    }

    /// `getattr(object, name)`
    fn named(&self, world: World<'_, 'm>, object: &Expr, name: &'m Expr) -> Vec<Holder<'m>> {
        if let Some(word) = word(name) {
            return vec![Holder::Attribute(word)];
        }
        let variables = self.sources(world, name);
        let words = variables.iter().filter_map(|variable| self.words.get(variable));
        let known: Vec<_> = words.flatten().map(|word| Holder::Attribute(word)).collect();
        if known.is_empty() {
            any_of(world, object).into_iter().collect()
        } else {
            known
        }
    }

    /// For every holder that stands for one of those wanted, or contains it, by however many steps: which.
    /// Walks from the wanted ones back, since few names hold any. `by_item`: or is one of its items.
    pub(super) fn reaching(
        &self,
        wanted: &BTreeSet<Holder<'m>>,
        by_item: bool,
    ) -> BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>> {
        let mut holders: BTreeMap<Holder<'m>, Vec<Holder<'m>>> = BTreeMap::new();
        for (holder, held) in self.holds.iter().chain(self.walks.iter().filter(|_| by_item)) {
            for one in held {
                holders.entry(*one).or_default().push(*holder);
            }
        }
        let unnamed = holders.keys().filter(|holder| matches!(holder, Holder::AnyOf(_)));
        let targets: Vec<_> = wanted.iter().chain(unnamed).copied().collect();
        let mut reaching: BTreeMap<Holder<'m>, BTreeSet<Holder<'m>>> = BTreeMap::new();
        for target in targets {
            let mut open = vec![target];
            while let Some(holder) = open.pop() {
                if reaching.entry(holder).or_default().insert(target) {
                    open.extend(holders.get(&holder).into_iter().flatten());
                }
            }
        }
        reaching
    }
}

/// The expressions one of which, or all of which, are in the value of this one.
fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Tuple(node) => node.elts.iter().collect(),
        Expr::List(node) => node.elts.iter().collect(),
        Expr::Set(node) => node.elts.iter().collect(),
        Expr::Dict(node) => node.values.iter().collect(),
        Expr::BoolOp(node) => node.values.iter().collect(),
        Expr::IfExp(node) => vec![&node.body, &node.orelse],
        Expr::NamedExpr(node) => vec![&node.value],
        Expr::Await(node) => vec![&node.value],
        Expr::Starred(node) => vec![&node.value],
        Expr::Subscript(node) => vec![&node.value],
        Expr::ListComp(node) => vec![&node.elt],
        Expr::GeneratorExp(node) => vec![&node.elt],
        _ => Vec::new(),
    }
}

fn any_of<'m>(world: World<'_, '_>, object: &Expr) -> Option<Holder<'m>> {
    let on_self = object.as_name_expr().is_some_and(|name| name.id.as_str() == "self");
    let class = world.names.enclosing_class(object.start().to_u32());
    class.filter(|_| on_self).map(Holder::AnyOf)
}

fn word(expr: &Expr) -> Option<&str> {
    let constant = expr.as_constant_expr()?;
    constant.value.as_str().map(String::as_str)
}

fn elements(expr: &Expr) -> Option<&[Expr]> {
    let elements = match expr {
        Expr::Tuple(node) => &node.elts,
        Expr::List(node) => &node.elts,
        _ => return None,
    };
    elements
        .iter()
        .all(|one| !one.is_starred_expr())
        .then_some(elements.as_slice())
}
