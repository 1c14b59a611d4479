//! The detectors' own table of acquiring callables, and what a user adds to it. The mutators have
//! another: recall against a shared table would only measure that table.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;

/// One way of acquiring and releasing; see the head of `resources.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the table")]
pub struct Resource {
    pub kind: String,
    pub acquire: Vec<String>,
    #[serde(default)]
    pub release: Vec<String>,
    #[serde(default)]
    pub functions: Vec<String>,
    #[serde(default = "yes", rename = "with")]
    pub with_releases: bool,
    #[serde(default)]
    pub parts: Vec<usize>,
    #[serde(default, rename = "type")]
    pub class: Option<String>,
    #[serde(default)]
    pub quiet: Vec<String>,
    /// Users write `only-if` and `ends-itself`, as all keys of their configuration.
    #[serde(default, alias = "only-if")]
    pub only_if: Option<String>,
    #[serde(default)]
    pub unless: Option<String>,
    /// Without this parameter, its first, it acquires nothing yet.
    #[serde(default)]
    pub needs: Option<String>,
    /// It ends with the object whose method acquires it.
    #[serde(default)]
    pub of_parent: bool,
    /// It opens nothing before its first use.
    #[serde(default)]
    pub lazy: bool,
    /// Iterated to its end, it closes itself.
    #[serde(default, alias = "ends-itself")]
    pub ends_itself: bool,
    /// It belongs to an event loop.
    #[serde(default, rename = "async")]
    pub is_async: bool,
    /// Those of its release methods that are coroutines: unless they are awaited they release nothing.
    #[serde(default)]
    pub awaited: Vec<String>,
}

impl Resource {
    /// Whether what is held is the object whose method acquires: `lock.acquire()`.
    pub(super) fn is_receiver(&self) -> bool {
        self.kind == "lock"
    }

    /// Whether it lies on disk and is known by its path.
    pub(super) fn is_path(&self) -> bool {
        self.kind == "temporary-path"
    }
}

/// A parameter of a callable: its name and its place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Parameter(pub(super) Cow<'static, str>, pub(super) usize);

/// Callables that may work on a stream which they do not own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverStream {
    acquire: Vec<String>,
    /// Where the stream is handed in.
    pub(super) stream: Parameter,
    pub(super) mode: Parameter,
    /// Whether that is never a path.
    #[serde(default)]
    pub(super) only: bool,
}

fn yes() -> bool {
    true
}

/// What callables do with a handle among their arguments.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    #[serde(default)]
    pub wraps: BTreeSet<String>,
    /// The result is the handle itself.
    #[serde(default)]
    pub passes: BTreeSet<String>,
    #[serde(default)]
    pub keeps: BTreeSet<String>,
    #[serde(default)]
    pub borrows: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    resource: Vec<Resource>,
    #[serde(default)]
    over_stream: Vec<OverStream>,
    #[serde(default)]
    returns: BTreeMap<String, String>,
    #[serde(default)]
    arguments: Arguments,
}

/// All resources, by the callables that acquire them.
#[derive(Clone, Debug)]
pub(super) struct Table {
    resources: Vec<Resource>,
    by_callable: BTreeMap<String, usize>,
    /// What such callables give without the parameter that they need.
    unopened: BTreeMap<String, Resource>,
    /// The last parts of all callables, so that most calls are passed over without resolving them.
    tails: BTreeSet<String>,
    /// The methods that release one resource or another.
    releases: BTreeSet<String>,
    /// Functions that release their first argument.
    releasing: BTreeSet<String>,
    /// What is released in any of the usual ways; for parameters.
    any: Resource,
    over_streams: Vec<OverStream>,
    /// The classes of what other callables give.
    returns: BTreeMap<String, String>,
    pub(super) arguments: Arguments,
    /// Whether what a resource does not name as its release is none: `kill` reaps no child.
    pub(super) only_named_releases: bool,
}

/// How the standard library's top-level modules are called.
const STANDARD: &str = include_str!("standard.txt");

