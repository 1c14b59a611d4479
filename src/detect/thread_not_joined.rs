//! A thread that runs on after its owner is done with it: its loop has no way out, or waits for a signal that
//! nobody gives, or is given it without anybody who waits until it has ended.
//!
//! A thread whose function ends by itself leaves nothing behind on `CPython`, joined or not. So this looks at what
//! the thread runs, at what ends that, and at whether anybody does.

use super::course::{definition, has_way_out, is_true, method, own_nodes};
use super::memory::collection::may_be_of;
use super::obligation::{Loss, Move, Obligation, Origin, Release};
use super::report::{acquisition, finding, related};
use super::thread_stop::{asked_once, asleep, shared_by_many, too_late};
use super::{Analysed, Info, PythonResourceDetector, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{BoolOp, CmpOp, Constant, Expr, ExprCall, Ranged, Stmt, StmtClassDef, StmtWhile, UnaryOp};
use crate::python::names::{BindingKind, Def, ScopeKind, parameters};
use crate::python::{Node, ScopeId, Span};

pub(super) struct ThreadNotJoined;

impl PythonResourceDetector for ThreadNotJoined {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::ThreadNotJoined,
            page: include_str!("pages/thread-not-joined.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let threads = module.lifecycles("thread");
        // One that the module starts, or keeps as a global, serves the process to its end.
        let made_often = threads.filter(|thread| {
            let is_global = thread.body_kind != ScopeKind::Function
                || thread.fate.moves.iter().any(|moved| matches!(moved, Move::Global(_)));
            thread.origin == Origin::Table && !thread.fate.unknown && !is_global
        });
        let mut found: Vec<_> = made_often.filter_map(|thread| report(module, thread)).collect();
        found.extend(module.nodes().filter_map(|node| match node {
            Node::Stmt(Stmt::Expr(statement)) => stopped_only(module, &statement.value),
            _ => None,
        }));
        found
    }
}

/// `worker.stop()` of what is called like a thread class of the module and started there, and that nothing joins.
fn stopped_only(module: &Analysed<'_>, statement: &Expr) -> Option<Finding> {
    let call = statement.as_call_expr().filter(|call| call.args.is_empty())?;
    let method = call
        .func
        .as_attribute_expr()
        .filter(|method| method.attr.as_str() == "stop")?;
    let name = method.value.as_name_expr().filter(|name| name.id.as_str() != "self")?;
    let word: String = name.id.split('_').map(str::to_lowercase).collect();
    let is_thread = |class: &StmtClassDef| {
        let mut bases = class.bases.iter().filter_map(last_word);
        let runs = class.body.iter().filter_map(Def::of).any(|def| def.name == "run");
        runs && class.name.to_lowercase().ends_with(&word) && bases.any(|base| base.ends_with("Thread"))
    };
    let classes = module.module.body.iter().filter_map(Stmt::as_class_def_stmt);
    let is_told = |what: &str| {
        let mut all = module.index().attributes(what).iter();
        all.any(|expr| {
            let object = expr.as_attribute_expr().and_then(|node| node.value.as_name_expr());
            object.is_some_and(|object| object.id == name.id)
        })
    };
    if word.len() < MIN_WORD || !classes.into_iter().any(is_thread) || !is_told("start") || is_told("join") {
        return None;
    }
    Some(Finding {
        span: call.range().into(),
        rule: Pattern::ThreadNotJoined.id().to_owned(),
        patterns: vec![Pattern::ThreadNotJoined],
        resource: Some("thread".to_owned()),
        confidence: Confidence::Medium,
        message: format!("the thread `{}` is told to stop, and nobody joins it", name.id),
        suggestion: format!("call `{}.join()` after it", name.id),
        related: Vec::new(),
    })
}

/// Shorter names say nothing of a class.
const MIN_WORD: usize = 4;

fn report<'m>(module: &Analysed<'m>, thread: &Obligation<'m>) -> Option<Finding> {
    if is_in_main(module, thread) || is_handed_on(thread) {
        return None;
    }
    let (confidence, why, at) = match work_of(module, thread) {
        Some(work) => trouble(module, thread, &work).or_else(|| rearmed(module, thread, &work))?,
        None => serves(module, thread)?,
    };
    let message = format!("the thread of `{}` {why}", acquisition(thread).trim_matches('`'));
    let mut finding = finding(Pattern::ThreadNotJoined, thread, confidence, message);
    "give its loop an event to ask, and set that and `join` the thread where its owner is closed"
        .clone_into(&mut finding.suggestion);
    finding.related.push(related(at, "the loop that it runs"));
    Some(finding)
}

