//! Worked examples of scores: mutants as lines of words go in, columns come out.

use super::row::{Cell, Row};
use super::score::{Scores, Settings, score};
use super::*;
use crate::leak::Pattern;

/// `id module mutator pattern resource effect verdict [modifier=NAME] [witnessed] [TWIN*] [TWIN] [!pattern] [!*]`:
/// twins, the primary one starred, then charges.
pub(super) fn subjects(text: &str) -> Vec<(Subject, Verdict, Vec<Charge>)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(subject).collect()
}

fn subject(line: &str) -> (Subject, Verdict, Vec<Charge>) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut subject = Subject {
        id: words[0].to_owned(),
        corpus: "core".to_owned(),
        module: words[1].to_owned(),
        mutator: words[2].to_owned(),
        modifier: String::new(),
        pattern: words[3].parse().unwrap(),
        resource: words[4].to_owned(),
        effect: words[5].parse().unwrap(),
        witnessed: false,
        twins: Vec::new(),
    };
    let mut charges = Vec::new();
    for word in &words[7..] {
        if let Some(modifier) = word.strip_prefix("modifier=") {
            modifier.clone_into(&mut subject.modifier);
        } else if *word == "witnessed" {
            subject.witnessed = true;
        } else if let Some(charge) = word.strip_prefix('!') {
            charges.push(charge.parse().map_or(Charge::Pooled, Charge::Pattern));
        } else {
            subject.twins.push(Twin {
                id: word.trim_end_matches('*').to_owned(),
                primary: word.ends_with('*'),
            });
        }
    }
    (subject, words[6].parse().unwrap(), charges)
}

pub(super) fn judged(subjects: &[(Subject, Verdict, Vec<Charge>)]) -> Vec<Judged<'_>> {
    subjects
        .iter()
        .map(|(subject, verdict, charges)| Judged {
            subject,
            verdict: *verdict,
            charges: charges.clone(),
        })
        .collect()
}

fn scores(text: &str, clean: &[CleanModule]) -> Scores {
    score(&judged(&subjects(text)), clean, &Settings::default())
}

fn show(row: &Row, columns: &str) -> String {
    let cell = |column: &str| match row.metric(column).unwrap() {
        Cell::Count(count) => format!("{column}={count}"),
        Cell::Ratio(Some(ratio)) => format!("{column}={ratio:.4}"),
        Cell::Ratio(None) => format!("{column}="),
    };
    columns.split_whitespace().map(cell).collect::<Vec<_>>().join(" ")
}

fn clean(natural_mix: bool, known_clean: bool, findings: Option<Vec<Charge>>) -> CleanModule {
    CleanModule {
        corpus: "core".to_owned(),
        natural_mix,
        known_clean,
        lines: 500,
        acquisitions: 10,
        findings,
    }
}

/// Eight leaks of two mutators, one of them without verdict; decoys d1 to d6 are primary, e1 is a further twin.
const EXAMPLE: &str = "
    a1 m1.py drop-with never-released file leak detected d1* e1
    a2 m1.py drop-with never-released file leak detected d2*
    a3 m2.py drop-with never-released socket leak indifferent d3*
    a4 m2.py drop-with never-released file leak missed d4*
    a5 m3.py drop-with never-released file leak no-verdict d5*
    a6 m3.py drop-close never-released file leak other-pattern d6*
    a7 m3.py drop-close never-released file leak detected absent*
    b1 m1.py inline inline-acquisition file leak detected d1*
    n1 m1.py drop-with never-released file leak missed modifier=noqa d1* !never-released
    c1 m1.py finalize never-released file contested detected
    d1 m1.py try-finally never-released file safe silent !never-released
    e1 m1.py exit-stack never-released file safe alarm
    d2 m1.py try-finally never-released file safe alarm
    d3 m2.py try-finally never-released socket safe alarm !*
    d4 m2.py try-finally never-released file safe silent
    d5 m3.py try-finally never-released file safe silent
    d6 m3.py try-finally never-released file safe no-verdict
    u1 m1.py look-alike never-released file safe alarm
    u2 m2.py look-alike never-released file safe silent
";

#[test]
fn counts_of_a_pattern() {
    let scores = scores(EXAMPLE, &[]);
    let row = &scores.by_pattern[1];
    assert_eq!(row.key.pattern, Some(Pattern::NeverReleased));
    assert_eq!(
        show(
            row,
            "n_mutants n_modules detected indifferent other_pattern missed no_verdict"
        ),
        "n_mutants=7 n_modules=3 detected=3 indifferent=1 other_pattern=1 missed=1 no_verdict=1"
    );
    // a5 has no verdict, d6 has none, a7's decoy is absent: four pairs are left.
    assert_eq!(
        show(
            row,
            "pairs pairs_hit alarms pairs_told_apart twin_pairs twin_alarms twin_pairs_told_apart"
        ),
        "pairs=4 pairs_hit=3 alarms=2 pairs_told_apart=1 twin_pairs=5 twin_alarms=3 twin_pairs_told_apart=1"
    );
}

