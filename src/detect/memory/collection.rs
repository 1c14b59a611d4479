//! Collections that outlive the calls that fill them, and what the module does with each.

use std::collections::BTreeSet;

use super::mention::{Grow, Reader, Role, is_empty};
use super::{lifetime, tail, traceback};
use crate::detect::Analysed;
use crate::detect::course::{has_way_out, is_true, own_nodes};
use crate::python::ast::{Expr, ExprAttribute, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, ScopeKind, parameters};
use crate::python::{Names, Node, ScopeId, Span};

/// Who keeps a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Root {
    Module,
    /// An attribute of the class itself.
    Class(ScopeId),
    /// An attribute of every instance.
    Instance(ScopeId),
    /// The default of a parameter, which is made once.
    Default(ScopeId),
    /// A variable of a decorator, kept by the function that it returns.
    Decorator(ScopeId),
    /// A variable of a function whose loop has no end.
    Loop(ScopeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Kind {
    List,
    Deque,
    Set,
    Mapping,
    /// A mapping that puts in what it is asked for.
    DefaultMapping,
}

#[derive(Debug)]
pub(in crate::detect) struct Collection<'m> {
    pub(in crate::detect) root: Root,
    pub(in crate::detect) name: &'m str,
    pub(in crate::detect) kind: Kind,
    /// The expression that makes it.
    pub(in crate::detect) made: &'m Expr,
    pub(in crate::detect) growths: Vec<Growth<'m>>,
    /// Keys that are asked for, with the function that asks.
    pub(in crate::detect) lookups: Vec<(ScopeId, &'m Expr)>,
    pub(in crate::detect) bounds: BTreeSet<Bound>,
    /// The functions that return it.
    pub(in crate::detect) returned_by: BTreeSet<ScopeId>,
    /// Someone else may take from it.
    pub(in crate::detect) escapes: bool,
}

/// What keeps a collection from growing for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum Bound {
    /// Something takes single items out of it.
    Taken,
    /// Something empties or replaces it.
    Emptied,
    /// Its size is held against a limit.
    Limit,
    /// Nothing: what takes from it never runs, or what finds it too large only says so.
    Idle,
}

/// A place that makes a collection grow each time a function runs.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Growth<'m> {
    pub(in crate::detect) function: ScopeId,
    pub(in crate::detect) by: Grow<'m>,
}

/// More names for one collection than this are not followed.
const MAX_MENTIONS: usize = 400;
/// Methods that run once for each instance, or once for each class.
const CONSTRUCTORS: [&str; 6] = [
    "__init__",
    "__new__",
    "__post_init__",
    "__attrs_post_init__",
    "__set_name__",
    "__init_subclass__",
];

/// What an expression makes anew; `None` too for what has a bound.
fn kind_of(names: &Names<'_>, made: &Expr) -> Option<Kind> {
    match made {
        Expr::List(_) | Expr::ListComp(_) => Some(Kind::List),
        Expr::Dict(_) | Expr::DictComp(_) => Some(Kind::Mapping),
        Expr::Set(_) | Expr::SetComp(_) => Some(Kind::Set),
        Expr::Call(call) => match names.resolve(&call.func).qualified()? {
            "dataclasses.field" | "attr.field" | "attrs.field" | "attr.ib" => kind_of_factory(names, call),
            "collections.deque" if has_bound(call) => None,
            name => kind_of_class(name),
        },
        _ => None,
    }
}

fn kind_of_class(name: &str) -> Option<Kind> {
    match name {
        "builtins.list" => Some(Kind::List),
        "builtins.set" => Some(Kind::Set),
        "builtins.dict" | "collections.OrderedDict" => Some(Kind::Mapping),
        "collections.defaultdict" | "collections.Counter" => Some(Kind::DefaultMapping),
        "collections.deque" => Some(Kind::Deque),
        _ => None,
    }
}

/// `field(default_factory=list)`
fn kind_of_factory(names: &Names<'_>, call: &ExprCall) -> Option<Kind> {
    let is_factory = |name: &str| ["default_factory", "factory"].contains(&name);
    let mut keywords = call.keywords.iter();
    let factory = keywords.find(|keyword| keyword.arg.as_deref().is_some_and(is_factory))?;
    match &factory.value {
        Expr::Lambda(lambda) => kind_of(names, &lambda.body),
        other => kind_of_class(names.resolve(other).qualified()?),
    }
}

