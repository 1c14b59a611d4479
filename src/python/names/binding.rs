//! What can be known of a name: how it is bound, where it is used.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::super::ast::{Arg, Constant, Expr, Stmt};
use super::super::span::Span;
use super::scope::ScopeId;

/// One place that gives a name its value, or takes it away.
#[derive(Clone, Debug)]
pub struct Binding<'m> {
    /// The name itself.
    pub span: Span,
    /// The scope that holds the text; another than the bound one under `global` and `nonlocal`.
    pub scope: ScopeId,
    pub kind: BindingKind<'m>,
}

#[derive(Clone, Debug)]
pub enum BindingKind<'m> {
    /// `import a.b` binds `a` to `a`; `import a.b as c` binds `c` to `a.b`.
    Import {
        qualified: String,
    },
    /// `from .a import b` binds `b` to `.a.b`.
    ImportFrom {
        qualified: String,
    },
    Parameter(&'m Arg),
    /// `name = value`, `name: T = value`, `name := value`; `None` where it is unpacked from a value.
    Assign {
        value: Option<&'m Expr>,
    },
    /// A loop's or comprehension's target.
    For {
        iterable: &'m Expr,
    },
    /// `None` where the value of `__enter__` is unpacked.
    With {
        context: Option<&'m Expr>,
    },
    Except,
    Def(&'m Stmt),
    Class(&'m Stmt),
    AugAssign,
    Match,
    TypeParam,
    Del,
    /// `name: T` without a value: makes a name local, but binds nothing.
    Annotated,
}

impl BindingKind<'_> {
    /// The dotted name an import binds.
    pub fn qualified(&self) -> Option<&str> {
        match self {
            Self::Import { qualified } | Self::ImportFrom { qualified } => Some(qualified),
            _ => None,
        }
    }

    pub fn is_definition(&self) -> bool {
        matches!(self, Self::Def(_) | Self::Class(_))
    }

    pub(super) fn assigns_none(&self) -> bool {
        let Self::Assign {
            value: Some(Expr::Constant(constant)),
        } = self
        else {
            return false;
        };
        constant.value == Constant::None
    }

    fn as_use(&self) -> UseKind {
        match self {
            Self::Del => UseKind::Delete,
            Self::Annotated => UseKind::Declare,
            _ => UseKind::Store,
        }
    }
}

/// One place where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub span: Span,
    /// The scope that holds the text.
    pub scope: ScopeId,
    pub kind: UseKind,
    /// Whether a `def`, `lambda` or generator expression lies between the use and the scope that
    /// binds the name, so that it happens at another time. Other comprehensions run on the spot.
    pub nested: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseKind {
    Load,
    Store,
    Delete,
    /// `global name`, `nonlocal name`, `name: T`
    Declare,
}

/// One name of one scope.
#[derive(Debug, Default)]
pub(super) struct Variable<'m> {
    pub(super) bindings: Vec<Binding<'m>>,
    pub(super) uses: Vec<Use>,
}

/// Where the names that a scope's text binds live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Here,
    Global,
    Nonlocal,
}

/// The names of one scope.
#[derive(Debug, Default)]
pub(super) struct Table<'m> {
    pub(super) fates: FxHashMap<Cow<'m, str>, Fate>,
    pub(super) variables: FxHashMap<Cow<'m, str>, Variable<'m>>,
}

/// One occurrence of a name, before it is known which scope it belongs to.
#[derive(Debug)]
pub(super) struct Event<'m> {
    pub(super) name: Cow<'m, str>,
    pub(super) span: Span,
    pub(super) scope: ScopeId,
    pub(super) what: What<'m>,
}

#[derive(Debug)]
pub(super) enum What<'m> {
    Load,
    Bind(BindingKind<'m>),
    Redirect,
}

impl What<'_> {
    pub(super) fn as_use(&self) -> UseKind {
        match self {
            Self::Load => UseKind::Load,
            Self::Bind(kind) => kind.as_use(),
            Self::Redirect => UseKind::Declare,
        }
    }
}

/// The name that Python stores for `name` inside `class`: `__x` in `class _C` is `_C__x`.
pub(super) fn mangled<'n>(name: &'n str, class: Option<&str>) -> Cow<'n, str> {
    let private = name.starts_with("__") && !name.ends_with("__") && !name.contains('.');
    match class.map(|class| class.trim_start_matches('_')) {
        Some(class) if private && !class.is_empty() => Cow::Owned(format!("_{class}{name}")),
        _ => Cow::Borrowed(name),
    }
}
