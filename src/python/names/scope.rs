//! Scopes, and which of them an offset lies in. Knows nothing of the names bound there.

use std::cmp::Reverse;

use super::super::node::Node;
use super::super::span::Span;

/// Index of a scope in its module; the module's own is [`ScopeId::MODULE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(u32);

impl ScopeId {
    pub const MODULE: Self = Self(0);

    pub(super) fn new(index: usize) -> Self {
        Self(super::super::span::offset(index))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    Module,
    Class,
    /// `def` or `async def`
    Function,
    Lambda,
    Comprehension,
    /// What PEP 695 puts around `def f[T]`, `class C[T]` and the value of `type X = ...`.
    TypeParams,
}

#[derive(Debug)]
pub struct Scope<'m> {
    pub kind: ScopeKind,
    /// `None` for the module.
    pub parent: Option<ScopeId>,
    /// The node that opens the scope; `None` for the module.
    pub node: Option<Node<'m>>,
    /// As `__qualname__` has it, with `<lambda>`, `<listcomp>` and so on; `<module>` for the module.
    pub qualname: String,
    /// Where names resolve in it. Scopes inside take their part of it out, and so does a
    /// comprehension's first iterable.
    pub span: Span,
    /// Whether a `yield` stands directly in it.
    pub(super) yields: bool,
    /// The innermost class around it, for private names.
    pub(super) class: Option<&'m str>,
}

impl Scope<'_> {
    /// The last part of `qualname`: what the definition itself is called.
    pub fn name(&self) -> &str {
        self.qualname.rsplit('.').next().unwrap_or_default()
    }
}

/// The scopes of the text, as runs of bytes.
#[derive(Debug)]
pub(super) struct Runs {
    starts: Vec<(u32, ScopeId)>,
}

impl Runs {
    /// `regions` must nest; of two equal ones the later is the inner one.
    pub(super) fn new(mut regions: Vec<(Span, ScopeId)>) -> Self {
        regions.sort_by_key(|(span, _)| (span.start, Reverse(span.end)));
        let mut runs = Self {
            starts: vec![(0, ScopeId::MODULE)],
        };
        let mut open: Vec<(Span, ScopeId)> = Vec::new();
        for region in regions {
            runs.close(&mut open, region.0.start);
            runs.begin(region.0.start, region.1);
            open.push(region);
        }
        runs.close(&mut open, u32::MAX);
        runs
    }

    pub(super) fn scope_at(&self, at: u32) -> ScopeId {
        let after = self.starts.partition_point(|(start, _)| *start <= at);
        self.starts[after - 1].1
    }

    fn close(&mut self, open: &mut Vec<(Span, ScopeId)>, until: u32) {
        while let Some((span, _)) = open.pop_if(|(span, _)| span.end <= until) {
            let outer = open.last().map_or(ScopeId::MODULE, |(_, scope)| *scope);
            self.begin(span.end, outer);
        }
    }

    fn begin(&mut self, at: u32, scope: ScopeId) {
        match self.starts.last_mut() {
            Some(last) if last.0 == at => last.1 = scope,
            _ => self.starts.push((at, scope)),
        }
    }
}
