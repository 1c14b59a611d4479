//! A table of words: aligned for terminals, piped for Markdown.

use std::borrow::Cow;

use super::Style;
use crate::console::paint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub head: Cow<'static, str>,
    pub align: Align,
}

impl Column {
    pub const fn left(head: &'static str) -> Self {
        Self {
            head: Cow::Borrowed(head),
            align: Align::Left,
        }
    }

    pub const fn right(head: &'static str) -> Self {
        Self {
            head: Cow::Borrowed(head),
            align: Align::Right,
        }
    }

    pub fn named(head: &str) -> Self {
        Self {
            head: Cow::Owned(head.to_owned()),
            align: Align::Right,
        }
    }
}

/// Rows of as many cells as there are columns.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

const BOLD: &str = "1";

impl Grid {
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Where the first cell repeats that of the row above, it is left blank.
    pub fn as_text(&self, style: Style) -> String {
        let widths = self.widths();
        let heads: Vec<&str> = self.columns.iter().map(|column| column.head.as_ref()).collect();
        let mut text = paint(&self.line(&heads, &widths), BOLD, style.colour) + "\n";
        let mut group = "";
        for row in &self.rows {
            let mut cells: Vec<&str> = row.iter().map(String::as_str).collect();
            if let [first, _, ..] = &mut cells[..] {
                if *first == group {
                    *first = "";
                } else {
                    group = first;
                }
            }
            text.push_str(&self.line(&cells, &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |(at, column): (usize, &Column)| {
            let cells = self.rows.iter().map(|row| row[at].chars().count());
            cells.max().unwrap_or(0).max(column.head.chars().count())
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    fn line(&self, cells: &[&str], widths: &[usize]) -> String {
        let padded = cells.iter().zip(widths).zip(&self.columns);
        let padded = padded.map(|((cell, width), column)| match column.align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("  {}", line.trim_end())
    }

    pub fn as_markdown(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let heads = self.columns.iter().map(|column| column.head.to_string()).collect();
        let rules = self.columns.iter().map(|column| match column.align {
            Align::Left => ":--".to_owned(),
            Align::Right => "--:".to_owned(),
        });
        let mut text = row(heads) + &row(rules.collect());
        for cells in &self.rows {
            text.push_str(&row(cells.iter().map(|cell| cell.replace('|', "\\|")).collect()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_repeated_groups_are_blank() {
        let mut grid = Grid::new(&[Column::left("who"), Column::right("n")]);
        for (who, n) in [("a", "1"), ("a", "20"), ("b", "3")] {
            grid.rows.push(vec![who.to_owned(), n.to_owned()]);
        }
        assert_eq!(
            grid.as_text(Style::default()),
            "  who   n\n  a     1\n       20\n  b     3\n"
        );
        assert_eq!(
            grid.as_markdown(),
            "| who | n |\n| :-- | --: |\n| a | 1 |\n| a | 20 |\n| b | 3 |\n"
        );
    }
}
