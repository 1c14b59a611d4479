//! One measurement from corpora to record.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::busy::Busy;
use super::corpus::Corpus;
use super::error::LabError;
use super::fix_pairs::{FixPairs, judge_fix_pairs};
use super::load::{Loaded, load};
use super::plan::{Choice, Plan, Planned, plan};
use super::rows::{cluster, counted, edit_row, finding_rows, mutant_row, outcome_row};
use super::score::{Field, Ledger, shared_folders, tables};
use super::tool_cache::ToolCache;
use super::tools::{Answers, Tool, ask_tool};
use super::watch::Watch;
use super::work::{Bench, Measured, measure};
use crate::detect::Suite;
use crate::judge::controls::ControlOff;
use crate::judge::{NoVerdict, Verdict};
use crate::leak::Pattern;
use crate::mutate::{Pages, Quota};
use crate::python::LineIndex;
use crate::record::row::{FindingRow, MutantRow, OutcomeRow, UnparsedRow};
use crate::record::triage::{Triage, hex};
use crate::record::{CorpusMeta, DetectorMeta, EDITS_FILE, Meta, Recording, Rows, Tables, append_edits};

/// One unparsed module in this many is too much.
const UNPARSED_BUDGET: usize = 10;

/// Modules whose results are held at once before they are written.
const BATCH: usize = 64;

/// What to measure and with what.
pub struct Request<'a> {
    pub corpora: Vec<Corpus>,
    pub pages: &'a Pages,
    /// Empty: all.
    pub patterns: &'a [Pattern],
    pub quota: Quota,
    pub suites: &'a [Suite],
    pub triage: &'a Triage,
    /// External tools, tried and ready.
    pub tools: &'a [Tool],
    /// Where what tools have said is kept; nothing is without one.
    pub tool_cache: Option<&'a Path>,
    /// Real leaks to look at beside the injected ones.
    pub pairs: Option<&'a FixPairs>,
}

/// How a run ended, if no error kept it from that.
#[derive(Debug, Default)]
pub struct Ended {
    pub tables: Tables,
    /// Those that detectors looked at.
    pub mutants: usize,
    /// Figures of detectors with known scores that are not what they must be: the run is worth nothing.
    pub controls_off: Vec<ControlOff>,
    pub interrupted: bool,
}

/// Fills the record and what `meta` says of the inputs; how it ended is for the caller to write.
pub fn run(request: &Request, recording: &Recording, meta: &mut Meta, watch: &dyn Watch) -> Result<Ended, LabError> {
    meta.pages_sha256 = pages_hash(request.pages);
    meta.pairs_sha256 = request.pairs.map(|pairs| pairs.sha256.clone()).unwrap_or_default();
    meta.mutators = request.pages.list().iter().map(|page| page.id.clone()).collect();
    let (corpora, unread) = load(&request.corpora, watch)?;
    let choice = Choice {
        pages: request.pages,
        patterns: request.patterns,
        quota: request.quota,
    };
    let Some(plan) = plan(&corpora, &choice, watch) else {
        return Ok(interrupted());
    };
    let unparsed = all_unparsed(unread, &plan);
    recording.write_rows(&unparsed)?;
    meta.corpora = corpora
        .iter()
        .map(|corpus| corpus_meta(corpus, &plan, &unparsed))
        .collect();
    meta.repeated_mutants = plan.repeated;
    within_budget(&unparsed, plan.modules.len())?;
    write_plan(&plan, recording)?;
    let field = Field::new(&plan);
    let controls_off = field.check_controls();
    let Some(answers) = ask_tools(request, &plan, watch)? else {
        return Ok(interrupted());
    };
    meta.detectors.extend(request.tools.iter().zip(&answers).map(tool_meta));
    let work = Work {
        plan: &plan,
        request,
        tools: &answers,
        claims: meta.detectors.iter().map(DetectorMeta::claimed).collect(),
        busy: request.suites.iter().map(|_| Busy::default()).collect(),
        watch,
    };
    let done = work.all(recording)?;
    for (suite, busy) in meta.detectors.iter_mut().zip(&work.busy) {
        (suite.busy_ms, suite.asked) = (Some(busy.millis()), Some(busy.asked()));
    }
    let mut tables = tables(&field, done.ledgers, &work.detectors());
    tables.unparsed = unparsed;
    let pairs_done = add_fix_pairs(request, &mut tables, watch)?;
    tables.write(recording)?;
    Ok(Ended {
        tables,
        mutants: field.subjects.len(),
        controls_off,
        interrupted: done.interrupted || !pairs_done,
    })
}

