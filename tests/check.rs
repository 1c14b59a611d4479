//! `leakbench check`: configuration, choice, baselines, suppression comments, stdin, and every format.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{CLEAN, Folder, LEAKY, Ran};
use serde_json::{Value, json};

/// A path leaves it open, and every path of a function does.
const PATHS: &str = "\
class Store:
    def load(self, path):
        handle = open(path)
        if not handle.read():
            return None
        handle.close()


def lines(path):
    handle = open(path)
    handle.read()
";

fn rules(ran: &Ran) -> Vec<String> {
    let log: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = log["findings"].as_array().unwrap().iter();
    findings.map(|each| each["rule"].as_str().unwrap().to_owned()).collect()
}

fn with_stdin(folder: &Folder, arguments: &str, text: &str, exit: i32) -> Ran {
    let mut command = folder.command();
    let output = command
        .args(arguments.split_whitespace())
        .write_stdin(text)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(exit),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn faults_of_a_configuration_name_file_line_and_key() {
    let folder = Folder::with(&[("a.py", LEAKY), ("leakbench.toml", "jobs = 1\nselct = []\n")]);
    let said = folder.run("check a.py", 2).stderr;
    assert!(
        said.contains("leakbench.toml:2: `selct`: unknown key; did you mean select?"),
        "{said}"
    );
    folder.run("run a.py", 2);
    folder.write(
        "leakbench.toml",
        b"[[resource]]\nkind = 'lease'\nacquire = ['pool.lease']\nrelaese = ['x']\n",
    );
    let said = folder.run("check a.py", 2).stderr;
    assert!(
        said.contains("leakbench.toml:4: `resource[1].relaese`: unknown key; did you mean release?"),
        "{said}"
    );
    folder.write("leakbench.toml", b"select = [\n");
    assert!(folder.run("check a.py", 2).stderr.contains("leakbench.toml:"));
    folder.run("check a.py --config nowhere.toml", 2);
}

#[test]
fn a_configuration_is_found_upward_and_the_command_line_goes_before_environment_and_file() {
    let folder = Folder::with(&[
        ("leakbench.toml", "select = ['release-skipped-on-path']\n"),
        ("pyproject.toml", "[tool.leakbench]\nselect = ['lock-not-released']\n"),
        ("deep/down/a.py", PATHS),
        ("deep/pyproject.toml", "[tool.other]\nx = 1\n"),
        ("other.toml", ""),
    ]);
    let run = |arguments: &str, variable: Option<(&str, &str)>, exit: i32| {
        let mut command = folder.command();
        command.current_dir(folder.path("deep/down")).envs(variable);
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let check = "check a.py --format concise";
    let of_file = run(check, None, 1);
    assert!(
        of_file.lines().count() == 1 && of_file.contains("release-skipped-on-path"),
        "{of_file}"
    );
    let of_environment = run(check, Some(("LEAKBENCH_SELECT", "never-released")), 1);
    assert!(
        of_environment.lines().count() == 1 && of_environment.contains("never-released"),
        "{of_environment}"
    );
    let selected = format!("{check} --select lock-not-released");
    assert_eq!(run(&selected, Some(("LEAKBENCH_SELECT", "never-released")), 0), "");
    assert_eq!(
        run(&format!("{check} --config ../../other.toml"), None, 1)
            .lines()
            .count(),
        2
    );
    run(&format!("{check} --config ../../pyproject.toml"), None, 0);
    run(&format!("{check} --config ../pyproject.toml"), None, 2);
}

#[test]
fn users_teach_resources_and_safe_callables_and_leave_modules_out() {
    let lease = "import pool\n\n\ndef take():\n    lease = pool.lease()\n    lease.use()\n";
    let folder = Folder::with(&[("src/a.py", lease), ("src/gen/b.py", LEAKY), ("src/c.py", LEAKY)]);
    assert_eq!(rules(&folder.run("check src --format json", 1)).len(), 2);
    folder.write(
        "leakbench.toml",
        b"exclude = ['gen/']\nsafe-callables = ['builtins.open']\n\
        [[resource]]\nkind = 'lease'\nacquire = ['pool.lease']\nrelease = ['give_back']\n",
    );
    let ran = folder.run("check src --format concise", 1);
    assert!(
        ran.stdout.starts_with("src/a.py:5:13: high never-released:"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stdout.lines().count(), 1);
    assert!(ran.stderr.contains("1 finding in 2 modules"), "{}", ran.stderr);
    folder.write("leakbench.toml", b"exclude = ['gen/']\n");
    folder.run("check src/gen/b.py", 1);
    assert_eq!(
        folder
            .run("check src --format concise --exclude c.py,/src/a.py", 1)
            .stdout
            .lines()
            .count(),
        1
    );
}

#[test]
fn patterns_are_selected_and_ignored_with_suggestions() {
    let folder = Folder::with(&[("a.py", PATHS)]);
    let all = rules(&folder.run("check a.py --format json", 1));
    assert_eq!(all, ["release-skipped-on-path", "never-released"]);
    let some = folder.run("check a.py --format json --ignore release-skipped-on-path", 1);
    assert_eq!(rules(&some), ["never-released"]);
    folder.run("check a.py --select lock-not-released,reference-cycle", 0);
    folder.run("check a.py --exit-zero", 0);
    let said = folder.run("check a.py --select never-relesed", 2).stderr;
    assert!(said.contains("did you mean never-released?"), "{said}");
    folder.run("check a.py --select never-released --ignore never-released", 2);
    // What the file ignores can be asked for.
    folder.write("leakbench.toml", b"ignore = ['never-released']\n");
    assert_eq!(
        rules(&folder.run("check a.py --format json", 1)),
        ["release-skipped-on-path"]
    );
    assert_eq!(
        rules(&folder.run("check a.py --format json --select never-released", 1)),
        ["never-released"]
    );
}

#[test]
fn comments_suppress_with_a_reason_and_are_held_to_it() {
    let text = LEAKY.replace(
        "open(path)",
        "open(path)  # leakbench: ignore[never-released] the process ends here",
    );
    let folder = Folder::with(&[("a.py", &text)]);
    folder.run("check a.py", 0);
    folder.write("a.py", text.replace(" the process ends here", "").as_bytes());
    assert_eq!(rules(&folder.run("check a.py --format json", 1)), ["suppression"]);
    folder.run("check a.py --ignore suppression", 0);
    folder.write("a.py", text.replace("never-released", "lock-not-released").as_bytes());
    assert_eq!(
        rules(&folder.run("check a.py --format json", 1)),
        ["never-released", "suppression"]
    );
    // A pattern that is not asked for is not needless because of that.
    folder.write("a.py", text.as_bytes());
    folder.run("check a.py --select suppression,lock-not-released", 0);
}

#[test]
fn a_baseline_survives_moved_lines_and_reports_what_is_new() {
    let folder = Folder::with(&[("a.py", PATHS)]);
    let ran = folder.run("check a.py --write-baseline known.json", 0);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("2 findings known from now on"),
        "{}",
        ran.stderr
    );
    folder.run("check a.py --baseline known.json", 0);
    folder.write(
        "a.py",
        format!("import os\n\n\n{PATHS}")
            .replace("open(path)", "open( path )  # moved")
            .as_bytes(),
    );
    folder.run("check a.py --baseline known.json", 0);
    // The same statement once more, and in another definition.
    folder.write(
        "a.py",
        format!("{PATHS}    handle = open(path)\n    handle.read()\n").as_bytes(),
    );
    let again = folder.run("check a.py --baseline known.json --format json", 1);
    assert!(!rules(&again).is_empty());
    folder.write(
        "a.py",
        format!("{PATHS}\n\ndef other(path):\n    handle = open(path)\n    handle.read()\n").as_bytes(),
    );
    let new: Value =
        serde_json::from_str(&folder.run("check a.py --baseline known.json --format json", 1).stdout).unwrap();
    assert_eq!(new["findings"].as_array().unwrap().len(), 1);
    assert_eq!(new["findings"][0]["qualname"], "other");
    folder.write("a.py", CLEAN.as_bytes());
    let ran = folder.run("check a.py --baseline known.json", 0);
    assert!(
        ran.stderr.contains("2 findings of the baseline no longer found"),
        "{}",
        ran.stderr
    );
    // Nothing is known to be gone from where nobody looked, or because nobody asked for it.
    folder.write("b.py", CLEAN.as_bytes());
    let elsewhere = folder.run("check b.py --baseline known.json", 0);
    folder.write("a.py", PATHS.as_bytes());
    let unasked = folder.run("check a.py --baseline known.json --select lock-not-released", 0);
    assert!(!elsewhere.stderr.contains("no longer") && !unasked.stderr.contains("no longer"));
    folder.write("known.json", b"{}");
    folder.run("check a.py --baseline known.json", 4);
    assert!(
        folder
            .run("check a.py --baseline nowhere.json", 2)
            .stderr
            .contains("--write-baseline")
    );
}

#[test]
fn stdin_is_a_module_with_a_name() {
    let folder = Folder::new();
    let ran = with_stdin(
        &folder,
        "check --stdin-filename src/app.py --format concise -",
        LEAKY,
        1,
    );
    assert!(
        ran.stdout.starts_with("src/app.py:2:14: high never-released:"),
        "{}",
        ran.stdout
    );
    assert!(
        with_stdin(&folder, "check -", LEAKY, 1)
            .stdout
            .starts_with("stdin.py:2:14:")
    );
    with_stdin(&folder, "check -", CLEAN, 0);
    assert!(
        with_stdin(&folder, "check -", "def f(:\n", 4)
            .stderr
            .contains("stdin.py:1:")
    );
    folder.write("a.py", CLEAN.as_bytes());
    folder.run("check a.py -", 2);
    folder.run("check a.py --stdin-filename b.py", 2);
}

#[test]
fn text_shows_the_lines_of_the_path_and_a_summary_beside_it() {
    let folder = Folder::with(&[("a.py", PATHS)]);
    let ran = folder.run("check a.py", 1);
    let expected = "\
  |
3 |         handle = open(path)
  |                  ^^^^^^^^^^ acquired here
4 |         if not handle.read():
5 |             return None
  |             ----------- still open when the function returns on line 5
  = help: use `with open(...) as …:`
";
    assert!(
        ran.stdout.starts_with("a.py:3:18: high release-skipped-on-path:"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains(expected) && !ran.stdout.contains('\u{1b}'),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("2 findings in 1 module\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("never-released              1"), "{}", ran.stderr);
}

#[test]
fn json_and_debt_items_say_how_much_it_matters() {
    let folder = Folder::with(&[("a.py", PATHS)]);
    let log: Value = serde_json::from_str(&folder.run("check a.py --format json", 1).stdout).unwrap();
    let first = &log["findings"][0];
    let members: Vec<&String> = first.as_object().unwrap().keys().collect();
    let expected = [
        "confidence",
        "end",
        "fingerprint",
        "impact",
        "message",
        "path",
        "patterns",
        "qualname",
        "related",
        "resource",
        "rule",
        "start",
        "suggestion",
    ];
    assert_eq!(members, expected);
    assert_eq!(
        (&first["qualname"], &first["impact"]["scope"]),
        (&json!("Store.load"), &json!("function"))
    );
    assert_eq!((&log["format"], &log["unparsed"]), (&json!(1), &json!([])));
    let debt: Value = serde_json::from_str(&folder.run("check a.py --format debt", 1).stdout).unwrap();
    let item = &debt["debt_items"][0];
    assert_eq!(item["id"], first["fingerprint"]);
    assert_eq!(
        (&item["kind"], &item["priority"]),
        (&json!("resource-leak/release-skipped-on-path"), &json!("high"))
    );
    assert_eq!(item["location"]["path"], "a.py");
}

/// What the schema requires, and what code-scanning services rest on.
#[test]
fn sarif_has_its_required_members_and_a_path() {
    let folder = Folder::with(&[("a b.py", PATHS), ("bad.py", "def f(:\n")]);
    folder.run("check . --write-baseline known.json --select never-released", 4);
    let log: Value =
        serde_json::from_str(&folder.run("check . --baseline known.json --format sarif", 1).stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].is_string());
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "leakbench");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], true);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert!(
        notification["message"]["text"]
            .as_str()
            .unwrap()
            .contains("not looked at")
    );
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["markdown"].is_string() && rule["shortDescription"]["text"].is_string());
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.py");
        assert_eq!(place["region"]["startLine"], 3);
        assert_eq!(result["baselineState"], "new");
        let print = result["partialFingerprints"]["leakbench/v1"].as_str().unwrap();
        assert!(print.len() == 16 && print.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
            .as_array()
            .unwrap();
        assert_eq!(flow.len(), 2);
        assert_eq!(flow[1]["location"]["physicalLocation"]["region"]["startLine"], 5);
    }
}

