//! Bad input, each with its message and exit code: nothing panics, hangs or passes for a measurement.

mod common;

use common::{CLEAN, Folder};

/// `run` on one file with these bytes.
fn run_on(bytes: &[u8], exit: i32, message: &str) {
    let folder = Folder::new();
    folder.write("code/a.py", bytes);
    let ran = folder.run("run code", exit);
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(folder.path("results/latest/unparsed.csv").is_file());
}

#[test]
fn a_missing_folder() {
    let ran = Folder::new().run("run nowhere", 2);
    assert!(ran.stderr.contains("nowhere: no such file"), "{}", ran.stderr);
    Folder::new().run("check nowhere", 2);
    Folder::new().run("run --corpus nowhere", 2);
}

#[test]
fn an_empty_folder_and_one_without_python() {
    let folder = Folder::with(&[("notes/a.txt", "x")]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    for path in ["empty", "notes"] {
        assert!(folder.run(&format!("run {path}"), 5).stderr.contains("no Python file"));
        folder.run(&format!("check {path}"), 5);
    }
}

#[test]
fn a_file_that_does_not_parse() {
    run_on(b"def f(:\n", 4, "could not be parsed");
    let folder = Folder::with(&[("a.py", "def f(:\n")]);
    assert!(
        folder
            .run("check a.py", 4)
            .stderr
            .contains("a.py:1: unsupported syntax")
    );
}

#[test]
fn one_bad_file_in_ten_is_listed_and_the_run_goes_on() {
    let folder = Folder::new();
    folder.write("code/bad.py", b"def f(:\n");
    for number in 0..9 {
        folder.write(&format!("code/m{number}.py"), CLEAN.as_bytes());
    }
    let ran = folder.run("run code", 0);
    assert!(
        ran.stdout.contains("code/bad.py:1: unsupported syntax"),
        "{}",
        ran.stdout
    );
    assert!(folder.read("results/latest/unparsed.csv").contains("code,bad.py,"));
}

#[test]
fn latin_1_with_and_without_a_coding_line() {
    let body = [CLEAN.as_bytes(), b"NAME = '\xe9'\n"].concat();
    run_on(&body, 4, "could not be parsed");
    let folder = Folder::new();
    folder.write("code/a.py", &[b"# coding: latin-1\n", &body[..]].concat());
    folder.run("run code", 0);
}

#[test]
fn zero_bytes() {
    run_on(b"", 5, "no mutant could be made");
    run_on(b"a = '\0'\n", 4, "could not be parsed");
}

#[test]
fn fifty_megabytes() {
    let folder = Folder::new();
    folder.write("code/a.py", &b"a = 1\n".repeat(50 << 20 >> 2)[..50 << 20]);
    folder.run("run code", 4);
    assert!(folder.read("results/latest/unparsed.csv").contains("larger than 8 MiB"));
}

#[test]
fn a_hundred_thousand_nested_brackets() {
    let text = format!("a = {}{}\n", "(".repeat(100_000), ")".repeat(100_000));
    run_on(text.as_bytes(), 4, "could not be parsed");
    let deep = format!("a = {}1\n", "-".repeat(100_000));
    run_on(deep.as_bytes(), 4, "could not be parsed");
}

#[cfg(unix)]
#[test]
fn a_symlink_loop() {
    let folder = Folder::with(&[("code/a.py", CLEAN)]);
    std::os::unix::fs::symlink(".", folder.path("code/loop")).unwrap();
    std::os::unix::fs::symlink("a.py", folder.path("code/twice.py")).unwrap();
    folder.run("run code", 0);
    let meta = folder.read("results/latest/run.json");
    assert!(meta.contains("\"modules\": 1"), "a module counts once: {meta}");
}

#[cfg(unix)]
#[test]
fn an_unreadable_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with(&[("code/a.py", CLEAN)]);
    let path = folder.path("code/a.py");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        return; // the superuser may read everything
    }
    folder.run("run code", 4);
    assert!(folder.read("results/latest/unparsed.csv").contains("permission denied"));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_module() {
    let folder = Folder::with(&[("code/a.py", CLEAN)]);
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path("code/pipe.py"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        folder.run("run code", 0);
        folder.run("check code/pipe.py", 2);
    }
}

