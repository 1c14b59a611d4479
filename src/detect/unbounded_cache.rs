//! A cache keeps every key it was ever asked for, or every instance whose method it wraps.

use super::memory::collection::Collection;
use super::memory::domain::{self, Domain};
use super::memory::{headline, lifetime, tail};
use super::report::related;
use super::{Analysed, Info, PythonResourceDetector, unbounded_collection};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Constant, Expr, ExprCall, Operator, Ranged, Stmt, StmtClassDef};
use crate::python::names::{BindingKind, Def, ScopeKind, parameters};
use crate::python::{Names, Node, Resolved, ScopeId, Span};

pub(super) struct UnboundedCache;

impl PythonResourceDetector for UnboundedCache {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::UnboundedCache,
            page: include_str!("pages/unbounded-cache.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let statements = module.nodes().filter_map(Node::as_stmt);
        let wrapping =
            statements.filter_map(|statement| decorated(module, statement).or_else(|| wrapped(module, statement)));
        let mappings = module.collections().iter();
        let by_hand = mappings.filter_map(|collection| kept_by_hand(module, collection));
        wrapping.chain(by_hand).collect()
    }
}

/// `if key not in CACHE: CACHE[key] = …`
fn kept_by_hand<'m>(module: &Analysed<'m>, collection: &Collection<'m>) -> Option<Finding> {
    if !unbounded_collection::is_cache(module, collection) {
        return None;
    }
    let (growth, confidence) = unbounded_collection::weigh(module, collection)?;
    let line = module.line(growth.by.at.start().to_u32());
    let message = format!("`{}` keeps every key that line {line} puts in", collection.name);
    let mut finding = finding(
        collection.span(),
        confidence,
        message,
        "take old keys out, or use `functools.lru_cache` with a `maxsize`",
    );
    finding.related.push(related(growth.by.at.range().into(), "grows here"));
    Some(finding)
}

fn finding(span: Span, confidence: Confidence, message: String, suggestion: &str) -> Finding {
    Finding {
        span,
        rule: Pattern::UnboundedCache.id().to_owned(),
        patterns: vec![Pattern::UnboundedCache],
        resource: None,
        confidence,
        message,
        suggestion: suggestion.to_owned(),
        related: Vec::new(),
    }
}

/// How much a cache of `functools` or its kin keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Every,
    Some,
}

/// Caches that keep everything unless told otherwise, and the ones that have a bound by default.
const UNBOUNDED: [&str; 8] = [
    "functools.cache",
    "toolz.memoize",
    "toolz.functoolz.memoize",
    "cytoolz.memoize",
    "funcy.memoize",
    "boltons.cacheutils.cached",
    "cachetools.cached",
    "asyncstdlib.cache",
];
const BOUNDED: [&str; 4] = [
    "functools.lru_cache",
    "async_lru.alru_cache",
    "asyncstdlib.lru_cache",
    "backports.functools_lru_cache.lru_cache",
];

/// The cache that a decorator is.
fn memo(names: &Names<'_>, decorator: &Expr) -> Option<Bound> {
    let (func, call) = match decorator {
        Expr::Call(call) => (&*call.func, Some(call)),
        other => (other, None),
    };
    let candidates = names.candidates(func);
    let is_one_of = |table: &[&str]| candidates.iter().any(|name| table.contains(&name.as_str()));
    if is_one_of(&["cachetools.cached"]) {
        let plain = call.and_then(|call| argument(call, "cache")).is_some_and(is_plain_dict);
        return plain.then_some(Bound::Every);
    }
    if is_one_of(&UNBOUNDED) {
        return Some(Bound::Every);
    }
    let unbound = call.and_then(|call| argument(call, "maxsize")).is_some_and(is_none);
    is_one_of(&BOUNDED).then_some(if unbound { Bound::Every } else { Bound::Some })
}

/// The first argument, or the one so called.
fn argument<'m>(call: &'m ExprCall, name: &str) -> Option<&'m Expr> {
    let mut keywords = call.keywords.iter();
    let named = keywords.find(|keyword| keyword.arg.as_deref() == Some(name));
    named.map(|keyword| &keyword.value).or(call.args.first())
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(constant) if constant.value == Constant::None)
}

fn is_plain_dict(expr: &Expr) -> bool {
    match expr {
        Expr::Dict(node) => node.keys.is_empty(),
        Expr::Call(call) => tail(&call.func) == Some("dict"),
        _ => false,
    }
}