#[test]
fn github_annotations_and_csv_stand_on_their_own_lines() {
    let folder = Folder::with(&[("a.py", PATHS)]);
    let annotations = folder.run("check a.py --format github", 1).stdout;
    let lines: Vec<&str> = annotations.lines().collect();
    assert_eq!(lines.len(), 2);
    let head = "::error file=a.py,line=3,col=18,endColumn=28,title=leakbench release-skipped-on-path::";
    assert!(
        lines[0].starts_with(head) && lines[0].contains("%0Ahelp: "),
        "{annotations}"
    );
    let table = folder.run("check a.py --format csv", 1).stdout;
    let head = "path,line,column,end_line,end_column,rule,confidence,resource,qualname,message,suggestion,\
        leaves_line,severity,scope,score,fingerprint\n";
    assert!(table.starts_with(head), "{table}");
    assert!(
        table.contains("\na.py,3,18,3,28,release-skipped-on-path,high,file,Store.load,"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 3);
}

#[test]
fn jobs_and_the_order_of_paths_change_no_byte() {
    let folder = Folder::with(&[("x/a.py", PATHS), ("x/b.py", LEAKY), ("y/c.py", PATHS), ("z.py", CLEAN)]);
    for format in ["text", "concise", "json", "sarif", "github", "csv", "debt"] {
        let one = folder.run(&format!("check x y z.py --format {format} --jobs 1"), 1);
        let two = folder.run(&format!("check z.py y x --format {format} --jobs 2"), 1);
        assert_eq!((one.stdout, one.stderr), (two.stdout, two.stderr), "{format}");
    }
}
