//! Something new is registered with what outlives it, and nothing takes it out again.

use super::course::own_nodes;
use super::memory::collection::{Root, is_self};
use super::memory::domain::{self, Domain};
use super::memory::lifetime::Stay;
use super::memory::registry::{self, Receiver};
use super::memory::{lifetime, tail};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Constant, Expr, ExprAttribute, ExprCall, Ranged, Stmt, StmtAssign, StmtClassDef};
use crate::python::names::{Binding, BindingKind, Def, parameters};
use crate::python::{Node, ScopeId, Span};

pub(super) struct RegistrationNeverRemoved;

impl PythonResourceDetector for RegistrationNeverRemoved {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::RegistrationNeverRemoved,
            page: include_str!("pages/registration-never-removed.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let mut found: Vec<Finding> = module
            .nodes()
            .filter_map(|node| match node {
                Node::Expr(Expr::Call(call)) => of_call(module, call),
                Node::Stmt(Stmt::Assign(assign)) => of_hook(module, assign),
                Node::Stmt(statement) => of_decorators(module, statement),
                _ => None,
            })
            .collect();
        found.extend(in_collections(module));
        found.sort();
        found.dedup_by_key(|finding| finding.span);
        found
    }
}

/// Registries of the process, by how they are called, and what undoes it.
const PROCESS: [(&str, &[&str]); 9] = [
    ("atexit.register", &["unregister"]),
    ("gc.callbacks.append", &["remove"]),
    ("sys.meta_path.append", &["remove"]),
    ("sys.meta_path.insert", &["remove"]),
    ("sys.path_hooks.append", &["remove"]),
    ("sys.path_hooks.insert", &["remove"]),
    ("codecs.register", &["unregister"]),
    ("sys.addaudithook", &[]),
    ("os.register_at_fork", &[]),
];
/// Lists of the process that functions lengthen with what they are given.
const LENGTHENED: [&str; 2] = ["sys.path.append", "sys.path.insert"];
/// Hooks of which there is one at a time: whoever takes it over keeps the older one.
const HOOKS: [&str; 5] = [
    "sys.excepthook",
    "threading.excepthook",
    "sys.unraisablehook",
    "sys.displayhook",
    "warnings.showwarning",
];
/// The same of functions that take the hook.
const SETTERS: [&str; 5] = [
    "signal.signal",
    "sys.settrace",
    "sys.setprofile",
    "threading.settrace",
    "threading.setprofile",
];
/// Methods that end the use of an object, where its registrations should go.
const ENDS: [&str; 13] = [
    "close",
    "aclose",
    "stop",
    "shutdown",
    "disconnect",
    "detach",
    "dispose",
    "teardown",
    "unload",
    "terminate",
    "__exit__",
    "__aexit__",
    "destroy",
];
/// How the names of functions begin that a program calls once.
const SETTING_UP: [&str; 8] = [
    "setup",
    "set_up",
    "configure",
    "config",
    "init",
    "install",
    "enable",
    "start",
];

fn of_call(module: &Analysed<'_>, call: &ExprCall) -> Option<Finding> {
    let at = call.start().to_u32();
    let function = module.names.enclosing_function(at)?;
    let verb = tail(&call.func)?;
    match verb {
        "addHandler" => {
            let undo = ["removeHandler", "hasHandlers", "handlers", "loggerDict"];
            return of_handler(module, call, function, &undo);
        }
        "addFilter" => return of_handler(module, call, function, &["removeFilter", "filters"]),
        _ => {}
    }
    let resolved = module.names.resolve(&call.func);
    let process = PROCESS.iter().find(|(name, _)| Some(*name) == resolved.qualified());
    if let Some((name, undo)) = process {
        let of_function = || of_function(module, call, function, undo);
        let confidence = of_object(module, call, function, undo).or_else(of_function)?;
        return Some(finding(call.range().into(), confidence, name));
    }
    if resolved.qualified() == Some("logging.getLogger") {
        let confidence = of_logger_by_name(module, call)?;
        return Some(finding(call.range().into(), confidence, "logging.getLogger"));
    }
    if let Some(name) = LENGTHENED.iter().find(|name| Some(**name) == resolved.qualified()) {
        let confidence = of_lengthened(module, call, function)?;
        return Some(finding(call.range().into(), confidence, name));
    }
    if let Some(setter) = SETTERS.iter().find(|name| Some(**name) == resolved.qualified()) {
        return of_kept_hook(module, call, setter).or_else(|| of_setter(module, call, function, setter));
    }
    if PUTS.contains(&verb) {
        return of_foreign_list(module, call, function);
    }
    if let Some(confidence) = of_keeping_function(module, call, function) {
        let registry = text_at(module.module.text(), call.func.range().into());
        return Some(finding(call.range().into(), confidence, registry));
    }
    if holds_weakly(module, &call.func) {
        return None;
    }
    let partners = hub_partners(module, &call.func)
        .or_else(|| partners(call, verb))
        .filter(|_| !is_unbound(call))?;
    // What comes back may be what the registration is undone with.
    let is_dropped = registry::is_statement(module, call);
    if !is_dropped || is_undone(module, call, verb, &partners) {
        return None;
    }
    let registry = text_at(module.module.text(), call.func.range().into());
    if let Some(confidence) = of_closure(module, call, function) {
        return Some(finding(call.range().into(), confidence, registry));
    }
    let sure = of_receiver(module, call).max(each_time(module, call, function))?;
    let confidence = of_object(module, call, function, &[])?;
    Some(finding(call.range().into(), confidence.min(sure), registry))
}