/// Whether it came to its end.
fn add_fix_pairs(request: &Request, tables: &mut Tables, watch: &dyn Watch) -> Result<bool, LabError> {
    let Some(pairs) = request.pairs else {
        return Ok(true);
    };
    let Some((rows, scores)) = judge_fix_pairs(pairs, request.suites, watch)? else {
        return Ok(false);
    };
    tables.fix_pairs = rows;
    tables.fix_scores = scores;
    Ok(true)
}

/// `None` if it was interrupted.
fn ask_tools(request: &Request, plan: &Plan, watch: &dyn Watch) -> Result<Option<Vec<Answers>>, LabError> {
    let mut all = Vec::new();
    for tool in request.tools {
        let cache = ToolCache::open(request.tool_cache, tool)?;
        let Some(answers) = ask_tool(tool, plan, &cache, watch)? else {
            return Ok(None);
        };
        all.push(answers);
    }
    Ok(Some(all))
}

fn tool_meta((tool, answers): (&Tool, &Answers)) -> DetectorMeta {
    DetectorMeta {
        id: tool.adapter.id.clone(),
        version: tool.version.clone(),
        command: tool.adapter.command.clone(),
        claims: Some(words(&tool.adapter.claims())),
        busy_ms: u64::try_from(answers.wall.as_millis()).ok(),
        asked: Some(answers.asked),
        peak_bytes: answers.peak_bytes,
    }
}

/// In the order of reports.
fn words(patterns: &BTreeSet<Pattern>) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

fn interrupted() -> Ended {
    Ended {
        interrupted: true,
        ..Ended::default()
    }
}

/// SHA-256 over ids and texts, in order.
fn pages_hash(pages: &Pages) -> String {
    let mut hash = Sha256::new();
    for page in pages.list() {
        for part in [&page.id, &page.text] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    hex(&hash.finalize())
}

fn all_unparsed(unread: Vec<UnparsedRow>, plan: &Plan) -> Vec<UnparsedRow> {
    let mut all = unread;
    all.extend(plan.unparsed.iter().cloned());
    all.sort_by(|one, other| (&one.corpus, &one.module).cmp(&(&other.corpus, &other.module)));
    all
}

fn corpus_meta(corpus: &Loaded, plan: &Plan, unparsed: &[UnparsedRow]) -> CorpusMeta {
    let modules = || plan.modules.iter().filter(|planned| planned.corpus.name == corpus.name);
    CorpusMeta {
        name: corpus.name.clone(),
        embedded: corpus.embedded,
        known_clean: corpus.known_clean,
        sha256: corpus.sha256.clone(),
        modules: modules().count() as u64,
        lines: modules().map(|planned| planned.lines).sum(),
        unparsed: unparsed.iter().filter(|row| row.corpus == corpus.name).count() as u64,
    }
}

fn within_budget(unparsed: &[UnparsedRow], parsed: usize) -> Result<(), LabError> {
    let modules = parsed + unparsed.len();
    if unparsed.len() * UNPARSED_BUDGET <= modules {
        return Ok(());
    }
    Err(LabError::TooManyUnparsed {
        unparsed: unparsed.to_vec(),
        modules,
    })
}

/// Whole, before any detector has run.
fn write_plan(plan: &Plan, recording: &Recording) -> Result<(), LabError> {
    let shared = shared_folders(plan);
    let mut rows = recording.rows::<MutantRow>()?;
    let mut edits = String::new();
    for planned in &plan.modules {
        let lines = LineIndex::new(&planned.text.source.text);
        let cluster = cluster(planned, &shared[planned.corpus.name.as_str()]);
        for mutant in &planned.mutants {
            rows.push(&mutant_row(planned, mutant, &lines, &cluster))?;
            append_edits(&mut edits, &edit_row(planned, mutant, &lines));
        }
    }
    rows.finish()?;
    recording.write_text(EDITS_FILE, &edits)?;
    Ok(())
}

struct Work<'a> {
    plan: &'a Plan<'a>,
    request: &'a Request<'a>,
    tools: &'a [Answers],
    /// One per detector.
    claims: Vec<Claims>,
    /// One per suite.
    busy: Vec<Busy>,
    watch: &'a dyn Watch,
}

