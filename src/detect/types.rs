//! Light types: the class of an expression's value, where one look at bindings tells it.
//!
//! Knows `Path` values, annotations, constructors and attributes assigned in a class's own methods.

use super::resources::Table;
use crate::python::ast::{Expr, ExprCall, Operator, Ranged, Stmt, StmtClassDef};
use crate::python::names::{Binding, BindingKind, Def};
use crate::python::{Names, Node, Resolved, ScopeId};

/// A name assigned more often than this has no one type.
const MAX_BINDINGS: usize = 6;
const MAX_STEPS: u32 = 6;
/// Of a class with more statements than this, the first ones tell what its attributes are.
const MAX_STATEMENTS: usize = 400;
const PATH: &str = "pathlib.Path";
/// Methods and attributes of a path that are paths again.
const PATH_MEMBERS: [&str; 14] = [
    "parent",
    "joinpath",
    "with_suffix",
    "with_name",
    "with_stem",
    "resolve",
    "absolute",
    "expanduser",
    "relative_to",
    "cwd",
    "home",
    "rename",
    "replace",
    "readlink",
];

pub(super) struct Types<'a, 'm> {
    pub(super) names: &'a Names<'m>,
    pub(super) table: &'a Table,
}

impl Types<'_, '_> {
    /// The dotted name of the class of the expression's value.
    pub(super) fn of(&self, expr: &Expr) -> Option<String> {
        self.within(expr, MAX_STEPS)
    }

