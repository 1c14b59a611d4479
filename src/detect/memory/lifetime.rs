//! How long the instances of a class live, as far as the module tells.

use crate::detect::Analysed;
use crate::python::ast::{Arg, Expr, Ranged, Stmt, StmtClassDef};
use crate::python::names::{Def, ScopeKind, parameters};
use crate::python::{Names, Node, ScopeId};

use super::tail;

/// The class statement of a scope.
pub(in crate::detect) fn class_of<'m>(names: &Names<'m>, scope: ScopeId) -> Option<&'m StmtClassDef> {
    match names.scope(scope).node {
        Some(Node::Stmt(Stmt::ClassDef(class))) => Some(class),
        _ => None,
    }
}

/// Whether its instances are a few that the class statement itself makes.
pub(in crate::detect) fn is_enum(names: &Names<'_>, class: &Stmt) -> bool {
    let Stmt::ClassDef(class) = class else { return false };
    has_enum_base(names, class)
}

pub(in crate::detect) fn has_enum_base(names: &Names<'_>, class: &StmtClassDef) -> bool {
    class.bases.iter().any(|base| {
        let qualified = names.resolve(base).qualified().map(str::to_owned);
        let is_enum = qualified.is_some_and(|name| name.starts_with("enum."));
        is_enum || tail(base).is_some_and(|name| name.ends_with("Enum") || name.ends_with("Flag"))
    })
}

/// Whether its instances are classes.
pub(in crate::detect) fn is_metaclass(names: &Names<'_>, class: &StmtClassDef) -> bool {
    class.bases.iter().any(|base| {
        let qualified = names.resolve(base).qualified().map(str::to_owned);
        qualified
            .is_some_and(|name| ["builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"].contains(&&*name))
    })
}

/// How the module makes instances of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Made {
    /// Calls that run once, at import.
    pub(in crate::detect) at_import: usize,
    /// Calls in functions.
    pub(in crate::detect) later: usize,
}

pub(in crate::detect) fn made(module: &Analysed<'_>, class: &StmtClassDef) -> Made {
    let (names, index) = (&module.names, module.index());
    let bare = index.names(ScopeId::MODULE, &class.name);
    let mut made = Made::default();
    for name in bare.iter().chain(index.attributes(&class.name)) {
        let is_called = matches!(index.parent(name), Some(Node::Expr(Expr::Call(call))) if std::ptr::eq(&raw const *call.func, *name));
        if !is_called {
            continue;
        }
        let at = name.start().to_u32();
        if !runs_at_import(names, at) && !is_for_good(module, name) {
            made.later += 1;
        } else if !is_in_script(module, at) {
            made.at_import += 1;
        }
    }
    made
}

/// `global _client; _client = Client()`, or `return Client()` of a cached function without parameters.
fn is_for_good(module: &Analysed<'_>, class: &Expr) -> bool {
    let (names, index) = (&module.names, module.index());
    let Some(Node::Expr(call)) = index.parent(class) else {
        return false;
    };
    match index.parent(call) {
        Some(Node::Stmt(Stmt::Assign(assign))) => assign.targets.iter().all(|target| {
            let scope = names.scope_at(target.start().to_u32());
            target
                .as_name_expr()
                .is_some_and(|name| names.home(&name.id, scope) == ScopeId::MODULE)
        }),
        Some(Node::Stmt(Stmt::Return(_))) => {
            let function = names.enclosing_function(call.start().to_u32());
            let def = function.and_then(|function| Def::of(names.scope(function).node?.as_stmt()?));
            def.is_some_and(|def| {
                let is_cached = def.decorators.iter().any(|decorator| {
                    let func = decorator.as_call_expr().map_or(decorator, |call| &*call.func);
                    matches!(tail(func), Some("cache" | "lru_cache"))
                });
                is_cached && parameters(def.arguments).is_empty()
            })
        }
        _ => false,
    }
}

/// Whether code at `at` runs when the module is imported, and not again.
pub(in crate::detect) fn runs_at_import(names: &Names<'_>, at: u32) -> bool {
    let mut around = names.ancestors(names.scope_at(at));
    !around.any(|scope| matches!(names.scope(scope).kind, ScopeKind::Function | ScopeKind::Lambda))
}

/// Whether it stands under `if __name__ == "__main__":`.
fn is_in_script(module: &Analysed<'_>, at: u32) -> bool {
    let is_name = |node: Node<'_>| matches!(node, Node::Expr(Expr::Name(name)) if name.id.as_str() == "__name__");
    module.module.body.iter().any(|statement| match statement {
        Stmt::If(node) => Node::Stmt(statement).span().holds(at) && Node::Expr(&node.test).descendants().any(is_name),
        _ => false,
    })
}

/// Whether there is meant to be one instance for the whole process.
pub(in crate::detect) fn is_singleton(module: &Analysed<'_>, class: &StmtClassDef) -> bool {
    let made = made(module, class);
    if made.at_import > 0 && made.later == 0 {
        return true;
    }
    let named = |word: Option<&str>| word.is_some_and(|word| word.to_lowercase().contains("singleton"));
    let keywords = class.keywords.iter().map(|keyword| &keyword.value);
    let marks = class.bases.iter().chain(keywords).chain(&class.decorator_list);
    named(Some(&class.name)) || marks.map(tail).any(named) || keeps_its_instance(class)
}

