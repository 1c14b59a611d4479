//! What the mutators know can be acquired: `mutators/resources.toml`, what a user adds, and where its calls stand.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::facts::Facts;
use crate::python::Node;
use crate::python::ast::{Constant, Expr, ExprCall, Keyword};
use crate::python::names::BindingKind;

/// Streams that hold nothing.
pub(super) const IN_MEMORY: [&str; 2] = ["io.StringIO", "io.BytesIO"];

const STREAM_TYPES: [&str; 5] = [
    "io.BytesIO",
    "io.StringIO",
    "typing.IO",
    "typing.BinaryIO",
    "typing.TextIO",
];

/// One entry of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resource {
    pub(super) kind: String,
    callables: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    pub(super) release: String,
    pub(super) exit: Exit,
    #[serde(default)]
    pub(super) by_name: bool,
    only_with: Option<String>,
    never_with: Option<String>,
    #[serde(default)]
    never_writes: bool,
    #[serde(default)]
    adopts: bool,
    /// The methods before which it holds nothing; empty where the call itself acquires.
    #[serde(default)]
    pub(super) opened_by: Vec<String>,
    /// Those that open it first and go on, so that it is open if they fail.
    #[serde(default)]
    pub(super) opened_within: Vec<String>,
}

/// What the end of a `with` does to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Exit {
    Releases,
    More,
    Keeps,
    Absent,
}

impl Exit {
    /// As the table and pages write it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Releases => "releases",
            Self::More => "more",
            Self::Keeps => "keeps",
            Self::Absent => "absent",
        }
    }

    /// Whether the end of a `with` releases the resource.
    pub(super) const fn ends(self) -> bool {
        matches!(self, Self::Releases | Self::More)
    }
}

/// What a user says can be acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnResource {
    pub kind: String,
    /// Dotted names of functions and classes.
    pub callables: Vec<String>,
    /// The method that releases it.
    pub release: String,
    /// Whether the end of a `with` releases it.
    pub with: bool,
    /// A keyword that must be `True` in the call.
    pub only_with: Option<String>,
}

/// The entries of a user, which go before those of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(Vec<Resource>);

impl Own {
    pub(super) fn new(entries: Vec<OwnResource>) -> Self {
        let entries = entries.into_iter().map(|entry| Resource {
            kind: entry.kind,
            callables: entry.callables,
            methods: Vec::new(),
            release: entry.release,
            exit: if entry.with { Exit::Releases } else { Exit::Keeps },
            by_name: false,
            only_with: entry.only_with,
            never_with: None,
            never_writes: false,
            adopts: false,
            opened_by: Vec::new(),
            opened_within: Vec::new(),
        });
        Self(entries.collect())
    }

    pub(super) fn has(&self, callable: &str) -> bool {
        self.0
            .iter()
            .any(|entry| entry.callables.iter().any(|name| name == callable))
    }

    /// Whether some call acquires one of this kind, by these entries or the table.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.0.iter().chain(&TABLE.entries).any(|entry| entry.kind == kind)
    }
}

#[derive(Deserialize)]
struct File {
    makes: HashMap<String, String>,
    resource: Vec<Resource>,
}

struct Table {
    entries: Vec<Resource>,
    /// Function → the class of what it returns.
    makes: HashMap<String, String>,
    /// Dotted name → entries, in the order of the file.
    callables: HashMap<String, Vec<usize>>,
    /// Method name → (type, entry).
    methods: HashMap<String, Vec<(String, usize)>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("../../mutators/resources.toml")).expect("the embedded table is valid");
    let (mut callables, mut methods) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
    for (index, entry) in file.resource.iter().enumerate() {
        for name in &entry.callables {
            callables.entry(name.clone()).or_default().push(index);
        }
        for method in &entry.methods {
            let (class, name) = method.rsplit_once('.').expect("a method is written TYPE.method");
            let known = methods.entry(name.to_owned()).or_default();
            known.push((class.to_owned(), index));
        }
    }
    Table {
        entries: file.resource,
        makes: file.makes,
        callables,
        methods,
    }
});

/// The class of what a function returns, where the table says so.
pub(super) fn made_by(function: &str) -> Option<&'static str> {
    TABLE.makes.get(function).map(String::as_str)
}

/// Whether a call of this dotted name acquires, by the table.
pub(super) fn is_acquiring(callable: &str) -> bool {
    let is_method = |(class, name): (&str, &str)| {
        let known = TABLE.methods.get(name);
        known.is_some_and(|known| known.iter().any(|(of, _)| of == class))
    };
    TABLE.callables.contains_key(callable) || callable.rsplit_once('.').is_some_and(is_method)
}

/// Every callable of the table, sorted: what recall on our own mutants can rest on.
pub fn acquiring_callables() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE
        .entries
        .iter()
        .flat_map(|entry| entry.callables.iter().chain(&entry.methods))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The entry that a call belongs to, if it is sure to acquire.
pub(super) fn resource_of<'m>(facts: &Facts<'m>, expr: &Expr) -> Option<&'m Resource> {
    let Expr::Call(call) = expr else { return None };
    let entry = entry_of(facts, call)?;
    // The number that a pool is given is one of workers.
    let counts = matches!(entry.kind.as_str(), "executor" | "process-pool");
    if !counts && borrows_descriptor(call) {
        return None;
    }
    (entry.adopts || !wraps_stream(facts, call)).then_some(entry)
}

