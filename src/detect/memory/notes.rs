//! Notes on a module's classes and functions: what constructors keep, which attributes have setters, and
//! which functions see to it by a flag that they act once.

use std::collections::{BTreeMap, BTreeSet};

use super::{lifetime, tail};
use crate::detect::{Analysed, text_at};
use crate::python::ast::{BoolOp, Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, Def, parameters};
use crate::python::{Node, Resolved, ScopeId, Span};

/// A parameter of a constructor and the attribute in which it is kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Kept<'m> {
    pub(super) parameter: &'m str,
    pub(super) name: &'m str,
}

/// What constructors keep, by the position of the parameter after `self`; and the attributes that have setters.
#[derive(Debug, Default)]
pub(in crate::detect) struct Notes<'m> {
    kept: BTreeMap<ScopeId, Vec<(usize, Kept<'m>, Span)>>,
    setters: Vec<&'m str>,
    /// Calls of the module's classes, by where they start.
    made: BTreeMap<u32, ScopeId>,
    /// Functions that test something that outlives them, and set the same.
    flagged: BTreeSet<ScopeId>,
}

impl<'m> Notes<'m> {
    pub(in crate::detect) fn of_module(module: &Analysed<'m>) -> Self {
        let mut notes = Self {
            flagged: flagged(module),
            ..Self::default()
        };
        for node in module.nodes() {
            if let Node::Expr(Expr::Call(call)) = node {
                let class = call.func.is_name_expr().then(|| class_called(module, &call.func));
                notes
                    .made
                    .extend(class.flatten().map(|class| (call.start().to_u32(), class)));
            }
        }
        for (scope, _) in module.names.scopes() {
            if let Some(class) = lifetime::class_of(&module.names, scope) {
                let methods = class.body.iter().filter_map(Def::of);
                for def in methods {
                    notes.note(scope, &def);
                }
            }
        }
        notes
    }

    fn note(&mut self, class: ScopeId, def: &Def<'m>) {
        let sets = def.decorators.iter().any(|decorator| tail(decorator) == Some("setter"));
        if sets || def.name == "__setattr__" {
            self.setters.push(def.name);
        }
        if def.name != "__init__" {
            return;
        }
        let all = parameters(def.arguments);
        let position = |name: &str| {
            all.iter()
                .skip(1)
                .position(|(parameter, _)| parameter.arg.as_str() == name)
        };
        let mut kept = Vec::new();
        for statement in def
            .body
            .iter()
            .flat_map(|statement| Node::Stmt(statement).descendants())
        {
            let Node::Stmt(Stmt::Assign(assign)) = statement else {
                continue;
            };
            let (Some(Expr::Attribute(target)), Some(value)) = (assign.targets.first(), kept_name(&assign.value))
            else {
                continue;
            };
            let on_self = target
                .value
                .as_name_expr()
                .is_some_and(|name| name.id.as_str() == "self");
            if let Some(at) = position(value).filter(|_| on_self) {
                let attribute = Kept {
                    parameter: value,
                    name: &target.attr,
                };
                kept.push((at, attribute, Span::from(assign.range())));
            }
        }
        self.kept.insert(class, kept);
    }

    /// The class of the module that is called by its name.
    pub(in crate::detect) fn class_called(&self, call: &ExprCall) -> Option<ScopeId> {
        // `Child(self).start()` starts where `Child(self)` does.
        call.func
            .is_name_expr()
            .then(|| self.class_made(call.start().to_u32()))
            .flatten()
    }

    /// The class of the module whose call by its name starts there.
    pub(super) fn class_made(&self, at: u32) -> Option<ScopeId> {
        self.made.get(&at).copied()
    }

    pub(in crate::detect) fn is_flagged(&self, function: ScopeId) -> bool {
        self.flagged.contains(&function)
    }

    pub(super) fn has_setter(&self, attribute: &str) -> bool {
        self.setters.contains(&attribute)
    }

    pub(super) fn kept_by(&self, class: ScopeId) -> &[(usize, Kept<'m>, Span)] {
        self.kept.get(&class).map_or(&[], Vec::as_slice)
    }
}

/// `if _ready: return`, and `_ready = True`
fn flagged(module: &Analysed<'_>) -> BTreeSet<ScopeId> {
    let (names, text) = (&module.names, module.module.text());
    let word = |expr: &Expr| {
        let at = expr.start().to_u32();
        let function = names.enclosing_function(at)?;
        let outlives = match expr {
            Expr::Name(name) => names.home(&name.id, names.scope_at(at)) != function,
            Expr::Attribute(_) => true,
            _ => false,
        };
        outlives.then(|| (function, text_at(text, expr.range().into())))
    };
    let (mut tested, mut set) = (BTreeSet::new(), BTreeSet::new());
    for node in module.nodes() {
        match node {
            Node::Stmt(Stmt::If(node)) => {
                let inner = Node::Expr(&node.test).descendants().filter_map(Node::as_expr);
                tested.extend(inner.filter_map(word));
            }
            Node::Stmt(Stmt::Assign(assign)) => set.extend(assign.targets.iter().filter_map(word)),
            _ => {}
        }
    }
    tested.intersection(&set).map(|(function, _)| *function).collect()
}

/// `parent`, `parent or DEFAULT`, `parent if parent is not None else None`
fn kept_name(value: &Expr) -> Option<&str> {
    match value {
        Expr::Name(name) => Some(&name.id),
        Expr::BoolOp(node) if node.op == BoolOp::Or => kept_name(node.values.first()?),
        Expr::IfExp(node) => kept_name(&node.body).or_else(|| kept_name(&node.orelse)),
        _ => None,
    }
}

fn class_called(module: &Analysed<'_>, func: &Expr) -> Option<ScopeId> {
    let Resolved::Local {
        bindings: [binding],
        path,
        ..
    } = module.names.resolve(func)
    else {
        return None;
    };
    match binding.kind {
        BindingKind::Class(statement) if path.is_empty() => module.names.scope_of(statement),
        _ => None,
    }
}
