//! Parsing: one module, its tokens and its tree. The only file that calls the parser.

use rustpython_parser::ast::{Mod, Stmt, Suite};
use rustpython_parser::lexer::{LexResult, lex};
use rustpython_parser::{Mode, ParseError, Tok, parse_tokens};

use super::nesting::{MAX_DEPTH, Nesting, too_deep};
use super::node::{Node, depth_of};
use super::source::{Source, Unparsed};
use super::span::{LineIndex, Span};

/// A parsed file. `path` is relative to its corpus, with `/` between the parts.
#[derive(Debug)]
pub struct Module {
    pub path: String,
    /// Where the file lies, as far as that is known: the folders around it are packages.
    pub place: String,
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
            return Err(Unparsed::new(too_deep(), None));
        }
        let path = path.into();
        Ok(Self {
            place: path.clone(),
            path,
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
        let Some(first) = decorators.first() else {
            return Node::Stmt(statement).span().start;
        };
        let before = &self.text()[..Node::Expr(first).span().start as usize];
        before
            .rfind('@')
            .map_or(Node::Stmt(statement).span().start, super::span::offset)
    }

    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        super::node::walk(&self.body)
    }
}

/// Parses a text of which only the tree is wanted.
pub fn parse_suite(text: &str) -> Result<Suite, Unparsed> {
    let tree = parse_tokens(lexed(text, Mode::Module)?, Mode::Module, "");
    tree.map(statements)
        .map_err(|error| syntax_error(&error, &LineIndex::new(text)))
}