/// The main program, or what it runs to its end, may wait for its threads for ever.
fn is_in_main(module: &Analysed<'_>, thread: &Obligation<'_>) -> bool {
    ["main", "_main", "serve_forever", "run_forever"].contains(&module.names.scope(thread.body).name())
}

/// Returned, or handed to somebody who may join it.
fn is_handed_on(thread: &Obligation<'_>) -> bool {
    let moves = &thread.fate.moves;
    moves
        .iter()
        .any(|moved| !matches!(moved, Move::OnSelf(_)) && !moved.is_into_container())
}

/// `Thread(target=self.server.serve_forever)`, kept by an object that ends the serving and does not wait for the thread.
fn serves(module: &Analysed<'_>, thread: &Obligation<'_>) -> Option<(Confidence, String, Span)> {
    let target = target_of(thread.call.as_call_expr()?)?.as_attribute_expr()?;
    if !["serve_forever", "run_forever"].contains(&target.attr.as_str()) || !is_kept_unjoined(module, thread) {
        return None;
    }
    let (attribute, server) = (thread.on_self()?, last_word(&target.value)?);
    let class = module.names.enclosing_class(thread.span.start)?;
    let index = module.index();
    let mut told = ["shutdown", "stop"].iter().flat_map(|method| index.attributes(method));
    let ending = told.find(|mention| {
        let is_here = module.names.enclosing_class(mention.start().to_u32()) == Some(class);
        let object = mention.as_attribute_expr().and_then(|node| last_word(&node.value));
        is_here && object == Some(server)
    })?;
    let why = format!("is told to stop by the end of `{server}`, and nobody joins `{attribute}`");
    Some((Confidence::Medium, why, ending.range().into()))
}

/// A timer whose function starts the next one, with nobody who cancels that.
fn rearmed(module: &Analysed<'_>, thread: &Obligation<'_>, work: &Work<'_>) -> Option<(Confidence, String, Span)> {
    let call = thread.call.as_call_expr()?;
    let is_timer = module.names.resolve(&call.func).qualified() == Some("threading.Timer");
    if !is_timer || is_joined(module, thread) {
        return None;
    }
    let class = module.names.enclosing_class(thread.span.start)?;
    let makes = |def: Def<'_>| own_nodes(def.body).any(|node| node.span() == thread.span);
    let calls = |node: Node<'_>| match node {
        Node::Expr(Expr::Call(call)) => {
            let called = call.func.as_attribute_expr()?;
            let on_self = called
                .value
                .as_name_expr()
                .is_some_and(|name| name.id.as_str() == "self");
            method(module, class, &called.attr).filter(|_| on_self)
        }
        _ => None,
    };
    let helpers = own_nodes(work.def.body).filter_map(calls);
    let again = makes(work.def) || helpers.into_iter().any(makes);
    let why = "starts the next one each time, and nobody cancels it".to_owned();
    again.then_some((Confidence::Medium, why, thread.span))
}

/// What a thread runs.
pub(super) struct Work<'m> {
    pub(super) def: Def<'m>,
    /// What the arguments are called where the thread is made, by the parameters that take them.
    arguments: Vec<(&'m str, &'m str)>,
}

impl Work<'_> {
    pub(super) fn span(&self) -> Span {
        span_of(self.def.body)
    }

    /// The class whose method it is.
    pub(super) fn class(&self, module: &Analysed<'_>) -> Option<ScopeId> {
        module.names.enclosing_class(self.span().start)
    }
}

pub(super) fn span_of(body: &[Stmt]) -> Span {
    let start = body.first().map_or(0, |first| first.start().to_u32());
    Span::new(start, body.last().map_or(start, |last| last.end().to_u32()))
}

fn work_of<'m>(module: &Analysed<'m>, thread: &Obligation<'m>) -> Option<Work<'m>> {
    let call = thread.call.as_call_expr()?;
    match target_of(call) {
        Some(target) => {
            let def = definition(module, target)?;
            let passed = match keyword(call, "args") {
                Some(Expr::Tuple(items)) => items.elts.as_slice(),
                Some(Expr::List(items)) => items.elts.as_slice(),
                _ => &[],
            };
            let bound = usize::from(target.is_attribute_expr());
            let taken = parameters(def.arguments).into_iter().skip(bound).zip(passed);
            let arguments =
                taken.filter_map(|((parameter, _), value)| Some((parameter.arg.as_str(), last_word(value)?)));
            Some(Work {
                def,
                arguments: arguments.collect(),
            })
        }
        None => run_of_class(module, call),
    }
}

fn keyword<'m>(call: &'m ExprCall, name: &str) -> Option<&'m Expr> {
    let mut keywords = call.keywords.iter();
    let named = keywords.find(|keyword| keyword.arg.as_deref() == Some(name));
    named.map(|keyword| &keyword.value)
}

