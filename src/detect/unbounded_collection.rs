//! A collection that lives long, that functions fill and nobody empties.

use super::memory::collection::{Bound, Collection, Growth, Kind, Root, may_be_of};
use super::memory::domain::{self, Domain};
use super::memory::lifetime::{self, Stay};
use super::memory::{registry, tail};
use super::report::related;
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{CmpOp, Expr, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, chain};
use crate::python::{Node, ScopeId};

pub(super) struct UnboundedCollection;

impl PythonResourceDetector for UnboundedCollection {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::UnboundedCollection,
            page: include_str!("pages/unbounded-collection.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = module.collections().iter();
        let plain = all.filter(|collection| !is_cache(module, collection));
        plain.filter_map(|collection| report(module, collection)).collect()
    }
}

/// Whether functions look a key up before they put it in.
pub(super) fn is_cache(module: &Analysed<'_>, collection: &Collection<'_>) -> bool {
    if !matches!(collection.kind, Kind::Mapping | Kind::DefaultMapping) {
        return false;
    }
    let text = |key: &Expr| text_at(module.module.text(), key.range().into());
    let is_looked_up = |growth: &Growth<'_>| {
        let Some(key) = growth.by.key else { return false };
        let sets_default = matches!(growth.by.at, Expr::Call(_));
        let mut lookups = collection.lookups.iter();
        let asked = lookups.any(|(function, asked)| *function == growth.function && text(asked) == text(key));
        (sets_default || asked) && growth.by.value.is_some_and(|value| is_computed(value, collection.name))
    };
    let is_of_cache = match collection.root {
        Root::Class(class) | Root::Instance(class) => module.names.scope(class).name().ends_with("Cache"),
        _ => false,
    };
    is_of_cache
        || is_word_of(collection.name, &["cache", "cached", "memo", "memos"])
        || collection.growths.iter().any(is_looked_up)
}

/// A cache keeps what was worked out; a mark, a count or a group that begins is none.
fn is_computed(value: &Expr, collection: &str) -> bool {
    let counts = || {
        Node::Expr(value)
            .descendants()
            .filter_map(Node::as_expr)
            .any(|part| tail(part) == Some(collection))
    };
    let begins = match value {
        Expr::List(node) => node.elts.is_empty(),
        Expr::Dict(node) => node.keys.is_empty(),
        Expr::Call(call) => call.args.is_empty() && matches!(tail(&call.func), Some("list" | "dict" | "set" | "deque")),
        Expr::Constant(_) => true,
        _ => false,
    };
    !begins && !counts()
}

/// The first growths tell enough.
const MAX_GROWTHS: usize = 50;

/// How sure it is that the collection grows as long as the program runs, and by which growth.
pub(super) fn weigh<'a, 'm>(
    module: &Analysed<'m>,
    collection: &'a Collection<'m>,
) -> Option<(&'a Growth<'m>, Confidence)> {
    if collection.is_bounded() {
        return None;
    }
    if is_word_of(collection.name, &TABLES)
        || is_made_to_inherit(module, collection)
        || is_of_options(module, collection)
    {
        return None;
    }
    let stay = match collection.root {
        Root::Instance(class) => lifetime::stay(module, class),
        _ => Stay::Process,
    };
    if collection.escapes && matches!(collection.root, Root::Instance(_)) {
        return None;
    }
    let is_ring = collection.kind == Kind::Deque;
    let is_shared = match collection.root {
        Root::Instance(class) => is_cache(module, collection) && lifetime::is_shared(&module.names, class),
        _ => false,
    };
    let is_known = stay != Stay::Unknown || is_ring || is_shared;
    if !is_known && !is_meant_to_be_bounded(module, collection) && !is_left_behind(module, collection) {
        return None;
    }
    let weighed = collection
        .growths
        .iter()
        .take(MAX_GROWTHS)
        .filter_map(|growth| Some((growth, weigh_growth(module, growth, collection)?)));
    let first_of_the_surest =
        weighed.max_by_key(|(growth, confidence)| (*confidence, std::cmp::Reverse(growth.by.at.start())));
    let (growth, confidence) = first_of_the_surest?;
    let returned_elsewhere = collection
        .returned_by
        .iter()
        .any(|function| *function != growth.function);
    let doubtful = collection.escapes || returned_elsewhere;
    Some((growth, if doubtful { Confidence::Low } else { confidence }))
}

