//! A module with everything the detectors share, computed when first asked for.

use std::sync::OnceLock;

use super::config::Config;
use super::obligation::{self, Obligation, World};
use crate::python::{Module, Names};

/// One module under analysis.
pub struct Analysed<'m> {
    pub module: &'m Module,
    pub names: Names<'m>,
    config: &'m Config,
    obligations: OnceLock<Vec<Obligation<'m>>>,
}

impl<'m> Analysed<'m> {
    pub fn new(module: &'m Module, config: &'m Config) -> Self {
        Self {
            module,
            names: Names::new(module),
            config,
            obligations: OnceLock::new(),
        }
    }

    /// Every acquisition and its fate, in the order of the text.
    pub fn obligations(&self) -> &[Obligation<'m>] {
        self.obligations.get_or_init(|| obligation::of_module(self.world()))
    }

    pub(super) fn world(&self) -> World<'_, 'm> {
        World {
            module: self.module,
            names: &self.names,
            table: self.config.table(),
            config: self.config,
        }
    }

    /// One-based line of an offset.
    pub fn line(&self, at: u32) -> u32 {
        self.module.lines.line_of(at) + 1
    }
}
