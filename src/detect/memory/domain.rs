//! How many values a key may take: as many as users and the network send, or as few as the program has
//! classes, modes and functions.

use crate::python::Names;
use crate::python::ast::{Arg, Constant, Expr, Operator, Ranged};
use crate::python::names::{BindingKind, Def, parameters};

use super::mention::is_empty;
use super::tail;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum Domain {
    /// The program text bounds it.
    Closed,
    Unknown,
    Open,
}

const MAX_STEPS: u32 = 6;
/// Types of values that come from outside.
const OPEN_TYPES: [&str; 16] = [
    "str", "bytes", "int", "float", "complex", "object", "Any", "AnyStr", "datetime", "date", "Decimal", "UUID",
    "Hashable", "Path", "PurePath", "PathLike",
];
const CLOSED_TYPES: [&str; 12] = [
    "bool",
    "type",
    "Type",
    "Literal",
    "Callable",
    "None",
    "ModuleType",
    "FunctionType",
    "dtype",
    "Enum",
    "Locale",
    "device",
];
/// How the names of types end that have a few fixed values.
const CLOSED_ENDINGS: [&str; 7] = ["Enum", "Type", "Kind", "Mode", "Flag", "Level", "Class"];
/// Types that are as open as what stands in their brackets.
const TRANSPARENT: [&str; 13] = [
    "Optional",
    "Union",
    "Annotated",
    "tuple",
    "Tuple",
    "frozenset",
    "FrozenSet",
    "Sequence",
    "Iterable",
    "list",
    "List",
    "Final",
    "Collection",
];
/// Parameters so called are classes, functions or one of a few settings.
const CLOSED_WORDS: [&str; 56] = [
    "cls",
    "klass",
    "class",
    "type",
    "typ",
    "tp",
    "func",
    "fn",
    "function",
    "method",
    "module",
    "mod",
    "dtype",
    "mode",
    "kind",
    "flag",
    "flags",
    "level",
    "enabled",
    "strict",
    "verbose",
    "debug",
    "encoding",
    "platform",
    "arch",
    "model",
    "backend",
    "driver",
    "engine",
    "alias",
    "lang",
    "language",
    "locale",
    "factory",
    "decorator",
    "callable",
    "package",
    "plugin",
    "enum",
    "default",
    "dialect",
    "version",
    "width",
    "size",
    "feature",
    "capability",
    "option",
    "bits",
    "depth",
    "precision",
    "digits",
    "degree",
    "dim",
    "dims",
    "ndim",
    "rank",
];
/// Parameters so called hold what users and peers send. Of files there are as many as there are.
const OPEN_WORDS: [&str; 58] = [
    "url",
    "uri",
    "key",
    "text",
    "query",
    "sql",
    "id",
    "uid",
    "user",
    "username",
    "email",
    "host",
    "hostname",
    "address",
    "addr",
    "ip",
    "token",
    "pattern",
    "string",
    "s",
    "value",
    "data",
    "date",
    "line",
    "message",
    "request",
    "body",
    "word",
    "payload",
    "customer",
    "session",
    "n",
    "number",
    "expr",
    "expression",
    "prompt",
    "question",
    "content",
    "document",
    "sentence",
    "phrase",
    "uuid",
    "guid",
    "digest",
    "phone",
    "cookie",
    "args",
    "kwargs",
    "params",
    "websocket",
    "ws",
    "client",
    "connection",
    "conn",
    "peer",
    "symbol",
    "event",
    "timestamp",
];

/// Texts and numbers so called are often a few.
const VAGUE_WORDS: [&str; 16] = [
    "name",
    "names",
    "label",
    "labels",
    "oid",
    "in",
    "delimiter",
    "region",
    "service",
    "prefix",
    "suffix",
    "format",
    "sign",
    "unit",
    "currency",
    "country",
];

/// The widest of a function's parameters, the first `skip` left aside.
pub(in crate::detect) fn of_parameters(names: &Names<'_>, def: &Def<'_>, skip: usize) -> Domain {
    let all = parameters(def.arguments).into_iter().skip(skip);
    all.map(|(parameter, default)| of_one(names, parameter, default))
        .max()
        .unwrap_or(Domain::Closed)
}

pub(in crate::detect) fn of_one(names: &Names<'_>, parameter: &Arg, default: Option<&Expr>) -> Domain {
    let word = of_word(&parameter.arg);
    if is_one_of_few(&parameter.arg) {
        return Domain::Closed;
    }
    if let Some(annotation) = parameter.annotation.as_deref() {
        let typed = of_annotation(names, annotation);
        // A `str` may be one of a few names all the same.
        let is_vague = typed == Domain::Open && (word == Domain::Closed || is_vague(&parameter.arg));
        return if is_vague { Domain::Unknown } else { typed };
    }
    match default.and_then(Expr::as_constant_expr).map(|constant| &constant.value) {
        Some(Constant::Bool(_)) => Domain::Closed,
        _ => word,
    }
}

