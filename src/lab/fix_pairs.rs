//! Fix pairs: real leaks and the releases that fixed them. A list holds the facts; `leakbench corpus fetch` brings the
//! files, which are other people's, beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::LabError;
use super::guard::caught;
use super::shown::Shown;
use super::tools::Answers;
use super::walk::{io_reason, read_module};
use super::watch::Watch;
use super::work::LEAST_CONFIDENCE;
use crate::detect::Suite;
use crate::judge::fix_pair::{FixCase, FixScore, FixVerdict, fix_scores, is_near};
use crate::judge::interval::Interval;
use crate::leak::{Finding, Pattern};
use crate::python::{Module, Source};
use crate::record::POOLED;
use crate::record::row::{FixPairRow, FixScoreRow, joined};
use crate::record::triage::hex;

/// Beside the list: `files/PAIR_ID/leak/PATH` and `files/PAIR_ID/fixed/PATH`.
const FILES_FOLDER: &str = "files";

/// What the list says of one leaking line, as far as judging needs it.
#[derive(Clone, Debug, Deserialize)]
struct Listed {
    pair_id: String,
    package: String,
    leak_path: String,
    leak_line: u32,
    fixed_path: String,
    fixed_line: u32,
    resource: String,
    pattern: String,
}

/// A release of a pair, by the folder that its file stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Release {
    Leaking,
    Fixed,
}

#[derive(Clone, Debug)]
struct FixPair {
    listed: Listed,
    pattern: Pattern,
}

impl FixPair {
    fn line(&self, release: Release) -> u32 {
        match release {
            Release::Leaking => self.listed.leak_line,
            Release::Fixed => self.listed.fixed_line,
        }
    }

    /// Below the folder of files.
    fn file(&self, release: Release) -> PathBuf {
        let (folder, path) = match release {
            Release::Leaking => ("leak", &self.listed.leak_path),
            Release::Fixed => ("fixed", &self.listed.fixed_path),
        };
        [&self.listed.pair_id, folder, path].iter().collect()
    }
}

/// A list of fix pairs, read and understood.
#[derive(Clone, Debug)]
pub struct FixPairs {
    pub sha256: String,
    list: PathBuf,
    pairs: Vec<FixPair>,
}

impl FixPairs {
    pub fn read(list: &Path) -> Result<Self, LabError> {
        let bad = |message: String| LabError::corpus(&list.display().to_string(), message);
        let bytes = fs::read(list).map_err(|error| bad(io_reason(&error)))?;
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let rows = reader.deserialize();
        let pairs = rows.map(|row| {
            let listed: Listed = row.map_err(|error: csv::Error| bad(error.to_string()))?;
            let pattern = listed
                .pattern
                .parse()
                .map_err(|error| bad(format!("{}: {error}", listed.pair_id)))?;
            Ok(FixPair { listed, pattern })
        });
        let mut pairs: Vec<FixPair> = pairs.collect::<Result<_, LabError>>()?;
        if pairs.is_empty() {
            return Err(bad("lists no pair".to_owned()));
        }
        pairs.sort_by(|one, other| {
            (&one.listed.pair_id, one.listed.leak_line).cmp(&(&other.listed.pair_id, other.listed.leak_line))
        });
        Ok(Self {
            sha256: hex(&Sha256::digest(&bytes)),
            list: list.to_owned(),
            pairs,
        })
    }

    pub(super) fn lists(&self, pair_id: &str) -> bool {
        self.pairs.iter().any(|pair| pair.listed.pair_id == pair_id)
    }

    /// Where the files are, or belong.
    pub(super) fn folder(list: &Path) -> PathBuf {
        list.with_file_name(FILES_FOLDER)
    }

    /// Every file once: several pairs may share one.
    fn files(&self) -> BTreeSet<PathBuf> {
        let both = self
            .pairs
            .iter()
            .flat_map(|pair| [Release::Leaking, Release::Fixed].map(|release| pair.file(release)));
        both.collect()
    }
}