/// What a detector has rules for, if that is known.
type Claims = Option<BTreeSet<Pattern>>;

struct Done {
    /// One per detector.
    ledgers: Vec<Ledger>,
    interrupted: bool,
}

impl Work<'_> {
    fn detectors(&self) -> Vec<&str> {
        let suites = self.request.suites.iter().map(|suite| suite.id);
        suites.chain(self.tools.iter().map(|tool| tool.id.as_str())).collect()
    }

    /// Batch by batch: within one, modules run in any order; results are written in that of the plan.
    fn all(&self, recording: &Recording) -> Result<Done, LabError> {
        let total: usize = self.plan.modules.iter().map(|planned| counted(planned).count()).sum();
        self.watch.begin("detecting", total as u64);
        let detectors = self.detectors();
        let mut log = Log {
            findings: recording.rows()?,
            outcomes: recording.rows()?,
            detectors: &detectors,
            claims: &self.claims,
        };
        let mut ledgers: Vec<Ledger> = detectors.iter().map(|_| Ledger::default()).collect();
        let mut interrupted = false;
        for batch in self.plan.modules.chunks(BATCH) {
            for (planned, measured) in batch.iter().zip(self.batch(batch)) {
                interrupted |= measured.is_none();
                log.write(planned, measured.as_ref())?;
                for (at, ledger) in ledgers.iter_mut().enumerate() {
                    ledger.add(planned, measured.as_ref(), at, detectors[at]);
                }
            }
        }
        log.findings.finish()?;
        log.outcomes.finish()?;
        Ok(Done { ledgers, interrupted })
    }

    fn batch(&self, batch: &[Planned]) -> Vec<Option<Measured>> {
        let bench = Bench {
            suites: self.request.suites,
            busy: &self.busy,
            tools: self.tools,
            triage: self.request.triage,
            watch: self.watch,
        };
        batch.par_iter().map(|planned| measure(planned, &bench)).collect()
    }
}

/// The files that grow while modules are measured.
struct Log<'a> {
    findings: Rows<FindingRow>,
    outcomes: Rows<OutcomeRow>,
    detectors: &'a [&'a str],
    claims: &'a [Claims],
}

impl Log<'_> {
    fn write(&mut self, planned: &Planned, measured: Option<&Measured>) -> Result<(), LabError> {
        let Some(measured) = measured else {
            return self.write_not_run(planned);
        };
        for row in finding_rows(planned, measured, self.detectors) {
            self.findings.push(&row)?;
        }
        for (mutant, by_detector) in counted(planned).zip(&measured.mutants) {
            for ((detector, claims), on) in self.detectors.iter().zip(self.claims).zip(by_detector) {
                self.outcomes
                    .push(&outcome_row(mutant, detector, on, claims.as_ref()))?;
            }
        }
        Ok(())
    }

    fn write_not_run(&mut self, planned: &Planned) -> Result<(), LabError> {
        for mutant in counted(planned) {
            for detector in self.detectors {
                self.outcomes.push(&OutcomeRow {
                    id: mutant.id.clone(),
                    detector: (*detector).to_owned(),
                    verdict: Verdict::NoVerdict.to_string(),
                    rule: String::new(),
                    confidence: String::new(),
                    reason: NoVerdict::NotRun.to_string(),
                })?;
            }
        }
        Ok(())
    }
}
