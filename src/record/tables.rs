//! Everything a report is made of, in memory as in the run folder.

use super::error::RecordError;
use super::folder::Recording;
use super::read::Record;
use super::row::{
    AgreementRow, AloneRow, CleanRow, ContestedRow, FixPairRow, FixScoreRow, Row, UnpairedRow, UnparsedRow,
};
use super::table::{ScoreLine, ScoreTable, read_scores, write_scores};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    pub scores: Vec<ScoreLine>,
    pub by_mutator: Vec<ScoreLine>,
    pub by_tag: Vec<ScoreLine>,
    pub unpaired: Vec<UnpairedRow>,
    pub contested: Vec<ContestedRow>,
    pub unparsed: Vec<UnparsedRow>,
    pub clean: Vec<CleanRow>,
    /// Empty, and in no file, if the run looked at no fix pairs.
    pub fix_pairs: Vec<FixPairRow>,
    pub fix_scores: Vec<FixScoreRow>,
    /// Empty, and in no file, with fewer than two detectors.
    pub agreement: Vec<AgreementRow>,
    pub alone: Vec<AloneRow>,
}

impl Tables {
    pub fn write(&self, recording: &Recording) -> Result<(), RecordError> {
        for table in ScoreTable::ALL {
            write_scores(recording, table, self.score_lines(table))?;
        }
        recording.write_rows(&self.unpaired)?;
        recording.write_rows(&self.contested)?;
        recording.write_rows(&self.unparsed)?;
        recording.write_rows(&self.clean)?;
        write_if_any(recording, &self.fix_pairs)?;
        write_if_any(recording, &self.fix_scores)?;
        write_if_any(recording, &self.agreement)?;
        write_if_any(recording, &self.alone)
    }

    pub fn read(record: &Record) -> Result<Self, RecordError> {
        let read = |table| read_scores(&record.dir, table);
        Ok(Self {
            scores: read(ScoreTable::Scores)?,
            by_mutator: read(ScoreTable::ByMutator)?,
            by_tag: read(ScoreTable::ByTag)?,
            unpaired: record.rows()?,
            contested: record.rows()?,
            unparsed: record.rows()?,
            clean: record.rows()?,
            fix_pairs: record.rows_if_any()?,
            fix_scores: record.rows_if_any()?,
            agreement: record.rows_if_any()?,
            alone: record.rows_if_any()?,
        })
    }

    pub fn score_lines(&self, table: ScoreTable) -> &[ScoreLine] {
        match table {
            ScoreTable::Scores => &self.scores,
            ScoreTable::ByMutator => &self.by_mutator,
            ScoreTable::ByTag => &self.by_tag,
        }
    }
}

fn write_if_any<R: Row>(recording: &Recording, rows: &[R]) -> Result<(), RecordError> {
    if rows.is_empty() {
        return Ok(());
    }
    recording.write_rows(rows)
}
