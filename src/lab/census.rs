//! Figures of realism: what a corpus acquires and where, so that ours can be held beside real code.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::corpus::Corpus;
use super::error::LabError;
use super::guard::caught;
use super::load::{Loaded, load};
use super::plan::{Choice, plan};
use super::watch::Watch;
use crate::mutate::{Declined, Pages, Quota, declined};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::{Module, Names, Node};
use crate::record::row::UnparsedRow;

/// What ends the life of a resource, whichever it is.
const RELEASES: [&str; 12] = [
    "cleanup",
    "close",
    "detach",
    "disconnect",
    "kill",
    "quit",
    "release",
    "server_close",
    "shutdown",
    "stop",
    "terminate",
    "wait",
];

/// One call that acquires, by the mutators' table and what a user added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquisition {
    pub in_method: bool,
    /// The builtin `open`.
    pub plain_open: bool,
    /// Whether a branch or a loop stands between it and its release, as far as one block shows both.
    pub branch_before_release: bool,
}

pub fn acquisitions(module: &Module, pages: &Pages) -> Vec<Acquisition> {
    let mut scan = Scan {
        names: Names::new(module),
        pages,
        found: Vec::new(),
    };
    scan.block(&module.body, Around::Module);
    scan.found
}

/// What encloses a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Module,
    Class,
    Function,
    Method,
}

struct Scan<'m> {
    names: Names<'m>,
    pages: &'m Pages,
    found: Vec<Acquisition>,
}

impl Scan<'_> {
    fn block(&mut self, block: &[Stmt], around: Around) {
        for (at, statement) in block.iter().enumerate() {
            for call in own_calls(statement) {
                self.call(call, statement, &block[at + 1..], around);
            }
            let inside = match (statement, around) {
                (Stmt::ClassDef(_), _) => Around::Class,
                (Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_), Around::Class | Around::Method) => Around::Method,
                (Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_), _) => Around::Function,
                _ => around,
            };
            let node = Node::Stmt(statement);
            let clauses = node
                .children()
                .into_iter()
                .filter(|child| matches!(child, Node::Handler(_) | Node::Case(_)));
            for inner in std::iter::once(node).chain(clauses).flat_map(Node::blocks) {
                self.block(inner, inside);
            }
        }
    }

    fn call(&mut self, call: &ExprCall, statement: &Stmt, after: &[Stmt], around: Around) {
        let resolved = self.names.resolve(&call.func);
        let Some(name) = resolved.qualified().filter(|name| self.pages.acquires(name)) else {
            return;
        };
        let between = match statement {
            Stmt::With(node) => holds_branch(&node.body),
            Stmt::AsyncWith(node) => holds_branch(&node.body),
            _ => holds_branch(until_release(after)),
        };
        self.found.push(Acquisition {
            in_method: around == Around::Method,
            plain_open: name == "builtins.open",
            branch_before_release: between,
        });
    }
}

/// Calls in the expressions of a statement, not in the statements below it.
fn own_calls(statement: &Stmt) -> Vec<&ExprCall> {
    let mut calls = Vec::new();
    let mut stack = Node::Stmt(statement).children();
    while let Some(node) = stack.pop() {
        match node {
            Node::Stmt(_) => continue,
            Node::Expr(Expr::Call(call)) => calls.push(call),
            _ => {}
        }
        stack.extend(node.children());
    }
    calls.sort_by_key(|call| call.range().start());
    calls
}

fn holds_branch(block: &[Stmt]) -> bool {
    let nodes = block.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    let is_branch = |statement: &Stmt| {
        matches!(
            statement,
            Stmt::If(_) | Stmt::For(_) | Stmt::AsyncFor(_) | Stmt::While(_) | Stmt::Match(_)
        )
    };
    nodes.filter_map(Node::as_stmt).any(is_branch)
}

/// The statements up to the one that calls something like `close`; none if no such one follows.
fn until_release(after: &[Stmt]) -> &[Stmt] {
    let releases = |statement: &Stmt| {
        let calls = Node::Stmt(statement).descendants().filter_map(Node::as_expr);
        let mut functions = calls.filter_map(|expr| expr.as_call_expr()).map(|call| &*call.func);
        functions.any(|function| matches!(function, Expr::Attribute(node) if RELEASES.contains(&node.attr.as_str())))
    };
    let end = after.iter().position(releases).map_or(0, |at| at + 1);
    &after[..end]
}

