//! Copying source into other places: blocks with a new indentation, expressions with their
//! continuation lines, and where blocks begin and end when comments count.

use crate::python::ast::Expr;
use crate::python::{Module, Node, Piece, Span, TokenKind};

/// A part of a copied span that is replaced on the way.
pub(super) struct Replacement {
    pub(super) span: Span,
    pub(super) pieces: Vec<Piece>,
}

/// The white space that starts the line of `at`.
pub(super) fn indent_at(module: &Module, at: u32) -> &str {
    let text = module.text();
    let line = Span::new(module.lines.line_start(at), module.lines.line_end(at, text)).of(text);
    &line[..line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len()]
}

/// Whether nothing but white space stands before `at` on its line.
pub(super) fn starts_line(module: &Module, at: u32) -> bool {
    let before = Span::new(module.lines.line_start(at), at).of(module.text());
    before.trim_matches([' ', '\t', '\x0c']).is_empty()
}

/// The end of the line of `at` if only a comment follows there; `None` if code does.
pub(super) fn end_with_comment(module: &Module, at: u32) -> Option<u32> {
    let end = module.lines.line_end(at, module.text());
    let rest = Span::new(at, end).of(module.text()).trim_start_matches([' ', '\t']);
    if rest.is_empty() {
        return Some(at);
    }
    rest.starts_with('#').then_some(end)
}

/// One step of indentation as the module writes it.
pub(super) fn indent_unit(module: &Module) -> &str {
    let first = module.tokens.iter().find(|token| token.kind == TokenKind::Indent);
    first
        .map_or("    ", |token| indent_at(module, token.span.end))
        .trim_matches('\x0c')
}

/// Where a statement starts when the comment lines directly above it belong to it.
pub(super) fn start_with_comments(module: &Module, statement: u32) -> u32 {
    if !starts_line(module, statement) {
        return statement;
    }
    let mut start = module.lines.line_start(statement);
    while start > 0 {
        let above = module.lines.line_start(start - 1);
        let line = Span::new(above, start)
            .of(module.text())
            .trim_start_matches([' ', '\t', '\x0c']);
        if !line.starts_with('#') || module.in_string(above) {
            break;
        }
        start = above;
    }
    start
}