/// `getLogger(f"session.{session_id}")`: the module `logging` keeps each logger that was ever asked for.
fn of_logger_by_name(module: &Analysed<'_>, call: &ExprCall) -> Option<Confidence> {
    let [name] = call.args.as_slice() else { return None };
    let is_put_together = match name {
        Expr::JoinedStr(_) => true,
        Expr::BinOp(node) => node.left.is_constant_expr() || node.right.is_constant_expr(),
        Expr::Call(call) => tail(&call.func) == Some("format"),
        _ => false,
    };
    let is_open = domain::of_key(&module.names, name) == Domain::Open;
    (is_put_together && is_open).then_some(Confidence::Medium)
}

/// `sys.path.append(folder)` of a function that is handed the folder: each call with another one lengthens the list.
fn of_lengthened(module: &Analysed<'_>, call: &ExprCall, function: ScopeId) -> Option<Confidence> {
    let parts = call.args.iter().flat_map(|part| Node::Expr(part).descendants());
    let is_given = |name: &str| {
        let bindings = module.names.bindings(name, function).iter();
        let mut own = bindings.filter(|binding| binding.scope == function);
        name != "self" && own.any(|binding| matches!(binding.kind, BindingKind::Parameter(_)))
    };
    let mut names = parts.into_iter().filter_map(|part| part.as_expr()?.as_name_expr());
    let is_of_call = names.any(|name| is_given(&name.id)) && !happens_once(module, function);
    let list = &call.func.as_attribute_expr()?.value;
    if !is_of_call || is_looked_after(module, list, function) {
        return None;
    }
    Some(if sets_up(module, function) {
        Confidence::Low
    } else {
        Confidence::Medium
    })
}

/// `if folder not in sys.path:` beside it, or something in the module that shortens the list or puts back a kept one.
fn is_looked_after(module: &Analysed<'_>, list: &Expr, function: ScopeId) -> bool {
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let index = module.index();
    let mut mentions = index.attributes(tail(list).unwrap_or_default()).iter();
    mentions.any(|mention| {
        let parent = index.parent(mention);
        let is_here = module.names.enclosing_function(mention.start().to_u32()) == Some(function);
        let is_stored = matches!(mention, Expr::Attribute(node) if !node.ctx.is_load());
        let is_shortened = match parent {
            Some(Node::Expr(Expr::Attribute(method))) => ["remove", "pop", "clear"].contains(&method.attr.as_str()),
            Some(Node::Expr(Expr::Subscript(item))) => !item.ctx.is_load(),
            _ => false,
        };
        let is_asked = match parent {
            Some(Node::Expr(Expr::Compare(_))) => is_here,
            // `if sys.path[0] != folder:`
            Some(Node::Expr(item @ Expr::Subscript(_))) => {
                is_here && matches!(index.parent(item), Some(Node::Expr(Expr::Compare(_))))
            }
            _ => false,
        };
        text(mention) == text(list) && (is_stored || is_shortened || is_asked)
    })
}

