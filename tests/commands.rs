//! Every command, from its arguments to what it prints, writes and exits with.

mod common;

use common::{CLEAN, Folder, LEAKY};
use serde_json::Value;

fn measured() -> Folder {
    let folder = Folder::with(&[("code/a.py", CLEAN), ("code/b.py", LEAKY)]);
    folder.run("run code --out one", 0);
    folder
}

#[test]
fn run_works_in_an_empty_folder_and_shows_both_detectors() {
    let folder = Folder::new();
    let ran = folder.run("run --per-mutator 3", 0);
    assert!(
        ran.stdout.contains("leakbench") && ran.stdout.contains("seed-naive"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\u{1b}'), "no colour where there is no terminal");
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{}", ran.stdout);
    assert!(folder.read("results/latest/run.json").contains("\"complete\": true"));
}

#[test]
fn threads_and_the_order_of_paths_change_no_byte() {
    let folder = Folder::with(&[
        ("x/a.py", CLEAN),
        ("x/c/d.py", LEAKY),
        ("y/a.py", CLEAN),
        ("z.py", CLEAN),
    ]);
    folder.run("run x y z.py --out one -j 1", 0);
    folder.run("run z.py y x --out two -j 2", 0);
    folder.run("run y x z.py --out three", 0);
    let one = folder.csv_files("one");
    assert!(one.len() >= 10);
    assert_eq!(one, folder.csv_files("two"));
    assert_eq!(one, folder.csv_files("three"));
    assert_eq!(folder.read("one/edits.jsonl"), folder.read("two/edits.jsonl"));
}

#[test]
fn a_mutant_that_stands_in_two_corpora_counts_once() {
    let folder = Folder::with(&[("x/a.py", CLEAN), ("y/a.py", CLEAN)]);
    folder.run("run x --out one", 0);
    let ran = folder.run("run x y --out two", 0);
    assert!(ran.stdout.contains("stand in several corpora"), "{}", ran.stdout);
    assert_eq!(folder.read("one/mutants.csv"), folder.read("two/mutants.csv"));
}

#[test]
fn what_the_configuration_says_can_be_acquired_is_mutated() {
    let code = "import mylib\n\n\ndef ask(host):\n    with mylib.connect(host) as link:\n        answer = link.ask('version')\n    return answer\n";
    let folder = Folder::with(&[("code/a.py", code)]);
    folder.run("run code --out without", 5);
    let entry = "[[resource]]\nkind = 'link'\nacquire = ['mylib.connect']\nrelease = ['hang_up', 'close']\n";
    folder.write("leakbench.toml", format!("{entry}with = true\n").as_bytes());
    folder.run("run code --out with", 0);
    let rows = folder.read("with/mutants.csv");
    assert!(rows.contains(",drop-with,") && rows.contains(",link,"), "{rows}");
    assert!(
        folder.read("with/edits.jsonl").contains("link.hang_up()"),
        "the first release is written"
    );
    folder.write("leakbench.toml", format!("{entry}with = false\n").as_bytes());
    folder.run("run code --out kept", 5);
}

#[test]
fn one_pattern_brings_its_twins_and_no_other_leaks() {
    let folder = measured();
    folder.run("run code --out two --pattern release-skipped-on-exception", 0);
    let rows = folder.read("two/mutants.csv");
    let leaks: Vec<&str> = rows.lines().filter(|row| row.contains(",leak,")).collect();
    assert!(!leaks.is_empty() && rows.contains(",safe,"));
    assert!(leaks.iter().all(|row| row.contains(",release-skipped-on-exception,")));
    let ran = folder.run("run code --pattern never-relesed", 2);
    assert!(ran.stderr.contains("did you mean never-released?"), "{}", ran.stderr);
}

#[test]
fn an_earlier_record_moves_aside_and_foreign_folders_are_left_alone() {
    let folder = measured();
    let before = folder.read("one/run.json");
    folder.run("run code --out one", 0);
    folder.run("run code --out one", 0);
    assert_eq!(folder.read("one.old/run.json"), before);
    assert!(folder.path("one.old-2").is_dir());
    let ran = folder.run("run code --out code", 2);
    assert!(ran.stderr.contains("is no record"), "{}", ran.stderr);
}

#[test]
fn scores_come_in_four_formats() {
    let folder = measured();
    let markdown = folder.run("run code --format markdown", 0).stdout;
    assert!(markdown.contains("| detector | pattern |"), "{markdown}");
    let json: Value = serde_json::from_str(&folder.run("run code --format json", 0).stdout).unwrap();
    assert!(json["scores"][0]["recall"].is_number(), "{json}");
    let csv = folder.run("run code --format csv", 0).stdout;
    assert_eq!(csv, folder.read("results/latest/scores.csv"));
}

#[test]
fn check_exits_with_one_on_findings_and_writes_sarif() {
    let folder = Folder::with(&[("a.py", LEAKY), ("b.py", CLEAN)]);
    let text = folder.run("check .", 1).stdout;
    assert!(text.starts_with("a.py:2:14: high never-released:"), "{text}");
    folder.run("check b.py", 0);
    let json: Value = serde_json::from_str(&folder.run("check a.py --format json", 1).stdout).unwrap();
    assert_eq!(json["findings"][0]["start"]["line"], 2);
    let log: Value = serde_json::from_str(&folder.run("check a.py --format sarif", 1).stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    assert_eq!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "a.py"
    );
    folder.run("check a.py --min-confidence highest", 2);
}

#[test]
fn lists_have_a_text_and_a_json_form() {
    let folder = Folder::new();
    for (what, id) in [
        ("mutators", "drop-with"),
        ("patterns", "never-released"),
        ("detectors", "seed-naive"),
    ] {
        let text = folder.run(&format!("list {what}"), 0).stdout;
        assert!(text.contains(id), "{text}");
        let json: Value = serde_json::from_str(&folder.run(&format!("list {what} --format json"), 0).stdout).unwrap();
        assert!(json.as_array().unwrap().iter().any(|entry| entry["id"] == id));
    }
}

#[test]
fn explain_knows_pages_patterns_and_mutants() {
    let folder = measured();
    assert!(folder.run("explain drop-with", 0).stdout.contains("```rewrite"));
    assert!(
        folder
            .run("explain never-released", 0)
            .stdout
            .contains("never-released")
    );
    let mutants = folder.read("one/mutants.csv");
    let row = mutants.lines().find(|row| row.contains(",drop-with,")).unwrap();
    let id = row.split(',').next().unwrap();
    let shown = folder.run(&format!("explain {id} --record one"), 0).stdout;
    assert!(
        shown.contains("\n-    with open(path") && shown.contains("\n+    handle = open(path"),
        "{shown}"
    );
    assert!(shown.contains("seed-naive"), "{shown}");
    assert!(
        folder
            .run("explain drop-wiht", 2)
            .stderr
            .contains("did you mean drop-with?")
    );
    folder.run("explain 0123456789ab --record one", 2);
}

#[test]
fn compare_finds_what_was_lost() {
    let folder = measured();
    folder.run("run code --out two", 0);
    let same = folder.run("compare one two --detector leakbench", 0).stdout;
    assert!(same.contains("all leaks"), "{same}");
    let outcomes = folder.read("two/outcomes.csv");
    let row = outcomes
        .lines()
        .find(|row| row.contains(",leakbench,detected,"))
        .unwrap();
    let id = row.split(',').next().unwrap();
    folder.write(
        "two/outcomes.csv",
        outcomes.replace(row, &format!("{id},leakbench,missed,,,")).as_bytes(),
    );
    let worse = folder.run("compare one two", 0).stdout;
    assert!(
        worse.contains("leakbench: leaks lost: 1") && worse.contains(id),
        "{worse}"
    );
    folder.run("gate two --baseline one --max-lost 0", 1);
    folder.run("gate two --baseline one --max-lost 1", 0);
    let meta = folder
        .read("two/run.json")
        .replace("\"judging_rules\": 1", "\"judging_rules\": 99");
    folder.write("two/run.json", meta.as_bytes());
    assert!(folder.run("compare one two", 4).stderr.contains("judged by rules"));
}

#[test]
fn the_gate_is_never_green_on_nothing() {
    let folder = measured();
    folder.run("gate one --fail-under recall=0.5", 0);
    folder.run("gate one --fail-under recall=1.01", 1);
    folder.run("gate one --fail-over false_positive_rate=1", 0);
    folder.run("gate one --fail-under recall=0.5 --pattern handle-returned", 5);
    folder.run("gate one --fail-under recall=0.5 --min-mutants 1000", 5);
    folder.run("gate one --fail-under precision_at_base_rate=0", 5);
    assert!(
        folder
            .run("gate one --fail-under recal=0.5", 2)
            .stderr
            .contains("did you mean recall?")
    );
    assert!(
        folder
            .run("gate one --fail-under false_positive_rate=0.1", 2)
            .stderr
            .contains("--fail-over")
    );
    assert!(
        folder
            .run("gate one --fail-under recall=0 --detector leakbnech", 2)
            .stderr
            .contains("leakbench?")
    );
    folder.run("gate one --fail-under recall=nan", 2);
    folder.run("gate one", 2);
    folder.run("gate nowhere --fail-under recall=0.5", 2);
    let header = folder.read("one/scores.csv").lines().next().unwrap().to_owned() + "\n";
    folder.write("one/scores.csv", header.as_bytes());
    folder.run("gate one --fail-under recall=0", 5);
    folder.write("one/scores.csv", b"detector,corpus\n");
    assert!(
        folder
            .run("gate one --fail-under recall=0", 4)
            .stderr
            .contains("scores.csv:1")
    );
}

#[test]
fn a_triage_decision_outlives_moved_lines_and_reaches_the_next_run() {
    let folder = measured();
    let listed = folder.run("triage list one", 0).stdout;
    let key = listed
        .lines()
        .find_map(|line| line.strip_prefix("  "))
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let mut set = folder.command();
    set.args([
        "triage",
        "set",
        &key,
        "--verdict",
        "true",
        "--reason",
        "nobody closes it",
        "--record",
        "one",
    ]);
    set.assert().code(0);
    folder.run(&format!("triage set {key} --verdict true --record one"), 2);
    folder.write("code/b.py", format!("# moved\n\n{LEAKY}").as_bytes());
    folder.run("run code --out one", 0);
    assert!(!folder.run("triage list one", 0).stdout.contains(&key));
    assert!(
        folder
            .run("triage list one --all", 0)
            .stdout
            .contains("nobody closes it")
    );
    let clean = folder.read("one/clean_modules.csv");
    let row = clean
        .lines()
        .find(|row| row.starts_with("leakbench,code,b.py"))
        .unwrap();
    assert!(row.ends_with(",1,1,0,0,0,"), "{row}");
    folder.write(
        "triage.toml",
        b"[[decision]]\nkey = 'x'\nverdict = 'perhaps'\nreason = 'y'\n",
    );
    assert!(folder.run("run code --out one", 2).stderr.contains("triage.toml"));
}

#[test]
fn the_embedded_corpus_meets_its_own_demands() {
    let shown = Folder::new().run("corpus check", 0).stdout;
    assert!(shown.contains("in methods") && !shown.contains("MISSED"), "{shown}");
}

#[test]
fn modifiers_are_listed_and_explained() {
    let folder = Folder::new();
    let listed = folder.run("list mutators", 0).stdout;
    for modifier in ["silence-noqa", "swallow-exception"] {
        assert!(listed.contains(modifier), "{listed}");
        let page = folder.run(&format!("explain {modifier}"), 0).stdout;
        assert!(page.starts_with(&format!("# {modifier}\n")), "{page}");
    }
}

#[test]
fn help_has_examples_for_every_command() {
    let folder = Folder::new();
    for command in [
        "run",
        "check",
        "list",
        "explain",
        "compare",
        "gate",
        "triage",
        "corpus check",
    ] {
        let help = folder.run(&format!("{command} --help"), 0).stdout;
        assert!(help.contains("Examples:"), "{command}\n{help}");
    }
}
