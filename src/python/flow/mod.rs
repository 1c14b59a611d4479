//! Control flow of one body (a function's, a class's, a module's), with exception edges.
//!
//! A [`Graph`] has one step per thing Python does, in evaluation order: every load of a name, every
//! operation that may raise, every binding, every way into and out of a `with`. It knows nothing about
//! leaks. Nested functions, lambdas and classes are single steps.
//!
//! What may raise is decided by shape alone: calls, awaits, attribute loads, subscripts, arithmetic,
//! comparisons except `is`, iteration, imports, `with`, `raise`. Exceptions come in two sorts. *Ordinary*
//! ones derive from `Exception`; every such step may raise one, and `except Exception` catches them
//! all. *Exit* exceptions (`GeneratorExit`, `CancelledError`) enter only where a body hands control
//! away: at `yield` and `await`. Only a bare `except`, `BaseException` or their own names catch them.
//! `KeyboardInterrupt` may come anywhere and is left out: no code can be safe from it.
//!
//! A `finally` body and the exit of a `with` stand in the graph once per way out (see [`Way`]), so that
//! "returned while the file was open" is never mixed up with "went on after closing it".

mod build;
mod exits;
mod expr;
mod query;

pub use query::{falls_through, has_yield, leaves_early, may_raise, may_raise_expr, names_bound, truth};

use super::ast::{ExceptHandler, ExceptHandlerExceptHandler, Expr, ExprName, MatchCase, Stmt, WithItem};
use super::node::Node;
use super::span::Span;

/// Index of a step in [`Graph::steps`].
pub type StepId = u32;

/// The flow graph of one body.
#[derive(Debug)]
pub struct Graph<'a> {
    pub steps: Vec<Step<'a>>,
    /// `edges[first[n]..first[n + 1]]` leave step `n`.
    first: Vec<u32>,
    edges: Vec<Edge>,
    /// Names that nested functions, lambdas or `global` statements reach: any call may load them.
    shared: Vec<&'a str>,
}

/// One thing that Python does. `span` is where it stands in the text.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub kind: Kind<'a>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    Entry,
    /// The body's last statement is done.
    End,
    /// A `return` has left the body.
    Returned,
    /// An exception has left the body.
    Raised,
    /// A `break` or `continue` has left the body for a loop that is not part of it.
    Jumped,
    /// Joins edges; does nothing.
    Join,
    /// An exception looks for its handler. Its `Exception` edge is that none of these catches it.
    Dispatch(&'a [ExceptHandler]),
    /// `pass`, `global`, `break`, …: does nothing, but stands in the text.
    Nothing,
    Load(&'a ExprName),
    /// The operation of this expression; its operands are evaluated.
    Evaluate(&'a Expr),
    /// A `def`, `class` or lambda is created.
    Create(Node<'a>),
    Bind {
        target: &'a Expr,
        value: Value<'a>,
    },
    /// An import, `except … as`, `def`, `class` or a pattern's capture binds a name.
    BindName(&'a str),
    Delete(&'a Expr),
    /// The value of an expression statement is dropped.
    Discard(&'a Expr),
    /// The element of a comprehension is put into the result.
    Collect(&'a Expr),
    Enter(&'a WithItem),
    Leave(&'a WithItem, Way),
    /// Has a `True` and a `False` edge. `and`, `or`, `not` are taken apart before.
    Branch(&'a Expr),
    /// The head of a loop or comprehension: `True` to the next item, `False` when there is none.
    Next(&'a Expr),
    /// `True` into the case, `False` to the next one.
    Case(&'a MatchCase),
    Catch(&'a ExceptHandlerExceptHandler),
    Return(Option<&'a Expr>),
    Raise(Option<&'a Expr>),
    Import(&'a Stmt),
    /// Nested too deeply to look at; may do anything.
    Opaque(&'a Stmt),
}

/// What a [`Kind::Bind`] stores.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Of(&'a Expr),
    /// An item of what this evaluates to. `inner`: the target lives in a comprehension's own scope.
    ItemOf {
        iterable: &'a Expr,
        inner: bool,
    },
    /// What `__enter__` returned.
    Entered(&'a WithItem),
    /// `target op= operand`.
    Updated(&'a Expr),
}

/// On which way out a cleanup runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Normal,
    Return,
    Break,
    Continue,
    /// An ordinary exception passes.
    Raise,
    /// `GeneratorExit` or `CancelledError` passes.
    Exit,
}

impl Way {
    pub(super) const ALL: [Self; 6] = [
        Self::Normal,
        Self::Return,
        Self::Break,
        Self::Continue,
        Self::Raise,
        Self::Exit,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub to: StepId,
    pub kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    Normal,
    Exception,
    True,
    False,
}

/// What the builder cannot see by shape.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// Whether leaving a `with` on this context expression swallows exceptions, as `suppress(…)` does.
    pub swallows: &'o dyn Fn(&Expr) -> bool,
    /// Whether a call never returns, as `sys.exit()`.
    pub never_returns: &'o dyn Fn(&Expr) -> bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            swallows: &|_| false,
            never_returns: &|_| false,
        }
    }
}

impl<'a> Graph<'a> {
    pub const ENTRY: StepId = 0;
    pub const END: StepId = 1;
    pub const RETURNED: StepId = 2;
    pub const RAISED: StepId = 3;
    pub const JUMPED: StepId = 4;

    pub fn of_body(body: &'a [Stmt]) -> Self {
        Self::with_options(body, &Options::default())
    }

    pub fn with_options(body: &'a [Stmt], options: &Options<'_>) -> Self {
        build::graph(body, options)
    }

    /// The graph of a lambda: its body is evaluated and returned.
    pub fn of_lambda(body: &'a Expr, options: &Options<'_>) -> Self {
        build::lambda(body, options)
    }

    /// The edges that leave a step.
    pub fn out(&self, step: StepId) -> &[Edge] {
        let at = step as usize;
        &self.edges[self.first[at] as usize..self.first[at + 1] as usize]
    }

    pub fn step(&self, id: StepId) -> &Step<'a> {
        &self.steps[id as usize]
    }

    /// The id of every step, in order of construction.
    pub fn ids(&self) -> std::ops::Range<StepId> {
        0..super::span::offset(self.steps.len())
    }

    /// Whether nested functions, lambdas or other modules may load the name at any time.
    pub fn is_shared(&self, name: &str) -> bool {
        self.shared.binary_search(&name).is_ok()
    }
}

#[cfg(test)]
mod tests;
