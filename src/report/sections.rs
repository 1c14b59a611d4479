//! What a report on one record holds, in which order: the headline first, what it leaves out after that.

use super::Style;
use super::grid::{Column, Grid};
use super::side_by_side::{NO_RULE, side_by_side, where_it_looks};
use crate::console::paint;
use crate::leak::Pattern;
use crate::record::row::{CleanRow, Decimal, UnparsedRow};
use crate::record::{Meta, POOLED, ScoreLine, Tables};
use std::fmt::Write as _;

/// Unparsed files that are named one by one.
const NAMED_UNPARSED: usize = 10;

/// Where there are more detectors than this, what compares them comes before what is said of each.
const SHOWN_IN_FULL: usize = 2;

#[derive(Clone, Debug)]
pub struct Section {
    pub title: String,
    pub grid: Option<Grid>,
    pub notes: Vec<String>,
}

const BOLD: &str = "1";

impl Section {
    pub fn as_text(&self, style: Style) -> String {
        let mut text = paint(&self.title, BOLD, style.colour) + "\n";
        if let Some(grid) = &self.grid {
            text.push_str(&grid.as_text(style));
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {note}");
        }
        text
    }

    pub fn as_markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if let Some(grid) = &self.grid {
            text.push_str(&grid.as_markdown());
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}

/// Sections without anything to say are left out.
pub fn sections(tables: &Tables, meta: &Meta) -> Vec<Section> {
    let mut all = vec![head(meta)];
    let scores = meta
        .corpora
        .iter()
        .filter_map(|corpus| scores(tables, meta, &corpus.name));
    let mut parts = [scores.collect(), side_by_side(tables, meta)];
    if meta.detectors.len() > SHOWN_IN_FULL {
        parts.reverse();
    }
    all.extend(parts.into_iter().flatten());
    let rest = [
        on_clean(tables),
        by_tag(tables),
        fix_pairs(tables),
        unpaired(tables),
        contested(tables),
        unparsed(&tables.unparsed),
        Some(legend()),
    ];
    all.extend(rest.into_iter().flatten());
    all
}

fn head(meta: &Meta) -> Section {
    let corpus = |corpus: &crate::record::CorpusMeta| {
        let origin = if corpus.embedded { " (embedded)" } else { "" };
        let unparsed = match corpus.unparsed {
            0 => String::new(),
            count => format!(", {count} not parsed"),
        };
        format!(
            "corpus {}{origin}: {} modules, {} lines{unparsed}",
            corpus.name, corpus.modules, corpus.lines
        )
    };
    let mut notes: Vec<String> = meta.corpora.iter().map(corpus).collect();
    let quota = match (meta.per_mutator, meta.max_mutants) {
        (None, None) => "all mutants".to_owned(),
        (Some(each), None) => format!("at most {each} leak mutants per mutator"),
        (None, Some(all)) => format!("at most {all} leak mutants"),
        (Some(each), Some(all)) => format!("at most {each} leak mutants per mutator and {all} in all"),
    };
    notes.push(format!("{} mutators, {quota}, seed {}", meta.mutators.len(), meta.seed));
    let detectors = meta.detectors.iter();
    let detectors: Vec<String> = detectors
        .map(|detector| format!("{} {}", detector.id, detector.version))
        .collect();
    notes.push(format!("detectors: {}", detectors.join(", ")));
    if !meta.width.is_empty() {
        notes.push(format!(
            "judged: the findings in {}, at width {}",
            meta.judged, meta.width
        ));
    }
    let tables = meta.resource_tables;
    notes.push(format!(
        "of {} acquiring callables known to the mutators, the detectors' own table of {} has {}",
        tables.mutators, tables.detectors, tables.both
    ));
    if meta.repeated_mutants > 0 {
        notes.push(format!(
            "{} mutants stand in several corpora and count once",
            meta.repeated_mutants
        ));
    }
    if !meta.complete {
        notes.push(format!("INCOMPLETE: {}", meta.exit_reason));
    }
    Section {
        title: format!("leakbench {}", meta.leakbench),
        grid: None,
        notes,
    }
}

const FIGURES: [Column; 7] = [
    Column::right("n"),
    Column::right("recall"),
    Column::left("95 %"),
    Column::right("new"),
    Column::right("precision"),
    Column::right("alarms"),
    Column::right("apart"),
];

fn figures(line: &ScoreLine) -> Vec<String> {
    vec![
        line.count("n_mutants").to_string(),
        short(line.ratio("recall")),
        interval(line.ratio("recall_low"), line.ratio("recall_high")),
        short(line.ratio("recall_new")),
        short(line.ratio("precision")),
        short(line.ratio("false_positive_rate")),
        short(line.ratio("discrimination")),
    ]
}

fn scores(tables: &Tables, meta: &Meta, corpus: &str) -> Option<Section> {
    let columns = [&[Column::left("detector"), Column::left("pattern")], &FIGURES[..]].concat();
    let mut grid = Grid::new(&columns);
    let mut notes = Vec::new();
    for detector in detectors(&tables.scores) {
        let mut lines: Vec<&ScoreLine> = overall(&tables.scores, corpus, detector)
            .filter(|line| line.count("n_mutants") > 0)
            .collect();
        lines.sort_by_key(|line| place_of(&line.pattern));
        for line in lines {
            let names = [detector, shown_pattern(&line.pattern)].map(str::to_owned);
            let mut figures = figures(line);
            if has_no_rule(meta, line) {
                // Recall, its interval, and what is new of it.
                figures[1..4].clone_from_slice(&[NO_RULE, "", NO_RULE].map(str::to_owned));
            }
            grid.rows.push([&names[..], &figures].concat());
            notes.extend(no_verdict(line).filter(|_| line.pattern == POOLED));
        }
    }
    notes.extend(where_it_looks(tables, meta, corpus));
    notes.extend(witnessed(tables, corpus));
    (!grid.rows.is_empty()).then(|| Section {
        title: format!("Leaks injected into {corpus}"),
        grid: Some(grid),
        notes,
    })
}

/// Without a rule nothing can be missed; what it finds all the same counts.
fn has_no_rule(meta: &Meta, line: &ScoreLine) -> bool {
    let mut detectors = meta.detectors.iter();
    let detector = detectors.find(|detector| detector.id == line.detector);
    let found = line.count("detected") + line.count("indifferent");
    line.pattern != POOLED && found == 0 && detector.is_some_and(|detector| !detector.has_rule(&line.pattern))
}

/// Recall where a run has shown the leak, if any has been run.
fn witnessed(tables: &Tables, corpus: &str) -> Vec<String> {
    let pooled = tables
        .scores
        .iter()
        .filter(|line| line.corpus == corpus && line.is_pooled());
    let seen = pooled.filter(|line| line.count("n_witnessed") > 0);
    let note = |line: &ScoreLine| {
        format!(
            "{}: recall {} on the {} of {} leaks that `leakbench verify` has shown by a run",
            line.detector,
            short(line.ratio("recall_witnessed")),
            line.count("n_witnessed"),
            line.count("n_mutants"),
        )
    };
    seen.map(note).collect()
}

fn no_verdict(line: &ScoreLine) -> Option<String> {
    let count = line.count("no_verdict");
    (count > 0).then(|| {
        format!(
            "{}: {count} mutants without a verdict; outcomes.csv says why",
            line.detector
        )
    })
}

pub(super) fn overall<'t>(
    lines: &'t [ScoreLine],
    corpus: &'t str,
    detector: &'t str,
) -> impl Iterator<Item = &'t ScoreLine> {
    lines
        .iter()
        .filter(move |line| line.corpus == corpus && line.detector == detector && line.is_overall())
}

