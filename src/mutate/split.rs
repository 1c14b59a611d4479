//! `with` statements over many items, split so that pages written for one item match them.
//!
//! `with a as x, b as y:` is the same as two nested statements. For each item the text is split into
//! what stands before it, itself, and what stands after; edits on the split text are then expressed
//! as edits of the original.

use super::layout::{block_pieces, block_span, indent_at, indent_unit, starts_line};
use crate::python::ast::{Expr, Stmt, WithItem};
use crate::python::span::offset;
use crate::python::{Edits, Module, Node, Piece, Span};

/// One split of one statement.
pub(super) struct Split {
    pub(super) edits: Edits,
    /// The item that stands alone, in the original.
    pub(super) item: Span,
}

/// A split for every item that pages may match, of every `with` that has several.
pub(super) fn split_withs(module: &Module) -> Vec<Split> {
    let statements = module.nodes().filter_map(Node::as_stmt);
    let many = statements.filter_map(|statement| match statement {
        Stmt::With(node) if node.items.len() > 1 => Some((statement, &node.items[..], &node.body[..])),
        _ => None,
    });
    many.flat_map(|(statement, items, body)| {
        let candidates = (0..items.len()).filter(move |at| is_candidate(items, *at));
        candidates.filter_map(move |at| split(module, statement, items, body, at))
    })
    .collect()
}

/// A named call among calls, or what is entered without a call and a name: a lock.
fn is_candidate(items: &[WithItem], at: usize) -> bool {
    // `with open(a) as f, g:` takes `g` over late: the original is not clean.
    let calls = || items.iter().all(|item| item.context_expr.is_call_expr());
    match (&items[at].context_expr, &items[at].optional_vars) {
        (Expr::Name(_) | Expr::Attribute(_), None) => true,
        (_, Some(_)) => calls(),
        _ => false,
    }
}

fn split(module: &Module, statement: &Stmt, items: &[WithItem], body: &[Stmt], at: usize) -> Option<Split> {
    let span = Node::Stmt(statement).span();
    let header = module.header(span, Node::Stmt(&body[0]).span());
    if !starts_line(module, span.start) || module.comments_in(header).next().is_some() {
        return None;
    }
    let (indent, unit, newline) = (
        indent_at(module, span.start),
        indent_unit(module),
        module.source.newline(),
    );
    let groups = [&items[..at], &items[at..=at], &items[at + 1..]];
    let mut pieces = vec![Piece::Copy(Span::new(0, span.start))];
    let mut depth = 0;
    for group in groups.into_iter().filter(|group| !group.is_empty()) {
        if depth > 0 {
            pieces.push(Piece::Text(format!("{newline}{indent}{}", unit.repeat(depth))));
        }
        pieces.push(Piece::Text("with ".to_owned()));
        for (number, item) in group.iter().enumerate() {
            pieces.extend((number > 0).then(|| Piece::Text(", ".to_owned())));
            pieces.push(Piece::Copy(item_span(item)));
        }
        pieces.push(Piece::Text(":".to_owned()));
        depth += 1;
    }
    let nodes: Vec<Node<'_>> = body.iter().map(Node::Stmt).collect();
    let block = block_span(module, &nodes)?;
    let inner = format!("{indent}{}", unit.repeat(depth));
    if starts_line(module, block.start) {
        // The comment behind the header stays on its line; the last header takes its place.
        pieces.push(Piece::Copy(Span::new(header.end, block.start)));
        pieces.push(Piece::Text(inner.clone()));
    } else {
        pieces.push(Piece::Text(format!("{newline}{inner}")));
    }
    pieces.extend(block_pieces(module, block, &inner, &[]));
    pieces.push(Piece::Copy(Span::new(block.end, offset(module.text().len()))));
    let item = Node::Expr(&items[at].context_expr).span();
    Some(Split {
        edits: Edits::from_pieces(module.text(), &pieces).0,
        item,
    })
}

/// An item without the brackets and commas around the list.
fn item_span(item: &WithItem) -> Span {
    let context = Node::Expr(&item.context_expr).span();
    item.optional_vars
        .as_deref()
        .map_or(context, |target| context.cover(Node::Expr(target).span()))
}
