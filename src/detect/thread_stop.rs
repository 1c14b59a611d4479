//! Why the signal that is to stop a thread does not reach it, though it is given: it comes after the `join` that waits
//! for it, it is one item for many threads, the loop sleeps where it wakes nobody, or has asked once before it began.

use super::course::{has_way_out, own_nodes};
use super::memory::collection::{is_self, may_be_of};
use super::obligation::Obligation;
use super::thread_not_joined::{Signal, Way, Work, givings, last_word, puts, span_of};
use super::{Analysed, text_at};
use crate::python::ast::{Expr, ExprCall, Ranged, Stmt, StmtWhile, UnaryOp};
use crate::python::names::BindingKind;
use crate::python::{Node, ScopeId, Span};

/// `self._thread.join()` before the signal is given, which nobody else gives.
pub(super) fn too_late(
    module: &Analysed<'_>,
    thread: &Obligation<'_>,
    work: &Work<'_>,
    signals: &[Signal<'_>],
) -> Option<String> {
    let attribute = thread.kept_in_self()?;
    let given: Vec<_> = signals
        .iter()
        .flat_map(|signal| givings(module, work, signal))
        .collect();
    let first = given.iter().map(|at| at.start).min()?;
    let around = |at: u32| module.names.enclosing_function(at);
    let waits = module.index().attributes("join").iter().any(|join| {
        let at = join.start().to_u32();
        let thread = join.as_attribute_expr().and_then(|method| last_word(&method.value));
        let is_it = thread == Some(attribute) && module.names.enclosing_class(at) == work.class(module);
        is_it
            && at < first
            && given.iter().all(|giving| around(giving.start) == around(at))
            && is_called_bare(module, join)
    });
    waits.then(|| format!("is told to stop only after `{attribute}.join()`, which waits for that"))
}

/// Whether the method is called without arguments: without a time limit.
fn is_called_bare(module: &Analysed<'_>, method: &Expr) -> bool {
    matches!(module.index().parent(method), Some(Node::Expr(Expr::Call(call))) if is_bare(call))
}

fn is_bare(call: &ExprCall) -> bool {
    call.args.is_empty() && call.keywords.is_empty()
}

/// Several threads wait at one queue for the item that ends them, which is put in once.
pub(super) fn shared_by_many(
    module: &Analysed<'_>,
    thread: &Obligation<'_>,
    work: &Work<'_>,
    signals: &[Signal<'_>],
) -> Option<String> {
    let [signal] = signals else { return None };
    let Way::Item(item) = signal.way else { return None };
    let repeated = repetitions(module);
    let is_repeated = |at: Span| repeated.iter().any(|around| around.contains(at));
    let is_own = |expr: &Expr| last_word(expr) == Some(signal.name);
    // Whoever takes it hands it on to the next.
    let hands_on = own_nodes(work.def.body).any(|node| match node {
        Node::Expr(Expr::Call(call)) => puts(call, signal, &is_own),
        _ => false,
    });
    let given = givings(module, work, signal);
    let [only] = given.as_slice() else { return None };
    let is_put = module.nodes().any(|node| match node {
        Node::Expr(Expr::Call(call)) => node.span() == *only && puts(call, signal, &is_own),
        _ => false,
    });
    let is_for_one = hands_on || !is_put || !is_repeated(thread.span) || is_repeated(*only);
    (!is_for_one).then(|| {
        format!(
            "is one of several, and `{item}` is put into `{}` for one of them",
            signal.name
        )
    })
}

/// What runs more than once: the bodies of loops, and what comprehensions make.
fn repetitions(module: &Analysed<'_>) -> Vec<Span> {
    let is_one = |iterable: &Expr| text_at(module.module.text(), iterable.range().into()) == "range(1)";
    let all = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::For(each)) if !is_one(&each.iter) => Some(span_of(&each.body)),
        Node::Stmt(Stmt::While(each)) => Some(span_of(&each.body)),
        Node::Expr(Expr::ListComp(made)) => Some(Span::from(made.elt.range())),
        Node::Expr(Expr::GeneratorExp(made)) => Some(Span::from(made.elt.range())),
        Node::Expr(Expr::SetComp(made)) => Some(Span::from(made.elt.range())),
        _ => None,
    });
    all.collect()
}

/// What blocks until somebody else acts, by how it is made: the call, and what wakes it.
const SLEEPS: [(&str, &[&str], &[&str]); 3] = [
    (
        "get",
        &[
            "queue.Queue",
            "queue.SimpleQueue",
            "queue.LifoQueue",
            "queue.PriorityQueue",
        ],
        &["put", "put_nowait", "shutdown"],
    ),
    (
        "wait",
        &["threading.Condition", "threading.Event"],
        &["notify", "notify_all", "notifyAll", "set"],
    ),
    (
        "accept",
        &["socket.socket", "socket.create_server"],
        &["close", "shutdown", "settimeout", "setblocking", "detach"],
    ),
];

