//! How the suite scales: `cargo bench --bench detect` analyses generated functions of growing size, and
//! `cargo bench --bench detect -- FOLDER` every module below a folder, on one core.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use leakbench::detect::{Suite, suites};
use leakbench::python::{Module, Source};

/// One shape of generated code, for a given size.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 6] = [
    ("lines", |size| body("    a(b)\n", size)),
    ("branches", |size| body("    if a: b()\n    a(b)\n", size)),
    ("acquisitions", |size| {
        body("    y = open(p)\n    y.read()\n    y.close()\n", size)
    }),
    ("early returns", |size| body("    if a(): return b\n", size)),
    ("attributes", attributes),
    ("nested tries", nested),
];
const SIZES: [usize; 3] = [1_000, 2_000, 4_000];
/// Deeper nesting than this is one opaque step to the flow graph.
const MAX_NESTING: usize = 1_000;

fn body(line: &str, size: usize) -> String {
    format!("def f(p, a, b):\n    x = open(p)\n{}    x.close()\n", line.repeat(size))
}

fn attributes(size: usize) -> String {
    let lines: String = (0..size)
        .flat_map(|number| [format!("        self.x{number} = open(p)\n")])
        .collect();
    format!("class C:\n    def __init__(self, p):\n{lines}\n    def close(self):\n        self.x0.close()\n")
}

fn nested(size: usize) -> String {
    let depth = (size / 4).min(MAX_NESTING);
    let tries: String = (1..depth)
        .flat_map(|depth| [" ".repeat(depth + 1), "try:\n".to_owned()])
        .collect();
    let finals: String = (1..depth)
        .rev()
        .flat_map(|depth| [" ".repeat(depth + 1), "finally: a()\n".to_owned()])
        .collect();
    let deepest = " ".repeat(depth + 1);
    format!("def f(p, a):\n  x = open(p)\n{tries}{deepest}x.read()\n{finals}")
}

fn generated(suite: &Suite) {
    for (name, shape) in SHAPES {
        let seconds = SIZES.map(|size| {
            let module = Module::parse("generated.py", Source::from_text(shape(size))).expect("the shape is Python");
            let start = Instant::now();
            std::hint::black_box(suite.findings(&module));
            start.elapsed().as_secs_f64()
        });
        let growth = seconds[2] / seconds[1];
        println!("{name:14} {SIZES:?}: {seconds:.3?} s, {growth:.1} times for twice the size");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() && !path.ends_with("site-packages") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

fn folder(suite: &Suite, folder: &Path) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let sources = files.iter().filter_map(|path| {
        let source = Source::load(&fs::read(path).ok()?).ok()?;
        Module::parse(path.to_string_lossy().into_owned(), source).ok()
    });
    let modules: Vec<Module> = sources.collect();
    let start = Instant::now();
    let findings: usize = modules.iter().map(|module| suite.findings(module).len()).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("{} modules, {findings} findings: {seconds:.2} s", modules.len());
}

fn measure(folders: &[String]) {
    let suites = suites();
    if folders.is_empty() {
        generated(&suites[0]);
    }
    for path in folders {
        folder(&suites[0], Path::new(path));
    }
}

fn main() {
    let folders: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let worker = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(move || measure(&folders));
    worker
        .expect("a thread can be started")
        .join()
        .expect("the measurement ends");
}
