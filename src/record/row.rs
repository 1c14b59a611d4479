//! The rows of the CSV files, a type each: its fields are the columns, in their order.
//!
//! Columns are only ever appended. Scores have no type here: `judge` names their columns (`table.rs`).

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One kind of row: which file it stands in, and its columns.
pub trait Row: Serialize + DeserializeOwned {
    const FILE: &'static str;
    const COLUMNS: &'static [&'static str];
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident in $file:literal { $($column:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $(pub $column: $type,)+
        }

        impl Row for $name {
            const FILE: &'static str = $file;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),+];
        }
    };
}

row! {
    /// One mutant, as planned before any detector ran.
    MutantRow in "mutants.csv" {
        id: String,
        corpus: String,
        module: String,
        mutator: String,
        modifier: String,
        pattern: String,
        resource: String,
        effect: String,
        strength: String,
        witness: String,
        twin_of: String,
        primary: String,
        qualname: String,
        start: u32,
        end: u32,
        label_start: u32,
        label_end: u32,
        duplicate_of: String,
        regions: String,
        line: u32,
        kind: String,
        blind: bool,
        cluster: String,
    }
}

row! {
    /// One module, as it is known before any detector ran.
    ModuleRow in "modules.csv" {
        corpus: String,
        module: String,
        kind: String,
        blind: bool,
        known_clean: bool,
        lines: u64,
        acquisitions: u64,
        definitions: String,
        sha256: String,
    }
}

row! {
    /// One finding on a clean module or a mutant.
    FindingRow in "findings.csv" {
        run_on: String,
        detector: String,
        rule: String,
        patterns: String,
        module: String,
        start: u32,
        end: u32,
        confidence: String,
        message: String,
        disposition: String,
        corpus: String,
        line: u32,
        resource: String,
        qualname: String,
        shape: String,
        key: String,
        triage: String,
    }
}

row! {
    /// One mutant × detector.
    OutcomeRow in "outcomes.csv" {
        id: String,
        detector: String,
        verdict: String,
        rule: String,
        confidence: String,
        reason: String,
    }
}

row! {
    /// One file that `mutate` has written: a clean text or a mutant.
    ManifestRow in "manifest.csv" {
        file: String,
        run_on: String,
        corpus: String,
        module: String,
        effect: String,
        pattern: String,
        resource: String,
        mutator: String,
        modifier: String,
        line: Option<u32>,
        column: Option<u32>,
        end_line: Option<u32>,
        end_column: Option<u32>,
        twin_of: String,
        sha256: String,
    }
}

row! {
    /// A file that could not be measured.
    UnparsedRow in "unparsed.csv" {
        corpus: String,
        module: String,
        reason: String,
        line: Option<u32>,
    }
}

row! {
    /// One clean module × detector.
    CleanRow in "clean_modules.csv" {
        detector: String,
        corpus: String,
        module: String,
        kind: String,
        blind: bool,
        known_clean: bool,
        lines: u64,
        acquisitions: u64,
        findings: u64,
        triaged_true: u64,
        triaged_false: u64,
        triaged_contested: u64,
        untriaged: u64,
        reason: String,
    }
}

row! {
    /// What running a clean module (its id is its path) or a mutant has shown.
    WitnessRow in "witness.csv" {
        id: String,
        outcome: String,
        signals: String,
        place: String,
        reason: String,
        text_sha256: String,
    }
}

row! {
    /// What a detector says of mutants on which reasonable people dispute.
    ContestedRow in "contested.csv" {
        detector: String,
        corpus: String,
        mutator: String,
        n_mutants: u64,
        n_modules: u64,
        detected: u64,
        indifferent: u64,
        other_pattern: u64,
        missed: u64,
        no_verdict: u64,
    }
}

row! {
    /// Decoys that share their site with no leak mutant.
    UnpairedRow in "unpaired.csv" {
        detector: String,
        corpus: String,
        mutator: String,
        n_mutants: u64,
        n_modules: u64,
        alarms: u64,
        no_verdict: u64,
        false_positive_rate: Decimal,
        false_positive_rate_low: Decimal,
        false_positive_rate_high: Decimal,
    }
}

row! {
    /// One real leak with its fix × detector.
    FixPairRow in "fix_pairs.csv" {
        pair_id: String,
        detector: String,
        package: String,
        family: String,
        pattern: String,
        resource: String,
        module: String,
        line: u32,
        verdict: String,
        rules_leaking: String,
        rules_fixed: String,
        same_pattern: bool,
        reason: String,
    }
}

row! {
    /// How many real leaks a detector tells from their fix.
    FixScoreRow in "fix_scores.csv" {
        detector: String,
        family: String,
        pattern: String,
        n_pairs: u64,
        n_packages: u64,
        told_apart: u64,
        reported_twice: u64,
        missed: u64,
        only_fixed: u64,
        no_verdict: u64,
        recall: Decimal,
        recall_low: Decimal,
        recall_high: Decimal,
        discrimination: Decimal,
        discrimination_low: Decimal,
        discrimination_high: Decimal,
    }
}

row! {
    /// Two detectors on the leaks that both judged.
    AgreementRow in "agreement.csv" {
        first: String,
        second: String,
        corpus: String,
        pattern: String,
        n_mutants: u64,
        n_modules: u64,
        both: u64,
        only_first: u64,
        only_second: u64,
        neither: u64,
        agreement: Decimal,
        p_value: Decimal,
        p_holm: Decimal,
        p_if_independent: Decimal,
    }
}

row! {
    /// What a detector finds that no other one of the run does.
    AloneRow in "alone.csv" {
        detector: String,
        corpus: String,
        pattern: String,
        n_mutants: u64,
        found: u64,
        alone: u64,
        undecided: u64,
    }
}

/// Decimals of every ratio: fixed, so that equal runs give equal bytes.
const DECIMALS: usize = 6;

/// A ratio in a field; empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decimal(pub Option<f64>);

impl From<Option<f64>> for Decimal {
    fn from(ratio: Option<f64>) -> Self {
        Self(ratio)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |ratio| write!(f, "{ratio:.DECIMALS$}"))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

/// Joins a list for one field. No id, path pattern or span holds a semicolon.
pub fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(";")
}

/// The reverse of [`joined`].
pub fn split(field: &str) -> impl Iterator<Item = &str> {
    field.split(';').filter(|word| !word.is_empty())
}
