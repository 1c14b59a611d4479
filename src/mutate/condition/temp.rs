//! Conditions on temporary files and folders: what makes one that stays, what takes it away.

use super::callee::callee;
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::Facts;
use crate::python::Node;
use crate::python::ast::{Constant, Expr, ExprCall, Stmt};
use crate::python::names::Def;

/// `temp($a, function, …)`: a call of one of these functions of `tempfile` that makes what stays until someone
/// removes it, or the path of what it made.
pub(super) fn temp(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let facts = scene.facts;
    let Expr::Call(call) = inner_path(facts, expr) else {
        return Truth::No;
    };
    let resolved = facts.names.resolve(&call.func);
    let Some(function) = resolved.qualified().and_then(|name| name.strip_prefix("tempfile.")) else {
        return Truth::Unknown;
    };
    let stays = function != "NamedTemporaryFile"
        || call
            .keywords
            .iter()
            .any(|keyword| keyword.arg.as_deref() == Some("delete") && is_false(&keyword.value));
    (stays && texts(arguments, 1).contains(&function)).into()
}

fn is_false(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(node) if node.value == Constant::Bool(false))
}

/// Calls that give the path of their argument.
const SAME_PATH: [&str; 6] = [
    "pathlib.Path",
    "builtins.str",
    "os.fspath",
    "os.path.abspath",
    "os.path.realpath",
    "os.path.normpath",
];

/// `mkdtemp()` of `Path(mkdtemp())`
fn inner_path<'e>(facts: &Facts<'_>, expr: &'e Expr) -> &'e Expr {
    match same_path(facts, expr) {
        Some(inner) => inner_path(facts, inner),
        None => expr,
    }
}

fn same_path<'e>(facts: &Facts<'_>, expr: &'e Expr) -> Option<&'e Expr> {
    let Expr::Call(call) = expr else { return None };
    let resolved = facts.names.resolve(&call.func);
    match &call.args[..] {
        [only] if call.keywords.is_empty() => resolved
            .qualified()
            .is_some_and(|name| SAME_PATH.contains(&name))
            .then_some(only),
        _ => None,
    }
}

/// The names of one temporary file or folder.
struct Known<'k, 'm> {
    facts: &'k Facts<'m>,
    names: Vec<&'k str>,
}

impl<'k, 'm> Known<'k, 'm> {
    /// `name`, and what the statements bind to the same: `path = out.name`.
    fn new(facts: &'k Facts<'m>, name: &'k str, body: &'k [Stmt]) -> Self {
        let mut known = Self {
            facts,
            names: vec![name],
        };
        let nodes = || body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
        for node in nodes() {
            if let Node::Stmt(Stmt::Assign(node)) = node
                && let [Expr::Name(target)] = &node.targets[..]
                && known.is_it(&node.value)
            {
                known.names.push(&target.id);
            }
        }
        known
    }

    /// Whether the expression is the file or folder, or its path.
    fn is_it(&self, expr: &Expr) -> bool {
        match inner_path(self.facts, expr) {
            Expr::Name(name) => self.names.contains(&name.id.as_str()),
            Expr::Attribute(node) => node.attr.as_str() == "name" && self.is_it(&node.value),
            _ => false,
        }
    }

    fn holds(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Tuple(node) => node.elts.iter().any(|item| self.holds(item)),
            Expr::List(node) => node.elts.iter().any(|item| self.holds(item)),
            other => self.is_it(other),
        }
    }

    fn takes(&self, call: &ExprCall) -> bool {
        let keywords = call.keywords.iter().map(|keyword| &keyword.value);
        call.args.iter().chain(keywords).any(|value| self.is_it(value))
    }

    /// `os.unlink(path)`, `shutil.rmtree(path)`, `path.unlink()`
    fn is_removal(&self, expr: &Expr) -> bool {
        let Expr::Call(call) = expr else { return false };
        let method = match &*call.func {
            Expr::Attribute(method) => removes_by_method(&method.attr, call) && self.is_it(&method.value),
            _ => false,
        };
        let first = call.args.first().is_some_and(|first| self.is_it(first));
        method || first && is_remover(self.facts, &call.func)
    }

    /// Whether the node may take it away: by itself, by a function of the module, or by a promise such as
    /// `addCleanup(shutil.rmtree, path)`.
    fn may_remove(&self, node: Node<'_>) -> bool {
        let Node::Expr(expr @ Expr::Call(call)) = node else {
            return false;
        };
        let first = call.args.first().is_some_and(|first| self.is_it(first));
        let moves = first && is_mover(self.facts, &call.func);
        let promises = call.args.iter().any(|arg| is_remover(self.facts, arg)) && self.takes(call);
        self.is_removal(expr) || moves || promises || self.takes(call) && callee_removes(self.facts, call)
    }

    /// Whether the node hands the path to someone: returned, yielded, kept on an object.
    fn hands_on(&self, node: Node<'_>) -> bool {
        let some = |expr: &Option<Box<Expr>>| expr.as_deref().is_some_and(|expr| self.holds(expr));
        match node {
            Node::Stmt(Stmt::Return(node)) => some(&node.value),
            Node::Expr(Expr::Yield(node)) => some(&node.value),
            Node::Stmt(Stmt::Assign(node)) => {
                self.holds(&node.value) && node.targets.iter().any(|target| !target.is_name_expr())
            }
            _ => false,
        }
    }
}