/// In the order of their first line.
fn detectors(lines: &[ScoreLine]) -> Vec<&str> {
    let mut names = Vec::new();
    for line in lines {
        if !names.contains(&line.detector.as_str()) {
            names.push(&line.detector);
        }
    }
    names
}

/// Patterns in the order of reports, the pooled row last.
pub(super) fn place_of(pattern: &str) -> usize {
    let known = Pattern::ALL.iter().position(|known| known.id() == pattern);
    known.unwrap_or(Pattern::ALL.len())
}

fn shown_pattern(pattern: &str) -> &str {
    if pattern == POOLED { "all patterns" } else { pattern }
}

/// What a detector says of code into which nothing was injected.
fn on_clean(tables: &Tables) -> Option<Section> {
    let mut grid = Grid::new(&[
        Column::left("corpus"),
        Column::left("detector"),
        Column::right("findings"),
        Column::right("alarms/kloc"),
        Column::right("true"),
        Column::right("false"),
        Column::right("contested"),
        Column::right("untriaged"),
        Column::right("precision"),
    ]);
    for line in tables.scores.iter().filter(|line| line.is_pooled()) {
        let rows = tables.clean.iter();
        let rows: Vec<&CleanRow> = rows
            .filter(|row| row.corpus == line.corpus && row.detector == line.detector)
            .collect();
        let sum = |count: fn(&CleanRow) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
        let (right, wrong) = (sum(|row| row.triaged_true), sum(|row| row.triaged_false));
        grid.rows.push(vec![
            line.corpus.clone(),
            line.detector.clone(),
            sum(|row| row.findings).to_string(),
            short(line.ratio("alarms_per_kloc")),
            right.to_string(),
            wrong.to_string(),
            sum(|row| row.triaged_contested).to_string(),
            sum(|row| row.untriaged).to_string(),
            short(crate::judge::interval::ratio(right, right + wrong)),
        ]);
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: "Findings on the code as it is".to_owned(),
        grid: Some(grid),
        notes: vec![
            "alarms/kloc: on modules of the natural mix in corpora declared clean, where all findings are false"
                .to_owned(),
            "true, false, contested: as decided with `leakbench triage`; precision rests on these alone".to_owned(),
        ],
    })
}

