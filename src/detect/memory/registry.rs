//! Registries: whether they outlive what is registered, what registrations keep alive, and what undoes them.

use super::{lifetime, tail};
use crate::detect::Analysed;
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, StmtClassDef};
use crate::python::names::{BindingKind, Def, ScopeKind};
use crate::python::{Node, Resolved, ScopeId};

/// How long a registry lives, beside the object that registers with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Receiver {
    /// No longer, or nobody knows.
    Own,
    /// It came from outside.
    Given,
    /// As long as the process.
    Outlives,
}

/// Calls that give something of the whole process.
const GLOBAL_CALLS: [&str; 2] = ["getLogger", "get_logger"];
const LOOP_CALLS: [&str; 3] = ["get_event_loop", "get_running_loop", "instance"];

pub(in crate::detect) fn receiver(module: &Analysed<'_>, expr: &Expr) -> Receiver {
    match expr {
        Expr::Name(name) if name.id.as_str() == "self" => Receiver::Own,
        _ if is_base(module, expr) => Receiver::Own,
        Expr::Name(name) => of_name(module, expr, &name.id),
        Expr::Attribute(node) => match &*node.value {
            Expr::Name(name) if name.id.as_str() == "self" => of_attribute(module, expr, &node.attr),
            Expr::Name(name) if name.id.as_str() == "cls" => Receiver::Outlives,
            inner => receiver(module, inner),
        },
        Expr::Call(call) => of_call(call),
        _ => Receiver::Own,
    }
}

/// `Base.attach(self, part)` is a method of its own.
fn is_base(module: &Analysed<'_>, expr: &Expr) -> bool {
    let around = module.names.enclosing_class(expr.start().to_u32());
    let class = around.and_then(|class| lifetime::class_of(&module.names, class));
    class.is_some_and(|class| {
        tail(expr).is_some_and(|name| class.bases.iter().filter_map(tail).any(|base| base == name))
    })
}

fn of_call(call: &ExprCall) -> Receiver {
    match tail(&call.func) {
        Some(name) if GLOBAL_CALLS.contains(&name) => Receiver::Outlives,
        Some(name) if LOOP_CALLS.contains(&name) => Receiver::Given,
        // `get_bus()`, `Hub.shared()`: what is asked for was there before.
        Some(name) if call.args.is_empty() && asks_for_shared(name) => Receiver::Given,
        _ => Receiver::Own,
    }
}

fn asks_for_shared(name: &str) -> bool {
    ["get_", "current_", "default_", "shared_"]
        .iter()
        .any(|word| name.starts_with(word))
        || ["getInstance", "shared", "default", "current"].contains(&name)
}

fn of_name(module: &Analysed<'_>, expr: &Expr, name: &str) -> Receiver {
    if let Resolved::Qualified(name) = module.names.resolve(expr) {
        let is_builtin = name.starts_with("builtins.");
        return if is_builtin { Receiver::Own } else { Receiver::Outlives };
    }
    let scope = module.names.scope_at(expr.start().to_u32());
    if module.names.home(name, scope) == ScopeId::MODULE {
        let bound = !module.names.bindings(name, scope).is_empty();
        return if bound { Receiver::Outlives } else { Receiver::Own };
    }
    let [binding] = module.names.bindings(name, scope) else {
        return Receiver::Own;
    };
    match &binding.kind {
        BindingKind::Parameter(_) => Receiver::Given,
        BindingKind::Assign { value: Some(value) } => of_value(module, value),
        _ => Receiver::Own,
    }
}

fn of_value(module: &Analysed<'_>, value: &Expr) -> Receiver {
    match value {
        Expr::Name(_) | Expr::Attribute(_) => receiver(module, value),
        Expr::Call(call) => of_call(call),
        // `bus or Bus()`
        Expr::BoolOp(node) => node
            .values
            .first()
            .map_or(Receiver::Own, |first| of_value(module, first)),
        _ => Receiver::Own,
    }
}

/// `self.bus`: what the class puts there.
fn of_attribute(module: &Analysed<'_>, expr: &Expr, attribute: &str) -> Receiver {
    let Some(class) = module.names.enclosing_class(expr.start().to_u32()) else {
        return Receiver::Own;
    };
    let index = module.index();
    for store in index.attributes(attribute) {
        let is_here = module.names.enclosing_class(store.start().to_u32()) == Some(class);
        let Some(Node::Stmt(Stmt::Assign(assign))) = index.parent(store).filter(|_| is_here) else {
            continue;
        };
        if std::ptr::eq(&raw const *assign.value, *store) || matches!(*assign.value, Expr::Attribute(_)) {
            continue;
        }
        return of_value(module, &assign.value);
    }
    Receiver::Own
}

