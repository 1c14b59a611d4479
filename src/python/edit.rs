//! Text edits on spans of a module, and the map between the text before and after them.
//!
//! A mutant is its original plus `Edits`; nothing is ever printed back from a syntax tree.

use super::span::{Span, offset};

/// Replaces the bytes under `span` by `text`; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// Edits of one text: sorted, none overlapping, none without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    list: Vec<Edit>,
}

impl Edits {
    /// `None` where two edits touch the same bytes or insert at the same place.
    pub fn new(mut list: Vec<Edit>) -> Option<Self> {
        list.retain(|edit| !(edit.span.is_empty() && edit.text.is_empty()));
        list.sort();
        let clash = |pair: &[Edit]| pair[0].span.end > pair[1].span.start || pair[0].span == pair[1].span;
        if list.windows(2).any(clash) {
            return None;
        }
        Some(Self { list })
    }

    pub fn list(&self) -> &[Edit] {
        &self.list
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// From the first edited byte to the last one.
    pub fn hull(&self) -> Span {
        match (self.list.first(), self.list.last()) {
            (Some(first), Some(last)) => first.span.cover(last.span),
            _ => Span::default(),
        }
    }

    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut done = 0;
        for edit in &self.list {
            out.push_str(Span::new(done, edit.span.start).of(text));
            out.push_str(&edit.text);
            done = edit.span.end;
        }
        out.push_str(&text[done as usize..]);
        out
    }

    /// The edits that turn the edited text back into `original`.
    #[must_use]
    pub fn undo(&self, original: &str) -> Self {
        let mut shift = 0_i64;
        let list = self.list.iter().map(|edit| {
            let start = moved(edit.span.start, shift);
            shift += i64::from(offset(edit.text.len())) - i64::from(edit.span.len());
            let span = Span::new(start, start + offset(edit.text.len()));
            Edit {
                span,
                text: edit.span.of(original).to_owned(),
            }
        });
        Self { list: list.collect() }
    }

    /// What has become of a span of the original that no edit cuts through the end of.
    pub fn stretched(&self, span: Span) -> Span {
        let shift = |until: &dyn Fn(&Edit) -> bool| -> i64 {
            let before = self.list.iter().filter(|edit| until(edit));
            before
                .map(|edit| i64::from(offset(edit.text.len())) - i64::from(edit.span.len()))
                .sum()
        };
        let start = moved(span.start, shift(&|edit| edit.span.end <= span.start));
        let end = moved(span.end, shift(&|edit| edit.span.end <= span.end));
        Span::new(start, end.max(start))
    }

    pub fn map(&self) -> SpanMap {
        let mut kept = Vec::with_capacity(self.list.len() + 1);
        let (mut old, mut shift) = (0_u32, 0_i64);
        for edit in &self.list {
            kept.push(Kept {
                old: Span::new(old, edit.span.start),
                shift,
            });
            shift += i64::from(offset(edit.text.len())) - i64::from(edit.span.len());
            old = edit.span.end;
        }
        kept.push(Kept {
            old: Span::new(old, u32::MAX),
            shift,
        });
        SpanMap { kept }
    }
}

/// A stretch of a text that is being put together from an original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes of the original.
    Copy(Span),
    Text(String),
    /// No text; its place in the result is wanted.
    Mark(usize),
}