/// `watch(self.changed)` of a function that puts what it is handed into a collection of the module, which nobody empties.
fn of_keeping_function(module: &Analysed<'_>, call: &ExprCall, function: ScopeId) -> Option<Confidence> {
    let name = call.func.as_name_expr()?;
    let [binding] = module.names.bindings(&name.id, ScopeId::MODULE) else {
        return None;
    };
    let BindingKind::Def(statement) = binding.kind else {
        return None;
    };
    let keeping = module.names.scope_of(statement)?;
    let taken = parameters(Def::of(statement)?.arguments);
    let mut collections = module.collections().iter();
    let kept = collections.find_map(|collection| {
        let lives_on = collection.root == Root::Module && !collection.is_bounded() && !collection.escapes;
        let mut growths = collection
            .growths
            .iter()
            .filter(|growth| lives_on && growth.function == keeping);
        growths.find_map(|growth| {
            let value = growth.by.value?.as_name_expr()?;
            taken.iter().position(|(parameter, _)| parameter.arg == value.id)
        })
    })?;
    let handed = call.args.get(kept)?;
    let class = registry::class_around(module, function);
    let pins =
        class.is_some_and(|class| registry::pins_self(module, class, handed) && !is_one_of_a_kind(module, class));
    let is_new = class.is_none() && is_made_by(module, handed, function) && !returns_function(module, function);
    ((pins || is_new) && !happens_once(module, function)).then_some(Confidence::Medium)
}

/// `Board` of `BOARD = Board()`, a class of the module.
fn made_of<'m>(module: &Analysed<'m>, binding: &Binding<'m>) -> Option<&'m StmtClassDef> {
    let BindingKind::Assign {
        value: Some(Expr::Call(made)),
    } = binding.kind
    else {
        return None;
    };
    let class = tail(&made.func)?;
    let mut classes = module.module.body.iter().filter_map(Stmt::as_class_def_stmt);
    classes.find(|node| node.name.as_str() == class)
}

/// A registry that says of itself that it holds weakly, or whose class does.
fn holds_weakly(module: &Analysed<'_>, func: &Expr) -> bool {
    let is_weak = |text: &str| text.contains("weak") || text.contains("Weak");
    let class = || {
        let hub = func.as_attribute_expr()?.value.as_name_expr()?;
        made_of(module, module.names.bindings(&hub.id, ScopeId::MODULE).first()?)
    };
    is_weak(text_at(module.module.text(), func.range().into()))
        || class().is_some_and(|class| is_weak(text_at(module.module.text(), class.range().into())))
}

/// `Base.attach(self, part)` calls a method of the object itself.
fn is_unbound(call: &ExprCall) -> bool {
    let object = call.func.as_attribute_expr().and_then(|method| tail(&method.value));
    // `HOOKS` is a constant.
    let is_class = |name: &str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    object.is_some_and(is_class) && call.args.first().is_some_and(is_self)
}

/// What undoes the registration that the call is. Signals hold weakly unless they are told not to.
fn partners(call: &ExprCall, verb: &str) -> Option<Vec<String>> {
    let holds = || {
        call.keywords.iter().any(|keyword| {
            let is_weak = keyword.arg.as_deref() == Some("weak");
            is_weak && matches!(&keyword.value, Expr::Constant(truth) if truth.value == Constant::Bool(false))
        })
    };
    match verb {
        "connect" if !holds() => None,
        "connect" => Some(vec!["disconnect".to_owned()]),
        // `server.listen(5)` registers nothing.
        "listen" | "hook" if call.args.len() < 2 => None,
        _ => registry::partners(verb),
    }
}

/// `BOARD.connect(show)` of `BOARD = Board()`, a class of the module whose method puts its argument into a collection: the
/// methods that take something out of that.
fn hub_partners(module: &Analysed<'_>, func: &Expr) -> Option<Vec<String>> {
    let method = func.as_attribute_expr()?;
    let hub = method.value.as_name_expr()?;
    let [binding] = module.names.bindings(&hub.id, ScopeId::MODULE) else {
        return None;
    };
    let class = made_of(module, binding)?;
    let methods = || class.body.iter().filter_map(Def::of);
    let adds = methods().find(|def| def.name == method.attr.as_str())?;
    let taken = parameters(adds.arguments);
    let is_parameter = |expr: &Expr| {
        let name = expr.as_name_expr();
        name.is_some_and(|name| taken.iter().any(|(parameter, _)| parameter.arg == name.id))
    };
    let stores = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => {
            PUTS.contains(&tail(&call.func).unwrap_or_default()) && call.args.iter().any(is_parameter)
        }
        Node::Stmt(Stmt::Assign(node)) => node.targets.iter().any(Expr::is_subscript_expr) && is_parameter(&node.value),
        _ => false,
    };
    if !own_nodes(adds.body).any(stores) {
        return None;
    }
    let removes = |def: &Def<'_>| {
        own_nodes(def.body).any(|node| match node {
            Node::Expr(Expr::Call(call)) => matches!(tail(&call.func), Some("remove" | "discard" | "pop")),
            Node::Stmt(statement) => statement.is_delete_stmt(),
            _ => false,
        })
    };
    let partners: Vec<_> = methods().filter(removes).map(|def| def.name.to_owned()).collect();
    (!partners.is_empty()).then_some(partners)
}