/// The function that `Thread(target=...)` or `Timer(interval, function)` is to run.
fn target_of(call: &ExprCall) -> Option<&Expr> {
    let second = call.args.get(1);
    // A class of the module has arguments of its own.
    let is_plain = matches!(last_word(&call.func), Some("Thread" | "Timer"));
    let second = second.filter(|_| is_plain && !call.args.iter().any(Expr::is_starred_expr));
    keyword(call, "target").or_else(|| keyword(call, "function")).or(second)
}

/// `Worker()` of `class Worker(threading.Thread)` with a `run` of its own.
fn run_of_class<'m>(module: &Analysed<'m>, call: &ExprCall) -> Option<Work<'m>> {
    let name = call.func.as_name_expr()?;
    let bindings = module
        .names
        .bindings(&name.id, module.names.scope_at(name.start().to_u32()));
    let class = bindings.iter().find_map(|binding| match binding.kind {
        BindingKind::Class(statement) => module.names.scope_of(statement),
        _ => None,
    })?;
    let def = method(module, class, "run")?;
    Some(Work {
        def,
        arguments: Vec::new(),
    })
}

/// Why it never ends, how sure that is, and the loop.
fn trouble<'m>(module: &Analysed<'m>, thread: &Obligation<'_>, work: &Work<'m>) -> Option<(Confidence, String, Span)> {
    if let Some((signal, at)) = signal_without_ear(module, work) {
        let why = format!("is told to stop by `{signal}`, which nothing asks for");
        return Some((Confidence::High, why, at));
    }
    let in_try = tries(work.def.body);
    let loops = own_nodes(work.def.body).filter_map(|node| match node {
        Node::Stmt(Stmt::While(node)) => Some(node),
        _ => None,
    });
    for node in loops {
        let at = Span::from(node.test.range());
        let signals = heard(work, node);
        let why = told(module, thread, work, &signals)
            .or_else(|| too_late(module, thread, work, &signals))
            .or_else(|| shared_by_many(module, thread, work, &signals))
            .or_else(|| asleep(module, work, node, &signals))
            .or_else(|| asked_once(module, work, node));
        if let Some(why) = why {
            return Some((Confidence::Medium, why, at));
        }
        // An exception that a handler around the loop catches is a way out.
        if in_try.iter().any(|span| span.contains(at)) {
            return None;
        }
        let is_endless = is_true(&node.test) && !has_way_out(&node.body);
        let why = if is_endless {
            ignores(module, thread, work, node)
        } else {
            waits_for(module, work, node)
        };
        if let Some((confidence, why)) = why {
            return Some((confidence, why, at));
        }
    }
    over_queue(module, thread, work)
}

/// `for job in iter(jobs.get, None):` ends when somebody puts that in.
fn over_queue(module: &Analysed<'_>, thread: &Obligation<'_>, work: &Work<'_>) -> Option<(Confidence, String, Span)> {
    let loops = own_nodes(work.def.body).filter_map(|node| match node {
        Node::Stmt(Stmt::For(node)) => Some(node),
        _ => None,
    });
    for node in loops {
        let Expr::Call(call) = &*node.iter else { continue };
        let ("iter", [taken, item]) = (last_word(&call.func)?, call.args.as_slice()) else {
            continue;
        };
        let source = taken.as_attribute_expr().filter(|method| method.attr.as_str() == "get");
        let mut signals = Vec::new();
        let (Some(source), Some(item)) = (source, spelled(item)) else {
            continue;
        };
        push(work, &source.value, Way::Item(item), &mut signals)?;
        let at = Span::from(node.iter.range());
        let why = told(module, thread, work, &signals).or_else(|| shared_by_many(module, thread, work, &signals));
        if let Some(why) = why {
            return Some((Confidence::Medium, why, at));
        }
        let (confidence, why) = given_by_nobody(module, work, &signals).filter(|_| !has_way_out(&node.body))?;
        return Some((confidence, why, at));
    }
    None
}

/// Whether somebody gives the signal, and nobody waits for what heeds it.
fn told(module: &Analysed<'_>, thread: &Obligation<'_>, work: &Work<'_>, signals: &[Signal<'_>]) -> Option<String> {
    let is_told = signals.iter().any(|signal| is_given(module, work, signal));
    (is_told && is_kept_unjoined(module, thread)).then(|| "is told to stop, and nobody joins it".to_owned())
}

/// The signals that the loop asks for, whatever else may end it.
fn heard<'m>(work: &Work<'m>, node: &'m StmtWhile) -> Vec<Signal<'m>> {
    let mut signals = Vec::new();
    if !is_true(&node.test) {
        let _ = collect(work, &node.test, false, &mut signals);
    }
    for inner in own_nodes(&node.body) {
        if let Node::Stmt(Stmt::If(choice)) = inner
            && leaves(&choice.body)
        {
            let _ = collect(work, &choice.test, true, &mut signals);
        }
    }
    signals
}