/// Words in the names of limits.
const LIMITS: [&str; 6] = ["max", "maximum", "limit", "capacity", "maxlen", "maxsize"];

/// The class has a limit that nothing is held against, or keeps the order in which to throw out.
fn is_meant_to_be_bounded(module: &Analysed<'_>, collection: &Collection<'_>) -> bool {
    let Root::Instance(class) = collection.root else {
        return false;
    };
    if collection.bounds.contains(&Bound::Idle) {
        return true;
    }
    let index = module.index();
    let reordered = index.attributes("move_to_end").iter().any(|reorder| match reorder {
        Expr::Attribute(node) => tail(&node.value) == Some(collection.name),
        _ => false,
    });
    // Where there are many collections, who knows which one the limit was for.
    let all = module.collections().iter();
    let of_class = all.filter(|other| other.root == collection.root).count();
    reordered || (of_class <= 2 && idle_limit(module, class, collection.name))
}

/// Another collection of the object gets the same keys at the same place, and loses them again: so keys come and go
/// while the object lives, and stay in this one.
fn is_left_behind(module: &Analysed<'_>, collection: &Collection<'_>) -> bool {
    let item = |growth: &Growth<'_>| {
        let item = growth.by.key.or(growth.by.value);
        item.map(|item| text_at(module.module.text(), item.range().into()))
    };
    let gets_the_same = |other: &Collection<'_>| {
        let mut pairs = other.growths.iter();
        pairs.any(|one| {
            let mut own = collection.growths.iter();
            own.any(|growth| growth.function == one.function && item(growth) == item(one))
        })
    };
    // What a search has still to do says nothing of what it has done.
    let loses = |other: &Collection<'_>| {
        let is_keyed = matches!(other.kind, Kind::Mapping | Kind::Set);
        other.bounds.contains(&Bound::Taken) && (is_keyed || other.bounds.contains(&Bound::Limit))
    };
    let mut others = module.collections().iter();
    others.any(|other| {
        other.root == collection.root && other.name != collection.name && loses(other) && gets_the_same(other)
    })
}

/// What limits are said to be of.
const MEASURES: [&str; 14] = [
    "size", "len", "length", "items", "entries", "count", "number", "num", "n", "keys", "elements", "history",
    "buffer", "records",
];

/// Whether the limit names what the collection names, or nothing else.
fn is_about(limit: &str, collection: &str) -> bool {
    let stem = |word: &str| word.trim_end_matches('s').to_lowercase();
    let mut words = limit.split('_').filter(|word| !word.is_empty());
    words.all(|word| {
        let known = LIMITS.contains(&word) || MEASURES.contains(&word);
        known || collection.split('_').any(|other| stem(other) == stem(word))
    })
}

/// `self.max_items = max_items`, and nobody asks for it.
fn idle_limit(module: &Analysed<'_>, class: ScopeId, collection: &str) -> bool {
    let index = module.index();
    let Some(node) = lifetime::class_of(&module.names, class) else {
        return false;
    };
    let constructors = node
        .body
        .iter()
        .filter_map(Def::of)
        .filter(|def| def.name == "__init__");
    let mut stored = constructors
        .flat_map(|def| def.body)
        .filter_map(|statement| match statement {
            Stmt::Assign(assign) => match assign.targets.as_slice() {
                [Expr::Attribute(target)] => Some(target.attr.as_str()),
                _ => None,
            },
            _ => None,
        });
    stored.any(|name| {
        let is_read = |expr: &&Expr| matches!(expr, Expr::Attribute(node) if node.ctx.is_load());
        let mut mentions = index
            .attributes(name)
            .iter()
            .filter(|expr| may_be_of(module, class, expr));
        is_word_of(name, &LIMITS) && is_about(name, collection) && !mentions.any(is_read)
    })
}

/// A command line is read once.
fn is_of_options(module: &Analysed<'_>, collection: &Collection<'_>) -> bool {
    let (Root::Class(class) | Root::Instance(class)) = collection.root else {
        return false;
    };
    let bases = lifetime::class_of(&module.names, class).map_or(&[][..], |class| &class.bases);
    let mut names = bases.iter().filter_map(tail);
    names.any(|name| name.ends_with("Options") || name.ends_with("ArgumentParser"))
}

