//! Where what was measured goes, module by module: the files of the record that grow, and the ledgers of the scores.

use std::collections::BTreeSet;

use super::error::LabError;
use super::rows::{finding_rows, outcome_row};
use super::score::{Ledger, tables};
use super::sheet::Sheet;
use super::work::Measured;
use crate::judge::{NoVerdict, Verdict};
use crate::leak::Pattern;
use crate::record::row::{FindingRow, OutcomeRow};
use crate::record::{Recording, Rows, Tables};

/// What a detector has rules for, if that is known.
pub(super) type Claims = Option<BTreeSet<Pattern>>;

pub(super) struct Books<'a> {
    findings: Rows<FindingRow>,
    outcomes: Rows<OutcomeRow>,
    detectors: &'a [&'a str],
    claims: Vec<Claims>,
    /// One per detector.
    ledgers: Vec<Ledger>,
}

impl<'a> Books<'a> {
    pub(super) fn open(recording: &Recording, detectors: &'a [&'a str], claims: Vec<Claims>) -> Result<Self, LabError> {
        Ok(Self {
            claims,
            findings: recording.rows()?,
            outcomes: recording.rows()?,
            ledgers: detectors.iter().map(|_| Ledger::default()).collect(),
            detectors,
        })
    }

    /// Sheets come in their order. `measured` is `None` for a module that an interrupted run did not reach.
    pub(super) fn enter(&mut self, sheet: &Sheet, measured: Option<&Measured>) -> Result<(), LabError> {
        match measured {
            Some(measured) => self.write(sheet, measured)?,
            None => self.write_not_run(sheet)?,
        }
        for (at, ledger) in self.ledgers.iter_mut().enumerate() {
            ledger.add(sheet, measured, at, self.detectors[at]);
        }
        Ok(())
    }

    fn write(&mut self, sheet: &Sheet, measured: &Measured) -> Result<(), LabError> {
        for row in finding_rows(sheet, measured, self.detectors) {
            self.findings.push(&row)?;
        }
        for (sought, by_detector) in sheet.mutants.iter().zip(&measured.mutants) {
            for ((detector, claims), on) in self.detectors.iter().zip(&self.claims).zip(by_detector) {
                self.outcomes
                    .push(&outcome_row(sought, detector, on, claims.as_ref()))?;
            }
        }
        Ok(())
    }

    fn write_not_run(&mut self, sheet: &Sheet) -> Result<(), LabError> {
        for sought in &sheet.mutants {
            for detector in self.detectors {
                self.outcomes.push(&OutcomeRow {
                    id: sought.subject.id.clone(),
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

    /// All tables that come from mutants and clean modules.
    pub(super) fn close(self, sheets: &[Sheet]) -> Result<Tables, LabError> {
        self.findings.finish()?;
        self.outcomes.finish()?;
        Ok(tables(sheets, self.ledgers, self.detectors))
    }
}
