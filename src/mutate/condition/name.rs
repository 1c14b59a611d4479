//! Conditions on what names mean and where they are used.

use super::{Argument, Scene, Truth, texts};
use crate::python::ast::{Expr, Keyword};
use crate::python::names::BindingKind;
use crate::python::{Node, Resolved, ScopeId, Span};

/// `is($f, "pkg.name", …)`: resolves to one of them; unknown where the meaning is open.
pub(super) fn is(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    match scene.facts.names.resolve(expr) {
        Resolved::Qualified(name) => texts(arguments, 1).contains(&name.as_str()).into(),
        Resolved::Local { .. } => Truth::No,
        Resolved::Unknown => Truth::Unknown,
    }
}

/// `instance($x, "pkg.Class", …)`: sure to be one of these.
pub(super) fn instance(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let sure = |class: &&str| scene.facts.is_instance(expr, class);
    if texts(arguments, 1).iter().any(sure) {
        Truth::Yes
    } else {
        Truth::Unknown
    }
}

/// `calls($a, "pkg.name", …)`: a call of one of them.
pub(super) fn calls(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::No;
    };
    match scene.facts.names.resolve(&call.func) {
        Resolved::Qualified(name) => texts(arguments, 1).contains(&name.as_str()).into(),
        Resolved::Local { .. } => Truth::No,
        Resolved::Unknown => Truth::Unknown,
    }
}

/// `pipes-only($a, keyword)`: of the streams of a child, `subprocess.PIPE` is given for this one alone; without
/// a keyword, for none. `$a` is the call or its arguments.
pub(super) fn pipes_only(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(value) = scene.value(arguments, 0) else {
        return Truth::Unknown;
    };
    let keywords: Vec<&Keyword> = match value.expr() {
        Some(Expr::Call(call)) => call.keywords.iter().collect(),
        Some(_) => return Truth::Unknown,
        None => value.nodes().iter().filter_map(|node| as_keyword(*node)).collect(),
    };
    let names = &scene.facts.names;
    let pipes = keywords
        .iter()
        .filter(|keyword| names.resolve(&keyword.value).qualified() == Some("subprocess.PIPE"));
    let pipes: Vec<&str> = pipes
        .map(|keyword| keyword.arg.as_deref().unwrap_or_default())
        .collect();
    (pipes == texts(arguments, 1)).into()
}

fn as_keyword(node: Node<'_>) -> Option<&Keyword> {
    match node {
        Node::Keyword(keyword) => Some(keyword),
        _ => None,
    }
}

/// `covered($x)`: bound just once, every use lies in another hunk of the site or on a removed line, and
/// every such hunk holds one: the same word may mean something else there. Hunks inside the anchor do not count.
pub(super) fn covered(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Argument::Variable(variable)) = arguments.first() else {
        return Truth::Unknown;
    };
    let Some(name) = scene
        .site
        .values
        .get(variable)
        .and_then(|value| value.word().map(str::to_owned))
    else {
        return Truth::Unknown;
    };
    let names = &scene.facts.names;
    let definitions = names.bindings(&name, ScopeId::MODULE);
    if definitions.len() != 1 || !definitions[0].kind.is_definition() {
        return Truth::Unknown;
    }
    let exported = scene
        .facts
        .module
        .body
        .iter()
        .any(|statement| exports(Node::Stmt(statement), &name));
    let anchor = scene.site.parts[0].node().span();
    let is_class = matches!(definitions[0].kind, BindingKind::Class(_));
    let places: Vec<Span> = scene
        .site
        .parts
        .iter()
        .filter(|part| part.hunk > 0)
        .map(|part| part.node().span())
        .collect();
    let loads = names.loads(&name, ScopeId::MODULE);
    let removed = scene.site.parts[0].removed(&scene.site.rewrite.hunks[0]);
    let all_changed = loads
        .iter()
        .all(|load| places.iter().chain(&removed).any(|place| place.contains(load.span)));
    let all_meant = places
        .iter()
        .filter(|place| !is_class || !anchor.contains(**place))
        .all(|place| loads.iter().any(|load| place.contains(load.span)));
    (!exported && all_changed && all_meant).into()
}

/// Whether a top-level statement lists the name in `__all__`.
fn exports(statement: Node<'_>, name: &str) -> bool {
    let words = |word: &str| {
        statement
            .descendants()
            .filter_map(Node::as_expr)
            .any(|expr| match expr {
                Expr::Name(node) => node.id.as_str() == word,
                Expr::Constant(node) => node.value.as_str().is_some_and(|text| text == word),
                _ => false,
            })
    };
    words("__all__") && words(name)
}

/// `mentioned-elsewhere($x)`: another module of the corpus holds the word.
pub(super) fn mentioned_elsewhere(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    scene
        .word(arguments, 0)
        .map_or(Truth::Unknown, |name| scene.facts.index.stands_elsewhere(&name).into())
}
