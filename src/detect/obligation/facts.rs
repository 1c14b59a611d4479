//! Which branches cannot be taken: what tests say about the handle itself, and tests that stand twice.
//!
//! ```py
//! f = None
//! try:
//!     f = open(path)
//! finally:
//!     if f is not None:  # known to hold
//!         f.close()
//! ```

use std::collections::{HashMap, HashSet};

use super::state::State;
use crate::detect::text_at;
use crate::python::Span;
use crate::python::ast::{BoolOp, CmpOp, Constant, Expr, ExprCall, ExprCompare, Ranged, Stmt, UnaryOp};
use crate::python::flow::{Graph, Kind, StepId, falls_through, names_bound};
use crate::python::node::Node;

/// How many statements before an acquisition are read for what they say about flags.
const MAX_SIBLINGS: usize = 200;

/// The tests of one graph. A test is known by its text, without `not` and with `is not` turned round.
pub(super) struct Tests<'m> {
    numbers: HashMap<String, u32>,
    /// Per test: how often branches ask it, and the names it depends on.
    asked: Vec<u32>,
    names: Vec<Vec<&'m str>>,
    branches: HashMap<StepId, (u32, bool)>,
    /// Tests for a key without which some step raises.
    needed: HashSet<u32>,
    /// The tests that one edge of a branch shows to hold: that of `table.get(key) is value` says `key in table`.
    shown: HashMap<StepId, (u32, bool)>,
}

impl<'m> Tests<'m> {
    pub(super) fn of(graph: &Graph<'m>, source: &'m str) -> Self {
        let mut tests = Self {
            numbers: HashMap::new(),
            asked: Vec::new(),
            names: Vec::new(),
            branches: HashMap::new(),
            needed: HashSet::new(),
            shown: HashMap::new(),
        };
        let steps = graph.ids().map(|id| &graph.step(id).kind);
        let needed: HashSet<_> = steps.filter_map(|kind| key_needed(kind, source)).collect();
        for id in graph.ids() {
            let Kind::Branch(test) = graph.step(id).kind else {
                continue;
            };
            if let Some((key, holds)) = normal_form(test, source) {
                let number = tests.number(key, test, source);
                tests.asked[number as usize] += 1;
                tests.branches.insert(id, (number, holds));
            }
            if let Some((key, way)) = key_shown(test, source).filter(|(key, _)| needed.contains(key)) {
                let number = tests.number(key, test, source);
                tests.shown.insert(id, (number, way));
            }
        }
        let numbers = needed.iter().filter_map(|key| tests.numbers.get(key).copied());
        tests.needed = numbers.collect();
        tests
    }

