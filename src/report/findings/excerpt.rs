//! Findings to read: what, where, and the lines of the path on which it leaks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{Level, Located, Region, Step, level};
use crate::console::paint;
use crate::report::Style;

const BOLD: &str = "1";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const BLUE: &str = "1;34";
const CYAN: &str = "1;36";

/// Longer lines are cut around what is marked in them.
const WIDTH: usize = 140;
/// What is left before a mark in a line that is cut.
const MARGIN: usize = 40;
const TAB: &str = "    ";

/// `path:line:column: confidence rule: message`, the lines it is about, and what to do.
pub fn text(found: &[Located], style: Style) -> String {
    let mut text = String::new();
    for each in found {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&one(each, style.colour));
    }
    text
}

fn one(found: &Located, colour: bool) -> String {
    let finding = &found.finding;
    let loud = match level(finding.confidence) {
        Level::Error => RED,
        Level::Warning => YELLOW,
        Level::Note => CYAN,
    };
    let start = found.region.start;
    let place = format!("{}:{}:{}:", found.path, start.line, start.column);
    let place = paint(&visible(&place), BOLD, colour);
    let confidence = paint(finding.confidence.word(), loud, colour);
    let rule = paint(&finding.rule, BOLD, colour);
    let mut text = format!("{place} {confidence} {rule}: {}\n", visible(&finding.message));
    text.push_str(&excerpt(found, loud, colour));
    if !finding.suggestion.is_empty() {
        let blank = " ".repeat(gutter_width(found));
        let sign = paint("=", BLUE, colour);
        let help = paint("help:", CYAN, colour);
        let _ = writeln!(text, "{blank} {sign} {help} {}", visible(&finding.suggestion));
    }
    text
}

/// One mark below a line.
struct Mark<'a> {
    region: Region,
    note: &'a str,
    sign: &'static str,
    code: &'static str,
}

fn gutter_width(found: &Located) -> usize {
    found.lines.keys().max().map_or(1, |line| line.to_string().len())
}

fn excerpt(found: &Located, loud: &'static str, colour: bool) -> String {
    let width = gutter_width(found);
    let bar = paint("|", BLUE, colour);
    let blank = format!("{:width$} {bar}", "");
    let marks = marks(found, loud);
    let mut text = format!("{blank}\n");
    let mut before = None;
    for (number, line) in &found.lines {
        if before.is_some_and(|before| number - before > 1) {
            let _ = writeln!(text, "{}", paint("...", BLUE, colour));
        }
        before = Some(*number);
        let of_line = marks.get(number).map_or(&[][..], Vec::as_slice);
        let window = Window::new(line, of_line);
        let head = paint(&format!("{number:width$}"), BLUE, colour);
        let _ = writeln!(text, "{}", format!("{head} {bar} {}", window.text).trim_end());
        for mark in of_line {
            let (from, length) = window.mark(mark.region);
            let drawn = format!("{} {}", mark.sign.repeat(length), mark.note);
            let drawn = paint(drawn.trim_end(), mark.code, colour);
            let _ = writeln!(text, "{blank} {}{drawn}", " ".repeat(from));
        }
    }
    text
}

/// By line; in the order of columns.
fn marks<'a>(found: &'a Located, loud: &'static str) -> BTreeMap<u32, Vec<Mark<'a>>> {
    let (here, elsewhere): (Vec<&Step>, Vec<&Step>) = found.steps.iter().partition(|step| step.region == found.region);
    let first = Mark {
        region: found.region,
        note: match here.first() {
            Some(step) => &step.note,
            None if found.steps.is_empty() => "",
            None => found.label,
        },
        sign: "^",
        code: loud,
    };
    let steps = elsewhere.into_iter().map(|step| Mark {
        region: step.region,
        note: &step.note,
        sign: "-",
        code: BLUE,
    });
    let mut by_line: BTreeMap<u32, Vec<Mark<'_>>> = BTreeMap::new();
    for mark in [first].into_iter().chain(steps) {
        by_line.entry(mark.region.start.line).or_default().push(mark);
    }
    for marks in by_line.values_mut() {
        marks.sort_by_key(|mark| mark.region.start.column);
    }
    by_line
}

