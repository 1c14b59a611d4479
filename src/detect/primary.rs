//! Which one pattern an acquisition is reported under; the order stands in the doc of [`super`].

use super::obligation::{Cause, Grade, LeftOpen, Loss, Obligation, Origin, Release, Skipped};
use super::{
    Analysed, child_not_reaped, fragile_release, handle_returned, held_globally, inline_acquisition, rebound_while_open,
};
use crate::leak::{Confidence, Pattern};
use crate::python::ast::{Ranged, Stmt};
use crate::python::{Node, Span};

/// The acquisitions that are reported under the pattern.
pub(super) fn all<'a, 'm>(
    module: &'a Analysed<'m>,
    pattern: Pattern,
) -> impl Iterator<Item = &'a Obligation<'m>> + use<'a, 'm> {
    let all = module.obligations().iter().zip(module.patterns());
    all.filter_map(move |(obligation, primary)| (*primary == Some(pattern)).then_some(obligation))
}

pub(super) fn of<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Pattern> {
    let pattern = of_any(module, obligation)?;
    if obligation.resource.kind == "process-queue" && pattern != Pattern::IncompleteRelease {
        return None;
    }
    let is_unreleased = [
        Pattern::NeverReleased,
        Pattern::InlineAcquisition,
        Pattern::OwnerWithoutRelease,
        Pattern::NonClosingContext,
    ];
    let is_unawaited = || module.owned(obligation).is_some_and(|owned| owned.unawaited);
    let is_unclosed = is_unreleased.contains(&pattern) || (pattern == Pattern::IncompleteRelease && is_unawaited());
    Some(if obligation.resource.is_async && is_unclosed {
        Pattern::AsyncResourceNotClosed
    } else {
        pattern
    })
}

fn of_any<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Pattern> {
    let fate = &obligation.fate;
    // It may be released only where it is its own.
    if obligation.origin == Origin::Release && fate.left_open.is_some() {
        return None;
    }
    if let Some(pattern) = descriptor(module, obligation) {
        return Some(pattern);
    }
    match &fate.left_open {
        Some(left) if left.how == Loss::Dropped && left.entered.is_none() => return Some(Pattern::InlineAcquisition),
        _ if fate.unknown => return None,
        Some(_) if held_globally::confidence(module, obligation).is_some() => return Some(Pattern::HeldGlobally),
        Some(left) => return Some(on_normal_path(module, obligation, left)),
        None => {}
    }
    if obligation.resource.kind == "pipe" {
        return None;
    }
    if handle_returned::leaks_everywhere(module, obligation) {
        return Some(Pattern::HandleReturned);
    }
    let on_exception = fate
        .skipped
        .as_ref()
        .and_then(|skipped| on_exception(module, obligation, skipped));
    let is_likely = fate.skipped.is_some_and(|skipped| skipped.grade == Grade::Likely);
    if held_globally::confidence(module, obligation).is_some() {
        return Some(Pattern::HeldGlobally);
    }
    match module.release_of(obligation) {
        Some(Release::Nowhere | Release::OnlyFinalizer) if fate.kept_by_with.is_some() => {
            Some(Pattern::NonClosingContext)
        }
        Some(Release::OnlyFinalizer) => Some(Pattern::FinalizerCleanup),
        Some(Release::Nowhere) => Some(unreleased(module, obligation)),
        Some(Release::Maybe) if !is_likely => Some(unreleased(module, obligation)),
        Some(_) => released(module, obligation, on_exception, is_likely),
        None => on_exception,
    }
}

/// Kept on `self`, where nobody releases it.
fn unreleased<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Pattern {
    let is_forgotten = module
        .owned(obligation)
        .is_some_and(|owned| owned.forgotten_by.is_some());
    if is_forgotten {
        Pattern::IncompleteRelease
    } else {
        Pattern::OwnerWithoutRelease
    }
}

/// Kept on `self`, where somebody releases it.
fn released<'m>(
    module: &Analysed<'m>,
    obligation: &Obligation<'m>,
    on_exception: Option<Pattern>,
    is_likely: bool,
) -> Option<Pattern> {
    let owned = module.owned(obligation)?;
    if owned.forgotten_by.is_some() && owned.release == Release::Somewhere {
        return Some(Pattern::IncompleteRelease);
    }
    if owned.pinned_by.is_some() {
        return Some(Pattern::FinalizerCleanup);
    }
    let other = on_exception_or_rebound(module, obligation, on_exception, is_likely);
    match (&owned.fragile, other) {
        (Some(_), None) => Some(Pattern::FragileRelease),
        (Some(fragile), Some(pattern)) if fragile.is_likely && !is_likely && pattern != Pattern::ReboundWhileOpen => {
            Some(Pattern::FragileRelease)
        }
        _ => other,
    }
}