    fn within(&self, expr: &Expr, steps: u32) -> Option<String> {
        let rest = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => {
                let scope = self.names.scope_at(name.start().to_u32());
                self.of_bindings(self.names.bindings(&name.id, scope), rest)
            }
            Expr::Call(call) => self.of_call(&call.func, rest),
            Expr::Attribute(node) if PATH_MEMBERS.contains(&node.attr.as_str()) => {
                self.within(&node.value, rest).filter(|class| class == PATH)
            }
            Expr::Attribute(node) => self.of_attribute(&node.value, &node.attr, rest),
            // `path.parents[1]`
            Expr::Subscript(node) => {
                let parents = node.value.as_attribute_expr()?;
                let is_path = parents.attr.as_str() == "parents";
                self.within(&parents.value, rest)
                    .filter(|class| is_path && class == PATH)
            }
            Expr::IfExp(node) => self
                .within(&node.body, rest)
                .or_else(|| self.within(&node.orelse, rest)),
            Expr::BoolOp(node) => node.values.iter().find_map(|value| self.within(value, rest)),
            Expr::BinOp(node) if node.op == Operator::Div => {
                let sides = [&node.left, &node.right];
                let found = sides.into_iter().find_map(|side| self.within(side, rest));
                found.filter(|class| class == PATH)
            }
            Expr::Await(node) => self.within(&node.value, rest),
            Expr::NamedExpr(node) => self.within(&node.value, rest),
            _ => None,
        }
    }

    fn of_call(&self, func: &Expr, rest: u32) -> Option<String> {
        if let Some(name) = self.names.resolve(func).qualified() {
            return Some(class_name(self.table.class_made_by(name)));
        }
        if let Some(def) = self.function(func) {
            return self.of_annotation(def.returns?);
        }
        let Expr::Attribute(method) = func else { return None };
        let class = self.within(&method.value, rest)?;
        if class == PATH {
            return PATH_MEMBERS.contains(&method.attr.as_str()).then_some(class);
        }
        let callable = format!("{class}.{}", method.attr);
        Some(class_name(self.table.class_made_by(&callable)))
    }

    /// The function of the module that is called, or the method of the class around.
    fn function(&self, func: &Expr) -> Option<Def<'_>> {
        match func {
            Expr::Name(name) => {
                let bindings = self
                    .names
                    .bindings(&name.id, self.names.scope_at(name.start().to_u32()));
                match bindings {
                    [binding] => match binding.kind {
                        BindingKind::Def(statement) => Def::of(statement),
                        _ => None,
                    },
                    _ => None,
                }
            }
            Expr::Attribute(node) => {
                let class = self.class_around(&node.value)?;
                self.method(class, &node.attr, MAX_STEPS)
            }
            _ => None,
        }
    }

    /// The method of the class, or of a base in the module.
    fn method(&self, class: ScopeId, name: &str, steps: u32) -> Option<Def<'_>> {
        let (rest, class) = (steps.checked_sub(1)?, self.class(class)?);
        let mut methods = class.body.iter().filter_map(Def::of);
        methods.find(|method| method.name == name).or_else(|| {
            let mut bases = class.bases.iter().filter_map(|base| self.class_named(base));
            bases.find_map(|base| self.method(base, name, rest))
        })
    }

    /// The class whose method says `self`.
    fn class_around(&self, object: &Expr) -> Option<ScopeId> {
        let name = object.as_name_expr()?.id.as_str();
        ["self", "cls"].contains(&name).then_some(())?;
        self.names.enclosing_class(object.start().to_u32())
    }

    fn class(&self, scope: ScopeId) -> Option<&StmtClassDef> {
        match self.names.scope(scope).node {
            Some(Node::Stmt(Stmt::ClassDef(class))) => Some(class),
            _ => None,
        }
    }

    fn of_bindings(&self, bindings: &[Binding<'_>], rest: u32) -> Option<String> {
        if bindings.len() > MAX_BINDINGS {
            return None;
        }
        bindings.iter().find_map(|binding| match &binding.kind {
            BindingKind::Parameter(parameter) => match parameter.annotation.as_deref() {
                Some(annotation) => self.of_annotation(annotation),
                // A fixture that pytest brings.
                None => (parameter.arg.as_str() == "tmp_path").then(|| PATH.to_owned()),
            },
            BindingKind::Assign { value: Some(value) } => self.within(value, rest),
            BindingKind::With { context: Some(context) } => self.within(context, rest),
            BindingKind::For { iterable } => self.item_of(iterable, rest),
            _ => None,
        })
    }

    /// What iterating gives: the paths of `path.iterdir()`, the items of `paths: list[Path]`.
    fn item_of(&self, iterable: &Expr, steps: u32) -> Option<String> {
        let rest = steps.checked_sub(1)?;
        match iterable {
            Expr::Name(name) => self.item_of_name(&name.id, name.start().to_u32(), rest),
            Expr::List(node) => node.elts.iter().find_map(|item| self.within(item, rest)),
            Expr::Tuple(node) => node.elts.iter().find_map(|item| self.within(item, rest)),
            Expr::ListComp(node) => self.within(&node.elt, rest),
            Expr::GeneratorExp(node) => self.within(&node.elt, rest),
            Expr::Call(call) => self.item_of_call(call, rest),
            _ => None,
        }
    }

    fn item_of_call(&self, call: &ExprCall, rest: u32) -> Option<String> {
        let first = || call.args.first();
        match &*call.func {
            Expr::Name(name) => match name.id.as_str() {
                "sorted" | "list" | "tuple" | "set" | "reversed" | "iter" => self.item_of(first()?, rest),
                "filter" => self.item_of(call.args.get(1)?, rest),
                "map" => self.of_annotation(first()?),
                _ => None,
            },
            Expr::Attribute(method) => {
                let walks = ["iterdir", "glob", "rglob"].contains(&method.attr.as_str());
                let class = walks.then(|| self.within(&method.value, rest)).flatten();
                class.filter(|class| class == PATH)
            }
            _ => None,
        }
    }

    /// `T` of a parameter that is annotated as `list[T]`, and of what is assigned once.
    fn item_of_name(&self, name: &str, at: u32, rest: u32) -> Option<String> {
        let [binding] = self.names.bindings(name, self.names.scope_at(at)) else {
            return None;
        };
        match &binding.kind {
            BindingKind::Parameter(parameter) => match parameter.annotation.as_deref()? {
                Expr::Subscript(node) => self.of_annotation(&node.slice),
                _ => None,
            },
            BindingKind::Assign { value: Some(value) } => self.item_of(value, rest),
            _ => None,
        }
    }

    /// `self.x`: what a method of the class or of a base in the module assigns, or the annotation says.
    fn of_attribute(&self, object: &Expr, attribute: &str, rest: u32) -> Option<String> {
        self.of_member(self.class_around(object)?, attribute, rest)
    }

    fn of_member(&self, class: ScopeId, attribute: &str, steps: u32) -> Option<String> {
        let (rest, class) = (steps.checked_sub(1)?, self.class(class)?);
        let assigned = statements_of(class).find_map(|(statement, in_method)| {
            let is_it = |target: &Expr| is_member(target, attribute, in_method);
            match statement {
                Stmt::Assign(node) if node.targets.iter().any(is_it) => self.within(&node.value, rest),
                Stmt::AnnAssign(node) if is_it(&node.target) => self.of_annotation(&node.annotation),
                _ => None,
            }
        });
        let bases = || class.bases.iter().filter_map(|base| self.class_named(base));
        assigned.or_else(|| bases().find_map(|base| self.of_member(base, attribute, rest)))
    }

    /// The class of the module that the expression names.
    fn class_named(&self, expr: &Expr) -> Option<ScopeId> {
        let Resolved::Local { bindings, path, .. } = self.names.resolve(expr) else {
            return None;
        };
        match bindings {
            [binding] if path.is_empty() => match binding.kind {
                BindingKind::Class(statement) => self.names.scope_of(statement),
                _ => None,
            },
            _ => None,
        }
    }

    /// The class an annotation names; `Optional[T]` and `T | None` are taken for `T`.
    fn of_annotation(&self, annotation: &Expr) -> Option<String> {
        match annotation {
            Expr::BinOp(node) => self
                .of_annotation(&node.left)
                .or_else(|| self.of_annotation(&node.right)),
            Expr::Subscript(node) => {
                let outer = self.names.resolve(&node.value);
                let tail = outer.qualified()?.rsplit('.').next()?.to_owned();
                let inner = match &*node.slice {
                    Expr::Tuple(items) => items.elts.iter().find_map(|item| self.of_annotation(item)),
                    one => self.of_annotation(one),
                };
                inner.filter(|_| ["Optional", "Union", "Annotated", "Final"].contains(&tail.as_str()))
            }
            Expr::Constant(node) => self.of_spelled(node.value.as_str()?),
            other => match self.names.resolve(other) {
                Resolved::Qualified(name) => Some(class_name(&name)),
                _ => None,
            },
        }
    }

    /// An annotation in quotes: `"Path"`, `"Optional[pathlib.Path]"`, `"Path | None"`.
    fn of_spelled(&self, text: &str) -> Option<String> {
        let text = text.strip_prefix("Optional[").unwrap_or(text).trim_end_matches(']');
        let (root, rest) = text.split('|').find_map(|part| {
            let name = part.trim();
            let is_dotted = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
            let is_class = is_dotted && !name.is_empty() && name != "None";
            is_class.then(|| name.split_once('.').unwrap_or((name, "")))
        })?;
        let bindings = self.names.bindings(root, ScopeId::MODULE);
        let module = bindings.iter().find_map(|binding| binding.kind.qualified())?;
        let dot = if rest.is_empty() { "" } else { "." };
        Some(class_name(&format!("{module}{dot}{rest}")))
    }
}

