//! `results/README.md` defines every column of every CSV, in order, and none that there is not.

use leakbench::record::ScoreTable;
use leakbench::record::row::{
    AgreementRow, AloneRow, CleanRow, ContestedRow, FindingRow, FixPairRow, FixScoreRow, MutantRow, OutcomeRow, Row,
    UnpairedRow, UnparsedRow, WitnessRow,
};

/// The section of one file.
fn section(file: &str) -> &'static str {
    let readme = include_str!("../results/README.md");
    let start = readme
        .find(&format!("## {file}\n"))
        .unwrap_or_else(|| panic!("no section on {file}"));
    let body = &readme[start + 3..];
    &body[..body.find("\n## ").unwrap_or(body.len())]
}

/// The first cells of a section's table.
fn defined(section: &str) -> Vec<&str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

fn check<R: Row>() {
    assert_eq!(defined(section(R::FILE)), R::COLUMNS, "{}", R::FILE);
}

#[test]
fn every_column_is_defined_and_nothing_else() {
    check::<MutantRow>();
    check::<FindingRow>();
    check::<OutcomeRow>();
    check::<UnparsedRow>();
    check::<CleanRow>();
    check::<ContestedRow>();
    check::<UnpairedRow>();
    check::<WitnessRow>();
    check::<FixPairRow>();
    check::<FixScoreRow>();
    check::<AgreementRow>();
    check::<AloneRow>();
}

#[test]
fn every_figure_is_defined_once_and_every_table_names_its_keys() {
    for table in ScoreTable::ALL {
        let columns = table.columns();
        let figures = &columns[table.keys().len()..];
        assert_eq!(defined(section(ScoreTable::Scores.file())), figures);
        for key in table.keys() {
            assert!(
                section(table.file()).contains(&format!("`{key}`")),
                "{}: {key}",
                table.file()
            );
        }
    }
}