fn decorated(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let def = Def::of(statement)?;
    let bound = def
        .decorators
        .iter()
        .find_map(|decorator| memo(&module.names, decorator))?;
    let span = headline(statement, def.name, module.module.text());
    report(module, statement, &def, bound, span)
}

/// `fast = functools.cache(slow)`
fn wrapped(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let Stmt::Assign(assign) = statement else { return None };
    let Expr::Call(call) = &*assign.value else { return None };
    let [wrapped] = call.args.as_slice() else { return None };
    let bound = memo(&module.names, &call.func)?;
    let Resolved::Local {
        bindings: [binding],
        path,
        ..
    } = module.names.resolve(wrapped)
    else {
        return None;
    };
    let BindingKind::Def(definition) = binding.kind else {
        return None;
    };
    let same_body = module.names.scope_at(statement.start().to_u32()) == binding.scope;
    if !path.is_empty() || !same_body {
        return None;
    }
    report(
        module,
        definition,
        &Def::of(definition)?,
        bound,
        statement.range().into(),
    )
}

fn report(module: &Analysed<'_>, statement: &Stmt, def: &Def<'_>, bound: Bound, span: Span) -> Option<Finding> {
    if is_cleared(module, def.name) {
        return None;
    }
    let scope = module.names.scope_at(statement.start().to_u32());
    match module.names.scope(scope).kind {
        ScopeKind::Module => on_function(module, def, bound, 0, span),
        ScopeKind::Class if !is_on_instances(def) => {
            let skip = usize::from(!has_decorator(def, "staticmethod"));
            on_function(module, def, bound, skip, span)
        }
        ScopeKind::Class => on_method(module, scope, def, bound, span),
        // The cache goes with the call that makes it.
        _ => None,
    }
}

/// `name.cache_clear()` stands somewhere.
fn is_cleared(module: &Analysed<'_>, name: &str) -> bool {
    module.nodes().any(|node| match node {
        Node::Expr(Expr::Attribute(clear)) => clear.attr.as_str() == "cache_clear" && tail(&clear.value) == Some(name),
        _ => false,
    })
}

fn has_decorator(def: &Def<'_>, name: &str) -> bool {
    def.decorators.iter().any(|decorator| tail(decorator) == Some(name))
}

fn is_on_instances(def: &Def<'_>) -> bool {
    let first = def.arguments.posonlyargs.first().or(def.arguments.args.first());
    let is_class = first.is_none_or(|first| ["cls", "mcs", "mcls", "metacls"].contains(&first.def.arg.as_str()));
    !is_class && !has_decorator(def, "staticmethod") && !has_decorator(def, "classmethod")
}

fn on_method(module: &Analysed<'_>, scope: ScopeId, def: &Def<'_>, bound: Bound, span: Span) -> Option<Finding> {
    let class = lifetime::class_of(&module.names, scope)?;
    if lifetime::has_enum_base(&module.names, class) || lifetime::is_metaclass(&module.names, class) {
        return None;
    }
    if lifetime::is_singleton(module, class) || is_one_per_process(module, scope) {
        return None;
    }
    let confidence = match bound {
        _ if is_test(class) => Confidence::Low,
        // What is equal is kept once, and there are no more than the bound says.
        Bound::Some if lineage(module, class).into_iter().any(is_value) => Confidence::Low,
        Bound::Every => Confidence::High,
        Bound::Some => Confidence::Medium,
    };
    let what = match bound {
        Bound::Every => "every",
        Bound::Some => "the latest",
    };
    let (class, name) = (&class.name, def.name);
    let message =
        format!("the cache of `{class}.{name}` belongs to the class and keeps {what} `self` it was called on");
    let suggestion = "use `functools.cached_property`, or keep the results on `self`";
    Some(finding(span, confidence, message, suggestion))
}

/// A class inside a function is made anew, with its cache, by each call.
fn is_one_per_process(module: &Analysed<'_>, class: ScopeId) -> bool {
    let mut around = module.names.ancestors(class);
    around.any(|scope| module.names.scope(scope).kind == ScopeKind::Function)
}

