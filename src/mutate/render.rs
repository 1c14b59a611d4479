//! From a site to text edits: runs of `-` and `+` lines become regions of the source and the pieces
//! that replace them. Lines of context are never touched.

use super::deletion::{Region, deletion, tidy};
use super::layout::{block_span, end_with_comment, indent_at, start_with_comments, starts_line};
use super::output::{OutLine, Renderer};
use super::site::{At, Site, SitePart};
use super::template::{Hunk, Line, Mark, Scope};
use super::unify::Place;
use crate::python::ast::Expr;
use crate::python::names::import_point;
use crate::python::span::offset;
use crate::python::{Edits, Module, Node, Piece, Span};

/// The edits of a site, and where things of interest stand in the mutant.
pub(super) struct Rendered {
    pub(super) edits: Edits,
    /// Metavariable (or `@2` for the second hunk) → its places in the mutant, in order.
    pub(super) places: Vec<(String, Span)>,
}

/// `brackets`: put them round every copied expression that is more than a name, call or attribute.
pub(super) fn render(module: &Module, site: &Site<'_, '_>, wanted: &[&str], brackets: bool) -> Option<Rendered> {
    let mut renderer = Renderer {
        module,
        site,
        wanted,
        brackets,
        marks: Vec::new(),
    };
    let mut regions = Vec::new();
    for part in &site.parts {
        renderer.part(part, &mut regions)?;
    }
    if !site.imports.is_empty() {
        regions.push(import_region(module, &site.imports));
    }
    let mut regions = tidy(module, regions)?;
    regions.sort_by_key(|region| region.span);
    if regions.windows(2).any(|pair| pair[0].span.end > pair[1].span.start) {
        return None;
    }
    let (edits, at) = Edits::from_pieces(module.text(), &whole(module, regions));
    if edits.is_empty() {
        return None;
    }
    let mut places: Vec<(String, Span)> = Vec::new();
    for (index, name) in renderer.marks.iter().enumerate() {
        let place = |mark: usize| at.iter().find(|(found, _)| *found == mark).map(|(_, at)| *at);
        places.push((name.clone(), Span::new(place(2 * index)?, place(2 * index + 1)?)));
    }
    Some(Rendered { edits, places })
}

fn whole(module: &Module, regions: Vec<Region>) -> Vec<Piece> {
    let (mut pieces, mut done) = (Vec::new(), 0);
    for region in regions {
        pieces.push(Piece::Copy(Span::new(done, region.span.start)));
        pieces.extend(region.pieces);
        done = region.span.end;
    }
    pieces.push(Piece::Copy(Span::new(done, offset(module.text().len()))));
    pieces
}

fn import_region(module: &Module, imports: &[String]) -> Region {
    let newline = module.source.newline();
    let lines: Vec<String> = imports.iter().map(|name| format!("import {name}{newline}")).collect();
    let mut lines = lines.concat();
    let at = import_point(module);
    let next = &module.text()[at as usize..];
    let blank_lines = match next {
        _ if next.starts_with(['\n', '\r']) => 0,
        _ if ["import ", "from "].iter().any(|word| next.starts_with(word)) => 0,
        _ if ["def ", "class ", "async ", "@"]
            .iter()
            .any(|word| next.starts_with(word)) =>
        {
            2
        }
        _ => 1,
    };
    lines.push_str(&newline.repeat(blank_lines));
    Region::new(Span::at(at), vec![Piece::Text(lines)])
}

impl<'m> Renderer<'_, '_, 'm> {
    fn part(&mut self, part: &SitePart<'m>, regions: &mut Vec<Region>) -> Option<()> {
        let hunk = &self.site.rewrite.hunks[part.hunk];
        let first_region = regions.len();
        match part.at {
            At::Expression(expr) => regions.push(self.expression(part, hunk, expr)?),
            At::Before(statement) => regions.push(self.new_lines_before(part, hunk, Node::Stmt(statement))?),
            At::Statements(_) => {
                for run in runs(&hunk.lines) {
                    regions.push(self.run(part, hunk, run)?);
                }
            }
        }
        let name = format!("@{}", part.hunk + 1);
        if self.wanted.contains(&name.as_str()) {
            let region = regions.get_mut(first_region)?;
            let mark = self.marks.len();
            self.marks.push(name);
            let leads_in = matches!(region.pieces.first(), Some(Piece::Text(text)) if text.trim().is_empty());
            region.pieces.insert(usize::from(leads_in), Piece::Mark(2 * mark));
            region.pieces.push(Piece::Mark(2 * mark + 1));
        }
        Some(())
    }

