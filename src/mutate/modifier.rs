//! Modifiers: what people do on top of a leak that makes it harder to see.
//!
//! They work on the text of a leak mutant, whatever page it comes from. Pattern, label and twins stay the
//! base's. Their cases stand in `mutators/modifiers/`.

use super::draft::Draft;
use super::facts::Facts;
use super::fate::{Held, fate_of};
use super::index::Index;
use super::layout::{block_pieces, block_span, indent_at, indent_unit, starts_line};
use super::page::Pages;
use super::resources::resource_of;
use crate::leak::{Effect, Label, Place};
use crate::python::ast::{Expr, ExprContext, Stmt};
use crate::python::flow::{has_yield, leaves_early, may_raise};
use crate::python::span::offset;
use crate::python::{Edit, Edits, Module, Node, Piece, Source, Span};

/// What one is, for those who ask.
pub struct Modifier {
    pub id: &'static str,
    /// The page with its cases.
    pub text: &'static str,
}

/// All of them, in the order of their names.
pub const MODIFIERS: [Modifier; 2] = [
    Modifier {
        id: SILENCE,
        text: include_str!("../../mutators/modifiers/silence-noqa.md"),
    },
    Modifier {
        id: SWALLOW,
        text: include_str!("../../mutators/modifiers/swallow-exception.md"),
    },
];

const SILENCE: &str = "silence-noqa";
const SWALLOW: &str = "swallow-exception";

/// Every modifier that fits a leak draft, laid on top of it.
pub(super) fn modified(base: &Draft, original: &Module, pages: &Pages, index: &Index) -> Vec<Draft> {
    let resource = &base.label.resource;
    if base.label.effect != Effect::Leak || !SILENCED.contains(&resource.as_str()) && !pages.own().is_kind(resource) {
        return Vec::new();
    }
    let text = base.edits.apply(original.text());
    let Ok(mutant) = Module::parse(original.path.clone(), Source::from_text(text)) else {
        return Vec::new();
    };
    let edits = [
        (SILENCE, silence_noqa(&mutant, &base.label)),
        (
            SWALLOW,
            swallow_exception(&Facts::new(&mutant, index, pages.own()), &base.label),
        ),
    ];
    let drafts = edits.into_iter().filter_map(|(name, edits)| {
        let edits = edits?;
        Some(Draft {
            mutator: base.mutator.clone(),
            modifier: Some(name),
            label_site: base.label_site,
            qualname: base.qualname.clone(),
            label: moved(&base.label, &edits)?,
            edits: base.edits.then(&edits, original.text()),
        })
    });
    drafts.collect()
}

fn moved(label: &Label, edits: &Edits) -> Option<Label> {
    let map = edits.map();
    let places = label.places.iter().map(|place| {
        Some(Place {
            pattern: place.pattern,
            region: map.span_to_new(place.region)?,
        })
    });
    Some(Label {
        span: map.span_to_new(label.span)?,
        places: places.collect::<Option<_>>()?,
        ..label.clone()
    })
}

/// What the linter rule SIM115 speaks of.
const SILENCED: [&str; 3] = ["file", "archive", "database"];

/// `# noqa: SIM115`, and no reason, behind the line of the acquisition.
fn silence_noqa(mutant: &Module, label: &Label) -> Option<Edits> {
    let is_call = |node: Node<'_>| matches!(node, Node::Expr(Expr::Call(_))) && node.span() == label.span;
    if !SILENCED.contains(&label.resource.as_str()) || !mutant.nodes().any(is_call) {
        return None;
    }
    let text = mutant.text();
    let start = mutant.lines.line_start(label.span.start);
    let end = mutant.lines.line_end(label.span.start, text);
    let line = Span::new(start, end).of(text).trim_end();
    let next = mutant.lines.next_line(label.span.start, text);
    let taken = mutant.comments_in(Span::new(start, end)).next().is_some();
    if taken || mutant.in_string(next) || line.ends_with('\\') {
        return None;
    }
    Edits::new(vec![Edit {
        span: Span::at(start + offset(line.len())),
        text: "  # noqa: SIM115".to_owned(),
    }])
}