fn removes_by_method(method: &str, call: &ExprCall) -> bool {
    // A text has a `replace` too, with two arguments.
    matches!(method, "unlink" | "rmdir" | "rmtree") || matches!(method, "rename" | "replace") && call.args.len() == 1
}

fn is_remover(facts: &Facts<'_>, function: &Expr) -> bool {
    matches!(
        facts.names.resolve(function).qualified(),
        Some("os.unlink" | "os.remove" | "os.rmdir" | "os.removedirs" | "shutil.rmtree")
    )
}

fn is_mover(facts: &Facts<'_>, function: &Expr) -> bool {
    matches!(
        facts.names.resolve(function).qualified(),
        Some("os.rename" | "os.replace" | "os.renames" | "shutil.move")
    )
}

/// Whether the function of the module that is called removes anything.
fn callee_removes(facts: &Facts<'_>, call: &ExprCall) -> bool {
    let Some(definition) = callee(facts, call).and_then(|(function, _)| Def::of(function)) else {
        return false;
    };
    let body = definition.body.iter();
    let mut nodes = body.flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::Call(call)) => match &*call.func {
            Expr::Attribute(method) if removes_by_method(&method.attr, call) => true,
            function => is_remover(facts, function),
        },
        _ => false,
    })
}

/// The body of the function around the site, or of the module.
fn body_around<'m>(scene: &Scene<'_, '_, 'm>) -> &'m [Stmt] {
    let names = &scene.facts.names;
    let function = names.enclosing_function(scene.at().start);
    let definition = function.and_then(|id| names.scope(id).node).and_then(Node::as_stmt);
    match definition.and_then(Def::of) {
        Some(definition) => definition.body,
        None => &scene.facts.module.body,
    }
}

/// `removes($s, $n)`: the statement removes the file or folder that `$n` is or names, perhaps after asking
/// whether it is there.
pub(super) fn removes(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(value), Some(name)) = (scene.value(arguments, 0), scene.word(arguments, 1)) else {
        return Truth::Unknown;
    };
    let known = Known::new(scene.facts, &name, body_around(scene));
    let statement = value.nodes().first().and_then(|node| node.as_stmt());
    let call = match statement {
        Some(Stmt::If(node)) if node.orelse.is_empty() && asks_for_it(&known, &node.test) => match &node.body[..] {
            [Stmt::Expr(only)] => Some(&*only.value),
            _ => None,
        },
        Some(Stmt::Expr(node)) => Some(&*node.value),
        _ => None,
    };
    call.is_some_and(|call| known.is_removal(call)).into()
}

/// `os.path.exists(path)`, `path.exists()`
fn asks_for_it(known: &Known<'_, '_>, test: &Expr) -> bool {
    let Expr::Call(call) = test else { return false };
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let asks = matches!(
        method.attr.as_str(),
        "exists" | "lexists" | "isfile" | "isdir" | "is_file" | "is_dir"
    );
    asks && (known.is_it(&method.value) || call.args.first().is_some_and(|first| known.is_it(first)))
}

/// `stays($n, $s)`: besides the statement, nothing in the function removes, moves or hands on what `$n` is or
/// names, and no other name for it is read behind the site.
pub(super) fn stays(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else {
        return Truth::Unknown;
    };
    let removal = scene.value(arguments, 1);
    let but = removal
        .as_ref()
        .and_then(|value| value.nodes().first())
        .map(|node| node.span());
    let body = body_around(scene);
    let known = Known::new(scene.facts, &name, body);
    let nodes = body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    let mut others = nodes.filter(|node| but.is_none_or(|but| !but.contains(node.span())));
    let gone = others.any(|node| known.may_remove(node) || known.hands_on(node));
    let graph = scene.facts.graph_at(scene.at().start);
    let mut aliases = known.names.iter().skip(1);
    (!gone && !aliases.any(|alias| graph.live_after(alias, scene.at()))).into()
}
