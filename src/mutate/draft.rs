//! From sites to labelled mutants: render, check, find the label, then ids, duplicates and twins.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::check::{Checked, check, region_at};
use super::facts::Facts;
use super::index::Index;
use super::modifier::modified;
use super::mutant::{Mutant, Twin};
use super::page::{Page, Pages};
use super::render::{Rendered, render};
use super::search::sites;
use super::site::Site;
use super::split::{Split, split_withs};
use super::unify::{Place as TemplatePlace, Value};
use crate::leak::{Effect, Label, Place};
use crate::python::ast::Expr;
use crate::python::{Edit, Edits, Module, Node, Source, Span};

/// A mutant without id and relations.
pub(super) struct Draft {
    pub(super) mutator: String,
    pub(super) modifier: Option<&'static str>,
    pub(super) label_site: Span,
    pub(super) qualname: String,
    pub(super) edits: Edits,
    pub(super) label: Label,
}

/// In `also`: every `yield` of the function around the label.
const YIELD: &str = "yield";

/// Why a site gives no mutant.
const TAKEN: &str = "an earlier rewrite block";
const UNRENDERED: &str = "the check of the result";

/// Every mutant that one page makes of a module. `decline` hears why a place of its shape gives none. Where two alternatives share a site, the first wins.
pub(super) fn drafts_of(page: &Page, facts: &Facts<'_>, decline: &mut dyn FnMut(&str)) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for alternative in 0..page.rewrites.len() {
        for site in sites(page, alternative, facts, decline) {
            let taken = |draft: &Draft| drafts.iter().any(|other| other.label_site == draft.label_site);
            match draft(page, facts, &site) {
                Some(draft) if taken(&draft) => decline(TAKEN),
                Some(draft) => drafts.push(draft),
                None => decline(UNRENDERED),
            }
        }
    }
    drafts
}

fn draft(page: &Page, facts: &Facts<'_>, site: &Site<'_, '_>) -> Option<Draft> {
    let module = facts.module;
    let mut wanted = vec![page.label.as_str()];
    wanted.extend(page.also.iter().map(|(place, _)| place.as_str()));
    [false, true].into_iter().find_map(|brackets| {
        let rendered = render(module, site, &wanted, brackets)?;
        let mutant = rendered.edits.apply(module.text());
        let checked = check(module, site, &rendered, &mutant)?;
        let label_site = original_place(site, &page.label)?;
        let label = label(page, facts, site, &rendered, (&checked, &mutant))?;
        let qualname = facts.names.qualname_at(label_site.start);
        let qualname = if qualname == "<module>" {
            String::new()
        } else {
            qualname.to_owned()
        };
        Some(Draft {
            mutator: page.id.clone(),
            modifier: None,
            label_site,
            qualname,
            edits: rendered.edits,
            label,
        })
    })
}

/// What a metavariable stands for in the original; a definition's name stands for its header.
fn original_place(site: &Site<'_, '_>, name: &str) -> Option<Span> {
    let part = site.parts.iter().find(|part| part.found.values.contains_key(name))?;
    match part.found.values.get(name)? {
        Value::Node(node) => Some(node.span()),
        Value::Many(nodes) => Some(nodes.first()?.span().cover(nodes.last()?.span())),
        Value::Word(_) => part.found.places.values().find_map(|place| match place {
            TemplatePlace::Header {
                node: Node::Stmt(_),
                header,
                ..
            } if header.start == part.node().span().start => Some(*header),
            _ => None,
        }),
        Value::Text(_) => None,
    }
}

/// Every `yield` of the function around the label, in the mutant.
fn yields(facts: &Facts<'_>, label_site: Span, rendered: &Rendered) -> Vec<Span> {
    let function = facts.names.enclosing_function(label_site.start);
    let definition = function.and_then(|id| facts.names.scope(id).node);
    let nodes = definition.into_iter().flat_map(Node::descendants);
    let own = nodes.filter(|node| {
        let is_yield = matches!(node, Node::Expr(Expr::Yield(_) | Expr::YieldFrom(_)));
        is_yield && facts.names.enclosing_function(node.span().start) == function
    });
    let map = rendered.edits.map();
    own.filter_map(|node| map.span_to_new(node.span())).collect()
}

