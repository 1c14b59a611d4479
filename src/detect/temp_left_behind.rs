//! A temporary file or folder that the program has to remove itself, and that some path leaves on disk.

use super::obligation::{Grade, Obligation, Origin, Release};
use super::report::{acquisition, confidence_in, ending, finding, raiser, related};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Span};

pub(super) struct TempLeftBehind;

impl PythonResourceDetector for TempLeftBehind {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::TempLeftBehind,
            page: include_str!("pages/temp-left-behind.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let made = module.lifecycles("temporary-path");
        let known = made.filter(|made| made.origin == Origin::Table && !made.fate.unknown);
        known.filter_map(|made| report(module, made)).collect()
    }
}

fn report(module: &Analysed<'_>, made: &Obligation<'_>) -> Option<Finding> {
    if let Some(attribute) = made.on_self() {
        return kept(module, made, attribute);
    }
    if let Some(attribute) = attribute_of_another(module, made) {
        return kept_by_another(module, made, attribute);
    }
    if is_respelled(module, made) {
        return None;
    }
    let what = acquisition(made);
    let (at, note, confidence, why) = match (&made.fate.left_open, &made.fate.skipped) {
        (Some(left), _) => {
            let sure = confidence_in(module, made, left.name).min(confidence_in_folder(module, made));
            let confidence = left.doubt.lowers(sure, &made.resource.kind);
            (
                left.at,
                "still on disk here",
                confidence,
                ending(module, left.how, left.at),
            )
        }
        (None, Some(skipped)) if skipped.grade == Grade::Likely && made.fate.released => {
            let why = format!("if {}", raiser(module, skipped));
            let note = "an exception from here leaves it on disk";
            let sure = confidence_in_folder(module, made);
            (
                skipped.at,
                note,
                skipped.doubt.lowers(sure.min(Confidence::Medium), &made.resource.kind),
                why,
            )
        }
        _ => return None,
    };
    let confidence = if is_told(module, made) {
        Confidence::Low
    } else {
        confidence
    };
    let message = format!("what {what} makes on disk is not removed {why}");
    let mut finding = finding(Pattern::TempLeftBehind, made, confidence, message);
    suggest(made, &mut finding);
    finding.related.push(related(at, note));
    Some(finding)
}

/// `print(path)`, `module.exit_json(path=path)`: the user is told where it is, and wants it.
fn is_told(module: &Analysed<'_>, made: &Obligation<'_>) -> bool {
    const TELLS: [&str; 4] = ["print", "echo", "exit_json", "secho"];
    let Some(name) = made.fate.left_open.as_ref().and_then(|left| left.name) else {
        return false;
    };
    let around = module
        .names
        .scope(made.body)
        .node
        .into_iter()
        .flat_map(Node::descendants);
    let is_it = |value: &Expr| value.as_name_expr().is_some_and(|node| node.id.as_str() == name);
    around.filter_map(|node| node.as_expr()?.as_call_expr()).any(|call| {
        let mut values = call
            .args
            .iter()
            .chain(call.keywords.iter().map(|keyword| &keyword.value));
        super::memory::tail(&call.func).is_some_and(|name| TELLS.contains(&name)) && values.any(is_it)
    })
}

/// `mkstemp(dir=module.tmpdir)`: the folder may go as a whole, or its owner wants to find the file there.
fn confidence_in_folder(module: &Analysed<'_>, made: &Obligation<'_>) -> Confidence {
    const WORDS: [&str; 7] = ["tmp", "temp", "stag", "work", "log", "scratch", "cache"];
    let keywords = made.call.as_call_expr().map_or(&[][..], |call| &call.keywords);
    let mut folders = keywords.iter().filter(|keyword| {
        let folder = text_at(module.module.text(), keyword.value.range().into()).to_lowercase();
        let names_folder = keyword
            .arg
            .as_ref()
            .is_some_and(|name| ["dir", "prefix"].contains(&name.as_str()));
        names_folder && !keyword.value.is_constant_expr() && WORDS.iter().any(|word| folder.contains(word))
    });
    // One that is an attribute of what came in has an owner for certain.
    let is_placed = folders.any(|folder| !made.fate.released || is_of_another(module, made, &folder.value));
    if is_placed { Confidence::Low } else { Confidence::High }
}

/// `module.tmpdir`, `module.tmpdir + "/"`, a parameter
fn is_of_another(module: &Analysed<'_>, made: &Obligation<'_>, folder: &Expr) -> bool {
    let came_in = |name: &str| {
        let mut bindings = module.names.bindings(name, made.body).iter();
        bindings.any(|binding| matches!(binding.kind, BindingKind::Parameter(_)))
    };
    Node::Expr(folder).descendants().any(|node| match node {
        Node::Expr(Expr::Name(name)) => !["self", "cls"].contains(&name.id.as_str()) && came_in(&name.id),
        Node::Expr(Expr::Attribute(node)) => node
            .value
            .as_name_expr()
            .is_some_and(|name| !["self", "cls", "os", "tempfile"].contains(&name.id.as_str())),
        _ => false,
    })
}