/// `before = signal.signal(number, handler)`, where nobody puts back what was there before.
fn of_kept_hook(module: &Analysed<'_>, call: &ExprCall, setter: &str) -> Option<Finding> {
    let Some(Node::Stmt(Stmt::Assign(assign))) = module.index().parent_of_call(call) else {
        return None;
    };
    let [Expr::Name(kept)] = assign.targets.as_slice() else {
        return None;
    };
    let scope = module.names.scope_at(assign.start().to_u32());
    let mut mentions = module.index().names(scope, &kept.id).iter();
    let is_local = module.names.home(&kept.id, scope) == scope && scope != ScopeId::MODULE;
    let is_read = mentions.any(|mention| mention.as_name_expr().is_some_and(|name| name.ctx.is_load()));
    (is_local && !is_read).then(|| finding(call.range().into(), Confidence::Medium, setter))
}

/// A function that registers with what outlives it a function of its own: each call one more.
fn of_closure(module: &Analysed<'_>, call: &ExprCall, function: ScopeId) -> Option<Confidence> {
    let method = call.func.as_attribute_expr()?;
    let outlives = match registry::receiver(module, keeper(call, method)) {
        Receiver::Outlives => true,
        // An event is listened to for as long as there is its target.
        Receiver::Given => method.attr.as_str() != "listen",
        Receiver::Own => false,
    };
    let keywords = call.keywords.iter().map(|keyword| &keyword.value);
    let mut arguments = call.args.iter().chain(keywords);
    let makes = arguments.any(|argument| is_made_by(module, argument, function));
    let names = &module.names;
    // A decorator, or a part of one, runs at import.
    let is_plain = names.scope(function).parent == Some(ScopeId::MODULE) && !returns_function(module, function);
    if !(outlives && makes && is_plain) || happens_once(module, function) {
        return None;
    }
    let doubtful = sets_up(module, function) || is_named_for_registering(names.scope(function).name());
    Some(if doubtful { Confidence::Low } else { Confidence::Medium })
}

/// Every node of a function.
fn inside<'m>(module: &Analysed<'m>, function: ScopeId) -> impl Iterator<Item = Node<'m>> {
    let node = module.names.scope(function).node;
    node.into_iter().flat_map(Node::descendants)
}

/// Whether the function gives one back that stands in it.
fn returns_function(module: &Analysed<'_>, function: ScopeId) -> bool {
    inside(module, function).any(|node| match node {
        Node::Stmt(Stmt::Return(node)) => node
            .value
            .as_deref()
            .is_some_and(|value| is_made_by(module, value, function)),
        _ => false,
    })
}

/// Who registers by name is called once for each thing to be registered.
fn is_named_for_registering(name: &str) -> bool {
    let plain = name.trim_start_matches('_');
    [
        "register", "add", "bind", "connect", "attach", "include", "on_", "load", "create", "make", "build",
    ]
    .iter()
    .any(|word| plain.starts_with(word))
}

/// Whether anything in the module takes out what the call registers. What another class or function that registers by
/// itself takes out is its own, and so is what a registry does inside.
fn is_undone(module: &Analysed<'_>, call: &ExprCall, verb: &str, partners: &[impl AsRef<str>]) -> bool {
    let index = module.index();
    let here = outermost(module, call.start().to_u32());
    let registers = |scope: ScopeId| {
        let mut all = index.attributes(verb).iter();
        all.any(|mention| outermost(module, mention.start().to_u32()) == Some(scope))
    };
    let is_other = |at: u32| {
        let scope = outermost(module, at).filter(|scope| Some(*scope) != here);
        scope.is_some_and(|scope| registers(scope) && !is_kin(module, here, scope))
    };
    let text = |expr: &Expr| text_at(module.module.text(), expr.range().into());
    let registry = call.func.as_attribute_expr().map(|method| text(&method.value));
    partners.iter().map(AsRef::as_ref).any(|name| {
        // Lists and folders have a `remove` as well.
        let is_this = |mention: &Expr| {
            let object = mention.as_attribute_expr().map(|method| &*method.value);
            let is_inside = object.is_some_and(is_self) && defines(module, mention.start().to_u32(), name);
            !is_inside && (name != "remove" || object.map(text) == registry)
        };
        let mut attributes = index.attributes(name).iter();
        let bare = index.names(ScopeId::MODULE, name);
        attributes.any(|mention| is_this(mention) && !is_other(mention.start().to_u32())) || !bare.is_empty()
    })
}

