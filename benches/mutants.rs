//! How fast mutants are made: `cargo bench --bench mutants -- FOLDER` parses every module below a folder
//! once and makes all mutants of all pages, each checked by parsing its definition again, on one core.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use leakbench::mutate::{Index, Pages, mutants_of};
use leakbench::python::names::Names;
use leakbench::python::{Module, Source};

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

fn measure(folder: &Path) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let sources = files.iter().filter_map(|path| Some((path, fs::read(path).ok()?)));
    let sources: Vec<(String, Source)> = sources
        .filter_map(|(path, bytes)| Some((path.to_string_lossy().into_owned(), Source::load(&bytes).ok()?)))
        .collect();
    let bytes: usize = sources.iter().map(|(_, source)| source.text.len()).sum();
    let start = Instant::now();
    let modules = sources
        .into_iter()
        .filter_map(|(path, source)| Module::parse(path, source).ok());
    let modules: Vec<Module> = modules.collect();
    let parsing = start.elapsed().as_secs_f64();
    let start = Instant::now();
    for module in &modules {
        std::hint::black_box(Names::new(module));
    }
    let names = start.elapsed().as_secs_f64();
    let index = Index::new(modules.iter().map(Module::text));
    let pages = Pages::built_in();
    let start = Instant::now();
    let mutants: usize = modules
        .iter()
        .map(|module| mutants_of(&pages, module, &index).len())
        .sum();
    let making = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let (mutants_per_second, megabytes) = (mutants as f64 / making, bytes as f64 / 1e6);
    println!("{} modules, {megabytes:.1} MB: parsing {parsing:.2} s", modules.len());
    println!(
        "{mutants} mutants in {making:.2} s ({mutants_per_second:.0} per second), of it indexing names {names:.2} s"
    );
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = PathBuf::from(folder.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/corpus").to_owned()));
    let worker = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(move || measure(&folder));
    worker
        .expect("a thread can be started")
        .join()
        .expect("the measurement ends");
}