fn words(name: &str) -> impl DoubleEndedIterator<Item = String> {
    let words: Vec<_> = name
        .split(['_', '-', '.', ' '])
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.into_iter()
}

/// The calendar has so many of them, however they are written.
const FEW: [&str; 9] = [
    "hour", "minute", "second", "sign", "month", "weekday", "timezone", "tz", "tzname",
];
/// The world has so many of them, by whatever they are called.
const KNOWN: [&str; 5] = ["language", "lang", "locale", "country", "currency"];
/// Of the program's own parts there are so many files and no more.
const PARTS: [&str; 8] = [
    "template", "module", "package", "plugin", "theme", "locale", "script", "class",
];

pub(in crate::detect) fn of_word(name: &str) -> Domain {
    let last = words(name).next_back().unwrap_or_default();
    if is_one_of_few(name) {
        Domain::Closed
    } else if words(name).any(|word| PARTS.contains(&&*word)) && words(name).count() > 1 {
        Domain::Unknown
    } else if CLOSED_WORDS.contains(&&*last) {
        Domain::Closed
    } else if words(name).any(|word| OPEN_WORDS.contains(&&*word)) {
        Domain::Open
    } else {
        Domain::Unknown
    }
}

/// `hour_str`, `start_month`
fn is_one_of_few(name: &str) -> bool {
    words(name)
        .rfind(|word| word != "str")
        .is_some_and(|word| FEW.contains(&&*word))
        || (words(name).any(|word| KNOWN.contains(&&*word))
            && words(name).next_back().is_some_and(|word| word == "code"))
}

fn is_vague(name: &str) -> bool {
    of_word(name) == Domain::Unknown
        && words(name)
            .next_back()
            .is_some_and(|last| VAGUE_WORDS.contains(&&*last))
}

fn of_annotation(names: &Names<'_>, annotation: &Expr) -> Domain {
    match annotation {
        Expr::BinOp(node) if node.op == Operator::BitOr => {
            of_annotation(names, &node.left).max(of_annotation(names, &node.right))
        }
        Expr::Subscript(node) => match tail(&node.value) {
            Some(outer) if TRANSPARENT.contains(&outer) => match &*node.slice {
                Expr::Tuple(items) => items
                    .elts
                    .iter()
                    .map(|item| of_annotation(names, item))
                    .max()
                    .unwrap_or(Domain::Closed),
                one => of_annotation(names, one),
            },
            Some(outer) => of_type(outer),
            None => Domain::Unknown,
        },
        Expr::Constant(constant) => match &constant.value {
            Constant::None | Constant::Ellipsis => Domain::Closed,
            Constant::Str(text) => of_type(text.trim_end_matches("| None").trim()),
            _ => Domain::Unknown,
        },
        other if is_enum_of_module(names, other) => Domain::Closed,
        other => tail(other).map_or(Domain::Unknown, of_type),
    }
}

fn of_type(name: &str) -> Domain {
    if CLOSED_TYPES.contains(&name) || CLOSED_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        Domain::Closed
    } else if OPEN_TYPES.contains(&name) {
        Domain::Open
    } else {
        Domain::Unknown
    }
}

fn is_enum_of_module(names: &Names<'_>, annotation: &Expr) -> bool {
    let crate::python::Resolved::Local {
        bindings: [binding],
        path,
        ..
    } = names.resolve(annotation)
    else {
        return false;
    };
    let BindingKind::Class(class) = binding.kind else {
        return false;
    };
    path.is_empty() && super::lifetime::is_enum(names, class)
}

/// What a mapping is keyed by.
pub(in crate::detect) fn of_key(names: &Names<'_>, key: &Expr) -> Domain {
    key_within(names, key, MAX_STEPS)
}

fn key_within(names: &Names<'_>, key: &Expr, steps: u32) -> Domain {
    let Some(rest) = steps.checked_sub(1) else {
        return Domain::Unknown;
    };
    let widest = |parts: &[Expr]| {
        let each = parts.iter().map(|part| key_within(names, part, rest));
        each.max().unwrap_or(Domain::Closed)
    };
    match key {
        Expr::Constant(_) => Domain::Closed,
        Expr::Name(node) => of_name(names, key, &node.id, rest),
        Expr::Tuple(node) => widest(&node.elts),
        Expr::Attribute(node)
            if ["__class__", "__name__", "__qualname__", "__module__", "__func__"].contains(&node.attr.as_str()) =>
        {
            Domain::Closed
        }
        Expr::Attribute(node) if is_constant_name(&node.attr) => Domain::Closed,
        Expr::Attribute(node) => of_word(&node.attr),
        // `event["id"]`, `request.get("user")`
        Expr::Subscript(node) => text_of(&node.slice).map_or(Domain::Unknown, of_word),
        Expr::Call(call) => match tail(&call.func) {
            Some("type" | "getpid" | "get_ident" | "current_thread" | "getLogger" | "len" | "bool") => Domain::Closed,
            Some(name) if name == "id" || UNIQUE.contains(&name) => Domain::Open,
            Some("get") if call.func.is_attribute_expr() => {
                call.args.first().and_then(text_of).map_or(Domain::Unknown, of_word)
            }
            // `Colour(text)`: it fails for others than the members.
            _ if is_enum_of_module(names, &call.func) => Domain::Closed,
            // `qualified_name(type(item))`
            _ if !call.args.is_empty() && widest(&call.args) == Domain::Closed => Domain::Closed,
            _ => widest(&call.args).max(Domain::Unknown),
        },
        Expr::JoinedStr(node) => widest(&node.values),
        Expr::FormattedValue(node) => key_within(names, &node.value, rest),
        Expr::BinOp(node) => key_within(names, &node.left, rest).max(key_within(names, &node.right, rest)),
        _ => Domain::Unknown,
    }
}