/// `deque(items, 100)`, `deque(maxlen=100)`
fn has_bound(call: &ExprCall) -> bool {
    let mut keywords = call.keywords.iter();
    let named = keywords.find(|keyword| keyword.arg.as_deref().is_none_or(|name| name == "maxlen"));
    let bound = named.map(|keyword| &keyword.value).or(call.args.get(1));
    bound.is_some_and(|bound| !matches!(bound, Expr::Constant(constant) if constant.value.is_none()))
}

/// Every collection of the module, in the order of the text.
pub(in crate::detect) fn of_module<'m>(module: &Analysed<'m>) -> Vec<Collection<'m>> {
    let mut found = candidates(module);
    for collection in &mut found {
        follow(module, collection);
    }
    found.retain(|collection| !collection.growths.is_empty());
    found.sort_by_key(|collection| collection.made.start());
    found
}

fn candidates<'m>(module: &Analysed<'m>) -> Vec<Collection<'m>> {
    let names = &module.names;
    let mut found = Vec::new();
    for (scope, _) in names.scopes() {
        match names.scope(scope).kind {
            ScopeKind::Module => of_body(module, scope, Root::Module, &module.module.body, &mut found),
            ScopeKind::Class => {
                if let Some(class) = lifetime::class_of(names, scope) {
                    of_class(module, scope, &class.body, &mut found);
                }
            }
            ScopeKind::Function => {
                of_defaults(module, scope, &mut found);
                of_decorator(module, scope, &mut found);
                of_loop(module, scope, &mut found);
            }
            _ => {}
        }
    }
    found
}

fn collection<'m>(module: &Analysed<'m>, root: Root, name: &'m str, made: &'m Expr) -> Option<Collection<'m>> {
    let kind = kind_of(&module.names, made)?;
    Some(Collection {
        root,
        name,
        kind,
        made,
        growths: Vec::new(),
        lookups: Vec::new(),
        bounds: BTreeSet::new(),
        returned_by: BTreeSet::new(),
        escapes: false,
    })
}

/// Names that the statements themselves give a collection, once each.
fn of_body<'m>(module: &Analysed<'m>, scope: ScopeId, root: Root, body: &'m [Stmt], found: &mut Vec<Collection<'m>>) {
    let mut seen = BTreeSet::new();
    for statement in body {
        let Some((Expr::Name(name), made)) = assigned(statement) else {
            continue;
        };
        let is_field =
            matches!(made, Expr::Call(call) if tail(&call.func) == Some("field") || tail(&call.func) == Some("ib"));
        let root = if is_field { Root::Instance(scope) } else { root };
        if seen.insert(name.id.as_str()) {
            found.extend(collection(module, root, &name.id, made));
        }
    }
}

fn of_class<'m>(module: &Analysed<'m>, scope: ScopeId, body: &'m [Stmt], found: &mut Vec<Collection<'m>>) {
    let mut own = Vec::new();
    of_body(module, scope, Root::Class(scope), body, &mut own);
    let methods = body.iter().filter_map(Def::of);
    let constructors = methods.filter(|def| CONSTRUCTORS[..4].contains(&def.name));
    let mut seen = BTreeSet::new();
    for statement in constructors.flat_map(|def| def.body) {
        let Some((Expr::Attribute(target), made)) = assigned(statement) else {
            continue;
        };
        if !is_self(&target.value) || !seen.insert(target.attr.as_str()) {
            continue;
        }
        own.retain(|other| other.name != target.attr.as_str());
        own.extend(collection(module, Root::Instance(scope), &target.attr, made));
    }
    found.extend(own);
}

fn of_defaults<'m>(module: &Analysed<'m>, scope: ScopeId, found: &mut Vec<Collection<'m>>) {
    let Some(Node::Stmt(statement)) = module.names.scope(scope).node else {
        return;
    };
    let Some(def) = Def::of(statement) else { return };
    for (parameter, default) in parameters(def.arguments) {
        let bindings = module.names.bindings(&parameter.arg, scope).iter();
        let mut others = bindings.filter(|binding| !matches!(binding.kind, BindingKind::Parameter(_)));
        let is_kept = others.all(|binding| match &binding.kind {
            BindingKind::Assign { value: Some(value) } => stands_for_none(value, &parameter.arg),
            _ => false,
        });
        if let Some(made) = default.filter(|_| is_kept) {
            found.extend(collection(module, Root::Default(scope), &parameter.arg, made));
        }
    }
}