/// Kept on `self`: what may be skipped outweighs the doubt whether there was an older one.
fn on_exception_or_rebound<'m>(
    module: &Analysed<'m>,
    obligation: &Obligation<'m>,
    on_exception: Option<Pattern>,
    is_likely: bool,
) -> Option<Pattern> {
    match rebound_while_open::over_an_open_one(module, obligation) {
        Some(Confidence::Low) if is_likely && on_exception.is_some() => on_exception,
        Some(_) => Some(Pattern::ReboundWhileOpen),
        None => on_exception,
    }
}

fn descriptor(module: &Analysed<'_>, obligation: &Obligation<'_>) -> Option<Pattern> {
    let fate = &obligation.fate;
    let skipped = match obligation.resource.kind.as_str() {
        // On `self` an object has adopted it.
        "descriptor" => {
            fate.causes.iter().any(|cause| *cause != Cause::Release)
                && obligation.is_ever_discharged()
                && obligation.on_self().is_none()
        }
        // Of a child that is not even waited for, that is the report.
        "pipe" if child_not_reaped::is_lost(module, obligation.span) => return None,
        "pipe" => false,
        _ => return None,
    };
    let given_up = inline_acquisition::gives_up(obligation);
    let leaks = !fate.unknown && !given_up && (fate.left_open.is_some() || skipped);
    leaks.then_some(Pattern::DescriptorNotAdopted)
}

fn on_normal_path(module: &Analysed<'_>, obligation: &Obligation<'_>, left: &LeftOpen<'_>) -> Pattern {
    let fate = &obligation.fate;
    let discharged = !fate.released_at.is_empty() || !fate.moves.is_empty();
    if left.entered.is_some() && !discharged {
        return Pattern::NonClosingContext;
    }
    if let Some(by) = fate.replaced_by
        && (discharged || !by.contains(obligation.span))
        && !is_released_in_its_loop(module, obligation)
    {
        return Pattern::ReboundWhileOpen;
    }
    if discharged || fate.released {
        Pattern::ReleaseSkippedOnPath
    } else {
        Pattern::NeverReleased
    }
}

/// Whether the round of the loop that acquires also releases: then it is a way out that skips it.
fn is_released_in_its_loop(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let released = &obligation.fate.released_at;
    if released.is_empty() {
        return false;
    }
    let around = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::For(node)) => span_of(&node.body),
        Node::Stmt(Stmt::AsyncFor(node)) => span_of(&node.body),
        Node::Stmt(Stmt::While(node)) => span_of(&node.body),
        _ => None,
    });
    let innermost = around
        .filter(|body| body.contains(obligation.span))
        .min_by_key(|body| body.end - body.start);
    innermost.is_some_and(|body| released.iter().any(|at| body.contains(*at)))
}

fn span_of(body: &[Stmt]) -> Option<Span> {
    let (first, last) = (body.first()?, body.last()?);
    Some(Span::new(first.start().to_u32(), last.end().to_u32()))
}

fn on_exception(module: &Analysed<'_>, obligation: &Obligation<'_>, skipped: &Skipped) -> Option<Pattern> {
    let fate = &obligation.fate;
    if fate.causes.iter().all(|cause| *cause == Cause::Release) {
        return fragile_release::is_in_sequence(module, obligation, skipped).then_some(Pattern::FragileRelease);
    }
    if !obligation.is_ever_discharged() {
        return fate.swallowed.then_some(Pattern::NeverReleased);
    }
    let mut causes = fate.causes.iter();
    let only_setup =
        skipped.cause == Cause::Setup && causes.all(|cause| [Cause::Setup, Cause::Release].contains(cause));
    // What handlers release on exceptions is no end of the use of what is handed on.
    let is_handed_on = fate.released_at.is_empty() && !fate.moves.is_empty();
    let is_set_up = only_setup && (!fate.moves.is_empty() || is_guarded_later(module, obligation));
    let pattern = if fate.causes.contains(&Cause::Yield) {
        Pattern::GeneratorScope
    } else if ((is_set_up || is_handed_on) && !skipped.past_handlers) || !fate.released {
        Pattern::PartialAcquisition
    } else {
        Pattern::ReleaseSkippedOnException
    };
    Some(pattern)
}

/// Whether a `finally` or a `with` releases it, whose guard begins behind the step that fails.
fn is_guarded_later(module: &Analysed<'_>, obligation: &Obligation<'_>) -> bool {
    let released = &obligation.fate.released_at;
    let holds = |guard: Span| released.iter().any(|at| guard.contains(*at));
    module.nodes().any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => span_of(&node.finalbody).is_some_and(holds),
        Node::WithItem(_) => holds(node.span()),
        _ => false,
    })
}
