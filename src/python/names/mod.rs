//! The names of one module: scopes, bindings, uses, and what an expression like `np.load` stands for.
//!
//! Python's rules, nothing about leaks. [`Names::new`] walks the tree once; every question after
//! that is a few look-ups. Where the text leaves the meaning of a name open, the answer is
//! [`Resolved::Unknown`], never a guess. Scopes and homes were held against CPython's `symtable`
//! over its standard library; what is not done is its NFKC form of identifiers and `__class__`.

mod binding;
mod builtins;
mod collect;
mod def;
mod import_point;
mod resolve;
mod scope;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

pub use binding::{Binding, BindingKind, Use, UseKind};
pub use builtins::{is_builtin, is_keyword};
pub use def::{Def, is_async, parameters};
pub use import_point::import_point;
pub use resolve::{Resolved, chain};
pub use scope::{Scope, ScopeId, ScopeKind};

use super::ast::{Expr, Ranged, Stmt};
use super::parse::Module;
use binding::{Event, Fate, Table, What, mangled};
use collect::Collector;
use scope::Runs;

/// The index over one module's names.
#[derive(Debug)]
pub struct Names<'m> {
    module: &'m Module,
    scopes: Vec<Scope<'m>>,
    tables: Vec<Table<'m>>,
    runs: Runs,
    /// Scopes of `def` and `class`, by where the statement starts.
    definitions: FxHashMap<u32, ScopeId>,
    stars: Vec<String>,
    words: OnceLock<HashSet<&'m str>>,
}

impl<'m> Names<'m> {
    pub fn new(module: &'m Module) -> Self {
        let collected = Collector::run(module);
        let mut names = Self {
            module,
            definitions: definitions(&collected.scopes),
            scopes: collected.scopes,
            tables: collected.tables,
            runs: Runs::new(collected.regions),
            stars: collected.stars,
            words: OnceLock::new(),
        };
        for event in collected.events {
            names.enter(event);
        }
        names
    }

