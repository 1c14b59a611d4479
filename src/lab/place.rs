//! Where a finding stands, said without line numbers: its statement, that statement's shape, its definition.

use crate::python::ast::{Ranged, Stmt};
use crate::python::{Module, Node, Span, Token, TokenKind};

/// The statements of one module, to look up places in.
#[derive(Debug)]
pub(super) struct Places<'m> {
    module: &'m Module,
    statements: Vec<Statement<'m>>,
}

#[derive(Debug)]
struct Statement<'m> {
    span: Span,
    /// Of a definition: its name, and whether names below it are local to a function.
    definition: Option<(&'m str, bool)>,
}

/// What is the same about a finding wherever its lines have moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// One-based.
    pub line: u32,
    pub qualname: String,
    /// The statement, or the header of a compound one, token by token.
    pub statement: String,
    /// The statement without what is particular to it: `_ = open(_, "")`.
    pub shape: String,
}

impl<'m> Places<'m> {
    pub(super) fn new(module: &'m Module) -> Self {
        let statements = module.nodes().filter_map(Node::as_stmt);
        let statements = statements.map(|statement| Statement {
            span: statement.range().into(),
            definition: definition(statement),
        });
        Self {
            module,
            statements: statements.collect(),
        }
    }

    /// Of the text at `at`.
    pub(super) fn place(&self, at: u32) -> Place {
        let around: Vec<&Statement> = self
            .statements
            .iter()
            .filter(|statement| statement.span.holds(at))
            .collect();
        let innermost = around.last().map_or(Span::at(at), |statement| statement.span);
        let tokens = first_logical_line(self.module.tokens_in(innermost));
        let text = self.module.text();
        let words: Vec<&str> = tokens.iter().map(|token| token.span.of(text)).collect();
        Place {
            line: self.module.lines.line_of(at) + 1,
            qualname: qualname(&around),
            statement: words.join(" "),
            shape: shape(&tokens, text),
        }
    }
}

fn definition(statement: &Stmt) -> Option<(&str, bool)> {
    match statement {
        Stmt::FunctionDef(node) => Some((&node.name, true)),
        Stmt::AsyncFunctionDef(node) => Some((&node.name, true)),
        Stmt::ClassDef(node) => Some((&node.name, false)),
        _ => None,
    }
}

fn qualname(around: &[&Statement]) -> String {
    let mut name = String::new();
    let mut local = false;
    for (part, is_function) in around.iter().filter_map(|statement| statement.definition) {
        if !name.is_empty() {
            name.push_str(if local { ".<locals>." } else { "." });
        }
        name.push_str(part);
        local = is_function;
    }
    name
}

/// Up to the end of the first logical line; comments and line breaks inside brackets say nothing.
fn first_logical_line(tokens: &[Token]) -> Vec<Token> {
    let line = tokens.iter().take_while(|token| token.kind != TokenKind::Newline);
    let silent = [
        TokenKind::Comment,
        TokenKind::BlankLine,
        TokenKind::Indent,
        TokenKind::Dedent,
    ];
    line.filter(|token| !silent.contains(&token.kind)).copied().collect()
}

/// Keeps keywords, called and dotted names; other names become `_`, strings `""`, numbers `0`.
fn shape(tokens: &[Token], text: &str) -> String {
    let mut shape = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let gap = at > 0 && tokens[at - 1].span.end < token.span.start;
        if gap {
            shape.push(' ');
        }
        let next = tokens.get(at + 1).map_or("", |next| next.span.of(text));
        let before = at.checked_sub(1).map_or("", |before| tokens[before].span.of(text));
        shape.push_str(masked(*token, text, before, next));
    }
    shape
}

fn masked<'t>(token: Token, text: &'t str, before: &str, next: &str) -> &'t str {
    let word = token.span.of(text);
    let first = word.chars().next().unwrap_or(' ');
    match token.kind {
        TokenKind::String => "\"\"",
        _ if first.is_ascii_digit() => "0",
        _ if !(first.is_alphabetic() || first == '_') => word,
        _ if before == "." || matches!(next, "." | "(") || KEYWORDS.contains(&word) => word,
        _ => "_",
    }
}

const KEYWORDS: [&str; 37] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "match",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Source;

    fn place(text: &str, at: &str) -> Place {
        let module = Module::parse("a.py", Source::from_text(text)).unwrap();
        let at = u32::try_from(text.find(at).unwrap()).unwrap();
        Places::new(&module).place(at)
    }

    #[test]
    fn a_place_survives_moved_lines_and_other_layout() {
        let one = place("class A:\n    def f(self, p):\n        h = open(p, 'r')\n", "open");
        let other = place(
            "\n\nclass A:\n  def f(self, p):\n    h = open(p,  # why\n       'r')\n",
            "open",
        );
        assert_eq!(one.qualname, "A.f");
        assert_eq!(one.shape, "_ = open(_, \"\")");
        assert_eq!((&one.qualname, &one.statement), (&other.qualname, &other.statement));
        assert_ne!(one.line, other.line);
    }

    #[test]
    fn of_a_compound_statement_the_header_counts() {
        let found = place(
            "def f(p):\n    def g():\n        with open(p) as h:\n            return h\n",
            "open",
        );
        assert_eq!(found.qualname, "f.<locals>.g");
        assert_eq!(found.shape, "with open(_) as _:");
    }
}
