//! External tools: what each kind of failure looks like. A tool that failed is never one that found nothing.

#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::{CLEAN, Folder};

/// Reports every `NAME = open(`, and nothing of a `with`.
const GREP: &str = r#"grep -Hn '= open(' "$@" | sed 's/:\([0-9]*\):.*/:\1: R1 opened/'"#;

/// A folder with code, an adapter and its tool, a shell script.
fn with_tool(script: &str, changes: &[(&str, &str)]) -> Folder {
    let mut adapter = r#"
id = "mytool"
about = "looks for open"
command = ["sh", "TOOL", "{files}"]
version = ["sh", "VERSION"]
batch = 8
time-limit = 2

[output]
format = "lines"
pattern = '(?P<path>[^:]+):(?P<line>\d+): (?P<rule>\w+) (?P<message>.*)'

[rules]
R1 = ["never-released", "inline-acquisition", "release-skipped-on-exception"]

[canary]
leak = "def f():\n    handle = open('a')  # leak\n"
safe = "with open('a') as handle:\n    pass\n"
"#
    .to_owned();
    for (from, to) in changes {
        assert!(adapter.contains(from), "{from}");
        adapter = adapter.replace(from, to);
    }
    let folder = Folder::with(&[
        ("code/a.py", CLEAN),
        ("tool.sh", script),
        ("version.sh", "echo mytool 1.2.3"),
    ]);
    for (word, file) in [("TOOL", "tool.sh"), ("VERSION", "version.sh")] {
        adapter = adapter.replace(word, &folder.path(file).display().to_string());
    }
    folder.write("mytool.toml", adapter.as_bytes());
    folder
}

fn run(folder: &Folder, exit: i32) -> common::Ran {
    folder.run("run code --tool mytool.toml --format csv", exit)
}

/// The fields of the tool's pooled row: n, detected, indifferent, missed, no verdict.
fn pooled(folder: &Folder) -> Vec<u64> {
    let scores = folder.read("results/latest/scores.csv");
    let mut lines = scores.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let row = lines.find(|line| line.starts_with("mytool,code,*,*,,"));
    let row: Vec<&str> = row.unwrap_or_else(|| panic!("no row in {scores}")).split(',').collect();
    let field = |name: &str| {
        let at = header.iter().position(|column| *column == name);
        row[at.unwrap_or_else(|| panic!("no {name}"))]
            .parse()
            .unwrap_or_else(|_| panic!("{name}"))
    };
    ["n_mutants", "detected", "indifferent", "missed", "no_verdict"]
        .map(field)
        .to_vec()
}

#[test]
fn a_tool_is_judged_beside_the_suite_and_its_answers_are_kept() {
    let folder = with_tool(GREP, &[]);
    run(&folder, 0);
    let first = pooled(&folder);
    assert!(first[0] > 0 && first[1] > 0 && first[4] == 0, "{first:?}");
    let meta = folder.read("results/latest/run.json");
    assert!(meta.contains("\"version\": \"1.2.3\""), "{meta}");
    // The canaries still answer; whatever else was asked would have no verdict now.
    let only_canaries = format!("case \"$*\" in *canary.py) ;; *) exit 9;; esac\n{GREP}");
    folder.write("tool.sh", only_canaries.as_bytes());
    run(&folder, 0);
    assert_eq!(pooled(&folder), first);
    folder.run("run code --tool mytool.toml --no-cache", 3);
}

/// The rows of a CSV file without quotes in what is looked at, header left out.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

/// It greps no connection and nothing inline; for the second it claims no rule.
#[test]
fn what_a_tool_has_no_rule_for_is_told_from_what_it_missed() {
    let claims = "R1 = [\"never-released\", \"inline-acquisition\", \"release-skipped-on-exception\"]";
    let folder = with_tool(GREP, &[(claims, "R1 = [\"never-released\"]")]);
    let shown = folder.run("run code --tool mytool.toml", 0).stdout;
    let mutants = folder.read("results/latest/mutants.csv");
    let leaks: BTreeMap<&str, &str> = rows(&mutants)
        .into_iter()
        .filter(|row| row[7] == "leak")
        .map(|row| (row[0], row[5]))
        .collect();
    let outcomes = folder.read("results/latest/outcomes.csv");
    let missed = rows(&outcomes)
        .into_iter()
        .filter(|row| row[1] == "mytool" && row[2] == "missed");
    let reasons: BTreeSet<(&str, &str)> = missed.filter_map(|row| Some((*leaks.get(row[0])?, row[5]))).collect();
    let expected = [
        ("inline-acquisition", "no such rule"),
        ("never-released", ""),
        ("release-skipped-on-exception", "no such rule"),
    ];
    assert_eq!(reasons, expected.into());
    let row = shown.lines().find(|line| line.starts_with("  inline-acquisition "));
    assert!(row.is_some_and(|row| row.ends_with("  —")), "{shown}");
}