    fn number(&mut self, key: String, test: &'m Expr, source: &'m str) -> u32 {
        let next = crate::python::span::offset(self.asked.len());
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.asked.push(0);
            self.names.push(words(test, source));
        }
        number
    }

    /// What a branch asks: the test's number, and whether its `True` edge means that the test holds.
    pub(super) fn asked_at(&self, step: StepId) -> Option<(u32, bool)> {
        self.branches.get(&step).copied()
    }

    /// The number of a test.
    pub(super) fn number_of(&self, test: &Expr, source: &str) -> Option<u32> {
        let inner = match test {
            Expr::UnaryOp(node) if node.op == UnaryOp::Not => &node.operand,
            other => other,
        };
        self.numbers.get(&normal_form(inner, source)?.0).copied()
    }

    /// Whether remembering the answer can be of use.
    pub(super) fn is_asked_again(&self, number: u32) -> bool {
        self.asked[number as usize] > 1
    }

    /// Whether its answer is kept for what needs the key alone, and decides no branch.
    pub(super) fn is_for_key(&self, number: u32) -> bool {
        self.needed.contains(&number) && !self.is_asked_again(number)
    }

    /// The test that holds where the branch is left this way.
    pub(super) fn shown_at(&self, step: StepId, way: bool) -> Option<u32> {
        let (number, shows) = self.shown.get(&step)?;
        (*shows == way).then_some(*number)
    }

    /// Whether the key is known to be there.
    pub(super) fn knows_key(&self, facts: &[(u32, bool)], table: &str, key: &str) -> bool {
        let number = self.numbers.get(&membership(table, key));
        number.is_some_and(|number| facts.contains(&(*number, true)))
    }

    /// A name or attribute gets a new value: what was known about it is forgotten, and what a constant
    /// says is learnt.
    pub(super) fn assign(&self, facts: &mut Vec<(u32, bool)>, target: &Expr, value: Option<&Expr>, source: &str) {
        if self.numbers.is_empty() {
            return;
        }
        let target_text = text_at(source, target.range().into());
        let bound = names_bound(target);
        let concerns = |name: &&str| *name == target_text || bound.contains(name);
        facts.retain(|(number, _)| !self.names[*number as usize].iter().any(concerns));
        if value.is_some_and(constructs) {
            self.learn_made(facts, target);
        }
        if let Some(value) = value.filter(|value| is_plain(value)) {
            self.learn_equal(facts, target_text, text_at(source, value.range().into()));
        }
        let Some(Expr::Constant(constant)) = value else { return };
        let is_none = constant.value == Constant::None;
        let learnt = [
            (format!("{target_text} is None"), Some(is_none)),
            (
                target_text.to_owned(),
                crate::python::flow::truth(&Expr::Constant(constant.clone())),
            ),
        ];
        for (key, holds) in learnt {
            if let (Some(number), Some(holds)) = (self.numbers.get(&key), holds) {
                learn(facts, *number, holds);
            }
        }
    }

    /// After `mode = READ` the test `mode == READ` holds.
    fn learn_equal(&self, facts: &mut Vec<(u32, bool)>, target: &str, value: &str) {
        for key in [format!("{target} == {value}"), format!("{target} is {value}")] {
            if let Some(number) = self.numbers.get(&key) {
                learn(facts, *number, true);
            }
        }
    }

    /// What has been opened was not empty: `open(name)` says that `name` is true.
    pub(super) fn learn_opened(&self, facts: &mut Vec<(u32, bool)>, call: &Expr, source: &str) {
        let Expr::Call(call) = call else { return };
        for argument in call.args.iter().filter(|argument| is_chain(argument)) {
            let text = text_at(source, argument.range().into());
            for (key, holds) in [(format!("{text} is None"), false), (text.to_owned(), true)] {
                if let Some(number) = self.numbers.get(&key) {
                    learn(facts, *number, holds);
                }
            }
        }
    }

    /// `Popen(command, stdout=out)` has a pipe, which says what `out` is.
    pub(super) fn learn_piped(&self, facts: &mut Vec<(u32, bool)>, call: &Expr, stream: &str) {
        let keywords = call.as_call_expr().into_iter().flat_map(|call| &call.keywords);
        for keyword in keywords.filter(|keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == stream)) {
            self.learn_made(facts, &keyword.value);
        }
    }

    /// What holds where a value was chosen, and what its block says after that:
    ///
    /// ```py
    /// if capture:
    ///     out = subprocess.PIPE  # chosen here
    ///     communicate = True
    /// ```
    pub(super) fn learn_chosen(&self, facts: &mut Vec<(u32, bool)>, body: &'m [Stmt], place: Span, source: &'m str) {
        let mut chosen = self.known_at(body, place, source);
        for statement in after(body, place) {
            self.pass(&mut chosen, statement, source);
        }
        for (number, holds) in chosen {
            learn(facts, number, holds);
        }
    }

    /// An acquisition never gives `None` or anything false, nor are the items of its tuple; the same
    /// goes for what a constructor makes.
    pub(super) fn learn_made(&self, facts: &mut Vec<(u32, bool)>, target: &Expr) {
        for name in names_bound(target) {
            for (key, holds) in [(format!("{name} is None"), false), (name.to_owned(), true)] {
                if let Some(number) = self.numbers.get(&key) {
                    learn(facts, *number, holds);
                }
            }
        }
    }

    /// What the statements around and before `at` say: the tests it stands under, flags set before.
    pub(super) fn known_at(&self, body: &'m [Stmt], at: Span, source: &'m str) -> Vec<(u32, bool)> {
        let (mut facts, mut body) = (Vec::new(), body);
        if self.numbers.is_empty() {
            return facts;
        }
        while let Some(here) = body
            .iter()
            .position(|statement| Span::from(statement.range()).contains(at))
        {
            for before in &body[here.saturating_sub(MAX_SIBLINGS)..here] {
                self.pass(&mut facts, before, source);
            }
            let statement = &body[here];
            body = self.descend(&mut facts, statement, at, source);
            if body.is_empty() {
                self.choose(&mut facts, statement, at, source);
            }
        }
        facts
    }

    /// `f = open(path) if owned else path`
    fn choose(&self, facts: &mut Vec<(u32, bool)>, statement: &'m Stmt, at: Span, source: &'m str) {
        let is_simple = matches!(
            statement,
            Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Expr(_) | Stmt::Return(_)
        );
        for node in Node::Stmt(statement).descendants().filter(|_| is_simple) {
            let Node::Expr(Expr::IfExp(choice)) = node else {
                continue;
            };
            let holds = Span::from(choice.body.range()).contains(at);
            if holds || Span::from(choice.orelse.range()).contains(at) {
                self.assume(facts, &choice.test, holds, source);
            }
        }
    }

    /// Whether some branch asks if the key is there: `if key in table: table[key]`.
    pub(super) fn asks_for_key(&self, table: &str, key: &str) -> bool {
        ["in", "not in"]
            .iter()
            .any(|word| self.numbers.contains_key(&format!("{key} {word} {table}")))
    }

    fn pass(&self, facts: &mut Vec<(u32, bool)>, statement: &'m Stmt, source: &'m str) {
        match statement {
            Stmt::Assign(node) => {
                for target in &node.targets {
                    self.assign(facts, target, Some(&node.value), source);
                }
            }
            Stmt::If(node)
                if node.orelse.is_empty() && node.body.last().is_some_and(may_leave) && !falls_through(&node.body) =>
            {
                self.assume(facts, &node.test, false, source);
            }
            compound => {
                for node in Node::Stmt(compound).descendants().filter_map(Node::as_stmt) {
                    if let Stmt::Assign(node) = node {
                        for target in &node.targets {
                            self.assign(facts, target, None, source);
                        }
                    }
                }
            }
        }
    }

    /// The block of a compound statement that holds `at`; empty where there is none.
    fn descend(&self, facts: &mut Vec<(u32, bool)>, statement: &'m Stmt, at: Span, source: &'m str) -> &'m [Stmt] {
        if let Stmt::If(node) = statement {
            let holds = node.body.iter().any(|one| Span::from(one.range()).contains(at));
            if !Span::from(node.test.range()).contains(at) {
                self.assume(facts, &node.test, holds, source);
            }
        }
        blocks(statement)
            .into_iter()
            .find(|block| block.iter().any(|one| Span::from(one.range()).contains(at)))
            .unwrap_or(&[])
    }

    fn assume(&self, facts: &mut Vec<(u32, bool)>, test: &'m Expr, holds: bool, source: &'m str) {
        let mut open = vec![(test, holds)];
        while let Some((test, holds)) = open.pop() {
            match test {
                Expr::UnaryOp(node) if node.op == UnaryOp::Not => open.push((&node.operand, !holds)),
                Expr::BoolOp(node) => {
                    let all = (node.op == BoolOp::And) == holds;
                    open.extend(node.values.iter().filter(|_| all).map(|value| (value, holds)));
                }
                _ => {
                    if let Some((key, positive)) = normal_form(test, source)
                        && let Some(number) = self.numbers.get(&key)
                    {
                        learn(facts, *number, holds == positive);
                    }
                    if let Some((key, way)) = key_shown(test, source)
                        && let Some(number) = self.numbers.get(&key).filter(|_| way == holds)
                    {
                        learn(facts, *number, true);
                    }
                }
            }
        }
    }
}

