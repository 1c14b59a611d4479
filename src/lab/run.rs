//! One measurement from corpora to record.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::books::Books;
use super::busy::Busy;
use super::corpus::Corpus;
use super::error::LabError;
use super::fix_pairs::{FixPairs, PairTexts, judge_fix_pairs};
use super::load::{Loaded, load};
use super::plan::{Choice, Plan, Planned, plan};
use super::rows::{cluster, counted, edit_row, module_row, mutant_row};
use super::score::{all_sought, controls_off, shared_folders};
use super::sheet::{Sheet, sheets};
use super::shown::{all_shown, clean_ids};
use super::tools::{Answers, Asking, Tool};
use super::watch::Watch;
use super::work::{Bench, Measured, measure};
use crate::detect::Suite;
use crate::judge::controls::ControlOff;
use crate::leak::{Effect, Pattern};
use crate::mutate::{Pages, Quota};
use crate::python::LineIndex;
use crate::record::row::{ModuleRow, UnparsedRow};
use crate::record::triage::{Triage, hex};
use crate::record::{CorpusMeta, DetectorMeta, EDITS_FILE, Meta, Recording, Tables, edits_text};

/// One unparsed module in this many is too much.
const UNPARSED_BUDGET: usize = 10;

/// Modules whose results are held at once before they are written.
const BATCH: usize = 64;

/// Which leaks are injected, and where.
pub struct Wanted<'a> {
    pub corpora: Vec<Corpus>,
    pub pages: &'a Pages,
    /// Empty: all.
    pub patterns: &'a [Pattern],
    pub quota: Quota,
}

/// What to measure and with what.
pub struct Request<'a> {
    pub wanted: Wanted<'a>,
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
    meta.pairs_sha256 = request.pairs.map(|pairs| pairs.sha256.clone()).unwrap_or_default();
    let (corpora, unread) = load(&request.wanted.corpora, watch)?;
    let Some(laid) = lay_plan(&request.wanted, &corpora, unread, recording, meta, watch)? else {
        return Ok(interrupted());
    };
    let controls_off = controls_off(&laid.sheets);
    let pair_texts = request.pairs.map(PairTexts::read).transpose()?;
    let Some(answers) = ask_tools(request, &laid.plan, pair_texts.as_ref(), recording, watch)? else {
        return Ok(interrupted());
    };
    meta.detectors.extend(request.tools.iter().zip(&answers).map(tool_meta));
    let work = Work {
        plan: &laid.plan,
        request,
        tools: &answers,
        busy: request.suites.iter().map(|_| Busy::default()).collect(),
        watch,
    };
    let (mut tables, stopped) = work.all(&laid.sheets, recording, meta)?;
    for (suite, busy) in meta.detectors.iter_mut().zip(&work.busy) {
        (suite.busy_ms, suite.asked) = (Some(busy.millis()), Some(busy.asked()));
    }
    tables.unparsed = laid.unparsed;
    if let Some((pairs, texts)) = request.pairs.zip(pair_texts.as_ref()) {
        let Some((rows, scores)) = judge_fix_pairs(pairs, texts, request.suites, &answers, watch) else {
            return Ok(interrupted());
        };
        (tables.fix_pairs, tables.fix_scores) = (rows, scores);
    }
    tables.write(recording)?;
    Ok(Ended {
        tables,
        mutants: all_sought(&laid.sheets).count(),
        controls_off,
        interrupted: stopped,
    })
}

/// What is measured, as it stands in the record before any detector has run.
pub(super) struct LaidPlan<'t> {
    pub plan: Plan<'t>,
    pub sheets: Vec<Sheet>,
    pub unparsed: Vec<UnparsedRow>,
}

/// `None` if it was interrupted.
pub(super) fn lay_plan<'t>(
    wanted: &Wanted,
    corpora: &'t [Loaded],
    unread: Vec<UnparsedRow>,
    recording: &Recording,
    meta: &mut Meta,
    watch: &dyn Watch,
) -> Result<Option<LaidPlan<'t>>, LabError> {
    meta.pages_sha256 = pages_hash(wanted.pages);
    meta.mutators = wanted.pages.list().iter().map(|page| page.id.clone()).collect();
    let choice = Choice {
        pages: wanted.pages,
        patterns: wanted.patterns,
        quota: wanted.quota,
    };
    let Some(plan) = plan(corpora, &choice, watch) else {
        return Ok(None);
    };
    let unparsed = all_unparsed(unread, &plan);
    recording.write_rows(&unparsed)?;
    meta.corpora = corpora
        .iter()
        .map(|corpus| corpus_meta(corpus, &plan, &unparsed))
        .collect();
    meta.repeated_mutants = plan.repeated;
    within_budget(&unparsed, plan.modules.len())?;
    Ok(Some(LaidPlan {
        sheets: write_plan(&plan, recording)?,
        plan,
        unparsed,
    }))
}

