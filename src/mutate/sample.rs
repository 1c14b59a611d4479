//! Which of the possible mutants a run measures: the same ones for the same seed, whatever else is added.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::mutant::Mutant;
use crate::leak::Effect;

/// How many leak mutants to keep; `None` keeps all. Twins come along with their leak mutant, unpaired
/// decoys are drawn as leak mutants are, contested mutants likewise. Mutants with a modifier are drawn apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quota {
    pub seed: u64,
    pub per_mutator: Option<usize>,
    pub max_mutants: Option<usize>,
}

/// Keeps those with the smallest priorities; the order of the input stays.
pub fn sample(mutants: Vec<Mutant>, quota: Quota) -> Vec<Mutant> {
    let mut drawn: Vec<(u64, &Mutant)> = mutants
        .iter()
        .filter(|mutant| mutant.twin_of.is_empty())
        .map(|mutant| (priority(quota.seed, &mutant.id), mutant))
        .collect();
    drawn.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    let mut per_mutator: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let mut leaks = 0;
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for (_, mutant) in drawn {
        let count = per_mutator
            .entry((&mutant.mutator, mutant.modifier.as_deref()))
            .or_insert(0);
        let is_leak = mutant.label.effect == Effect::Leak;
        let full = quota.per_mutator.is_some_and(|most| *count >= most)
            || (is_leak && quota.max_mutants.is_some_and(|most| leaks >= most));
        if !full {
            *count += 1;
            leaks += usize::from(is_leak);
            kept.insert(&mutant.id);
        }
    }
    let stays: Vec<bool> = mutants
        .iter()
        .map(|mutant| {
            kept.contains(mutant.id.as_str()) || mutant.twin_of.iter().any(|twin| kept.contains(twin.leak.as_str()))
        })
        .collect();
    let mut stays = stays.into_iter();
    mutants.into_iter().filter(|_| stays.next().unwrap_or(false)).collect()
}

/// A number that depends on nothing but the seed and the mutant.
fn priority(seed: u64, id: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(id.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into()).next_u64()
}