/// `memo = {}` of a decorator: what it returns in place of the function that it is given lives as long as that.
fn of_decorator<'m>(module: &Analysed<'m>, scope: ScopeId, found: &mut Vec<Collection<'m>>) {
    let Some(Node::Stmt(statement)) = module.names.scope(scope).node else {
        return;
    };
    if let Some(def) = Def::of(statement).filter(|def| replaces_what_it_is_given(module, scope, def)) {
        of_body(module, scope, Root::Decorator(scope), def.body, found);
    }
}

/// `seen = []` of a function that goes on to loop for ever.
fn of_loop<'m>(module: &Analysed<'m>, scope: ScopeId, found: &mut Vec<Collection<'m>>) {
    let Some(def) = module.names.scope(scope).node.and_then(|node| Def::of(node.as_stmt()?)) else {
        return;
    };
    if endless_loop(module, scope).is_some() {
        of_body(module, scope, Root::Loop(scope), def.body, found);
    }
}

/// Calls that end a program or a test.
const LEAVING: [&str; 6] = ["exit", "_exit", "quit", "abort", "fail", "skipTest"];

/// The loop in the body of a function, or in a `with` there, that nothing ends but an exception that nobody waits for.
fn endless_loop(module: &Analysed<'_>, scope: ScopeId) -> Option<Span> {
    let Some(Node::Stmt(statement)) = module.names.scope(scope).node else {
        return None;
    };
    let mut body = Def::of(statement)?.body;
    loop {
        let last = body.last()?;
        match last {
            Stmt::With(node) => body = &node.body,
            Stmt::AsyncWith(node) => body = &node.body,
            Stmt::While(node) => {
                let leaves = own_nodes(&node.body).any(|node| match node {
                    Node::Expr(Expr::Call(call)) => tail(&call.func).is_some_and(|name| LEAVING.contains(&name)),
                    Node::Expr(expr) => expr.is_yield_expr() || expr.is_yield_from_expr(),
                    _ => false,
                });
                let is_endless = is_true(&node.test) && !has_way_out(&node.body) && !leaves;
                return is_endless.then(|| node.range().into());
            }
            _ => return None,
        }
    }
}

/// Whether it returns a function of its own that calls its parameter.
fn replaces_what_it_is_given(module: &Analysed<'_>, scope: ScopeId, def: &Def<'_>) -> bool {
    let returned = def.body.iter().filter_map(|statement| match statement {
        Stmt::Return(node) => node.value.as_deref().and_then(Expr::as_name_expr),
        _ => None,
    });
    let bindings = returned.flat_map(|name| module.names.bindings(&name.id, scope));
    let mut inner = bindings.filter_map(|binding| match binding.kind {
        BindingKind::Def(statement) if binding.scope == scope => Some(Node::Stmt(statement)),
        _ => None,
    });
    let is_given = |name: &str, at: u32| {
        let taken = parameters(def.arguments);
        let is_own = module.names.home(name, module.names.scope_at(at)) == scope;
        is_own && taken.iter().any(|(parameter, _)| parameter.arg.as_str() == name)
    };
    inner.any(|inner| {
        inner.descendants().any(|node| match node {
            Node::Expr(Expr::Call(call)) => call
                .func
                .as_name_expr()
                .is_some_and(|name| is_given(&name.id, name.start().to_u32())),
            _ => false,
        })
    })
}

/// `[] if items is None else items` leaves a default that is no `None` as it is.
fn stands_for_none(value: &Expr, name: &str) -> bool {
    let is_it = |expr: &Expr| expr.as_name_expr().is_some_and(|node| node.id.as_str() == name);
    let Expr::IfExp(choice) = value else { return false };
    let Expr::Compare(test) = &*choice.test else {
        return false;
    };
    let asks_for_none = matches!(test.comparators.as_slice(), [Expr::Constant(constant)] if constant.value.is_none());
    asks_for_none && is_it(&test.left) && (is_it(&choice.body) || is_it(&choice.orelse))
}