/// The class or function of the module in which `at` lies.
fn outermost(module: &Analysed<'_>, at: u32) -> Option<ScopeId> {
    let around: Vec<_> = module.names.ancestors(module.names.scope_at(at)).collect();
    around.into_iter().rev().find(|scope| *scope != ScopeId::MODULE)
}

/// Whether the class around has a method of that name.
fn defines(module: &Analysed<'_>, at: u32, name: &str) -> bool {
    let class = module.names.enclosing_class(at);
    class.is_some_and(|class| registry::is_method(module, class, name))
}

/// Whether one of the classes names the other among its bases.
fn is_kin(module: &Analysed<'_>, one: Option<ScopeId>, other: ScopeId) -> bool {
    let class = |scope: ScopeId| lifetime::class_of(&module.names, scope);
    let (Some(one), Some(other)) = (one.and_then(class), class(other)) else {
        return one.is_none();
    };
    let names =
        |class: &StmtClassDef, base: &StmtClassDef| class.bases.iter().any(|each| tail(each) == Some(&base.name));
    names(one, other) || names(other, one)
}

/// How the names of methods begin that run once in the life of an object.
const ONCE: [&str; 14] = [
    "__", "build", "create", "make", "open", "connect", "load", "register", "add", "bind", "run", "main", "attach",
    "on_",
];

/// A method that registers a callback with a part of its object registers it once more at each call.
fn each_time(module: &Analysed<'_>, call: &ExprCall, function: ScopeId) -> Option<Confidence> {
    let part = call.func.as_attribute_expr()?.value.as_attribute_expr()?;
    let name = module.names.scope(function).name();
    let plain = if name.starts_with("__") {
        name
    } else {
        name.trim_start_matches('_')
    };
    // A deferred result is called back once, and so is a `once` listener.
    let verb = tail(&call.func)?.to_lowercase();
    let is_used_up = verb.ends_with("callback") || ["once", "onetime"].iter().any(|word| verb.contains(word));
    let is_once = is_used_up || ONCE.iter().any(|word| plain.starts_with(word)) || sets_up(module, function);
    (is_self(&part.value) && !is_once).then_some(Confidence::Medium)
}

/// Methods that put their argument into a collection.
const PUTS: [&str; 4] = ["append", "add", "insert", "appendleft"];
/// How the names of collections end in which objects keep what they call back.
const CALLED_BACK: [&str; 8] = [
    "listeners",
    "callbacks",
    "handlers",
    "hooks",
    "observers",
    "subscribers",
    "watchers",
    "processors",
];

/// `loop.on_tick.add(poll)`: the collection is one of callbacks that somebody else has.
fn of_foreign_list(module: &Analysed<'_>, call: &ExprCall, function: ScopeId) -> Option<Finding> {
    let list = call.func.as_attribute_expr()?.value.as_attribute_expr()?;
    let name = list.attr.as_str();
    let is_called_back = name.starts_with("on_") || CALLED_BACK.iter().any(|word| name.ends_with(word));
    let owner = registry::receiver(module, &list.value);
    let shrinks = |mention: &&Expr| super::memory::traceback::is_emptied(module, mention);
    if !is_called_back || owner == Receiver::Own || module.index().attributes(name).iter().any(shrinks) {
        return None;
    }
    let class = registry::class_around(module, function)?;
    let is_per_call = call.args.iter().any(|argument| is_made_by(module, argument, function));
    let pins = call
        .args
        .iter()
        .any(|argument| registry::pins_self(module, class, argument));
    if !(is_per_call || pins) || happens_once(module, function) || is_one_of_a_kind(module, class) {
        return None;
    }
    // What came in may live no longer than the object. A function that each call makes anew tells more: no set
    // knows it again.
    let confidence = match owner {
        Receiver::Given if !is_per_call => Confidence::Low,
        _ => Confidence::Medium,
    };
    let registry = text_at(module.module.text(), call.func.range().into());
    Some(finding(call.range().into(), confidence, registry))
}