/// The lines of a run of statements: comments above the first one and, where the block ends with
/// the last one, comments below it. `None` where other code shares a line with them.
pub(super) fn block_span(module: &Module, nodes: &[Node<'_>]) -> Option<Span> {
    let (first, last) = (nodes.first()?, nodes.last()?);
    let start = first
        .as_stmt()
        .map_or(first.span().start, |statement| module.statement_start(statement));
    let end = end_with_comment(module, last.span().end)?;
    if !starts_line(module, start) {
        return Some(Span::new(start, end));
    }
    let indent = indent_at(module, start);
    Some(Span::new(
        start_with_comments(module, start),
        end_of_comments_below(module, end, indent),
    ))
}

fn end_of_comments_below(module: &Module, end: u32, indent: &str) -> u32 {
    let (text, mut last) = (module.text(), end);
    let mut line = module.lines.next_line(end, text);
    while (line as usize) < text.len() && line > last {
        let own = indent_at(module, line);
        let code = &text[line as usize + own.len()..];
        if code.starts_with('#') && own.len() >= indent.len() && !indent.is_empty() {
            last = module.lines.line_end(line, text);
        } else if !code.starts_with(['\n', '\r']) {
            // Code at the same depth follows: the comments are its own.
            return if own.len() >= indent.len() { end } else { last };
        }
        line = module.lines.next_line(line, text);
    }
    last
}

/// The lines of `span` with `indent` in the place of the indentation they have. The first line is
/// given without any: whoever puts it somewhere has written its indentation.
pub(super) fn block_pieces(module: &Module, span: Span, indent: &str, replacements: &[Replacement]) -> Vec<Piece> {
    let old = indent_at(module, span.start);
    let first = span.start
        + if starts_line(module, span.start) {
            strip(module, span.start, old)
        } else {
            0
        };
    let old = if starts_line(module, span.start) { old } else { indent };
    let mut pieces = Vec::new();
    copy_lines(
        module,
        Span::new(first, span.end),
        old,
        indent,
        replacements,
        &mut pieces,
    );
    pieces
}

/// An expression that will stand at `column`. Its continuation lines move as far as its own line does, and
/// those that are aligned with something in it as far as the expression.
pub(super) fn expression_pieces(
    module: &Module,
    expr: &Expr,
    indent: &str,
    brackets: bool,
    column: Option<usize>,
) -> Vec<Piece> {
    let span = Node::Expr(expr).span();
    let mut pieces = Vec::new();
    let brackets = brackets || breaks_outside_brackets(module, span);
    let old = Span::new(module.lines.line_start(span.start), span.start).of(module.text());
    if let Some(column) = column.filter(|_| !brackets && !old.contains('\t')) {
        copy_aligned(module, span, (old.chars().count(), column), indent, &mut pieces);
        return pieces;
    }
    if brackets {
        pieces.push(Piece::Text("(".to_owned()));
    }
    copy_lines(module, span, indent_at(module, span.start), indent, &[], &mut pieces);
    if brackets {
        pieces.push(Piece::Text(")".to_owned()));
    }
    pieces
}

/// Copies an expression from one column to another.
fn copy_aligned(module: &Module, span: Span, (old, new): (usize, usize), indent: &str, pieces: &mut Vec<Piece>) {
    let mut at = span.start;
    let own_line = indent_at(module, span.start);
    while at < span.end {
        let next = module.lines.next_line(at, module.text()).min(span.end);
        let own = indent_at(module, at);
        let is_aligned = at > span.start && own.len() >= old && own.bytes().all(|byte| byte == b' ');
        if is_aligned && !module.in_string(at) {
            pieces.push(Piece::Text(" ".repeat(own.len() - old + new)));
            pieces.push(Piece::Copy(Span::new(
                at + crate::python::span::offset(own.len()),
                next,
            )));
        } else if at == span.start {
            pieces.push(Piece::Copy(Span::new(at, next)));
        } else {
            let from = shifted(module, at, own_line, indent, pieces);
            pieces.push(Piece::Copy(Span::new(from, next)));
        }
        at = next;
    }
}

/// Whether a line ends inside the span where no bracket of the span is open.
fn breaks_outside_brackets(module: &Module, span: Span) -> bool {
    let mut depth = 0_u32;
    module.tokens_in(span).iter().any(|token| {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::BlankLine => return depth == 0,
            _ => {}
        }
        false
    })
}

/// Length of the indentation to take from a line that starts at `line`.
fn strip(module: &Module, line: u32, old: &str) -> u32 {
    let own = indent_at(module, line);
    crate::python::span::offset(if own.starts_with(old) { old.len() } else { own.len() })
}

/// Copies `span`, shifting every line after the first from `old` to `new` indentation. Lines that
/// start inside a string, blank ones and those indented less than `old` stay as they are.
fn copy_lines(
    module: &Module,
    span: Span,
    old: &str,
    new: &str,
    replacements: &[Replacement],
    pieces: &mut Vec<Piece>,
) {
    let mut at = span.start;
    while at < span.end {
        let next = module.lines.next_line(at, module.text()).min(span.end);
        copy_replacing(Span::new(at, next), replacements, pieces);
        at = next;
        if at < span.end {
            at = shifted(module, at, old, new, pieces);
        }
    }
}

/// Writes the new indentation of the line at `at`, and says where its copy begins.
fn shifted(module: &Module, at: u32, old: &str, new: &str, pieces: &mut Vec<Piece>) -> u32 {
    let own = indent_at(module, at);
    let code = &module.text()[at as usize + own.len()..];
    let stays = module.in_string(at) || old == new || code.starts_with(['\n', '\r']);
    if stays || !(own.starts_with(old) || code.starts_with('#')) {
        return at;
    }
    pieces.push(Piece::Text(new.to_owned()));
    at + strip(module, at, old)
}

/// Copies one stretch; a replacement that reaches past it takes the whole of its span.
fn copy_replacing(span: Span, replacements: &[Replacement], pieces: &mut Vec<Piece>) {
    let mut at = span.start;
    for replacement in replacements
        .iter()
        .filter(|replacement| replacement.span.overlaps(span))
    {
        if replacement.span.start >= at {
            pieces.push(Piece::Copy(Span::new(at, replacement.span.start)));
            pieces.extend(replacement.pieces.iter().cloned());
        }
        at = replacement.span.end.min(span.end).max(at);
    }
    pieces.push(Piece::Copy(Span::new(at, span.end.max(at))));
}