/// An event of the object whose method the thread runs in a loop: its ending sets that, and nobody ever asks for it.
fn signal_without_ear<'m>(module: &Analysed<'m>, work: &Work<'_>) -> Option<(&'m str, Span)> {
    let class = module.names.enclosing_class(work.def.body.first()?.start().to_u32())?;
    let loops = own_nodes(work.def.body).filter_map(|node| match node {
        Node::Stmt(Stmt::While(node)) => Some(Span::from(node.test.range())),
        _ => None,
    });
    let at = loops.into_iter().next()?;
    let index = module.index();
    let made = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(assign)) => {
            let [Expr::Attribute(target)] = assign.targets.as_slice() else {
                return None;
            };
            let call = assign.value.as_call_expr()?;
            let here = module.names.enclosing_class(node.span().start) == Some(class);
            let is_event = module.names.resolve(&call.func).qualified() == Some("threading.Event");
            (here && is_event).then_some(target.attr.as_str())
        }
        _ => None,
    });
    let mut unasked = made.filter(|name| {
        let uses = || {
            let all = index.attributes(name).iter();
            all.filter(|mention| is_loaded(mention) && may_be_of(module, class, mention))
        };
        let is_told = |mention: &Expr, what: &[&str]| match index.parent(mention) {
            Some(Node::Expr(Expr::Attribute(method))) => what.contains(&method.attr.as_str()),
            _ => false,
        };
        uses().any(|mention| is_told(mention, &["set"])) && uses().all(|mention| is_told(mention, &["set", "clear"]))
    });
    Some((unasked.next()?, at))
}

fn is_loaded(mention: &Expr) -> bool {
    mention.as_attribute_expr().is_some_and(|node| node.ctx.is_load())
}

/// The bodies of `try` statements that a handler or a `finally` ends.
fn tries(body: &[Stmt]) -> Vec<Span> {
    let bodies = own_nodes(body).filter_map(|node| match node {
        Node::Stmt(Stmt::Try(node)) if !node.handlers.is_empty() => {
            let (first, last) = (node.body.first()?, node.body.last()?);
            Some(Span::new(first.start().to_u32(), last.end().to_u32()))
        }
        _ => None,
    });
    bodies.collect()
}

/// An endless loop: whether somebody gives a signal that it does not heed, or nobody joins it.
fn ignores<'m>(
    module: &Analysed<'m>,
    thread: &Obligation<'_>,
    work: &Work<'m>,
    node: &'m StmtWhile,
) -> Option<(Confidence, String)> {
    if is_fed_by_what_closes(module, work, node) {
        return None;
    }
    if let Some(signal) = unheeded_signal(module, thread, work, node) {
        return Some((
            Confidence::High,
            format!("never ends: its loop does not ask `{signal}`, which is there to stop it"),
        ));
    }
    if is_joined(module, thread) {
        return None;
    }
    let confidence = if is_daemon(module, thread) {
        Confidence::Medium
    } else {
        Confidence::High
    };
    Some((
        confidence,
        "never ends: its loop has no way out, and nobody joins it".to_owned(),
    ))
}

/// A loop that asks for a signal: whether anybody gives it.
fn waits_for(module: &Analysed<'_>, work: &Work<'_>, node: &StmtWhile) -> Option<(Confidence, String)> {
    let signals = signals_of(work, node).filter(|signals| !signals.is_empty())?;
    given_by_nobody(module, work, &signals)
}