/// Parses a text that is one expression.
pub fn parse_expression(text: &str) -> Option<rustpython_parser::ast::Expr> {
    match parse_tokens(lexed(text, Mode::Expression).ok()?, Mode::Expression, "") {
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
    let lexed = lexed(text, Mode::Module)?;
    for (token, range) in lexed.iter().flatten() {
        tokens.push(Token {
            span: Span::from(*range),
            kind: token_kind(token),
        });
    }
    let tree = parse_tokens(lexed, Mode::Module, "");
    tree.map(|tree| (tokens, statements(tree)))
        .map_err(|error| syntax_error(&error, lines))
}

/// The tokens up to the first error. After an open bracket at the end of the text the lexer would
/// repeat its error for ever.
fn lexed(text: &str, mode: Mode) -> Result<Vec<LexResult>, Unparsed> {
    let mut lexed = Vec::with_capacity(text.len() / 4);
    let mut nesting = Nesting::new();
    for result in lex(text, mode) {
        let (mut token, range) = match result {
            Ok(spanned) => spanned,
            Err(error) => {
                lexed.push(Err(error));
                break;
            }
        };
        nesting.see(&token).map_err(|reason| {
            let line = LineIndex::new(text).line_of(range.start().to_u32()) + 1;
            Unparsed::new(reason, Some(line))
        })?;
        keep_line_ends(&mut token, Span::from(range).of(text));
        lexed.push(Ok((token, range)));
    }
    Ok(lexed)
}

/// The lexer shortens `\r\n` in strings to `\n`, and the parser then counts the places in an f-string
/// from the short text. With the text as it stands they come out right.
fn keep_line_ends(token: &mut Tok, source: &str) {
    let Tok::String {
        value,
        kind,
        triple_quoted,
    } = token
    else {
        return;
    };
    if kind.is_any_fstring() && source.contains("\r\n") {
        let quotes = if *triple_quoted { 3 } else { 1 };
        let start = kind.prefix_len().to_usize() + quotes;
        source[start..source.len() - quotes].clone_into(value);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Module, Unparsed> {
        Module::parse("test.py", Source::from_text(text))
    }

    /// The texts of all nodes of a kind, in the order of the walk.
    fn check(text: &str, kind: &str, expected: &[&str]) {
        let module = parse(text).unwrap();
        let nodes = module.nodes().filter(|node| node.kind() == kind);
        let found: Vec<_> = nodes.map(|node| node.span().of(text)).collect();
        assert_eq!(found, expected, "{kind} in {text:?}");
    }

    #[test]
    fn every_line_end_and_indentation_keeps_spans_right() {
        check("if a:\r\n    b\r\nc\r\n", "Name", &["a", "b", "c"]);
        check("if a:\r    b\rc\r", "Name", &["a", "b", "c"]);
        check("if a:\n\tb\n\tc\n", "Name", &["a", "b", "c"]);
        check("a\n\x0c\nif b:\n\x0c    c\n", "Name", &["a", "b", "c"]);
        check("a = \\\r\n  b\r\n", "Name", &["a", "b"]);
        check("ä = 'ö'; b\n", "Name", &["ä", "b"]);
        check("'''x\r\ny'''; b", "Name", &["b"]);
        check("'''x\r\ny'''; b", "Constant", &["'''x\r\ny'''"]);
        check("a", "Name", &["a"]);
        check("", "Name", &[]);
    }

    #[test]
    fn spans_count_from_after_the_byte_order_mark() {
        let source = Source::load(b"\xef\xbb\xbfname = 1\n").unwrap();
        let module = Module::parse("test.py", source).unwrap();
        let name = module.nodes().find(|node| node.kind() == "Name").unwrap();
        assert_eq!(name.span().of(module.text()), "name");
    }

    #[test]
    fn newer_syntax_is_walked() {
        check("try: a\nexcept* b as c: d\n", "TryStar", &["try: a\nexcept* b as c: d"]);
        check("try: a\nexcept* b as c: d\n", "Name", &["a", "b", "d"]);
        check("match a:\n case [b, {'k': c, **d}] if e: f\n", "Name", &["a", "e", "f"]);
        check(
            "match a:\n case [b, {'k': c, **d}] | C(x=e.f): g\n",
            "MatchAs",
            &["b", "c"],
        );
        check("match a:\n case C(x=e.f) as y: g\n", "MatchValue", &["e.f"]);
        check("[b for a in c if (d := a)]\n", "NamedExpr", &["d := a"]);
        check("def f[T: a, *U, **P](x: b) -> c: pass\n", "Name", &["a", "b", "c"]);
        check("class C[T](a): pass\ntype X[T] = b\n", "TypeVar", &["T", "T"]);
        check(
            "async def f():\n async with a as b, c: await d\n",
            "Name",
            &["a", "b", "c", "d"],
        );
        check("with (a as b, c): pass\n", "withitem", &["a as b", "c"]);
        check("@a.b(c)\nclass D(e, k=f): pass\n", "Name", &["a", "c", "e", "f"]);
        check("print(*a, **b, c=d)\n", "Name", &["print", "a", "b", "d"]);
        check("import a.b as c, d\n", "alias", &["a.b as c", "d"]);
    }

    #[test]
    fn names_in_f_strings_have_their_own_spans() {
        check(
            "f'{a}' 'b' f\"{c:{d}} {e!r:>{g}}\"\n",
            "Name",
            &["a", "c", "d", "e", "g"],
        );
        check("f'{f\"{a} {b}\"} {c}'\n", "Name", &["a", "b", "c"]);
        check("f'{{x}} ä {a=} {b.c(d)[e]}'\n", "Name", &["a", "b", "d", "e"]);
        check("rf'\\{a}'; f'\\n\\x41{b}'\n", "Name", &["a", "b"]);
        check("f'''x\n{a}\ny{b}'''\n", "Name", &["a", "b"]);
        check("f'''x\r\n{a}\r\ny{b}'''; c\r\n", "Name", &["a", "b", "c"]);
        check("f'''x\r{a}\ry{b}'''; c\r", "Name", &["a", "b", "c"]);
        check("f'x\\\r\n{a}'; c\r\n", "Name", &["a", "c"]);
    }

    #[test]
    fn colons_of_a_decorator_in_the_body_do_not_belong_to_the_header() {
        let text = "class A(b[1:2]): # c:\n    # d:\n    @e(lambda: f)\n    def g(): pass\n";
        let module = parse(text).unwrap();
        let children = Node::Stmt(&module.body[0]).children();
        let body = children.iter().find(|node| node.kind() == "FunctionDef").unwrap();
        let header = module.header(Node::Stmt(&module.body[0]).span(), body.span());
        assert_eq!(header.of(text), "class A(b[1:2]):");
    }

    fn refused(text: &str) -> Unparsed {
        parse(text).expect_err(&text[..text.len().min(40)])
    }

    #[test]
    fn what_nests_too_deeply_is_refused_with_a_reason() {
        let brackets = ["(".repeat(300), ")".repeat(300)].concat();
        let error = refused(&brackets);
        assert_eq!(error.reason, "brackets nested deeper than 200 levels");
        assert_eq!(error.line, Some(1));
        for text in [
            vec!["1"; 7_000].join("+"),
            vec!["1"; 300_000].join("+"),
            vec!["1"; 300_000].join("+") + ")",
            "not ".repeat(300_000),
            "lambda a=".repeat(300_000),
            "a".to_owned() + &".b".repeat(300_000),
            "a".to_owned() + &"()".repeat(300_000),
            "if a: b\n".to_owned() + &"elif a: b\n".repeat(300_000),
            "f'{a".to_owned() + &".b".repeat(300_000) + "}'",
        ] {
            assert_eq!(refused(&text).reason, "nested deeper than 6000 levels");
        }
    }

    #[test]
    fn what_is_long_but_flat_is_parsed() {
        for text in [
            vec!["1"; 5_900].join("+"),
            vec!["a.b(c)"; 20_000].join(","),
            format!("[{}]", vec!["-1"; 20_000].join(",")),
            format!("x = {{{}}}", vec!["'a': b.c + 1"; 20_000].join(",")),
            vec!["a"; 20_000].join(" and "),
            "a = b + c\n".repeat(20_000),
            "if a: b\nelif a: b\n".repeat(20_000),
            "a = f'{b.c} ....'\n".repeat(20_000),
            format!("f'''{}'''", "{b.c} .... ".repeat(20_000)),
        ] {
            assert!(parse(&text).is_ok(), "{}", &text[..40]);
        }
    }

    #[test]
    fn what_cannot_be_lexed_is_refused_and_ends() {
        for text in [
            "x = (",
            "x = 'a",
            "'''",
            "x = )",
            "x = $",
            "if x:\n  a\n b\n",
            "\\",
            "f'{",
            "f'{a'",
            "0777",
        ] {
            let error = refused(text);
            assert!(error.reason.starts_with("unsupported syntax: "), "{text:?}: {error:?}");
            assert!(error.line.is_some());
        }
        assert!(parse_suite("x = (").is_err());
        assert!(parse_expression("(a").is_none());
    }
}
