//! Cases of single judgements: a text goes in, a text comes out.
//!
//! In every text `<1:` … `>` marks a region by number. A finding is `NUMBER rule pattern[+pattern] confidence`.

use super::*;
use crate::leak::{Confidence, Effect, Finding, Label, Pattern, Place, Strength};
use crate::python::Span;
use crate::python::edit::{Edit, Edits};

/// The `with` statement loses its release; statement and call are marked in both texts.
const CLEAN: &str = "def f(p):\n    <1:with <2:open(p)> as g:>\n        g.read()\n    <3:h()>\n";
const MUTANT: &str = "def f(p):\n    <1:g = <2:open(p)>>\n    g.read()\n    <3:h()>\n";

/// The text without marks, and the span of each number.
fn unmark(marked: &str) -> (String, Vec<(char, Span)>) {
    let (mut text, mut open, mut spans) = (String::new(), Vec::new(), Vec::new());
    let mut rest = marked.chars().peekable();
    while let Some(next) = rest.next() {
        let at = u32::try_from(text.len()).unwrap();
        match next {
            '<' => {
                open.push((rest.next().unwrap(), at));
                assert_eq!(rest.next(), Some(':'));
            }
            '>' => {
                let (name, start) = open.pop().unwrap();
                spans.push((name, Span::new(start, at)));
            }
            other => text.push(other),
        }
    }
    (text, spans)
}

fn region(spans: &[(char, Span)], text: &str, name: &str) -> Span {
    let number = name.chars().next().unwrap();
    match number {
        '*' => Span::new(0, u32::try_from(text.len()).unwrap()),
        'd' => Span::new(0, u32::try_from(text.len() - 1).unwrap()),
        _ => spans.iter().find(|(name, _)| *name == number).unwrap().1,
    }
}

fn patterns(word: &str) -> Vec<Pattern> {
    let named = word.split('+').filter(|name| *name != "none");
    named.map(|name| name.parse().unwrap()).collect()
}

fn findings(marked: &str, list: &str) -> Result<Vec<Finding>, NoVerdict> {
    let (text, spans) = unmark(marked);
    let finding = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Finding {
            span: region(&spans, &text, words[0]),
            rule: words[1].to_owned(),
            patterns: patterns(words[2]),
            resource: None,
            confidence: words.get(3).map_or(Confidence::High, |word| word.parse().unwrap()),
            message: String::new(),
            suggestion: String::new(),
            related: Vec::new(),
        }
    };
    match list.strip_prefix("! ") {
        Some(reason) => Err(reason.parse().unwrap()),
        None => Ok(list
            .split(';')
            .filter(|line| !line.trim().is_empty())
            .map(finding)
            .collect()),
    }
}

fn edits() -> Edits {
    let (clean, spans) = unmark(CLEAN);
    let [with, call] = ["1", "2"].map(|name| region(&spans, &clean, name));
    let body = u32::try_from(clean.find("        g").unwrap()).unwrap();
    let edit = |start, end, text: &str| Edit {
        span: Span::new(start, end),
        text: text.to_owned(),
    };
    let list = vec![
        edit(with.start, call.start, "g = "),
        edit(call.end, with.end, ""),
        edit(body, body + 4, ""),
    ];
    let edits = Edits::new(list).unwrap();
    assert_eq!(edits.apply(&clean), unmark(MUTANT).0);
    edits
}

fn label(effect: Effect) -> Label {
    let (text, spans) = unmark(MUTANT);
    let place = |name, pattern| Place {
        pattern,
        region: region(&spans, &text, name),
    };
    Label {
        pattern: Pattern::NeverReleased,
        resource: "file".to_owned(),
        effect,
        strength: Strength::Must,
        span: region(&spans, &text, "2"),
        places: vec![place("1", Pattern::NeverReleased), place("3", Pattern::HandleReturned)],
    }
}

/// `width`: statement, function or file; `baseline` and `report`: findings between `;`, or `! REASON`.
/// Gives verdict, the deciding finding's rule, then every disposition, then how many are charged.
fn verdict_of(effect: Effect, width: &str, baseline: &str, report: &str) -> String {
    let (label, edits) = (label(effect), edits());
    let (baseline, report) = (findings(CLEAN, baseline), findings(MUTANT, report));
    let (text, spans) = unmark(MUTANT);
    let definitions = [region(&spans, &text, "d")];
    let width = match width {
        "function" => Width::Function {
            definitions: &definitions,
        },
        "file" => Width::File,
        _ => Width::Statement,
    };
    let judgement = judge(&Case {
        label: &label,
        map: &edits.map(),
        width,
        baseline: baseline.as_deref().map_err(|reason| *reason),
        report: report.as_deref().map_err(|reason| *reason),
    });
    let rule = judgement.deciding.map(|at| report.as_ref().unwrap()[at].rule.clone());
    let reason = judgement.reason.map(|reason| reason.to_string());
    let dispositions: Vec<String> = judgement.dispositions.iter().map(ToString::to_string).collect();
    let told = rule.or(reason).unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {told}: {}; charged {:?}",
        judgement.verdict,
        dispositions.join(", "),
        judgement.charges
    )
    .replace("; charged []", "")
}

#[track_caller]
fn check(effect: Effect, baseline: &str, report: &str, expected: &str) {
    assert_eq!(verdict_of(effect, "statement", baseline, report), expected);
}