#[test]
fn ratios_of_a_pattern() {
    let scores = scores(EXAMPLE, &[]);
    let row = &scores.by_pattern[1];
    // 4 of 6 judged; 3 of 6; 4 of 7; mean of 3/4 (drop-with) and 1/2 (drop-close).
    assert_eq!(
        show(row, "recall recall_new recall_strict macro_recall"),
        "recall=0.6667 recall_new=0.5000 recall_strict=0.5714 macro_recall=0.6250"
    );
    // Over pairs: 2/4; 3/4 - 2/4; 3/(3 + 2); 1/4.
    assert_eq!(
        show(row, "false_positive_rate youden precision discrimination"),
        "false_positive_rate=0.5000 youden=0.2500 precision=0.6000 discrimination=0.2500"
    );
    assert_eq!(
        show(row, "false_positive_rate_all_twins discrimination_all_twins"),
        "false_positive_rate_all_twins=0.6000 discrimination_all_twins=0.2000"
    );
    // 4 found; false: d2, d3, e1, u1, and the finding elsewhere on d1.
    assert_eq!(
        show(row, "new_elsewhere precision_in_run"),
        "new_elsewhere=1 precision_in_run=0.4444"
    );
    // Residuals by module: 2-2·2/3, 1-2·2/3, 1-2·2/3; 3/2 · (4/9 + 1/9 + 1/9) over 6 · 2/9.
    assert_eq!(
        show(row, "design_effect recall_low recall_high"),
        "design_effect=0.7500 recall_low= recall_high="
    );
}

#[test]
fn the_pooled_row_counts_every_decoy_once_and_pays_for_findings_of_several_patterns() {
    let scores = scores(EXAMPLE, &[]);
    let row = &scores.by_pattern[0];
    assert_eq!(row.key.pattern, None);
    // 5 found; false: d2, d3, e1, u1, and one finding elsewhere on d1 and one on d3.
    assert_eq!(
        show(
            row,
            "n_mutants pairs alarms new_elsewhere precision_in_run macro_recall"
        ),
        "n_mutants=8 pairs=5 alarms=2 new_elsewhere=2 precision_in_run=0.4545 macro_recall=0.7500"
    );
}

#[test]
fn modifiers_resources_and_mutators_have_rows_of_their_own() {
    let scores = scores(EXAMPLE, &[]);
    let names = |rows: &[Row]| -> Vec<String> {
        let name = |row: &Row| {
            let key = &row.key;
            let axis = key.mutator.clone().or(key.resource.clone()).unwrap_or_default();
            format!("{axis}{} {}", key.modifier, row.counts.n_mutants)
        };
        rows.iter().map(name).collect()
    };
    assert_eq!(names(&scores.by_modifier), ["noqa 1"]);
    assert_eq!(names(&scores.by_resource), ["file 7", "socket 1"]);
    assert_eq!(names(&scores.by_mutator), ["drop-close 2", "drop-with 5", "inline 1"]);
}

#[test]
fn unpaired_decoys_and_contested_mutants_stand_apart() {
    let scores = scores(EXAMPLE, &[]);
    let [row] = &scores.unpaired[..] else {
        panic!("{:?}", scores.unpaired)
    };
    assert_eq!(
        (row.mutator.as_str(), row.n_mutants, row.n_modules, row.alarms),
        ("look-alike", 2, 2, 1)
    );
    assert_eq!(row.false_positive_rate.ratio, Some(0.5));
    let [row] = &scores.contested[..] else {
        panic!("{:?}", scores.contested)
    };
    assert_eq!((row.mutator.as_str(), row.n_mutants, row.detected), ("finalize", 1, 1));
}