/// Texts of the plan, then the files of fix pairs. `None` if it was interrupted.
fn ask_tools(
    request: &Request,
    plan: &Plan,
    pairs: Option<&PairTexts>,
    recording: &Recording,
    watch: &dyn Watch,
) -> Result<Option<Vec<Answers>>, LabError> {
    let ids = clean_ids(plan);
    let mut all = Vec::new();
    let injected: BTreeSet<Pattern> = plan.modules.iter().flat_map(leaks_of).collect();
    for tool in request.tools {
        if let Some(claims) = tool.adapter.claims().filter(|claims| claims.is_disjoint(&injected)) {
            let claims: Vec<&str> = claims.into_iter().map(Pattern::id).collect();
            watch.warn(&format!(
                "{}: no leak of this run has a pattern that it claims ({}); draw more, or some with --pattern",
                tool.adapter.name(),
                claims.join(", ")
            ));
        }
        let asking = Asking::new(tool, request.tool_cache, recording, watch)?;
        let (mut clean, mutants) = all_shown(plan, &ids);
        clean.extend(pairs.into_iter().flat_map(PairTexts::shown));
        let Some(answers) = asking.ask(clean, mutants)? else {
            return Ok(None);
        };
        all.push(answers);
    }
    Ok(Some(all))
}

fn leaks_of(planned: &Planned) -> impl Iterator<Item = Pattern> {
    let leaks = counted(planned).filter(|mutant| mutant.label.effect == Effect::Leak);
    leaks.flat_map(|mutant| mutant.label.places.iter().map(|place| place.pattern))
}

fn tool_meta((tool, answers): (&Tool, &Answers)) -> DetectorMeta {
    DetectorMeta {
        command: tool.adapter.command.clone(),
        busy_ms: u64::try_from(answers.wall.as_millis()).ok(),
        asked: Some(answers.asked),
        peak_bytes: answers.peak_bytes,
        ..DetectorMeta::new(&tool.adapter.id, &tool.version, tool.adapter.claims())
    }
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

/// Whole, before any detector has run; also what is judged, read from the rows.
fn write_plan(plan: &Plan, recording: &Recording) -> Result<Vec<Sheet>, LabError> {
    let shared = shared_folders(plan);
    let modules: Vec<ModuleRow> = plan.modules.iter().map(module_row).collect();
    let (mut mutants, mut edits) = (Vec::new(), Vec::new());
    for planned in &plan.modules {
        let lines = LineIndex::new(&planned.text.source.text);
        let cluster = cluster(planned, &shared[planned.corpus.name.as_str()]);
        for mutant in &planned.mutants {
            mutants.push(mutant_row(planned, mutant, &lines, &cluster));
            edits.push(edit_row(planned, mutant, &lines));
        }
    }
    recording.write_rows(&modules)?;
    recording.write_rows(&mutants)?;
    recording.write_text(EDITS_FILE, &edits_text(&edits))?;
    Ok(sheets(modules, &mutants, &edits).expect("rows just made are sound"))
}

struct Work<'a> {
    plan: &'a Plan<'a>,
    request: &'a Request<'a>,
    tools: &'a [Answers],
    /// One per suite.
    busy: Vec<Busy>,
    watch: &'a dyn Watch,
}

impl Work<'_> {
    fn detectors(&self) -> Vec<&str> {
        let suites = self.request.suites.iter().map(|suite| suite.id);
        suites.chain(self.tools.iter().map(|tool| tool.id.as_str())).collect()
    }

    /// Batch by batch: within one, modules run in any order; results are written in that of the plan.
    /// Also says whether it was interrupted.
    fn all(&self, sheets: &[Sheet], recording: &Recording, meta: &Meta) -> Result<(Tables, bool), LabError> {
        self.watch.begin("detecting", all_sought(sheets).count() as u64);
        let detectors = self.detectors();
        let claims = meta.detectors.iter().map(DetectorMeta::claimed).collect();
        let mut books = Books::open(recording, &detectors, claims)?;
        let mut interrupted = false;
        let mut sheet = sheets.iter();
        for batch in self.plan.modules.chunks(BATCH) {
            for (measured, sheet) in self.batch(batch).into_iter().zip(&mut sheet) {
                interrupted |= measured.is_none();
                books.enter(sheet, measured.as_ref())?;
            }
        }
        Ok((books.close(sheets)?, interrupted))
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
