//! Findings in plain words.

use super::obligation::{Doubt, Grade, LeftOpen, Loss, Obligation, Skipped};
use super::{Analysed, text_at};
use crate::leak::{Confidence, Finding, Pattern, Related};
use crate::python::Span;
use crate::python::names::ScopeKind;

/// A finding at the acquisition.
pub(super) fn finding(
    pattern: Pattern,
    obligation: &Obligation<'_>,
    confidence: Confidence,
    message: String,
) -> Finding {
    Finding {
        span: obligation.span,
        rule: pattern.id().to_owned(),
        patterns: vec![pattern],
        resource: Some(obligation.resource.kind.clone()),
        confidence,
        message,
        suggestion: suggestion(obligation),
        related: Vec::new(),
    }
}

/// `open(...)` as it stands in messages.
pub(super) fn acquisition(obligation: &Obligation<'_>) -> String {
    format!("`{}(...)`", obligation.callee)
}

/// "closed", "cleaned up", "released"
pub(super) fn participle(obligation: &Obligation<'_>) -> &'static str {
    match obligation.resource.release.first().map(String::as_str) {
        Some("cleanup") => "cleaned up",
        Some("release") => "released",
        _ => "closed",
    }
}

fn suggestion(obligation: &Obligation<'_>) -> String {
    let callee = &obligation.callee;
    let resource = &obligation.resource;
    if !resource.parts.is_empty() || resource.release.is_empty() {
        let release = resource.functions.first().map_or("close", String::as_str);
        return format!("release it in a `finally` block, with `{release}`");
    }
    if resource.with_releases {
        format!("use `with {callee}(...) as …:`")
    } else {
        format!("use `with contextlib.closing({callee}(...)) as …:`; its own `with` does not close it")
    }
}

/// A path without exceptions leaves it open.
pub(super) fn on_path(
    module: &Analysed<'_>,
    pattern: Pattern,
    obligation: &Obligation<'_>,
    left: &LeftOpen<'_>,
    message: String,
) -> Finding {
    let sure = confidence_in(module, obligation, left.name);
    let confidence = left.doubt.lowers(sure, &obligation.resource.kind);
    let mut finding = finding(pattern, obligation, confidence, message);
    let note = format!("still open {}", ending(module, left.how, left.at));
    finding.related.push(related(left.at, note));
    finding
}

/// Only a path that an exception takes leaves it open. `why` ends the message.
pub(super) fn on_exception(
    module: &Analysed<'_>,
    pattern: Pattern,
    obligation: &Obligation<'_>,
    skipped: &Skipped,
    why: &str,
) -> Finding {
    let likely = if skipped.grade == Grade::Likely {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    // Who releases it all the same did not give it away.
    let doubt = match skipped.doubt {
        Doubt::Passed if !obligation.fate.released_at.is_empty() => Doubt::None,
        other => other,
    };
    let confidence = doubt.lowers(likely, &obligation.resource.kind);
    let message = format!(
        "{} is not {} if {}{why}",
        acquisition(obligation),
        participle(obligation),
        raiser(module, skipped)
    );
    let mut finding = finding(pattern, obligation, confidence, message);
    let leaves = related(skipped.at, "an exception from here leaves it open");
    finding.related.push(leaves);
    finding
}

/// Text longer than this is not quoted in a message.
const MAX_QUOTE: usize = 40;

pub(super) fn raiser(module: &Analysed<'_>, skipped: &Skipped) -> String {
    let line = module.line(skipped.at.start);
    let text = text_at(module.module.text(), skipped.at);
    if text.len() > MAX_QUOTE || text.contains('\n') {
        format!("line {line} raises")
    } else {
        format!("`{text}` on line {line} raises")
    }
}

/// How a path without exceptions ends, as the end of a sentence.
pub(super) fn ending(analysed: &Analysed<'_>, how: Loss, at: Span) -> String {
    let line = analysed.line(at.start);
    match how {
        Loss::End => "when control reaches the end".to_owned(),
        Loss::Return => format!("when the function returns on line {line}"),
        Loss::Rebound | Loss::Replaced => format!("when the name is bound anew on line {line}"),
        Loss::Deleted => format!("when the name is deleted on line {line}"),
        Loss::Dropped => format!("when its value is dropped on line {line}"),
    }
}

pub(super) fn related(span: Span, note: impl Into<String>) -> Related {
    Related {
        span,
        note: note.into(),
    }
}

/// What an obligation of a module's or class's body is worth: the process may want it to its end.
pub(super) fn confidence_in(analysed: &Analysed<'_>, obligation: &Obligation<'_>, name: Option<&str>) -> Confidence {
    if obligation.body_kind != ScopeKind::Module {
        return Confidence::High;
    }
    let Some(name) = name else { return Confidence::High };
    let used_later = analysed
        .names
        .uses(name, obligation.body)
        .iter()
        .any(|each| each.nested);
    let is_constant = name.chars().all(|c| c.is_uppercase() || c == '_' || c.is_ascii_digit());
    let is_shared = super::held_globally::SHARED.contains(&obligation.resource.kind.as_str());
    if used_later || is_constant || is_shared {
        Confidence::Low
    } else {
        Confidence::Medium
    }
}
