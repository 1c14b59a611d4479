//! What holds for any set of mutants.

use proptest::prelude::*;

use super::controls::{Control, ControlCase, check_controls};
use super::paired::{mcnemar, sign_flip};
use super::score::{Settings, score};
use super::*;
use crate::leak::{Effect, Label, Pattern, Place, Strength};
use crate::python::edit::{Edit, Edits};
use crate::python::{Span, SpanMap};

const LENGTH: u32 = 100;

fn pattern() -> impl Strategy<Value = Pattern> {
    proptest::sample::select(Pattern::ALL.to_vec())
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![Just(Effect::Leak), Just(Effect::Safe), Just(Effect::Contested)]
}

fn verdict(effect: Effect) -> impl Strategy<Value = Verdict> {
    let words = match effect {
        Effect::Safe => vec![Verdict::Silent, Verdict::Alarm, Verdict::NoVerdict],
        Effect::Leak | Effect::Contested => vec![
            Verdict::Detected,
            Verdict::Indifferent,
            Verdict::OtherPattern,
            Verdict::Missed,
            Verdict::NoVerdict,
        ],
    };
    proptest::sample::select(words)
}

/// A mutant with twins named by number, of which some exist, some are no decoys, and some are themselves.
fn subject() -> impl Strategy<Value = Subject> {
    let names = (
        0..12_u8,
        0..4_u8,
        0..3_u8,
        prop_oneof![4 => Just(""), 1 => Just("noqa")],
    );
    let twins = proptest::collection::btree_map(0..40_usize, any::<bool>(), 0..4);
    (names, pattern(), effect(), twins).prop_map(|((module, mutator, resource, modifier), pattern, effect, twins)| {
        let twin = |(id, primary): (usize, bool)| Twin {
            id: format!("{id}"),
            primary,
        };
        Subject {
            id: String::new(),
            corpus: format!("corpus{}", module % 2),
            module: format!("m{module}.py"),
            mutator: format!("{effect}-{mutator}"),
            modifier: modifier.to_owned(),
            pattern,
            resource: format!("resource{resource}"),
            effect,
            witnessed: module == 0,
            twins: twins.into_iter().filter(|_| effect == Effect::Leak).map(twin).collect(),
        }
    })
}

fn charge() -> impl Strategy<Value = Charge> {
    prop_oneof![Just(Charge::Pooled), pattern().prop_map(Charge::Pattern)]
}

type Verdicts = Vec<(Subject, Verdict, Vec<Charge>)>;

fn verdicts() -> impl Strategy<Value = Verdicts> {
    let one = subject().prop_flat_map(|subject| {
        let verdict = verdict(subject.effect);
        (Just(subject), verdict, proptest::collection::vec(charge(), 0..3))
    });
    proptest::collection::vec(one, 0..40).prop_map(|mut all| {
        for (id, one) in all.iter_mut().enumerate() {
            one.0.id = format!("{id}");
        }
        all
    })
}