fn label(
    page: &Page,
    facts: &Facts<'_>,
    site: &Site<'_, '_>,
    rendered: &Rendered,
    (checked, mutant): (&Checked, &str),
) -> Option<Label> {
    let map = rendered.edits.map();
    let unchanged = |span: Span| map.span_to_new(region_at(facts.module, map.to_old(span.start)?)?);
    let region = |span: Span| checked.region_at(mutant, span.start).or_else(|| unchanged(span));
    let spans = places_of(site, rendered, &page.label);
    let mut span = *spans.first()?;
    if matches!(site.values.get(&page.label), Some(Value::Many(_))) {
        span = checked.call_with(span)?;
    }
    let mut places = vec![Place {
        pattern: page.pattern,
        region: region(span)?,
    }];
    for (name, pattern) in &page.also {
        let spans = if name == YIELD {
            yields(facts, original_place(site, &page.label)?, rendered)
        } else {
            places_of(site, rendered, name)
        };
        for span in spans {
            let place = Place {
                pattern: *pattern,
                region: region(span)?,
            };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    let resource = site
        .resource
        .clone()
        .or_else(|| page.resource.clone())
        .unwrap_or_else(|| "none".to_owned());
    Some(Label {
        pattern: page.pattern,
        resource,
        effect: page.effect,
        strength: page.strength,
        span,
        places,
    })
}

/// Where a metavariable or hunk stands in the mutant. A definition's name stands for its header,
/// wherever else it is used. What a condition found all over the module stands where that does.
fn places_of(site: &Site<'_, '_>, rendered: &Rendered, name: &str) -> Vec<Span> {
    let word = site
        .values
        .get(name)
        .is_some_and(|value| matches!(value, Value::Word(_)));
    let marked: Vec<Span> = rendered
        .places
        .iter()
        .filter(|(marked, _)| marked == name)
        .map(|(_, span)| *span)
        .collect();
    if !marked.is_empty() && !word {
        return marked;
    }
    let old: Vec<Span> = match (original_place(site, name), site.values.get(name)) {
        (None, Some(Value::Many(nodes))) => nodes.iter().map(|node| node.span()).collect(),
        (place, _) => place.into_iter().collect(),
    };
    let map = rendered.edits.map();
    old.into_iter().filter_map(|old| map.span_to_new(old)).collect()
}

/// All mutants of one module, in the order of span, then mutator. Twins and duplicates are filled in.
/// A decoy that is someone's twin comes only with a leak mutant at its site.
pub fn mutants_of(pages: &Pages, module: &Module, index: &Index) -> Vec<Mutant> {
    let mut drafts = all_drafts(pages, module, index, &mut |_, _| ());
    let more: Vec<Draft> = drafts
        .iter()
        .flat_map(|draft| modified(draft, module, pages, index))
        .collect();
    drafts.extend(more);
    let mut mutants = finish(pages, module, drafts);
    mutants.retain(|mutant| {
        let is_twin = pages.get(&mutant.mutator).is_some_and(|page| !page.twin_of.is_empty());
        !is_twin || !mutant.twin_of.is_empty() || mutant.duplicate_of.is_some()
    });
    mutants
}

/// How many places of a mutator's shape a condition turned down: by mutator, then by the condition as its page
/// writes it. Conditions are asked in order, and the first that does not hold is counted.
pub fn declined(pages: &Pages, module: &Module, index: &Index) -> Declined {
    let mut declined = Declined::new();
    all_drafts(pages, module, index, &mut |page, why| {
        let by_reason = declined.entry(page.id.clone()).or_default();
        *by_reason.entry(why.to_owned()).or_default() += 1;
    });
    declined
}

/// By mutator and reason.
pub type Declined = BTreeMap<String, BTreeMap<String, u64>>;

fn all_drafts(pages: &Pages, module: &Module, index: &Index, decline: &mut dyn FnMut(&Page, &str)) -> Vec<Draft> {
    let facts = Facts::new(module, index, pages.own());
    let mut drafts = Vec::new();
    for page in pages.list() {
        drafts.extend(drafts_of(page, &facts, &mut |why| decline(page, why)));
    }
    for split in split_withs(module) {
        drafts.extend(drafts_of_split(&split, pages, module, index, decline));
    }
    drafts
}

/// The mutants that lie on the split-off item.
pub(super) fn drafts_of_split(
    split: &Split,
    pages: &Pages,
    original: &Module,
    index: &Index,
    decline: &mut dyn FnMut(&Page, &str),
) -> Vec<Draft> {
    let text = split.edits.apply(original.text());
    let Ok(module) = Module::parse(original.path.clone(), Source::from_text(text)) else {
        return Vec::new();
    };
    let map = split.edits.map();
    let Some(item) = map.to_new(split.item.start) else {
        return Vec::new();
    };
    let facts = Facts::new(&module, index, pages.own()).only_with(item);
    let mut made = Vec::new();
    for page in pages.list() {
        made.extend(drafts_of(page, &facts, &mut |why| decline(page, why)));
    }
    let mut drafts = Vec::new();
    for draft in made {
        let label = draft.label_site;
        let (Some(start), Some(last)) = (map.to_old(label.start), map.to_old(label.end - 1)) else {
            continue;
        };
        let label_site = Span::new(start, last + 1);
        let edits = split.edits.then(&draft.edits, original.text());
        drafts.push(Draft {
            label_site,
            edits,
            ..draft
        });
    }
    drafts
}

/// Sorts, gives ids, marks duplicates and pairs twins.
pub(super) fn finish(pages: &Pages, module: &Module, drafts: Vec<Draft>) -> Vec<Mutant> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut drafts = drafts;
    drafts.sort_by(|a, b| (a.edits.hull(), &a.mutator, a.modifier).cmp(&(b.edits.hull(), &b.mutator, b.modifier)));
    let mutants = drafts.into_iter().map(|draft| {
        let key = identity(module, &draft);
        let ordinal = seen.entry(key.clone()).or_insert(0);
        let id = hash(&format!("{key}\0{ordinal}"));
        *ordinal += 1;
        Mutant {
            id,
            mutator: draft.mutator,
            modifier: draft.modifier.map(str::to_owned),
            module: module.path.clone(),
            qualname: draft.qualname,
            site: draft.edits.hull(),
            label_site: draft.label_site,
            edits: draft.edits,
            label: draft.label,
            duplicate_of: None,
            twin_of: Vec::new(),
        }
    });
    let mut mutants: Vec<Mutant> = mutants.collect();
    mark_duplicates(pages, &mut mutants);
    pair_twins(pages, &mut mutants);
    mutants
}

/// What an id is made of: everything but the place, the ordinal and added imports. Whether those are
/// needed depends on the rest of the module.
fn identity(module: &Module, draft: &Draft) -> String {
    let mut key = format!(
        "{}\0{}\0{}\0{}",
        draft.mutator,
        draft.modifier.unwrap_or_default(),
        module.path,
        draft.qualname
    );
    for edit in draft.edits.list().iter().filter(|edit| !adds_imports(edit)) {
        let _ = write!(key, "\0{}\0{}", edit.span.of(module.text()), edit.text);
    }
    key
}

fn adds_imports(edit: &Edit) -> bool {
    let mut lines = edit.text.lines().filter(|line| !line.is_empty()).peekable();
    edit.span.is_empty() && lines.peek().is_some() && lines.all(|line| line.starts_with("import "))
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Of equal texts the built-in page's counts, then the first one's by name.
fn mark_duplicates(pages: &Pages, mutants: &mut [Mutant]) {
    let rank = |mutant: &Mutant| {
        (
            !pages.get(&mutant.mutator).is_some_and(|page| page.built_in),
            mutant.mutator.clone(),
        )
    };
    // Equal edits start and end at the same bytes, and the mutants are sorted by these.
    for group in mutants.chunk_by_mut(|one, next| one.site == next.site) {
        for at in 0..group.len() {
            let same = group.iter().filter(|other| other.edits == group[at].edits);
            let first = same.min_by_key(|other| rank(other)).map(|other| other.id.clone());
            if first.as_ref() != Some(&group[at].id) {
                group[at].duplicate_of = first;
            }
        }
    }
}

fn pair_twins(pages: &Pages, mutants: &mut [Mutant]) {
    let mut leaks: HashMap<Span, Vec<(String, String)>> = HashMap::new();
    for mutant in mutants
        .iter()
        .filter(|mutant| mutant.label.effect == Effect::Leak && mutant.duplicate_of.is_none())
    {
        leaks
            .entry(mutant.label_site)
            .or_default()
            .push((mutant.mutator.clone(), mutant.id.clone()));
    }
    for decoy in mutants
        .iter_mut()
        .filter(|mutant| mutant.label.effect == Effect::Safe && mutant.duplicate_of.is_none())
    {
        let Some(page) = pages.get(&decoy.mutator) else {
            continue;
        };
        let here = leaks.get(&decoy.label_site).into_iter().flatten();
        let mut twins: Vec<Twin> = here
            .filter(|(mutator, _)| page.twin_of.contains(mutator))
            .map(|(mutator, id)| {
                let primary = pages.get(mutator).and_then(|leak| leak.primary.as_deref()) == Some(page.id.as_str());
                Twin {
                    leak: id.clone(),
                    primary,
                }
            })
            .collect();
        twins.sort();
        decoy.twin_of = twins;
    }
}