/// The use of the resource stands in `try`, and `except Exception: pass` behind it.
fn swallow_exception(facts: &Facts<'_>, label: &Label) -> Option<Edits> {
    let mutant = facts.module;
    let (name, used) = use_of(facts, label.span)?;
    let nodes: Vec<Node<'_>> = used.iter().map(Node::Stmt).collect();
    let block = block_span(mutant, &nodes)?;
    let stays = !leaves_early(used) && !has_yield(used) && may_raise(used) && forgets(facts, &nodes, block);
    let scope = facts.names.scope_at(block.start);
    if !stays || !starts_line(mutant, block.start) || !facts.names.bindings("Exception", scope).is_empty() {
        return None;
    }
    let indent = indent_at(mutant, nodes[0].span().start);
    let (newline, inner) = (mutant.source.newline(), format!("{indent}{}", indent_unit(mutant)));
    let mut pieces = vec![
        Piece::Copy(Span::new(0, mutant.lines.line_start(block.start))),
        Piece::Text(format!("{indent}try:{newline}{inner}")),
    ];
    pieces.extend(block_pieces(mutant, block, &inner, &[]));
    pieces.push(Piece::Text(format!(
        "{newline}{indent}except Exception:{newline}{inner}pass"
    )));
    pieces.push(Piece::Copy(Span::new(block.end, offset(mutant.text().len()))));
    let edits = Edits::from_pieces(mutant.text(), &pieces).0;
    still_leaks(facts, &edits, label, name).then_some(edits)
}

/// The name that the acquisition is bound to, and the statements of its block from there to the last that
/// speaks of it.
fn use_of<'m>(facts: &Facts<'m>, acquire: Span) -> Option<(&'m str, &'m [Stmt])> {
    facts.names.enclosing_function(acquire.start)?;
    facts.blocks.iter().find_map(|block| {
        let (at, name) = block.iter().enumerate().find_map(|(at, statement)| match statement {
            Stmt::Assign(node) if Node::Expr(&node.value).span() == acquire => match &node.targets[..] {
                [Expr::Name(name)] => Some((at, name.id.as_str())),
                _ => None,
            },
            _ => None,
        })?;
        let speaks = |statement: &Stmt| {
            let mut nodes = Node::Stmt(statement).descendants();
            nodes.any(|node| matches!(node, Node::Expr(Expr::Name(found)) if found.id.as_str() == name))
        };
        let last = block.iter().rposition(speaks).filter(|last| *last > at)?;
        Some((name, &block[at + 1..=last]))
    })
}

/// Whether nothing that the statements bind is read after them.
fn forgets(facts: &Facts<'_>, nodes: &[Node<'_>], block: Span) -> bool {
    let graph = facts.graph_at(block.start);
    let mut inner = nodes.iter().flat_map(|node| node.descendants());
    inner.all(|node| match node {
        Node::Expr(Expr::Name(name)) => name.ctx == ExprContext::Load || !graph.live_after(&name.id, block),
        Node::Stmt(
            Stmt::FunctionDef(_)
            | Stmt::AsyncFunctionDef(_)
            | Stmt::ClassDef(_)
            | Stmt::Import(_)
            | Stmt::ImportFrom(_)
            | Stmt::Global(_)
            | Stmt::Nonlocal(_),
        ) => false,
        _ => true,
    })
}

/// Whether some path of the result leaves it open: what is handed over after a swallowed exception is not.
fn still_leaks(facts: &Facts<'_>, edits: &Edits, label: &Label, name: &str) -> bool {
    let mutant = facts.module;
    let text = edits.apply(mutant.text());
    let (Ok(module), Some(label)) = (
        Module::parse(mutant.path.clone(), Source::from_text(text)),
        moved(label, edits),
    ) else {
        return false;
    };
    let facts = Facts::new(&module, facts.index, facts.own);
    let mut exprs = module.nodes().filter_map(Node::as_expr);
    let acquire = exprs.find(|expr| Node::Expr(expr).span() == label.span);
    let Some(resource) = acquire.and_then(|expr| resource_of(&facts, expr)) else {
        return false;
    };
    let held = Held {
        name,
        resource,
        acquire: label.span,
    };
    fate_of(&facts, held).is_some_and(|fate| fate.open_on_path || fate.open_on_exception)
}