fn given_by_nobody(module: &Analysed<'_>, work: &Work<'_>, signals: &[Signal<'_>]) -> Option<(Confidence, String)> {
    if signals.iter().any(|signal| is_given(module, work, signal)) {
        return None;
    }
    let spelled: Vec<_> = signals.iter().map(|signal| format!("`{}`", signal.name)).collect();
    let is_private = signals
        .iter()
        .all(|signal| signal.name.starts_with('_') || !signal.on_self);
    let confidence = if is_private {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let spelled = spelled.join(" and ");
    let why = format!("never ends: its loop waits for {spelled}, and nobody gives that signal");
    Some((confidence, why))
}

/// Whether a name or attribute holds it that somebody could join, and nobody does.
fn is_kept_unjoined(module: &Analysed<'_>, thread: &Obligation<'_>) -> bool {
    match &thread.fate.left_open {
        // `self._thread = weakref.proxy(thread)`: another method may join it by another name.
        Some(left) => {
            let joined_later = is_in_method(module, thread.body) && joins(module, thread.body);
            left.name.is_some() && !thread.fate.released && !joined_later
        }
        None if thread.fate.moves.contains(&Move::Container) => !joins(module, thread.body),
        None => {
            thread.kept_in_self().is_some()
                && module.end_of(thread) == Some(Release::Nowhere)
                && !is_on_closed_stack(module, thread)
        }
    }
}

/// Whether `join` waits on a stack that the class keeps and unwinds: what can be closed is no list.
fn is_on_closed_stack(module: &Analysed<'_>, thread: &Obligation<'_>) -> bool {
    let kept = thread.kept_in_self().filter(|_| thread.on_self().is_none());
    let mut endings = ["close", "aclose", "__exit__", "__aexit__"]
        .iter()
        .flat_map(|method| module.index().attributes(method));
    kept.is_some_and(|stack| {
        endings.any(|mention| {
            let method = mention.as_attribute_expr();
            method.is_some_and(|method| last_word(&method.value) == Some(stack))
        })
    })
}

fn is_in_method(module: &Analysed<'_>, body: ScopeId) -> bool {
    let parent = module.names.scope(body).parent;
    parent.is_some_and(|scope| module.names.scope(scope).kind == ScopeKind::Class)
}

/// What a loop asks before it goes on.
pub(super) struct Signal<'m> {
    /// The last word of what is asked, as it is called where the thread is made.
    pub(super) name: &'m str,
    on_self: bool,
    pub(super) way: Way<'m>,
}

/// How a signal is given.
#[derive(Clone, Copy)]
pub(super) enum Way<'m> {
    /// An event, by `set`.
    Event,
    /// A flag, by storing what ends the loop.
    Flag { ends_when: bool },
    /// A queue, by an item that is spelled so.
    Item(&'m str),
}

/// The signals that end the loop; `None` if something else may end it.
fn signals_of<'m>(work: &Work<'m>, node: &'m StmtWhile) -> Option<Vec<Signal<'m>>> {
    let mut signals = Vec::new();
    if !is_true(&node.test) {
        collect(work, &node.test, false, &mut signals)?;
    }
    for inner in own_nodes(&node.body) {
        match inner {
            Node::Stmt(Stmt::If(choice)) if leaves(&choice.body) => collect(work, &choice.test, true, &mut signals)?,
            Node::Stmt(Stmt::Raise(_)) => return None,
            _ => {}
        }
    }
    let exits = own_nodes(&node.body).filter(|node| matches!(node, Node::Stmt(Stmt::Break(_) | Stmt::Return(_))));
    // Ways out under other tests than those that were read.
    (exits.count() <= signals.len()).then_some(signals)
}

fn leaves(body: &[Stmt]) -> bool {
    body.iter()
        .any(|statement| matches!(statement, Stmt::Break(_) | Stmt::Return(_)))
}

/// Reads a test; `ends` says that the loop ends when it holds. `None` if it asks for anything but signals.
fn collect<'m>(work: &Work<'m>, test: &'m Expr, ends: bool, found: &mut Vec<Signal<'m>>) -> Option<()> {
    match test {
        Expr::UnaryOp(node) if node.op == UnaryOp::Not => collect(work, &node.operand, !ends, found),
        Expr::BoolOp(node) if (node.op == BoolOp::And) != ends => node
            .values
            .iter()
            .try_for_each(|value| collect(work, value, ends, found)),
        Expr::Call(call) => {
            let method = call.func.as_attribute_expr()?;
            let asks = ["is_set", "isSet", "wait"].contains(&method.attr.as_str());
            push(work, &method.value, asks.then_some(Way::Event)?, found)
        }
        Expr::Name(_) | Expr::Attribute(_) => push(work, test, Way::Flag { ends_when: ends }, found),
        Expr::Compare(node) => {
            let ([op], [item]) = (node.ops.as_slice(), node.comparators.as_slice()) else {
                return None;
            };
            let is_same = matches!(op, CmpOp::Is | CmpOp::Eq);
            let asks = is_same || matches!(op, CmpOp::IsNot | CmpOp::NotEq);
            let item = spelled(item).filter(|_| asks && is_same == ends)?;
            push(work, taken_from(work, &node.left)?, Way::Item(item), found)
        }
        _ => None,
    }
}

/// `None`, or the last word of a name.
fn spelled(item: &Expr) -> Option<&str> {
    match item {
        Expr::Constant(constant) if constant.value == Constant::None => Some("None"),
        other => last_word(other),
    }
}