/// A region in the text of the mutant, with the label somewhere inside; and edits of the original.
fn label() -> impl Strategy<Value = (Label, SpanMap)> {
    let region = || (0..LENGTH - 1, 1..30_u32).prop_map(|(start, length)| Span::new(start, start + length));
    let inside = (0.0..1.0_f64, 0.0..1.0_f64);
    let also = proptest::collection::vec((pattern(), region()), 0..5);
    let edit = (0..LENGTH, 0..20_u32, "[a-z]{0,20}");
    let edits = proptest::collection::vec(edit, 0..4);
    (region(), inside, also, edits)
        .prop_map(|(region, inside, also, edits)| (make_label(region, inside, also), map(edits)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares of a short span"
)]
fn make_label(region: Span, inside: (f64, f64), also: Vec<(Pattern, Span)>) -> Label {
    let start = region.start + (f64::from(region.len()) * inside.0) as u32;
    let length = 1 + (f64::from(region.end - start - 1) * inside.1) as u32;
    let first = Place {
        pattern: Pattern::NeverReleased,
        region,
    };
    let further = also.into_iter().map(|(pattern, region)| Place { pattern, region });
    Label {
        pattern: Pattern::NeverReleased,
        resource: String::new(),
        effect: Effect::Leak,
        strength: Strength::Must,
        span: Span::new(start, start + length),
        places: std::iter::once(first).chain(further).collect(),
    }
}

/// Edits that clash are left out.
fn map(edits: Vec<(u32, u32, String)>) -> SpanMap {
    let mut kept: Vec<Edit> = Vec::new();
    for (start, length, text) in edits {
        kept.push(Edit {
            span: Span::new(start, start + length),
            text,
        });
        if Edits::new(kept.clone()).is_none() {
            kept.pop();
        }
    }
    Edits::new(kept).unwrap().map()
}

proptest! {
    #[test]
    fn verdicts_sum_to_the_mutants(all in verdicts()) {
        let scores = score(&score_cases::judged(&all), &[], &Settings { resamples: 0, ..Settings::default() });
        for row in scores.by_pattern.iter().chain(&scores.by_mutator).chain(&scores.by_resource) {
            let of_row = |(subject, ..): &&(Subject, Verdict, Vec<Charge>)| {
                subject.effect == Effect::Leak && row.key.has(subject)
            };
            let counts = &row.counts;
            let sum = counts.detected + counts.indifferent + counts.other_pattern + counts.missed + counts.no_verdict;
            prop_assert_eq!(sum, counts.n_mutants);
            prop_assert_eq!(sum, all.iter().filter(of_row).count() as u64);
        }
    }

    #[test]
    fn the_order_of_mutants_changes_nothing((all, shuffled) in verdicts().prop_flat_map(|all| {
        (Just(all.clone()), Just(all).prop_shuffle())
    })) {
        let settings = Settings { resamples: 50, ..Settings::default() };
        let scores = |all: &Verdicts| score(&score_cases::judged(all), &[], &settings);
        prop_assert_eq!(scores(&all), scores(&shuffled));
    }

    #[test]
    fn controls_hold_on_any_labels(
        all in verdicts(),
        labels in proptest::collection::vec(label(), 40),
    ) {
        let labels: Vec<(Label, SpanMap)> = all.iter().zip(labels).map(|((subject, ..), (mut label, map))| {
            label.effect = subject.effect;
            label.pattern = subject.pattern;
            label.places[0].pattern = subject.pattern;
            (label, map)
        }).collect();
        let cases: Vec<ControlCase> = all.iter().zip(&labels).map(|((subject, ..), (label, map))| {
            ControlCase { subject, label, map }
        }).collect();
        prop_assert_eq!(check_controls(&cases), Ok(()));
    }

    #[test]
    fn with_one_mutant_per_module_the_sign_flip_is_the_exact_mcnemar(lost in 0..40_u64, gained in 0..40_u64) {
        let signs = (0..lost).map(|_| -1).chain((0..gained).map(|_| 1));
        let flipped = sign_flip(&signs.collect::<Vec<_>>());
        prop_assert!((flipped - mcnemar(lost, gained)).abs() < 1e-12);
    }
}

fn region_case() -> (Subject, Label, SpanMap) {
    let all = score_cases::subjects("a1 m1.py drop-with never-released file leak missed");
    let label = make_label(Span::new(10, 20), (0.2, 0.5), Vec::new());
    (all[0].0.clone(), label, map(Vec::new()))
}

#[test]
fn a_label_outside_of_its_own_region_puts_controls_off() {
    let (subject, mut label, map) = region_case();
    label.span = Span::new(30, 35);
    let case = ControlCase {
        subject: &subject,
        label: &label,
        map: &map,
    };
    let off = check_controls(&[case]).unwrap_err();
    assert_eq!(
        off[0].to_string(),
        "control perfect: verdict of a1 must be detected [Hit], and is missed [NewElsewhere]"
    );
    let recall = off
        .iter()
        .find(|off| off.control == Control::Perfect && off.metric == "recall");
    assert_eq!(
        recall.unwrap().to_string(),
        "control perfect: recall of core * must be 1, and is 0"
    );
}