/// Whether it is a function that stands in the body of this one.
fn is_made_by(module: &Analysed<'_>, value: &Expr, function: ScopeId) -> bool {
    let bindings = match value {
        Expr::Lambda(_) => return true,
        Expr::Name(name) => module.names.bindings(&name.id, function),
        _ => return false,
    };
    let is_def = |binding: &Binding<'_>| matches!(binding.kind, BindingKind::Def(_)) && binding.scope == function;
    bindings.iter().any(is_def)
}

/// A function in a method that uses `self`, registered by its decorator: each instance registers one.
fn of_decorators(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let def = Def::of(statement)?;
    let function = module.names.enclosing_function(statement.start().to_u32())?;
    let class = registry::class_around(module, function)?;
    if !registry::uses_self(Node::Stmt(statement)) || happens_once(module, function) || is_one_of_a_kind(module, class)
    {
        return None;
    }
    def.decorators.iter().find_map(|decorator| {
        let func = decorator.as_call_expr().map_or(decorator, |call| &*call.func);
        let partners = registry::partners(tail(func)?)?;
        if registry::is_mentioned(module, &partners) {
            return None;
        }
        let confidence = weigh_receiver(module, func)?;
        let registry = text_at(module.module.text(), func.range().into());
        Some(finding(decorator.range().into(), confidence, registry))
    })
}

/// Who keeps what is registered: `event.listen(engine, "connect", note)` leaves it to the engine.
fn keeper<'m>(call: &'m ExprCall, method: &'m ExprAttribute) -> &'m Expr {
    let first = call.args.first().filter(|_| method.attr.as_str() == "listen");
    first.unwrap_or(&method.value)
}

fn of_receiver(module: &Analysed<'_>, call: &ExprCall) -> Option<Confidence> {
    let kept_by = match &*call.func {
        Expr::Attribute(method) => keeper(call, method),
        func => return weigh_receiver(module, func),
    };
    // The end of the program is what such things are registered for.
    let name = tail(kept_by).unwrap_or_default().to_lowercase();
    let is_for_the_end = ["exit", "cleanup"].iter().any(|word| name.contains(word));
    let sure = weigh(module, registry::receiver(module, kept_by), call.start().to_u32())?;
    Some(if is_for_the_end { Confidence::Low } else { sure })
}

/// How sure it is that what registers outlives what is registered.
fn weigh_receiver(module: &Analysed<'_>, func: &Expr) -> Option<Confidence> {
    let receiver = match func {
        Expr::Attribute(node) => registry::receiver(module, &node.value),
        _ => Receiver::Outlives,
    };
    weigh(module, receiver, func.start().to_u32())
}

fn weigh(module: &Analysed<'_>, receiver: Receiver, at: u32) -> Option<Confidence> {
    match receiver {
        Receiver::Own => None,
        Receiver::Outlives => Some(Confidence::Medium),
        Receiver::Given if has_end(module, at) => Some(Confidence::Medium),
        Receiver::Given => Some(Confidence::Low),
    }
}

/// Each call makes a new handler for a logger, and loggers live as long as the process.
fn of_handler(module: &Analysed<'_>, call: &ExprCall, function: ScopeId, undo: &[&str]) -> Option<Finding> {
    let Expr::Attribute(node) = &*call.func else {
        return None;
    };
    let [handler] = call.args.as_slice() else { return None };
    let is_new = is_self(handler) || registry::is_made_in(module, handler, function);
    // What has no name cannot be asked for again.
    let is_nameless = handler.is_call_expr();
    let undo = undo.iter().copied();
    let undo: Vec<_> = undo
        .filter(|word| !(is_nameless && word.starts_with("remove")))
        .collect();
    let verb = tail(&call.func).unwrap_or_default();
    if !is_new || is_undone(module, call, verb, &undo) || happens_once(module, function) {
        return None;
    }
    let sure = match registry::receiver(module, &node.value) {
        Receiver::Own => return None,
        Receiver::Given => Confidence::Low,
        Receiver::Outlives => Confidence::Medium,
    };
    let class = registry::class_around(module, function);
    if class.is_some_and(|class| is_one_of_a_kind(module, class)) {
        return None;
    }
    let doubtful = sets_up(module, function) || is_returned(module, handler, function);
    let confidence = if doubtful { Confidence::Low } else { sure };
    let logger = text_at(module.module.text(), node.value.range().into());
    Some(finding(call.range().into(), confidence, logger))
}

