//! One verification: every module that has a driver is run as it is, then each of its mutants.

use std::collections::BTreeMap;
use std::time::Instant;

use rayon::prelude::*;

use super::corpus::{Aids, Corpus};
use super::crew::Crew;
use super::error::LabError;
use super::load::load;
use super::plan::{Choice, Plan, Planned, plan};
use super::watch::Watch;
use crate::leak::{Effect, Outcome, Pattern, Witness};
use crate::mutate::{Mutant, Pages, Quota};
use crate::python::LineIndex;
use crate::record::row::{UnparsedRow, WitnessRow, joined};
use crate::record::text_hash;
use crate::witness::{CleanAnswer, CleanJob, Entered, Harness, MutantAnswer, MutantJob, Place, Python};

/// A clean module may take as long as this many mutants: it runs all scenarios at every call.
const CLEAN_PATIENCE: f64 = 30.0;

/// Seconds for one run of a scenario, at most. They take milliseconds; what waits for this long hangs.
const RUN_LIMIT_S: f64 = 5.0;

/// Words of pages whose mutants show in what many rounds leave, more than the clean module does.
const BY_ROUNDS: [&str; 2] = ["garbage", "growth"];

pub struct VerifyRequest<'a> {
    pub corpus: Corpus,
    pub pages: &'a Pages,
    /// Empty: all.
    pub patterns: &'a [Pattern],
    pub quota: Quota,
    pub python: &'a Python,
    /// Seconds for a mutant.
    pub time_limit_s: f64,
}

/// What was seen, in the order of the plan.
#[derive(Debug, Default)]
pub struct Verified {
    pub modules: Vec<VerifiedModule>,
    pub unparsed: Vec<UnparsedRow>,
    pub interrupted: bool,
}

/// One module and its mutants.
#[derive(Debug)]
pub struct VerifiedModule {
    pub path: String,
    pub text_sha256: String,
    /// Whether there is something that could run it.
    pub has_driver: bool,
    /// `None` if it was not run.
    pub clean: Option<CleanAnswer>,
    pub seconds: f64,
    pub mutants: Vec<VerifiedMutant>,
}

#[derive(Debug)]
pub struct VerifiedMutant {
    pub id: String,
    pub mutator: String,
    pub effect: Effect,
    /// Of the label, in the clean module; one-based.
    pub line: u32,
    pub text_sha256: String,
    /// `None` if it was not run.
    pub answer: Option<MutantAnswer>,
    pub seconds: f64,
}

impl VerifiedMutant {
    pub fn witness(&self) -> Witness {
        Witness::of(self.effect, self.answer.as_ref().map(|answer| answer.outcome))
    }
}

impl VerifiedModule {
    /// Of `witness.csv`: what was run, the module first.
    pub fn rows(&self) -> Vec<WitnessRow> {
        let clean = self.clean.iter().map(|answer| WitnessRow {
            id: self.path.clone(),
            outcome: answer.outcome.to_string(),
            signals: joined(&answer.signals),
            place: String::new(),
            reason: if answer.outcome == Outcome::Clean {
                String::new()
            } else {
                answer.lines.first().cloned().unwrap_or_default()
            },
            text_sha256: self.text_sha256.clone(),
        });
        let mutants = self.mutants.iter().filter_map(|mutant| {
            let answer = mutant.answer.as_ref()?;
            Some(WitnessRow {
                id: mutant.id.clone(),
                outcome: answer.outcome.to_string(),
                signals: joined(&answer.signals),
                place: answer.place.clone(),
                reason: answer.reason.clone(),
                text_sha256: mutant.text_sha256.clone(),
            })
        });
        clean.chain(mutants).collect()
    }
}

pub fn verify(request: &VerifyRequest, watch: &dyn Watch) -> Result<Verified, LabError> {
    let (corpora, mut unparsed) = load(std::slice::from_ref(&request.corpus), watch)?;
    let choice = Choice {
        pages: request.pages,
        patterns: request.patterns,
        quota: request.quota,
    };
    let Some(plan) = plan(&corpora, &choice, watch) else {
        return Ok(Verified {
            interrupted: true,
            ..Verified::default()
        });
    };
    unparsed.extend(plan.unparsed.iter().cloned());
    let stubs = request.corpus.aids.stubs()?;
    let harness = Harness::unpack(stubs.iter().map(|(path, text)| (path.as_str(), text.as_str())))?;
    let room = Room {
        request,
        crew: Crew::new(request.python, &harness, watch),
        stubs: harness.stubs().to_string_lossy().into_owned(),
        drivers: drivers(&plan, &request.corpus.aids)?,
        watch,
    };
    Ok(Verified {
        modules: room.all(&plan)?,
        unparsed,
        interrupted: watch.interrupted(),
    })
}

/// By the path of the module.
fn drivers(plan: &Plan, aids: &Aids) -> Result<BTreeMap<String, String>, LabError> {
    let mut drivers = BTreeMap::new();
    for planned in &plan.modules {
        if let Some(driver) = aids.driver(&planned.text.path)? {
            drivers.insert(planned.text.path.clone(), driver);
        }
    }
    Ok(drivers)
}

struct Room<'a> {
    request: &'a VerifyRequest<'a>,
    crew: Crew<'a>,
    stubs: String,
    drivers: BTreeMap<String, String>,
    watch: &'a dyn Watch,
}