/// Classes of other modules go on with what it begins.
fn is_made_to_inherit(module: &Analysed<'_>, collection: &Collection<'_>) -> bool {
    let Root::Instance(class) = collection.root else {
        return false;
    };
    let name = &module.names.scope(class).qualname;
    ["Base", "Abstract", "Mixin"].iter().any(|word| name.contains(word))
}

fn weigh_growth<'m>(module: &Analysed<'m>, growth: &Growth<'m>, collection: &Collection<'m>) -> Option<Confidence> {
    let is_once = (!matches!(collection.root, Root::Loop(_)) && runs_once(module, growth.function))
        || is_put_once(module, growth)
        || is_of_classes(module, growth)
        || is_to_warn_once(module, growth)
        || is_of_known_keys(module, growth, collection.name);
    let is_weak = growth.by.value.is_some_and(holds_weakly);
    let is_registry = !matches!(collection.root, Root::Decorator(_) | Root::Loop(_)) && is_registry(module, growth);
    if is_registry || is_once || is_weak || is_of_self(module, growth) {
        return None;
    }
    match item_of(module, growth).map(|key| domain::of_key(&module.names, key)) {
        None | Some(Domain::Open) => Some(Confidence::Medium),
        Some(Domain::Unknown) => Some(Confidence::Low),
        Some(Domain::Closed) => None,
    }
}

/// `weakref.ref(item)`
fn holds_weakly(value: &Expr) -> bool {
    let call = value.as_call_expr();
    let root = call.and_then(|call| chain(&call.func));
    root.is_some_and(|(root, _)| root.id.as_str() == "weakref" || root.id.to_lowercase().contains("weak"))
}

/// What takes up room once however often it is put in: a key, or what a list is asked for first.
///
/// ```py
/// if path not in files:
///     files.append(path)
/// ```
fn item_of<'m>(module: &Analysed<'m>, growth: &Growth<'m>) -> Option<&'m Expr> {
    if growth.by.key.is_some() {
        return growth.by.key;
    }
    let (Expr::Call(call), Some(value)) = (growth.by.at, growth.by.value) else {
        return None;
    };
    let list = &call.func.as_attribute_expr()?.value;
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let at = growth.by.at.start().to_u32();
    let asks = |test: &Expr| match test {
        Expr::Compare(node) => {
            node.ops.as_slice() == [CmpOp::NotIn]
                && text(&node.left) == text(value)
                && node.comparators.iter().all(|other| text(other) == text(list))
        }
        _ => false,
    };
    let is_asked = inside(module, growth).any(|node| match node {
        Node::Stmt(Stmt::If(choice)) => {
            asks(&choice.test) && choice.body.iter().any(|one| Node::Stmt(one).span().holds(at))
        }
        _ => false,
    });
    is_asked.then_some(value)
}

/// Everything in the function that makes it grow.
fn inside<'m>(module: &Analysed<'m>, growth: &Growth<'_>) -> impl Iterator<Item = Node<'m>> {
    let function = module.names.scope(growth.function).node;
    function.into_iter().flat_map(Node::descendants)
}

/// A metaclass runs once for each class of the program.
fn is_of_classes(module: &Analysed<'_>, growth: &Growth<'_>) -> bool {
    let class = module.names.enclosing_class(growth.by.at.start().to_u32());
    let class = class.and_then(|class| lifetime::class_of(&module.names, class));
    class.is_some_and(|class| lifetime::is_metaclass(&module.names, class))
}

/// `if name not in seen: seen.add(name); warnings.warn(…)`: there are as many as the program has mistakes.
fn is_to_warn_once(module: &Analysed<'_>, growth: &Growth<'_>) -> bool {
    let at = growth.by.at.start().to_u32();
    let warns = |body: &[Stmt]| {
        let mut calls = body.iter().filter_map(|one| match one {
            Stmt::Expr(node) => node.value.as_call_expr(),
            _ => None,
        });
        calls.any(|call| matches!(tail(&call.func), Some("warn" | "warning" | "warn_explicit")))
    };
    inside(module, growth).any(|node| match node {
        Node::Stmt(Stmt::If(choice)) => {
            let body = &choice.body;
            body.iter().any(|one| Node::Stmt(one).span().holds(at)) && warns(body)
        }
        _ => false,
    })
}

