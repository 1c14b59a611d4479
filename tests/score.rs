//! `mutate` and `score`: findings that are there already are judged as a run judges them, or not at all.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;

use common::{CLEAN, Folder};

/// Reports every `NAME = open(`, as SARIF 2.1.0 of the tree.
const GREP_SARIF: &str = r#"
import json, pathlib, re, sys
results = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.search(r"= (open\()", line)
        if found:
            region = {"startLine": number, "startColumn": found.start(1) + 1}
            place = {"artifactLocation": {"uri": path.as_posix()}, "region": region}
            message = {"text": "opened"}
            results.append({"ruleId": "R1", "message": message, "locations": [{"physicalLocation": place}]})
print(json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "grep"}}, "results": results}]}))
"#;

const ADAPTER: &str = r#"
id = "grep"
about = "looks for open"
command = ["python3", "TOOL", "{dir}"]
version = ["sh", "-c", "echo 1.0"]
output = { format = "sarif" }
rules = { R1 = ["never-released", "inline-acquisition", "release-skipped-on-exception"] }

[canary]
leak = "def f():\n    handle = open('a')  # leak\n"
safe = "with open('a') as handle:\n    pass\n"
"#;

fn folder() -> Folder {
    let folder = Folder::with(&[("code/a.py", CLEAN), ("code/__init__.py", ""), ("grep.py", GREP_SARIF)]);
    let tool = folder.path("grep.py").display().to_string();
    folder.write("grep.toml", ADAPTER.replace("TOOL", &tool).as_bytes());
    folder
}

fn of(detector: &str, csv: &str) -> Vec<String> {
    let rows = csv
        .lines()
        .filter(|line| line.split(',').any(|field| field == detector));
    rows.map(str::to_owned).collect()
}

#[test]
fn a_record_judged_again_says_the_same_and_without_any_detector() {
    let folder = folder();
    folder.run("run code --tool grep.toml --out base", 0);
    folder.write("grep.py", b"raise SystemExit(9)");
    folder.run("score base --out again", 0);
    let (base, again) = (folder.csv_files("base"), folder.csv_files("again"));
    assert!(base.iter().any(|(name, _)| name == "outcomes.csv"));
    assert_eq!(base, again);
    // What cannot be told from the record is not told again: who was asked when, and for how long.
    let meta = folder.read("again/run.json");
    assert!(
        meta.contains("\"judged\": \"base\"") && meta.contains("\"width\": \"statement\""),
        "{meta}"
    );
    folder.run("score again", 0);
}

#[test]
fn a_wider_finding_counts_at_another_width_alone() {
    let folder = folder();
    // Points at the whole function, from its first line to the last one of the file.
    let wide = GREP_SARIF.replace(
        r#"region = {"startLine": number, "startColumn": found.start(1) + 1}"#,
        r#"region = {"startLine": number, "startColumn": found.start(1) + 1, "endLine": number + 2, "endColumn": 1}"#,
    );
    folder.write("grep.py", wide.as_bytes());
    folder.run("run code --tool grep.toml --out base", 0);
    let verdicts = |record: &str| {
        let outcomes = folder.read(&format!("{record}/outcomes.csv"));
        of("grep", &outcomes)
            .iter()
            .filter(|row| row.contains(",detected,"))
            .count()
    };
    folder.run("score base --width function --out function", 0);
    folder.run("score base --width file --out file", 0);
    assert_eq!(verdicts("base"), 0);
    assert!(verdicts("function") > 0);
    assert!(verdicts("file") >= verdicts("function"));
}

#[test]
fn a_lost_or_changed_file_is_refused() {
    let folder = folder();
    folder.run("run code --tool grep.toml --out base", 0);
    let raw: Vec<_> = fs::read_dir(folder.path("base/raw/grep"))
        .expect("raw output is kept")
        .collect();
    let raw = raw
        .into_iter()
        .next()
        .expect("there is one")
        .expect("it can be listed")
        .path();
    let text = fs::read(&raw).expect("it can be read");
    let refused = |message: &str| {
        let ran = folder.run("score base --out again", 4);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(!folder.path("again").exists());
    };
    fs::rename(&raw, raw.with_extension("moved")).expect("it can be renamed");
    refused("is missing; nothing is judged on it");
    fs::write(&raw, b"{}").expect("it can be written");
    refused("is not what the run wrote");
    fs::write(&raw, text).expect("it can be written");
    folder.run("score base", 0);
    let outcomes = folder.read("base/outcomes.csv").replace(",missed,", ",detected,");
    folder.write("base/outcomes.csv", outcomes.as_bytes());
    refused("outcomes.csv is not what the run wrote");
    let meta = folder
        .read("base/run.json")
        .replace("\"complete\": true", "\"complete\": false");
    folder.write("base/run.json", meta.as_bytes());
    refused("base is incomplete");
    assert!(
        folder
            .run("score base --out base", 2)
            .stderr
            .contains("name another folder")
    );
    assert!(
        folder
            .run("score base/run.json", 2)
            .stderr
            .contains("name its folder, base")
    );
    assert!(folder.run("score nowhere", 2).stderr.contains("nowhere is no record"));
}

