//! Two runs in, what changed between them out.

use super::paired::{Change, Comparison, compare, difference};
use super::score_cases::{judged, subjects};

fn compared(before: &str, after: &str) -> Comparison {
    compare(&judged(&subjects(before)), &judged(&subjects(after)))
}

const BEFORE: &str = "
    a1 m1.py drop-with never-released file leak detected
    a2 m1.py drop-with never-released file leak indifferent
    a3 m2.py drop-with never-released file leak missed
    a4 m2.py drop-with never-released file leak detected
    a5 m3.py drop-with never-released file leak no-verdict
    a6 m3.py drop-with never-released file leak no-verdict
    a7 m3.py drop-with never-released file leak missed
    b1 m1.py inline inline-acquisition file leak other-pattern
    c1 m1.py finalize never-released file contested detected
    d1 m1.py try-finally never-released file safe silent
    d2 m1.py try-finally never-released file safe alarm
    d3 m1.py try-finally never-released file safe silent
";

const AFTER: &str = "
    a1 m1.py drop-with never-released file leak missed
    a2 m1.py drop-with never-released file leak detected
    a3 m2.py drop-with never-released file leak detected
    a4 m2.py drop-with never-released file leak no-verdict
    a5 m3.py drop-with never-released file leak missed
    a6 m3.py drop-with never-released file leak no-verdict
    a8 m3.py drop-with never-released file leak missed
    b1 m1.py inline inline-acquisition file leak detected
    c1 m1.py finalize never-released file contested missed
    d1 m1.py try-finally never-released file safe alarm
    d2 m1.py try-finally never-released file safe silent
    d3 m1.py try-finally handle-returned file safe silent
";

#[test]
fn lost_and_gained_leaks_come_by_pattern() {
    let comparison = compared(BEFORE, AFTER);
    assert_eq!(comparison.leaks.lost, ["a1"]);
    assert_eq!(comparison.leaks.gained, ["a3", "b1"]);
    assert_eq!(comparison.leaks.unchanged, ["a2"]);
    let patterns: Vec<&str> = comparison.by_pattern.iter().map(|row| row.pattern.id()).collect();
    assert_eq!(patterns, ["never-released", "inline-acquisition"]);
    assert_eq!(comparison.by_pattern[0].difference.gained, ["a3"]);
    assert_eq!(comparison.by_pattern[1].difference.gained, ["b1"]);
}

#[test]
fn a_decoy_is_lost_when_it_begins_to_give_an_alarm() {
    let comparison = compared(BEFORE, AFTER);
    assert_eq!(comparison.decoys.lost, ["d1"]);
    assert_eq!(comparison.decoys.gained, ["d2"]);
}

#[test]
fn verdicts_and_mutants_of_one_side_stand_apart() {
    let comparison = compared(BEFORE, AFTER);
    assert_eq!(comparison.verdicts_lost, ["a4"]);
    assert_eq!(comparison.verdicts_gained, ["a5"]);
    assert_eq!(comparison.never_judged, ["a6"]);
    assert_eq!(comparison.only_before, ["a7"]);
    assert_eq!(comparison.only_after, ["a8"]);
    assert_eq!(comparison.changed, ["d3"]);
}

/// Modules with how many mutants each lost and gained. Gives the p-value over modules and the one over mutants.
#[track_caller]
fn check_chance(modules: &[(&str, usize, usize)], expected: &str) {
    let mut changes = Vec::new();
    let ids: Vec<String> = (0..100).map(|id| format!("{id:02}")).collect();
    for (module, lost, gained) in modules {
        for before in [vec![true; *lost], vec![false; *gained]].concat() {
            changes.push(Change {
                id: &ids[changes.len()],
                module,
                before,
                after: !before,
            });
        }
    }
    let found = difference(&changes);
    assert_eq!(format!("{:.5} {:.5}", found.p_value, found.p_if_independent), expected);
}

#[test]
fn mutants_of_one_module_are_one_observation() {
    check_chance(&[("m", 0, 6)], "1.00000 0.03125");
    check_chance(&[("m", 0, 1), ("n", 0, 2), ("o", 0, 3)], "0.25000 0.03125");
    check_chance(&[("m", 1, 1), ("n", 0, 2)], "1.00000 0.62500");
    check_chance(&[], "1.00000 1.00000");
}