fn membership(table: &str, key: &str) -> String {
    format!("{key} in {table}")
}

/// `table[key]` and `table.pop(key)` raise where the key is not there.
fn key_needed(kind: &Kind<'_>, source: &str) -> Option<String> {
    let (table, key) = match kind {
        Kind::Evaluate(Expr::Subscript(node)) => (&*node.value, &*node.slice),
        Kind::Evaluate(Expr::Call(call)) => popped(call)?,
        _ => return None,
    };
    let text = |expr: &Expr| text_at(source, expr.range().into());
    (is_plain(table) && is_plain(key)).then(|| membership(text(table), text(key)))
}

/// The table and the key of `table.pop(key)`.
pub(super) fn popped(call: &ExprCall) -> Option<(&Expr, &Expr)> {
    asked_of_table(call, "pop")
}

fn asked_of_table<'e>(call: &'e ExprCall, method: &str) -> Option<(&'e Expr, &'e Expr)> {
    let func = call.func.as_attribute_expr()?;
    let ([key], []) = (call.args.as_slice(), call.keywords.as_slice()) else {
        return None;
    };
    (func.attr.as_str() == method).then_some((&*func.value, key))
}

/// The test for a key that holds if `table.get(key)`, `table.get(key) is value`, `table.get(key) is not None` or the
/// like does; and whether it is their `True` that says so.
fn key_shown(test: &Expr, source: &str) -> Option<(String, bool)> {
    let is_none = |expr: &Expr| matches!(expr, Expr::Constant(node) if node.value == Constant::None);
    let (asked, way) = match test {
        Expr::Compare(node) => {
            let ([op], [right]) = (node.ops.as_slice(), node.comparators.as_slice()) else {
                return None;
            };
            let is_same = match op {
                CmpOp::Is | CmpOp::Eq => true,
                CmpOp::IsNot | CmpOp::NotEq => false,
                _ => return None,
            };
            (&*node.left, is_same != is_none(right))
        }
        other => (other, true),
    };
    let (table, key) = asked_of_table(asked.as_call_expr()?, "get")?;
    let written = |expr: &Expr| text_at(source, expr.range().into());
    Some((membership(written(table), written(key)), way))
}

