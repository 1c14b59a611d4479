//! Three detectors in, what they agree on and find alone out.

use super::agreement::{AgreementRow, AloneRow, Contender, agreement, alone};
use super::score_cases::{judged, subjects};
use crate::leak::Pattern;

/// One leak a line: `id module pattern`, then the verdict of each detector.
const LEAKS: &str = "
    a1 m1.py never-released detected detected missed
    a2 m1.py never-released detected missed missed
    a3 m2.py never-released detected missed no-verdict
    a4 m3.py never-released missed indifferent detected
    a5 m3.py never-released no-verdict detected missed
    b1 m4.py handle-returned missed missed indifferent
    b2 m4.py handle-returned other-pattern missed missed
";

/// Counted nowhere.
const OTHERS: &str = "
    c1 m1.py modified never-released file leak detected modifier=nested
    d1 m1.py try-finally never-released file safe alarm
    e1 m1.py finalize never-released file contested detected
";

const DETECTORS: [&str; 3] = ["one", "two", "three"];

/// What the detector at this place made of everything.
fn everything(at: usize) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, module, pattern, verdicts @ ..] = &words[..] else {
            return String::new();
        };
        format!("{id} {module} page {pattern} file leak {}\n", verdicts[at])
    };
    LEAKS.lines().map(line).collect::<String>() + OTHERS
}

/// Rows of the three detectors, of which some are the floor.
fn compared(floor: &str) -> (Vec<AgreementRow>, Vec<AloneRow>) {
    let subjects: Vec<_> = (0..3).map(|at| subjects(&everything(at))).collect();
    let judged: Vec<_> = subjects.iter().map(|subjects| judged(subjects)).collect();
    let contender = |(detector, judged)| Contender {
        detector,
        is_floor: detector == floor,
        judged,
    };
    let lists = judged.iter().map(Vec::as_slice);
    let contenders: Vec<Contender> = DETECTORS.into_iter().zip(lists).map(contender).collect();
    (agreement(&contenders), alone(&contenders))
}

fn counts(row: &AgreementRow) -> [u64; 6] {
    [
        row.n_mutants,
        row.n_modules,
        row.both,
        row.only_first,
        row.only_second,
        row.neither,
    ]
}

#[test]
fn a_pair_is_compared_on_what_both_judged() {
    let (rows, _) = compared("");
    let names: Vec<(&str, &str, Option<Pattern>)> = rows
        .iter()
        .map(|row| (row.first.as_str(), row.second.as_str(), row.pattern))
        .collect();
    let patterns = [None, Some(Pattern::NeverReleased), Some(Pattern::HandleReturned)];
    let pairs = [("one", "two"), ("one", "three"), ("two", "three")];
    let expected: Vec<_> = pairs
        .iter()
        .flat_map(|pair| patterns.map(|pattern| (pair.0, pair.1, pattern)))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(counts(&rows[0]), [6, 4, 1, 2, 1, 2]);
    assert_eq!(counts(&rows[1]), [4, 3, 1, 2, 1, 0]);
    assert_eq!(counts(&rows[3]), [5, 3, 0, 2, 2, 1]);
    assert_eq!(rows[0].agreement, Some(0.5));
}

#[test]
fn chance_is_that_of_two_runs_with_holm_over_the_patterns() {
    let (rows, _) = compared("");
    // One mutant more in m1 and in m2, one less in m3: no sum of three ones is smaller than 1.
    assert_eq!(rows[0].p_value, Some(1.0));
    assert_eq!(rows[0].p_if_independent, Some(1.0));
    assert_eq!(rows[0].p_holm, None);
    // One more in m1 and in m3: two of four flips are as extreme. In m4 one less.
    let [never, returned] = &rows[7..] else {
        panic!("{rows:?}")
    };
    assert_eq!(counts(never), [4, 2, 1, 2, 0, 1]);
    assert_eq!(never.p_value, Some(0.5));
    assert!((never.p_if_independent.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(
        (returned.p_value, never.p_holm, returned.p_holm),
        (Some(1.0), Some(1.0), Some(1.0))
    );
}

fn alone_counts(rows: &[AloneRow], detector: &str) -> Vec<[u64; 4]> {
    let own = rows.iter().filter(|row| row.detector == detector);
    own.map(|row| [row.n_mutants, row.found, row.alone, row.undecided])
        .collect()
}

#[test]
fn alone_is_what_all_others_judged_and_missed() {
    let (_, rows) = compared("");
    assert_eq!(alone_counts(&rows, "one"), [[6, 3, 1, 1], [4, 3, 1, 1], [2, 0, 0, 0]]);
    assert_eq!(alone_counts(&rows, "two"), [[7, 3, 0, 1], [5, 3, 0, 1], [2, 0, 0, 0]]);
    assert_eq!(alone_counts(&rows, "three"), [[6, 2, 1, 0], [4, 1, 0, 0], [2, 1, 1, 0]]);
}

#[test]
fn the_floor_takes_nothing_from_others_and_is_counted_against_all() {
    let (_, rows) = compared("two");
    assert_eq!(alone_counts(&rows, "one")[0], [6, 3, 2, 1]);
    assert_eq!(alone_counts(&rows, "two")[0], [7, 3, 0, 1]);
    assert_eq!(alone_counts(&rows, "three")[0], [6, 2, 2, 0]);
}

#[test]
fn without_a_common_verdict_there_is_no_agreement() {
    let lists = ["detected", "no-verdict"]
        .map(|verdict| subjects(&format!("a1 m1.py page never-released file leak {verdict}")));
    let lists = lists.iter().map(|list| judged(list)).collect::<Vec<_>>();
    let contender = |(detector, judged)| Contender {
        detector,
        is_floor: false,
        judged,
    };
    let both: Vec<Contender> = ["a", "b"]
        .into_iter()
        .zip(lists.iter().map(Vec::as_slice))
        .map(contender)
        .collect();
    let row = &agreement(&both)[0];
    assert_eq!((row.n_mutants, row.agreement, row.p_value), (0, None, None));
}
