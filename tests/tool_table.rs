//! The committed table of tools (`results/tools/`, renewed by `scripts/tool_table.py`) against the tools themselves: on a
//! sample, for flake8 alone needs half an hour on everything.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::Folder;

const TOOLS: [&str; 3] = ["ruff", "pylint", "flake8"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// By mutant and tool.
fn outcomes(text: &str) -> BTreeMap<(String, String), String> {
    let rows = text.lines().skip(1).map(|row| {
        let mut fields = row.splitn(3, ',').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        ((next(), next()), next())
    });
    rows.filter(|((_, detector), _)| TOOLS.contains(&detector.as_str()))
        .collect()
}

/// Versions as `run.json` has them.
fn versions(text: &str) -> BTreeMap<String, String> {
    let meta: serde_json::Value = serde_json::from_str(text).expect("run.json is JSON");
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let detectors = meta["detectors"].as_array().expect("a list").iter();
    let pairs = detectors.map(|detector| (word(&detector["id"]), word(&detector["version"])));
    pairs.filter(|(id, _)| TOOLS.contains(&id.as_str())).collect()
}

#[test]
fn the_tools_say_what_is_committed() {
    let programs = root().join("target/venv/bin");
    if let Some(missing) = TOOLS.iter().find(|tool| !programs.join(tool).is_file()) {
        eprintln!("skipped: no {missing} in {}", programs.display());
        return;
    }
    let folder = Folder::new();
    let options = TOOLS.map(|tool| format!("--tool {tool} --tool-command {tool}={}", programs.join(tool).display()));
    let options = options.join(" ");
    folder.run(
        &format!("run --per-mutator 10 --max-mutants 30 --no-cache --out sample {options}"),
        0,
    );
    let committed = |name: &str| fs::read_to_string(Path::new(&root()).join("results/tools").join(name));
    let committed = |name: &str| committed(name).unwrap_or_else(|error| panic!("results/tools/{name}: {error}"));
    let (here, there) = (
        versions(&folder.read("sample/run.json")),
        versions(&committed("run.json")),
    );
    assert_eq!(here, there, "scripts/tool_table.py renews the table");
    let (sample, all) = (
        outcomes(&folder.read("sample/outcomes.csv")),
        outcomes(&committed("outcomes.csv")),
    );
    assert!(sample.len() > 300, "{}", sample.len());
    for (key, outcome) in &sample {
        assert_eq!(
            Some(outcome),
            all.get(key),
            "{key:?}; scripts/tool_table.py renews the table"
        );
    }
}