pub(super) fn learn(facts: &mut Vec<(u32, bool)>, number: u32, holds: bool) {
    facts.retain(|(known, _)| *known != number);
    facts.push((number, holds));
    facts.sort_unstable();
}

/// `Popen(...)`, `subprocess.Popen(...)`
fn constructs(value: &Expr) -> bool {
    let Expr::Call(call) = value else { return false };
    let tail = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => return false,
    };
    tail.starts_with(char::is_uppercase) && tail.chars().any(char::is_lowercase)
}

/// Whether control may not go on after the statement; tells most bodies without a graph.
fn may_leave(last: &Stmt) -> bool {
    !matches!(
        last,
        Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) | Stmt::Expr(_) | Stmt::Pass(_) | Stmt::Import(_)
    )
}

/// The statements after the one at `at`, in its own block.
fn after(body: &[Stmt], at: Span) -> &[Stmt] {
    let holds = |statement: &Stmt| Span::from(statement.range()).contains(at);
    let Some(here) = body.iter().position(holds) else {
        return &[];
    };
    let inner = blocks(&body[here]).into_iter().find(|block| block.iter().any(holds));
    inner.map_or(&body[here + 1..], |block| after(block, at))
}

fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::If(node) => vec![&node.body, &node.orelse],
        Stmt::For(node) => vec![&node.body, &node.orelse],
        Stmt::AsyncFor(node) => vec![&node.body, &node.orelse],
        Stmt::While(node) => vec![&node.body, &node.orelse],
        Stmt::With(node) => vec![&node.body],
        Stmt::AsyncWith(node) => vec![&node.body],
        Stmt::Try(node) => {
            let handlers = node.handlers.iter().map(|handler| {
                let crate::python::ast::ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.as_slice()
            });
            let mut blocks = vec![node.body.as_slice(), &node.orelse, &node.finalbody];
            blocks.extend(handlers);
            blocks
        }
        Stmt::Match(node) => node.cases.iter().map(|case| case.body.as_slice()).collect(),
        _ => Vec::new(),
    }
}

/// The text of a test whose answer stays the same while its names do, and whether `True` means that
/// the text holds.
fn normal_form(test: &Expr, source: &str) -> Option<(String, bool)> {
    let whole = || text_at(source, test.range().into()).to_owned();
    match test {
        Expr::Name(_) => Some((whole(), true)),
        Expr::Attribute(node) if is_chain(&node.value) => Some((whole(), true)),
        Expr::Call(node) => {
            let asks = match &*node.func {
                Expr::Name(name) => is_predicate(&name.id) && node.args.iter().all(is_plain_argument),
                Expr::Attribute(method) => ["startswith", "endswith"].contains(&method.attr.as_str()),
                _ => false,
            };
            asks.then(|| (whole(), true))
        }
        Expr::Compare(node) => comparison(node, source),
        _ => None,
    }
}