/// A loop that asks for its signal between calls that wait without a limit: whoever gives it wakes nobody.
pub(super) fn asleep(
    module: &Analysed<'_>,
    work: &Work<'_>,
    node: &StmtWhile,
    signals: &[Signal<'_>],
) -> Option<String> {
    let class = work.class(module)?;
    let given: Vec<_> = signals
        .iter()
        .flat_map(|signal| givings(module, work, signal))
        .collect();
    if given.is_empty() || signals.iter().any(|signal| matches!(signal.way, Way::Item(_))) {
        return None;
    }
    own_nodes(&node.body).find_map(|inner| {
        let call = inner.as_expr()?.as_call_expr().filter(|call| is_bare(call))?;
        let method = call.func.as_attribute_expr()?;
        let source = method
            .value
            .as_attribute_expr()
            .filter(|source| is_self(&source.value))?
            .attr
            .as_str();
        let (_, makers, wakers) = SLEEPS.iter().find(|(sleeps, ..)| *sleeps == method.attr.as_str())?;
        let is_known = is_made_by(module, class, source, makers);
        let is_woken = wakers
            .iter()
            .flat_map(|waker| module.index().attributes(waker))
            .any(|waker| wakes(module, work, (class, source), waker, &given));
        let text = text_at(module.module.text(), call.range().into());
        (is_known && !is_woken).then(|| format!("sleeps in `{text}` when it is told to stop, and nobody wakes it"))
    })
}

/// Whether the class stores into the attribute what one of the callables makes, and nothing else.
fn is_made_by(module: &Analysed<'_>, class: ScopeId, attribute: &str, makers: &[&str]) -> bool {
    let stored = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(assign)) => {
            let target = assign.targets.first()?.as_attribute_expr()?;
            let here = module.names.enclosing_class(node.span().start) == Some(class);
            (here && is_self(&target.value) && target.attr.as_str() == attribute).then_some(&*assign.value)
        }
        Node::Stmt(Stmt::AnnAssign(assign)) => {
            let target = assign.target.as_attribute_expr()?;
            let here = module.names.enclosing_class(node.span().start) == Some(class);
            (here && is_self(&target.value) && target.attr.as_str() == attribute).then_some(assign.value.as_deref()?)
        }
        _ => None,
    });
    let is_maker = |value: &Expr| {
        let call = value.as_call_expr();
        call.is_some_and(|call| {
            let resolved = module.names.resolve(&call.func);
            resolved.qualified().is_some_and(|name| makers.contains(&name))
        })
    };
    let all: Vec<_> = stored.collect();
    !all.is_empty() && all.into_iter().all(is_maker)
}

/// Whether the call wakes who waits at the source: beside the signal and before anybody joins, or, of what is put into
/// a queue, something that means no work.
fn wakes(
    module: &Analysed<'_>,
    work: &Work<'_>,
    (class, source): (ScopeId, &str),
    waker: &Expr,
    given: &[Span],
) -> bool {
    let Some(method) = waker.as_attribute_expr() else {
        return false;
    };
    let is_it = last_word(&method.value) == Some(source) && may_be_of(module, class, &method.value);
    let at = waker.start().to_u32();
    if !is_it || work.span().holds(at) {
        return false;
    }
    let around = module.names.enclosing_function(at);
    let is_beside = given
        .iter()
        .any(|giving| module.names.enclosing_function(giving.start) == around);
    let is_joined_first = module.index().attributes("join").iter().any(|join| {
        let here = module.names.enclosing_function(join.start().to_u32()) == around;
        here && join.start().to_u32() < at
    });
    let puts_a_mark = || match module.index().parent(waker) {
        Some(Node::Expr(Expr::Call(call))) => call.args.first().is_some_and(is_mark),
        _ => false,
    };
    let is_put = method.attr.starts_with("put");
    let is_of_any = !is_put && !method.attr.starts_with("notify") && method.attr.as_str() != "set";
    (is_beside || is_of_any || (is_put && puts_a_mark())) && !(is_beside && is_joined_first)
}

/// `None`, `STOP`, `self._STOP`, `_sentinel`
fn is_mark(item: &Expr) -> bool {
    let is_named = |name: &str| {
        let lower = name.to_lowercase();
        let is_constant = !name.chars().any(char::is_lowercase);
        is_constant
            || ["sentinel", "stop", "poison", "done", "quit", "exit"]
                .iter()
                .any(|word| lower.contains(word))
    };
    item.is_constant_expr() || last_word(item).is_some_and(is_named)
}

/// `running = self.running` and then `while running:`, where nothing in the loop asks again.
pub(super) fn asked_once(module: &Analysed<'_>, work: &Work<'_>, node: &StmtWhile) -> Option<String> {
    let name = match &*node.test {
        Expr::UnaryOp(not) if not.op == UnaryOp::Not => not.operand.as_name_expr()?,
        test => test.as_name_expr()?,
    };
    let [binding] = module
        .names
        .bindings(&name.id, module.names.scope_at(name.start().to_u32()))
    else {
        return None;
    };
    let BindingKind::Assign { value: Some(value) } = binding.kind else {
        return None;
    };
    let asked = match value {
        Expr::Call(call) => call
            .func
            .as_attribute_expr()
            .filter(|method| method.attr.as_str() == "is_set")?
            .value
            .as_ref(),
        other => other,
    };
    let flag = asked.as_attribute_expr().filter(|flag| is_self(&flag.value))?;
    let is_before = work.span().contains(binding.span) && binding.span.end <= node.start().to_u32();
    (is_before && !has_way_out(&node.body))
        .then(|| format!("asks `self.{}` once, before its loop, and never again", flag.attr))
}