/// The one target and the value of an assignment.
fn assigned(statement: &Stmt) -> Option<(&Expr, &Expr)> {
    match statement {
        Stmt::Assign(node) => match node.targets.as_slice() {
            [target] => Some((target, &node.value)),
            _ => None,
        },
        Stmt::AnnAssign(node) => Some((&node.target, node.value.as_deref()?)),
        _ => None,
    }
}

pub(in crate::detect) fn is_self(expr: &Expr) -> bool {
    expr.as_name_expr().is_some_and(|name| name.id.as_str() == "self")
}

/// Every place that names the collection, and what that does.
fn follow<'m>(module: &Analysed<'m>, collection: &mut Collection<'m>) {
    let index = module.index();
    let reader = Reader {
        index,
        config: module.config(),
        fills_itself: collection.kind == Kind::DefaultMapping,
        is_keyed: matches!(collection.kind, Kind::Set | Kind::Mapping | Kind::DefaultMapping),
    };
    let mut open = mentions(module, collection);
    let (mut seen, mut is_emptied_inside) = (BTreeSet::new(), false);
    while let Some(mention) = open.pop() {
        if seen.len() > MAX_MENTIONS {
            collection.escapes = true;
            return;
        }
        if !seen.insert(mention.start()) {
            continue;
        }
        let role = match reader.role(mention) {
            Role::Read | Role::Escape if is_emptied_by_callee(module, mention) => Role::Shrink,
            role => role,
        };
        is_emptied_inside |= matches!(role, Role::ShrinkInside);
        match role {
            Role::Alias(name) => match aliases(module, name) {
                Some(more) => open.extend(more.iter().filter(|other| !std::ptr::eq(**other, name))),
                None => collection.escapes = true,
            },
            role => note(module, collection, mention, role),
        }
    }
    // `c[k] = []` takes out what was in there, unless it has just been asked whether there is anything.
    let lookups = std::mem::take(&mut collection.lookups);
    let begins = |growth: &Growth<'_>| lookups.iter().any(|(function, _)| *function == growth.function);
    let empties = |growth: &Growth<'_>| {
        growth.by.at.is_subscript_expr() && growth.by.value.is_some_and(is_empty) && !begins(growth)
    };
    is_emptied_inside |= collection.growths.iter().any(empties);
    collection.growths.retain(|growth| !empties(growth));
    collection.lookups = lookups;
    if is_emptied_inside {
        collection.growths.retain(|growth| !growth.by.is_inside);
    }
    if let Root::Loop(home) = collection.root {
        let inner = endless_loop(module, home).unwrap_or(Span::at(0));
        collection
            .growths
            .retain(|growth| inner.holds(growth.by.at.start().to_u32()));
    }
    collection.growths.sort_by_key(|growth| growth.by.at.start());
}

/// `trim(self.items)`, where `trim` takes from its parameter.
fn is_emptied_by_callee(module: &Analysed<'_>, mention: &Expr) -> bool {
    let Some(Node::Expr(Expr::Call(call))) = module.index().parent(mention) else {
        return false;
    };
    let position = call.args.iter().position(|argument| std::ptr::eq(argument, mention));
    let (Some(position), Some(name)) = (position, call.func.as_name_expr()) else {
        return false;
    };
    let bindings = module.names.bindings(&name.id, ScopeId::MODULE).iter();
    let mut defs = bindings.filter_map(|binding| match binding.kind {
        BindingKind::Def(statement) => Some((module.names.scope_of(statement)?, Def::of(statement)?)),
        _ => None,
    });
    defs.any(|(scope, def)| {
        let taken = parameters(def.arguments);
        let mentions = taken
            .get(position)
            .map_or(&[][..], |(parameter, _)| module.index().names(scope, &parameter.arg));
        mentions.iter().any(|mention| traceback::is_emptied(module, mention))
    })
}