/// One finding and its line, counted from one.
type At = (u32, Finding);

/// What each detector said of one file, or why nobody could look.
type Looked = Result<Vec<Result<Vec<At>, String>>, String>;

/// Rows and scores of every detector.
pub(super) type Judged = (Vec<FixPairRow>, Vec<FixScoreRow>);

/// The files of all pairs.
#[derive(Debug)]
pub(super) struct PairTexts {
    by_file: BTreeMap<PathBuf, Result<PairText, String>>,
}

#[derive(Debug)]
struct PairText {
    /// What it is called beside modules and mutants.
    id: String,
    /// In the package, as in a check of the package itself.
    path: String,
    source: Source,
}

impl PairTexts {
    pub(super) fn read(list: &FixPairs) -> Result<Self, LabError> {
        let folder = FixPairs::folder(&list.list);
        let files = list.files();
        if !files.iter().any(|file| folder.join(file).is_file()) {
            return Err(LabError::NotFetched(list.list.clone()));
        }
        let read = |file: PathBuf| {
            let text = PairText::read(&folder, &file);
            (file, text)
        };
        Ok(Self {
            by_file: files.into_iter().map(read).collect(),
        })
    }

    pub(super) fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        let texts = self.by_file.values().flatten();
        texts.map(|text| Shown::alone(&text.id, &text.path, &text.source))
    }
}

impl PairText {
    fn read(folder: &Path, file: &Path) -> Result<Self, String> {
        let bytes = read_module(&folder.join(file)).map_err(|error| io_reason(&error))?;
        let in_package: PathBuf = file.iter().skip(2).collect();
        Ok(Self {
            id: format!("fix-pairs/{}", file.display()),
            path: in_package.to_string_lossy().into_owned(),
            source: Source::load(&bytes).map_err(|why| why.reason)?,
        })
    }
}

/// `None` if it was interrupted.
pub(super) fn judge_fix_pairs(
    list: &FixPairs,
    texts: &PairTexts,
    suites: &[Suite],
    tools: &[Answers],
    watch: &dyn Watch,
) -> Option<Judged> {
    watch.begin("fix pairs", texts.by_file.len() as u64);
    let looked = texts.by_file.par_iter().map(|(file, text)| {
        let said = (!watch.interrupted()).then(|| text.as_ref().map_err(Clone::clone));
        let said = said.map(|text| text.and_then(|text| look_at(text, suites, tools)));
        watch.advance(1);
        said.map(|said| (file.clone(), said))
    });
    let looked: BTreeMap<PathBuf, Looked> = looked.collect::<Option<_>>()?;
    let suites = suites.iter().map(|suite| suite.id);
    let detectors: Vec<&str> = suites.chain(tools.iter().map(|tool| tool.id.as_str())).collect();
    let mut rows = Vec::new();
    for pair in &list.pairs {
        for (at, detector) in detectors.iter().enumerate() {
            rows.push(pair_row(pair, detector, |release| {
                let file = &looked[&pair.file(release)];
                file.as_ref().map_err(Clone::clone)?[at].clone()
            }));
        }
    }
    let scores = detectors.iter().flat_map(|detector| score_rows(list, &rows, detector));
    let scores = scores.collect();
    Some((rows, scores))
}

fn look_at(text: &PairText, suites: &[Suite], tools: &[Answers]) -> Looked {
    let module = Module::parse(text.path.clone(), text.source.clone()).map_err(|why| why.reason)?;
    let suites = suites.iter().map(|suite| caught(|| suite.findings(&module)));
    let tools = tools.iter().map(|tool| {
        let said = tool.of(&text.id);
        said.map_err(|silence| format!("{}: {}", silence.kind, silence.detail))
    });
    let counted = |findings: Vec<Finding>| {
        let counted = findings
            .into_iter()
            .filter(|finding| finding.confidence >= LEAST_CONFIDENCE);
        // A rule that claims no pattern says nothing about leaks.
        let counted = counted.filter(|finding| !finding.patterns.is_empty());
        counted
            .map(|finding| (module.lines.line_of(finding.span.start) + 1, finding))
            .collect()
    };
    Ok(suites.chain(tools).map(|said| said.map(counted)).collect())
}

