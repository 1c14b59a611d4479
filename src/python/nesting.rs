//! How deep a tree may get, told from its tokens before there is a tree.
//!
//! Dropping a tree recurses, also inside the parser when it gives up half-way. A million-term sum
//! would end the process, so that such texts must be refused before they are parsed.

use rustpython_parser::Tok;

/// CPython's own limit on nested brackets.
const MAX_BRACKETS: usize = 200;
/// Deeper trees (chains of operators, of `elif`) would need more stack than a worker has.
pub(super) const MAX_DEPTH: usize = 6_000;

/// Counts, token by token, what may put one node below another.
pub(super) struct Nesting {
    /// For the logical line and each open bracket: the operators since its last comma.
    brackets: Vec<usize>,
    /// For each open block: the `elif`s since its last `if`.
    blocks: Vec<usize>,
    /// The sum of both.
    depth: usize,
    at_statement: bool,
}

impl Nesting {
    pub(super) fn new() -> Self {
        Self {
            brackets: vec![0],
            blocks: vec![0],
            depth: 0,
            at_statement: true,
        }
    }

    /// Takes the next token; the error says why the text is refused.
    pub(super) fn see(&mut self, token: &Tok) -> Result<(), String> {
        match token {
            Tok::Lpar | Tok::Lsqb | Tok::Lbrace => {
                self.deepen(1);
                self.brackets.push(0);
            }
            Tok::Rpar | Tok::Rsqb | Tok::Rbrace => self.close(),
            Tok::Comma | Tok::Semi => self.restart(),
            Tok::Newline => {
                self.brackets.truncate(1);
                self.restart();
            }
            Tok::Indent => self.blocks.push(0),
            Tok::Dedent => drop(self.blocks.pop()),
            Tok::If if self.at_statement => self.count_elifs(0),
            Tok::Elif => self.count_elifs(self.blocks.last().map_or(1, |elifs| elifs + 1)),
            other => self.deepen(levels(other)),
        }
        self.at_statement = matches!(token, Tok::Newline | Tok::Indent | Tok::Dedent)
            || (self.at_statement && matches!(token, Tok::NonLogicalNewline | Tok::Comment(_)));
        self.check(token)
    }

    fn check(&self, token: &Tok) -> Result<(), String> {
        if self.brackets.len() > MAX_BRACKETS + 1 {
            return Err(format!("brackets nested deeper than {MAX_BRACKETS} levels"));
        }
        let inside = match token {
            Tok::String { value, kind, .. } if kind.is_any_fstring() => in_fields(value),
            _ => 0,
        };
        let indented = self.blocks.len();
        if self.depth + indented + inside > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(())
    }

    fn deepen(&mut self, levels: usize) {
        if let Some(operators) = self.brackets.last_mut() {
            *operators += levels;
            self.depth += levels;
        }
    }

    fn restart(&mut self) {
        let elifs: usize = self.blocks.iter().sum();
        if let Some(operators) = self.brackets.last_mut() {
            *operators = 0;
        }
        self.depth = elifs + self.brackets.iter().sum::<usize>();
    }

    fn close(&mut self) {
        if self.brackets.len() > 1
            && let Some(operators) = self.brackets.pop()
        {
            self.depth -= operators;
        }
    }

    fn count_elifs(&mut self, elifs: usize) {
        if let Some(last) = self.blocks.last_mut() {
            self.depth = self.depth + elifs - *last;
            *last = elifs;
        }
    }
}

pub(super) fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

/// How many levels a token may add to the tree. `and`, `or` and comparisons make flat lists.
fn levels(token: &Tok) -> usize {
    match token {
        Tok::Lambda => 3,
        Tok::Plus
        | Tok::Minus
        | Tok::Star
        | Tok::Slash
        | Tok::Percent
        | Tok::At
        | Tok::DoubleStar
        | Tok::DoubleSlash
        | Tok::LeftShift
        | Tok::RightShift
        | Tok::Vbar
        | Tok::Amper
        | Tok::CircumFlex
        | Tok::Tilde
        | Tok::Not
        | Tok::If
        | Tok::Dot
        | Tok::Await
        | Tok::Yield
        | Tok::ColonEqual => 1,
        _ => 0,
    }
}

/// What stands between the braces of an f-string is no tokens yet: each sign there may be an operator.
fn in_fields(text: &str) -> usize {
    let (mut open, mut signs, mut most) = (0_usize, 0, 0);
    for each in text.chars() {
        match each {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ if open > 0 && !each.is_alphanumeric() => signs += 1,
            _ => {}
        }
        if open == 0 {
            signs = 0;
        }
        most = most.max(signs);
    }
    most
}
