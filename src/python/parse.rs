//! Parsing: one module, its tokens and its tree. The only file that calls the parser.

use rustpython_parser::ast::{Mod, Stmt, Suite};
use rustpython_parser::lexer::lex;
use rustpython_parser::{Mode, ParseError, Tok, parse_tokens};

use super::node::{Node, depth_of};
use super::source::{Source, Unparsed};
use super::span::{LineIndex, Span};

/// CPython's own limit on nested brackets.
const MAX_BRACKETS: u32 = 200;
/// Deeper trees (chains of operators, of `elif`) would need more stack than a worker has.
const MAX_DEPTH: usize = 6_000;

/// A parsed file. `path` is relative to its corpus, with `/` between the parts.
#[derive(Debug)]
pub struct Module {
    pub path: String,
    pub source: Source,
    pub lines: LineIndex,
    pub tokens: Vec<Token>,
    pub body: Suite,
}

/// A token's place and what of its kind the rest of the program needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub span: Span,
    pub kind: TokenKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Comment,
    String,
    /// `(`, `[` or `{`
    Open,
    /// `)`, `]` or `}`
    Close,
    Colon,
    Semicolon,
    /// The end of a logical line.
    Newline,
    /// A line end that ends no logical line.
    BlankLine,
    Indent,
    Dedent,
    /// Names, keywords, numbers, operators.
    Other,
}

impl Module {
    pub fn parse(path: impl Into<String>, source: Source) -> Result<Self, Unparsed> {
        let lines = LineIndex::new(&source.text);
        let (tokens, body) = parse_text(&source.text, &lines)?;
        if depth_of(&body) > MAX_DEPTH {
            return Err(Unparsed::new(format!("nested deeper than {MAX_DEPTH} levels"), None));
        }
        Ok(Self {
            path: path.into(),
            source,
            lines,
            tokens,
            body,
        })
    }

    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The tokens that start inside `span`.
    pub fn tokens_in(&self, span: Span) -> &[Token] {
        let from = self.tokens.partition_point(|token| token.span.start < span.start);
        let to = self.tokens.partition_point(|token| token.span.start < span.end);
        &self.tokens[from..to.max(from)]
    }

    pub fn comments_in(&self, span: Span) -> impl Iterator<Item = Span> {
        let comments = self
            .tokens_in(span)
            .iter()
            .filter(|token| token.kind == TokenKind::Comment);
        comments.map(|token| token.span)
    }

    /// Whether `at` lies inside a string literal, its quotes included.
    pub fn in_string(&self, at: u32) -> bool {
        let before = self.tokens.partition_point(|token| token.span.start < at);
        let token = before.checked_sub(1).map(|index| self.tokens[index]);
        token.is_some_and(|token| token.kind == TokenKind::String && at < token.span.end)
    }

    /// From a compound statement's first keyword to its colon, the colon included. `body` is the
    /// first statement of its block. Decorators do not belong to it.
    pub fn header(&self, statement: Span, body: Span) -> Span {
        let head = self.tokens_in(Span::new(statement.start, body.start));
        // Decorators of the first statement come before it, and may have colons of their own.
        let indented = head.iter().position(|token| token.kind == TokenKind::Indent);
        let head = &head[..indented.unwrap_or(head.len())];
        let colon = head.iter().rev().find(|token| token.kind == TokenKind::Colon);
        Span::new(statement.start, colon.map_or(body.start, |token| token.span.end))
    }

    /// Where a statement starts, its decorators included.
    pub fn statement_start(&self, statement: &Stmt) -> u32 {
        let decorators = match statement {
            Stmt::FunctionDef(node) => &node.decorator_list,
            Stmt::AsyncFunctionDef(node) => &node.decorator_list,
            Stmt::ClassDef(node) => &node.decorator_list,
            _ => return Node::Stmt(statement).span().start,
        };
        let Some(first) = decorators.first() else { return Node::Stmt(statement).span().start };
        let before = &self.text()[..Node::Expr(first).span().start as usize];
        before.rfind('@').map_or(Node::Stmt(statement).span().start, super::span::offset)
    }

    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        super::node::walk(&self.body)
    }
}

/// Parses a text of which only the tree is wanted.
pub fn parse_suite(text: &str) -> Result<Suite, Unparsed> {
    let tree = parse_tokens(lex(text, Mode::Module), Mode::Module, "");
    tree.map(statements)
        .map_err(|error| syntax_error(&error, &LineIndex::new(text)))
}

/// Parses a text that is one expression.
pub fn parse_expression(text: &str) -> Option<rustpython_parser::ast::Expr> {
    match parse_tokens(lex(text, Mode::Expression), Mode::Expression, "") {
        Ok(Mod::Expression(tree)) => Some(*tree.body),
        _ => None,
    }
}

/// Where the header that fills the front of `span` ends: behind its last colon.
pub fn header_end(text: &str, span: Span) -> u32 {
    let tokens = lex(span.of(text), Mode::Module).map_while(Result::ok);
    let colon = tokens.filter(|(token, _)| *token == Tok::Colon).last();
    colon.map_or(span.end, |(_, range)| span.start + range.end().to_u32())
}

fn parse_text(text: &str, lines: &LineIndex) -> Result<(Vec<Token>, Vec<Stmt>), Unparsed> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let (mut depth, mut deepest) = (0_u32, 0);
    let lexed = lex(text, Mode::Module).inspect(|token| {
        let Ok((token, range)) = token else { return };
        let kind = token_kind(token);
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        tokens.push(Token {
            span: Span::from(*range),
            kind,
        });
    });
    let lexed: Vec<_> = lexed.collect();
    if deepest > MAX_BRACKETS {
        return Err(Unparsed::new(
            format!("brackets nested deeper than {MAX_BRACKETS} levels"),
            None,
        ));
    }
    let tree = parse_tokens(lexed, Mode::Module, "");
    tree.map(|tree| (tokens, statements(tree)))
        .map_err(|error| syntax_error(&error, lines))
}

fn statements(tree: Mod) -> Suite {
    match tree {
        Mod::Module(module) => module.body,
        _ => Suite::new(),
    }
}

fn syntax_error(error: &ParseError, lines: &LineIndex) -> Unparsed {
    let line = lines.line_of(error.offset.to_u32()) + 1;
    Unparsed::new(format!("unsupported syntax: {}", error.error), Some(line))
}

fn token_kind(token: &Tok) -> TokenKind {
    match token {
        Tok::Comment(_) => TokenKind::Comment,
        Tok::String { .. } => TokenKind::String,
        Tok::Lpar | Tok::Lsqb | Tok::Lbrace => TokenKind::Open,
        Tok::Rpar | Tok::Rsqb | Tok::Rbrace => TokenKind::Close,
        Tok::Colon => TokenKind::Colon,
        Tok::Semi => TokenKind::Semicolon,
        Tok::Newline => TokenKind::Newline,
        Tok::NonLogicalNewline => TokenKind::BlankLine,
        Tok::Indent => TokenKind::Indent,
        Tok::Dedent => TokenKind::Dedent,
        _ => TokenKind::Other,
    }
}
