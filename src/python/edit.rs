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
    fn overlapping_edits_are_refused() {
        assert!(edits(&[(0, 5, "a"), (4, 6, "b")]).is_none());
        assert!(edits(&[(3, 3, "a"), (3, 3, "b")]).is_none());
        assert!(edits(&[(0, 3, "a"), (3, 6, "b")]).is_some());
    }
}