fn aliases<'a, 'm>(module: &'a Analysed<'m>, name: &'m Expr) -> Option<&'a [&'m Expr]> {
    let node = name.as_name_expr()?;
    let scope = module.names.scope_at(node.start().to_u32());
    let home = module.names.home(&node.id, scope);
    let is_local = module.names.scope(home).kind == ScopeKind::Function;
    let bindings = module.names.bindings(&node.id, scope).iter();
    let stores = bindings.filter(|binding| !matches!(binding.kind, BindingKind::AugAssign));
    let once = stores.count() == 1;
    (is_local && once).then(|| module.index().names(home, &node.id))
}

fn note<'m>(module: &Analysed<'m>, collection: &mut Collection<'m>, mention: &'m Expr, role: Role<'m>) {
    let at = mention.start().to_u32();
    let function = module.names.enclosing_function(at);
    match role {
        Role::Read | Role::ShrinkInside | Role::Alias(_) => {}
        Role::Lookup(key) => collection.lookups.extend(function.map(|function| (function, key))),
        Role::Shrink if is_making(module, collection, mention) => {}
        Role::Shrink | Role::Limit => {
            collection.bounds.insert(bound(module, mention, &role, function));
        }
        Role::Return => collection.returned_by.extend(function),
        Role::Escape => collection.escapes = true,
        // `self.items = self.items + [x]` leaves what the class has as it is.
        Role::Grow(by) if is_shadowed(module, collection, by.at) => {}
        Role::Grow(by) => {
            let own = function.filter(|function| !sets_up(module, collection, *function));
            collection.growths.extend(own.map(|function| Growth { function, by }));
        }
    }
}

fn bound(module: &Analysed<'_>, mention: &Expr, role: &Role<'_>, function: Option<ScopeId>) -> Bound {
    match role {
        _ if is_never_run(module, function) => Bound::Idle,
        Role::Limit if only_complains(module, mention) => Bound::Idle,
        Role::Limit => Bound::Limit,
        _ if takes_an_item(module, mention) => Bound::Taken,
        _ => Bound::Emptied,
    }
}

/// Whether the statement gives an instance one of its own, instead of that of its class.
fn is_shadowed(module: &Analysed<'_>, collection: &Collection<'_>, target: &Expr) -> bool {
    let on_self = target.as_attribute_expr().is_some_and(|target| is_self(&target.value));
    let is_bound = || matches!(module.index().parent(target), Some(Node::Stmt(Stmt::Assign(_))));
    matches!(collection.root, Root::Class(_)) && on_self && is_bound()
}

/// `c.pop(k)`, `del c[k]`, but neither `c.clear()` nor another collection of that name.
fn takes_an_item(module: &Analysed<'_>, mention: &Expr) -> bool {
    match module.index().parent(mention) {
        Some(Node::Expr(Expr::Attribute(method))) => method.attr.as_str() != "clear",
        Some(Node::Expr(Expr::Subscript(item))) => item.ctx.is_del(),
        _ => false,
    }
}

/// Words in the names of functions that are there to keep a collection small.
const TIDYING: [&str; 15] = [
    "evict",
    "expire",
    "prune",
    "purge",
    "trim",
    "clean",
    "sweep",
    "shrink",
    "limit",
    "drop",
    "discard",
    "compact",
    "rotate",
    "housekeep",
    "maintain",
];

/// A private function that is to tidy up, and that nothing in the module names but its own `def`. What has a base class
/// may be called by that.
fn is_never_run(module: &Analysed<'_>, function: Option<ScopeId>) -> bool {
    let Some(scope) = function.map(|function| module.names.scope(function)) else {
        return false;
    };
    let name = scope.name();
    let Some(Node::Stmt(statement)) = scope.node else {
        return false;
    };
    let class = scope
        .parent
        .and_then(|parent| lifetime::class_of(&module.names, parent));
    let is_called_elsewhere = Def::of(statement).is_some_and(|def| !def.decorators.is_empty())
        || class.is_some_and(|class| !class.bases.is_empty());
    let is_private = name.starts_with('_') && !name.ends_with("__");
    let tidies = TIDYING.iter().any(|word| name.contains(word));
    is_private && tidies && !is_called_elsewhere && is_said_once(module.module.text(), name)
}

fn is_said_once(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let whole = text.match_indices(word).filter(|(at, _)| {
        let after = text[at + word.len()..].chars().next();
        !text[..*at].ends_with(is_part) && !after.is_some_and(is_part)
    });
    whole.count() == 1
}

/// What says that something is too large, and does nothing about it.
const COMPLAINTS: [&str; 9] = [
    "print",
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
];

/// `if len(c) > LIMIT: log.warning("too large")`
fn only_complains(module: &Analysed<'_>, mention: &Expr) -> bool {
    let mut at = mention;
    loop {
        match module.index().parent(at) {
            Some(Node::Expr(outer)) => at = outer,
            Some(Node::Stmt(Stmt::If(choice))) => {
                return choice.orelse.is_empty() && choice.body.iter().all(complains);
            }
            _ => return false,
        }
    }
}

