//! Holds `results/MISSES.md` against the committed record: all that the built-in suite misses in the embedded corpus, and all
//! its false alarms, each below its cause. `LEAKBENCH_BLESS=1` takes out what is seen now, and puts what is new below the last heading.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

type Row = HashMap<String, String>;

/// The heading of what nobody has explained yet.
const UNEXPLAINED: &str = "## Not looked into";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rows(name: &str) -> Vec<Row> {
    let path = root().join("results/reference").join(name);
    let mut reader = csv::Reader::from_path(&path).expect("the record is there");
    let rows = reader.deserialize().map(|row| row.expect("it is a table"));
    rows.collect()
}

/// Every miss and false alarm: how it is called in the list, and the line that it has there.
fn items() -> BTreeMap<String, String> {
    let mutants: HashMap<String, Row> = rows("mutants.csv")
        .into_iter()
        .map(|row| (row["id"].clone(), row))
        .collect();
    let mut items = BTreeMap::new();
    for row in rows("outcomes.csv").iter().filter(|row| row["detector"] == "leakbench") {
        let mutant = &mutants[&row["id"]];
        let verdict = row["verdict"].as_str();
        let wrong = match mutant["effect"].as_str() {
            "leak" => verdict != "detected",
            "safe" => verdict == "alarm",
            _ => false,
        };
        if wrong && mutant["modifier"].is_empty() {
            let rule = if row["rule"].is_empty() {
                String::new()
            } else {
                format!(" ({})", row["rule"])
            };
            let (mutator, module, line) = (&mutant["mutator"], &mutant["module"], &mutant["line"]);
            let text = format!("- `{}` {mutator} {module}:{line} {verdict}{rule}", row["id"]);
            items.insert(row["id"].clone(), text);
        }
    }
    for row in rows("findings.csv") {
        if row["detector"] == "leakbench" && row["run_on"] == "clean" && row["disposition"] == "alarm" {
            let name = format!("{}:{}:{}", row["module"], row["line"], row["rule"]);
            let text = format!("- `{name}` alarm on the clean module");
            items.insert(name, text);
        }
    }
    items
}

fn name_of(line: &str) -> Option<&str> {
    line.strip_prefix("- `")?.split('`').next()
}

/// The list as it should be: what is not current any more is left out, what is new comes last.
fn renewed(list: &str, items: &BTreeMap<String, String>) -> String {
    let explained: Vec<&str> = list.lines().take_while(|line| *line != UNEXPLAINED).collect();
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    for line in explained {
        let Some(name) = name_of(line) else {
            let _ = writeln!(text, "{line}");
            continue;
        };
        if let Some(item) = items.get(name).filter(|_| seen.insert(name)) {
            let _ = writeln!(text, "{item}");
        }
    }
    let new: Vec<&String> = items
        .iter()
        .filter(|(name, _)| !seen.contains(name.as_str()))
        .map(|(_, item)| item)
        .collect();
    let mut text = text.trim_end().to_owned() + "\n";
    if !new.is_empty() {
        let _ = write!(text, "\n{UNEXPLAINED}\n\n");
        for item in new {
            let _ = writeln!(text, "{item}");
        }
    }
    text
}

#[test]
fn every_miss_and_false_alarm_is_listed() {
    let path = root().join("results/MISSES.md");
    let list = fs::read_to_string(&path).expect("the list is there");
    let items = items();
    assert!(!items.is_empty(), "a suite that never errs is not believed");
    let renewed = renewed(&list, &items);
    if std::env::var_os("LEAKBENCH_BLESS").is_some() {
        fs::write(&path, renewed).expect("the list can be written");
        return;
    }
    let differing = renewed.lines().zip(list.lines()).find(|(new, old)| new != old);
    assert!(
        renewed == list,
        "MISSES.md is not what the record says (LEAKBENCH_BLESS=1 cargo test renews it): {differing:?}"
    );
}
