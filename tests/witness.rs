//! The witness end to end: known answers on every `CPython` of the machine, and `leakbench verify` on small corpora
//! and on some of ours. Without Python 3.10 or later these tests say so and pass.

#![expect(clippy::print_stderr, reason = "what was skipped must be said")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::Folder;

const OLDEST: u32 = 10;
const NEWEST: u32 = 14;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The minor version of a Python 3, or nothing.
fn minor(python: &Path) -> Option<u32> {
    let asked = Command::new(python)
        .args([
            "-c",
            "import sys; sys.stdout.write('%d %d' % tuple(sys.version_info[:2]))",
        ])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8(asked.stdout).ok()?;
    said.strip_prefix("3 ")?.parse().ok()
}

/// One of each minor version, on the path or kept by pyenv.
fn pythons() -> BTreeMap<u32, PathBuf> {
    let named = (OLDEST..=NEWEST).map(|minor| PathBuf::from(format!("python3.{minor}")));
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let kept = std::fs::read_dir(home.join(".pyenv/versions"));
    let kept = kept
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/python"));
    let mut kept: Vec<PathBuf> = kept.collect();
    kept.sort();
    let all = named.chain(kept).chain([PathBuf::from("python3")]);
    let known = all.filter_map(|python| Some((minor(&python)?, python)));
    known.filter(|(minor, _)| *minor >= OLDEST).collect()
}

/// Whether there is a `python3` that will do; says so if not.
fn has_python() -> bool {
    let found = minor(Path::new("python3")).is_some_and(|minor| minor >= OLDEST);
    if !found {
        eprintln!("SKIPPED: no python3 of 3.10 or later on this machine");
    }
    found
}

#[test]
fn the_harness_gives_the_known_answers_on_every_cpython_there_is() {
    let pythons = pythons();
    if pythons.is_empty() {
        eprintln!("SKIPPED: no Python 3.10 or later on this machine");
    }
    for (minor, python) in pythons {
        let ran = Command::new(&python)
            .args(["-B", "known_answers.py"])
            .current_dir(root().join("tests/witness"))
            .output()
            .expect("it has answered before");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "3.{minor}: {said}");
    }
}

const TOML: &str = "name = 'small'\nclean = true\n[[module]]\npath = 'm.py'\n";
const DRIVER: &str = "import m\n\n\ndef reads(box):\n    m.load(box.write('a', '12'))\n    m.count(box.write('a', '12'))\n    \
    m.rows(box.path('db'))\n";

fn corpus(module: &str, driver: Option<&str>) -> Folder {
    let mut files = vec![("c/corpus.toml", TOML), ("c/m.py", module)];
    files.extend(driver.map(|driver| ("c/drivers/m.py", driver)));
    Folder::with(&files)
}

#[test]
fn a_clean_corpus_verifies_and_run_takes_its_outcomes_over_until_the_text_changes() {
    if !has_python() {
        return;
    }
    let folder = corpus(common::CLEAN, Some(DRIVER));
    let shown = folder.run("verify --corpus c --out c", 0);
    assert!(shown.stdout.contains("drop-with"), "{}", shown.stdout);
    let rows = folder.read("c/witness.csv");
    assert!(
        rows.starts_with("id,outcome,signals,place,reason,text_sha256\nm.py,clean,"),
        "{rows}"
    );
    assert!(rows.contains(",leaks,unreleased,\"reads: "), "{rows}");
    folder.run("run --corpus c --out one", 0);
    let mutants = folder.read("one/mutants.csv");
    assert!(mutants.contains(",witnessed,"), "{mutants}");
    assert!(!mutants.contains(",not-run,"), "{mutants}");
    folder.write("c/m.py", format!("{}\n\nLAST = 1\n", common::CLEAN).as_bytes());
    folder.run("run --corpus c --out two", 0);
    assert!(!folder.read("two/mutants.csv").contains(",witnessed,"));
}

#[test]
fn a_part_never_replaces_what_is_there() {
    if !has_python() {
        return;
    }
    let folder = corpus(common::CLEAN, Some(DRIVER));
    folder.run("verify --corpus c --max-mutants 1 --out c", 0);
    let rows = folder.read("c/witness.csv");
    folder.run("verify --corpus c --max-mutants 2 --out c", 2);
    folder.run("verify --corpus c --pattern never-released --out c", 2);
    assert_eq!(folder.read("c/witness.csv"), rows);
}