/// The queue that the name was taken from: `item = jobs.get()`.
fn taken_from<'m>(work: &Work<'m>, name: &Expr) -> Option<&'m Expr> {
    let name = match name {
        Expr::NamedExpr(made) => made.target.as_name_expr()?,
        other => other.as_name_expr()?,
    };
    own_nodes(work.def.body).find_map(|node| {
        let (target, value) = match node {
            Node::Stmt(Stmt::Assign(made)) => (made.targets.first()?, &made.value),
            Node::Expr(Expr::NamedExpr(made)) => (&*made.target, &made.value),
            _ => return None,
        };
        let method = value.as_call_expr()?.func.as_attribute_expr()?;
        let is_it = target.as_name_expr().is_some_and(|word| word.id == name.id);
        (is_it && method.attr.as_str() == "get").then_some(&*method.value)
    })
}

fn push<'m>(work: &Work<'m>, asked: &'m Expr, way: Way<'m>, found: &mut Vec<Signal<'m>>) -> Option<()> {
    let on_self = match asked {
        Expr::Attribute(node) => node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self"),
        _ => false,
    };
    let spelled = last_word(asked)?;
    let argument = work.arguments.iter().find(|(parameter, _)| *parameter == spelled);
    let is_parameter = asked.is_name_expr()
        && parameters(work.def.arguments)
            .iter()
            .any(|(parameter, _)| parameter.arg.as_str() == spelled);
    // What comes from elsewhere is set elsewhere.
    if (is_parameter && argument.is_none()) || (asked.is_attribute_expr() && !on_self) {
        return None;
    }
    // A variable of the function itself is no signal.
    if asked.is_name_expr() && !is_parameter && binds(work.def, spelled) {
        return None;
    }
    found.push(Signal {
        name: argument.map_or(spelled, |(_, argument)| argument),
        on_self,
        way,
    });
    Some(())
}

/// Whether the function itself stores into the name.
fn binds(def: Def<'_>, name: &str) -> bool {
    own_nodes(def.body).any(|node| match node {
        Node::Stmt(Stmt::Assign(node)) => node.targets.iter().any(|target| {
            let bound = crate::python::flow::names_bound(target);
            bound.contains(&name)
        }),
        Node::Stmt(Stmt::For(node)) => crate::python::flow::names_bound(&node.target).contains(&name),
        Node::Expr(Expr::NamedExpr(node)) => node.target.as_name_expr().is_some_and(|word| word.id.as_str() == name),
        _ => false,
    })
}

/// Whether anything in the module gives the signal.
fn is_given(module: &Analysed<'_>, work: &Work<'_>, signal: &Signal<'_>) -> bool {
    !givings(module, work, signal).is_empty()
}

/// Where the module gives the signal, outside of the thread's own function and of constructors.
pub(super) fn givings(module: &Analysed<'_>, work: &Work<'_>, signal: &Signal<'_>) -> Vec<Span> {
    let (own, class) = (work.span(), work.class(module));
    // Another class may have an attribute that is called the same.
    let is_it = |expr: &Expr| {
        let is_of_class = class.is_none_or(|class| !expr.is_attribute_expr() || may_be_of(module, class, expr));
        last_word(expr) == Some(signal.name) && (!signal.on_self || is_of_class)
    };
    let outside = module.nodes().filter(|node| !own.contains(node.span()));
    let giving = outside.filter(|node| match node {
        Node::Expr(Expr::Attribute(node)) => {
            matches!(signal.way, Way::Event) && node.attr.as_str() == "set" && is_it(&node.value)
        }
        Node::Stmt(Stmt::Assign(made)) => {
            let stored = made.targets.iter().any(is_it);
            stored && !in_constructor(module, node.span().start) && ends(&made.value, signal)
        }
        Node::Expr(Expr::Call(call)) => puts(call, signal, &is_it) || hands_on(call, &is_it),
        Node::Stmt(Stmt::Return(node)) => node.value.as_deref().is_some_and(is_it),
        _ => false,
    });
    giving.map(Node::span).collect()
}

/// `jobs.put(None)`
pub(super) fn puts(call: &ExprCall, signal: &Signal<'_>, is_it: &dyn Fn(&Expr) -> bool) -> bool {
    let (Way::Item(item), Some(method)) = (signal.way, call.func.as_attribute_expr()) else {
        return false;
    };
    let puts = ["put", "put_nowait", "append", "send"].contains(&method.attr.as_str());
    puts && is_it(&method.value) && call.args.first().and_then(spelled) == Some(item)
}

/// Whether the call hands it to anybody but the thread.
fn hands_on(call: &ExprCall, is_it: &dyn Fn(&Expr) -> bool) -> bool {
    let values = call
        .keywords
        .iter()
        .filter(|keyword| keyword.arg.as_ref().is_none_or(|word| word.as_str() != "args"));
    let mut all = call.args.iter().chain(values.map(|keyword| &keyword.value));
    all.any(is_it)
}

