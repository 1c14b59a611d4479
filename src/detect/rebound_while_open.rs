//! The name or the attribute that holds an open handle gets another one.

use std::collections::BTreeSet;

use super::obligation::Obligation;
use super::report::{acquisition, ending, finding, on_path, participle};
use super::{Analysed, Info, PythonResourceDetector, Resource, primary};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, ExprCall, ExprContext, Ranged, Stmt};
use crate::python::names::{Def, ScopeKind};
use crate::python::{Node, ScopeId, Span};

pub(super) struct ReboundWhileOpen;

impl PythonResourceDetector for ReboundWhileOpen {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ReboundWhileOpen,
            page: include_str!("pages/rebound-while-open.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let pattern = self.info().pattern;
        let reports = primary::all(module, pattern).filter_map(|obligation| {
            let what = acquisition(obligation);
            let Some(left) = &obligation.fate.left_open else {
                return replaced_on_self(module, obligation);
            };
            let message = format!(
                "{what} is not {} {}",
                participle(obligation),
                ending(module, left.how, left.at)
            );
            Some(on_path(module, pattern, obligation, left, message))
        });
        reports.collect()
    }
}

/// Words in the names of methods that are there to be called again.
const AGAIN: [&str; 12] = [
    "restart",
    "reopen",
    "reconnect",
    "rotate",
    "rollover",
    "reload",
    "refresh",
    "reset",
    "switch",
    "renew",
    "replace",
    "next_",
];
/// Methods that run once for each object.
const CONSTRUCTORS: [&str; 9] = [
    "__init__",
    "__post_init__",
    "__enter__",
    "__aenter__",
    "__new__",
    "setUp",
    "asyncSetUp",
    "setUpClass",
    "setup_method",
];

/// How sure it is that a method keeps the handle on `self` over one that is still open:
///
/// ```py
/// def reopen(self):
///     self.file = open(self.path)
/// ```
pub(super) fn over_an_open_one<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Confidence> {
    let attribute = obligation.on_self()?;
    let method = method_at(module, obligation)?;
    if CONSTRUCTORS.contains(&method.name) {
        return None;
    }
    let class = module.names.scope(method.class).node?;
    let stored = method.stores_at(attribute, obligation.span.start);
    let looks = method.looks_at(attribute, &mentioning(class, attribute), stored);
    if looks || method.ends_its_own(attribute, &obligation.resource, stored) {
        return None;
    }
    let others = || {
        module
            .obligations()
            .iter()
            .filter(|other| other.on_self() == Some(attribute))
    };
    let made_with_the_object = others().any(|other| {
        let maker = method_at(module, other);
        maker.is_some_and(|maker| {
            let is_first = maker.class == method.class && CONSTRUCTORS.contains(&maker.name);
            is_first && !maker.releases_after(attribute, other.span.start)
        })
    });
    if !made_with_the_object && method.releases_after(attribute, obligation.span.start) {
        return None;
    }
    let lower = method.name.to_lowercase();
    if made_with_the_object || AGAIN.iter().any(|word| lower.contains(word)) {
        Some(Confidence::Medium)
    } else {
        // Called from outside only, it may be meant to be called once.
        (!calls(class, method.name)).then_some(Confidence::Low)
    }
}

struct Method<'m> {
    class: ScopeId,
    name: &'m str,
    node: Node<'m>,
}

fn method_at<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Method<'m>> {
    let scope = module.names.scope(obligation.body);
    let class = scope
        .parent
        .filter(|parent| module.names.scope(*parent).kind == ScopeKind::Class)?;
    let node = scope.node?;
    let name = Def::of(node.as_stmt()?)?.name;
    Some(Method { class, name, node })
}

