//! Every mutant of real code compiles under CPython, undoes to its original, and keeps all bytes
//! outside its edits.
//!
//! The code is a sample of the standard library of the `python3` on the path; `LEAKBENCH_FULL=1`
//! takes all of it, `LEAKBENCH_CODE=DIR` another folder.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the test says what it measured or why it was skipped"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use leakbench::mutate::{Index, Mutant, Pages, mutants_of};
use leakbench::python::parse::parse_suite;
use leakbench::python::{Module, Source};

const SAMPLE: usize = 150;

fn python_files() -> Option<Vec<PathBuf>> {
    let root = if let Some(root) = std::env::var_os("LEAKBENCH_CODE") {
        PathBuf::from(root)
    } else {
        let script = "import sysconfig; print(sysconfig.get_paths()['stdlib'])";
        let output = Command::new("python3").args(["-c", script]).output().ok()?;
        PathBuf::from(String::from_utf8(output.stdout).ok()?.trim())
    };
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    if std::env::var_os("LEAKBENCH_FULL").is_none() && std::env::var_os("LEAKBENCH_CODE").is_none() {
        let step = (files.len() / SAMPLE).max(1);
        files = files.into_iter().step_by(step).collect();
    }
    Some(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "site-packages" && name != "__pycache__" {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

/// What holds for a mutant whatever its page says.
fn check(module: &Module, mutant: &Mutant) -> String {
    let text = mutant.edits.apply(module.text());
    assert_eq!(
        mutant.edits.undo(module.text()).apply(&text),
        module.text(),
        "{} does not undo",
        mutant.id
    );
    let (map, mut at) = (mutant.edits.map(), 0);
    for edit in mutant.edits.list() {
        for kept in [at, edit.span.start.saturating_sub(1).max(at)]
            .into_iter()
            .filter(|kept| *kept < edit.span.start)
        {
            let new = map.to_new(kept).expect("a byte outside the edits is kept");
            assert_eq!(text.as_bytes()[new as usize], module.text().as_bytes()[kept as usize]);
            assert_eq!(map.to_old(new), Some(kept));
        }
        at = edit.span.end;
    }
    if let Err(error) = parse_suite(&text) {
        panic!(
            "{}: {} of {} does not parse: {error}",
            module.path, mutant.id, mutant.mutator
        );
    }
    let region = mutant.label.places[0].region;
    assert!(
        region.holds(mutant.label.span.start),
        "{}: the label of {} lies outside its region",
        module.path,
        mutant.mutator
    );
    text
}

#[test]
fn every_mutant_of_real_code_compiles_and_undoes() {
    let Some(files) = python_files() else {
        eprintln!("skipped: no python3");
        return;
    };
    let worker = std::thread::Builder::new().stack_size(256 << 20);
    worker
        .spawn(move || run(&files))
        .expect("a thread can be started")
        .join()
        .expect("every mutant is sound");
}

fn run(files: &[PathBuf]) {
    let modules: Vec<Module> = files
        .iter()
        .filter_map(|path| Module::parse(path.to_string_lossy(), Source::load(&fs::read(path).ok()?).ok()?).ok())
        .collect();
    let index = Index::new(modules.iter().map(Module::text));
    let pages = Pages::built_in();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/compile_texts.py");
    let compiler = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut compiler = compiler.expect("python3 starts");
    let mut input = compiler.stdin.take().expect("its input is piped");
    let reader = std::thread::spawn(move || compiler.wait_with_output());
    let (mut count, mut seconds) = (0, 0.0);
    for module in &modules {
        let start = Instant::now();
        let mutants = mutants_of(&pages, module, &index);
        seconds += start.elapsed().as_secs_f64();
        for mutant in &mutants {
            let text = check(module, mutant);
            let name = format!("{} {} {}", module.path, mutant.mutator, mutant.id);
            let line = serde_json::json!({ "name": name, "text": text });
            writeln!(input, "{line}").expect("the compiler reads");
            count += 1;
        }
    }
    drop(input);
    let output = reader.join().expect("the reader ends").expect("the compiler ends");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{count} mutants of {} modules in {seconds:.2} s", modules.len());
    assert_eq!(said.trim(), format!("compiled {count}"));
}
