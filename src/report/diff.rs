//! One mutant as a unified diff, from what the record kept of it.

use similar::TextDiff;

use crate::python::{Edit, Edits, Span};
use crate::record::EditRow;

const CONTEXT_LINES: usize = 3;

/// `None` if the edits contradict each other or the kept lines.
pub fn unified(row: &EditRow) -> Option<String> {
    let mutated = mutated(row)?;
    let diff = TextDiff::from_lines(&row.context, &mutated);
    let mut text = format!("--- {0}\n+++ {0} (mutant {1})\n", row.module, row.id);
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        text.push_str(&moved(&hunk.to_string(), row.context_line - 1));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Some(text)
}

fn mutated(row: &EditRow) -> Option<String> {
    let shift = |at: u32| {
        at.checked_sub(row.context_start)
            .filter(|at| *at as usize <= row.context.len())
    };
    let edit = |edit: &crate::record::EditLine| {
        Some(Edit {
            span: Span::new(shift(edit.start)?, shift(edit.end)?),
            text: edit.text.clone(),
        })
    };
    let edits = Edits::new(row.edits.iter().map(edit).collect::<Option<_>>()?)?;
    Some(edits.apply(&row.context))
}

/// The kept lines start somewhere in the module: `@@ -1,4 +1,5 @@` becomes `@@ -41,4 +41,5 @@`.
fn moved(hunk: &str, lines: u32) -> String {
    let Some((head, rest)) = hunk.split_once('\n') else {
        return hunk.to_owned();
    };
    let word = |word: &str| {
        let Some(sign @ ('-' | '+')) = word.chars().next() else {
            return word.to_owned();
        };
        let (start, count) = word[1..].split_once(',').unwrap_or((&word[1..], "1"));
        let start: u32 = start.parse().unwrap_or(0);
        format!("{sign}{},{count}", start + lines)
    };
    let words: Vec<String> = head.split(' ').map(word).collect();
    format!("{}\n{rest}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EditLine;

    #[test]
    fn line_numbers_are_those_of_the_module() {
        let row = EditRow {
            id: "ab".to_owned(),
            corpus: "core".to_owned(),
            module: "a.py".to_owned(),
            edits: vec![EditLine {
                start: 104,
                end: 105,
                text: "c".to_owned(),
            }],
            context_start: 100,
            context_line: 41,
            context: "a\nb\nx\nd\n".to_owned(),
        };
        let text = unified(&row).unwrap();
        assert_eq!(
            text,
            "--- a.py\n+++ a.py (mutant ab)\n@@ -41,4 +41,4 @@\n a\n b\n-x\n+c\n d\n"
        );
    }
}