/// How sure it is that each instance registers itself.
fn of_object(module: &Analysed<'_>, call: &ExprCall, function: ScopeId, undo: &[&str]) -> Option<Confidence> {
    let class = registry::class_around(module, function)?;
    // Of the sender, signals keep no more than its identity.
    let keywords = call
        .keywords
        .iter()
        .filter(|keyword| keyword.arg.as_deref() != Some("sender"));
    let mut arguments = call.args.iter().chain(keywords.map(|keyword| &keyword.value));
    let pins = arguments.any(|argument| registry::pins_self(module, class, argument));
    let verb = tail(&call.func).unwrap_or_default();
    let undone = !undo.is_empty() && is_undone(module, call, verb, undo);
    if !pins || undone || happens_once(module, function) || is_one_of_a_kind(module, class) {
        return None;
    }
    Some(Confidence::Medium)
}

/// How sure it is that each call registers once more.
fn of_function(module: &Analysed<'_>, call: &ExprCall, function: ScopeId, undo: &[&str]) -> Option<Confidence> {
    let class = registry::class_around(module, function);
    let verb = tail(&call.func).unwrap_or_default();
    let undone = !undo.is_empty() && is_undone(module, call, verb, undo);
    // A decorator is called at import.
    let decorates = call.args.is_empty() || module.names.scope(function).parent != Some(ScopeId::MODULE);
    if undone || happens_once(module, function) || class.is_some() || decorates {
        return None;
    }
    // Each thing that is to be undone at the end of the program takes an entry of its own.
    let is_cleanup = module.names.resolve(&call.func).qualified() == Some("atexit.register");
    let doubtful = is_cleanup || sets_up(module, function);
    Some(if doubtful { Confidence::Low } else { Confidence::Medium })
}

