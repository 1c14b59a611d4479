//! Which mutants a run measures: all that the pages make, without repetition, then the sample.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::census::acquisitions;
use super::corpus::{Text, unparsed};
use super::guard::caught;
use super::load::Loaded;
use super::watch::Watch;
use crate::leak::{Effect, Pattern, Witness};
use crate::mutate::{Index, Mutant, Pages, Quota, mutants_of, sample};
use crate::python::ast::{Ranged, Stmt};
use crate::python::{Module, Node, Span, Unparsed};
use crate::record::row::UnparsedRow;

/// One module of the run and the mutants of it that are measured.
#[derive(Debug)]
pub(super) struct Planned<'t> {
    pub corpus: &'t Loaded,
    pub text: &'t Text,
    pub lines: u64,
    /// Calls that acquire a resource, by the mutators' table.
    pub acquisitions: u64,
    /// Of every function and class.
    pub definitions: Vec<Span>,
    pub mutants: Vec<Mutant>,
    /// By id, of those that were run.
    witness: BTreeMap<String, Witness>,
}

impl Planned<'_> {
    /// What is known of a mutant's label from running it, or its twin in text.
    pub(super) fn witness(&self, mutant: &Mutant) -> Witness {
        self.witness.get(&mutant.id).copied().unwrap_or(Witness::NotRun)
    }
}

/// All modules that parse, in the order of corpus and path.
#[derive(Debug)]
pub(super) struct Plan<'t> {
    pub modules: Vec<Planned<'t>>,
    pub unparsed: Vec<UnparsedRow>,
    /// Mutants that an earlier corpus holds under the same id.
    pub repeated: u64,
}

/// What to make and what to keep of it.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub pages: &'a Pages,
    /// Empty: all.
    pub patterns: &'a [Pattern],
    pub quota: Quota,
}

/// `None` if it was interrupted.
pub(super) fn plan<'t>(corpora: &'t [Loaded], choice: &Choice, watch: &dyn Watch) -> Option<Plan<'t>> {
    let texts: Vec<(&Loaded, &Text)> = corpora
        .iter()
        .flat_map(|corpus| corpus.texts.iter().map(move |text| (corpus, text)))
        .collect();
    watch.begin("mutating", texts.len() as u64);
    let made: Vec<_> = texts
        .par_iter()
        .map(|(corpus, text)| make(corpus, text, choice.pages, watch))
        .collect();
    let mut plan = Plan {
        modules: Vec::new(),
        unparsed: Vec::new(),
        repeated: 0,
    };
    for result in made {
        match result? {
            Ok(planned) => plan.modules.push(planned),
            Err(row) => plan.unparsed.push(row),
        }
    }
    plan.repeated = drop_repeated(&mut plan.modules);
    keep_patterns(&mut plan.modules, choice.patterns);
    keep_sample(&mut plan.modules, choice.quota);
    plan.modules.iter_mut().for_each(take_over_outcomes);
    Some(plan)
}

fn make<'t>(
    corpus: &'t Loaded,
    text: &'t Text,
    pages: &Pages,
    watch: &dyn Watch,
) -> Option<Result<Planned<'t>, UnparsedRow>> {
    if watch.interrupted() {
        return None;
    }
    let made = mutate(text, pages, &corpus.index);
    watch.advance(1);
    let planned = made.map(|made| Planned {
        corpus,
        text,
        lines: made.lines,
        acquisitions: made.acquisitions,
        definitions: made.definitions,
        mutants: made.mutants,
        witness: BTreeMap::new(),
    });
    Some(planned.map_err(|why| unparsed(&corpus.name, &text.path, why)))
}

struct Made {
    lines: u64,
    acquisitions: u64,
    definitions: Vec<Span>,
    mutants: Vec<Mutant>,
}

