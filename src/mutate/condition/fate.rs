//! Conditions on what becomes of an acquisition, in the original and in the mutant.

use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::Facts;
use crate::mutate::fate::{Fate, Held, fate_of};
use crate::mutate::render::render;
use crate::mutate::resources::{Resource, resource_of};
use crate::python::{Module, Source, Span};

/// `settled($n, $a)`: every path from the acquisition `$a` on, exceptions included, releases what `$n`
/// holds or hands it to someone who keeps it.
pub(super) fn settled(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some((name, resource, acquire)) = held(scene, arguments) else {
        return Truth::Unknown;
    };
    let held = Held {
        name: &name,
        resource,
        acquire,
    };
    scene.site.resource = Some(resource.kind.clone());
    match fate_of(scene.facts, held) {
        Some(fate) => (!fate.open_on_path && !fate.open_on_exception).into(),
        None => Truth::Unknown,
    }
}

/// `left-open($n, $a)`: in the mutant some path leaves open what `$n` holds. `path` asks for one without
/// an exception, beside one that settles it; `exception` for one with, while all others settle it.
pub(super) fn left_open(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some((name, resource, acquire)) = held(scene, arguments) else {
        return Truth::Unknown;
    };
    let Some(fate) = fate_in_mutant(scene, &name, resource, acquire) else {
        return Truth::Unknown;
    };
    let wanted = match texts(arguments, 2).first() {
        Some(&"path") => fate.open_on_path && fate.settled,
        Some(&"exception") => fate.open_on_exception && !fate.open_on_path,
        _ => fate.open_on_path || fate.open_on_exception,
    };
    wanted.into()
}

fn held<'m>(scene: &Scene<'_, '_, 'm>, arguments: &[Argument]) -> Option<(String, &'m Resource, Span)> {
    let expr = scene.expr(arguments, 1)?;
    let name = scene.word(arguments, 0)?;
    Some((
        name,
        resource_of(scene.facts, expr)?,
        crate::python::Node::Expr(expr).span(),
    ))
}

/// The mutant is parsed for this alone: it is asked of few sites, after all else.
fn fate_in_mutant(scene: &Scene<'_, '_, '_>, name: &str, resource: &Resource, acquire: Span) -> Option<Fate> {
    let module = scene.facts.module;
    let rendered = render(module, scene.site, &[], false)?;
    let map = rendered.edits.map();
    let acquire = Span::new(map.to_new(acquire.start)?, map.to_new(acquire.end - 1)? + 1);
    let text = rendered.edits.apply(module.text());
    let mutant = Module::parse(module.path.clone(), Source::from_text(text)).ok()?;
    let held = Held {
        name,
        resource,
        acquire,
    };
    fate_of(&Facts::new(&mutant, scene.facts.index, scene.facts.own), held)
}