/// `sys.excepthook = self.report`
fn of_hook(module: &Analysed<'_>, assign: &StmtAssign) -> Option<Finding> {
    let [target] = assign.targets.as_slice() else {
        return None;
    };
    let resolved = module.names.resolve(target);
    let hook = resolved.qualified().filter(|name| HOOKS.contains(name))?;
    let function = module.names.enclosing_function(assign.start().to_u32())?;
    let class = registry::class_around(module, function)?;
    let others = module
        .nodes()
        .filter_map(Node::as_stmt)
        .filter(|statement| match statement {
            Stmt::Assign(other) => other
                .targets
                .iter()
                .any(|target| module.names.resolve(target).qualified() == Some(hook)),
            _ => false,
        });
    let is_restored = others.count() > 1;
    if is_restored || is_one_of_a_kind(module, class) || !registry::pins_self(module, class, &assign.value) {
        return None;
    }
    let confidence = if has_end(module, assign.start().to_u32()) {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    Some(finding(assign.range().into(), confidence, hook))
}

/// `signal.signal(signal.SIGTERM, self.stop)`: there is one at a time, and it keeps the object that has it.
fn of_setter(module: &Analysed<'_>, call: &ExprCall, function: ScopeId, setter: &str) -> Option<Finding> {
    let class = registry::class_around(module, function)?;
    let pins = call
        .args
        .iter()
        .any(|argument| registry::pins_self(module, class, argument));
    let all = module
        .module
        .nodes()
        .filter_map(Node::as_expr)
        .filter(|expr| match expr {
            Expr::Call(other) => module.names.resolve(&other.func).qualified() == Some(setter),
            _ => false,
        });
    let mut others = all.filter_map(Expr::as_call_expr);
    let is_restored = others.any(|other| {
        let mut handed = other.args.iter();
        !handed.any(|argument| registry::pins_self(module, class, argument))
    });
    let serves = lifetime::stay(module, class) != Stay::Unknown || happens_once(module, function);
    if !pins || is_restored || serves || is_one_of_a_kind(module, class) || !has_end(module, call.start().to_u32()) {
        return None;
    }
    // What a `with` installs it should take away.
    let is_for_a_while = module.names.scope(function).name() == "__enter__";
    let confidence = if is_for_a_while {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    Some(finding(call.range().into(), confidence, setter))
}

/// `_instances.append(self)`
fn in_collections(module: &Analysed<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for collection in module.collections() {
        let lives_on = matches!(collection.root, Root::Module | Root::Class(_));
        if !lives_on || collection.is_bounded() || collection.escapes {
            continue;
        }
        for growth in &collection.growths {
            let Some(class) = registry::class_around(module, growth.function) else {
                continue;
            };
            let pins = growth
                .by
                .value
                .is_some_and(|value| registry::pins_self(module, class, value));
            if !pins || is_one_of_a_kind(module, class) || happens_once(module, growth.function) {
                continue;
            }
            let names = &module.names;
            let is_few = |key: &Expr| domain::of_key(names, key) < Domain::Open;
            // A set is keyed by what is put in.
            let key = growth
                .by
                .key
                .filter(|key| growth.by.value.is_none_or(|value| key.start() != value.start()));
            let confidence = if key.is_some_and(is_few) {
                Confidence::Low
            } else {
                Confidence::Medium
            };
            found.push(finding(growth.by.at.range().into(), confidence, collection.name));
        }
    }
    found
}

fn is_one_of_a_kind(module: &Analysed<'_>, class: ScopeId) -> bool {
    let Some(node) = lifetime::class_of(&module.names, class) else {
        return true;
    };
    let is_test = node
        .bases
        .iter()
        .filter_map(tail)
        .any(|base| base.ends_with("TestCase"));
    is_test
        || lifetime::is_singleton(module, node)
        || lifetime::has_enum_base(&module.names, node)
        || lifetime::is_metaclass(&module.names, node)
}

/// Whether the class around has a method that ends the use of its instances.
fn has_end(module: &Analysed<'_>, at: u32) -> bool {
    let class = module
        .names
        .enclosing_class(at)
        .and_then(|class| lifetime::class_of(&module.names, class));
    class.is_some_and(|class| {
        class
            .body
            .iter()
            .filter_map(Def::of)
            .any(|def| ENDS.contains(&def.name))
    })
}

fn sets_up(module: &Analysed<'_>, function: ScopeId) -> bool {
    let name = module.names.scope(function).name();
    let plain = name.trim_start_matches('_');
    let is_said = !name.ends_with("__") && SETTING_UP.iter().any(|word| plain.starts_with(word));
    is_said || is_handed_options(module, function)
}

/// What is handed the arguments of the command line runs once.
fn is_handed_options(module: &Analysed<'_>, function: ScopeId) -> bool {
    let Some(Node::Stmt(statement)) = module.names.scope(function).node else {
        return false;
    };
    let taken = Def::of(statement).map_or_else(Vec::new, |def| parameters(def.arguments));
    let words = ["opts", "options", "args", "argv", "namespace", "cli_args"];
    taken
        .iter()
        .any(|(parameter, _)| words.contains(&parameter.arg.as_str()))
}

/// Whoever gets the handler back may take it out again.
fn is_returned(module: &Analysed<'_>, value: &Expr, function: ScopeId) -> bool {
    let Some(name) = value.as_name_expr() else { return false };
    let mut returns = inside(module, function).filter_map(|node| match node {
        Node::Stmt(Stmt::Return(node)) => node.value.as_deref()?.as_name_expr(),
        _ => None,
    });
    returns.any(|given| given.id == name.id)
}

/// Whether the function runs once in a process, or a flag sees to it that it acts once.
fn happens_once(module: &Analysed<'_>, function: ScopeId) -> bool {
    let Some(Node::Stmt(statement)) = module.names.scope(function).node else {
        return false;
    };
    let Some(def) = Def::of(statement) else { return false };
    let is_cached = def.decorators.iter().any(|decorator| {
        let func = decorator.as_call_expr().map_or(decorator, |call| &*call.func);
        matches!(tail(func), Some("cache" | "lru_cache"))
    });
    is_cached || super::unbounded_collection::runs_once(module, function) || module.notes().is_flagged(function)
}

fn finding(span: Span, confidence: Confidence, registry: &str) -> Finding {
    Finding {
        span,
        rule: Pattern::RegistrationNeverRemoved.id().to_owned(),
        patterns: vec![Pattern::RegistrationNeverRemoved],
        resource: None,
        confidence,
        message: format!("registers something new with `{registry}` each time, and nothing takes it out again"),
        suggestion: "take it out when its use ends, register it once, or register a weak reference".to_owned(),
        related: Vec::new(),
    }
}