fn mutate(text: &Text, pages: &Pages, index: &Index) -> Result<Made, Unparsed> {
    let mutated = caught(|| {
        let module = Module::parse(&text.path, text.source.clone())?;
        Ok(Made {
            lines: u64::from(lines_of(&module)),
            acquisitions: acquisitions(&module).len() as u64,
            definitions: definitions(&module),
            mutants: mutants_of(pages, &module, index),
        })
    });
    mutated.unwrap_or_else(|panic| {
        let reason = format!("crash of the mutation engine: {panic}");
        Err(Unparsed { reason, line: None })
    })
}

fn definitions(module: &Module) -> Vec<Span> {
    let is_definition = |statement: &&Stmt| {
        matches!(
            statement,
            Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) | Stmt::ClassDef(_)
        )
    };
    let definitions = module.nodes().filter_map(Node::as_stmt).filter(is_definition);
    definitions.map(|statement| statement.range().into()).collect()
}

/// As editors count: what follows the last line end is a line only if there is something.
fn lines_of(module: &Module) -> u32 {
    let ends_open = !module.text().is_empty() && !module.text().ends_with(['\n', '\r']);
    module.lines.line_count() - u32::from(!ends_open)
}

fn take_over_outcomes(planned: &mut Planned) {
    let outcomes = &planned.corpus.outcomes;
    if outcomes.is_empty() {
        return;
    }
    for mutant in &planned.mutants {
        let text = mutant.edits.apply(&planned.text.source.text);
        let run = mutant.duplicate_of.as_ref().unwrap_or(&mutant.id);
        let witness = Witness::of(mutant.label.effect, outcomes.of(run, &text));
        planned.witness.insert(mutant.id.clone(), witness);
    }
}

/// The same definition in two corpora (a vendored copy) gives the same id twice: the first one counts.
fn drop_repeated(modules: &mut [Planned]) -> u64 {
    let mut seen = BTreeSet::new();
    let mut repeated = 0;
    for module in modules {
        let own: BTreeSet<String> = module.mutants.iter().map(|mutant| mutant.id.clone()).collect();
        let fresh: BTreeSet<String> = own.difference(&seen).cloned().collect();
        let before = module.mutants.len();
        module.mutants.retain(|mutant| fresh.contains(&mutant.id));
        keep_twins_of(&mut module.mutants, |leak| fresh.contains(leak));
        repeated += (before - module.mutants.len()) as u64;
        seen.extend(own);
    }
    repeated
}

/// Decoys keep the twins for which `is_kept` holds; one that loses all of them goes with them.
fn keep_twins_of(mutants: &mut Vec<Mutant>, is_kept: impl Fn(&str) -> bool) {
    mutants.retain_mut(|mutant| {
        let was_twin = !mutant.twin_of.is_empty();
        mutant.twin_of.retain(|twin| is_kept(&twin.leak));
        !was_twin || !mutant.twin_of.is_empty()
    });
}

/// Decoys follow their leak mutants; unpaired ones count for the pattern that they resemble.
fn keep_patterns(modules: &mut [Planned], patterns: &[Pattern]) {
    if patterns.is_empty() {
        return;
    }
    for module in modules {
        let wanted = |mutant: &Mutant| patterns.contains(&mutant.label.pattern);
        let leaks: BTreeSet<String> = module
            .mutants
            .iter()
            .filter(|mutant| mutant.label.effect != Effect::Safe && wanted(mutant))
            .map(|mutant| mutant.id.clone())
            .collect();
        module
            .mutants
            .retain(|mutant| !mutant.twin_of.is_empty() || wanted(mutant));
        keep_twins_of(&mut module.mutants, |leak| leaks.contains(leak));
    }
}

fn keep_sample(modules: &mut [Planned], quota: Quota) {
    let mut home = BTreeMap::new();
    let mut all = Vec::new();
    for (at, module) in modules.iter_mut().enumerate() {
        for mutant in module.mutants.drain(..) {
            home.insert(mutant.id.clone(), at);
            all.push(mutant);
        }
    }
    for mutant in sample(all, quota) {
        if let Some(at) = home.get(&mutant.id) {
            modules[*at].mutants.push(mutant);
        }
    }
}
