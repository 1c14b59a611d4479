//! Where a finding stands: against the accepted regions of a label, and against what the clean module had.
//! Knows nothing of verdicts.

use std::collections::BTreeSet;

use crate::leak::{Finding, Label, Pattern, Place};
use crate::python::{Span, SpanMap};

/// How long a finding may be and still speak of an accepted region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width<'a> {
    /// No longer than the region: a simple statement or the header of a compound one.
    Statement,
    /// Also longer ones, as far as they stay inside the function or class that holds the region.
    /// `definitions` are the spans of all of them in the text of the mutant, nested ones included;
    /// a region outside of all is held to `Statement`.
    Function { definitions: &'a [Span] },
    /// Also longer ones, up to the whole file.
    File,
}

impl Width<'_> {
    /// What a longer finding must not leave.
    fn limit(self, region: Span) -> Option<Span> {
        match self {
            Width::Statement => None,
            Width::Function { definitions } => {
                let around = definitions.iter().filter(|span| span.contains(region));
                around.min_by_key(|span| span.len()).copied()
            }
            Width::File => Some(Span::new(0, u32::MAX)),
        }
    }
}

/// How a finding relates to the accepted regions of one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Speaks of an accepted region and names its pattern.
    Accepted,
    /// Speaks of an accepted region, but names another pattern.
    Region,
    /// Starts in an accepted region or spans it whole, but is too long for the width.
    TooWide,
    Elsewhere,
}

pub(super) fn reach(finding: &Finding, label: &Label, width: Width) -> Reach {
    let spoken_of = |place: &&Place| speaks_of(finding.span, place.region, width);
    let places: Vec<&Place> = label.places.iter().filter(spoken_of).collect();
    let near = |place: &Place| starts_in_or_spans(finding.span, place.region);
    if places.iter().any(|place| names(finding, place.pattern)) {
        Reach::Accepted
    } else if !places.is_empty() {
        Reach::Region
    } else if label.places.iter().any(near) {
        Reach::TooWide
    } else {
        Reach::Elsewhere
    }
}

fn names(finding: &Finding, pattern: Pattern) -> bool {
    finding.patterns.contains(&pattern)
}

fn speaks_of(found: Span, region: Span, width: Width) -> bool {
    let fits = region.holds(found.start) && found.end <= region.end;
    fits || starts_in_or_spans(found, region) && width.limit(region).is_some_and(|limit| limit.contains(found))
}

fn starts_in_or_spans(found: Span, region: Span) -> bool {
    region.holds(found.start) || found.contains(region)
}

/// The findings on the clean module, as far as the mutant's findings are held against them: where each
/// starts, and its rule.
pub(super) struct Baseline<'a> {
    starts: BTreeSet<(u32, &'a str)>,
    map: &'a SpanMap,
}

impl<'a> Baseline<'a> {
    pub(super) fn new(findings: &'a [Finding], map: &'a SpanMap) -> Self {
        let starts = findings
            .iter()
            .map(|finding| (finding.span.start, finding.rule.as_str()));
        Self {
            starts: starts.collect(),
            map,
        }
    }

    /// Whether the clean module has a finding of the same rule at the mapped place. The map is one to
    /// one on kept bytes, so asking from the mutant back is asking from the clean module forth; a
    /// finding on a replaced token has no place there, and is new.
    pub(super) fn has(&self, finding: &Finding) -> bool {
        let old = self.map.to_old(finding.span.start);
        old.is_some_and(|start| self.starts.contains(&(start, finding.rule.as_str())))
    }
}
