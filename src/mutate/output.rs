//! The `+` lines of a hunk as output: metavariables become copies of source, blocks keep their lines.

use super::layout::{Replacement, block_pieces, block_span, expression_pieces, indent_at, indent_unit, starts_line};
use super::site::{Site, SitePart};
use super::template::{Hunk, Line, Mark, Substitution, Token};
use super::unify::{Place, Value};
use crate::python::ast::{Expr, ExprContext};
use crate::python::{Module, Node, Piece, Span, TokenKind};

/// Puts `+` lines together for one site.
pub(super) struct Renderer<'r, 't, 'm> {
    pub(super) module: &'m Module,
    pub(super) site: &'r Site<'t, 'm>,
    pub(super) wanted: &'r [&'r str],
    pub(super) brackets: bool,
    /// The name of each pair of marks.
    pub(super) marks: Vec<String>,
}

/// A line of output. `block` lines may be many, and have no room for another comment.
pub(super) struct OutLine {
    pub(super) indent: String,
    pub(super) pieces: Vec<Piece>,
    pub(super) block: bool,
}

/// What a `+` line is made of.
enum Content {
    /// One metavariable for statements, rendered; they may be none.
    Statements(Vec<Piece>),
    Tokens,
}

impl<'m> Renderer<'_, '_, 'm> {
    /// The `+` lines as output. `indent` is the source's indentation for the template column `base`.
    pub(super) fn added(
        &mut self,
        part: &SitePart<'m>,
        hunk: &Hunk,
        lines: &[Line],
        indent: &str,
        base: usize,
    ) -> Option<Vec<OutLine>> {
        let unit = self.unit(part, hunk, indent, base);
        let mut out = Vec::new();
        for line in lines.iter().filter(|line| line.mark == Mark::Add) {
            let indent = if line.tokens.is_empty() {
                String::new()
            } else {
                let levels = line.indent.checked_sub(base)? / 4;
                format!("{indent}{}", unit.repeat(levels))
            };
            match self.block_line(part, hunk, line, &indent)? {
                Content::Statements(pieces) if pieces.is_empty() => {}
                Content::Statements(pieces) => {
                    let block = !self.takes_comment(&pieces);
                    out.push(OutLine { indent, pieces, block });
                }
                Content::Tokens => {
                    let pieces = self.tokens(part, hunk, &line.tokens, &indent)?;
                    out.push(OutLine {
                        indent,
                        pieces,
                        block: false,
                    });
                }
            }
        }
        Some(out)
    }

    /// Whether the pieces are one line without a comment of its own.
    fn takes_comment(&self, pieces: &[Piece]) -> bool {
        pieces.iter().all(|piece| match piece {
            Piece::Copy(span) => {
                !span.of(self.module.text()).contains(['\n', '\r']) && self.module.comments_in(*span).next().is_none()
            }
            Piece::Text(text) => !text.contains(['\n', '\r']),
            Piece::Mark(_) => true,
        })
    }

    /// One step of indentation: as the removed block has it, else as the module does.
    fn unit(&self, part: &SitePart<'m>, hunk: &Hunk, indent: &str, base: usize) -> String {
        let deeper = part
            .found
            .places
            .iter()
            .filter(|(index, _)| hunk.lines[**index].indent == base + 4);
        let found = deeper
            .filter_map(|(index, _)| self.edges(part, *index))
            .find_map(|(first, _)| {
                let own = indent_at(self.module, first);
                own.strip_prefix(indent)
                    .filter(|step| !step.is_empty() && starts_line(self.module, first))
            });
        found.unwrap_or_else(|| indent_unit(self.module)).to_owned()
    }