fn entry_of<'m>(facts: &Facts<'m>, call: &ExprCall) -> Option<&'m Resource> {
    let fits = |index: &usize| fits(&TABLE.entries[*index], call);
    if let Some(name) = facts.names.resolve(&call.func).qualified() {
        if facts.own.has(name) {
            let mut entries = facts.own.0.iter();
            return entries.find(|entry| entry.callables.iter().any(|known| known == name) && self::fits(entry, call));
        }
        let known = TABLE.callables.get(name)?;
        return known
            .iter()
            .find(|index| fits(index))
            .map(|index| &TABLE.entries[*index]);
    }
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let mut known = TABLE.methods.get(method.attr.as_str())?.iter();
    known
        .find(|(class, index)| fits(index) && facts.is_instance(&method.value, class))
        .map(|(_, index)| &TABLE.entries[*index])
}

/// Whether the keywords of the call are those that the entry is about.
fn fits(entry: &Resource, call: &ExprCall) -> bool {
    let given = |name: &str| {
        call.keywords
            .iter()
            .find(|keyword| keyword.arg.as_deref() == Some(name))
    };
    let open = call.keywords.iter().any(|keyword| keyword.arg.is_none());
    let is_true =
        |keyword: &Keyword| matches!(&keyword.value, Expr::Constant(node) if node.value == Constant::Bool(true));
    let flagged = entry
        .only_with
        .as_deref()
        .is_none_or(|name| given(name).is_some_and(is_true));
    let barred = entry
        .never_with
        .as_deref()
        .is_some_and(|name| open || given(name).is_some());
    let values = call.args.iter().skip(1).chain(given("mode").map(|mode| &mode.value));
    let writes =
        |value: &Expr| matches!(value, Expr::Constant(node) if node.value.as_str().is_some_and(|mode| mode == "w"));
    let written = entry.never_writes && values.into_iter().any(writes);
    flagged && !barred && !written
}

/// Every acquiring call inside `expr`, itself excluded.
pub(super) fn nested_acquisitions(facts: &Facts<'_>, expr: &Expr) -> usize {
    let inner = Node::Expr(expr).descendants().skip(1).filter_map(Node::as_expr);
    inner.filter(|inner| resource_of(facts, inner).is_some()).count()
}

/// `open(0)`, `open(sys.stdin.fileno())`, `open(fd, closefd=False)`: what is closed here is not all
/// that was opened elsewhere.
fn borrows_descriptor(call: &ExprCall) -> bool {
    let keyword = call
        .keywords
        .iter()
        .any(|keyword| keyword.arg.as_deref() == Some("closefd") || keyword.arg.is_none());
    let number = call
        .args
        .first()
        .is_some_and(|arg| matches!(arg, Expr::Constant(constant) if matches!(constant.value, Constant::Int(_))));
    keyword || number || call.args.first().is_some_and(|arg| is_method_call(arg, "fileno"))
}

/// `ZipFile(BytesIO(data))`, `GzipFile("", "wb", 9, raw)`: they read from a stream that is another's, or
/// that holds nothing. `open` takes no streams.
fn wraps_stream(facts: &Facts<'_>, call: &ExprCall) -> bool {
    let keyword = call
        .keywords
        .iter()
        .any(|keyword| keyword.arg.as_deref() == Some("fileobj"));
    let resolved = facts.names.resolve(&call.func);
    let callee = resolved.qualified().unwrap_or_default();
    let given = FILEOBJ
        .iter()
        .any(|(name, at)| *name == callee && call.args.len() > *at);
    let streams = |arg: &Expr| is_stream(facts, arg) || is_used_as_stream(facts, arg);
    keyword || given || !OPEN.contains(&callee) && call.args.first().is_some_and(streams)
}

/// Where they take a stream in a place of its own.
const FILEOBJ: [(&str, usize); 4] = [
    ("gzip.GzipFile", 3),
    ("tarfile.open", 2),
    ("tarfile.TarFile", 2),
    ("tarfile.TarFile.open", 2),
];

/// What paths have not, and streams have.
const STREAM_METHODS: [&str; 9] = [
    "fileno", "flush", "getvalue", "read", "readline", "seek", "tell", "truncate", "write",
];

/// `run.seek(0)` says that `run` is no path.
fn is_used_as_stream(facts: &Facts<'_>, expr: &Expr) -> bool {
    let Expr::Name(name) = expr else { return false };
    let scope = facts.names.scope_at(name.range.start().to_u32());
    facts.module.nodes().filter_map(Node::as_expr).any(|used| match used {
        Expr::Attribute(node) => {
            STREAM_METHODS.contains(&node.attr.as_str())
                && matches!(&*node.value, Expr::Name(other) if other.id == name.id)
                && facts.names.scope_at(node.range.start().to_u32()) == scope
        }
        _ => false,
    })
}

const OPEN: [&str; 3] = ["builtins.open", "io.open", "codecs.open"];

fn is_stream(facts: &Facts<'_>, expr: &Expr) -> bool {
    if STREAM_TYPES.iter().any(|class| facts.is_instance(expr, class)) {
        return true;
    }
    match expr {
        Expr::Call(call) => facts
            .names
            .resolve(&call.func)
            .qualified()
            .is_some_and(|made| facts.own.has(made) || TABLE.callables.contains_key(made)),
        Expr::Name(name) => {
            let bindings = facts
                .names
                .bindings(&name.id, facts.names.scope_at(name.range.start().to_u32()));
            bindings.iter().any(|binding| match binding.kind {
                BindingKind::With { .. } => true,
                BindingKind::Assign { value: Some(value) } => value.is_call_expr() && is_stream(facts, value),
                _ => false,
            })
        }
        _ => false,
    }
}

fn is_method_call(expr: &Expr, method: &str) -> bool {
    matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Attribute(function) if function.attr.as_str() == method))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_embedded_table_can_be_read() {
        let names = super::acquiring_callables();
        assert!(names.contains(&"builtins.open"));
        let mut unique = names.clone();
        unique.dedup();
        assert_eq!(names, unique);
    }
}
