//! Where a tool points, as offsets into the text it was shown.

use serde::{Deserialize, Serialize};

use super::RawFinding;
use crate::python::span::offset;
use crate::python::{LineIndex, Span};

/// What a tool counts along a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    #[default]
    Characters,
    Bytes,
    Utf16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    pub first: u32,
    pub unit: Unit,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            first: 1,
            unit: Unit::Characters,
        }
    }
}

/// Empty where the tool names no end. A line beyond the text is its end: such a finding is nowhere near a label.
pub fn span_of(raw: &RawFinding, text: &str) -> Span {
    let lines = LineIndex::new(text);
    let at = |line: u32, column: Option<u32>| point(&lines, text, line, column, raw.columns);
    let start = at(raw.line, raw.column);
    let end = raw.end.map_or(start, |(line, column)| at(line, Some(column)));
    Span::new(start, end.max(start))
}

fn point(lines: &LineIndex, text: &str, line: u32, column: Option<u32>, columns: Columns) -> u32 {
    if line == 0 || line > lines.line_count() {
        return offset(text.len());
    }
    let start = lines.start_of(line - 1);
    let end = lines.line_end(start, text);
    let of_line = Span::new(start, end).of(text);
    let Some(column) = column else {
        return start + offset(of_line.len() - of_line.trim_start().len());
    };
    let steps = column.saturating_sub(columns.first) as usize;
    let width = |character: char| match columns.unit {
        Unit::Characters => 1,
        Unit::Bytes => character.len_utf8(),
        Unit::Utf16 => character.len_utf16(),
    };
    let mut passed = 0;
    let inside = of_line.char_indices().find(|(_, character)| {
        let here = passed;
        passed += width(*character);
        here >= steps
    });
    start + offset(inside.map_or(of_line.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(line: u32, column: Option<u32>, end: Option<(u32, u32)>, columns: Columns) -> RawFinding {
        RawFinding {
            path: "a.py".to_owned(),
            line,
            column,
            end,
            rule: "R".to_owned(),
            message: String::new(),
            columns,
        }
    }

    #[test]
    fn columns_are_counted_in_the_tools_own_unit() {
        let text = "x\n  é𝄞 = open(p)\n";
        let found = |first, unit, column| {
            let span = span_of(
                &raw(2, Some(column), Some((2, column + 4)), Columns { first, unit }),
                text,
            );
            span.of(text).to_owned()
        };
        assert_eq!(found(1, Unit::Characters, 8), "open");
        assert_eq!(found(0, Unit::Characters, 7), "open");
        assert_eq!(found(0, Unit::Bytes, 11), "open");
        assert_eq!(found(1, Unit::Utf16, 9), "open");
    }

    #[test]
    fn a_line_alone_begins_at_its_first_word_and_a_wrong_one_at_the_end() {
        let text = "x\n  y = 1\n";
        let at = |line, column| span_of(&raw(line, column, None, Columns::default()), text);
        assert_eq!(at(2, None), Span::new(4, 4));
        assert_eq!(at(9, Some(1)), Span::new(10, 10));
        assert_eq!(at(0, None), Span::new(10, 10));
    }
}