impl Edits {
    /// The edits that lead from `original` to the text of `pieces`, and the places of the marks.
    ///
    /// Copies that stand in the order of the original are kept; of two that cross, the longer one is.
    pub fn from_pieces(original: &str, pieces: &[Piece]) -> (Self, Vec<(usize, u32)>) {
        let kept = kept_copies(pieces);
        let (mut list, mut marks) = (Vec::new(), Vec::new());
        let (mut done, mut new_length) = (0_u32, 0_u32);
        let mut fresh = String::new();
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Mark(mark) => marks.push((*mark, new_length + offset(fresh.len()))),
                Piece::Text(text) => fresh.push_str(text),
                Piece::Copy(span) if !kept[index] => fresh.push_str(span.of(original)),
                Piece::Copy(span) => {
                    new_length += offset(fresh.len()) + span.len();
                    list.push(trimmed(
                        Span::new(done, span.start),
                        &std::mem::take(&mut fresh),
                        original,
                    ));
                    done = span.end;
                }
            }
        }
        list.push(trimmed(Span::new(done, offset(original.len())), &fresh, original));
        list.retain(|edit| !(edit.span.is_empty() && edit.text.is_empty()));
        (Self { list }, marks)
    }

    /// The text after these edits, as pieces of the text before them.
    pub fn pieces(&self, original: &str) -> Vec<Piece> {
        let (mut pieces, mut done) = (Vec::new(), 0);
        for edit in &self.list {
            pieces.push(Piece::Copy(Span::new(done, edit.span.start)));
            pieces.push(Piece::Text(edit.text.clone()));
            done = edit.span.end;
        }
        pieces.push(Piece::Copy(Span::new(done, offset(original.len()))));
        pieces
    }

    /// One set of edits for these, then `next`, which were made on the edited text.
    #[must_use]
    pub fn then(&self, next: &Self, original: &str) -> Self {
        let middle = self.apply(original);
        let first = self.pieces(original);
        let mut pieces = Vec::new();
        for piece in next.pieces(&middle) {
            match piece {
                Piece::Copy(span) => cut(&first, span, &mut pieces),
                other => pieces.push(other),
            }
        }
        Self::from_pieces(original, &pieces).0
    }
}

/// Appends the part of `pieces` that makes up `span` of their text.
fn cut(pieces: &[Piece], span: Span, out: &mut Vec<Piece>) {
    let mut at = 0;
    for piece in pieces {
        let length = match piece {
            Piece::Copy(span) => span.len(),
            Piece::Text(text) => offset(text.len()),
            Piece::Mark(_) => 0,
        };
        let (from, to) = (span.start.max(at), span.end.min(at + length));
        if from < to {
            out.push(match piece {
                Piece::Copy(copy) => Piece::Copy(Span::new(copy.start + from - at, copy.start + to - at)),
                Piece::Text(text) => Piece::Text(Span::new(from - at, to - at).of(text).to_owned()),
                Piece::Mark(mark) => Piece::Mark(*mark),
            });
        }
        at += length;
    }
}

/// Which copies stand in the order of the original: those with the most bytes in all.
fn kept_copies(pieces: &[Piece]) -> Vec<bool> {
    let copies: Vec<(usize, Span)> = pieces
        .iter()
        .enumerate()
        .filter_map(|(index, piece)| match piece {
            Piece::Copy(span) if !span.is_empty() => Some((index, *span)),
            _ => None,
        })
        .collect();
    let mut kept = vec![false; pieces.len()];
    if copies.windows(2).all(|pair| pair[0].1.end <= pair[1].1.start) {
        for (index, _) in copies {
            kept[index] = true;
        }
        return kept;
    }
    // The heaviest increasing chain; patches have few copies once their blocks are in order.
    let mut best: Vec<(u32, Option<usize>)> = Vec::with_capacity(copies.len());
    for (at, (_, span)) in copies.iter().enumerate() {
        let before = (0..at)
            .filter(|earlier| copies[*earlier].1.end <= span.start)
            .max_by_key(|earlier| best[*earlier].0);
        best.push((span.len() + before.map_or(0, |earlier| best[earlier].0), before));
    }
    let mut next = (0..copies.len()).max_by_key(|at| best[*at].0);
    while let Some(at) = next {
        kept[copies[at].0] = true;
        next = best[at].1;
    }
    kept
}

