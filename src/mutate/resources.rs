//! What the mutators know can be acquired: `mutators/resources.toml`, and where its calls stand.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::facts::Facts;
use crate::python::Node;
use crate::python::ast::{Constant, Expr, ExprCall};
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
#[derive(Debug, Deserialize)]
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
}

/// What the end of a `with` does to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Exit {
    Releases,
    More,
    Keeps,
}

#[derive(Deserialize)]
struct File {
    resource: Vec<Resource>,
}

struct Table {
    entries: Vec<Resource>,
    callables: HashMap<String, usize>,
    /// Method name → (type, entry).
    methods: HashMap<String, (String, usize)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("../../mutators/resources.toml")).expect("the embedded table is valid");
    let (mut callables, mut methods) = (HashMap::new(), HashMap::new());
    for (index, entry) in file.resource.iter().enumerate() {
        callables.extend(entry.callables.iter().map(|name| (name.clone(), index)));
        for method in &entry.methods {
            let (class, name) = method.rsplit_once('.').expect("a method is written TYPE.method");
            methods.insert(name.to_owned(), (class.to_owned(), index));
        }
    }
    Table {
        entries: file.resource,
        callables,
        methods,
    }
});

/// Every callable of the table, sorted: what recall on our own mutants can rest on.
pub fn acquiring_callables() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE
        .entries
        .iter()
        .flat_map(|entry| entry.callables.iter().chain(&entry.methods))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// The entry that a call belongs to, if it is sure to acquire.
pub(super) fn resource_of(facts: &Facts<'_>, expr: &Expr) -> Option<&'static Resource> {
    let Expr::Call(call) = expr else { return None };
    if borrows_descriptor(call) || wraps_stream(facts, call) {
        return None;
    }
    if let Some(name) = facts.names.resolve(&call.func).qualified() {
        return TABLE.callables.get(name).map(|index| &TABLE.entries[*index]);
    }
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let (class, index) = TABLE.methods.get(method.attr.as_str())?;
    facts.is_instance(&method.value, class).then(|| &TABLE.entries[*index])
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

/// `ZipFile(BytesIO(data))`, `GzipFile(fileobj=raw)`: they read from a stream that is another's, or
/// that holds nothing. `open` takes no streams.
fn wraps_stream(facts: &Facts<'_>, call: &ExprCall) -> bool {
    let keyword = call
        .keywords
        .iter()
        .any(|keyword| keyword.arg.as_deref() == Some("fileobj"));
    let opens_paths = facts
        .names
        .resolve(&call.func)
        .qualified()
        .is_some_and(|name| OPEN.contains(&name));
    keyword || !opens_paths && call.args.first().is_some_and(|arg| is_stream(facts, arg))
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
            .is_some_and(|made| TABLE.callables.contains_key(made)),
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