#[track_caller]
fn check_width(width: &str, report: &str, expected: &str) {
    assert_eq!(verdict_of(Effect::Leak, width, "", report), expected);
}

#[test]
fn a_new_finding_in_the_region_with_its_pattern_is_detected() {
    check(Effect::Leak, "", "1 r never-released", "detected r: hit");
    check(Effect::Leak, "", "2 r never-released", "detected r: hit");
    check(
        Effect::Leak,
        "",
        "2 r handle-returned+never-released",
        "detected r: hit",
    );
}

#[test]
fn a_further_true_place_credits_with_its_own_pattern_only() {
    check(Effect::Leak, "", "3 r handle-returned", "detected r: hit");
    check(Effect::Leak, "", "3 r never-released", "other-pattern r: other-pattern");
}

#[test]
fn one_finding_credits_and_the_surest_decides() {
    check(
        Effect::Leak,
        "",
        "2 a never-released low; 1 b never-released high; 3 c handle-returned medium",
        "detected b: duplicate, hit, duplicate",
    );
    check(
        Effect::Leak,
        "",
        "2 a never-released; 2 a never-released",
        "detected a: hit, duplicate",
    );
}

#[test]
fn the_same_rule_at_the_mapped_place_in_the_clean_module_is_indifferent() {
    check(
        Effect::Leak,
        "2 r never-released",
        "2 r never-released",
        "indifferent r: indifferent",
    );
    check(
        Effect::Leak,
        "2 r inline-acquisition",
        "2 r never-released",
        "indifferent r: indifferent",
    );
    check(
        Effect::Leak,
        "2 other never-released",
        "2 r never-released",
        "detected r: hit",
    );
}

#[test]
fn a_finding_on_a_replaced_token_is_new() {
    check(
        Effect::Leak,
        "1 r never-released",
        "1 r never-released",
        "detected r: hit",
    );
    // The clean finding is on the call, which is kept; the mutant's on the statement, which is not.
    check(
        Effect::Leak,
        "2 r never-released",
        "1 r never-released",
        "detected r: hit",
    );
}

#[test]
fn a_new_hit_beside_an_indifferent_one_is_detected() {
    check(
        Effect::Leak,
        "2 r never-released",
        "2 r never-released high; 2 s never-released low",
        "detected s: duplicate, hit",
    );
}

#[test]
fn another_pattern_in_the_region_is_told_from_nothing() {
    check(
        Effect::Leak,
        "",
        "2 r inline-acquisition",
        "other-pattern r: other-pattern",
    );
    check(Effect::Leak, "", "", "missed -: ");
    check(Effect::Leak, "", "2 lint none", "missed -: unmapped");
}

#[test]
fn findings_elsewhere_are_charged_unless_the_clean_module_has_them() {
    let module = "* r never-released";
    check(Effect::Leak, module, module, "missed -: baseline");
    check(Effect::Safe, "", "d r never-released", "silent -: too-wide");
}

#[test]
fn longer_findings_count_at_wider_widths_only() {
    check_width("statement", "d r never-released", "missed -: too-wide");
    check_width("function", "d r never-released", "detected r: hit");
    check_width("function", "* r never-released", "missed -: too-wide");
    check_width("file", "* r never-released", "detected r: hit");
    check_width("file", "d r inline-acquisition", "other-pattern r: other-pattern");
}

#[test]
fn any_pattern_in_the_region_of_a_decoy_is_an_alarm_clean_module_or_not() {
    check(Effect::Safe, "", "", "silent -: ");
    check(Effect::Safe, "", "2 r inline-acquisition", "alarm r: alarm");
    check(
        Effect::Safe,
        "2 r never-released",
        "2 r never-released",
        "alarm r: alarm",
    );
    check(Effect::Safe, "", "2 lint none", "silent -: unmapped");
}

#[test]
fn who_did_not_answer_has_no_verdict() {
    check(Effect::Leak, "", "! timeout", "no-verdict timeout: ");
    check(Effect::Leak, "! parse", "! crash", "no-verdict crash: ");
    check(
        Effect::Leak,
        "! parse",
        "2 r never-released",
        "no-verdict no-baseline: unjudged",
    );
    check(Effect::Safe, "! parse", "", "no-verdict no-baseline: ");
}

#[test]
fn contested_mutants_get_the_words_of_leaks() {
    check(Effect::Contested, "", "2 r never-released", "detected r: hit");
    check(Effect::Contested, "", "", "missed -: ");
}

#[test]
fn new_findings_elsewhere_are_charged_to_the_pattern_that_they_name() {
    let mut apart = label(Effect::Leak);
    apart.places.truncate(1);
    let (edits, found) = (
        edits(),
        findings(MUTANT, "3 r never-released; 3 r never-released+handle-returned").unwrap(),
    );
    let judgement = judge(&Case {
        label: &apart,
        map: &edits.map(),
        width: Width::Statement,
        baseline: Ok(&[]),
        report: Ok(&found),
    });
    assert_eq!(judgement.dispositions, [Disposition::NewElsewhere; 2]);
    assert_eq!(
        judgement.charges,
        [Charge::Pattern(Pattern::NeverReleased), Charge::Pooled]
    );
}

#[test]
fn every_word_reads_back() {
    assert_eq!("other-pattern".parse(), Ok(Verdict::OtherPattern));
    assert_eq!("not-run".parse(), Ok(NoVerdict::NotRun));
    assert_eq!("new-elsewhere".parse(), Ok(Disposition::NewElsewhere));
}