fn comparison(node: &ExprCompare, source: &str) -> Option<(String, bool)> {
    let ([op], [right]) = (node.ops.as_slice(), node.comparators.as_slice()) else {
        return None;
    };
    if !(is_plain(&node.left) && is_plain(right)) {
        return None;
    }
    let (word, holds) = match op {
        CmpOp::Is => ("is", true),
        CmpOp::IsNot => ("is", false),
        CmpOp::Eq => ("==", true),
        CmpOp::NotEq => ("==", false),
        CmpOp::In => ("in", true),
        CmpOp::NotIn => ("in", false),
        CmpOp::Lt => ("<", true),
        CmpOp::GtE => ("<", false),
        CmpOp::Gt => (">", true),
        CmpOp::LtE => (">", false),
    };
    let side = |expr: &Expr| text_at(source, expr.range().into()).to_owned();
    Some((format!("{} {word} {}", side(&node.left), side(right)), holds))
}

/// `isinstance`, `isfilelike`, `_has_header`: what they say of an object stays true.
pub(super) fn is_predicate(name: &str) -> bool {
    let word = name.trim_start_matches('_');
    word.starts_with("is") || word.starts_with("has") || word == "callable"
}

fn is_plain_argument(argument: &Expr) -> bool {
    match argument {
        Expr::Tuple(node) => node.elts.iter().all(is_chain),
        other => is_chain(other) || other.is_constant_expr(),
    }
}

fn is_chain(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_) => true,
        Expr::Attribute(node) => is_chain(&node.value),
        _ => false,
    }
}

fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(_) => true,
        Expr::Tuple(node) => node.elts.iter().all(is_plain),
        Expr::Subscript(node) => is_chain(&node.value) && node.slice.is_constant_expr(),
        Expr::UnaryOp(node) => node.operand.is_constant_expr(),
        other => is_chain(other),
    }
}

/// The names and dotted chains in a test.
fn words<'m>(test: &'m Expr, source: &'m str) -> Vec<&'m str> {
    let nodes = Node::Expr(test).descendants();
    let chains = nodes.filter(|node| matches!(node, Node::Expr(Expr::Name(_) | Expr::Attribute(_))));
    chains.map(|node| text_at(source, node.span())).collect()
}

/// What a test says when the handle is held; `None` if it does not ask about it.
pub(super) fn about_handle(test: &Expr, state: &State<'_>) -> Option<bool> {
    match test {
        Expr::Attribute(node) if node.attr.as_str() == "closed" => state.holds(&node.value).map(|_| false),
        Expr::Compare(node) => compares_handle(node, state),
        Expr::Call(node) if state.is_path && asks_for_path(node, state) => Some(true),
        Expr::Call(node) if asks_whether_done(node, state) => Some(false),
        Expr::Call(node) => {
            let asks = node
                .func
                .as_name_expr()
                .is_some_and(|name| name.id.as_str() == "hasattr");
            let about = asks && node.args.first().is_some_and(|one| state.holds(one).is_some());
            // `if lock.acquire(timeout=1):`
            (about || state.holds(test).is_some()).then_some(true)
        }
        other => state.holds(other).map(|_| true),
    }
}

/// `task.done()`
fn asks_whether_done(call: &ExprCall, state: &State<'_>) -> bool {
    let method = call.func.as_attribute_expr();
    method.is_some_and(|method| method.attr.as_str() == "done" && state.holds(&method.value).is_some())
}

/// `os.path.exists(path)`, `path.is_file()`
fn asks_for_path(call: &ExprCall, state: &State<'_>) -> bool {
    const WORDS: [&str; 7] = ["exists", "lexists", "isfile", "isdir", "is_file", "is_dir", "access"];
    let receiver = call.func.as_attribute_expr().map(|node| &*node.value);
    let mut about = call.args.iter().chain(receiver);
    WORDS.contains(&super::tail(&call.func)) && about.any(|one| state.holds(one).is_some())
}

/// `f is None` is false, `f is not sys.stdout` is true, `fd >= 0` is true.
fn compares_handle(node: &ExprCompare, state: &State<'_>) -> Option<bool> {
    let ([op], [right]) = (node.ops.as_slice(), node.comparators.as_slice()) else {
        return None;
    };
    let sides = (state.holds(&node.left).is_some(), state.holds(right).is_some());
    let same = match sides {
        (true, true) => Some(true),
        (true, false) | (false, true) => Some(false),
        (false, false) => None,
    }?;
    match op {
        CmpOp::Is | CmpOp::Eq => Some(same),
        CmpOp::IsNot | CmpOp::NotEq => Some(!same),
        CmpOp::In | CmpOp::Lt | CmpOp::LtE => sides.0.then_some(false),
        CmpOp::NotIn | CmpOp::Gt | CmpOp::GtE => sides.0.then_some(true),
    }
}