/// The methods that undo what a registering one does; `None` if it registers nothing.
pub(in crate::detect) fn partners(verb: &str) -> Option<Vec<String>> {
    let fixed = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    match verb {
        "subscribe" => return fixed(&["unsubscribe"]),
        "attach" => return fixed(&["detach"]),
        "hook" => return fixed(&["unhook"]),
        "listen" => return fixed(&["unlisten", "remove"]),
        "observe" => return fixed(&["unobserve"]),
        "watch" => return fixed(&["unwatch"]),
        "on" => return fixed(&["off", "remove_listener", "removeListener"]),
        "register" => return fixed(&["unregister", "deregister", "remove"]),
        _ => {}
    }
    if let Some(what) = verb.strip_prefix("subscribe_") {
        return Some(vec![format!("unsubscribe_{what}"), "unsubscribe".to_owned()]);
    }
    let camel = verb
        .strip_prefix("register")
        .filter(|what| what.starts_with(char::is_uppercase));
    if let Some(what) = camel.filter(|what| is_called_back(&what.to_lowercase())) {
        let undo = ["unregister", "deregister", "remove"].map(|prefix| format!("{prefix}{what}"));
        return Some(undo.into());
    }
    let registered = verb.strip_prefix("register_").filter(|what| is_called_back(what));
    if let Some(what) = registered {
        let undo = ["unregister_", "deregister_", "remove_"].map(|prefix| format!("{prefix}{what}"));
        return Some(undo.into_iter().chain(["unregister".to_owned()]).collect());
    }
    if let Some(what) = verb.strip_prefix("add_").filter(|what| is_called_back(what)) {
        return Some(
            ["remove_", "discard_", "delete_", "del_"]
                .map(|prefix| format!("{prefix}{what}"))
                .into(),
        );
    }
    let what = verb
        .strip_prefix("add")
        .filter(|what| is_called_back(&what.to_lowercase()))?;
    let is_camel = what.starts_with(char::is_uppercase);
    is_camel.then(|| vec![format!("remove{what}")])
}

/// `event_listener`, `global_event_processor`, `reader`
fn is_called_back(what: &str) -> bool {
    let words = [
        "listener",
        "observer",
        "handler",
        "callback",
        "hook",
        "subscriber",
        "processor",
        "reader",
        "writer",
        "watcher",
        "filter",
    ];
    words.iter().any(|word| what.ends_with(word)) && what != "done_callback"
}

/// Whether anything in the module is called by one of the names.
pub(in crate::detect) fn is_mentioned(module: &Analysed<'_>, names: &[impl AsRef<str>]) -> bool {
    let index = module.index();
    names
        .iter()
        .map(AsRef::as_ref)
        .any(|name| !index.attributes(name).is_empty() || !index.names(ScopeId::MODULE, name).is_empty())
}

/// Whether nothing is done with what the call gives.
pub(in crate::detect) fn is_statement(module: &Analysed<'_>, call: &ExprCall) -> bool {
    let index = module.index();
    match index.parent_of_call(call) {
        Some(Node::Stmt(Stmt::Expr(_))) => true,
        Some(Node::Expr(outer @ Expr::Await(_))) => matches!(index.parent(outer), Some(Node::Stmt(Stmt::Expr(_)))),
        _ => false,
    }
}

/// The class whose method the function is, or stands in.
pub(in crate::detect) fn class_around(module: &Analysed<'_>, function: ScopeId) -> Option<ScopeId> {
    let names = &module.names;
    let (mut inner, mut around) = (function, names.ancestors(function));
    around.next();
    for scope in around {
        match names.scope(scope).kind {
            ScopeKind::Class => {
                let Some(Node::Stmt(statement)) = names.scope(inner).node else {
                    return None;
                };
                let arguments = Def::of(statement)?.arguments;
                let first = arguments.posonlyargs.first().or(arguments.args.first())?;
                return (first.def.arg.as_str() == "self").then_some(scope);
            }
            ScopeKind::Module => return None,
            _ => inner = scope,
        }
    }
    None
}