#[test]
fn a_refuted_mutant_is_a_row_and_counts_nowhere() {
    if !has_python() {
        return;
    }
    let folder = corpus(common::CLEAN, Some(DRIVER));
    folder.run("verify --corpus c --out c", 0);
    let rows = folder.read("c/witness.csv");
    folder.write(
        "c/witness.csv",
        rows.replace(",leaks,unreleased,", ",clean,,").as_bytes(),
    );
    folder.run("run --corpus c --out record", 0);
    assert!(folder.read("record/mutants.csv").contains(",refuted,"));
    let scores = folder.read("record/scores.csv");
    let mut reader = csv::Reader::from_reader(scores.as_bytes());
    let at = reader
        .headers()
        .expect("there is one")
        .iter()
        .position(|column| column == "n_mutants");
    let at = at.expect("it is defined");
    for row in reader.records() {
        assert_eq!(&row.expect("it is CSV")[at], "0", "{scores}");
    }
}

#[test]
fn a_module_that_leaks_as_it_is_is_a_contradiction() {
    if !has_python() {
        return;
    }
    let driver = "import m\n\ndef reads(box):\n    m.load(box.write('a', '12'))\n";
    let folder = corpus(common::LEAKY, Some(driver));
    let shown = folder.run("verify --corpus c", 1);
    assert!(shown.stdout.contains("m.py leaks as it is"), "{}", shown.stdout);
    assert!(shown.stdout.contains("acquired at line 2"), "{}", shown.stdout);
}

#[test]
fn without_a_driver_nothing_is_run_and_that_is_said() {
    if !has_python() {
        return;
    }
    let shown = corpus(common::CLEAN, None).run("verify --corpus c", 5);
    assert!(shown.stderr.contains("m.py"), "{}", shown.stderr);
}

#[test]
fn a_broken_driver_is_named_with_its_error() {
    if !has_python() {
        return;
    }
    let shown = corpus(common::CLEAN, Some("def reads(box:\n")).run("verify --corpus c", 0);
    assert!(shown.stderr.contains("m.py line 1"), "{}", shown.stderr);
}

#[test]
fn no_python_or_an_old_one_is_a_matter_of_usage() {
    let folder = corpus(common::CLEAN, Some(DRIVER));
    let shown = folder.run("verify --corpus c --python no-such-python", 2);
    assert!(
        shown.stderr.contains("no-such-python") && shown.stderr.contains("--python"),
        "{}",
        shown.stderr
    );
    folder.write("old", b"#!/bin/sh\nprintf 3.9.18\n");
    make_executable(&folder.path("old"));
    let shown = folder.run("verify --corpus c --python ./old", 2);
    assert!(shown.stderr.contains("3.9.18"), "{}", shown.stderr);
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
}

/// Outcomes by id. Places and reasons may differ from one Python to the next.
fn outcomes(csv: &str) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows = reader.records().map(|row| row.expect("it is CSV"));
    rows.map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
}

#[test]
fn our_corpus_says_what_is_committed() {
    if !has_python() {
        return;
    }
    let core = root().join("corpus/core");
    let read = |path: &str| std::fs::read_to_string(core.join(path)).expect("it is text");
    let (module, driver) = (read("logtail.py"), read("drivers/logtail.py"));
    let folder = Folder::with(&[
        (
            "c/corpus.toml",
            "name = 'core'\nclean = true\n[[module]]\npath = 'logtail.py'\n",
        ),
        ("c/logtail.py", &module),
        ("c/drivers/logtail.py", &driver),
    ]);
    folder.run("verify --corpus c --out out", 0);
    let (fresh, committed) = (
        outcomes(&folder.read("out/witness.csv")),
        outcomes(&read("witness.csv")),
    );
    assert!(fresh.len() > 10, "{fresh:?}");
    for (id, outcome) in fresh {
        assert_eq!(committed.get(&id), Some(&outcome), "{id}");
    }
}
