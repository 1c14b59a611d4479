//! Prints the findings of the built-in suite on files and folders, one per line; for reading by eye.

use std::path::{Path, PathBuf};

use leakbench::detect::suites;
use leakbench::python::{Module, Source};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example writes to the terminal"
)]
fn main() {
    let mut files = Vec::new();
    for root in std::env::args().skip(1) {
        collect(Path::new(&root), &mut files);
    }
    files.sort();
    let suites = suites();
    let (mut lines, mut parsing, mut detecting) = (0, std::time::Duration::ZERO, std::time::Duration::ZERO);
    for file in &files {
        let Ok(bytes) = std::fs::read(file) else { continue };
        let start = std::time::Instant::now();
        let Ok(module) = Source::load(&bytes).and_then(|source| Module::parse(file.to_string_lossy(), source)) else {
            eprintln!("unparsed: {}", file.display());
            continue;
        };
        parsing += start.elapsed();
        lines += module.lines.line_count();
        let start = std::time::Instant::now();
        for finding in suites[0].findings(&module) {
            let line = module.lines.line_of(finding.span.start) + 1;
            let (path, rule, confidence) = (&module.path, &finding.rule, finding.confidence);
            println!("{path}:{line}: {confidence} {rule}: {}", finding.message);
        }
        detecting += start.elapsed();
        if start.elapsed().as_millis() > 500 {
            eprintln!("slow: {} {:?}", file.display(), start.elapsed());
        }
    }
    eprintln!(
        "{} files, {lines} lines, parsing {parsing:?}, detecting {detecting:?}",
        files.len()
    );
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            let skipped = ["test", "tests", "idle_test", "site-packages", "lib2to3", "__pycache__"];
            if !skipped.contains(&entry.file_name().to_string_lossy().as_ref()) {
                collect(&entry.path(), files);
            }
        }
    } else if path.extension().is_some_and(|extension| extension == "py") {
        files.push(path.to_owned());
    }
}