/// Whether whoever holds the value holds the instance: itself, a bound method, or a function that uses `self`.
pub(in crate::detect) fn pins_self(module: &Analysed<'_>, class: ScopeId, value: &Expr) -> bool {
    let inner = |parts: &[Expr]| parts.iter().any(|part| pins_self(module, class, part));
    match value {
        Expr::Name(name) if name.id.as_str() == "self" => true,
        Expr::Name(name) => {
            let scope = module.names.scope_at(value.start().to_u32());
            let bindings = module.names.bindings(&name.id, scope).iter();
            bindings.into_iter().any(|binding| match binding.kind {
                BindingKind::Def(statement) if binding.scope != ScopeId::MODULE => uses_self(Node::Stmt(statement)),
                _ => false,
            })
        }
        Expr::Attribute(node) => {
            let on_self = node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self");
            on_self && is_method(module, class, &node.attr)
        }
        Expr::Lambda(lambda) => uses_self(Node::Expr(&lambda.body)),
        Expr::Call(call) if tail(&call.func) == Some("partial") => inner(&call.args),
        Expr::Tuple(node) => inner(&node.elts),
        Expr::List(node) => inner(&node.elts),
        _ => false,
    }
}

pub(in crate::detect) fn uses_self(node: Node<'_>) -> bool {
    node.descendants()
        .any(|node| matches!(node, Node::Expr(Expr::Name(name)) if name.id.as_str() == "self"))
}

/// Whether the class has a plain method of that name, which binds its instance.
pub(in crate::detect) fn is_method(module: &Analysed<'_>, class: ScopeId, name: &str) -> bool {
    let Some(class) = lifetime::class_of(&module.names, class) else {
        return false;
    };
    let methods: Vec<_> = methods_named(module, class, name, MAX_BASES);
    methods.iter().any(|def| {
        let mut decorators = def.decorators.iter().filter_map(tail);
        !decorators.any(|name| ["staticmethod", "classmethod"].contains(&name) || name.ends_with("property"))
    })
}

/// Chains of base classes longer than this are not followed.
const MAX_BASES: u32 = 4;

/// The methods of that name in the class, or in the nearest of its bases that the module has.
fn methods_named<'m>(module: &Analysed<'m>, class: &'m StmtClassDef, name: &str, depth: u32) -> Vec<Def<'m>> {
    let own = class.body.iter().filter_map(Def::of);
    let own: Vec<_> = own.filter(|def| def.name == name).collect();
    let Some(rest) = depth.checked_sub(1).filter(|_| own.is_empty()) else {
        return own;
    };
    let bases = class.bases.iter().filter_map(tail);
    let bindings = bases.flat_map(|base| module.names.bindings(base, ScopeId::MODULE));
    let mut classes = bindings.filter_map(|binding| match binding.kind {
        BindingKind::Class(Stmt::ClassDef(base)) => Some(base),
        _ => None,
    });
    let found = classes.find_map(|base| {
        let found = methods_named(module, base, name, rest);
        (!found.is_empty()).then_some(found)
    });
    found.unwrap_or_default()
}

/// Whether the function makes the value anew, or its class does for each instance.
pub(in crate::detect) fn is_made_in(module: &Analysed<'_>, value: &Expr, function: ScopeId) -> bool {
    match value {
        Expr::Call(call) => makes(call),
        Expr::Name(name) => {
            let scope = module.names.scope_at(value.start().to_u32());
            let local = module.names.home(&name.id, scope) == function;
            let mut bindings = module.names.bindings(&name.id, scope).iter();
            local
                && bindings.any(|binding| match &binding.kind {
                    BindingKind::Assign {
                        value: Some(Expr::Call(call)),
                    } => makes(call),
                    _ => false,
                })
        }
        Expr::Attribute(node) => {
            let index = module.index();
            let class = module.names.enclosing_class(value.start().to_u32());
            let mut stores = index
                .attributes(&node.attr)
                .iter()
                .filter_map(|store| index.parent(store));
            stores.any(|parent| match parent {
                Node::Stmt(Stmt::Assign(assign)) => {
                    let here = module.names.enclosing_class(assign.start().to_u32()) == class;
                    here && class.is_some() && matches!(&*assign.value, Expr::Call(call) if makes(call))
                }
                _ => false,
            })
        }
        _ => false,
    }
}

/// `StreamHandler()`, `make_handler()`
fn makes(call: &ExprCall) -> bool {
    tail(&call.func).is_some_and(|name| {
        let lower = name.to_lowercase();
        name.starts_with(char::is_uppercase) || lower.contains("handler") || lower.contains("filter")
    })
}
