//! Suppression comments: `# leakbench: ignore[PATTERN, …] reason`, on the line where a finding starts or
//! alone on the line above. What is said there is held against the findings: a comment without a reason,
//! with a pattern that does not exist, or that suppresses nothing, is a finding itself.

use crate::leak::{Confidence, Finding, Pattern};
use crate::python::span::offset;
use crate::python::{Module, Span, Token, TokenKind};

/// The rule of what is wrong with a comment.
pub const SUPPRESSION: &str = "suppression";

const MARK: &str = "leakbench:";
const VERB: &str = "ignore";
const HELP: &str = "write `# leakbench: ignore[pattern, …] reason`";

/// One comment that asks for something to be passed over.
#[derive(Debug)]
struct Comment<'m> {
    /// From its `#` to the end of the reason.
    span: Span,
    /// Zero-based line of the findings that it speaks of.
    line: u32,
    /// As written, each with its place.
    words: Vec<(Span, &'m str)>,
    has_reason: bool,
}

/// Whether each finding stays, and what is wrong with the comments.
pub(super) fn suppressed(module: &Module, findings: &[&Finding]) -> (Vec<bool>, Vec<Finding>) {
    let comments = comments(module);
    let mut stays = vec![true; findings.len()];
    let mut faults = Vec::new();
    for comment in &comments {
        if comment.words.is_empty() {
            faults.push(fault(comment.span, "this comment names no pattern", HELP));
        }
        for (span, word) in &comment.words {
            let Ok(pattern) = word.parse::<Pattern>() else {
                let message = format!("{word:?} is no pattern, and suppresses nothing");
                faults.push(fault(*span, &message, "`leakbench list patterns` shows them"));
                continue;
            };
            let mut suppresses = false;
            for (at, finding) in findings.iter().enumerate() {
                if finding.patterns.contains(&pattern) && module.lines.line_of(finding.span.start) == comment.line {
                    stays[at] = false;
                    suppresses = true;
                }
            }
            if !suppresses {
                let message = format!("`{word}` is not reported here, so that the comment suppresses nothing");
                faults.push(fault(*span, &message, "take it out"));
            }
        }
        if !comment.has_reason && !comment.words.is_empty() {
            let help = "say behind the bracket why it is no leak, or why that does not matter";
            faults.push(fault(comment.span, "this comment gives no reason", help));
        }
    }
    (stays, faults)
}

fn fault(span: Span, message: &str, suggestion: &str) -> Finding {
    Finding {
        span,
        rule: SUPPRESSION.to_owned(),
        patterns: Vec::new(),
        resource: None,
        confidence: Confidence::Medium,
        message: message.to_owned(),
        suggestion: suggestion.to_owned(),
        related: Vec::new(),
    }
}

fn comments(module: &Module) -> Vec<Comment<'_>> {
    let tokens = &module.tokens;
    let of_comments = tokens.iter().filter(|token| token.kind == TokenKind::Comment);
    let marked = of_comments.filter(|token| token.span.of(module.text()).contains(MARK));
    marked.filter_map(|token| comment(module, *token)).collect()
}

fn comment(module: &Module, token: Token) -> Option<Comment<'_>> {
    let text = token.span.of(module.text());
    let (start, after) = directive(text)?;
    let rest = &text[after..];
    let (words, reason) = match rest.trim_start().strip_prefix('[') {
        Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
        None => ("", rest),
    };
    let start_of = |part: &str| token.span.start + offset(part.as_ptr() as usize - text.as_ptr() as usize);
    let place = |word: &str| Span::new(start_of(word), start_of(word) + offset(word.len()));
    let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
    let reason = without_next_comment(reason);
    let end = place(reason.trim_end()).end;
    Some(Comment {
        span: Span::new(token.span.start + offset(start), end.max(token.span.start)),
        line: target(module, token),
        words: words.map(|word| (place(word), word)).collect(),
        has_reason: reason.chars().any(char::is_alphanumeric),
    })
}

/// Where the `#` of `# leakbench: ignore` stands, and where the text behind it starts. Other comments may
/// stand before it on the line: `# noqa: X  # leakbench: ignore[…] reason`.
fn directive(text: &str) -> Option<(usize, usize)> {
    let hashes = text.match_indices('#').map(|(at, _)| at);
    hashes.into_iter().find_map(|at| {
        let behind = text[at + 1..].trim_start().strip_prefix(MARK)?;
        let behind = behind.trim_start().strip_prefix(VERB)?;
        let ends = !behind.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '-');
        ends.then_some((at, text.len() - behind.len()))
    })
}