/// Whether storing the value ends the loop that asks the flag; of events and queues, a new one does not.
fn ends(value: &Expr, signal: &Signal<'_>) -> bool {
    let Way::Flag { ends_when } = signal.way else {
        return false;
    };
    let truth = match value {
        Expr::Constant(constant) => match constant.value {
            Constant::Bool(truth) => Some(truth),
            Constant::None => Some(false),
            _ => None,
        },
        _ => None,
    };
    truth.is_none_or(|truth| truth == ends_when)
}

fn in_constructor(module: &Analysed<'_>, at: u32) -> bool {
    module.names.qualname_at(at).ends_with(".__init__")
}

/// Words in the names of what is there to stop a thread.
const STOPS: [&str; 13] = [
    "stop",
    "quit",
    "exit",
    "shutdown",
    "shut_down",
    "running",
    "closed",
    "closing",
    "cancel",
    "finish",
    "terminat",
    "done",
    "alive",
];

/// What the rounds of a loop name, what names were given before it that they use, and what the methods name that
/// they call.
fn known_in<'m>(module: &Analysed<'m>, work: &Work<'m>, node: &'m StmtWhile) -> Vec<&'m str> {
    // `self._stop.wait(5)` as a statement sleeps, whatever it says.
    let sleeps = |node: Node<'_>| {
        let statement = node.as_stmt().and_then(Stmt::as_expr_stmt);
        let call = statement.and_then(|statement| statement.value.as_call_expr());
        call.is_some_and(|call| matches!(last_word(&call.func), Some("wait" | "clear")))
    };
    let words = |body: &'m [Stmt]| {
        let asleep: Vec<_> = own_nodes(body).filter(|node| sleeps(*node)).map(Node::span).collect();
        let named = own_nodes(body).filter_map(|node| Some((node.span(), last_word(node.as_expr()?)?)));
        let named = named.filter(|(at, _)| !asleep.iter().any(|around| around.contains(*at)));
        named.map(|(_, word)| word).collect::<Vec<_>>()
    };
    let mut known = words(&node.body);
    let given = own_nodes(work.def.body).filter_map(|inner| match inner {
        Node::Stmt(Stmt::Assign(assign)) => Some((last_word(assign.targets.first()?)?, &*assign.value)),
        _ => None,
    });
    for (name, value) in given {
        if known.contains(&name) {
            known.extend(
                Node::Expr(value)
                    .descendants()
                    .filter_map(|part| last_word(part.as_expr()?)),
            );
        }
    }
    let called: Vec<_> = own_nodes(&node.body)
        .filter_map(|inner| definition(module, &inner.as_expr()?.as_call_expr()?.func))
        .collect();
    known.extend(called.into_iter().flat_map(|def| words(def.body)));
    known
}

/// A signal that is set somewhere beside the thread and that its loop does not know.
fn unheeded_signal<'m>(
    module: &Analysed<'m>,
    thread: &Obligation<'_>,
    work: &Work<'m>,
    node: &'m StmtWhile,
) -> Option<&'m str> {
    let around = surroundings(module, thread, work)?;
    let known = known_in(module, work, node);
    let known = |name: &str| {
        let passed = work.arguments.iter().filter(|(_, argument)| *argument == name);
        known.contains(&name) || passed.into_iter().any(|(parameter, _)| known.contains(parameter))
    };
    let mut set = around.descendants().filter_map(|node| match node {
        Node::Expr(Expr::Call(call)) => {
            let method = call
                .func
                .as_attribute_expr()
                .filter(|method| method.attr.as_str() == "set")?;
            last_word(&method.value).filter(|_| call.args.is_empty())
        }
        Node::Stmt(Stmt::Assign(made)) if is_flag(&made.value) && !in_constructor(module, node.span().start) => {
            made.targets.iter().find_map(last_word)
        }
        _ => None,
    });
    set.find(|name| {
        let lower = name.to_lowercase();
        STOPS.iter().any(|word| lower.contains(word)) && !known(name) && !is_asked_by_others(around, work, name)
    })
}

/// Whether another function than the one that sets the signal asks for it: then it is meant for that.
fn is_asked_by_others(around: Node<'_>, work: &Work<'_>, name: &str) -> bool {
    let functions = around.descendants().filter_map(|node| Def::of(node.as_stmt()?));
    let functions = functions.filter(|def| span_of(def.body) != work.span());
    functions.into_iter().any(|def| {
        let methods: Vec<_> = own_nodes(def.body)
            .filter_map(|node| {
                let method = node.as_expr()?.as_attribute_expr()?;
                (last_word(&method.value) == Some(name)).then_some(method.attr.as_str())
            })
            .collect();
        let asks = methods
            .iter()
            .any(|method| ["is_set", "isSet", "wait"].contains(method));
        asks && !methods.contains(&"set")
    })
}

