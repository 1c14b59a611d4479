//! Handles that are put into a container of the body: whether the container stays there, and nobody closes what is in it.
//!
//! ```py
//! files = [open(path) for path in paths]   # nothing but reading follows: they stay open
//! for file in files:
//!     print(file.read())
//! ```

use std::collections::BTreeSet;

use super::bind::makes_container;
use super::callee::{Treatment, treatment_of_items};
use super::effect::Setting;
use super::{body, tail};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, UnaryOp};
use crate::python::names::{Binding, BindingKind, UseKind};
use crate::python::{Node, ScopeId};

/// Methods of containers that hand nothing out for good.
const OWN_METHODS: [&str; 9] = [
    "append",
    "appendleft",
    "add",
    "insert",
    "extend",
    "setdefault",
    "clear",
    "sort",
    "reverse",
];
/// Those that give what is inside, to walk it.
const WALKS: [&str; 3] = ["values", "items", "keys"];
/// Builtins that ask about a container.
const ASKING: [&str; 6] = ["len", "bool", "any", "all", "print", "isinstance"];
/// Builtins through which it is walked.
const WALKING: [&str; 5] = ["enumerate", "zip", "sorted", "reversed", "iter"];
/// Builtins that call something with each item.
const CALLING: [&str; 2] = ["map", "filter"];

/// Whether every use of the container and of what is in it only reads or writes.
pub(super) fn stays_here(setting: Setting<'_, '_>, container: &str) -> bool {
    let world = setting.world;
    let mut bindings = world.names.bindings(container, setting.body).iter();
    let is_own = |binding: &Binding<'_>| match binding.kind {
        BindingKind::Assign { value } => value.is_some_and(makes_container),
        _ => false,
    };
    if !bindings.all(is_own) {
        return false;
    }
    let mut known = Known::default();
    known.words.insert((setting.body, container.to_owned()));
    let nodes: Vec<_> = body::nodes_of(world, setting.body).collect();
    for node in &nodes {
        known.note_walk(setting, *node, container);
    }
    for node in &nodes {
        known.note(setting, *node);
    }
    known.words.iter().all(|(scope, word)| {
        let uses = world.names.uses(word, *scope);
        uses.iter().all(|each| {
            let is_load = each.kind == UseKind::Load;
            !each.nested && (!is_load || known.harmless.contains(&each.span.start))
        })
    })
}

#[derive(Default)]
struct Known {
    /// The container, and the names that its items get, each with its scope.
    words: BTreeSet<(ScopeId, String)>,
    /// Where one of them stands and nothing becomes of it.
    harmless: BTreeSet<u32>,
}

impl Known {
    /// `for file in files`, `[f.read() for f in files.values()]`
    fn note_walk(&mut self, setting: Setting<'_, '_>, node: Node<'_>, container: &str) {
        let (target, iterable) = match node {
            Node::Stmt(Stmt::For(node)) => (&*node.target, &*node.iter),
            Node::Comprehension(node) => (&node.target, &node.iter),
            _ => return,
        };
        let Some(walked) = walked(iterable, container) else {
            return;
        };
        self.harmless.insert(walked.start().to_u32());
        let names = Node::Expr(target).descendants().filter_map(Node::as_expr);
        let scopes = setting.world.names;
        self.words.extend(names.filter_map(|expr| {
            let name = &expr.as_name_expr()?.id;
            let scope = scopes.scope_at(expr.start().to_u32());
            Some((scopes.home(name, scope), name.to_string()))
        }));
    }

    fn note(&mut self, setting: Setting<'_, '_>, node: Node<'_>) {
        match node {
            Node::Expr(Expr::Call(call)) => self.note_call(setting, call),
            Node::Stmt(Stmt::For(node)) => self.allow(&node.iter),
            Node::Stmt(Stmt::If(node)) => self.allow(&node.test),
            Node::Stmt(Stmt::While(node)) => self.allow(&node.test),
            Node::Stmt(Stmt::Assign(node)) => {
                for item in node.targets.iter().filter_map(Expr::as_subscript_expr) {
                    self.allow(&item.value);
                }
            }
            Node::Expr(Expr::UnaryOp(node)) if node.op == UnaryOp::Not => self.allow(&node.operand),
            _ => {}
        }
    }

    fn note_call(&mut self, setting: Setting<'_, '_>, call: &ExprCall) {
        if let Expr::Attribute(method) = &*call.func {
            let name = method.attr.as_str();
            let releases = setting.resource.release.iter().any(|release| release == name);
            let is_usual = OWN_METHODS.contains(&name) || WALKS.contains(&name);
            match &*method.value {
                Expr::Name(_) if is_usual || (!releases && !is_release(name)) => self.allow(&method.value),
                Expr::Subscript(item) if !releases && !is_release(name) => self.allow(&item.value),
                _ => {}
            }
        }
        let values = call.keywords.iter().map(|keyword| &keyword.value);
        for argument in call.args.iter().chain(values).filter(|one| one.is_name_expr()) {
            let asks = call.func.is_name_expr() && ASKING.contains(&tail(&call.func));
            let walks = call.func.is_name_expr() && [&WALKING[..], &CALLING[..]].concat().contains(&tail(&call.func));
            if asks || (!walks && treatment_of_items(setting.world, call, argument) == Treatment::Borrows) {
                self.allow(argument);
            }
        }
    }

    fn allow(&mut self, expr: &Expr) {
        if expr.is_name_expr() {
            self.harmless.insert(expr.start().to_u32());
        }
    }
}

fn is_release(method: &str) -> bool {
    super::callee::RELEASE_METHODS.contains(&method) || ["pop", "popleft", "popitem", "get", "copy"].contains(&method)
}

/// The name of the container in `files`, `files.items()`, `enumerate(files)`.
fn walked<'e>(iterable: &'e Expr, container: &str) -> Option<&'e Expr> {
    match iterable {
        Expr::Name(name) => (name.id.as_str() == container).then_some(iterable),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if WALKS.contains(&method.attr.as_str()) => walked(&method.value, container),
            Expr::Name(name) if WALKING.contains(&name.id.as_str()) => {
                call.args.iter().find_map(|one| walked(one, container))
            }
            _ => None,
        },
        _ => None,
    }
}