impl Table {
    /// The built-in table with a user's entries, which win over built-in ones.
    pub(super) fn with(extra: &[Resource]) -> Self {
        let mut table = Self::of(built_in());
        for resource in extra {
            table.add(resource.clone());
        }
        table
    }

    /// Locks, children, threads and whatever else has a life rather than a handle.
    pub(super) fn of_lifecycles() -> Self {
        let mut table = Self::of(lifecycles());
        table.only_named_releases = true;
        let each = table.resources.iter().flat_map(|resource| resource.release.clone());
        table.any.release = each.collect();
        table
    }

    fn of(file: File) -> Self {
        let File {
            resource,
            over_stream,
            returns,
            arguments,
        } = file;
        let mut table = Self {
            resources: Vec::new(),
            by_callable: BTreeMap::new(),
            unopened: BTreeMap::new(),
            tails: BTreeSet::new(),
            releases: BTreeSet::new(),
            releasing: BTreeSet::new(),
            any: any(),
            over_streams: over_stream,
            returns,
            arguments,
            only_named_releases: false,
        };
        for resource in resource {
            table.add(resource);
        }
        table
    }

    fn add(&mut self, resource: Resource) {
        for callable in &resource.acquire {
            let tail = callable.rsplit('.').next().unwrap_or(callable);
            self.tails.insert(tail.to_owned());
            self.by_callable.insert(callable.clone(), self.resources.len());
            if resource.needs.is_some() {
                let lazy = Resource {
                    lazy: true,
                    ..resource.clone()
                };
                self.unopened.insert(callable.clone(), lazy);
            }
        }
        self.releases.extend(resource.release.iter().cloned());
        self.releasing.extend(resource.functions.iter().cloned());
        self.resources.push(resource);
    }

    pub(super) fn acquired_by(&self, callable: &str) -> Option<&Resource> {
        let named = || {
            let (_, tail) = callable.rsplit_once('.').filter(|(_, tail)| self.knows_tail(tail))?;
            self.by_callable.get(&format!("*.{tail}"))
        };
        let at = self.by_callable.get(callable).or_else(named)?;
        Some(&self.resources[*at])
    }

    pub(super) fn unopened_by(&self, callable: &str) -> Option<&Resource> {
        self.unopened.get(callable)
    }

    /// The class of what the callable gives: what the table says, or the callable itself.
    pub(super) fn class_made_by<'n>(&'n self, callable: &'n str) -> &'n str {
        let acquired = self
            .acquired_by(callable)
            .and_then(|resource| resource.class.as_deref());
        acquired.unwrap_or_else(|| self.returns.get(callable).map_or(callable, String::as_str))
    }

    pub(super) fn over_stream(&self, callable: &str) -> Option<&OverStream> {
        let knows = |over: &&OverStream| over.acquire.iter().any(|name| name == callable);
        self.over_streams.iter().find(knows)
    }

    /// A resource of unknown kind.
    pub(super) fn any(&self) -> &Resource {
        &self.any
    }

    /// What classes are called whose instances acquire when they are called.
    pub(super) fn factories(&self) -> impl Iterator<Item = &str> {
        let called = self
            .by_callable
            .keys()
            .filter_map(|name| name.strip_suffix(".__call__"));
        called.map(|class| class.rsplit('.').next().unwrap_or(class))
    }

    /// Whether any acquiring callable ends in this name.
    pub(super) fn knows_tail(&self, tail: &str) -> bool {
        self.tails.contains(tail)
    }

    /// Whether the method releases some resource.
    pub(super) fn names_release(&self, method: &str) -> bool {
        self.releases.contains(method)
    }

    pub(super) fn releases_by_function(&self, callable: &str) -> bool {
        self.releasing.contains(callable)
    }

    /// Whether the callable belongs to a library that only borrows what it is handed.
    pub(super) fn borrows(&self, callable: &str) -> bool {
        let root = callable.split('.').next().unwrap_or(callable);
        root == "builtins" || is_standard(root) || self.arguments.borrows.contains(root)
    }
}

