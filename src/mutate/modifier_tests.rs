//! Runs the pages of modifiers: a `py BASE` block is an input, the `py mutant` blocks behind it are what the
//! modifier makes of the mutants of BASE.

use std::fmt::Write;

use super::tests::pages_in_folder;
use super::{Index, mutants_of};
use crate::python::{Module, Source};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mutators/modifiers");

fn modified(modifier: &str, base: &str, input: &str) -> Vec<String> {
    let module = Module::parse("case.py", Source::from_text(input)).expect("the case is Python");
    let mutants = mutants_of(&pages_in_folder(), &module, &Index::new([input]));
    let mut wanted = mutants.clone();
    wanted.retain(|mutant| mutant.mutator == base && mutant.modifier.as_deref() == Some(modifier));
    for mutant in &wanted {
        let text = mutant.edits.apply(input);
        assert_eq!(
            mutant.edits.undo(input).apply(&text),
            input,
            "undoing gives the original back"
        );
        let plain = mutants
            .iter()
            .find(|plain| plain.mutator == base && plain.modifier.is_none() && plain.label_site == mutant.label_site);
        let plain = plain.expect("there is a base mutant");
        let of = |mutant: &super::Mutant| {
            let text = mutant.edits.apply(input);
            mutant.label.span.of(&text).replace("  # noqa: SIM115", "")
        };
        assert_eq!(of(mutant), of(plain), "the label stays on the acquisition");
        let decoys = mutants
            .iter()
            .filter(|decoy| decoy.twin_of.iter().any(|twin| twin.leak == plain.id));
        for decoy in decoys {
            assert!(
                decoy.twin_of.iter().any(|twin| twin.leak == mutant.id),
                "the twins of the base are its own"
            );
        }
    }
    wanted.iter().map(|mutant| mutant.edits.apply(input)).collect()
}

/// The page with the mutants that the modifier makes now.
fn rewritten(modifier: &str, page: &str) -> String {
    let (mut out, mut rest) = (String::new(), page);
    while let Some(at) = rest.find("```py ") {
        let (before, block) = rest.split_at(at);
        let (info, body) = block[6..].split_once('\n').expect("a block has lines");
        let (body, after) = body.split_once("```\n").expect("a block is closed");
        if info == "mutant" {
            out.push_str(before.strip_suffix('\n').unwrap_or(before));
        } else {
            let _ = write!(out, "{before}```py {info}\n{body}```\n");
            for mutant in modified(modifier, info, body) {
                let _ = write!(out, "\n```py mutant\n{mutant}```\n");
            }
        }
        rest = after;
    }
    out + rest
}

#[test]
fn every_modifier_does_what_its_page_says() {
    for modifier in ["silence-noqa", "swallow-exception"] {
        let path = format!("{FOLDER}/{modifier}.md");
        let page = std::fs::read_to_string(&path).expect("a page can be read");
        let now = rewritten(modifier, &page);
        if std::env::var_os("LEAKBENCH_BLESS").is_some() {
            std::fs::write(path, now).expect("the page can be written");
        } else {
            assert_eq!(now, page, "{modifier}");
        }
    }
}