/// An edit without the bytes that it would replace by themselves.
fn trimmed(span: Span, text: &str, original: &str) -> Edit {
    let old = span.of(original);
    let mut head = old.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    while !(old.is_char_boundary(head) && text.is_char_boundary(head)) {
        head -= 1;
    }
    let most = old.len().min(text.len()) - head;
    let mut tail = old
        .bytes()
        .rev()
        .zip(text.bytes().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    while !(old.is_char_boundary(old.len() - tail) && text.is_char_boundary(text.len() - tail)) {
        tail -= 1;
    }
    let span = Span::new(span.start + offset(head), span.end - offset(tail));
    Edit {
        span,
        text: text[head..text.len() - tail].to_owned(),
    }
}

/// Which bytes the two texts share, and where each stands in the other.
#[derive(Clone, Debug)]
pub struct SpanMap {
    kept: Vec<Kept>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    old: Span,
    shift: i64,
}

impl SpanMap {
    /// Where the original byte at `old` stands in the edited text; `None` if it was replaced.
    pub fn to_new(&self, old: u32) -> Option<u32> {
        let at = self.kept.partition_point(|kept| kept.old.end <= old);
        let kept = self.kept.get(at).filter(|kept| kept.old.holds(old))?;
        Some(moved(old, kept.shift))
    }

    /// A span of which both ends are kept.
    pub fn span_to_new(&self, old: Span) -> Option<Span> {
        let last = self.to_new(old.end.checked_sub(1)?)?;
        Some(Span::new(self.to_new(old.start)?, last + 1))
    }

    /// Where the byte at `new` of the edited text stood in the original; `None` if it is new.
    pub fn to_old(&self, new: u32) -> Option<u32> {
        let at = self
            .kept
            .partition_point(|kept| i64::from(kept.old.end) + kept.shift <= i64::from(new));
        let kept = self.kept.get(at)?;
        let old = i64::from(new) - kept.shift;
        (old >= i64::from(kept.old.start)).then(|| moved(new, -kept.shift))
    }
}

fn moved(at: u32, shift: i64) -> u32 {
    u32::try_from(i64::from(at) + shift).expect("edits lie inside their text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(list: &[(u32, u32, &str)]) -> Option<Edits> {
        Edits::new(
            list.iter()
                .map(|(start, end, text)| Edit {
                    span: Span::new(*start, *end),
                    text: (*text).to_owned(),
                })
                .collect(),
        )
    }

    #[test]
    fn undoing_gives_the_original_back() {
        let text = "with open(p) as f:\n    f.read()\n";
        let edits = edits(&[(0, 5, "f = "), (12, 18, ""), (19, 23, "")]).unwrap();
        let mutant = edits.apply(text);
        assert_eq!(mutant, "f = open(p)\nf.read()\n");
        assert_eq!(edits.undo(text).apply(&mutant), text);
    }

    #[test]
    fn a_span_grows_and_moves_with_the_edits_in_and_before_it() {
        let edits = edits(&[(0, 5, "f = "), (12, 18, ""), (19, 23, "")]).unwrap();
        assert_eq!(edits.stretched(Span::new(5, 18)), Span::new(4, 11));
        assert_eq!(edits.stretched(Span::new(23, 31)), Span::new(12, 20));
    }

    #[test]
    fn the_map_knows_kept_bytes_only() {
        let edits = edits(&[(0, 5, "f = "), (12, 18, ""), (19, 23, "")]).unwrap();
        let map = edits.map();
        assert_eq!(map.to_new(5), Some(4));
        assert_eq!(map.to_new(2), None);
        assert_eq!(map.to_old(4), Some(5));
        assert_eq!(map.to_old(3), None);
        assert_eq!(map.to_old(12), Some(23));
        assert_eq!(map.to_new(23), Some(12));
    }

    #[test]
    fn edits_made_one_after_the_other_become_one_set() {
        let text = "with a as x, b as y:\n    use(x, y)\n";
        let first = edits(&[(11, 13, ":\n    with "), (20, 21, "\n    ")]).unwrap();
        let middle = first.apply(text);
        assert_eq!(middle, "with a as x:\n    with b as y:\n        use(x, y)\n");
        let second = edits(&[(0, 5, "x = "), (6, 12, "")]).unwrap();
        let both = first.then(&second, text);
        assert_eq!(both.apply(text), second.apply(&middle));
        assert_eq!(both.map().to_new(5), Some(4));
    }

    #[test]
    fn of_crossing_copies_the_longer_one_is_kept() {
        let text = "with open(p) as handle";
        let pieces = [
            Piece::Copy(Span::new(16, 22)),
            Piece::Text(" = ".into()),
            Piece::Mark(7),
            Piece::Copy(Span::new(5, 12)),
        ];
        let (edits, marks) = Edits::from_pieces(text, &pieces);
        assert_eq!(edits.apply(text), "handle = open(p)");
        assert_eq!(edits.map().to_new(5), Some(9));
        assert_eq!(marks, [(7, 9)]);
    }

    #[test]
    fn overlapping_edits_are_refused() {
        assert!(edits(&[(0, 5, "a"), (4, 6, "b")]).is_none());
        assert!(edits(&[(3, 3, "a"), (3, 3, "b")]).is_none());
        assert!(edits(&[(0, 3, "a"), (3, 6, "b")]).is_some());
    }
}