impl Method<'_> {
    /// The end of the statement that keeps the handle: until then the older one can be got hold of, as in
    /// `old, self.file = self.file, fresh`.
    fn stores_at(&self, attribute: &str, acquired_at: u32) -> u32 {
        let is_target = |target: &Expr| {
            let mut inner = Node::Expr(target).descendants().filter_map(Node::as_expr);
            inner.any(|expr| matches!(expr, Expr::Attribute(node) if node.attr.as_str() == attribute && matches!(node.ctx, ExprContext::Store)))
        };
        let stores = self.node.descendants().filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(assign)) if assign.targets.iter().any(is_target) => Some(node.span().end),
            _ => None,
        });
        stores.filter(|end| *end > acquired_at).min().unwrap_or(acquired_at)
    }

    /// Whether it releases what it has stored before it ends, whatever happens, so that it never finds an open one.
    fn ends_its_own(&self, attribute: &str, resource: &Resource, stored: u32) -> bool {
        let names = self.names_beside(attribute);
        let is_it = |expr: &Expr| match expr {
            Expr::Attribute(node) => node.attr.as_str() == attribute,
            Expr::Name(name) => names.contains(name.id.as_str()),
            _ => false,
        };
        let releases = |node: Node<'_>| match node {
            Node::Expr(Expr::Attribute(method)) => {
                is_it(&method.value) && resource.release.iter().any(|release| release == method.attr.as_str())
            }
            _ => false,
        };
        let mut after = self.node.descendants().filter(|node| node.span().start >= stored);
        after.any(|node| match node {
            Node::Stmt(Stmt::Try(node)) => {
                let cleanup = node.finalbody.iter();
                cleanup
                    .flat_map(|statement| Node::Stmt(statement).descendants())
                    .any(releases)
            }
            Node::WithItem(node) => resource.with_releases && is_it(&node.context_expr),
            _ => false,
        })
    }

    /// The names of `self.attribute = name = open(path)`.
    fn names_beside(&self, attribute: &str) -> BTreeSet<&str> {
        let is_it = |target: &Expr| matches!(target, Expr::Attribute(node) if node.attr.as_str() == attribute);
        let assigns = self.node.descendants().filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(node)) if node.targets.iter().any(is_it) => Some(&node.targets),
            _ => None,
        });
        let names = assigns.flatten().filter_map(Expr::as_name_expr);
        names.map(|name| name.id.as_str()).collect()
    }

    /// Whether it releases what it has just put there: nothing is open when it runs again.
    fn releases_after(&self, attribute: &str, at: u32) -> bool {
        let blocks = self.node.descendants().flat_map(Node::blocks);
        let mut blocks = blocks.collect::<Vec<_>>().into_iter();
        blocks.any(|block| is_followed_by_release(block, attribute, at))
    }

    /// Whether it reads the attribute, asks the object something or calls what releases, before `at`.
    fn looks_at(&self, attribute: &str, mentioning: &BTreeSet<&str>, at: u32) -> bool {
        let mut before = self.node.descendants().filter(|node| node.span().start < at);
        before.any(|node| match node {
            Node::Expr(Expr::Attribute(read)) => {
                read.attr.as_str() == attribute && matches!(read.ctx, ExprContext::Load)
            }
            Node::Stmt(Stmt::If(node)) => reads_self(Node::Expr(&node.test)),
            Node::Stmt(Stmt::While(node)) => reads_self(Node::Expr(&node.test)),
            Node::Stmt(Stmt::Assert(node)) => reads_self(Node::Expr(&node.test)),
            Node::Expr(Expr::Constant(text)) => text.value.as_str().is_some_and(|text| text == attribute),
            Node::Expr(Expr::Call(call)) => may_release(call, mentioning),
            _ => false,
        })
    }
}

/// Whether the statements after the one at `at` come to the release of the attribute on every way.
fn is_followed_by_release(block: &[Stmt], attribute: &str, at: u32) -> bool {
    let Some(first) = block
        .iter()
        .position(|one| Span::from(one.range()).contains(Span::at(at)))
    else {
        return false;
    };
    let after = &block[first + 1..];
    let releases = |statement: &Stmt| {
        let call = statement
            .as_expr_stmt()
            .and_then(|statement| statement.value.as_call_expr());
        let method = call.and_then(|call| call.func.as_attribute_expr());
        method.is_some_and(|method| {
            let object = method.value.as_attribute_expr();
            method.attr.as_str() == "close" && object.is_some_and(|object| object.attr.as_str() == attribute)
        })
    };
    let comes_to = |statement: &Stmt| match statement {
        Stmt::Try(node) => node.finalbody.iter().any(releases),
        other => releases(other),
    };
    let Some(last) = after.iter().position(comes_to) else {
        return false;
    };
    let mut between = after[..last].iter().flat_map(|one| Node::Stmt(one).descendants());
    !between.any(|node| matches!(node, Node::Stmt(Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_))))
}

fn reads_self(node: Node<'_>) -> bool {
    let mut names = node.descendants().filter_map(Node::as_expr);
    names.any(|expr| expr.as_name_expr().is_some_and(|name| name.id.as_str() == "self"))
}

/// `self.close()`, `super().reset()`, and a method of the class that has to do with the attribute.
fn may_release(call: &ExprCall, mentioning: &BTreeSet<&str>) -> bool {
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let on_self = matches!(&*method.value, Expr::Name(name) if name.id.as_str() == "self");
    let on_super = matches!(&*method.value, Expr::Call(_));
    let lower = method.attr.to_lowercase();
    let released = [
        "close",
        "stop",
        "shut",
        "clean",
        "clear",
        "reset",
        "release",
        "disconnect",
        "end",
        "del",
    ];
    (on_super || on_self) && released.iter().any(|word| lower.contains(word))
        || (on_self && mentioning.contains(method.attr.as_str()))
}

/// The methods of a class that have to do with an attribute.
fn mentioning<'m>(class: Node<'m>, attribute: &str) -> BTreeSet<&'m str> {
    let methods = class
        .children()
        .into_iter()
        .filter_map(|node| Some((node, Def::of(node.as_stmt()?)?)));
    let about = |node: Node<'_>| {
        let mut inner = node.descendants().filter_map(Node::as_expr);
        inner.any(|expr| matches!(expr, Expr::Attribute(node) if node.attr.as_str() == attribute))
    };
    methods
        .filter(|(node, _)| about(*node))
        .map(|(_, def)| def.name)
        .collect()
}

/// Whether the class itself calls the method.
fn calls(class: Node<'_>, method: &str) -> bool {
    let mut inner = class.descendants().filter_map(Node::as_expr);
    inner.any(|expr| match expr {
        Expr::Call(call) => matches!(&*call.func, Expr::Attribute(node) if node.attr.as_str() == method),
        _ => false,
    })
}

fn replaced_on_self<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let confidence = over_an_open_one(module, obligation)?;
    let attribute = obligation.on_self()?;
    let message = format!(
        "{} becomes `self.{attribute}`, and the one that was there is not {}",
        acquisition(obligation),
        participle(obligation)
    );
    let mut finding = finding(Pattern::ReboundWhileOpen, obligation, confidence, message);
    finding.suggestion = format!("release `self.{attribute}` before it gets another one");
    Some(finding)
}
