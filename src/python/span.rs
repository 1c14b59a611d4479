//! Byte ranges of a module's text, and the line index over it.

use rustpython_parser::text_size::TextRange;

/// A half-open range of bytes in the UTF-8 text of a module (without its byte order mark).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The empty span at `offset`.
    pub const fn at(offset: u32) -> Self {
        Self::new(offset, offset)
    }

    pub const fn len(self) -> u32 {
        self.end - self.start
    }

    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `offset` lies in the range; its end does not.
    pub const fn holds(self, offset: u32) -> bool {
        self.start <= offset && offset < self.end
    }

    /// Whether `other` lies wholly in this span.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two share at least one byte.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The smallest span that contains both.
    #[must_use]
    pub fn cover(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The text under the span.
    pub fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

impl From<TextRange> for Span {
    fn from(range: TextRange) -> Self {
        Self::new(range.start().to_u32(), range.end().to_u32())
    }
}

/// A position for people: both one-based, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Where each physical line starts. `\n`, `\r\n` and a lone `\r` end a line.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends_line = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends_line {
                starts.push(offset(at + 1));
            }
        }
        Self { starts }
    }

    /// Number of physical lines; text after the last line end counts as one.
    pub fn line_count(&self) -> u32 {
        offset(self.starts.len())
    }

    /// Zero-based line that holds `at`.
    pub fn line_of(&self, at: u32) -> u32 {
        offset(self.starts.partition_point(|start| *start <= at) - 1)
    }

    /// Offset at which the zero-based `line` starts; past the last line, the last start.
    pub fn start_of(&self, line: u32) -> u32 {
        let last = self.starts.len() - 1;
        self.starts[(line as usize).min(last)]
    }

    /// Offset at which the line that holds `at` starts.
    pub fn line_start(&self, at: u32) -> u32 {
        self.start_of(self.line_of(at))
    }

    /// Offset just past the text of the line that holds `at`, before its line end.
    pub fn line_end(&self, at: u32, text: &str) -> u32 {
        let line = self.line_of(at) as usize;
        let end = self.starts.get(line + 1).map_or(text.len(), |next| *next as usize);
        let start = self.starts[line] as usize;
        offset(start + text[start..end].trim_end_matches(['\n', '\r']).len())
    }

    /// Offset at which the next line starts, or the end of the text.
    pub fn next_line(&self, at: u32, text: &str) -> u32 {
        let line = self.line_of(at) as usize;
        self.starts.get(line + 1).copied().unwrap_or_else(|| offset(text.len()))
    }

    pub fn position(&self, at: u32, text: &str) -> Position {
        let line = self.line_of(at);
        let before = Span::new(self.start_of(line), at).of(text);
        Position {
            line: line + 1,
            column: offset(before.chars().count()) + 1,
        }
    }
}

/// A length or index as an offset. Loading refuses texts that would not fit.
pub fn offset(value: usize) -> u32 {
    u32::try_from(value).expect("texts are limited to far less than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_every_kind_of_line_end() {
        let text = "a\nb\r\nc\rdä\n";
        let index = LineIndex::new(text);
        assert_eq!(index.line_count(), 5);
        assert_eq!(index.position(5, text), Position { line: 3, column: 1 });
        assert_eq!(index.position(10, text), Position { line: 4, column: 3 });
        assert_eq!(index.line_end(3, text), 3);
        assert_eq!(index.next_line(0, text), 2);
    }
}