impl Room<'_> {
    fn all(&self, plan: &Plan) -> Result<Vec<VerifiedModule>, LabError> {
        let mut modules = self.clean_modules(plan)?;
        let jobs: Vec<(usize, &Planned, &Mutant)> = plan
            .modules
            .iter()
            .enumerate()
            .flat_map(|(at, planned)| planned.mutants.iter().map(move |mutant| (at, planned, mutant)))
            .filter(|(_, _, mutant)| mutant.duplicate_of.is_none())
            .collect();
        self.watch.begin("mutants", jobs.len() as u64);
        let done: Result<Vec<VerifiedMutant>, LabError> = jobs
            .par_iter()
            .with_max_len(1)
            .map(|(at, planned, mutant)| {
                let verified = self.mutant(planned, mutant, modules[*at].clean.as_ref());
                self.watch.advance(1);
                verified
            })
            .collect();
        for ((at, _, _), verified) in jobs.iter().zip(done?) {
            modules[*at].mutants.push(verified);
        }
        Ok(modules)
    }

    fn clean_modules(&self, plan: &Plan) -> Result<Vec<VerifiedModule>, LabError> {
        self.watch.begin("as they are", plan.modules.len() as u64);
        let modules = plan.modules.par_iter().with_max_len(1).map(|planned| {
            let verified = self.clean(planned);
            self.watch.advance(1);
            verified
        });
        modules.collect()
    }

    fn clean(&self, planned: &Planned) -> Result<VerifiedModule, LabError> {
        let began = Instant::now();
        let path = &planned.text.path;
        let text = &planned.text.source.text;
        let driver = self.drivers.get(path);
        let clean = match driver {
            Some(driver) => self.crew.ask(&CleanJob {
                place: self.place(path, text, driver, CLEAN_PATIENCE),
            })?,
            None => None,
        };
        Ok(VerifiedModule {
            path: path.clone(),
            text_sha256: text_hash(text),
            has_driver: driver.is_some(),
            clean,
            seconds: began.elapsed().as_secs_f64(),
            mutants: Vec::new(),
        })
    }

    /// Where the module itself cannot be run, its mutants cannot either.
    fn mutant(
        &self,
        planned: &Planned,
        mutant: &Mutant,
        clean: Option<&CleanAnswer>,
    ) -> Result<VerifiedMutant, LabError> {
        let began = Instant::now();
        let text = mutant.edits.apply(&planned.text.source.text);
        let path = &planned.text.path;
        let runnable = clean.filter(|clean| clean.outcome != Outcome::Broken);
        let answer = match (runnable, self.drivers.get(path)) {
            (Some(clean), Some(driver)) => {
                let place = self.place(path, &text, driver, 1.0);
                let mut job = mutant_job(place, mutant, &clean.entered);
                job.witness = self.witness(mutant);
                if BY_ROUNDS.contains(&job.witness) || mutant.label.pattern == Pattern::FragileRelease {
                    job.original = Some(&planned.text.source.text);
                }
                self.confirmed(&job, mutant.label.effect)?
            }
            _ => None,
        };
        let lines = LineIndex::new(&planned.text.source.text);
        Ok(VerifiedMutant {
            id: mutant.id.clone(),
            mutator: mutant.mutator.clone(),
            effect: mutant.label.effect,
            line: lines.line_of(mutant.label_site.start) + 1,
            text_sha256: text_hash(&text),
            answer,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// Asks again if the answer contradicts the label: threads meet by chance, and a machine may be busy. What one of two
    /// runs says against the label says nothing.
    fn confirmed(&self, job: &MutantJob<'_>, effect: Effect) -> Result<Option<MutantAnswer>, LabError> {
        let first = self.crew.ask(job)?;
        let contradicts = |answer: &Option<MutantAnswer>| match (effect, answer) {
            (Effect::Leak, Some(answer)) => answer.outcome == Outcome::Clean,
            (Effect::Safe, Some(answer)) => answer.outcome == Outcome::Leaks,
            _ => false,
        };
        if !contradicts(&first) {
            return Ok(first);
        }
        let second = self.crew.ask(job)?;
        if contradicts(&second) || effect == Effect::Leak {
            return Ok(second);
        }
        Ok(second.map(|answer| MutantAnswer {
            outcome: Outcome::NotExercised,
            reason: "leaks in one of two runs".to_owned(),
            ..answer
        }))
    }

    /// The word of its page.
    fn witness(&self, mutant: &Mutant) -> &str {
        let page = self.request.pages.get(&mutant.mutator);
        page.map_or("unreleased", |page| page.witness.as_str())
    }

    fn place<'t>(&'t self, module: &'t str, text: &'t str, driver: &'t str, times: f64) -> Place<'t> {
        let limit = self.request.time_limit_s;
        Place {
            module,
            text,
            driver,
            stubs: &self.stubs,
            root: "/corpus",
            limit: limit.min(RUN_LIMIT_S),
            patience: limit * times,
        }
    }
}

fn mutant_job<'t>(place: Place<'t>, mutant: &'t Mutant, entered: &'t Entered) -> MutantJob<'t> {
    MutantJob {
        place,
        start: mutant.label.span.start,
        end: mutant.label.span.end,
        pattern: mutant.label.pattern.id(),
        effect: mutant.label.effect.word(),
        witness: "unreleased",
        original: None,
        entered,
    }
}