/// `if menu[2] != "shell": menu.insert(2, "shell")`: what is always the same is put in after a look whether it is there.
fn is_put_once(module: &Analysed<'_>, growth: &Growth<'_>) -> bool {
    let Expr::Call(call) = growth.by.at else { return false };
    let (Some(list), Some(value)) = (call.func.as_attribute_expr(), growth.by.value) else {
        return false;
    };
    let is_fixed = match value {
        Expr::Tuple(node) => node.elts.iter().all(Expr::is_constant_expr),
        other => other.is_constant_expr(),
    };
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let wanted = text(&list.value);
    let asks = |test: &Expr| {
        Node::Expr(test)
            .descendants()
            .filter_map(Node::as_expr)
            .any(|part| text(part) == wanted)
    };
    is_fixed
        && inside(module, growth).any(|node| match node {
            Node::Stmt(Stmt::If(choice)) => node.span().holds(growth.by.at.start().to_u32()) && asks(&choice.test),
            _ => false,
        })
}

/// What instances put of themselves into a registry is another pattern.
fn is_of_self(module: &Analysed<'_>, growth: &Growth<'_>) -> bool {
    let class = registry::class_around(module, growth.function);
    let value = class.zip(growth.by.value);
    value.is_some_and(|(class, value)| registry::pins_self(module, class, value))
}

/// How the names of functions begin that a program calls while it is being set up.
const REGISTERING: [&str; 15] = [
    "decorat",
    "register",
    "attach",
    "add_",
    "install",
    "define",
    "declare",
    "provide",
    "subscribe",
    "set_",
    "enable",
    "use_",
    "configure",
    "init",
    "setup",
];
/// What is added as long as a program works, not while it is set up.
const DATA: [&str; 30] = [
    "record",
    "records",
    "event",
    "entry",
    "entries",
    "item",
    "items",
    "result",
    "results",
    "log",
    "sample",
    "metric",
    "message",
    "row",
    "rows",
    "user",
    "order",
    "point",
    "request",
    "transaction",
    "connection",
    "session",
    "client",
    "reading",
    "measurement",
    "value",
    "data",
    "many",
    "all",
    "error",
];
/// The same as `REGISTERING`, if what they fill is keyed.
const FILLING: [&str; 3] = ["prepare", "load", "preload"];
/// Words for what is put into registries.
const REGISTERED: [&str; 17] = [
    "cls",
    "klass",
    "class",
    "func",
    "fn",
    "function",
    "handler",
    "callback",
    "cb",
    "plugin",
    "factory",
    "hook",
    "listener",
    "observer",
    "decorator",
    "wrapper",
    "command",
];

/// Words in the names of collections that hold the program's own, or say each thing once.
const TABLES: [&str; 8] = [
    "registry",
    "registered",
    "warned",
    "warnings",
    "functions",
    "commands",
    "handlers",
    "plugins",
];

/// Whether it fills a table of the program's own classes and functions.
fn is_registry(module: &Analysed<'_>, growth: &Growth<'_>) -> bool {
    let mut around = module.names.ancestors(growth.function);
    let registers = around.any(|scope| {
        let name = module.names.scope(scope).name();
        let plain = snake_case(name);
        let plain = plain.trim_start_matches('_');
        let adds_data = plain.strip_prefix("add_").is_some_and(|what| DATA.contains(&what));
        let fills = growth.by.key.is_some() && FILLING.iter().any(|word| plain.starts_with(word));
        let is_for_class = ["__init_subclass__", "__set_name__"].contains(&name);
        is_for_class
            || !name.ends_with("__") && !adds_data && (fills || REGISTERING.iter().any(|word| plain.starts_with(word)))
    });
    let is_registered = |value: &Expr| {
        let named = tail(value).is_some_and(|name| is_word_of(name, &REGISTERED));
        named || is_returned(module, growth.function, value)
    };
    registers || growth.by.value.is_some_and(is_registered)
}