fn is_flag(value: &Expr) -> bool {
    matches!(value, Expr::Constant(constant) if matches!(constant.value, Constant::Bool(_)))
}

/// The class whose method or `run` the thread runs, else the function that makes the thread.
fn surroundings<'m>(module: &Analysed<'m>, thread: &Obligation<'_>, work: &Work<'_>) -> Option<Node<'m>> {
    let at = work.def.body.first()?.start().to_u32();
    let scope = module
        .names
        .enclosing_function(at)
        .and_then(|function| module.names.scope(function).parent);
    let class = scope.filter(|scope| module.names.scope(*scope).kind == ScopeKind::Class);
    module.names.scope(class.unwrap_or(thread.body)).node
}

/// A loop that reads from something ends with an exception when somebody closes that.
fn is_fed_by_what_closes(module: &Analysed<'_>, work: &Work<'_>, node: &StmtWhile) -> bool {
    const READS: [&str; 10] = [
        "accept",
        "recv",
        "recvfrom",
        "recv_into",
        "readline",
        "read",
        "select",
        "poll",
        "get",
        "receive",
    ];
    let sources = own_nodes(&node.body).filter_map(|inner| {
        let method = inner.as_expr()?.as_call_expr()?.func.as_attribute_expr()?;
        READS
            .contains(&method.attr.as_str())
            .then(|| last_word(&method.value))
            .flatten()
    });
    let sources: Vec<_> = sources
        .flat_map(|source| {
            let passed = work.arguments.iter().filter(move |(parameter, _)| *parameter == source);
            std::iter::once(source).chain(passed.map(|(_, argument)| *argument))
        })
        .collect();
    let closes = ["close", "shutdown", "terminate", "kill"];
    let mut attributes = module.nodes().filter_map(|node| node.as_expr()?.as_attribute_expr());
    attributes.any(|node| {
        closes.contains(&node.attr.as_str()) && last_word(&node.value).is_some_and(|word| sources.contains(&word))
    })
}

/// Whether anybody joins the thread, or one of the list that it is put into.
fn is_joined(module: &Analysed<'_>, thread: &Obligation<'_>) -> bool {
    if thread.fate.released {
        return true;
    }
    if thread.kept_in_self().is_some() {
        return module.end_of(thread) != Some(Release::Nowhere);
    }
    let dropped = thread
        .fate
        .left_open
        .as_ref()
        .is_some_and(|left| left.how == Loss::Dropped);
    let in_container = thread.fate.moves.iter().any(Move::is_into_container);
    in_container && !dropped && joins(module, thread.body)
}

/// Whether the function, or the class around it, calls `join` as threads have it.
fn joins(module: &Analysed<'_>, body: ScopeId) -> bool {
    let around = module
        .names
        .scope(body)
        .parent
        .filter(|scope| module.names.scope(*scope).kind == ScopeKind::Class);
    let Some(node) = module.names.scope(around.unwrap_or(body)).node else {
        return false;
    };
    let is_join = |value: &Expr| {
        let method = value.as_attribute_expr();
        method.is_some_and(|method| method.attr.as_str() == "join" && !method.value.is_constant_expr())
    };
    node.descendants().any(|node| match node {
        // `stack.callback(thread.join)`
        Node::Expr(Expr::Call(call)) if call.args.iter().any(is_join) => true,
        Node::Expr(Expr::Call(call)) => {
            let method = call.func.as_attribute_expr();
            method.is_some_and(|method| method.attr.as_str() == "join" && !method.value.is_constant_expr())
                && call
                    .args
                    .iter()
                    .all(|argument| !argument.is_generator_exp_expr() && !argument.is_list_comp_expr())
        }
        _ => false,
    })
}

/// `daemon=True`, `thread.daemon = True`, and a class that says so of itself.
fn is_daemon(module: &Analysed<'_>, thread: &Obligation<'_>) -> bool {
    let is_true = |expr: &Expr| text_at(module.module.text(), expr.range().into()) == "True";
    let keywords = thread.call.as_call_expr().map_or(&[][..], |call| &call.keywords);
    let by_keyword = keywords
        .iter()
        .any(|keyword| keyword.arg.as_ref().is_some_and(|word| word.as_str() == "daemon") && is_true(&keyword.value));
    let by_name = || {
        let around = module
            .names
            .scope(thread.body)
            .node
            .into_iter()
            .flat_map(Node::descendants);
        let mut stores = around.filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(made)) if is_true(&made.value) => made.targets.first(),
            _ => None,
        });
        stores.any(|target| last_word(target) == Some("daemon"))
    };
    by_keyword || by_name()
}

/// `stop` of `self.worker.stop`
pub(super) fn last_word(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(node) => Some(&node.attr),
        _ => None,
    }
}
