//! The walls of the house (DESIGN section 2): who may know whom, read from the sources themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Rust sources by path relative to `src/`, comments taken out.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                sources.insert(name, code(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_in(file: &str, folder: &str) -> bool {
    file == format!("{folder}.rs") || file.starts_with(&format!("{folder}/"))
}

/// Where `words` stand in files for which `forbidden` holds.
fn breaches(words: &[&str], forbidden: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources().iter().filter(|(file, _)| forbidden(file)) {
        for line in text.lines() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{file}: {}", line.trim()));
            }
        }
    }
    found
}

fn holds(words: &[&str], forbidden: impl Fn(&str) -> bool) {
    let found = breaches(words, forbidden);
    assert!(found.is_empty(), "the wall is breached:\n{}", found.join("\n"));
}

/// How a folder of this crate is named, by any way: `use crate::{x}` is not in use here.
fn names_of(folders: &[&str]) -> Vec<String> {
    let forms = |folder: &&str| {
        [
            format!("crate::{folder}::"),
            format!("crate::{folder};"),
            format!("leakbench::{folder}"),
        ]
    };
    folders.iter().flat_map(forms).collect()
}

fn knows_none(folder: &str, others: &[&str]) {
    let names = names_of(others);
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    holds(&words, |file| is_in(file, folder));
}

const FOLDERS: [&str; 11] = [
    "cli", "console", "detect", "judge", "lab", "leak", "mutate", "python", "record", "report", "witness",
];

fn all_but(allowed: &[&str]) -> Vec<&'static str> {
    FOLDERS.into_iter().filter(|folder| !allowed.contains(folder)).collect()
}

#[test]
fn grouped_paths_do_not_hide_a_neighbour() {
    holds(&["crate::{", "use crate;"], |_| true);
}

#[test]
fn python_knows_no_other_folder() {
    knows_none("python", &all_but(&["python"]));
}

#[test]
fn leak_knows_only_the_spans_of_python() {
    knows_none("leak", &all_but(&["leak", "python"]));
    let found = breaches(&["crate::python"], |file| is_in(file, "leak"));
    let others: Vec<String> = found
        .into_iter()
        .filter(|line| !line.contains("python::Span"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn mutate_and_detect_never_see_each_other() {
    knows_none("mutate", &all_but(&["mutate", "leak", "python"]));
    knows_none("detect", &all_but(&["detect", "leak", "python"]));
    holds(&["detect/", "mutators/"], |file| {
        is_in(file, "detect") && !file.ends_with("tests.rs")
    });
    holds(&["detect/"], |file| is_in(file, "mutate"));
}

#[test]
fn judge_knows_values_only() {
    knows_none("judge", &all_but(&["judge", "leak", "python"]));
    holds(
        &[
            "std::fs",
            "std::io",
            "std::thread",
            "std::time",
            "std::env",
            "std::process",
        ],
        |file| is_in(file, "judge"),
    );
}

#[test]
fn mutate_and_detect_read_no_files_print_nothing_and_start_no_threads() {
    let words = [
        "std::fs",
        "std::io",
        "std::thread",
        "std::process",
        "rayon",
        "println!",
        "print!(",
        "eprint",
    ];
    holds(&words, |file| {
        (is_in(file, "mutate") || is_in(file, "detect")) && !is_test(file)
    });
}

/// Tests may read the pages that they hold the code against.
fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs") || file.contains("cases") || file.contains("/tests/")
}

/// It is told what to run as text, so that what it says of a label cannot rest on what made the label.
#[test]
fn the_witness_knows_the_vocabulary_only_and_starts_programs_with_the_tools_alone() {
    knows_none("witness", &all_but(&["witness", "leak"]));
    holds(&["process::Command", "process::{"], |file| {
        !is_in(file, "witness") && !is_in(file, "tool") && !is_test(file)
    });
}

#[test]
fn only_python_names_the_parser_crates() {
    holds(&["rustpython"], |file| !is_in(file, "python"));
}

#[test]
fn only_the_console_writes_to_the_terminal() {
    let words = [
        "println!",
        "eprintln!",
        " print!(",
        "eprint!(",
        "io::stdout",
        "io::stderr",
        "indicatif",
    ];
    holds(&words, |file| !is_in(file, "console") && !is_test(file));
}

#[test]
fn only_the_lab_owns_threads() {
    let words = ["rayon", "std::thread", "thread::spawn", "thread::scope"];
    // The default number of threads is asked and a program is waited for: neither starts one.
    let allowed = |line: &String| line.contains("available_parallelism") || line.contains("thread::sleep");
    let found = breaches(&words, |file| {
        !is_in(file, "lab") && file != "main.rs" && !is_test(file)
    });
    let found: Vec<String> = found.into_iter().filter(|line| !allowed(line)).collect();
    assert!(found.is_empty(), "the wall is breached:\n{}", found.join("\n"));
}

#[test]
fn nobody_below_the_command_line_knows_it() {
    for folder in ["lab", "record", "report"] {
        knows_none(folder, &["cli"]);
    }
    knows_none("lab", &["cli", "console", "report"]);
    knows_none("record", &["cli", "console", "report", "lab", "detect", "mutate"]);
    holds(&["anyhow"], |file| !is_in(file, "cli") && file != "main.rs");
}
