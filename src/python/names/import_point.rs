//! Where a new `import` line can go.

use super::super::ast::{Constant, Expr, Identifier, Ranged, Stmt};
use super::super::parse::{Module, TokenKind};
use super::super::span::{Span, offset};

/// The offset, at the start of a line, where `import x` and a line end can be inserted: before the
/// module's first import, or behind it if a comment above speaks of it; where there is none, after leading comments, docstring and `__future__`.
/// It is the end of the text where nothing follows these, and then a line end may be missing.
pub fn import_point(module: &Module) -> u32 {
    let floor = after_prologue(module);
    let imports = module.body.iter().filter(|statement| is_plain_import(statement));
    let starts = imports.map(|import| import.start().to_u32());
    let mut at_line_starts = starts.filter(|start| module.lines.line_start(*start) == *start);
    let Some(first) = at_line_starts.next() else {
        return after_comments(module, floor);
    };
    if comment_above(module, first) {
        return after_line(module, first);
    }
    first.max(floor)
}

fn comment_above(module: &Module, line: u32) -> bool {
    let Some(above) = line.checked_sub(1) else { return false };
    let above = Span::new(module.lines.line_start(above), line);
    above.of(module.text()).starts_with('#') && !module.in_string(above.start)
}

/// The line after the logical line that `at` is part of.
fn after_line(module: &Module, at: u32) -> u32 {
    let rest = Span::new(at, offset(module.text().len()));
    let mut tokens = module.tokens_in(rest).iter();
    let line_end = tokens.find(|token| token.kind == TokenKind::Newline);
    line_end.map_or(rest.end, |token| {
        module.lines.next_line(token.span.start, module.text())
    })
}

/// The line after the docstring and the `__future__` imports.
fn after_prologue(module: &Module) -> u32 {
    let mut prologue = module.body.iter().enumerate();
    let last = prologue.rfind(|(place, statement)| is_future(statement) || (*place == 0 && is_docstring(statement)));
    last.map_or(0, |(_, last)| after_line(module, last.end().to_u32()))
}

/// The line after the comments that open the file; it is `floor` where other text came before.
fn after_comments(module: &Module, floor: u32) -> u32 {
    if floor > 0 {
        return floor;
    }
    let mut point = 0;
    for line in 0..module.lines.line_count() {
        let start = module.lines.start_of(line);
        let end = module.lines.next_line(start, module.text());
        match Span::new(start, end).of(module.text()).trim_start().chars().next() {
            Some('#') => point = end,
            None if point == 0 => {}
            _ => break,
        }
    }
    point
}

fn is_plain_import(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Import(_) | Stmt::ImportFrom(_)) && !is_future(statement)
}

fn is_future(statement: &Stmt) -> bool {
    let Stmt::ImportFrom(node) = statement else {
        return false;
    };
    let module = node.module.as_ref().map(Identifier::as_str);
    module == Some("__future__") && node.level.is_none_or(|level| level.to_u32() == 0)
}

fn is_docstring(statement: &Stmt) -> bool {
    let Stmt::Expr(node) = statement else { return false };
    let Expr::Constant(constant) = &*node.value else {
        return false;
    };
    matches!(constant.value, Constant::Str(_))
}