fn pair_row(pair: &FixPair, detector: &str, said: impl Fn(Release) -> Result<Vec<At>, String>) -> FixPairRow {
    let near = |release| -> Result<Vec<Finding>, String> {
        let mut all = said(release)?;
        all.retain(|(line, _)| is_near(*line, pair.line(release)));
        Ok(all.into_iter().map(|(_, finding)| finding).collect())
    };
    let (leaking, fixed) = (near(Release::Leaking), near(Release::Fixed));
    let reported = |found: &Result<Vec<Finding>, String>| found.as_ref().ok().map(|found| !found.is_empty());
    let rules = |found: &Result<Vec<Finding>, String>| {
        let rules: BTreeSet<&str> = found.iter().flatten().map(|finding| finding.rule.as_str()).collect();
        joined(rules)
    };
    let reasons = [("leak", &leaking), ("fixed", &fixed)]
        .map(|(side, found)| found.as_ref().err().map(|reason| format!("{side}: {reason}")));
    let listed = &pair.listed;
    FixPairRow {
        pair_id: listed.pair_id.clone(),
        detector: detector.to_owned(),
        package: listed.package.clone(),
        family: pair.pattern.family().to_string(),
        pattern: pair.pattern.to_string(),
        resource: listed.resource.clone(),
        module: listed.leak_path.clone(),
        line: listed.leak_line,
        verdict: FixVerdict::of(reported(&leaking), reported(&fixed)).to_string(),
        rules_leaking: rules(&leaking),
        rules_fixed: rules(&fixed),
        same_pattern: leaking
            .iter()
            .flatten()
            .any(|finding| finding.patterns.contains(&pair.pattern)),
        reason: joined(reasons.into_iter().flatten()),
    }
}

fn score_rows(list: &FixPairs, rows: &[FixPairRow], detector: &str) -> Vec<FixScoreRow> {
    let of_detector = rows.iter().filter(|row| row.detector == detector);
    let cases = list.pairs.iter().zip(of_detector).map(|(pair, row)| FixCase {
        package: &pair.listed.package,
        pattern: pair.pattern,
        verdict: row.verdict.parse().expect("spelled by the same table"),
    });
    let cases: Vec<FixCase> = cases.collect();
    fix_scores(&cases)
        .iter()
        .map(|score| score_row(detector, score))
        .collect()
}

fn score_row(detector: &str, score: &FixScore) -> FixScoreRow {
    let pooled = |key: Option<String>| key.unwrap_or_else(|| POOLED.to_owned());
    let ends = |interval: Option<Interval>| (interval.map(|ends| ends.low), interval.map(|ends| ends.high));
    let recall = ends(score.recall.interval);
    let discrimination = ends(score.discrimination.interval);
    FixScoreRow {
        detector: detector.to_owned(),
        family: pooled(score.family.map(|family| family.to_string())),
        pattern: pooled(score.pattern.map(|pattern| pattern.to_string())),
        n_pairs: score.n_pairs,
        n_packages: score.n_packages,
        told_apart: score.told_apart,
        reported_twice: score.reported_twice,
        missed: score.missed,
        only_fixed: score.only_fixed,
        no_verdict: score.no_verdict,
        recall: score.recall.ratio.into(),
        recall_low: recall.0.into(),
        recall_high: recall.1.into(),
        discrimination: score.discrimination.ratio.into(),
        discrimination_low: discrimination.0.into(),
        discrimination_high: discrimination.1.into(),
    }
}
