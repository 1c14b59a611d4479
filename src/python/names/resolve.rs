//! What a name or a dotted chain stands for.

use super::super::ast::{Expr, ExprName, Ranged};
use super::binding::{Binding, BindingKind};
use super::builtins::is_builtin;
use super::scope::{ScopeId, ScopeKind};
use super::{Names, mangled};

/// How many aliases of aliases are followed; `a = b; b = a` has no end.
const MAX_ALIASES: u32 = 8;
/// A name assigned more often is no alias. Without a limit the ways through such names multiply.
const MAX_ASSIGNMENTS: usize = 8;

/// The meaning of an expression.
#[derive(Clone, Debug)]
pub enum Resolved<'n> {
    /// A name of another module or a builtin: `socket.socket`, `builtins.open`, `.sibling.helper`.
    Qualified(String),
    /// A variable, function or class of this module.
    Local {
        scope: ScopeId,
        bindings: &'n [Binding<'n>],
        /// The attributes that follow the name: `["close"]` for `handle.close`.
        path: Vec<String>,
    },
    /// Anything: a parameter, two meanings, a star import, or no chain of names at all.
    Unknown,
}

impl Resolved<'_> {
    /// The dotted name, where it is one.
    pub fn qualified(&self) -> Option<&str> {
        match self {
            Self::Qualified(name) => Some(name),
            _ => None,
        }
    }

    fn followed_by(self, attributes: &[&str]) -> Self {
        if attributes.is_empty() {
            return self;
        }
        match self {
            Self::Qualified(name) => Self::Qualified(dotted(&name, attributes)),
            Self::Local {
                scope,
                bindings,
                mut path,
            } => {
                path.extend(attributes.iter().map(|each| (*each).to_owned()));
                Self::Local { scope, bindings, path }
            }
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The name at the root of `a.b.c`, and the attributes after it.
pub fn chain(expr: &Expr) -> Option<(&ExprName, Vec<&str>)> {
    let (mut inner, mut attributes) = (expr, Vec::new());
    while let Expr::Attribute(node) = inner {
        attributes.push(node.attr.as_str());
        inner = &node.value;
    }
    attributes.reverse();
    Some((inner.as_name_expr()?, attributes))
}

impl Names<'_> {
    /// What `expr`, a node of this module, stands for. An alias (`o = open`) counts if the name is
    /// assigned just once; `x = None` beside imports of `x` says that the import failed, and no more.
    pub fn resolve(&self, expr: &Expr) -> Resolved<'_> {
        self.resolve_within(expr, MAX_ALIASES)
    }

    /// Every dotted name that `expr` may stand for, where [`Names::resolve`] finds one or several:
    /// both imports of a `try: ... except ImportError: ...`, what stars may bring. In the order of the text.
    pub fn candidates(&self, expr: &Expr) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_candidates(expr, MAX_ALIASES, &mut found);
        found
    }

    fn resolve_within(&self, expr: &Expr, aliases: u32) -> Resolved<'_> {
        let Some((root, attributes)) = chain(expr) else {
            return Resolved::Unknown;
        };
        self.resolve_name(root, aliases).followed_by(&attributes)
    }

    fn resolve_name(&self, root: &ExprName, aliases: u32) -> Resolved<'_> {
        let (scope, bindings) = self.visible(root);
        let meaningful = meaningful(bindings);
        let variable = || Resolved::Local {
            scope,
            bindings,
            path: Vec::new(),
        };
        match meaningful.as_slice() {
            [] if bindings.is_empty() => self.unbound(&root.id),
            [] => variable(),
            [only] => self.one_meaning(only, aliases).unwrap_or_else(variable),
            several => self.common_meaning(several, aliases).unwrap_or_else(variable),
        }
    }

    /// The scope of a name and its bindings there. The body of a module or class runs from top to
    /// bottom, so that `open` on the right of `open = open` still is the outer one.
    fn visible(&self, root: &ExprName) -> (ScopeId, &[Binding<'_>]) {
        let at = root.start().to_u32();
        let from = self.scope_at(at);
        let stored = mangled(&root.id, self.scope(from).class);
        let home = self.home_of(&stored, from);
        let in_order = home == from && matches!(self.scope(home).kind, ScopeKind::Module | ScopeKind::Class);
        let bindings = self.bindings_of(&stored, home);
        if !in_order || bindings.iter().any(|binding| precedes(binding, at)) {
            (home, bindings)
        } else if home == ScopeId::MODULE {
            (home, &[])
        } else {
            (ScopeId::MODULE, self.bindings_of(&stored, ScopeId::MODULE))
        }
    }

    fn unbound(&self, name: &str) -> Resolved<'_> {
        if is_builtin(name) && !self.has_star_import() {
            Resolved::Qualified(format!("builtins.{name}"))
        } else {
            Resolved::Unknown
        }
    }

    /// `None` where the name is a variable or definition of its own.
    fn one_meaning(&self, binding: &Binding<'_>, aliases: u32) -> Option<Resolved<'_>> {
        match &binding.kind {
            BindingKind::Parameter(_) => Some(Resolved::Unknown),
            BindingKind::Assign { value: Some(value) } => self.aliased(value, aliases),
            kind => kind.qualified().map(|name| Resolved::Qualified(name.to_owned())),
        }
    }

    /// What an alias of `value` means: a dotted name, or a definition of this module.
    fn aliased(&self, value: &Expr, aliases: u32) -> Option<Resolved<'_>> {
        let resolved = self.resolve_within(value, aliases.checked_sub(1)?);
        match &resolved {
            Resolved::Qualified(_) => Some(resolved),
            Resolved::Local { bindings, .. } => {
                let defined = bindings.iter().all(|binding| binding.kind.is_definition());
                defined.then_some(resolved)
            }
            Resolved::Unknown => None,
        }
    }

    fn common_meaning(&self, bindings: &[&Binding<'_>], aliases: u32) -> Option<Resolved<'_>> {
        let kinds = || bindings.iter().map(|binding| &binding.kind);
        if kinds().any(|kind| matches!(kind, BindingKind::Parameter(_))) {
            return Some(Resolved::Unknown);
        }
        let mut names = bindings.iter().map(|binding| match self.one_meaning(binding, aliases) {
            Some(Resolved::Qualified(name)) => Some(name),
            _ => None,
        });
        if let Some(name) = names.next().flatten()
            && names.all(|other| other.as_deref() == Some(&name))
        {
            return Some(Resolved::Qualified(name));
        }
        let fixed = kinds().filter(|kind| kind.is_definition() || kind.qualified().is_some());
        let only_definitions = kinds().all(BindingKind::is_definition);
        (fixed.count() > 0 && !only_definitions).then_some(Resolved::Unknown)
    }

    fn collect_candidates(&self, expr: &Expr, aliases: u32, found: &mut Vec<String>) {
        let Some((root, attributes)) = chain(expr) else { return };
        let (_, bindings) = self.visible(root);
        let mut add = |name: &str| {
            let name = dotted(name, &attributes);
            if !found.contains(&name) {
                found.push(name);
            }
        };
        if bindings.is_empty() {
            for name in &self.unbound_candidates(&root.id) {
                add(name);
            }
        }
        let aliases = aliases_left(bindings.len(), aliases);
        for binding in bindings {
            let mut names = Vec::new();
            match (&binding.kind, aliases.checked_sub(1)) {
                (BindingKind::Assign { value: Some(value) }, Some(rest)) => {
                    self.collect_candidates(value, rest, &mut names);
                }
                (kind, _) => names.extend(kind.qualified().map(str::to_owned)),
            }
            for name in &names {
                add(name);
            }
        }
    }

    fn unbound_candidates(&self, name: &str) -> Vec<String> {
        let joined = |module: &String| match module.strip_suffix('.') {
            Some(_) => format!("{module}{name}"),
            None => format!("{module}.{name}"),
        };
        let mut names: Vec<String> = self.stars.iter().map(joined).collect();
        if is_builtin(name) {
            names.push(format!("builtins.{name}"));
        }
        names
    }
}

/// The bindings that say something about the value.
fn meaningful<'b, 'n>(bindings: &'b [Binding<'n>]) -> Vec<&'b Binding<'n>> {
    let imported = bindings.iter().any(|binding| binding.kind.qualified().is_some());
    let says_nothing = |kind: &BindingKind<'_>| {
        matches!(kind, BindingKind::Annotated | BindingKind::Del) || (imported && kind.assigns_none())
    };
    bindings.iter().filter(|binding| !says_nothing(&binding.kind)).collect()
}

fn aliases_left(bindings: usize, aliases: u32) -> u32 {
    match bindings {
        0 | 1 => aliases,
        2..=MAX_ASSIGNMENTS => aliases / 2,
        _ => 0,
    }
}

/// Whether the binding can be in force where a name is evaluated at `at` in the same body.
fn precedes(binding: &Binding<'_>, at: u32) -> bool {
    let being_assigned = match &binding.kind {
        BindingKind::Assign { value: Some(value) } => value.start().to_u32() <= at && at < value.end().to_u32(),
        _ => false,
    };
    binding.span.start < at && !being_assigned
}

fn dotted(name: &str, attributes: &[&str]) -> String {
    let parts = std::iter::once(name).chain(attributes.iter().copied());
    parts.collect::<Vec<_>>().join(".")
}