#[test]
fn a_log_from_elsewhere_is_judged_as_a_run_would() {
    let folder = folder();
    folder.run("run code --tool grep.toml --out base", 0);
    let said = folder.run("mutate code --out mutants", 0).stdout;
    assert!(
        said.contains("2 clean modules and") && said.contains("mutants/manifest.csv"),
        "{said}"
    );
    folder.write("log.sarif", python(&folder, "grep.py", "mutants/tree").as_bytes());
    folder.run(
        "score --sarif log.sarif --manifest mutants --tool grep.toml --out scored",
        0,
    );
    for file in ["outcomes.csv", "scores.csv"] {
        let [base, scored] = ["base", "scored"].map(|record| of("grep", &folder.read(&format!("{record}/{file}"))));
        assert!(!base.is_empty() && base == scored, "{file}");
    }
    // The tree may have stood anywhere.
    let moved = folder.read("log.sarif").replace("mutants/tree", "file:///build/7/tree");
    folder.write("moved.sarif", moved.as_bytes());
    folder.run("score --sarif moved.sarif --manifest mutants --tool grep.toml", 0);
}

#[test]
fn a_log_that_says_nothing_of_the_mutants_is_no_silence() {
    let folder = folder();
    folder.run("mutate code --out mutants", 0);
    let refused = |log: &str, exit: i32, message: &str| {
        folder.write("log.sarif", log.as_bytes());
        let ran = folder.run("score --sarif log.sarif --manifest mutants --tool grep.toml", exit);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    };
    refused("{\"runs\": [", 3, "its output is not JSON");
    refused(
        r#"{"runs": [{"results": []}]}"#,
        3,
        "names no file of mutants/manifest.csv",
    );
    let log = python(&folder, "grep.py", "mutants/tree");
    refused(&log.replace("mutants/tree", "elsewhere"), 0, "");
    refused(&log.replace("a.py", "b.py"), 3, "names no file of");
    refused(&log.replace("R1", "R2"), 3, "none of its rules (R2) claims a pattern");
    folder.write("log.sarif", log.as_bytes());
    let ran = folder.run("score --sarif log.sarif --manifest mutants", 2);
    assert!(ran.stderr.contains("--tool"), "{}", ran.stderr);
    let manifest = folder.read("mutants/manifest.csv").replace(",leak,", ",safe,");
    folder.write("mutants/manifest.csv", manifest.as_bytes());
    refused(&log, 4, "manifest.csv is not what the run wrote");
}

#[test]
fn the_tree_gives_nothing_away_and_the_manifest_tells_all() {
    let folder = folder();
    folder.run("mutate code --out mutants", 0);
    let manifest = folder.read("mutants/manifest.csv");
    let header: Vec<&str> = manifest.lines().next().unwrap_or_default().split(',').collect();
    let json: serde_json::Value = serde_json::from_str(&folder.read("mutants/manifest.json")).expect("it is JSON");
    let schema: serde_json::Value =
        serde_json::from_str(&folder.read("mutants/manifest.schema.json")).expect("it is JSON");
    let files = json["files"].as_array().expect("a list");
    assert_eq!(files.len() + 1, manifest.lines().count());
    let required = schema["$defs"]["file"]["required"].as_array().expect("a list");
    let required: Vec<&str> = required.iter().filter_map(|name| name.as_str()).collect();
    assert_eq!(required, header);
    let mut leaks = 0;
    for file in files {
        let path = file["file"].as_str().expect("a path");
        let text = folder.read(&format!("mutants/{path}"));
        assert!(
            Path::new(path).ends_with("a.py") || Path::new(path).ends_with("__init__.py"),
            "{path}"
        );
        if file["effect"] == "leak" && file["mutator"] == "drop-with" {
            let line = usize::try_from(file["line"].as_u64().expect("a number")).expect("a small one");
            let labelled = text.lines().nth(line - 1).expect("the line is there");
            assert!(labelled.contains(" = open(path"), "{labelled}");
            leaks += 1;
        }
    }
    assert!(leaks > 0);
    // The sibling stands beside every copy.
    for entry in fs::read_dir(folder.path("mutants/tree")).expect("a folder") {
        assert!(entry.expect("it can be listed").path().join("__init__.py").is_file());
    }
}

fn python(folder: &Folder, script: &str, argument: &str) -> String {
    let output = std::process::Command::new("python3")
        .arg(folder.path(script))
        .arg(argument)
        .current_dir(folder.path("."))
        .output()
        .expect("there is a python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}