pub(super) fn is_standard(root: &str) -> bool {
    static MODULES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    MODULES
        .get_or_init(|| STANDARD.split_whitespace().collect())
        .contains(root)
}

fn any() -> Resource {
    let release = [
        "close",
        "aclose",
        "detach",
        "quit",
        "disconnect",
        "cleanup",
        "terminate",
        "shutdown",
        "stop",
        "finalize",
    ];
    Resource {
        kind: "any".to_owned(),
        acquire: Vec::new(),
        release: release.map(str::to_owned).to_vec(),
        functions: Vec::new(),
        with_releases: true,
        parts: Vec::new(),
        class: None,
        quiet: Vec::new(),
        only_if: None,
        unless: None,
        needs: None,
        of_parent: false,
        lazy: false,
        ends_itself: false,
        is_async: false,
        awaited: Vec::new(),
    }
}

/// Dotted names of the callables that the built-in table knows to acquire, sorted and each once; to
/// print how far another table overlaps with it.
pub fn acquiring_callables() -> Vec<&'static str> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let files = [built_in(), lifecycles()].into_iter();
        let resources = files.flat_map(|file| file.resource);
        resources.flat_map(|resource| resource.acquire).collect()
    });
    names.iter().map(String::as_str).collect()
}

fn built_in() -> File {
    toml::from_str(include_str!("resources.toml")).expect("a test reads the embedded table")
}

