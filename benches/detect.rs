//! How the suite scales: `cargo bench --bench detect` analyses generated functions of growing size, and
//! `cargo bench --bench detect -- FOLDER` every module below a folder, beside parsing them alone, on one core.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

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

/// Of this thread, where the system tells it: others may be busy. Else by the clock.
fn cpu_seconds() -> f64 {
    let ran = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = ran.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(
        || UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}

fn folder(suite: &Suite, folder: &Path) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let texts: Vec<Vec<u8>> = files.iter().filter_map(|path| fs::read(path).ok()).collect();
    let parse = |bytes: &Vec<u8>| Module::parse("m.py", Source::load(bytes).ok()?).ok();
    let start = cpu_seconds();
    let parsed = texts.iter().filter_map(parse).count();
    let parsing = cpu_seconds() - start;
    let start = cpu_seconds();
    let modules = texts.iter().filter_map(parse);
    let findings: usize = modules.map(|module| suite.findings(&module).len()).sum();
    let all = cpu_seconds() - start;
    println!("{parsed} modules, {findings} findings");
    println!(
        "parsing alone {parsing:.2} s, parsing and analysis {all:.2} s of CPU: {:.2} times",
        all / parsing
    );
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