/// The part of a line that is shown, and where its characters stand on the screen.
struct Window {
    text: String,
    /// By character of the line; one more for its end.
    columns: Vec<usize>,
}

impl Window {
    fn new(line: &str, marks: &[Mark<'_>]) -> Self {
        let first = marks.iter().map(|mark| mark.region.start.column as usize - 1).min();
        let length = line.chars().count();
        let from = match first {
            Some(first) if length > WIDTH => first.saturating_sub(MARGIN),
            _ => 0,
        };
        let mut window = Self {
            text: if from > 0 { "…".to_owned() } else { String::new() },
            columns: Vec::with_capacity(length + 1),
        };
        let mut column = window.text.width();
        for (at, character) in line.chars().enumerate() {
            window.columns.push(column);
            if at >= from && at < from + WIDTH {
                let shown = if character == '\t' {
                    TAB.to_owned()
                } else {
                    visible_char(character).to_string()
                };
                column += shown.width();
                window.text.push_str(&shown);
            }
        }
        window.columns.push(column);
        if length > from + WIDTH {
            window.text.push('…');
        }
        window
    }

    /// Where a mark starts and how long it is; what ends on a later line is marked to the end of this one.
    fn mark(&self, region: Region) -> (usize, usize) {
        let last = self.columns.len() - 1;
        let from = (region.start.column as usize - 1).min(last);
        let to = if region.end.line == region.start.line {
            (region.end.column as usize - 1).min(last)
        } else {
            last
        };
        let (from, to) = (self.columns[from], self.columns[to]);
        (from, to.saturating_sub(from).max(1))
    }
}

/// Code that is shown must not steer the terminal.
fn visible(text: &str) -> String {
    text.chars().map(visible_char).collect()
}

fn visible_char(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{LEAKY, located};
    use super::*;

    #[test]
    fn the_path_is_shown_line_by_line() {
        let shown = text(&located("a.py", LEAKY), Style::default());
        let expected = "\
a.py:2:11: high release-skipped-on-path: `open(...)`";
        assert!(shown.starts_with(expected), "{shown}");
        let rest: Vec<&str> = shown.lines().skip(1).collect();
        assert_eq!(
            rest[..6],
            [
                "  |",
                "2 |     handle = open(path)",
                "  |              ^^^^^^^^^^ acquired here",
                "3 |     if not handle.read():",
                "4 |         return None",
                "  |         ----------- still open when the function returns on line 4",
            ]
        );
        assert!(rest[6].starts_with("  = help: "), "{shown}");
    }

    #[test]
    fn colour_comes_only_when_asked_for_and_code_cannot_bring_its_own() {
        let found = located("a.py", &LEAKY.replace("return None", "return '\u{1b}[31m'"));
        assert!(!text(&found, Style::default()).contains('\u{1b}'));
        assert!(text(&found, Style { colour: true }).contains("\u{1b}[1;31mhigh\u{1b}[0m"));
    }

    #[test]
    fn marks_stand_below_wide_characters() {
        let shown = text(
            &located("a.py", "def f(p):\n    print('漢字', open(p).read())\n"),
            Style::default(),
        );
        let lines: Vec<&str> = shown.lines().collect();
        let (code, marks) = (lines[2], lines[3]);
        let at = code.find("open").unwrap();
        assert_eq!(code[..at].width(), marks.find('^').unwrap(), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_their_mark() {
        let long = format!("def f(p):\n    a = [{}open(p).read()]\n", "1, ".repeat(200));
        let shown = text(&located("a.py", &long), Style::default());
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find("open(p)").unwrap();
        assert!(
            lines[2].starts_with("2 | …") && lines[2].chars().count() < 150,
            "{shown}"
        );
        let marked = lines[3].find('^').unwrap();
        assert_eq!(lines[2][..at].chars().count(), lines[3][..marked].chars().count());
    }
}
