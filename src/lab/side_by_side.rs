//! The detectors of one run against each other, as the record spells it.

use super::claims::FLOOR;
use crate::judge::Judged;
use crate::judge::agreement::{self, Contender, agreement, alone};
use crate::leak::Pattern;
use crate::record::row::{AgreementRow, AloneRow};
use crate::record::{POOLED, Tables};

/// Tables that hold nothing else; `judged` has one list per detector.
pub(super) fn side_by_side(detectors: &[&str], judged: &[Vec<Judged>]) -> Tables {
    let contender = |(detector, judged)| Contender {
        detector,
        is_floor: detector == FLOOR,
        judged,
    };
    let lists = judged.iter().map(Vec::as_slice);
    let contenders: Vec<Contender> = detectors.iter().copied().zip(lists).map(contender).collect();
    if contenders.len() < 2 {
        return Tables::default();
    }
    Tables {
        agreement: agreement(&contenders).into_iter().map(agreement_row).collect(),
        alone: alone(&contenders).into_iter().map(alone_row).collect(),
        ..Tables::default()
    }
}

fn agreement_row(row: agreement::AgreementRow) -> AgreementRow {
    AgreementRow {
        first: row.first,
        second: row.second,
        corpus: row.corpus,
        pattern: word(row.pattern),
        n_mutants: row.n_mutants,
        n_modules: row.n_modules,
        both: row.both,
        only_first: row.only_first,
        only_second: row.only_second,
        neither: row.neither,
        agreement: row.agreement.into(),
        p_value: row.p_value.into(),
        p_holm: row.p_holm.into(),
        p_if_independent: row.p_if_independent.into(),
    }
}

fn alone_row(row: agreement::AloneRow) -> AloneRow {
    AloneRow {
        detector: row.detector,
        corpus: row.corpus,
        pattern: word(row.pattern),
        n_mutants: row.n_mutants,
        found: row.found,
        alone: row.alone,
        undecided: row.undecided,
    }
}

fn word(pattern: Option<Pattern>) -> String {
    pattern.map_or(POOLED, Pattern::id).to_owned()
}
