//! Runs the cases of every page, and holds the promises about them.

use std::fmt::Write;
use std::path::Path;

use super::draft::{Draft, declined, drafts_of, drafts_of_split, finish, mutants_of};
use super::facts::Facts;
use super::index::Index;
use super::mutant::Mutant;
use super::page::{Case, Page, Pages};
use super::split::split_withs;
use crate::leak::Effect;
use crate::python::{LineIndex, Module, Source, Span};

/// The pages as they stand in the folder: what is embedded may be older than what its author just wrote.
pub(super) fn pages_in_folder() -> Pages {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/mutators");
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let names = entries.map(|entry| {
        entry
            .expect("the folder can be listed")
            .file_name()
            .into_string()
            .expect("a name is UTF-8")
    });
    let pages = names
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md") && name != "README.md");
    let text = |name: &String| std::fs::read_to_string(format!("{folder}/{name}")).expect("a page can be read");
    let files: Vec<(String, String)> = pages.map(|name| (name.clone(), text(&name))).collect();
    Pages::default().with_files(&files).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", errors.join("\n"))
    })
}

/// The mutants that one page makes of a case, as the page writes them.
fn mutants_of_case(page: &Page, case: &Case) -> Vec<String> {
    let module = Module::parse("case.py", Source::from_text(&case.input)).expect("the case is Python");
    let index = Index::new(case.elsewhere.iter().chain([&case.input]).map(String::as_str));
    let pages = Pages::of(page.clone());
    let facts = Facts::new(&module, &index, pages.own());
    let mut drafts: Vec<Draft> = drafts_of(page, &facts, &mut |_| ());
    for split in split_withs(&module) {
        drafts.extend(drafts_of_split(&split, &pages, &module, &index, &mut |_, _| ()));
    }
    finish(&pages, &module, drafts)
        .iter()
        .map(|mutant| marked(mutant, &case.input))
        .collect()
}

/// The mutant's text with its labelled lines marked.
fn marked(mutant: &Mutant, original: &str) -> String {
    let text = mutant.edits.apply(original);
    assert_eq!(
        mutant.edits.undo(original).apply(&text),
        original,
        "undoing gives the original back"
    );
    let lines = LineIndex::new(&text);
    let mut marks = vec![(lines.line_of(mutant.label.span.start), mutant.label.effect.word())];
    for place in mutant.label.places.iter().skip(1) {
        let line = lines.line_of(place.region.start);
        if marks.iter().all(|(marked, _)| *marked != line) {
            marks.push((line, "also"));
        }
    }
    let mut out = String::new();
    for (number, line) in (0..).zip(text.lines()) {
        let mark = marks.iter().find(|(marked, _)| *marked == number);
        let mark = mark.map_or_else(String::new, |(_, word)| format!("  # {word}"));
        let _ = writeln!(out, "{line}{mark}");
    }
    out
}

/// What differs between a page's cases and what it does.
fn failures(page: &Page) -> Vec<String> {
    let mut failures = Vec::new();
    for case in &page.cases {
        let found = mutants_of_case(page, case);
        let expected: Vec<&str> = case.mutants.iter().map(|(text, _)| text.as_str()).collect();
        if found != expected {
            let found = found.join("---\n");
            failures.push(format!(
                "{}.md:{} {}\nexpected {} mutants, found:\n{found}",
                page.id,
                case.line,
                case.title,
                expected.len()
            ));
        }
    }
    failures
}

#[test]
fn every_page_does_what_its_cases_say() {
    let pages = pages_in_folder();
    if std::env::var_os("LEAKBENCH_BLESS").is_some() {
        pages.list().iter().for_each(bless);
        return;
    }
    let failures: Vec<String> = pages.list().iter().flat_map(failures).collect();
    assert!(
        failures.is_empty(),
        "{}\n(LEAKBENCH_BLESS=1 cargo test rewrites the mutants)",
        failures.join("\n")
    );
}

/// Writes what a page does into its `py mutant` blocks; never touches anything else.
fn bless(page: &Page) {
    let path = format!("{}/mutators/{}.md", env!("CARGO_MANIFEST_DIR"), page.id);
    let lines: Vec<&str> = page.text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    for case in &page.cases {
        let end = (case.line - 1 + case.length + 1) as usize;
        copy(&lines[at..end], &mut out);
        at = end;
        if let Some((text, line)) = case.mutants.last() {
            at = *line as usize - 1 + text.lines().count() + 1;
        }
        for mutant in mutants_of_case(page, case) {
            let _ = write!(out, "\n```py mutant\n{mutant}```\n");
        }
    }
    copy(&lines[at..], &mut out);
    std::fs::write(path, out).expect("the page can be written");
}

fn copy(lines: &[&str], out: &mut String) {
    for line in lines {
        out.extend([line, "\n"]);
    }
}