    /// The pieces of a line that is one metavariable for statements.
    fn block_line(&mut self, part: &SitePart<'m>, hunk: &Hunk, line: &Line, indent: &str) -> Option<Content> {
        let token = match &line.tokens[..] {
            [token] => token,
            // `except $$handlers: ...`
            [Token::Text(before), token @ Token::Many(_), Token::Text(after)]
                if before == "except " && after == ": ..." =>
            {
                token
            }
            _ => return Some(Content::Tokens),
        };
        let (name, substitution) = match token {
            Token::One(name) | Token::Many(name) => (name, None),
            Token::Substitution(index) => (&hunk.substitutions[*index].subject, Some(&hunk.substitutions[*index])),
            Token::Text(_) => return Some(Content::Tokens),
        };
        let nodes = self.site.value(part, name)?.nodes().to_vec();
        match nodes.first() {
            Some(Node::Stmt(_) | Node::Handler(_)) => {}
            None if matches!(token, Token::Many(_)) => return Some(Content::Statements(Vec::new())),
            _ => return Some(Content::Tokens),
        }
        let replacements = match substitution {
            Some(substitution) => self.replacements(part, hunk, substitution, &nodes, indent)?,
            None => Vec::new(),
        };
        let span = block_span(self.module, &nodes)?;
        let pieces = block_pieces(self.module, span, indent, &replacements);
        Some(Content::Statements(self.marked(name, pieces)))
    }

    fn replacements(
        &mut self,
        part: &SitePart<'m>,
        hunk: &Hunk,
        substitution: &Substitution,
        nodes: &[Node<'m>],
        indent: &str,
    ) -> Option<Vec<Replacement>> {
        let target = self.site.value(part, &substitution.target)?.clone();
        let mut list = Vec::new();
        for place in loads(nodes, &target) {
            let pieces = self.tokens(part, hunk, &substitution.tokens, indent)?;
            list.push(Replacement { span: place, pieces });
        }
        list.sort_by_key(|replacement| replacement.span);
        Some(list)
    }

    pub(super) fn tokens(
        &mut self,
        part: &SitePart<'m>,
        hunk: &Hunk,
        tokens: &[Token],
        indent: &str,
    ) -> Option<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut skip_comma = false;
        for token in tokens {
            match token {
                Token::Text(text) => {
                    let text = if std::mem::take(&mut skip_comma) {
                        text.strip_prefix(", ").unwrap_or(text)
                    } else {
                        text
                    };
                    pieces.push(Piece::Text(text.to_owned()));
                }
                Token::One(name) => {
                    let value = self.value(part, name, indent, self.column(indent, &pieces))?;
                    pieces.extend(self.marked(name, value));
                }
                Token::Many(name) => {
                    let nodes = self.site.value(part, name)?.nodes();
                    if nodes.is_empty() {
                        skip_comma = !drop_comma(&mut pieces);
                    }
                    pieces.extend(self.arguments(nodes));
                }
                Token::Substitution(index) => pieces.extend(self.substituted_expression(part, hunk, *index, indent)?),
            }
        }
        Some(pieces)
    }

