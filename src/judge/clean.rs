//! What a detector says of code as it is: alarms on clean code of the natural mix, and what nobody has
//! triaged yet.

use super::CleanModule;
use super::interval::ratio;
use super::pairs::precision;
use super::row::Key;

/// Clean modules of one row. Only rows of a pattern and pooled ones have any: nobody can say which
/// mutator or modifier a finding on untouched code belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CleanCounts {
    /// On modules of the natural mix that are known to be clean.
    pub(super) alarms: u64,
    lines: u64,
    acquisitions: u64,
    /// On modules that are not known to be clean.
    pub(super) untriaged: u64,
}

impl CleanCounts {
    pub(super) fn of(modules: &[CleanModule], key: &Key) -> Self {
        let mut counts = Self::default();
        if key.is_headline() {
            let of_corpus = modules.iter().filter(|module| module.corpus == key.corpus);
            of_corpus.for_each(|module| counts.add(module, key));
        }
        counts
    }

    fn add(&mut self, module: &CleanModule, key: &Key) {
        let Some(findings) = &module.findings else { return };
        let charged = findings.iter().filter(|charge| charge.is_on(key.pattern)).count() as u64;
        if !module.known_clean {
            self.untriaged += charged;
        } else if module.natural_mix {
            self.alarms += charged;
            self.lines += module.lines;
            self.acquisitions += module.acquisitions;
        }
    }

    pub(super) fn per_kloc(self) -> Option<f64> {
        ratio(self.alarms, self.lines).map(|per_line| per_line * 1000.0)
    }

    pub(super) fn per_acquisition(self) -> Option<f64> {
        ratio(self.alarms, self.acquisitions)
    }
}

/// The share of true reports if leaks make up `base_rate` of all acquisitions and each of the others gives
/// `alarms` false ones.
pub(super) fn at_base_rate(base_rate: f64, recall: Option<f64>, alarms: Option<f64>) -> Option<f64> {
    precision(base_rate * recall?, (1.0 - base_rate) * alarms?)
}