/// The figures of some corpora together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub modules: usize,
    pub blind_modules: usize,
    pub lines: u64,
    pub acquisitions: usize,
    pub in_methods: usize,
    pub with_branch: usize,
    pub plain_open: usize,
    /// By mutator: sites, and modules that have one.
    pub sites: BTreeMap<String, (usize, usize)>,
    /// By mutator: how many places of its shape each of its conditions turned down.
    pub declined: Declined,
}

/// Sites are of all modules, shares of those that are not blind; what declined is counted if `with_declined`.
/// `None` if it was interrupted.
pub fn census(
    corpora: &[Corpus],
    pages: &Pages,
    with_declined: bool,
    watch: &dyn Watch,
) -> Result<Option<(Census, Vec<UnparsedRow>)>, LabError> {
    let (loaded, mut rejected) = load(corpora, watch)?;
    let choice = Choice {
        pages,
        patterns: &[],
        quota: Quota::default(),
    };
    let Some(plan) = plan(&loaded, &choice, watch) else {
        return Ok(None);
    };
    rejected.extend(plan.unparsed);
    let mut census = Census {
        modules: plan.modules.len(),
        blind_modules: plan.modules.iter().filter(|planned| planned.text.tags.blind).count(),
        lines: plan.modules.iter().map(|planned| planned.lines).sum(),
        ..Census::default()
    };
    for page in pages.list() {
        census.sites.insert(page.id.clone(), (0, 0));
    }
    for planned in &plan.modules {
        let mutators: Vec<&str> = planned.mutants.iter().map(|mutant| mutant.mutator.as_str()).collect();
        let here: BTreeSet<&str> = mutators.iter().copied().collect();
        for mutator in here {
            let (sites, modules) = census.sites.entry(mutator.to_owned()).or_default();
            *sites += mutators.iter().filter(|other| **other == mutator).count();
            *modules += 1;
        }
    }
    add_acquisitions(&mut census, &loaded, pages);
    if with_declined {
        add_declined(&mut census, &loaded, pages);
    }
    Ok(Some((census, rejected)))
}

fn add_declined(census: &mut Census, corpora: &[Loaded], pages: &Pages) {
    for corpus in corpora {
        let by_module = corpus.texts.par_iter().map(|text| {
            let of_module = caught(|| {
                let module = Module::parse(&text.path, text.source.clone());
                module.map_or_else(|_| Declined::new(), |module| declined(pages, &module, &corpus.index))
            });
            of_module.unwrap_or_default()
        });
        for (mutator, by_reason) in by_module.collect::<Vec<_>>().into_iter().flatten() {
            let counts = census.declined.entry(mutator).or_default();
            for (reason, count) in by_reason {
                *counts.entry(reason).or_default() += count;
            }
        }
    }
}

/// Blind modules are left out: the shares are demanded of the others.
fn add_acquisitions(census: &mut Census, corpora: &[Loaded], pages: &Pages) {
    let texts = corpora.iter().flat_map(|corpus| &corpus.texts);
    let open: Vec<_> = texts.filter(|text| !text.tags.blind).collect();
    let found = open.par_iter().flat_map_iter(|text| {
        let module = Module::parse(&text.path, text.source.clone());
        module.map(|module| acquisitions(&module, pages)).unwrap_or_default()
    });
    for acquisition in found.collect::<Vec<_>>() {
        census.acquisitions += 1;
        census.in_methods += usize::from(acquisition.in_method);
        census.with_branch += usize::from(acquisition.branch_before_release);
        census.plain_open += usize::from(acquisition.plain_open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Source;

    #[test]
    fn acquisitions_are_counted_with_what_stands_around_them() {
        let text = "import socket\nclass A:\n    def f(self, p):\n        with open(p) as h:\n            for x in h:\n                \
                    print(x)\ndef g():\n    s = socket.socket()\n    s.send(b'')\n    s.close()\n";
        let module = Module::parse("a.py", Source::from_text(text)).unwrap();
        let found = acquisitions(&module, &Pages::built_in());
        assert_eq!(found.len(), 2);
        assert!(found[0].in_method && found[0].plain_open && found[0].branch_before_release);
        assert!(!found[1].in_method && !found[1].plain_open && !found[1].branch_before_release);
    }
}