/// `return os.path.relpath(mkdtemp())`: what is dropped there goes out under another spelling.
fn is_respelled(module: &Analysed<'_>, made: &Obligation<'_>) -> bool {
    const SPELLERS: [&str; 4] = ["str", "Path", "PurePath", "fspath"];
    let call = made
        .call
        .as_call_expr()
        .and_then(|call| module.index().parent_of_call(call));
    let Some(Node::Expr(Expr::Call(around))) = call else {
        return false;
    };
    let resolved = module.names.resolve(&around.func);
    let is_path = resolved.qualified().is_some_and(|name| name.starts_with("os.path."));
    let spells = super::memory::tail(&around.func).is_some_and(|name| SPELLERS.contains(&name));
    (is_path || spells) && is_given_back(module, made, around)
}

fn is_given_back(module: &Analysed<'_>, made: &Obligation<'_>, value: &ExprCall) -> bool {
    let name = match module.index().parent_of_call(value) {
        Some(Node::Stmt(Stmt::Return(_))) => return true,
        Some(Node::Stmt(Stmt::Assign(assign))) => assign.targets.first().and_then(Expr::as_name_expr),
        _ => None,
    };
    let around = module.names.scope(made.body).node;
    let mut returns = around
        .into_iter()
        .flat_map(Node::descendants)
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Return(node)) => node.value.as_deref(),
            _ => None,
        });
    let mentions = |value: &Expr, name: &str| {
        let mut inner = Node::Expr(value).descendants().filter_map(Node::as_expr);
        inner.any(|part| part.as_name_expr().is_some_and(|node| node.id.as_str() == name))
    };
    name.is_some_and(|name| returns.any(|value| mentions(value, &name.id)))
}

/// Kept on `self`, and nothing in the module removes it.
fn kept(module: &Analysed<'_>, made: &Obligation<'_>, attribute: &str) -> Option<Finding> {
    let confidence = match module.end_of(made)? {
        Release::Somewhere => return None,
        _ if is_removed_somewhere(module, attribute) => return None,
        Release::Maybe => Confidence::Low,
        Release::OnlyFinalizer | Release::Nowhere => confidence_in_folder(module, made).min(Confidence::Medium),
    };
    let message = format!(
        "what {} makes on disk is kept as `self.{attribute}`, and no method removes it",
        acquisition(made)
    );
    let mut finding = finding(Pattern::TempLeftBehind, made, confidence, message);
    suggest(made, &mut finding);
    Some(finding)
}

/// `builder._tempdir = mkdtemp()`: an attribute of an object that came in, and private, so that the module has to see to it.
fn attribute_of_another<'m>(module: &Analysed<'m>, made: &Obligation<'_>) -> Option<&'m str> {
    let mut assignments = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(assign)) if Span::from(assign.value.range()) == made.span => assign.targets.first(),
        _ => None,
    });
    let target = assignments.next()?.as_attribute_expr()?;
    let owner = target.value.as_name_expr()?;
    let bindings = module.names.bindings(&owner.id, made.body).iter();
    let mut parameters = bindings.filter(|binding| matches!(binding.kind, BindingKind::Parameter(_)));
    let is_private = target.attr.starts_with('_') && owner.id.as_str() != "cls";
    parameters.next().filter(|_| is_private).map(|_| target.attr.as_str())
}

fn kept_by_another(module: &Analysed<'_>, made: &Obligation<'_>, attribute: &str) -> Option<Finding> {
    if is_removed_somewhere(module, attribute) {
        return None;
    }
    let message = format!(
        "what {} makes on disk is kept in `{attribute}`, and nothing in the module removes it",
        acquisition(made)
    );
    let mut finding = finding(Pattern::TempLeftBehind, made, Confidence::Medium, message);
    suggest(made, &mut finding);
    Some(finding)
}

fn suggest(made: &Obligation<'_>, finding: &mut Finding) {
    finding.suggestion = if made.callee.ends_with("mkdtemp") {
        "use `with tempfile.TemporaryDirectory() as …:`, or remove it in a `finally`".to_owned()
    } else {
        "remove it in a `finally`, or let `tempfile.NamedTemporaryFile` do it".to_owned()
    };
}

/// Words in the names of what removes files and folders, or moves them away.
const REMOVERS: [&str; 8] = [
    "rmtree", "rmdir", "unlink", "remove", "rename", "replace", "move", "clean",
];

/// Whether a function that has to do with the attribute also removes something: by a list, by a name that is
/// computed, the attribute may stand for what goes.
fn is_removed_somewhere(module: &Analysed<'_>, attribute: &str) -> bool {
    let functions = module.nodes().filter_map(|node| Def::of(node.as_stmt()?).map(|_| node));
    let about = |node: Node<'_>| {
        let mut inner = node.descendants().filter_map(Node::as_expr);
        inner.any(|expr| {
            expr.as_attribute_expr()
                .is_some_and(|node| node.attr.as_str() == attribute)
        })
    };
    functions.filter(|node| about(*node)).any(removes)
}

fn removes(function: Node<'_>) -> bool {
    let mut inner = function.descendants().filter_map(Node::as_expr);
    inner.any(|expr| {
        let word = match expr {
            Expr::Attribute(node) => node.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => return false,
        };
        REMOVERS.iter().any(|remover| word.contains(remover))
    })
}