#[test]
fn every_condition_of_a_page_is_needed() {
    let mut idle = Vec::new();
    for page in pages_in_folder().list() {
        for at in 0..page.conditions.len() {
            let mut without = page.clone();
            let condition = without.conditions.remove(at);
            if without.validate().is_ok() && failures(&without).is_empty() {
                idle.push(format!("{}: {}", page.id, condition.text));
            }
        }
    }
    assert!(idle.is_empty(), "no case fails without:\n{}", idle.join("\n"));
}

#[test]
fn every_condition_word_is_used_and_documented() {
    let documentation = include_str!("../../mutators/README.md");
    let pages = pages_in_folder();
    for word in super::condition::condition_names() {
        let used = pages
            .list()
            .iter()
            .flat_map(|page| &page.conditions)
            .any(|condition| condition.text.contains(&format!("{word}(")));
        assert!(used, "no page uses {word}");
        assert!(
            documentation.contains(&format!("`{word}(")),
            "mutators/README.md does not explain {word}"
        );
    }
}

#[test]
fn every_leak_mutator_has_a_primary_decoy_that_names_it() {
    let pages = pages_in_folder();
    for page in pages.list().iter().filter(|page| page.effect == Effect::Leak) {
        let primary = page.primary.as_deref().and_then(|primary| pages.get(primary));
        let primary = primary.unwrap_or_else(|| panic!("{} has no primary decoy", page.id));
        assert!(
            primary.twin_of.contains(&page.id),
            "{} does not name {} in twin_of",
            primary.id,
            page.id
        );
    }
}

fn all_mutants(text: &str) -> Vec<Mutant> {
    let module = Module::parse("module.py", Source::from_text(text)).unwrap();
    mutants_of(&pages_in_folder(), &module, &Index::new([text]))
}

const SAMPLE: &str = "def load(path):\n    with open(path) as handle:\n        text = handle.read()\n        text = text.strip()\n    return text\n";

#[test]
fn a_leak_and_its_primary_decoy_share_the_acquisition() {
    let mutants = all_mutants(SAMPLE);
    let leak = mutants.iter().find(|mutant| mutant.mutator == "drop-with").unwrap();
    let decoy = mutants.iter().find(|mutant| mutant.mutator == "try-finally").unwrap();
    assert_eq!(leak.label_site, decoy.label_site);
    assert!(decoy.twin_of.iter().any(|twin| twin.leak == leak.id && twin.primary));
}

#[test]
fn ids_survive_edits_elsewhere() {
    let ids = |text: &str| {
        let ids = all_mutants(text).into_iter().map(|mutant| mutant.id);
        // What a mutant adds at the top of the module moves its place in the order.
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(SAMPLE), ids(&format!("import os\n\n\n{SAMPLE}\nprint(os)\n")));
}

#[test]
fn line_ends_and_tabs_are_kept() {
    let text = SAMPLE.replace("    ", "\t").replace('\n', "\r\n");
    let mutants = all_mutants(&text);
    let leak = mutants.iter().find(|mutant| mutant.mutator == "with-to-close").unwrap();
    let expected = "def load(path):\r\n\thandle = open(path)\r\n\ttext = handle.read()\r\n\ttext = text.strip()\r\n\thandle.close()\r\n\treturn text\r\n";
    assert_eq!(leak.edits.apply(&text), expected);
    assert_eq!(leak.label.places[0].region.of(expected), "handle = open(path)");
}

#[test]
fn a_label_names_the_acquisition_and_its_statement() {
    let text = "with open('a') as f:\n    g(f)\n    h(f)\n";
    let pages = pages_in_folder();
    let labelled = all_mutants(text)
        .into_iter()
        .filter(|mutant| pages.get(&mutant.mutator).unwrap().label == "acquire");
    for mutant in labelled {
        let new = mutant.edits.apply(text);
        assert!(
            mutant.label.span.of(&new).starts_with("open('a')"),
            "{}: {}",
            mutant.mutator,
            mutant.label.span.of(&new)
        );
        assert!(
            mutant.label.places[0]
                .region
                .contains(Span::at(mutant.label.span.start))
        );
    }
}

#[test]
fn arguments_that_are_the_label_stand_for_their_call() {
    let text = "import subprocess\n\ndef sweep(words):\n    subprocess.run(list(words))\n";
    let mutants = all_mutants(text);
    let leak = mutants
        .iter()
        .find(|mutant| mutant.mutator == "popen-and-forget")
        .unwrap();
    let new = leak.edits.apply(text);
    assert_eq!(leak.label.span.of(&new), "subprocess.Popen(list(words))");
}

#[test]
fn what_declines_is_counted_by_its_condition() {
    let text = "def load(path, keep):\n    with open(path) as handle:\n        keep(handle)\n        return handle\n";
    let module = Module::parse("module.py", Source::from_text(text)).unwrap();
    let declined = declined(&pages_in_folder(), &module, &Index::new([text]));
    assert_eq!(declined["drop-with"]["not handed-on($name, $$body)"], 1);
}