    /// Arguments as they stand, in one piece unless a keyword between them is left out.
    fn arguments(&self, nodes: &[Node<'m>]) -> Vec<Piece> {
        let mut spans: Vec<Span> = Vec::new();
        for node in nodes {
            match spans.last_mut() {
                Some(last) if !self.holds_code(Span::new(last.end, node.span().start)) => {
                    *last = last.cover(node.span());
                }
                _ => spans.push(node.span()),
            }
        }
        let mut pieces = Vec::new();
        for (number, span) in spans.into_iter().enumerate() {
            pieces.extend((number > 0).then(|| Piece::Text(", ".to_owned())));
            pieces.push(Piece::Copy(span));
        }
        pieces
    }

    /// Whether more than commas, brackets and comments stands there.
    fn holds_code(&self, between: Span) -> bool {
        let tokens = self.module.tokens_in(between).iter();
        let mut code = tokens.filter(|token| matches!(token.kind, TokenKind::Other | TokenKind::String));
        code.any(|token| token.span.of(self.module.text()) != ",")
    }

    /// The column at which the next piece of a line stands; `None` where the line has ended before.
    fn column(&self, indent: &str, pieces: &[Piece]) -> Option<usize> {
        let lengths = pieces.iter().map(|piece| {
            let text = match piece {
                Piece::Copy(span) => span.of(self.module.text()),
                Piece::Text(text) => text,
                Piece::Mark(_) => "",
            };
            (!text.contains('\n')).then(|| text.chars().count())
        });
        Some(indent.len() + lengths.sum::<Option<usize>>()?)
    }

    fn substituted_expression(
        &mut self,
        part: &SitePart<'m>,
        hunk: &Hunk,
        index: usize,
        indent: &str,
    ) -> Option<Vec<Piece>> {
        let substitution = &hunk.substitutions[index];
        let subject = self.site.value(part, &substitution.subject)?.expr()?;
        let replacements = self.replacements(part, hunk, substitution, &[Node::Expr(subject)], indent)?;
        Some(block_pieces(
            self.module,
            Node::Expr(subject).span(),
            indent,
            &replacements,
        ))
    }

    fn value(&self, part: &SitePart<'m>, name: &str, indent: &str, column: Option<usize>) -> Option<Vec<Piece>> {
        match self.site.value(part, name)? {
            Value::Text(text) => Some(vec![Piece::Text(text.clone())]),
            Value::Word(word) => Some(vec![Piece::Text((*word).to_owned())]),
            value => {
                let expr = value.expr()?;
                let brackets = self.brackets && !is_primary(expr);
                Some(expression_pieces(self.module, expr, indent, brackets, column))
            }
        }
    }

    fn marked(&mut self, name: &str, mut pieces: Vec<Piece>) -> Vec<Piece> {
        if self.wanted.contains(&name) {
            let mark = self.marks.len();
            self.marks.push(name.to_owned());
            pieces.insert(0, Piece::Mark(2 * mark));
            pieces.push(Piece::Mark(2 * mark + 1));
        }
        pieces
    }

    /// Where the place of a line starts and ends, all that it heads included.
    pub(super) fn edges(&self, part: &SitePart<'m>, index: usize) -> Option<(u32, u32)> {
        match part.found.places.get(&index)? {
            Place::Statement(statement) => {
                Some((self.module.statement_start(statement), Node::Stmt(statement).span().end))
            }
            Place::Header { node, header, whole } => {
                let start = node
                    .as_stmt()
                    .map_or(header.start, |statement| self.module.statement_start(statement));
                Some((start.min(header.start), whole.end))
            }
            Place::Block(nodes) => {
                let first = nodes.first()?;
                let start = first
                    .as_stmt()
                    .map_or(first.span().start, |statement| self.module.statement_start(statement));
                Some((start, nodes.last()?.span().end))
            }
        }
    }
}

/// Takes the comma back that an empty sequence leaves behind.
fn drop_comma(pieces: &mut [Piece]) -> bool {
    match pieces.last_mut() {
        Some(Piece::Text(text)) if text.ends_with(", ") => {
            text.truncate(text.len() - 2);
            true
        }
        _ => false,
    }
}

/// Where `target` is loaded in `nodes`: a name, or a copy of an expression.
pub(super) fn loads(nodes: &[Node<'_>], target: &Value<'_>) -> Vec<Span> {
    let is_load = |expr: &Expr| match target.word() {
        Some(word) => matches!(expr, Expr::Name(name) if name.id.as_str() == word && name.ctx == ExprContext::Load),
        None => target
            .nodes()
            .first()
            .is_some_and(|wanted| wanted.same_code(Node::Expr(expr))),
    };
    let exprs = nodes
        .iter()
        .flat_map(|node| node.descendants())
        .filter_map(Node::as_expr);
    exprs
        .filter(|expr| is_load(expr))
        .map(|expr| Node::Expr(expr).span())
        .collect()
}

fn is_primary(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Name(_)
            | Expr::Call(_)
            | Expr::Attribute(_)
            | Expr::Subscript(_)
            | Expr::List(_)
            | Expr::Dict(_)
            | Expr::Set(_)
    )
}
