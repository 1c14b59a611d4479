//! The detectors of a run beside each other: who finds what, who finds it alone, who agrees with whom, what it takes.

use super::grid::{Column, Grid};
use super::sections::{Section, overall, place_of, short};
use crate::judge::interval::ratio;
use crate::record::row::{AgreementRow, AloneRow};
use crate::record::{DetectorMeta, Meta, POOLED, ScoreLine, Tables};

/// Columns of a terminal that are left for detectors beside the patterns.
const ROOM: usize = 62;

/// The least width of a detector's column.
const LEAST: usize = 6;

const GAP: usize = 2;

/// Where a detector looks for nothing; `-` is what was not measured.
pub(super) const NO_RULE: &str = "—";

/// Nothing with fewer than two detectors.
pub(super) fn side_by_side(tables: &Tables, meta: &Meta) -> Vec<Section> {
    let mut sections = Vec::new();
    for corpus in &meta.corpora {
        let lanes = lanes(tables, meta, &corpus.name);
        if lanes.len() < 2 || !lanes.iter().any(|lane| lane.count(POOLED, "n_mutants") > 0) {
            continue;
        }
        for fitting in fitting(&lanes) {
            sections.push(compared(&corpus.name, fitting));
        }
        sections.extend(agreement(&tables.agreement, &corpus.name));
    }
    sections
}

/// Of detectors that do not look for everything: how they do where they look.
pub(super) fn where_it_looks(tables: &Tables, meta: &Meta, corpus: &str) -> Vec<String> {
    let lanes = lanes(tables, meta, corpus).into_iter();
    let partial = lanes.filter(|lane| {
        lane.lines
            .iter()
            .any(|line| line.pattern != POOLED && !lane.meta.has_rule(&line.pattern))
    });
    let note = |lane: Lane| {
        let (id, recall) = (&lane.meta.id, lane.recall_of_claims());
        format!("{id}: recall {recall} on the patterns that it has a rule for; {NO_RULE}: it has none")
    };
    partial.map(note).collect()
}

/// One detector on one corpus.
struct Lane<'t> {
    meta: &'t DetectorMeta,
    lines: Vec<&'t ScoreLine>,
    alone: Option<&'t AloneRow>,
}

fn lanes<'t>(tables: &'t Tables, meta: &'t Meta, corpus: &'t str) -> Vec<Lane<'t>> {
    let lane = |detector: &'t DetectorMeta| Lane {
        meta: detector,
        lines: overall(&tables.scores, corpus, &detector.id).collect(),
        alone: tables
            .alone
            .iter()
            .find(|row| row.detector == detector.id && row.corpus == corpus && row.pattern == POOLED),
    };
    let lanes = meta.detectors.iter().map(lane);
    lanes.filter(|lane| !lane.lines.is_empty()).collect()
}

/// As many as a terminal has room for, then the next.
fn fitting<'l, 't>(lanes: &'l [Lane<'t>]) -> Vec<&'l [Lane<'t>]> {
    let mut parts = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, lane) in lanes.iter().enumerate() {
        let width = GAP + lane.meta.id.chars().count().max(LEAST);
        if used + width > ROOM && at > start {
            parts.push(&lanes[start..at]);
            (start, used) = (at, 0);
        }
        used += width;
    }
    parts.push(&lanes[start..]);
    parts
}

impl Lane<'_> {
    fn line(&self, pattern: &str) -> Option<&ScoreLine> {
        self.lines.iter().find(|line| line.pattern == pattern).copied()
    }

    fn count(&self, pattern: &str, column: &str) -> u64 {
        self.line(pattern).map_or(0, |line| line.count(column))
    }

    fn found(&self, pattern: &str) -> u64 {
        self.count(pattern, "detected") + self.count(pattern, "indifferent")
    }

    fn recall(&self, pattern: &str) -> String {
        if !self.meta.has_rule(pattern) && self.found(pattern) == 0 {
            return NO_RULE.to_owned();
        }
        short(self.line(pattern).and_then(|line| line.ratio("recall")))
    }

    fn overall(&self, column: &str) -> String {
        short(self.line(POOLED).and_then(|line| line.ratio(column)))
    }

    /// Over the patterns that some rule of it claims.
    fn recall_of_claims(&self) -> String {
        let patterns = self.lines.iter().map(|line| line.pattern.as_str());
        let claimed: Vec<&str> = patterns
            .filter(|pattern| *pattern != POOLED && self.meta.has_rule(pattern))
            .collect();
        let sum = |count: &dyn Fn(&str) -> u64| claimed.iter().map(|pattern| count(pattern)).sum::<u64>();
        let judged = |pattern: &str| self.count(pattern, "n_mutants") - self.count(pattern, "no_verdict");
        short(ratio(sum(&|pattern| self.found(pattern)), sum(&judged)))
    }

    fn alone(&self) -> String {
        self.alone.map_or_else(
            || "-".to_owned(),
            |row| match row.undecided {
                0 => row.alone.to_string(),
                undecided => format!("{}–{}", row.alone, row.alone + undecided),
            },
        )
    }

    /// Milliseconds per text are seconds per thousand of them.
    fn pace(&self) -> String {
        let spent = self.meta.busy_ms.zip(self.meta.asked);
        let seconds = spent.and_then(|(millis, asked)| ratio(millis, asked));
        seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"))
    }
}

