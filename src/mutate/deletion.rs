//! Taking statements away: whole lines go with them, and so does what would stand empty.
//!
//! `finally` and `else` without statements vanish, a `try` without handlers and `finally` gives its
//! body to the block around it, an `if` whose test does nothing vanishes, a `def` keeps a `pass`.
//! Every other empty block declines the site, as does a second one that the first leaves behind:
//! then the mutant is no Python. `digest` says the same of the tree.

use super::layout::{block_pieces, block_span, end_with_comment, indent_at, starts_line};
use crate::python::ast::{Expr, Stmt};
use crate::python::{Module, Node, Piece, Span, TokenKind};

/// Source bytes and what stands there instead.
pub(super) struct Region {
    pub(super) span: Span,
    pub(super) pieces: Vec<Piece>,
    /// The code that is gone without anything in its place.
    pub(super) deleted: Option<Span>,
}

impl Region {
    pub(super) fn new(span: Span, pieces: Vec<Piece>) -> Self {
        Self {
            span,
            pieces,
            deleted: None,
        }
    }
}

/// Deletes code, with its lines where it fills them. Comments stay. Where it shares a line, only what
/// [`tidy`] does can save the site.
pub(super) fn deletion(module: &Module, code: Span) -> Option<Region> {
    let deleted = Some(code);
    if !starts_line(module, code.start) {
        return Some(Region {
            span: code,
            pieces: Vec::new(),
            deleted,
        });
    }
    let end = end_with_comment(module, code.end)?;
    let mut span = Span::new(
        module.lines.line_start(code.start),
        module.lines.next_line(end, module.text()),
    );
    let indent = indent_at(module, code.start);
    let pieces = comment_lines(module, span, indent, &[]);
    let next = past_blank_lines(module, span.end);
    if pieces.is_empty() && indent_at(module, next).len() >= indent.len() {
        span.end = next;
    }
    Some(Region { span, pieces, deleted })
}

/// Comments of the span that no copy holds, each as a line of its own.
fn comment_lines(module: &Module, span: Span, indent: &str, copied: &[Span]) -> Vec<Piece> {
    let comments = module
        .comments_in(span)
        .filter(|comment| !copied.iter().any(|copied| copied.contains(*comment)));
    let line = |comment| {
        [
            Piece::Text(indent.to_owned()),
            Piece::Copy(comment),
            Piece::Text(module.source.newline().to_owned()),
        ]
    };
    comments.flat_map(line).collect()
}

/// Blank lines below a deleted statement go with it, so that no hole stays.
fn past_blank_lines(module: &Module, mut at: u32) -> u32 {
    let text = module.text();
    while (at as usize) < text.len()
        && Span::new(at, module.lines.line_end(at, text))
            .of(text)
            .trim()
            .is_empty()
    {
        at = module.lines.next_line(at, text);
    }
    at
}

/// Sees to the blocks that deletions leave empty; `None` where code would stay on a torn line.
pub(super) fn tidy(module: &Module, mut regions: Vec<Region>) -> Option<Vec<Region>> {
    let deleted: Vec<Span> = regions.iter().filter_map(|region| region.deleted).collect();
    for code in &deleted {
        let Some(home) = home_of(module, *code) else { continue };
        let gone = |statement: &Stmt| deleted.iter().any(|code| code.contains(Node::Stmt(statement).span()));
        if !home.block.iter().all(gone) {
            continue;
        }
        let more = without_block(module, &home)?;
        // Where two hunks have emptied one block, it is seen to twice.
        regions
            .retain(|region| region.span != more.span && !region.deleted.is_some_and(|code| more.span.contains(code)));
        regions.push(more);
    }
    let torn = |region: &Region| region.deleted.is_some() && !starts_line(module, region.span.start);
    (!regions.iter().any(torn)).then_some(regions)
}

/// A block and the statement that it is part of.
struct Home<'m> {
    owner: &'m Stmt,
    block: &'m [Stmt],
}

/// The block whose statements the code is; `None` for the module's own.
fn home_of(module: &Module, code: Span) -> Option<Home<'_>> {
    let mut home = None;
    let mut block: &[Stmt] = &module.body;
    loop {
        let outer = block.iter().find(|statement| {
            let span = Node::Stmt(statement).span();
            span.contains(code) && span != code
        });
        let Some(owner) = outer else { return home };
        let mut inner = blocks_of(owner).into_iter();
        block = inner.find(|block| {
            block
                .iter()
                .any(|statement| Node::Stmt(statement).span().overlaps(code))
        })?;
        home = Some(Home { owner, block });
    }
}