/// The class and those of its bases that stand in the module.
fn lineage<'m>(module: &Analysed<'m>, class: &'m StmtClassDef) -> Vec<&'m StmtClassDef> {
    let mut found = vec![class];
    for at in 0.. {
        let Some(class) = found.get(at).filter(|_| at < MAX_LINEAGE) else {
            break;
        };
        let bases = class.bases.iter().filter_map(tail);
        let bindings = bases.flat_map(|base| module.names.bindings(base, ScopeId::MODULE));
        let scopes = bindings.filter_map(|binding| match binding.kind {
            BindingKind::Class(base) => module.names.scope_of(base),
            _ => None,
        });
        found.extend(scopes.filter_map(|scope| lifetime::class_of(&module.names, scope)));
    }
    found
}

const MAX_LINEAGE: usize = 10;

/// Whether its instances are compared by what they hold.
fn is_value(class: &StmtClassDef) -> bool {
    let mut methods = class.body.iter().filter_map(Def::of);
    let is_tuple = class
        .bases
        .iter()
        .filter_map(tail)
        .any(|base| base.to_lowercase().ends_with("tuple"));
    let is_data = class.decorator_list.iter().any(|decorator| {
        let func = decorator.as_call_expr().map_or(decorator, |call| &*call.func);
        matches!(tail(func), Some("dataclass" | "define" | "frozen" | "attrs" | "s"))
    });
    is_tuple || is_data || methods.any(|def| def.name == "__eq__")
}

fn is_test(class: &StmtClassDef) -> bool {
    class.name.starts_with("Test")
        || class
            .bases
            .iter()
            .filter_map(tail)
            .any(|base| base.ends_with("TestCase"))
}

/// `type[T]`
fn is_type(annotation: &Expr) -> bool {
    matches!(annotation, Expr::Subscript(node) if matches!(tail(&node.value), Some("type" | "Type")))
}

fn on_function(module: &Analysed<'_>, def: &Def<'_>, bound: Bound, skip: usize, span: Span) -> Option<Finding> {
    if bound == Bound::Some || asks_for_its_own(module, def) {
        return None;
    }
    let confidence = match domain::of_parameters(&module.names, def, skip) {
        Domain::Closed => return None,
        Domain::Unknown if reckons(module, def, skip) => Confidence::Medium,
        Domain::Unknown => Confidence::Low,
        // There are as many as the program has classes.
        Domain::Open if def.returns.is_some_and(is_type) => Confidence::Low,
        Domain::Open => Confidence::Medium,
    };
    let message = format!(
        "the cache of `{}` keeps the result of every argument it was ever called with",
        def.name
    );
    Some(finding(span, confidence, message, "give the cache a `maxsize`"))
}

/// A private function to which the module hands nothing but what stands in its text.
fn asks_for_its_own(module: &Analysed<'_>, def: &Def<'_>) -> bool {
    let index = module.index();
    let mut mentions = index.names(ScopeId::MODULE, def.name).iter().peekable();
    let is_private = def.name.starts_with('_') && mentions.peek().is_some();
    let is_of_text = |expr: &Expr| domain::of_key(&module.names, expr) == Domain::Closed;
    is_private
        && mentions.all(|mention| match index.parent(mention) {
            Some(Node::Expr(Expr::Call(call))) if std::ptr::eq(&raw const *call.func, *mention) => {
                let keywords = call.keywords.iter().map(|keyword| &keyword.value);
                call.args.iter().chain(keywords).all(is_of_text)
            }
            _ => false,
        })
}

/// `fib(n - 1) + fib(n - 2)`: whatever a parameter is called, there are many numbers.
fn reckons(module: &Analysed<'_>, def: &Def<'_>, skip: usize) -> bool {
    let taken: Vec<_> = parameters(def.arguments).into_iter().skip(skip).collect();
    let is_open = |expr: &Expr| {
        let name = expr.as_name_expr();
        name.is_some_and(|name| {
            let mut same = taken.iter().filter(|(parameter, _)| parameter.arg == name.id);
            same.any(|(parameter, default)| {
                let typed = domain::of_one(&module.names, parameter, *default);
                typed.min(domain::of_word(&parameter.arg)) > Domain::Closed
            })
        })
    };
    let mut nodes = def
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::BinOp(sum)) => {
            let is_of_numbers = matches!(
                sum.op,
                Operator::Sub | Operator::Mult | Operator::FloorDiv | Operator::Pow
            );
            is_of_numbers && (is_open(&sum.left) || is_open(&sum.right))
        }
        _ => false,
    })
}
