//! What a verification has shown: a table per mutator, one of the modules as they are, and every contradiction.

use std::collections::BTreeMap;

use super::Style;
use super::grid::{Column, Grid};
use crate::leak::{Effect, Outcome, Witness};
use serde_json::{Value, json};

/// One text that was, or was to be, run.
#[derive(Clone, Debug)]
pub struct Trial {
    pub module: String,
    /// `None`: the module as it is.
    pub mutant: Option<TrialMutant>,
    /// `None` if it was not run.
    pub outcome: Option<Outcome>,
    /// Scenario, failing call, acquisition; or why there is no other outcome.
    pub said: String,
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub struct TrialMutant {
    pub id: String,
    pub mutator: String,
    pub effect: Effect,
    pub line: u32,
}

impl Trial {
    /// A clean module is held to what a decoy is held to.
    pub fn witness(&self) -> Witness {
        let effect = self.mutant.as_ref().map_or(Effect::Safe, |mutant| mutant.effect);
        Witness::of(effect, self.outcome)
    }
}

/// What the trials contradict: each is a false label, a false claim of a corpus, or a bug of the harness.
pub fn contradictions(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    trials.iter().filter(|trial| trial.witness() == Witness::Refuted)
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: u64,
    witnessed: u64,
    refuted: u64,
    not_exercised: u64,
    broken: u64,
    not_run: u64,
    seconds: f64,
}

impl Sums {
    fn add(&mut self, trial: &Trial) {
        self.all += 1;
        self.seconds += trial.seconds;
        let counter = match (trial.witness(), trial.outcome) {
            (_, Some(Outcome::Broken)) => &mut self.broken,
            (Witness::Witnessed, _) => &mut self.witnessed,
            (Witness::Refuted, _) => &mut self.refuted,
            (Witness::NotExercised, _) => &mut self.not_exercised,
            (Witness::NotRun, _) => &mut self.not_run,
        };
        *counter += 1;
    }

    fn counts(&self) -> [u64; 6] {
        [
            self.all,
            self.witnessed,
            self.refuted,
            self.not_exercised,
            self.broken,
            self.not_run,
        ]
    }

    fn cells(&self) -> impl Iterator<Item = String> {
        let counts = self.counts().map(|count| count.to_string());
        counts.into_iter().chain([format!("{:.1}", self.seconds)])
    }
}

const CLEAN: &str = "as they are";

/// Modules as they are first, then leaks, decoys and what is contested, each by mutator.
fn sums(trials: &[Trial]) -> BTreeMap<(u8, &str), Sums> {
    let mut sums: BTreeMap<(u8, &str), Sums> = BTreeMap::new();
    for trial in trials {
        sums.entry(key(trial)).or_default().add(trial);
    }
    sums
}

fn key(trial: &Trial) -> (u8, &str) {
    match &trial.mutant {
        None => (0, CLEAN),
        Some(mutant) => (mutant.effect as u8 + 1, &mutant.mutator),
    }
}

const KINDS: [&str; 4] = ["modules", "leak", "safe", "contested"];

pub fn table(trials: &[Trial], style: Style) -> String {
    let mut grid = Grid::new(&[
        Column::left("effect"),
        Column::left("mutator"),
        Column::right("n"),
        Column::right("witnessed"),
        Column::right("refuted"),
        Column::right("not exercised"),
        Column::right("broken"),
        Column::right("not run"),
        Column::right("seconds"),
    ]);
    for ((kind, name), sums) in sums(trials) {
        let names = [KINDS[usize::from(kind)].to_owned(), name.to_owned()];
        grid.rows.push(names.into_iter().chain(sums.cells()).collect());
    }
    let mut text = grid.as_text(style);
    let listed: Vec<String> = contradictions(trials).map(described).collect();
    if !listed.is_empty() {
        text.push_str("\nContradictions\n");
        text.extend(listed);
    }
    text.push_str(&not_exercised(trials));
    text
}

/// `module:line: mutator (leak) runs clean: …`, and how to see the change.
fn described(trial: &Trial) -> String {
    let Trial { module, said, .. } = trial;
    match &trial.mutant {
        None => format!("  {module} leaks as it is: {said}\n"),
        Some(mutant) => {
            let what = if mutant.effect == Effect::Safe {
                "leaks"
            } else {
                "runs clean"
            };
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {said}")
            };
            format!(
                "  {module}:{}: {} ({}) {what}{said} (mutant {})\n",
                mutant.line, mutant.mutator, mutant.effect, mutant.id
            )
        }
    }
}

/// Reasons, the most frequent first.
fn not_exercised(trials: &[Trial]) -> String {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let ran = trials.iter().filter(|trial| trial.outcome.is_some());
    for trial in ran.filter(|trial| trial.witness() == Witness::NotExercised) {
        *reasons.entry(general(&trial.said)).or_default() += 1;
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let lines: Vec<String> = reasons
        .into_iter()
        .take(12)
        .map(|(reason, count)| format!("  {count:>4}  {reason}\n"))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("\nNot exercised or broken, because\n{}", lines.concat())
}

/// Without what is particular to one mutant.
fn general(reason: &str) -> &str {
    reason.split(": lines ").next().unwrap_or(reason)
}

pub fn json(trials: &[Trial]) -> String {
    let mutators: Vec<Value> = sums(trials).iter().map(|((kind, name), sums)| {
        let [all, witnessed, refuted, not_exercised, broken, not_run] = sums.counts();
        json!({
            "effect": KINDS[usize::from(*kind)], "mutator": name, "n": all, "witnessed": witnessed, "refuted": refuted,
            "not_exercised": not_exercised, "broken": broken, "not_run": not_run, "seconds": sums.seconds,
        })
    }).collect();
    let listed: Vec<Value> = contradictions(trials)
        .map(|trial| {
            let mutant = trial.mutant.as_ref();
            json!({
                "module": trial.module, "id": mutant.map(|mutant| &mutant.id), "line": mutant.map(|mutant| mutant.line),
                "mutator": mutant.map(|mutant| &mutant.mutator), "effect": mutant.map(|mutant| mutant.effect.word()),
                "outcome": trial.outcome.map(Outcome::word), "said": trial.said,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "mutators": mutators, "contradictions": listed }))
}
