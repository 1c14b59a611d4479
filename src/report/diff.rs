//! One mutant as a unified diff, from what the record kept of it.

use similar::TextDiff;

use crate::python::{Edit, Edits, Span};
use crate::record::{EditHunk, EditLine, EditRow};

const CONTEXT_LINES: usize = 3;

/// `None` if the edits contradict each other or the kept lines.
pub fn unified(row: &EditRow) -> Option<String> {
    let mut text = format!("--- {0}\n+++ {0} (mutant {1})\n", row.module, row.id);
    let mut shift = 0;
    for hunk in &row.hunks {
        let mutated = mutated(hunk)?;
        let diff = TextDiff::from_lines(&hunk.context, &mutated);
        for part in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
            text.push_str(&moved(&part.to_string(), hunk.line - 1, shift));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        shift += line_count(&mutated) - line_count(&hunk.context);
    }
    Some(text)
}

fn line_count(text: &str) -> i64 {
    i64::try_from(text.lines().count()).unwrap_or(i64::MAX)
}

fn mutated(hunk: &EditHunk) -> Option<String> {
    let shift = |at: u32| {
        at.checked_sub(hunk.start)
            .filter(|at| *at as usize <= hunk.context.len())
    };
    let edit = |edit: &EditLine| {
        Some(Edit {
            span: Span::new(shift(edit.start)?, shift(edit.end)?),
            text: edit.text.clone(),
        })
    };
    let edits = Edits::new(hunk.edits.iter().map(edit).collect::<Option<_>>()?)?;
    Some(edits.apply(&hunk.context))
}

/// The kept lines start somewhere in the module: `@@ -1,4 +1,5 @@` becomes `@@ -41,4 +41,5 @@`. Hunks before
/// have moved the new ones by `shift` lines.
fn moved(hunk: &str, lines: u32, shift: i64) -> String {
    let Some((head, rest)) = hunk.split_once('\n') else {
        return hunk.to_owned();
    };
    let word = |word: &str| {
        let Some(sign @ ('-' | '+')) = word.chars().next() else {
            return word.to_owned();
        };
        let (start, count) = word[1..].split_once(',').unwrap_or((&word[1..], "1"));
        let start: i64 = start.parse().unwrap_or(0);
        let start = start + i64::from(lines) + if sign == '+' { shift } else { 0 };
        format!("{sign}{start},{count}")
    };
    let words: Vec<String> = head.split(' ').map(word).collect();
    format!("{}\n{rest}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_numbers_are_those_of_the_module() {
        let hunk = |start: u32, line: u32, context: &str, text: &str| EditHunk {
            start,
            line,
            context: context.to_owned(),
            edits: vec![EditLine {
                start: start + 4,
                end: start + 5,
                text: text.to_owned(),
            }],
        };
        let row = EditRow {
            id: "ab".to_owned(),
            corpus: "core".to_owned(),
            module: "a.py".to_owned(),
            hunks: vec![
                hunk(100, 41, "a\nb\nx\nd\n", "c\nc"),
                hunk(200, 61, "a\nb\ny\nd\n", "e"),
            ],
        };
        let text = unified(&row).unwrap();
        assert_eq!(
            text,
            "--- a.py\n+++ a.py (mutant ab)\n@@ -41,4 +41,5 @@\n a\n b\n-x\n+c\n+c\n d\n\
             @@ -61,4 +62,4 @@\n a\n b\n-y\n+e\n d\n"
        );
    }
}
