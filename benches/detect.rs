//! How the suite scales: `cargo bench --bench detect` analyses generated modules of growing size, with FOLDERs behind
//! `--` every module below each, beside parsing them alone, and with a FILE.py one text of more and more copies of it.
//! All on one core; it prints ratios, and nothing is judged by them.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use leakbench::detect::{Suite, suites};
use leakbench::python::{Module, Names, ScopeId, Source};

/// One shape of generated code, for a given size.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 11] = [
    ("lines", |size| body("    a(b)\n", size)),
    ("branches", |size| body("    if a: b()\n    a(b)\n", size)),
    ("acquisitions", |size| {
        body("    y = open(p)\n    y.read()\n    y.close()\n", size)
    }),
    ("handles", handles),
    ("early returns", |size| body("    if a(): return b\n", size)),
    ("lambdas", |size| body("    a(map(lambda b: x.read(b), p))\n", size)),
    ("handlers", |size| {
        body("    a.addHandler(x)\n    a.removeHandler(x)\n", size)
    }),
    ("attributes", attributes),
    ("methods", methods),
    ("nested tries", nested),
    ("functions", functions),
];
const SIZE: usize = 500;
const TIMES: [usize; 4] = [1, 2, 4, 8];
/// The smallest text is analysed this often, larger ones less.
const ROUNDS: usize = 16;
/// Deeper nesting than this is one opaque step to the flow graph.
const MAX_NESTING: usize = 1_000;

fn body(line: &str, size: usize) -> String {
    format!("def f(p, a, b):\n    x = open(p)\n{}    x.close()\n", line.repeat(size))
}

/// All open at once, in one function.
fn handles(size: usize) -> String {
    let line = |end: &str| {
        let lines = (0..size / 2).map(|number| format!("    x{number}{end}\n"));
        lines.collect::<String>()
    };
    format!("def f(p):\n{}{}", line(" = open(p)"), line(".close()"))
}

/// One class with methods that call one another.
fn methods(size: usize) -> String {
    let method = |number: usize| {
        let next = number + 1;
        format!("    def m{number}(self):\n        self.x.read()\n        self.m{next}()\n")
    };
    let lines = (0..size / 3).map(method).collect::<String>();
    format!(
        "class C:\n    def __init__(self, p):\n        self.x = open(p)\n{lines}    def close(self):\n        self.x.close()\n"
    )
}

/// A module of many small functions and classes.
fn functions(size: usize) -> String {
    let one = |number: usize| {
        let handle = format!("def f{number}(p):\n    x = open(p)\n    x.read()\n    x.close()\n");
        let user = format!("def g{number}(p):\n    y = f{number}(p)\n    return C{number}(y)\n");
        let owner = format!("class C{number}:\n    def __init__(self, p):\n        self.x = open(p)\n");
        [handle, user, owner].concat()
    };
    (0..size / 10).map(one).collect()
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

/// Microseconds of analysis for each line, at the text's size and multiples of it.
fn growing(suite: &Suite, name: &str, text: impl Fn(usize) -> String) {
    let per_line = TIMES.map(|times| {
        let text = text(times);
        let (lines, rounds) = (text.lines().count(), ROUNDS / times);
        let analysed = u32::try_from(lines * rounds).expect("few lines");
        let module = Module::parse("generated.py", Source::from_text(text)).expect("the text is Python");
        let start = cpu_seconds();
        for _ in 0..rounds {
            std::hint::black_box(suite.findings(&module));
        }
        let passed = (cpu_seconds() - start) * 1e6;
        passed / f64::from(analysed)
    });
    let growth = per_line[TIMES.len() - 1] / per_line[0];
    println!("{name:14} {per_line:6.1?} µs a line at {TIMES:?} times the size: {growth:.1} times as much");
}

/// The text so many times, each copy with names of its own for the functions and classes of the module.
fn copies(text: &str, times: usize) -> String {
    let module = Module::parse("m.py", Source::from_text(text)).expect("the file is Python");
    let names = Names::new(&module);
    let outermost = names
        .scopes()
        .filter(|(_, scope)| scope.parent == Some(ScopeId::MODULE));
    let defined: BTreeSet<&str> = outermost.map(|(_, scope)| scope.name()).collect();
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let copy = |number: usize| {
        let (mut copy, suffix) = (String::new(), format!("_{number}"));
        for piece in text.split_inclusive(|letter| !is_word(letter)) {
            let word = piece.trim_end_matches(|letter| !is_word(letter));
            copy += word;
            if defined.contains(word) {
                copy += &suffix;
            }
            copy += &piece[word.len()..];
        }
        copy + "\n"
    };
    (0..times).map(copy).collect()
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

fn measure(paths: &[String]) {
    let suites = suites();
    let suite = &suites[0];
    if paths.is_empty() {
        for (name, shape) in SHAPES {
            growing(suite, name, |times| shape(SIZE * times));
        }
    }
    for path in paths {
        match fs::read_to_string(path) {
            Ok(text) => growing(suite, path, |times| copies(&text, times)),
            Err(_) => folder(suite, Path::new(path)),
        }
    }
}

fn main() {
    let paths: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let worker = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(move || measure(&paths));
    worker
        .expect("a thread can be started")
        .join()
        .expect("the measurement ends");
}
