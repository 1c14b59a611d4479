use leakbench::mutate::{Index, Pages, mutants_of};
use leakbench::python::{Module, Source};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let every: usize = args[0].parse().unwrap();
    let only = &args[1];
    let mods: Vec<Module> = args[2..].iter().filter_map(|p| Module::parse(p.clone(), Source::load(&std::fs::read(p).ok()?).ok()?).ok()).collect();
    let index = Index::new(mods.iter().map(Module::text));
    let pages = Pages::built_in();
    let mut counts = std::collections::BTreeMap::new();
    let mut n = 0;
    for m in &mods {
        for mu in mutants_of(&pages, m, &index) {
            *counts.entry(mu.mutator.clone()).or_insert(0) += 1;
            if only != "all" && &mu.mutator != only { continue; }
            n += 1;
            if every > 0 && n % every == 0 {
                let t = mu.edits.apply(m.text());
                println!("=== {} {} {} {} dup={:?} twins={:?}", m.path, mu.mutator, mu.qualname, mu.label.resource, mu.duplicate_of, mu.twin_of.len());
                print!("{}", similar::TextDiff::from_lines(m.text(), &t).unified_diff().context_radius(3));
            }
        }
    }
    println!("{counts:?}");
}