    fn expression(&mut self, part: &SitePart<'m>, hunk: &Hunk, expr: &'m Expr) -> Option<Region> {
        let added = hunk.lines.iter().find(|line| line.mark == Mark::Add)?;
        let span = Node::Expr(expr).span();
        let pieces = self.tokens(part, hunk, &added.tokens, indent_at(self.module, span.start))?;
        let region = Region::new(span, pieces);
        self.uncovered_comments(&region).is_empty().then_some(region)
    }

    fn new_lines_before(&mut self, part: &SitePart<'m>, hunk: &Hunk, node: Node<'m>) -> Option<Region> {
        let start = self.module.statement_start(node.as_stmt()?);
        let at = start_with_comments(self.module, start);
        if !starts_line(self.module, at) {
            return None;
        }
        let indent = indent_at(self.module, start).to_owned();
        let lines = self.added(part, hunk, &hunk.lines, &indent, hunk.lines.first()?.indent)?;
        let newline = self.module.source.newline();
        let mut pieces = vec![Piece::Text(indent)];
        pieces.extend(join(lines, newline));
        let blank_lines = if hunk.scope == Scope::Module { 3 } else { 2 };
        pieces.push(Piece::Text(newline.repeat(blank_lines)));
        Some(Region::new(Span::at(at), pieces))
    }

    fn run(&mut self, part: &SitePart<'m>, hunk: &Hunk, run: std::ops::Range<usize>) -> Option<Region> {
        let lines = &hunk.lines[run.clone()];
        let removed: Vec<usize> = run
            .clone()
            .filter(|index| hunk.lines[*index].mark == Mark::Remove)
            .collect();
        if removed.is_empty() {
            return self.insertion(part, hunk, run);
        }
        let span = self.removed_span(part, &removed)?;
        let first = removed
            .iter()
            .find(|index| !is_empty_block(part.found.places.get(*index)))?;
        if starts_with_elif(self.module, part, *first) {
            return None;
        }
        let indent = indent_at(self.module, span.start).to_owned();
        let added = self.added(part, hunk, lines, &indent, hunk.lines[*first].indent)?;
        if added.is_empty() {
            return deletion(self.module, span);
        }
        if !starts_line(self.module, span.start) {
            return None;
        }
        self.replacement(part, &removed, span, added, &indent)
    }

    fn removed_span(&self, part: &SitePart<'m>, removed: &[usize]) -> Option<Span> {
        let mut cover: Option<Span> = None;
        for index in removed {
            let span = match part.found.places.get(index)? {
                Place::Statement(statement) => {
                    Span::new(self.module.statement_start(statement), Node::Stmt(statement).span().end)
                }
                Place::Header { header, .. } => *header,
                Place::Block(nodes) if nodes.is_empty() => continue,
                Place::Block(nodes) => {
                    let lines = block_span(self.module, nodes)?;
                    let indent = if starts_line(self.module, lines.start) {
                        indent_at(self.module, lines.start).len()
                    } else {
                        0
                    };
                    Span::new(lines.start + offset(indent), lines.end)
                }
            };
            cover = Some(cover.map_or(span, |cover| cover.cover(span)));
        }
        cover
    }