#[test]
fn an_unwritable_out_fails_before_any_work() {
    let folder = Folder::with(&[("code/a.py", CLEAN), ("file", "")]);
    let ran = folder.run("run code --out file/record", 2);
    assert!(
        ran.stderr.contains("file/record") && ran.stderr.contains("--out"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_page_with_a_broken_template() {
    let page = "+++\npattern = \"never-released\"\neffect = \"leak\"\nlabel = \"$a\"\nwitness = \"unreleased\"\n+++\n\
                # broken\n\nIt is broken.\n\n```rewrite\n-with $a as (:\n+$a\n```\n";
    let folder = Folder::with(&[("code/a.py", CLEAN), ("pages/broken.md", page), ("empty/README.md", "")]);
    let ran = folder.run("run code --mutators pages", 2);
    assert!(ran.stderr.contains("broken.md:"), "{}", ran.stderr);
    folder.run("run code --mutators empty", 2);
    folder.run("run code --mutators nowhere", 2);
}

#[test]
fn a_corpus_that_contradicts_itself() {
    let folder = Folder::with(&[
        ("a/corpus.toml", "name = 'a'\n[[module]]\npath = 'x.py'\n"),
        ("a/y.py", CLEAN),
    ]);
    assert!(
        folder
            .run("run --corpus a", 4)
            .stderr
            .contains("x.py, which is not there")
    );
    folder.write("a/corpus.toml", b"name = 'a'\nklean = true\n");
    assert!(folder.run("run --corpus a", 4).stderr.contains("klean"));
    folder.write("b/y.py", CLEAN.as_bytes());
    assert!(folder.run("run --corpus b", 4).stderr.contains("corpus.toml"));
}

#[test]
fn a_folder_inside_another_one() {
    let folder = Folder::with(&[("code/inner/a.py", CLEAN)]);
    assert!(folder.run("run code code/inner", 2).stderr.contains("lies in"));
}

#[test]
fn a_damaged_record() {
    let folder = Folder::with(&[("code/a.py", CLEAN)]);
    folder.run("run code --out one", 0);
    let rows = folder.read("one/outcomes.csv").replacen(",detected,", ",invented,", 1);
    folder.write("one/outcomes.csv", rows.as_bytes());
    let ran = folder.run("compare one one", 4);
    assert!(
        ran.stderr.contains("outcomes.csv:") && ran.stderr.contains("invented"),
        "{}",
        ran.stderr
    );
    folder.write("one/run.json", b"{");
    assert!(
        folder
            .run("gate one --fail-under recall=0", 4)
            .stderr
            .contains("run.json:1")
    );
}

/// The reader of our output goes away, as `head` does.
#[cfg(unix)]
#[test]
fn a_closed_pipe() {
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    let program = assert_cmd::cargo::cargo_bin!("leakbench");
    let mut child = Command::new(program)
        .args(["explain", "drop-with"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// A valid record that says what it lacks.
#[cfg(unix)]
#[test]
fn ctrl_c_in_the_middle() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = Folder::new();
    for number in 0..100 {
        folder.write(&format!("code/p{number}/m.py"), CLEAN.repeat(12).as_bytes());
    }
    let program = assert_cmd::cargo::cargo_bin!("leakbench");
    let child = Command::new(program)
        .args(["run", "code", "--per-mutator", "100000", "-j", "1"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !folder.path("results/latest/mutants.csv").is_file() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let meta = folder.read("results/latest/run.json");
    assert!(
        meta.contains("\"complete\": false") && meta.contains("interrupted"),
        "{meta}"
    );
    let rows = |file: &str| folder.read(&format!("results/latest/{file}")).lines().count() - 1;
    assert_eq!(rows("outcomes.csv") % 2, 0);
    assert!(
        folder
            .read("results/latest/outcomes.csv")
            .contains(",no-verdict,,,not-run")
    );
    folder.run("gate results/latest --fail-under recall=0", 4);
}