#[test]
fn detectors_stand_side_by_side_within_a_terminal() {
    let folder = with_tool(GREP, &[]);
    let shown = folder.run("run code --tool mytool.toml", 0).stdout;
    let at = |words: &str| shown.find(words).unwrap_or_else(|| panic!("no {words} in {shown}"));
    assert!(at("Detectors side by side on") < at("Agreement of each two detectors"));
    assert!(at("Agreement of each two detectors") < at("detector    pattern"));
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let agreement = folder.read("results/latest/agreement.csv");
    let pairs = [
        "leakbench,seed-naive,code,*,",
        "leakbench,mytool,code,*,",
        "seed-naive,mytool,code,*,",
    ];
    assert!(pairs.iter().all(|pair| agreement.contains(pair)), "{agreement}");
    let alone = folder.read("results/latest/alone.csv");
    let own: Vec<Vec<&str>> = rows(&alone).into_iter().filter(|row| row[2] == "*").collect();
    assert_eq!(
        own.iter().map(|row| row[0]).collect::<Vec<_>>(),
        ["leakbench", "seed-naive", "mytool"]
    );
    // Whatever lines it greps, the suite finds: on this code, it alone finds anything alone.
    assert!(own[0][5] != "0" && own[2][5] == "0", "{alone}");
    let meta = folder.read("results/latest/run.json");
    assert_eq!(meta.matches("\"busy_ms\"").count(), 3, "{meta}");
    assert_eq!(meta.matches("\"claims\"").count(), 3, "{meta}");
}

#[test]
fn what_cannot_be_started_or_is_too_old_or_blind_is_refused_before_anything_runs() {
    let refused = |script: &str, changes: &[(&str, &str)], message: &str| {
        let folder = with_tool(script, changes);
        let ran = run(&folder, 3);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(!folder.path("results/latest/scores.csv").exists());
    };
    refused(
        GREP,
        &[("\"sh\", \"VERSION\"", "\"no-such-tool\"")],
        "no-such-tool cannot be started",
    );
    refused(
        GREP,
        &[("batch = 8", "least-version = \"1.10\"")],
        "is version 1.2.3; this adapter was made for 1.10",
    );
    refused("true", &[], "on the canary that leaks: it reports nothing");
    refused(
        "for f in \"$@\"; do echo \"$f:1: R1 x\"; done",
        &[],
        "it reports R1 at 1:1, which is not at `handle = open('a')` at 2:5",
    );
    refused(
        "for f in \"$@\"; do echo \"$f:2: R1 x\"; done",
        &[],
        "on the safe canary: it reports a leak: R1 at 2:5",
    );
    refused(
        "for f in \"$@\"; do echo \"$f:2: R2 x\"; done",
        &[],
        "it reports R2 at 2:5, of which [rules] says nothing",
    );
    refused(
        "echo Traceback",
        &[],
        "on the canary that leaks: its output has a line of another form: Traceback",
    );
    refused(
        "echo >&2 out of memory; exit 139",
        &[],
        "exit code 139: out of memory (accepted-exits = [0])",
    );
    refused("kill -SEGV $$", &[], "killed by a signal");
    refused(
        "sleep 60 & sleep 60",
        &[("time-limit = 2", "time-limit = 1")],
        "no answer within 1 s",
    );
    refused("echo x >> \"$1\"", &[], "it changed the files that it was shown");
}

/// Fails on mutants of one module that have lost the release.
const FRAIL: &str =
    "for f in \"$@\"; do grep -q 'def f7_' \"$f\" && ! grep -q 'connection.close()' \"$f\" && exit 70; done\n";