/// What gives another value each time it is called.
const UNIQUE: [&str; 16] = [
    "uuid1",
    "uuid4",
    "uuid7",
    "token_hex",
    "token_urlsafe",
    "token_bytes",
    "time",
    "time_ns",
    "monotonic",
    "perf_counter",
    "now",
    "utcnow",
    "getrandbits",
    "urandom",
    "hexdigest",
    "digest",
];

/// `MAX_SIZE`
fn is_constant_name(name: &str) -> bool {
    name.len() > 1 && name.chars().any(char::is_alphabetic) && !name.chars().any(char::is_lowercase)
}

fn text_of(expr: &Expr) -> Option<&str> {
    expr.as_constant_expr()?.value.as_str().map(String::as_str)
}

/// What a class says of itself: its fields, members and bases.
const OF_CLASSES: [&str; 9] = [
    "__dict__",
    "__annotations__",
    "__slots__",
    "_fields",
    "__members__",
    "__mro__",
    "__dataclass_fields__",
    "__subclasses__",
    "__bases__",
];
/// Functions that tell the same.
const TELLING: [&str; 6] = ["dir", "vars", "fields", "getmembers", "get_type_hints", "signature"];
/// What goes through the same items as its argument.
const PASSING: [&str; 7] = ["enumerate", "sorted", "reversed", "tuple", "list", "set", "iter"];

/// Whether the text of the program says all that a loop goes through.
fn is_written_down(names: &Names<'_>, iterable: &Expr, steps: u32) -> bool {
    let Some(rest) = steps.checked_sub(1) else {
        return false;
    };
    let are_closed = |parts: &[Expr]| parts.iter().all(|part| key_within(names, part, rest) == Domain::Closed);
    match iterable {
        Expr::Tuple(node) => are_closed(&node.elts),
        Expr::List(node) => are_closed(&node.elts),
        Expr::Set(node) => are_closed(&node.elts),
        Expr::Dict(node) => node
            .keys
            .iter()
            .all(|key| key.as_ref().is_some_and(Expr::is_constant_expr)),
        Expr::Attribute(node) => OF_CLASSES.contains(&node.attr.as_str()),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if ["items", "keys", "values"].contains(&method.attr.as_str()) => {
                is_written_down(names, &method.value, rest)
            }
            func => match tail(func) {
                Some(name) if PASSING.contains(&name) => call
                    .args
                    .first()
                    .is_some_and(|first| is_written_down(names, first, rest)),
                Some(name) => TELLING.contains(&name) || OF_CLASSES.contains(&name),
                None => false,
            },
        },
        Expr::Name(node) => match names.bindings(&node.id, names.scope_at(node.start().to_u32())) {
            [binding] => match &binding.kind {
                BindingKind::Assign { value: Some(value) } => {
                    // What begins empty is filled elsewhere.
                    !is_empty(value) && is_written_down(names, value, rest)
                }
                BindingKind::Class(class) => super::lifetime::is_enum(names, class),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

fn of_name(names: &Names<'_>, key: &Expr, name: &str, rest: u32) -> Domain {
    let scope = names.scope_at(key.start().to_u32());
    let [binding] = names.bindings(name, scope) else {
        return of_word(name);
    };
    match &binding.kind {
        BindingKind::Parameter(parameter) => of_one(names, parameter, None),
        BindingKind::Assign { value: Some(value) } => match key_within(names, value, rest) {
            Domain::Closed => Domain::Closed,
            // That it is called a key says nothing more.
            other if name == "key" => other,
            other => other.max(of_word(name)),
        },
        BindingKind::Def(_) | BindingKind::Class(_) => Domain::Closed,
        BindingKind::For { iterable } if is_written_down(names, iterable, rest) => Domain::Closed,
        _ if is_constant_name(name) => Domain::Closed,
        _ if name == "key" => Domain::Unknown,
        _ => of_word(name),
    }
}