fn complains(statement: &Stmt) -> bool {
    let Stmt::Expr(node) = statement else {
        return statement.is_pass_stmt();
    };
    let call = node.value.as_call_expr();
    call.and_then(|call| tail(&call.func))
        .is_some_and(|name| COMPLAINTS.contains(&name))
}

/// Whether it is the assignment that makes the collection, or one like it at import or in a constructor.
fn is_making(module: &Analysed<'_>, collection: &Collection<'_>, mention: &Expr) -> bool {
    let stores = match mention {
        Expr::Name(node) => node.ctx.is_store(),
        Expr::Attribute(node) => node.ctx.is_store(),
        _ => false,
    };
    let at = mention.start().to_u32();
    let function = module.names.enclosing_function(at);
    stores
        && function.is_none_or(|function| match collection.root {
            Root::Instance(_) => sets_up(module, collection, function),
            // Others than those that keep it were sorted out.
            Root::Default(_) => true,
            Root::Decorator(home) => function == home,
            Root::Loop(home) => function == home && !endless_loop(module, home).is_some_and(|inner| inner.holds(at)),
            _ => false,
        })
}

/// Whether the function runs once for the collection: the constructor of its instance.
fn sets_up(module: &Analysed<'_>, collection: &Collection<'_>, function: ScopeId) -> bool {
    let scope = module.names.scope(function);
    let name = scope.name();
    match collection.root {
        Root::Instance(class) => scope.parent == Some(class) && CONSTRUCTORS.contains(&name),
        Root::Decorator(home) => function == home,
        Root::Loop(_) => false,
        _ => ["__set_name__", "__init_subclass__"].contains(&name),
    }
}

fn mentions<'m>(module: &Analysed<'m>, collection: &Collection<'m>) -> Vec<&'m Expr> {
    let (index, name) = (module.index(), collection.name);
    match collection.root {
        Root::Module => index.names(ScopeId::MODULE, name).to_vec(),
        Root::Default(function) | Root::Decorator(function) | Root::Loop(function) => {
            index.names(function, name).to_vec()
        }
        Root::Class(class) | Root::Instance(class) => {
            let all = index.attributes(name).iter();
            all.filter(|expr| may_be_of(module, class, expr)).copied().collect()
        }
    }
}

/// Whether the attribute's object may be an instance of the class, or the class.
pub(in crate::detect) fn may_be_of(module: &Analysed<'_>, class: ScopeId, expr: &Expr) -> bool {
    let Expr::Attribute(ExprAttribute { value, .. }) = expr else {
        return false;
    };
    let is_own = |name: &str| ["self", "cls"].contains(&name);
    if !value.as_name_expr().is_some_and(|name| is_own(&name.id)) {
        return true;
    }
    let Some(here) = module.names.enclosing_class(expr.start().to_u32()) else {
        return true;
    };
    here == class || derives(module, here, class) || derives(module, class, here)
}

/// Whether a class names the other among its bases, or the bases of those.
pub(in crate::detect) fn derives(module: &Analysed<'_>, class: ScopeId, base: ScopeId) -> bool {
    let wanted = lifetime::class_of(&module.names, base).map(|class| class.name.as_str());
    let (mut open, mut steps) = (vec![class], 0);
    while let Some(class) = open.pop() {
        steps += 1;
        let Some(node) = lifetime::class_of(&module.names, class).filter(|_| steps < 20) else {
            continue;
        };
        for base in node.bases.iter().filter_map(tail) {
            if Some(base) == wanted {
                return true;
            }
            let bindings = module.names.bindings(base, ScopeId::MODULE).iter();
            open.extend(bindings.filter_map(|binding| match binding.kind {
                BindingKind::Class(statement) => module.names.scope_of(statement),
                _ => None,
            }));
        }
    }
    false
}

impl Collection<'_> {
    pub(in crate::detect) fn is_bounded(&self) -> bool {
        self.bounds.iter().any(|bound| *bound != Bound::Idle)
    }

    /// The assignment, parameter or call to report.
    pub(in crate::detect) fn span(&self) -> Span {
        self.made.range().into()
    }
}