/// All blocks of a statement, those of handlers and cases too.
pub(super) fn blocks_of(statement: &Stmt) -> Vec<&[Stmt]> {
    let mut blocks = Node::Stmt(statement).blocks();
    for child in Node::Stmt(statement).children() {
        if matches!(child, Node::Handler(_) | Node::Case(_)) {
            blocks.extend(child.blocks());
        }
    }
    blocks
}

fn without_block(module: &Module, home: &Home<'_>) -> Option<Region> {
    let is = |block: &[Stmt]| std::ptr::eq(block, home.block);
    let whole = Node::Stmt(home.owner).span();
    match home.owner {
        Stmt::If(node) if is(&node.body) => {
            let is_plain = node.orelse.is_empty() && does_nothing(&node.test) && starts_line(module, whole.start);
            let is_elif = whole.of(module.text()).starts_with("elif");
            (is_plain && !is_elif).then(|| deletion(module, whole))?
        }
        Stmt::Try(node) if is(&node.finalbody) && node.handlers.is_empty() => unwrapped(module, home.owner, &node.body),
        Stmt::Try(node) if is(&node.finalbody) || is(&node.orelse) => clause(module, home),
        Stmt::For(node) if is(&node.orelse) => clause(module, home),
        Stmt::While(node) if is(&node.orelse) => clause(module, home),
        Stmt::If(node) if is(&node.orelse) => clause(module, home),
        Stmt::FunctionDef(_) | Stmt::AsyncFunctionDef(_) => pass(module, home.block),
        _ => None,
    }
}

fn block_code(block: &[Stmt]) -> Option<Span> {
    Some(
        Node::Stmt(block.first()?)
            .span()
            .cover(Node::Stmt(block.last()?).span()),
    )
}

/// Without its last clause: from `else` or `finally` on.
fn clause(module: &Module, home: &Home<'_>) -> Option<Region> {
    let code = block_code(home.block)?;
    let blocks = blocks_of(home.owner).into_iter().filter_map(block_code);
    let before = blocks
        .filter(|other| other.end <= code.start)
        .map(|other| other.end)
        .max()?;
    let between = module.tokens_in(Span::new(before, code.start));
    let keyword = between.iter().find(|token| token.kind == TokenKind::Other)?;
    let mut region = deletion(module, Span::new(keyword.span.start, code.end))?;
    // The blank lines below belong to what the statement has kept.
    region.span.end = region.span.end.min(module.lines.next_line(code.end, module.text()));
    Some(region)
}

/// The body of a `try` in the place of the statement.
fn unwrapped(module: &Module, owner: &Stmt, body: &[Stmt]) -> Option<Region> {
    let whole = Node::Stmt(owner).span();
    if !starts_line(module, whole.start) {
        return None;
    }
    let indent = indent_at(module, whole.start);
    let nodes: Vec<Node<'_>> = body.iter().map(Node::Stmt).collect();
    let block = block_span(module, &nodes)?;
    let span = Span::new(
        module.lines.line_start(whole.start),
        module
            .lines
            .next_line(end_with_comment(module, whole.end)?, module.text()),
    );
    let mut pieces = comment_lines(module, Span::new(span.start, block.start), indent, &[]);
    pieces.push(Piece::Text(indent.to_owned()));
    pieces.extend(block_pieces(module, block, indent, &[]));
    pieces.push(Piece::Text(module.source.newline().to_owned()));
    pieces.extend(comment_lines(module, Span::new(block.end, span.end), indent, &[block]));
    Some(Region::new(span, pieces))
}

fn pass(module: &Module, block: &[Stmt]) -> Option<Region> {
    let mut region = deletion(module, block_code(block)?)?;
    let indent = indent_at(module, Node::Stmt(&block[0]).span().start);
    let newline = module.source.newline();
    if !starts_line(module, Node::Stmt(&block[0]).span().start) {
        return Some(Region::new(region.span, vec![Piece::Text("pass".to_owned())]));
    }
    region.span.end = module.lines.next_line(block_code(block)?.end, module.text());
    region.pieces.push(Piece::Text(format!("{indent}pass{newline}")));
    region.deleted = None;
    Some(region)
}

/// Whether nothing is lost when the test is not made.
fn does_nothing(test: &Expr) -> bool {
    let acts = |node: Node<'_>| {
        matches!(
            node,
            Node::Expr(Expr::Call(_) | Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::NamedExpr(_))
        )
    };
    !Node::Expr(test).descendants().any(acts)
}