/// `add_package_path` for `AddPackagePath`
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Whether what is put in has been found in another collection first: there are no more keys than that has.
///
/// ```py
/// assert code in _supported
/// if code not in _supported:
///     raise KeyError(code)
/// ```
fn is_of_known_keys(module: &Analysed<'_>, growth: &Growth<'_>, collection: &str) -> bool {
    let Some(key) = growth.by.key else { return false };
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let key = text(key);
    let at = growth.by.at.start().to_u32();
    let is_about = |test: &Expr, wanted: CmpOp| match test {
        Expr::Compare(node) => {
            let is_other = |other: &Expr| tail(other) != Some(collection) && !other.is_call_expr();
            node.ops.as_slice() == [wanted] && text(&node.left) == key && node.comparators.iter().all(is_other)
        }
        _ => false,
    };
    let leaves = |body: &[Stmt]| {
        body.last()
            .is_some_and(|last| last.is_raise_stmt() || last.is_return_stmt())
    };
    inside(module, growth).any(|node| match node {
        Node::Stmt(Stmt::Assert(node)) => is_about(&node.test, CmpOp::In),
        Node::Stmt(Stmt::If(choice)) => {
            let within = choice.body.iter().any(|one| Node::Stmt(one).span().holds(at));
            (within && is_about(&choice.test, CmpOp::In))
                || (choice.end().to_u32() <= at && leaves(&choice.body) && is_about(&choice.test, CmpOp::NotIn))
        }
        _ => false,
    })
}

fn is_word_of(name: &str, words: &[&str]) -> bool {
    let lower = name.to_lowercase();
    words.iter().any(|word| lower.split('_').any(|part| part == *word))
}

/// A decorator returns what it is given.
fn is_returned(module: &Analysed<'_>, function: ScopeId, value: &Expr) -> bool {
    let Some(name) = value.as_name_expr() else { return false };
    let Some(Node::Stmt(statement)) = module.names.scope(function).node else {
        return false;
    };
    let is_parameter = module
        .names
        .bindings(&name.id, function)
        .iter()
        .any(|binding| matches!(binding.kind, BindingKind::Parameter(_)));
    is_parameter
        && Node::Stmt(statement).descendants().any(|node| match node {
            Node::Stmt(Stmt::Return(node)) => node
                .value
                .as_deref()
                .and_then(Expr::as_name_expr)
                .is_some_and(|other| other.id == name.id),
            _ => false,
        })
}

/// Whether the function is the program's `main`, or all that calls it in sight runs at import.
pub(super) fn runs_once(module: &Analysed<'_>, function: ScopeId) -> bool {
    let Some(Node::Stmt(statement)) = module.names.scope(function).node else {
        return false;
    };
    let Some(def) = Def::of(statement) else { return false };
    let home = module.names.scope(function).parent.unwrap_or(ScopeId::MODULE);
    if home != ScopeId::MODULE {
        return false;
    }
    let uses = module.names.loads(def.name, ScopeId::MODULE);
    let at_import = |at: u32| lifetime::runs_at_import(&module.names, at);
    // `del register`, once the module has done with it
    let mut bindings = module.names.bindings(def.name, ScopeId::MODULE).iter();
    let is_deleted = bindings.any(|binding| matches!(binding.kind, BindingKind::Del));
    def.name == "main" || is_deleted || (!uses.is_empty() && uses.iter().all(|each| at_import(each.span.start)))
}

fn report<'m>(module: &Analysed<'m>, collection: &Collection<'m>) -> Option<Finding> {
    let (growth, confidence) = weigh(module, collection)?;
    let keeper = match collection.root {
        Root::Module => "the module".to_owned(),
        Root::Class(class) => format!("the class `{}`", module.names.scope(class).qualname),
        Root::Instance(class) => format!("`{}`", module.names.scope(class).qualname),
        Root::Default(function) => format!("`{}`, whose default it is,", module.names.scope(function).qualname),
        Root::Loop(function) => format!("the loop of `{}`", module.names.scope(function).qualname),
        Root::Decorator(function) => format!("what `{}` returns", module.names.scope(function).qualname),
    };
    let line = module.line(growth.by.at.start().to_u32());
    Some(Finding {
        span: collection.span(),
        rule: Pattern::UnboundedCollection.id().to_owned(),
        patterns: vec![Pattern::UnboundedCollection],
        resource: None,
        confidence,
        message: format!(
            "{keeper} keeps `{}`, which line {line} makes grow and nothing makes shrink",
            collection.name
        ),
        suggestion: "give it a bound, `deque(maxlen=…)` for example, or take out what is done with".to_owned(),
        related: vec![related(growth.by.at.range().into(), "grows here")],
    })
}