/// A reason may name `#12`, but `# noqa` is none.
fn without_next_comment(reason: &str) -> &str {
    let next = reason.match_indices('#').map(|(at, _)| at);
    let next = next
        .into_iter()
        .find(|at| !reason[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    &reason[..next.unwrap_or(reason.len())]
}

/// The line that a comment speaks of: its own, or where it stands alone, the next one that is more than a comment.
fn target(module: &Module, token: Token) -> u32 {
    let mut line = module.lines.line_of(token.span.start);
    while is_comment_alone(module, line) {
        line += 1;
    }
    line
}

fn is_comment_alone(module: &Module, line: u32) -> bool {
    let start = module.lines.start_of(line);
    let end = module.lines.line_end(start, module.text());
    let in_last_line = line < module.lines.line_count();
    in_last_line && Span::new(start, end).of(module.text()).trim_start().starts_with('#') && !module.in_string(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::suites;
    use crate::python::Source;

    /// Rules and lines of what is left.
    fn left(text: &str) -> Vec<(String, u32, String)> {
        let module = Module::parse("m.py", Source::from_text(text)).unwrap();
        let findings = suites()[0].findings(&module);
        let all: Vec<&Finding> = findings.iter().collect();
        let (stays, faults) = suppressed(&module, &all);
        let kept = all.into_iter().zip(stays).filter(|(_, stays)| *stays);
        let kept = kept.map(|(finding, _)| finding).chain(&faults);
        kept.map(|finding| {
            let line = module.lines.line_of(finding.span.start) + 1;
            (finding.rule.clone(), line, finding.message.clone())
        })
        .collect()
    }

    const REST: &str = "    handle.read()\n    print(handle)\n";

    #[test]
    fn a_comment_with_a_reason_suppresses_on_its_line_and_from_the_line_above() {
        for comment in [
            "    handle = open(p)  # leakbench: ignore[never-released] the process ends here\n",
            "    # leakbench: ignore[never-released]: see #12\n    handle = open(p)\n",
            "    # leakbench: ignore[never-released] the process ends\n    # right after\n    handle = open(p)\n",
            "    handle = open(p)  # noqa: SIM115  # leakbench: ignore[never-released] ends here\n",
            "    handle = open(  # leakbench: ignore[never-released] ends here\n        p)\n",
            "    handle = open(p)  #leakbench:ignore[never-released]:ends here\r\n",
        ] {
            let text = format!("def f(p):\n{comment}{REST}");
            let left = left(&text);
            assert!(left.is_empty(), "{text}{left:?}");
        }
    }

    #[test]
    fn comments_without_reason_with_unknown_patterns_or_without_effect_are_reported() {
        let cases = [
            ("# leakbench: ignore[never-released]", "no reason"),
            ("# leakbench: ignore[never-released] # noqa", "no reason"),
            (
                "# leakbench: ignore[never-relesed] it ends",
                "\"never-relesed\" is no pattern",
            ),
            (
                "# leakbench: ignore[lock-not-released, never-released] it ends",
                "`lock-not-released` is not reported",
            ),
            ("# leakbench: ignore it ends", "names no pattern"),
            ("# leakbench: ignore[] it ends", "names no pattern"),
        ];
        for (comment, expected) in cases {
            let left = left(&format!("def f(p):\n    handle = open(p)  {comment}\n{REST}"));
            let faults: Vec<_> = left.iter().filter(|(rule, ..)| rule == SUPPRESSION).collect();
            assert!(
                faults.len() == 1 && faults[0].2.contains(expected),
                "{comment}: {left:?}"
            );
            assert_eq!(faults[0].1, 2);
        }
    }

    #[test]
    fn strings_prose_and_distant_comments_suppress_nothing() {
        for text in [
            "def f(p):\n    handle = open(p); x = '# leakbench: ignore[never-released] no comment'\n",
            "def f(p):\n    handle = open(p)  # see leakbench: ignore[never-released] is prose\n",
            "def f(p):\n    handle = open(p)  # leakbench: ignored[never-released] is another word\n",
        ] {
            let left = left(&format!("{text}{REST}"));
            assert!(left.len() == 1 && left[0].0 == "never-released", "{text}{left:?}");
        }
        let far = format!("def f(p):\n    # leakbench: ignore[never-released] too far\n\n    handle = open(p)\n{REST}");
        assert_eq!(left(&far).len(), 2);
    }
}
