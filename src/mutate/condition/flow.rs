//! Conditions on where control goes.

use super::{Argument, Scene, Truth};
use crate::python::ast::Stmt;
use crate::python::flow;

fn of_block(scene: &Scene<'_, '_, '_>, arguments: &[Argument], question: fn(&[Stmt]) -> bool) -> Truth {
    scene.block(arguments, 0).map_or(Truth::Unknown, |block| question(block).into())
}

/// `falls-through($$b)`: control can reach the end.
pub(super) fn falls_through(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::falls_through)
}

/// `leaves-early($$b)`: holds a return, or a break or continue of a loop outside.
pub(super) fn leaves_early(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::leaves_early)
}

/// `may-raise($$b)`
pub(super) fn may_raise(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::may_raise)
}

/// `has-yield($$b)`
pub(super) fn has_yield(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    of_block(scene, arguments, flow::has_yield)
}

/// `used-after($n)`: read on some path that leaves the site, exceptions and loops included; unknown
/// where the name belongs to another scope than the code around it.
pub(super) fn used_after(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(name) = scene.word(arguments, 0) else { return Truth::Unknown };
    let at = scene.at();
    let scope = scene.facts.names.scope_at(at.start);
    if scene.facts.names.home(&name, scope) != scope {
        return Truth::Unknown;
    }
    scene.facts.graph_at(at.start).live_after(&name, at).into()
}
