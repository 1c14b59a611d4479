//! Rewrite blocks: hunks of marked lines, parsed as Python with metavariables.
//!
//! `$x` becomes an identifier that no one writes, so that the ordinary parser reads a template, and
//! unification meets metavariables as names.

use crate::python::ast::{Expr, Stmt};
use crate::python::parse::{parse_expression, parse_suite};
use crate::python::{LineIndex, Node, ast};

const ONE: &str = "__one_";
const MANY: &str = "__many_";
const SUBSTITUTION: &str = "__substitution_";

/// One ```` ```rewrite ```` block. The first hunk is the anchor.
#[derive(Clone, Debug)]
pub(super) struct Rewrite {
    pub(super) hunks: Vec<Hunk>,
}

#[derive(Clone, Debug)]
pub(super) struct Hunk {
    pub(super) scope: Scope,
    pub(super) count: Count,
    /// Matches sub-expressions instead of statements.
    pub(super) expression: bool,
    pub(super) lines: Vec<Line>,
    pub(super) before: Side,
    pub(super) after: Side,
    pub(super) substitutions: Vec<Substitution>,
}

/// Where a hunk looks: the innermost one that encloses the anchor, or is it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Anchor,
    Function,
    Class,
    Module,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Some,
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Keep,
    Remove,
    Add,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) mark: Mark,
    /// Columns of the template, not of any source.
    pub(super) indent: usize,
    pub(super) tokens: Vec<Token>,
    /// One-based line of the page.
    pub(super) page_line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    One(String),
    Many(String),
    /// Index into [`Hunk::substitutions`].
    Substitution(usize),
}

/// `$subject[$target := with]`: the subject with every load of the target replaced.
#[derive(Clone, Debug)]
pub(super) struct Substitution {
    pub(super) subject: String,
    pub(super) target: String,
    pub(super) tokens: Vec<Token>,
    pub(super) with: Expr,
}

/// The lines of one side of a hunk, parsed.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) body: Vec<Stmt>,
    lines: LineIndex,
    /// For each line of this side, its index in the hunk.
    origin: Vec<usize>,
}

impl Side {
    /// The hunk line on which a node of this side starts.
    pub(super) fn line_of(&self, node: Node<'_>) -> usize {
        self.origin[self.lines.line_of(node.span().start) as usize]
    }

    /// The line of this side before the one on which `node` starts: its `else:` or `finally:`.
    pub(super) fn line_before(&self, node: Node<'_>) -> usize {
        let line = self.lines.line_of(node.span().start) as usize;
        self.origin[line.saturating_sub(1)]
    }
}

/// What a placeholder in a parsed template stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta<'t> {
    One(&'t str),
    Many(&'t str),
    Substitution(usize),
}

pub(super) fn meta(word: &str) -> Option<Meta<'_>> {
    if let Some(name) = word.strip_prefix(MANY) {
        return Some(Meta::Many(name));
    }
    if let Some(index) = word.strip_prefix(SUBSTITUTION) {
        return index.parse().ok().map(Meta::Substitution);
    }
    word.strip_prefix(ONE).map(Meta::One)
}

