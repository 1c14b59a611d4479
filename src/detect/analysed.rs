//! A module with everything the detectors share, computed when first asked for.

use std::sync::OnceLock;

use super::config::Config;
use super::memory::collection::{self, Collection};
use super::memory::index::Index;
use super::memory::notes::Notes;
use super::obligation::{self, Known, Obligation, Owned, Release};
use super::primary;
use crate::leak::Pattern;
use crate::python::{Module, Names, Node};

/// One module under analysis.
pub struct Analysed<'m> {
    pub module: &'m Module,
    pub names: Names<'m>,
    nodes: Vec<Node<'m>>,
    config: &'m Config,
    known: OnceLock<Known<'m>>,
    patterns: OnceLock<Vec<Option<Pattern>>>,
    lifecycles: OnceLock<Known<'m>>,
    index: OnceLock<Index<'m>>,
    collections: OnceLock<Vec<Collection<'m>>>,
    notes: OnceLock<Notes<'m>>,
}

impl<'m> Analysed<'m> {
    pub fn new(module: &'m Module, config: &'m Config) -> Self {
        Self {
            module,
            names: Names::new(module),
            nodes: module.nodes().collect(),
            config,
            known: OnceLock::new(),
            patterns: OnceLock::new(),
            lifecycles: OnceLock::new(),
            index: OnceLock::new(),
            collections: OnceLock::new(),
            notes: OnceLock::new(),
        }
    }

    /// Every node of the module, parents before children: dozens of questions go through all of them.
    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = Node<'m>> + use<'_, 'm> {
        self.nodes.iter().copied()
    }

    /// Every acquisition and its fate, in the order of the text.
    pub fn obligations(&self) -> &[Obligation<'m>] {
        &self.known().obligations
    }

    /// For each obligation, the one pattern it is reported under.
    pub(super) fn patterns(&self) -> &[Option<Pattern>] {
        self.patterns.get_or_init(|| {
            let each = self
                .obligations()
                .iter()
                .map(|obligation| primary::of(self, obligation));
            each.collect()
        })
    }

    /// Who releases the attribute of `self` in which an obligation ends.
    pub fn owned(&self, obligation: &Obligation<'m>) -> Option<&Owned> {
        self.known().owned.get(&(obligation.span, obligation.kept_in_self()?))
    }

    /// Who releases the variable of the module or class that holds it.
    pub fn global_release(&self, obligation: &Obligation<'m>) -> Option<Release> {
        let key = (obligation.span, obligation.held_globally()?);
        self.known().global.get(&key).copied()
    }

    pub fn release_of(&self, obligation: &Obligation<'m>) -> Option<Release> {
        self.owned(obligation).map(|owned| owned.release)
    }

    /// The same for what has a life of its own, of one kind: locks held, children, threads, tasks.
    pub fn lifecycles(&self, kind: &str) -> impl Iterator<Item = &Obligation<'m>> {
        let all = self.known_lifecycles().obligations.iter();
        all.filter(move |obligation| obligation.resource.kind == kind)
    }

    /// Who ends what is kept in the attribute of `self` in which such an obligation ends.
    pub fn end_of(&self, obligation: &Obligation<'_>) -> Option<Release> {
        let owned = &self.known_lifecycles().owned;
        owned
            .get(&(obligation.span, obligation.kept_in_self()?))
            .map(|owned| owned.release)
    }

    pub(super) fn config(&self) -> &'m Config {
        self.config
    }

    /// Where names and attributes stand.
    pub(super) fn index(&self) -> &Index<'m> {
        self.index.get_or_init(|| Index::of_module(self))
    }

    /// Collections that functions make grow.
    pub(super) fn collections(&self) -> &[Collection<'m>] {
        self.collections.get_or_init(|| collection::of_module(self))
    }

    /// What constructors keep, and which functions act once.
    pub(super) fn notes(&self) -> &Notes<'m> {
        self.notes.get_or_init(|| Notes::of_module(self))
    }

    fn known(&self) -> &Known<'m> {
        self.known
            .get_or_init(|| obligation::of_module(self, self.config.table()))
    }

    fn known_lifecycles(&self) -> &Known<'m> {
        self.lifecycles
            .get_or_init(|| obligation::of_module(self, self.config.lifecycles()))
    }

    /// One-based line of an offset.
    pub fn line(&self, at: u32) -> u32 {
        self.module.lines.line_of(at) + 1
    }
}
