//! Comments that silence other linters about an acquisition, and say why or do not: `# noqa: SIM115`,
//! `# noqa`, `# pylint: disable=consider-using-with`.

use super::Analysed;
use super::report::related;
use crate::leak::Finding;
use crate::python::Span;

/// The rules of other linters that are about acquisitions outside a `with`.
const RULES: [&str; 3] = ["SIM115", "R1732", "consider-using-with"];
/// Words of other comments for tools, which are no reason.
const DIRECTIVES: [&str; 6] = [
    "type: ignore",
    "pragma: no cover",
    "fmt: skip",
    "nosec",
    "pyright: ignore",
    "isort: skip",
];
/// A reason has a word of so many letters at least.
const SHORTEST_WORD: usize = 3;

/// The comment that silences what is acquired at `at`, if nothing beside it or above gives a reason.
pub(super) fn without_reason(module: &Analysed<'_>, at: Span) -> Option<Span> {
    let (text, lines) = (module.module.text(), &module.module.lines);
    let here = Span::new(lines.line_start(at.start), lines.line_end(at.end, text));
    let silences = |comment: &Span| rest_beside_directive(comment.of(text)).is_some();
    let comment = module.module.comments_in(here).find(silences)?;
    let beside = rest_beside_directive(comment.of(text)).is_some_and(|rest| is_reason(&rest));
    (!beside && !is_explained_above(module, here.start)).then_some(comment)
}

/// Says so in a finding about what leaks.
pub(super) fn note(module: &Analysed<'_>, finding: &mut Finding) {
    if finding.resource.is_none() {
        return;
    }
    if let Some(comment) = without_reason(module, finding.span) {
        let note = "other linters are told to be silent here, and not why";
        finding.related.push(related(comment, note));
    }
}

/// What stands in the comment beside a directive that silences; `None` if there is none.
fn rest_beside_directive(comment: &str) -> Option<String> {
    let (before, after) = split_at(comment, "noqa").or_else(|| split_at(comment, "pylint:"))?;
    let after = after.trim_start().trim_start_matches("disable=");
    let after = after.strip_prefix(':').unwrap_or(after);
    let is_between = |c: char| c.is_whitespace() || c == ',';
    let (mut rest, mut named) = (after.trim_start(), Vec::new());
    while let Some(rule) = rest.split(is_between).next().filter(|word| is_rule(word)) {
        named.push(rule);
        rest = rest[rule.len()..].trim_start_matches(is_between);
    }
    let is_blanket = named.is_empty() && comment.contains("noqa");
    let silences = is_blanket || named.iter().any(|rule| RULES.contains(rule));
    silences.then(|| format!("{before} {rest}"))
}

fn split_at<'t>(comment: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let at = comment.to_ascii_lowercase().find(word)?;
    Some((&comment[..at], &comment[at + word.len()..]))
}

/// `SIM115`, `consider-using-with`
fn is_rule(word: &str) -> bool {
    let is_code = word.starts_with(|c: char| c.is_ascii_uppercase()) && word.ends_with(|c: char| c.is_ascii_digit());
    is_code || RULES.contains(&word)
}

fn is_reason(text: &str) -> bool {
    let without = DIRECTIVES
        .iter()
        .fold(text.to_owned(), |text, word| text.replace(word, ""));
    let mut words = without.split(|c: char| !c.is_alphabetic());
    words.any(|word| word.chars().count() >= SHORTEST_WORD)
}

/// Whether the line above is a comment that says something.
fn is_explained_above(module: &Analysed<'_>, line_start: u32) -> bool {
    let (text, lines) = (module.module.text(), &module.module.lines);
    let Some(end) = line_start.checked_sub(1) else {
        return false;
    };
    let above = Span::new(lines.line_start(end), end);
    let is_comment = above.of(text).trim_start().starts_with('#');
    is_comment && rest_beside_directive(above.of(text)).is_none() && is_reason(above.of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_told_from_reasons() {
        let rest = |comment| rest_beside_directive(comment).map(|rest| is_reason(&rest));
        for bare in [
            "# noqa: SIM115",
            "#noqa",
            "# NOQA:SIM115,E501",
            "# noqa: E501, SIM115",
            "# pylint: disable=consider-using-with",
            "# pylint: disable=R1732",
            "# type: ignore  # noqa: SIM115",
        ] {
            assert_eq!(rest(bare), Some(false), "{bare}");
        }
        for reasoned in [
            "# noqa: SIM115 - lives as long as the stream",
            "# closed by close()  # noqa",
            "# pylint: disable=consider-using-with  # kept open",
        ] {
            assert_eq!(rest(reasoned), Some(true), "{reasoned}");
        }
        for other in ["# noqa: E501", "# pylint: disable=invalid-name", "# read it"] {
            assert_eq!(rest(other), None, "{other}");
        }
    }
}