/// `_instance = None` in the body, and `__new__` or a class method that fills it.
fn keeps_its_instance(class: &StmtClassDef) -> bool {
    let names_instance =
        |target: &Expr| tail(target).is_some_and(|name| name.trim_matches('_').to_lowercase().ends_with("instance"));
    class.body.iter().any(|statement| match statement {
        Stmt::Assign(node) => is_none(&node.value) && node.targets.iter().any(names_instance),
        Stmt::AnnAssign(node) => node.value.as_deref().is_some_and(is_none) && names_instance(&node.target),
        other => Def::of(other).is_some_and(|def| def.name == "instance" || def.name == "get_instance"),
    })
}

/// How long the instances of a class live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum Stay {
    Unknown,
    /// It serves or watches, which has no end of its own.
    Long,
    /// As long as the process.
    Process,
}

const SERVING_BASES: [&str; 3] = ["Server", "Service", "Daemon"];
/// How the names of classes end that run for as long as the program does.
const SERVING_NAMES: [&str; 24] = [
    "Server",
    "Service",
    "Daemon",
    "Monitor",
    "Scheduler",
    "Worker",
    "Broker",
    "Hub",
    "Bus",
    "Dispatcher",
    "Supervisor",
    "Watcher",
    "Listener",
    "Tracker",
    "Agent",
    "Bot",
    "Gateway",
    "Limiter",
    "EventLogger",
    "RequestLogger",
    "Emitter",
    "Publisher",
    "Poller",
    "Notifier",
];
/// What loops without an end wait in.
const WAITS: [&str; 12] = [
    "accept",
    "recv",
    "recvfrom",
    "get",
    "wait",
    "sleep",
    "select",
    "poll",
    "receive",
    "acquire",
    "get_message",
    "getevents",
];

/// How the names of classes end of which a program makes one or a few, and uses them as long as it runs.
const SHARED_NAMES: [&str; 5] = ["Client", "Repository", "Store", "Storage", "Cache"];

/// Whether its name says that its instances are there to be asked again and again.
pub(in crate::detect) fn is_shared(names: &Names<'_>, scope: ScopeId) -> bool {
    let class = class_of(names, scope).filter(|_| names.scope(scope).parent == Some(ScopeId::MODULE));
    class.is_some_and(|class| SHARED_NAMES.iter().any(|word| class.name.ends_with(word)))
}

pub(in crate::detect) fn stay(module: &Analysed<'_>, scope: ScopeId) -> Stay {
    let Some(class) = class_of(&module.names, scope) else {
        return Stay::Unknown;
    };
    let in_function = module.names.scope(scope).parent != Some(ScopeId::MODULE);
    let serves = |name: &str, words: &[&str]| words.iter().any(|word| name.ends_with(word));
    let by_base = class
        .bases
        .iter()
        .filter_map(tail)
        .any(|base| serves(base, &SERVING_BASES));
    if !in_function && is_singleton(module, class) {
        Stay::Process
    } else if by_base
        || serves(&class.name, &SERVING_NAMES)
        || class.body.iter().any(runs_on)
        || takes_the_place_of_a_function(class)
    {
        Stay::Long
    } else {
        Stay::Unknown
    }
}

/// A decorator that is a class, or one application around another: its `__call__` calls what the constructor was given.
fn takes_the_place_of_a_function(class: &StmtClassDef) -> bool {
    let methods = || class.body.iter().filter_map(Def::of);
    let given = methods().filter(|def| def.name == "__init__").flat_map(|def| {
        def.body.iter().filter_map(move |statement| match statement {
            Stmt::Assign(node) => {
                let name = node.value.as_name_expr()?;
                let is_taken = |(parameter, _): (&Arg, _)| parameter.arg == name.id;
                let target = node.targets.first()?.as_attribute_expr()?;
                parameters(def.arguments)
                    .into_iter()
                    .any(is_taken)
                    .then_some(target.attr.as_str())
            }
            _ => None,
        })
    });
    let given: Vec<_> = given.collect();
    let calls = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => call.func.as_attribute_expr().is_some_and(|called| {
            let on_self = called
                .value
                .as_name_expr()
                .is_some_and(|name| name.id.as_str() == "self");
            on_self && given.contains(&called.attr.as_str())
        }),
        _ => false,
    };
    let mut called = methods().filter(|def| def.name == "__call__").flat_map(|def| def.body);
    called.any(|statement| Node::Stmt(statement).descendants().any(calls))
}

/// Whether a method loops without an end, and waits for something in each round.
fn runs_on(method: &Stmt) -> bool {
    let Some(def) = Def::of(method) else { return false };
    let mut inner = def
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    inner.any(|node| match node {
        Node::Stmt(Stmt::While(node)) => is_open_ended(&node.test) && node.body.iter().any(waits),
        Node::Expr(Expr::Call(call)) => matches!(tail(&call.func), Some("serve_forever" | "run_forever")),
        _ => false,
    })
}

/// `True`, `not self._stop.is_set()`, `self.running`
fn is_open_ended(test: &Expr) -> bool {
    match test {
        Expr::Constant(constant) => constant.value != crate::python::ast::Constant::Bool(false),
        Expr::UnaryOp(node) => is_open_ended(&node.operand),
        Expr::Attribute(node) => node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self"),
        Expr::Call(call) => matches!(tail(&call.func), Some("is_set" | "wait")),
        _ => false,
    }
}

fn waits(statement: &Stmt) -> bool {
    Node::Stmt(statement).descendants().any(|node| match node {
        Node::Expr(Expr::Call(call)) => tail(&call.func).is_some_and(|name| WAITS.contains(&name)),
        _ => false,
    })
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(constant) if constant.value.is_none())
}