type Figure = fn(&Lane) -> String;

/// Over all patterns.
const FIGURES: [(&str, Figure); 7] = [
    ("patterns it has a rule for", |lane| lane.recall_of_claims()),
    ("new", |lane| lane.overall("recall_new")),
    ("precision", |lane| lane.overall("precision")),
    ("alarms", |lane| lane.overall("false_positive_rate")),
    ("apart", |lane| lane.overall("discrimination")),
    ("found by no other", |lane| lane.alone()),
    ("seconds per 1,000 modules", |lane| lane.pace()),
];

fn compared(corpus: &str, lanes: &[Lane]) -> Section {
    let mut columns = vec![Column::left("recall on"), Column::right("n")];
    columns.extend(lanes.iter().map(|lane| Column::named(&lane.meta.id)));
    let mut grid = Grid::new(&columns);
    let mut add = |name: &str, n: String, cell: &dyn Fn(&Lane) -> String| {
        let cells = lanes.iter().map(cell);
        grid.rows.push([name.to_owned(), n].into_iter().chain(cells).collect());
    };
    for pattern in patterns(lanes) {
        let n = mutants(lanes, pattern).to_string();
        add(pattern, n, &|lane| lane.recall(pattern));
    }
    let n = mutants(lanes, POOLED).to_string();
    add("all patterns", n, &|lane| lane.overall("recall"));
    for (name, cell) in FIGURES {
        add(name, String::new(), &cell);
    }
    Section {
        title: format!("Detectors side by side on the leaks injected into {corpus}"),
        grid: Some(grid),
        notes: notes(lanes),
    }
}

fn notes(lanes: &[Lane]) -> Vec<String> {
    let mut notes = vec![
        format!("{NO_RULE}: it has no rule for the pattern"),
        "found by no other: the floor, seed-naive, takes nothing away; alone.csv has each pattern".to_owned(),
        "seconds: wall time as if one thread did all the work of the whole run, cached answers left out".to_owned(),
    ];
    if lanes.iter().any(|lane| lane.alone.is_some_and(|row| row.undecided > 0)) {
        notes.insert(2, "a range of them: another gave no verdict on some".to_owned());
    }
    notes
}

/// Those with leaks, in the order of reports.
fn patterns<'t>(lanes: &[Lane<'t>]) -> Vec<&'t str> {
    let all = lanes.iter().flat_map(|lane| lane.lines.iter().copied());
    let with_leaks = all.filter(|line| line.pattern != POOLED && line.count("n_mutants") > 0);
    let mut patterns: Vec<&str> = with_leaks.map(|line| line.pattern.as_str()).collect();
    patterns.sort_by_key(|pattern| (place_of(pattern), *pattern));
    patterns.dedup();
    patterns
}

/// All detectors have the same.
fn mutants(lanes: &[Lane], pattern: &str) -> u64 {
    let counts = lanes.iter().map(|lane| lane.count(pattern, "n_mutants"));
    counts.max().unwrap_or_default()
}

fn agreement(rows: &[AgreementRow], corpus: &str) -> Option<Section> {
    let mut grid = Grid::new(&[
        Column::left("first"),
        Column::left("second"),
        Column::right("n"),
        Column::right("both"),
        Column::right("only first"),
        Column::right("only second"),
        Column::right("neither"),
        Column::right("agree"),
        Column::right("p"),
    ]);
    for row in rows.iter().filter(|row| row.corpus == corpus && row.pattern == POOLED) {
        let counts = [row.n_mutants, row.both, row.only_first, row.only_second, row.neither];
        let names = [&row.first, &row.second].map(Clone::clone);
        let figures = [short(row.agreement.0), chance(row.p_value.0)];
        let counts = counts.map(|count| count.to_string());
        grid.rows.push(names.into_iter().chain(counts).chain(figures).collect());
    }
    (!grid.rows.is_empty()).then(|| Section {
        title: format!("Agreement of each two detectors on the leaks injected into {corpus}"),
        grid: Some(grid),
        notes: vec![
            "p: of as large a difference by chance alone, over modules; agreement.csv has each pattern".to_owned(),
        ],
    })
}