/// The statements of a class body and of its methods, those of `__init__` first, and whether a method has them.
fn statements_of(class: &StmtClassDef) -> impl Iterator<Item = (&Stmt, bool)> {
    let mut methods: Vec<_> = class.body.iter().filter_map(Def::of).collect();
    methods.sort_by_key(|method| method.name != "__init__");
    let mut open: Vec<&Stmt> = methods
        .iter()
        .rev()
        .flat_map(|method| method.body.iter().rev())
        .collect();
    let inner = std::iter::from_fn(move || {
        let statement = open.pop()?;
        if Def::of(statement).is_none() && !statement.is_class_def_stmt() {
            let blocks = Node::Stmt(statement).blocks();
            open.extend(blocks.into_iter().rev().flat_map(|block| block.iter().rev()));
        }
        Some((statement, true))
    });
    let own = class.body.iter().map(|statement| (statement, false));
    own.chain(inner).take(MAX_STATEMENTS)
}

/// `Path` is written in several ways.
fn class_name(name: &str) -> String {
    const PATHS: [&str; 14] = [
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "pathlib.Path.cwd",
        "pathlib.Path.home",
        "pathlib2.Path",
        "upath.UPath",
        "path.Path",
        "cloudpathlib.CloudPath",
        "cloudpathlib.AnyPath",
        "cloudpathlib.S3Path",
        "cloudpathlib.GSPath",
        "importlib.abc.Traversable",
        "importlib.resources.abc.Traversable",
        "importlib_resources.abc.Traversable",
    ];
    if PATHS.contains(&name) { PATH } else { name }.to_owned()
}

/// `self.x` in a method, `x` in the body of the class.
fn is_member(target: &Expr, attribute: &str, in_method: bool) -> bool {
    match target {
        Expr::Attribute(node) => {
            let of_self = node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self");
            in_method && of_self && node.attr.as_str() == attribute
        }
        Expr::Name(name) => !in_method && name.id.as_str() == attribute,
        _ => false,
    }
}