fn lifecycles() -> File {
    toml::from_str(include_str!("lifecycles.toml")).expect("a test reads the embedded table")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Config, suites, suites_with};
    use crate::python::{Module, Source};

    #[test]
    fn acquiring_callables_are_sorted_and_each_named_once() {
        let names = acquiring_callables();
        assert!(names.is_sorted_by(|one, next| one < next));
        assert!(names.contains(&"builtins.open") && names.contains(&"socket.socket.accept"));
    }

    #[test]
    fn the_embedded_tables_are_valid_and_name_each_callable_once() {
        for file in [built_in(), lifecycles()] {
            let all: Vec<_> = file.resource.iter().flat_map(|resource| &resource.acquire).collect();
            let distinct: BTreeSet<_> = all.iter().collect();
            assert_eq!(all.len(), distinct.len());
            for resource in &file.resource {
                assert!(
                    !resource.release.is_empty() || !resource.functions.is_empty(),
                    "{}",
                    resource.kind
                );
            }
        }
    }

    /// A call of the callable as a module writes it that imports the root of its name; `None` where only a type or an
    /// import can tell.
    fn call_of(resource: &Resource, callable: &str) -> Option<String> {
        let plain = callable.strip_prefix("builtins.").unwrap_or(callable);
        // What is reported only as a part of something else.
        let is_part = ["pipe", "process-queue"].contains(&resource.kind.as_str());
        let is_written = !callable.starts_with("*.") && !callable.ends_with(".__call__") && !is_part;
        let keyword = resource
            .only_if
            .as_deref()
            .map_or(String::new(), |condition| format!(", {condition}"));
        is_written.then(|| format!("{plain}('path'{keyword})"))
    }

    fn is_reported(code: &str) -> bool {
        let module = Module::parse("m.py", Source::from_text(code)).unwrap();
        let of_handles = |finding: &crate::leak::Finding| {
            let lives = ["temp-left-behind", "child-not-reaped", "fragile-release"];
            !lives.contains(&finding.rule.as_str())
        };
        suites()[0].findings(&module).iter().any(of_handles)
    }

    /// A function that acquires, with a line behind that.
    fn function(callable: &str, line: &str) -> String {
        let root = callable.split('.').next().unwrap();
        let others = ["numpy", "os", "PIL", "posix", "pytesseract", "socket", "winreg"];
        let others = others.into_iter().filter(|other| *other != root);
        let imports = others.fold(String::new(), |all, other| all + "import " + other + "\n");
        format!("import {root}\n{imports}async def f(use):\n{line}")
    }

    #[test]
    fn everything_in_the_table_is_missed_when_it_is_left_and_not_when_it_is_released() {
        let mut wrong = Vec::new();
        // Of queues between processes, only the owner's are reported.
        let table = built_in();
        for resource in table.resource.iter().filter(|one| one.kind != "process-queue") {
            for callable in &resource.acquire {
                let Some(call) = call_of(resource, callable) else {
                    continue;
                };
                let (target, held) = match resource.parts.first() {
                    Some(part) => (["a, b", "_, a"][*part], "a"),
                    None => ("a", "a"),
                };
                let make = format!("    {target} = {call}\n");
                if !is_reported(&function(callable, &format!("{make}    use.count += 1\n"))) {
                    wrong.push(format!("{callable} is not reported"));
                }
                for method in &resource.release {
                    let release = format!("{make}    await {held}.{method}()\n");
                    if resource.parts.len() < 2 && is_reported(&function(callable, &release)) {
                        wrong.push(format!("{callable} is reported in spite of {method}"));
                    }
                }
                for name in resource.functions.iter().filter(|_| resource.parts.len() < 2) {
                    let release = format!("{make}    {name}({held})\n");
                    if is_reported(&function(callable, &release)) {
                        wrong.push(format!("{callable} is reported in spite of {name}"));
                    }
                }
                if resource.parts.is_empty() && !resource.release.is_empty() {
                    let entered = format!("    with {call} as a:\n        use.count += 1\n");
                    if is_reported(&function(callable, &entered)) == resource.with_releases {
                        wrong.push(format!("`with` of {callable}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn users_may_say_all_that_the_built_in_table_says() {
        let text = "
            [[resource]]
            kind = 'lease'
            acquire = ['pool.lease', 'pool.Pool.lend', 'builtins.open']
            release = ['give_back', 'end']
            awaited = ['end']
            functions = ['pool.take']
            with = false
            type = 'pool.Lease'
            quiet = ['name']
            only_if = 'kept=True'
            unless = 'lent'
            of_parent = true
            async = true
            [[resource]]
            kind = 'walk'
            acquire = ['pool.walk']
            release = ['end']
            ends_itself = true
            [[resource]]
            kind = 'pair'
            acquire = ['pool.pair']
            release = ['end']
            parts = [1]
            [[resource]]
            kind = 'call'
            acquire = ['pool.call']
            release = ['end']
            needs = 'host'
        ";
        let config: Config = toml::from_str(text).unwrap();
        let code = "
import pool
async def f(path):
    a = pool.lease(kept=True)  # leak
    b = pool.lease(kept=True)
    b.give_back()
    c = pool.lease(kept=True)
    pool.take(c)
    d = pool.lease(kept=True)
    await d.end()
    e = pool.lease(kept=True)  # leak
    e.end()
    with pool.lease(kept=True) as g:  # leak
        print(g)
    h = pool.lease()
    i = pool.lease(kept=True, lent=path)
    walk = pool.walk()
    for each in walk:
        print(each)
    j = open(path)
    k, l = pool.pair()  # leak
    m, n = pool.pair()
    n.end()
    o = pool.call(timeout=1)
    p = pool.call(path)  # leak
    q = pool.call(timeout=1, host=path)  # leak
def g(some: pool.Pool):
    lent = some.lend(kept=True)  # leak
";
        let module = Module::parse("m.py", Source::from_text(code)).unwrap();
        let found = suites_with(&config)[0].findings(&module);
        let sure = found
            .iter()
            .filter(|finding| finding.confidence > crate::leak::Confidence::Low);
        let lines: BTreeSet<_> = sure
            .map(|finding| module.lines.line_of(finding.span.start) as usize)
            .collect();
        let marked = code.lines().enumerate().filter(|(_, line)| line.ends_with("# leak"));
        assert_eq!(lines, marked.map(|(at, _)| at).collect());
    }
}