fn chance(p_value: Option<f64>) -> String {
    match p_value {
        None => "-".to_owned(),
        Some(p) if p < 0.0001 => "<0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::row::Cell;
    use crate::report::Style;

    fn detector(id: &str, claims: Option<&[&str]>) -> DetectorMeta {
        DetectorMeta {
            id: id.to_owned(),
            version: "1.0".to_owned(),
            command: Vec::new(),
            claims: claims.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
            busy_ms: Some(1500),
            asked: Some(600),
            peak_bytes: None,
        }
    }

    /// Of ten leaks each.
    fn line(pattern: &str, detected: u64) -> ScoreLine {
        let recall = ratio(detected, 10);
        let figures = [
            ("n_mutants", Cell::Count(10)),
            ("detected", Cell::Count(detected)),
            ("recall", Cell::Ratio(recall)),
        ];
        ScoreLine {
            detector: String::new(),
            corpus: "core".to_owned(),
            tag: String::new(),
            mutator: POOLED.to_owned(),
            pattern: pattern.to_owned(),
            resource: POOLED.to_owned(),
            modifier: String::new(),
            figures: figures.map(|(name, cell)| (name.to_owned(), cell)).to_vec(),
        }
    }

    fn row(name: &str, lanes: &[Lane]) -> Vec<String> {
        let grid = compared("core", lanes).grid.unwrap_or_default();
        let row = grid.rows.into_iter().find(|row| row[0] == name);
        row.unwrap_or_default().split_off(1)
    }

    #[test]
    fn no_rule_is_told_from_nothing_found() {
        let scored = [
            line("never-released", 0),
            line("handle-returned", 0),
            line("generator-scope", 4),
        ];
        let metas = [None, Some(&["handle-returned"][..])].map(|claims| detector("one", claims));
        let lane = |meta| Lane {
            meta,
            lines: scored.iter().collect(),
            alone: None,
        };
        let lanes = metas.each_ref().map(lane);
        assert_eq!(row("never-released", &lanes), ["10", "0.00", "—"]);
        assert_eq!(row("handle-returned", &lanes), ["10", "0.00", "0.00"]);
        // Of what it does not claim, but found at a further true place.
        assert_eq!(row("generator-scope", &lanes), ["10", "0.40", "0.40"]);
        assert_eq!(row("patterns it has a rule for", &lanes), ["", "0.13", "0.00"]);
        assert_eq!(row("seconds per 1,000 modules", &lanes), ["", "2.5", "2.5"]);
    }

    #[test]
    fn what_may_be_found_by_another_makes_a_range() {
        let meta = detector("one", None);
        let alone = [0, 2].map(|undecided| AloneRow {
            detector: "one".to_owned(),
            corpus: "core".to_owned(),
            pattern: POOLED.to_owned(),
            n_mutants: 10,
            found: 9,
            alone: 3,
            undecided,
        });
        let lane = |alone| Lane {
            meta: &meta,
            lines: Vec::new(),
            alone: Some(alone),
        };
        let lanes = alone.each_ref().map(lane);
        assert_eq!(row("found by no other", &lanes), ["", "3", "3–5"]);
        assert_eq!(notes(&lanes[..1]).len() + 1, notes(&lanes).len());
    }

    #[test]
    fn detectors_that_a_terminal_has_no_room_for_come_after() {
        let five = ["leakbench", "seed-naive", "ruff", "pylint", "flake8-bugbear"].map(|id| detector(id, None));
        let scored = [line("release-skipped-on-exception", 3), line(POOLED, 3)];
        let lane = |meta| Lane {
            meta,
            lines: scored.iter().collect(),
            alone: None,
        };
        let lanes = five.each_ref().map(lane);
        assert_eq!(fitting(&lanes).len(), 1);
        let text = compared("core", &lanes).as_text(Style::default());
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let ten: Vec<Lane> = five.iter().chain(&five).map(lane).collect();
        let parts: Vec<usize> = fitting(&ten).into_iter().map(<[Lane]>::len).collect();
        assert_eq!(parts, [5, 5]);
    }

    #[test]
    fn a_chance_is_never_shown_as_none() {
        assert_eq!(chance(Some(0.0)), "<0.0001");
        assert_eq!(chance(Some(0.25)), "0.2500");
        assert_eq!(chance(None), "-");
    }
}