#[test]
fn clean_code_counts_where_it_is_known_to_be_clean_and_mixed_as_real_code() {
    let never = Charge::Pattern(Pattern::NeverReleased);
    let modules = [
        clean(true, true, Some(vec![never, Charge::Pooled])),
        clean(true, true, Some(vec![])),
        clean(true, true, None),
        clean(false, true, Some(vec![never; 5])),
        clean(true, false, Some(vec![never; 7])),
    ];
    let scores = scores(EXAMPLE, &modules);
    // 2 alarms on 1000 lines and 20 acquisitions; recall 5/7: .05 · 5/7 / (.05 · 5/7 + .95 · 2/20).
    assert_eq!(
        show(
            &scores.by_pattern[0],
            "clean_alarms untriaged alarms_per_kloc precision_at_base_rate"
        ),
        "clean_alarms=2 untriaged=7 alarms_per_kloc=2.0000 precision_at_base_rate=0.2732"
    );
    // One of them names the pattern alone; recall 4/6.
    assert_eq!(
        show(
            &scores.by_pattern[1],
            "clean_alarms alarms_per_kloc precision_at_base_rate"
        ),
        "clean_alarms=1 alarms_per_kloc=1.0000 precision_at_base_rate=0.4124"
    );
    assert_eq!(
        show(&scores.by_mutator[0], "clean_alarms alarms_per_kloc"),
        "clean_alarms=0 alarms_per_kloc="
    );
}

#[test]
fn nothing_measured_is_empty_and_never_zero() {
    let scores = scores("u1 m1.py look-alike never-released file safe silent", &[]);
    assert_eq!(
        show(
            &scores.by_pattern[0],
            "n_mutants recall recall_strict precision youden discrimination precision_in_run"
        ),
        "n_mutants=0 recall= recall_strict= precision= youden= discrimination= precision_in_run="
    );
}

#[test]
fn an_indifferent_leak_is_credited_but_not_told_from_its_decoy() {
    let text = "a1 m1.py drop-with never-released file leak indifferent d1*
        d1 m1.py try-finally never-released file safe silent";
    assert_eq!(
        show(
            &scores(text, &[]).by_pattern[0],
            "recall recall_new pairs_hit pairs_told_apart"
        ),
        "recall=1.0000 recall_new=0.0000 pairs_hit=1 pairs_told_apart=0"
    );
}

/// `modules` modules with one pair each; the first `found` leaks are detected, the first `alarms` decoys alarm.
fn pairs(modules: usize, found: usize, alarms: usize) -> String {
    let line = |at: usize| {
        let leak = if at < found { "detected" } else { "missed" };
        let safe = if at < alarms { "alarm" } else { "silent" };
        format!(
            "a{at} m{at}.py drop-with never-released file leak {leak} d{at}*\n\
             d{at} m{at}.py try-finally never-released file safe {safe}\n"
        )
    };
    (0..modules).map(line).collect()
}

#[test]
fn intervals_need_ten_modules() {
    let of = |modules| {
        show(
            &scores(&pairs(modules, modules, 0), &[]).by_pattern[0],
            "recall_low youden_low",
        )
    };
    assert_eq!(of(9), "recall_low= youden_low=");
    // At 1 the effective size is the number of modules: 10 / (10 + t²) with t = 2.2622.
    assert_eq!(of(10), "recall_low=0.6615 youden_low=0.3230");
}

#[test]
fn perfect_precision_is_not_certain() {
    let row = &scores(&pairs(20, 20, 0), &[]).by_pattern[0];
    assert_eq!(
        show(
            row,
            "precision precision_low precision_high discrimination discrimination_low"
        ),
        "precision=1.0000 precision_low=0.8203 precision_high=1.0000 discrimination=1.0000 discrimination_low=0.8203"
    );
}

#[test]
fn the_bootstrap_is_the_same_every_time() {
    let text = pairs(40, 30, 10);
    let columns =
        "precision precision_low precision_high youden youden_low youden_high discrimination_low discrimination_high";
    let shown = || show(&scores(&text, &[]).by_pattern[0], columns);
    assert_eq!(shown(), shown());
    assert_eq!(
        shown(),
        "precision=0.7500 precision_low=0.6665 precision_high=0.8462 youden=0.5000 youden_low=0.3500 \
         youden_high=0.6500 discrimination_low=0.3500 discrimination_high=0.6500"
    );
}

#[test]
fn no_mutants_make_no_rows() {
    let empty = score(&[], &[], &Settings::default());
    assert!(empty.by_pattern.is_empty() && empty.by_mutator.is_empty() && empty.unpaired.is_empty());
}

#[test]
fn recall_is_given_once_more_over_what_runs_have_shown() {
    let text = "a1 m.py drop-with never-released file leak detected witnessed\n\
        a2 m.py drop-with never-released file leak missed witnessed\n\
        a3 m.py drop-with never-released file leak no-verdict witnessed\n\
        a4 m.py drop-with never-released file leak detected\n";
    let scores = scores(text, &[]);
    let row = &scores.by_pattern[1];
    assert_eq!(
        show(row, "recall n_witnessed recall_witnessed"),
        "recall=0.6667 n_witnessed=3 recall_witnessed=0.5000"
    );
}
