//! What running a module has shown, and what that means for a label.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::Effect;
use super::label::words;

/// Of one text, clean or mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something that the module has acquired stays open; of a mutant: what its label names.
    Leaks,
    Clean,
    /// The code could not be run as it is.
    Broken,
    /// It ran, but not in the way that the label speaks of.
    NotExercised,
}

words!(
    Outcome,
    Leaks = "leaks",
    Clean = "clean",
    Broken = "broken",
    NotExercised = "not-exercised"
);

/// What is known of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// The leak leaks, the decoy is clean; of a contested mutant: it ran.
    Witnessed,
    /// The opposite: the label is wrong, and the mutant counts nowhere.
    Refuted,
    NotExercised,
    NotRun,
}

words!(
    Witness,
    Witnessed = "witnessed",
    Refuted = "refuted",
    NotExercised = "not-exercised",
    NotRun = "not-run"
);

impl Witness {
    /// `None`: nobody has run this text.
    pub fn of(effect: Effect, outcome: Option<Outcome>) -> Self {
        match (effect, outcome) {
            (_, None) => Self::NotRun,
            (_, Some(Outcome::Broken | Outcome::NotExercised)) => Self::NotExercised,
            (Effect::Contested, _) | (Effect::Leak, Some(Outcome::Leaks)) | (Effect::Safe, Some(Outcome::Clean)) => {
                Self::Witnessed
            }
            (Effect::Leak, Some(Outcome::Clean)) | (Effect::Safe, Some(Outcome::Leaks)) => Self::Refuted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_that_runs_clean_and_a_decoy_that_leaks_are_refuted_and_nothing_contested_is() {
        let refuted: Vec<(Effect, Outcome)> = [Effect::Leak, Effect::Safe, Effect::Contested]
            .into_iter()
            .flat_map(|effect| {
                [Outcome::Leaks, Outcome::Clean, Outcome::Broken, Outcome::NotExercised]
                    .map(|outcome| (effect, outcome))
            })
            .filter(|(effect, outcome)| Witness::of(*effect, Some(*outcome)) == Witness::Refuted)
            .collect();
        assert_eq!(
            refuted,
            [(Effect::Leak, Outcome::Clean), (Effect::Safe, Outcome::Leaks)]
        );
        assert_eq!(Witness::of(Effect::Leak, None), Witness::NotRun);
    }
}