#[test]
fn a_batch_that_fails_is_cut_down_to_the_file_it_fails_on() {
    let folder = with_tool(&format!("{FRAIL}{GREP}"), &[]);
    let code = CLEAN.to_owned()
        + "\n\ndef more(path):\n    with open(path) as handle:\n        text = handle.read()\n    return text\n";
    for number in 0..20 {
        folder.write(
            &format!("code/m{number}.py"),
            code.replace("def ", &format!("def f{number}_")).as_bytes(),
        );
    }
    folder.run("run code --tool mytool.toml --format csv --per-mutator 1000", 0);
    let counts = pooled(&folder);
    assert!(counts[4] > 0 && counts[4] * 10 < counts[0], "{counts:?}");
    let outcomes = folder.read("results/latest/outcomes.csv");
    assert!(
        outcomes
            .lines()
            .any(|line| line.contains("mytool,no-verdict,,,crash: exit code 70")),
        "{outcomes}"
    );
}

#[test]
fn a_tool_without_verdicts_has_no_recall_of_zero() {
    let folder = with_tool(&format!("case \"$*\" in *canary.py) ;; *) exit 9;; esac\n{GREP}"), &[]);
    let ran = run(&folder, 3);
    assert!(ran.stderr.contains("mytool: no verdict on"), "{}", ran.stderr);
    let scores = folder.read("results/latest/scores.csv");
    let header = scores.lines().next().unwrap_or_default();
    let at = header
        .split(',')
        .position(|column| column == "recall")
        .unwrap_or_default();
    let row = scores
        .lines()
        .find(|line| line.starts_with("mytool,code,*,*,,"))
        .unwrap_or_default();
    assert_eq!(row.split(',').nth(at), Some(""), "{row}");
}

/// Says "skipped: ..." where `scripts/python-tools.sh` has not installed them.
#[test]
fn ruff_and_pylint_are_read_as_they_print() {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin");
    for tool in ["ruff", "pylint"] {
        let program = installed.join(tool);
        if !program.is_file() {
            eprintln!("skipped: no {}", program.display());
            continue;
        }
        let folder = Folder::with(&[("code/a.py", CLEAN)]);
        let command = format!("run code --tool {tool} --tool-command {tool}={}", program.display());
        let ran = folder.run(&command, 0);
        assert!(ran.stdout.contains(&format!("{tool} ")), "{}", ran.stdout);
        let outcomes = folder.read("results/latest/outcomes.csv");
        let of_tool = || outcomes.lines().filter(|line| line.contains(&format!(",{tool},")));
        assert!(of_tool().any(|line| line.contains(",detected,")), "{outcomes}");
        assert!(of_tool().any(|line| line.contains(",missed,")), "{outcomes}");
        assert!(!of_tool().any(|line| line.contains(",no-verdict,")), "{outcomes}");
        assert!(
            outcomes.contains(if tool == "ruff" { ",SIM115," } else { ",R1732," }),
            "{outcomes}"
        );
    }
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let folder = with_tool(GREP, &[]);
    assert!(
        folder
            .run("run code --tool rufff", 2)
            .stderr
            .contains("no tool is called rufff")
    );
    let ran = folder.run("run code --tool mytool.toml --tool mytool.toml", 2);
    assert!(
        ran.stderr.contains("mytool is a detector of this run already"),
        "{}",
        ran.stderr
    );
    let adapter = folder
        .read("mytool.toml")
        .replace("id = \"mytool\"", "id = \"leakbench\"");
    folder.write("own.toml", adapter.as_bytes());
    let ran = folder.run("run code --tool own.toml", 2);
    assert!(
        ran.stderr.contains("leakbench is a detector of this run already"),
        "{}",
        ran.stderr
    );
    let ran = folder.run("run code --tool-command ruff=x", 2);
    assert!(ran.stderr.contains("there is no --tool ruff"), "{}", ran.stderr);
    folder.write("mytool.toml", b"id = 1");
    assert!(
        folder
            .run("run code --tool mytool.toml", 2)
            .stderr
            .contains("mytool.toml: TOML parse error")
    );
}