fn by_tag(tables: &Tables) -> Option<Section> {
    let columns = [&[Column::left("modules"), Column::left("detector")], &FIGURES[..]].concat();
    let mut grid = Grid::new(&columns);
    let mut lines: Vec<&ScoreLine> = tables.by_tag.iter().filter(|line| line.is_pooled()).collect();
    lines.retain(|line| line.count("n_mutants") > 0);
    lines.sort_by_key(|line| line.tag != "blind");
    for line in lines {
        let tag = if line.tag == "blind" { "blind" } else { "all others" };
        grid.rows
            .push([&[tag.to_owned(), line.detector.clone()][..], &figures(line)].concat());
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: "Modules written by somebody who had seen neither mutators nor detectors (blind), and all others"
            .to_owned(),
        grid: Some(grid),
        notes: Vec::new(),
    })
}

fn fix_pairs(tables: &Tables) -> Option<Section> {
    let mut grid = Grid::new(&[
        Column::left("detector"),
        Column::left("pattern"),
        Column::right("n"),
        Column::right("recall"),
        Column::right("apart"),
        Column::left("95 %"),
        Column::right("twice"),
        Column::right("no verdict"),
    ]);
    for row in &tables.fix_scores {
        let pattern = match (row.family.as_str(), row.pattern.as_str()) {
            (POOLED, _) => shown_pattern(POOLED).to_owned(),
            (family, POOLED) => format!("all {family}"),
            (_, pattern) => pattern.to_owned(),
        };
        grid.rows.push(vec![
            row.detector.clone(),
            pattern,
            row.n_pairs.to_string(),
            short(row.recall.0),
            short(row.discrimination.0),
            interval(row.discrimination_low.0, row.discrimination_high.0),
            row.reported_twice.to_string(),
            row.no_verdict.to_string(),
        ]);
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: "Real leaks and the releases that fixed them (fix pairs)".to_owned(),
        grid: Some(grid),
        notes: vec![
            "recall: reported within two lines of the leak; apart: and not in the fixed release; twice: in both"
                .to_owned(),
            "fix_pairs.csv has every pair".to_owned(),
        ],
    })
}

fn unpaired(tables: &Tables) -> Option<Section> {
    let mut grid = Grid::new(&[
        Column::left("detector"),
        Column::left("mutator"),
        Column::right("n"),
        Column::right("alarms"),
        Column::right("rate"),
        Column::left("95 %"),
    ]);
    for row in &tables.unpaired {
        let Decimal(rate) = row.false_positive_rate;
        grid.rows.push(vec![
            row.detector.clone(),
            row.mutator.clone(),
            row.n_mutants.to_string(),
            row.alarms.to_string(),
            short(rate),
            interval(row.false_positive_rate_low.0, row.false_positive_rate_high.0),
        ]);
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: "Safe look-alikes without a leak beside them (unpaired decoys)".to_owned(),
        grid: Some(grid),
        notes: Vec::new(),
    })
}

fn contested(tables: &Tables) -> Option<Section> {
    let mut grid = Grid::new(&[
        Column::left("detector"),
        Column::left("mutator"),
        Column::right("n"),
        Column::right("reported"),
        Column::right("silent"),
        Column::right("no verdict"),
    ]);
    for row in &tables.contested {
        let reported = row.detected + row.indifferent + row.other_pattern;
        let counts = [row.n_mutants, reported, row.missed, row.no_verdict].map(|count| count.to_string());
        grid.rows
            .push([&[row.detector.clone(), row.mutator.clone()][..], &counts].concat());
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: "Contested: reasonable people dispute whether these leak; in no other figure".to_owned(),
        grid: Some(grid),
        notes: Vec::new(),
    })
}

fn unparsed(rows: &[UnparsedRow]) -> Option<Section> {
    let name = |row: &UnparsedRow| {
        let line = row.line.map(|line| format!(":{line}")).unwrap_or_default();
        fitting(&format!("{}/{}{line}: {}", row.corpus, row.module, row.reason))
    };
    let mut notes: Vec<String> = rows.iter().take(NAMED_UNPARSED).map(name).collect();
    if rows.len() > NAMED_UNPARSED {
        notes.push(format!("and {} more in unparsed.csv", rows.len() - NAMED_UNPARSED));
    }
    (!rows.is_empty()).then(|| Section {
        title: "Not parsed, so not measured".to_owned(),
        grid: None,
        notes,
    })
}

/// Parsers quote whole literals; `unparsed.csv` has all of it.
fn fitting(line: &str) -> String {
    const MOST: usize = 96;
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    line.chars().take(MOST - 1).chain(['…']).collect()
}

fn legend() -> Section {
    let lines = [
        "n           leaks injected, one per copy of a module",
        "recall      share of them that was reported, in the right place and pattern; with 95 % interval",
        "new         recall_new: the same, without what was reported before the leak was there",
        "precision   share of true reports if leaks and their safe twins were equally many",
        "alarms      false_positive_rate: share of safe twins (same site, released differently) reported",
        "apart       discrimination: share of pairs with the leak newly reported and its safe twin not",
        "An empty figure (-) is one that was not measured; intervals need at least ten modules.",
    ];
    Section {
        title: "What the figures mean".to_owned(),
        grid: None,
        notes: lines.map(str::to_owned).to_vec(),
    }
}

pub(super) fn short(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{low:.2}–{high:.2}"),
        _ => String::new(),
    }
}
