//! The verdicts of a record as the judge knows them, to compare two records by.

use std::collections::BTreeMap;

use super::error::RecordError;
use super::read::Record;
use super::row::{MutantRow, OutcomeRow, Row};
use crate::judge::{Judged, Subject, Verdict};
use crate::leak::Witness;

/// All mutants of a record and what each detector made of them.
#[derive(Debug)]
pub struct Judgements {
    /// As in `mutants.csv`, duplicates and refuted ones left out.
    pub mutants: Vec<MutantRow>,
    subjects: Vec<Subject>,
    /// Verdict by detector, then by the mutant's id.
    verdicts: BTreeMap<String, BTreeMap<String, Verdict>>,
}

impl Judgements {
    pub fn read(record: &Record) -> Result<Self, RecordError> {
        let mut mutants: Vec<MutantRow> = record.rows()?;
        mutants.retain(counts);
        let numbered = (2..).zip(&mutants);
        let subjects =
            numbered.map(|(line, row)| subject(row).map_err(|message| damaged::<MutantRow>(record, line, message)));
        let subjects = subjects.collect::<Result<_, _>>()?;
        let mut verdicts: BTreeMap<String, BTreeMap<String, Verdict>> = BTreeMap::new();
        for (line, row) in (2..).zip(record.rows::<OutcomeRow>()?) {
            let verdict = row.verdict.parse();
            let verdict = verdict.map_err(|message: String| damaged::<OutcomeRow>(record, line, message))?;
            verdicts.entry(row.detector).or_default().insert(row.id, verdict);
        }
        Ok(Self {
            mutants,
            subjects,
            verdicts,
        })
    }

    pub fn detectors(&self) -> impl Iterator<Item = &str> {
        self.verdicts.keys().map(String::as_str)
    }

    /// What one detector made of every mutant. A mutant without an outcome was not run.
    pub fn of(&self, detector: &str) -> Vec<Judged<'_>> {
        let verdicts = self.verdicts.get(detector);
        let verdict = |id: &str| verdicts.and_then(|verdicts| verdicts.get(id)).copied();
        let judged = self.subjects.iter().map(|subject| Judged {
            subject,
            verdict: verdict(&subject.id).unwrap_or(Verdict::NoVerdict),
            charges: Vec::new(),
        });
        judged.collect()
    }
}

fn damaged<R: Row>(record: &Record, line: u64, message: String) -> RecordError {
    RecordError::damaged(&record.dir.join(R::FILE), line, message)
}

/// The mutants that detectors look at: a duplicate has the text of another one, and a refuted label is not true.
pub fn counts(row: &MutantRow) -> bool {
    row.duplicate_of.is_empty() && row.witness != Witness::Refuted.word()
}

/// Without twins, which stand in the rows of the decoys.
pub fn subject(row: &MutantRow) -> Result<Subject, String> {
    Ok(Subject {
        id: row.id.clone(),
        corpus: row.corpus.clone(),
        module: format!("{}/{}", row.corpus, row.cluster),
        mutator: row.mutator.clone(),
        modifier: row.modifier.clone(),
        pattern: row.pattern.parse().map_err(|error| format!("{error}"))?,
        resource: row.resource.clone(),
        effect: row.effect.parse()?,
        witnessed: row.witness == Witness::Witnessed.word(),
        twins: Vec::new(),
    })
}