    pub fn scope(&self, id: ScopeId) -> &Scope<'m> {
        &self.scopes[id.index()]
    }

    /// All scopes, the module's first, outer ones before those inside them.
    pub fn scopes(&self) -> impl Iterator<Item = (ScopeId, &Scope<'m>)> {
        let numbered = self.scopes.iter().enumerate();
        numbered.map(|(index, scope)| (ScopeId::new(index), scope))
    }

    /// The scope in which a name that stands at `at` is looked up. A body begins after the colon of
    /// its header; decorators, defaults and annotations belong to the scope around it.
    pub fn scope_at(&self, at: u32) -> ScopeId {
        self.runs.scope_at(at)
    }

    /// The scope that the body of a `def` or `class` is.
    pub fn scope_of(&self, definition: &Stmt) -> Option<ScopeId> {
        self.definitions.get(&definition.start().to_u32()).copied()
    }

    /// The scope and all around it, innermost first.
    pub fn ancestors(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> {
        std::iter::successors(Some(scope), |id| self.scope(*id).parent)
    }

    /// The innermost `def` whose body holds `at`; lambdas and classes in between are passed over.
    pub fn enclosing_function(&self, at: u32) -> Option<ScopeId> {
        self.innermost(at, &[ScopeKind::Function])
    }

    /// The innermost `class` whose body holds `at`, in the body of a method or not.
    pub fn enclosing_class(&self, at: u32) -> Option<ScopeId> {
        self.innermost(at, &[ScopeKind::Class])
    }

    /// The `__qualname__` of the innermost `def` or `class` whose body holds `at`, or `<module>`.
    pub fn qualname_at(&self, at: u32) -> &str {
        let scope = self.innermost(at, &[ScopeKind::Function, ScopeKind::Class]);
        &self.scope(scope.unwrap_or(ScopeId::MODULE)).qualname
    }

    /// The scope to which `name` belongs when it is used in `scope`. A name that is bound nowhere
    /// belongs to the module's, as a builtin or a global that someone else sets.
    pub fn home(&self, name: &str, scope: ScopeId) -> ScopeId {
        self.home_of(&mangled(name, self.scope(scope).class), scope)
    }

    /// How the name that `name` means in `scope` is bound, in the order of the text.
    pub fn bindings(&self, name: &str, scope: ScopeId) -> &[Binding<'m>] {
        self.variable(name, scope).map_or(&[], |variable| &variable.bindings)
    }

    /// The names that the scope's own text binds there, sorted; private ones as Python stores them.
    pub fn names_in(&self, scope: ScopeId) -> Vec<&str> {
        let fates = self.tables[scope.index()].fates.iter();
        let here = fates.filter(|(_, fate)| **fate == Fate::Here);
        let mut names: Vec<&str> = here.map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names
    }

    /// Every place where the name that `name` means in `scope` stands, in the order of the text.
    pub fn uses(&self, name: &str, scope: ScopeId) -> &[Use] {
        self.variable(name, scope).map_or(&[], |variable| &variable.uses)
    }

    /// Where it is read. The target of `x += 1` is read and stored.
    pub fn loads(&self, name: &str, scope: ScopeId) -> Vec<Use> {
        self.uses_where(name, scope, |kind| kind == UseKind::Load)
    }

    /// Where it is stored or deleted; parameters, imports and definitions store.
    pub fn stores(&self, name: &str, scope: ScopeId) -> Vec<Use> {
        self.uses_where(name, scope, |kind| matches!(kind, UseKind::Store | UseKind::Delete))
    }

    /// Whether calling a `def` gives a generator: a `yield` stands in it, not in a `def` or
    /// `lambda` inside it.
    pub fn is_generator(&self, definition: &Stmt) -> bool {
        let scope = self.scope_of(definition);
        scope.is_some_and(|id| self.scope(id).kind == ScopeKind::Function && self.scope(id).yields)
    }

    /// A name that stands nowhere in the module, not even as a word in a string or a comment, and is
    /// neither keyword nor builtin: `hint`, else `hint_2`, `hint_3`, ...
    pub fn fresh(&self, hint: &str) -> String {
        let words = self.words.get_or_init(|| words::of(self.module.text()));
        let is_free = |name: &String| !words.contains(name.as_str()) && !is_keyword(name) && !is_builtin(name);
        let numbered = (2_u32..).map(|number| format!("{hint}_{number}"));
        let mut all = std::iter::once(hint.to_owned()).chain(numbered);
        all.find(is_free)
            .expect("a text has fewer words than there are numbers")
    }

    /// Whether `from module import *` may bind any name of the module.
    pub fn has_star_import(&self) -> bool {
        !self.stars.is_empty()
    }

    fn innermost(&self, at: u32, kinds: &[ScopeKind]) -> Option<ScopeId> {
        let mut around = self.ancestors(self.scope_at(at));
        around.find(|id| kinds.contains(&self.scope(*id).kind))
    }

    fn uses_where(&self, name: &str, scope: ScopeId, keep: impl Fn(UseKind) -> bool) -> Vec<Use> {
        let uses = self.uses(name, scope).iter();
        uses.filter(|each| keep(each.kind)).copied().collect()
    }

    /// The bindings of a name, as Python stores it, in the scope that it belongs to.
    fn bindings_of(&self, stored: &str, home: ScopeId) -> &[Binding<'m>] {
        let variable = self.tables[home.index()].variables.get(stored);
        variable.map_or(&[], |variable| &variable.bindings)
    }

    fn variable(&self, name: &str, scope: ScopeId) -> Option<&binding::Variable<'m>> {
        let stored = mangled(name, self.scope(scope).class);
        let home = self.home_of(&stored, scope);
        self.tables[home.index()].variables.get(&*stored)
    }

    /// `stored` is the name as Python stores it, private names with their class.
    fn home_of(&self, stored: &str, from: ScopeId) -> ScopeId {
        for at in self.ancestors(from) {
            if !self.sees(from, at) {
                continue;
            }
            match self.tables[at.index()].fates.get(stored) {
                Some(Fate::Here) => return at,
                Some(Fate::Global) => return ScopeId::MODULE,
                Some(Fate::Nonlocal) | None => {}
            }
        }
        ScopeId::MODULE
    }

    /// The names of a class are seen in its own body alone, and in type parameters directly there.
    fn sees(&self, from: ScopeId, outer: ScopeId) -> bool {
        let directly = self.scope(from).kind == ScopeKind::TypeParams && self.scope(from).parent == Some(outer);
        from == outer || directly || self.scope(outer).kind != ScopeKind::Class
    }

    fn enter(&mut self, event: Event<'m>) {
        let Event {
            name,
            span,
            scope,
            what,
        } = event;
        let home = self.home_of(&name, scope);
        let usage = Use {
            span,
            scope,
            kind: what.as_use(),
            nested: self.is_later(scope, home),
        };
        let variable = self.tables[home.index()].variables.entry(name).or_default();
        variable.uses.push(usage);
        if let What::Bind(kind) = what {
            variable.bindings.push(Binding { span, scope, kind });
        }
    }

    /// Whether code in `scope` runs at another time than that of `home` around it.
    fn is_later(&self, scope: ScopeId, home: ScopeId) -> bool {
        let between = self.ancestors(scope).take_while(|id| *id != home);
        between.into_iter().any(|id| {
            let scope = self.scope(id);
            let generator = scope
                .node
                .and_then(super::node::Node::as_expr)
                .is_some_and(Expr::is_generator_exp_expr);
            generator || matches!(scope.kind, ScopeKind::Function | ScopeKind::Lambda)
        })
    }
}

fn definitions(scopes: &[Scope<'_>]) -> FxHashMap<u32, ScopeId> {
    let numbered = scopes.iter().enumerate();
    let bodies = numbered.filter(|(_, scope)| matches!(scope.kind, ScopeKind::Function | ScopeKind::Class));
    bodies
        .filter_map(|(index, scope)| Some((scope.node?.span().start, ScopeId::new(index))))
        .collect()
}