    fn replacement(
        &self,
        part: &SitePart<'m>,
        removed: &[usize],
        span: Span,
        added: Vec<OutLine>,
        indent: &str,
    ) -> Option<Region> {
        let header = match part.found.places.get(&removed[0]) {
            Some(Place::Header { header, .. }) => Some(*header),
            _ => None,
        };
        if added.len() > 1 || added[0].block {
            end_with_comment(self.module, span.end)?;
        }
        let copied = added.iter().flat_map(|line| line.pieces.iter().cloned());
        let draft = Region::new(span, copied.collect());
        let mut lines = added;
        for comment in self.uncovered_comments(&draft) {
            let on_header = header.is_some_and(|header| {
                self.module.lines.line_of(header.end - 1) == self.module.lines.line_of(comment.start)
            });
            if on_header && !lines[0].block {
                lines[0]
                    .pieces
                    .extend([Piece::Text("  ".to_owned()), Piece::Copy(comment)]);
            } else {
                let at = lines
                    .iter()
                    .position(|line| first_copy(line) > Some(comment.start))
                    .unwrap_or(lines.len());
                let indent = lines.get(at).map_or(indent, |line| &line.indent).to_owned();
                lines.insert(
                    at,
                    OutLine {
                        indent,
                        pieces: vec![Piece::Copy(comment)],
                        block: true,
                    },
                );
            }
        }
        Some(Region::new(span, join(lines, self.module.source.newline())))
    }

    /// Comments of the region that its pieces do not copy.
    fn uncovered_comments(&self, region: &Region) -> Vec<Span> {
        let copied = |comment: &Span| {
            region
                .pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Copy(span) if span.contains(*comment)))
        };
        self.module
            .comments_in(region.span)
            .filter(|comment| !copied(comment))
            .collect()
    }

    /// Lines without any `-` beside them: behind the line of context in front, else before the next one.
    fn insertion(&mut self, part: &SitePart<'m>, hunk: &Hunk, run: std::ops::Range<usize>) -> Option<Region> {
        let depth = hunk.lines[run.start].indent;
        let newline = self.module.source.newline();
        let before = (0..run.start)
            .rev()
            .take_while(|index| hunk.lines[*index].indent >= depth);
        let before = before
            .filter(|index| hunk.lines[*index].indent == depth)
            .find_map(|index| self.edges(part, index));
        if let Some((first, last)) = before {
            let end = end_with_comment(self.module, last)?;
            let indent = indent_at(self.module, first).to_owned();
            let lines = self.added(part, hunk, &hunk.lines[run], &indent, depth)?;
            let mut pieces = vec![Piece::Text(format!("{newline}{indent}"))];
            pieces.extend(join(lines, newline));
            return Some(Region::new(Span::at(end), pieces));
        }
        let after = (run.end..hunk.lines.len()).take_while(|index| hunk.lines[*index].indent >= depth);
        let (first, _) = after
            .filter(|index| hunk.lines[*index].indent == depth)
            .find_map(|index| self.edges(part, index))?;
        if !starts_line(self.module, first) {
            return None;
        }
        let indent = indent_at(self.module, first).to_owned();
        let lines = self.added(part, hunk, &hunk.lines[run], &indent, depth)?;
        let mut pieces = vec![Piece::Text(indent)];
        pieces.extend(join(lines, newline));
        pieces.push(Piece::Text(newline.to_owned()));
        Some(Region::new(Span::at(start_with_comments(self.module, first)), pieces))
    }
}

/// Stretches of lines that are not context.
fn runs(lines: &[Line]) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (index, line) in lines.iter().enumerate() {
        match (line.mark == Mark::Keep, start) {
            (true, Some(from)) => {
                runs.push(from..index);
                start = None;
            }
            (false, None) => start = Some(index),
            _ => {}
        }
    }
    runs.extend(start.map(|from| from..lines.len()));
    runs
}

fn join(lines: Vec<OutLine>, newline: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::Text(format!("{newline}{}", line.indent)));
        }
        pieces.extend(line.pieces);
    }
    pieces
}

fn first_copy(line: &OutLine) -> Option<u32> {
    line.pieces.iter().find_map(|piece| match piece {
        Piece::Copy(span) => Some(span.start),
        _ => None,
    })
}

fn is_empty_block(place: Option<&Place<'_>>) -> bool {
    matches!(place, Some(Place::Block(nodes)) if nodes.is_empty())
}

fn starts_with_elif(module: &Module, part: &SitePart<'_>, line: usize) -> bool {
    match part.found.places.get(&line) {
        Some(Place::Header { header, .. }) => header.of(module.text()).starts_with("elif"),
        _ => false,
    }
}
