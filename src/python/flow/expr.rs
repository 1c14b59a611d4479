//! Builds a graph: expressions, tests and targets.

use super::build::{Builder, Frontier, Raises};
use super::{EdgeKind, Kind, Value};
use crate::python::ast::{
    Arguments, BoolOp, CmpOp, Comprehension, Expr, ExprContext, ExprIfExp, ExprName, Ranged, UnaryOp,
};
use crate::python::node::Node;
use crate::python::span::Span;

/// Operands nested deeper are not looked at: a worker's stack is small.
const MAX_EXPR_DEPTH: u32 = 500;

impl<'a> Builder<'a, '_> {
    pub(super) fn optional(&mut self, expr: Option<&'a Expr>) {
        if let Some(expr) = expr {
            self.expr(expr);
        }
    }

    /// Operands before their operation. The left edge of the tree is walked by a loop: chains of
    /// operators and of method calls grow there, thousands of links long in generated code.
    pub(super) fn expr(&mut self, expr: &'a Expr) {
        if self.expr_depth >= MAX_EXPR_DEPTH {
            return self.evaluate(expr, Raises::Both);
        }
        self.expr_depth += 1;
        let mut spine = vec![expr];
        while let Some(first) = spine.last().and_then(|expr| first_operand(expr)) {
            spine.push(first);
        }
        for link in spine.into_iter().rev() {
            self.operation(link);
        }
        self.expr_depth -= 1;
    }

    fn exprs(&mut self, list: &'a [Expr]) {
        for expr in list {
            self.expr(expr);
        }
    }

    fn operation(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if matches!(name.ctx, ExprContext::Load) => self.load(name),
            Expr::BinOp(node) => {
                self.expr(&node.right);
                self.evaluate(expr, Raises::Ordinary);
            }
            Expr::Call(node) => {
                self.exprs(&node.args);
                for keyword in &node.keywords {
                    self.expr(&keyword.value);
                }
                self.evaluate(expr, Raises::Ordinary);
                if (self.options.never_returns)(expr) {
                    self.frontier.clear();
                }
            }
            Expr::Subscript(node) => {
                self.expr(&node.slice);
                self.evaluate(expr, Raises::Ordinary);
            }
            Expr::Compare(node) => {
                self.exprs(&node.comparators);
                let identity = node.ops.iter().all(|op| matches!(op, CmpOp::Is | CmpOp::IsNot));
                let raises = if identity { Raises::Nothing } else { Raises::Ordinary };
                self.evaluate(expr, raises);
            }
            Expr::UnaryOp(node) if node.op == UnaryOp::Not => self.evaluate(expr, Raises::Nothing),
            Expr::UnaryOp(node) if node.operand.is_constant_expr() => {}
            Expr::Attribute(_) | Expr::UnaryOp(_) => self.evaluate(expr, Raises::Ordinary),
            Expr::Await(_) => self.evaluate(expr, Raises::Both),
            other => self.other_operation(other),
        }
    }

    fn other_operation(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Yield(node) => {
                self.optional(node.value.as_deref());
                self.evaluate(expr, Raises::Both);
            }
            Expr::YieldFrom(node) => {
                self.expr(&node.value);
                self.evaluate(expr, Raises::Both);
            }
            Expr::NamedExpr(node) => {
                self.expr(&node.value);
                self.bind(&node.target, Value::Of(&node.value));
            }
            Expr::Lambda(node) => {
                self.defaults(&node.args);
                self.closures.push(Node::Expr(expr));
                self.add(Kind::Create(Node::Expr(expr)), expr.range().into(), Raises::Nothing);
            }
            Expr::BoolOp(node) => self.choose(node.op, &node.values),
            Expr::IfExp(node) => self.conditional(node),
            Expr::Starred(node) => {
                self.expr(&node.value);
                self.evaluate(expr, Raises::Ordinary);
            }
            Expr::FormattedValue(node) => {
                self.expr(&node.value);
                self.optional(node.format_spec.as_deref());
                self.evaluate(expr, Raises::Ordinary);
            }
            Expr::JoinedStr(node) => self.exprs(&node.values),
            Expr::List(node) => self.exprs(&node.elts),
            Expr::Tuple(node) => self.exprs(&node.elts),
            Expr::Set(node) => self.exprs(&node.elts),
            Expr::Dict(node) => {
                for (key, value) in node.keys.iter().zip(&node.values) {
                    self.optional(key.as_ref());
                    self.expr(value);
                }
            }
            Expr::Slice(node) => {
                self.optional(node.lower.as_deref());
                self.optional(node.upper.as_deref());
                self.optional(node.step.as_deref());
            }
            Expr::ListComp(node) => self.comprehension(expr, None, &node.elt, &node.generators),
            Expr::SetComp(node) => self.comprehension(expr, None, &node.elt, &node.generators),
            Expr::GeneratorExp(node) => self.comprehension(expr, None, &node.elt, &node.generators),
            Expr::DictComp(node) => self.comprehension(expr, Some(&node.key), &node.value, &node.generators),
            _ => {}
        }
    }

    fn load(&mut self, name: &'a ExprName) {
        self.add(Kind::Load(name), name.range().into(), Raises::Nothing);
    }

    fn evaluate(&mut self, expr: &'a Expr, raises: Raises) {
        self.add(Kind::Evaluate(expr), expr.range().into(), raises);
    }

    /// The names that a handler's types load; comparing the types is taken not to raise.
    pub(super) fn names_in(&mut self, expr: &'a Expr) {
        for node in Node::Expr(expr).descendants() {
            if let Node::Expr(Expr::Name(name)) = node {
                self.load(name);
            }
        }
    }

    /// `a or b` as a value.
    fn choose(&mut self, op: BoolOp, values: &'a [Expr]) {
        let mut ends = Frontier::new();
        let (done, go_on) = match op {
            BoolOp::And => (EdgeKind::False, EdgeKind::True),
            BoolOp::Or => (EdgeKind::True, EdgeKind::False),
        };
        for (at, value) in values.iter().enumerate() {
            self.expr(value);
            if at + 1 < values.len() {
                let branch = self.add(Kind::Branch(value), value.range().into(), Raises::Nothing);
                ends.push((branch, done));
                self.frontier = vec![(branch, go_on)];
            }
        }
        self.frontier.append(&mut ends);
    }

    fn conditional(&mut self, node: &'a ExprIfExp) {
        let (yes, no) = self.test(&node.test);
        self.frontier = yes;
        self.expr(&node.body);
        let mut ends = std::mem::take(&mut self.frontier);
        self.frontier = no;
        self.expr(&node.orelse);
        self.frontier.append(&mut ends);
    }

    /// Evaluates a test; gives the ways on which it holds and on which it does not.
    pub(super) fn test(&mut self, expr: &'a Expr) -> (Frontier, Frontier) {
        let (mut expr, mut negated) = (expr, false);
        while let Expr::UnaryOp(node) = expr
            && node.op == UnaryOp::Not
        {
            (expr, negated) = (&node.operand, !negated);
        }
        let (yes, no) = match expr {
            Expr::BoolOp(node) if self.expr_depth < MAX_EXPR_DEPTH => {
                self.expr_depth += 1;
                let ways = self.test_all(node.op, &node.values);
                self.expr_depth -= 1;
                ways
            }
            _ => self.test_one(expr),
        };
        if negated { (no, yes) } else { (yes, no) }
    }

    fn test_one(&mut self, expr: &'a Expr) -> (Frontier, Frontier) {
        match super::truth(expr) {
            Some(true) => (std::mem::take(&mut self.frontier), Frontier::new()),
            Some(false) => (Frontier::new(), std::mem::take(&mut self.frontier)),
            None => {
                self.expr(expr);
                let branch = self.add(Kind::Branch(expr), expr.range().into(), Raises::Nothing);
                self.frontier.clear();
                (vec![(branch, EdgeKind::True)], vec![(branch, EdgeKind::False)])
            }
        }
    }

    fn test_all(&mut self, op: BoolOp, values: &'a [Expr]) -> (Frontier, Frontier) {
        let (mut done, mut last) = (Frontier::new(), Frontier::new());
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.frontier = std::mem::take(&mut last);
            }
            let (yes, no) = self.test(value);
            let (leaving, going_on) = if op == BoolOp::And { (no, yes) } else { (yes, no) };
            done.extend(leaving);
            last = going_on;
        }
        if op == BoolOp::And { (last, done) } else { (done, last) }
    }

    fn comprehension(
        &mut self,
        whole: &'a Expr,
        key: Option<&'a Expr>,
        element: &'a Expr,
        generators: &'a [Comprehension],
    ) {
        let mut heads = Vec::with_capacity(generators.len());
        for generator in generators {
            let iterable = &generator.iter;
            self.expr(iterable);
            let raises = if generator.is_async {
                Raises::Both
            } else {
                Raises::Ordinary
            };
            let head = self.add(Kind::Next(iterable), iterable.range().into(), raises);
            heads.push(head);
            self.frontier = vec![(head, EdgeKind::True)];
            self.bind(&generator.target, Value::ItemOf { iterable, inner: true });
            for test in &generator.ifs {
                let (yes, no) = self.test(test);
                self.connect(no, head);
                self.frontier = yes;
            }
        }
        self.optional(key);
        self.expr(element);
        self.add(Kind::Collect(whole), element.range().into(), Raises::Nothing);
        while let Some(head) = heads.pop() {
            let back = std::mem::take(&mut self.frontier);
            self.connect(back, head);
            self.frontier = vec![(head, EdgeKind::False)];
        }
    }

    pub(super) fn defaults(&mut self, arguments: &'a Arguments) {
        let each = (arguments.posonlyargs.iter())
            .chain(&arguments.args)
            .chain(&arguments.kwonlyargs);
        for parameter in each {
            self.optional(parameter.default.as_deref());
        }
    }

    /// Evaluates what a target needs, then stores into it.
    pub(super) fn bind(&mut self, target: &'a Expr, value: Value<'a>) {
        self.target_operands(target);
        let raises = if store_may_raise(target, value) {
            Raises::Ordinary
        } else {
            Raises::Nothing
        };
        self.add(Kind::Bind { target, value }, Span::from(target.range()), raises);
    }

    fn target_operands(&mut self, target: &'a Expr) {
        match target {
            Expr::Attribute(node) => self.expr(&node.value),
            Expr::Subscript(node) => {
                self.expr(&node.value);
                self.expr(&node.slice);
            }
            Expr::Starred(node) => self.target_operands(&node.value),
            Expr::Tuple(node) => {
                for one in &node.elts {
                    self.target_operands(one);
                }
            }
            Expr::List(node) => {
                for one in &node.elts {
                    self.target_operands(one);
                }
            }
            _ => {}
        }
    }

    pub(super) fn delete(&mut self, target: &'a Expr) {
        match target {
            Expr::Tuple(node) => {
                for one in &node.elts {
                    self.delete(one);
                }
            }
            Expr::List(node) => {
                for one in &node.elts {
                    self.delete(one);
                }
            }
            _ => {
                self.target_operands(target);
                let raises = if target.is_name_expr() {
                    Raises::Nothing
                } else {
                    Raises::Ordinary
                };
                self.add(Kind::Delete(target), target.range().into(), raises);
            }
        }
    }
}

fn first_operand(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::BinOp(node) => Some(&node.left),
        Expr::Attribute(node) => Some(&node.value),
        Expr::Call(node) => Some(&node.func),
        Expr::Subscript(node) => Some(&node.value),
        Expr::Compare(node) => Some(&node.left),
        Expr::UnaryOp(node) => Some(&node.operand),
        Expr::Await(node) => Some(&node.value),
        _ => None,
    }
}

/// Storing into a name cannot fail; unpacking can, unless both sides are written out.
pub(super) fn store_may_raise(target: &Expr, value: Value<'_>) -> bool {
    let elements = match target {
        Expr::Name(_) => return false,
        Expr::Tuple(node) => &node.elts,
        Expr::List(node) => &node.elts,
        _ => return true,
    };
    let Value::Of(Expr::Tuple(value)) = value else {
        return true;
    };
    let plain = |list: &[Expr]| list.iter().all(|one| !one.is_starred_expr());
    let matching = elements.len() == value.elts.len() && plain(elements) && plain(&value.elts);
    !matching || !elements.iter().all(Expr::is_name_expr)
}