/// The metavariable that a whole template node stands for: `$x` as an expression or a statement,
/// `$$xs` as statement, argument, parameter, decorator, base, `with` item or handler.
pub(super) fn meta_of(node: Node<'_>) -> Option<Meta<'_>> {
    match node {
        Node::Expr(Expr::Name(name)) => meta(&name.id),
        Node::Stmt(Stmt::Expr(statement)) => meta_of(Node::Expr(&statement.value)),
        Node::Parameter(parameter) => meta(&parameter.def.arg).filter(|meta| matches!(meta, Meta::Many(_))),
        Node::WithItem(item) if item.optional_vars.is_none() => {
            meta_of(Node::Expr(&item.context_expr)).filter(|meta| matches!(meta, Meta::Many(_)))
        }
        Node::Handler(ast::ExceptHandler::ExceptHandler(handler)) => {
            let class = handler.type_.as_deref()?;
            meta_of(Node::Expr(class)).filter(|meta| matches!(meta, Meta::Many(_)))
        }
        _ => None,
    }
}

/// A message and the page line it is about.
pub(super) type Fault = (u32, String);

impl Rewrite {
    /// `first_line`: one-based page line of the first line of `text`.
    pub(super) fn parse(text: &str, first_line: u32) -> Result<Self, Fault> {
        let mut hunks = Vec::new();
        let mut head = (Scope::Anchor, Count::One, false);
        let mut lines: Vec<(Mark, &str, u32)> = Vec::new();
        for (number, line) in (first_line..).zip(text.lines()) {
            if line.starts_with("@@") {
                close_hunk(&mut hunks, head, &mut lines, number)?;
                head = parse_head(line).ok_or_else(|| (number, format!("cannot read the hunk header {line:?}; it is `@@ function|class|module [some|each] [expr] @@`")))?;
            } else if !line.trim().is_empty() {
                lines.push(parse_mark(line, number)?);
            }
        }
        close_hunk(&mut hunks, head, &mut lines, first_line)?;
        if hunks.is_empty() {
            return Err((first_line, "a rewrite block without lines".to_owned()));
        }
        Ok(Self { hunks })
    }

    /// Every metavariable of the before sides.
    pub(super) fn bound(&self) -> Vec<&str> {
        self.variables(|mark| mark != Mark::Add)
    }

    /// Every metavariable at all.
    pub(super) fn used(&self) -> Vec<&str> {
        self.variables(|_| true)
    }

    fn variables(&self, wanted: impl Fn(Mark) -> bool) -> Vec<&str> {
        let mut names = Vec::new();
        for hunk in &self.hunks {
            for line in hunk.lines.iter().filter(|line| wanted(line.mark)) {
                token_names(&line.tokens, hunk, &mut names);
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn token_names<'h>(tokens: &'h [Token], hunk: &'h Hunk, names: &mut Vec<&'h str>) {
    for token in tokens {
        match token {
            Token::Text(_) => {}
            Token::One(name) | Token::Many(name) => names.push(name),
            Token::Substitution(index) => {
                let substitution = &hunk.substitutions[*index];
                names.extend([substitution.subject.as_str(), substitution.target.as_str()]);
                token_names(&substitution.tokens, hunk, names);
            }
        }
    }
}

impl Hunk {
    /// Whether the metavariable stands on a line that the mutant has.
    pub(super) fn keeps(&self, name: &str) -> bool {
        let mut kept = Vec::new();
        for line in self.lines.iter().filter(|line| line.mark != Mark::Remove) {
            token_names(&line.tokens, self, &mut kept);
        }
        kept.contains(&name)
    }

    /// Metavariables of the before side.
    pub(super) fn matched(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for line in self.lines.iter().filter(|line| line.mark != Mark::Add) {
            token_names(&line.tokens, self, &mut names);
        }
        names
    }
}

fn parse_mark(line: &str, number: u32) -> Result<(Mark, &str, u32), Fault> {
    let mark = match line.as_bytes()[0] {
        b' ' => Mark::Keep,
        b'-' => Mark::Remove,
        b'+' => Mark::Add,
        _ => {
            return Err((
                number,
                format!("a rewrite line starts with ` `, `-`, `+` or `@@`, not with {line:?}"),
            ));
        }
    };
    Ok((mark, &line[1..], number))
}

fn parse_head(line: &str) -> Option<(Scope, Count, bool)> {
    let inner = line.strip_prefix("@@")?.strip_suffix("@@")?;
    let mut words = inner.split_whitespace().peekable();
    let scope = match words.next()? {
        "function" => Scope::Function,
        "class" => Scope::Class,
        "module" => Scope::Module,
        _ => return None,
    };
    let count = match words.peek() {
        Some(&"some") => Count::Some,
        Some(&"each") => Count::Each,
        _ => Count::One,
    };
    if count != Count::One {
        words.next();
    }
    let expression = words.next_if_eq(&"expr").is_some();
    words.next().is_none().then_some((scope, count, expression))
}

fn close_hunk(
    hunks: &mut Vec<Hunk>,
    head: (Scope, Count, bool),
    lines: &mut Vec<(Mark, &str, u32)>,
    number: u32,
) -> Result<(), Fault> {
    if lines.is_empty() {
        return if hunks.is_empty() && head.0 == Scope::Anchor {
            Ok(())
        } else {
            Err((number, "a hunk without lines".to_owned()))
        };
    }
    let (scope, count, expression) = head;
    let mut substitutions = Vec::new();
    let mut parsed = Vec::new();
    for (mark, text, page_line) in lines.drain(..) {
        let indent = text.len() - text.trim_start().len();
        let tokens = tokenize(text.trim(), &mut substitutions).map_err(|message| (page_line, message))?;
        parsed.push(Line {
            mark,
            indent,
            tokens,
            page_line,
        });
    }
    let before = parse_side(&parsed, Mark::Add)?;
    let after = parse_side(&parsed, Mark::Remove)?;
    if hunks.is_empty() && before.body.is_empty() {
        return Err((parsed[0].page_line, "the first hunk must match something".to_owned()));
    }
    hunks.push(Hunk {
        scope,
        count,
        expression,
        lines: parsed,
        before,
        after,
        substitutions,
    });
    Ok(())
}

/// Parses all lines but those marked `other`.
fn parse_side(lines: &[Line], other: Mark) -> Result<Side, Fault> {
    let (mut text, mut origin) = (String::new(), Vec::new());
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.mark != other) {
        text.push_str(&" ".repeat(line.indent));
        line.tokens.iter().for_each(|token| text.push_str(&token_text(token)));
        text.push('\n');
        origin.push(index);
    }
    let body = parse_suite(&text).map_err(|error| {
        let line = error
            .line
            .and_then(|line| origin.get(line as usize - 1))
            .or(origin.last());
        let page_line = line.map_or(lines[0].page_line, |line| lines[*line].page_line);
        let side = if other == Mark::Add { "before" } else { "after" };
        (page_line, format!("the {side} side is no Python: {}", error.reason))
    })?;
    Ok(Side {
        lines: LineIndex::new(&text),
        body,
        origin,
    })
}

fn token_text(token: &Token) -> String {
    match token {
        Token::Text(text) => text.clone(),
        Token::One(name) => format!("{ONE}{name}"),
        Token::Many(name) => format!("{MANY}{name}"),
        Token::Substitution(index) => format!("{SUBSTITUTION}{index}"),
    }
}

fn tokenize(text: &str, substitutions: &mut Vec<Substitution>) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        push_text(&mut tokens, &rest[..at]);
        rest = &rest[at..];
        let many = rest.starts_with("$$");
        let name_at = if many { 2 } else { 1 };
        let length = rest[name_at..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len() - name_at);
        if length == 0 {
            return Err(format!("`$` without a name in {text:?}"));
        }
        let name = rest[name_at..name_at + length].to_owned();
        rest = &rest[name_at + length..];
        if rest.starts_with("[$") && rest.contains(":=") {
            let (inner, after) = bracketed(rest).ok_or_else(|| format!("unclosed `[` in {text:?}"))?;
            tokens.push(substitution(name, inner, substitutions)?);
            rest = after;
        } else {
            tokens.push(if many { Token::Many(name) } else { Token::One(name) });
        }
    }
    push_text(&mut tokens, rest);
    Ok(tokens)
}

fn push_text(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

/// The inside of the bracket that `text` starts with, and what follows it.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    for (at, character) in text.char_indices() {
        match character {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

fn substitution(subject: String, inner: &str, substitutions: &mut Vec<Substitution>) -> Result<Token, String> {
    let (target, with) = inner.split_once(":=").ok_or_else(|| format!("no `:=` in {inner:?}"))?;
    let target = target
        .trim()
        .strip_prefix('$')
        .ok_or_else(|| format!("{inner:?} must replace a metavariable"))?
        .to_owned();
    let tokens = tokenize(with.trim(), substitutions)?;
    let text: String = tokens.iter().map(token_text).collect();
    let with = parse_expression(&text).ok_or_else(|| format!("{:?} is no Python expression", with.trim()))?;
    substitutions.push(Substitution {
        subject,
        target,
        tokens,
        with,
    });
    Ok(Token::Substitution(substitutions.len() - 1))
}
