//! Conditions on work that goes on by itself: what a thread or task runs, what ends it, and who else has
//! a hand in it.

use std::collections::BTreeSet;

use super::attribute::home;
use super::class::{is_own, is_plain, method};
use super::guard::is_quiet;
use super::usage::{RELEASES, is_name, releases};
use super::{Argument, Scene, Truth, texts};
use crate::mutate::facts::{Facts, is_self};
use crate::mutate::resources::resource_of;
use crate::mutate::template::Mark;
use crate::mutate::unify::{Place, Value};
use crate::python::ast::{CmpOp, Constant, Expr, ExprCall, ExprContext, Stmt, StmtClassDef, StmtWhile, UnaryOp};
use crate::python::flow::{has_yield, leaves_early, truth};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, Resolved, Span};

/// A call that sets a function of the module going.
pub(super) struct Work<'f> {
    pub(super) statement: &'f Stmt,
    pub(super) function: Def<'f>,
    /// What the call gives to a parameter.
    given: Vec<(&'f Expr, &'f str)>,
}

/// `threading.Thread(target=self._run, args=(…))`
fn thread_of<'f>(facts: &'f Facts<'_>, call: &'f ExprCall) -> Option<Work<'f>> {
    if facts.names.resolve(&call.func).qualified() != Some("threading.Thread") {
        return None;
    }
    let keyword = |name: &str| {
        let mut keywords = call.keywords.iter();
        keywords.find(|keyword| keyword.arg.as_deref() == Some(name))
    };
    let arguments = match keyword("args").map(|keyword| &keyword.value) {
        Some(Expr::Tuple(tuple)) => &tuple.elts[..],
        Some(Expr::List(list)) => &list.elts[..],
        Some(_) => return None,
        None => &[],
    };
    let (statement, bound) = definition(facts, &keyword("target")?.value)?;
    work(statement, bound, arguments)
}

/// `asyncio.create_task(self._run(…))`
pub(super) fn task_of<'f>(facts: &'f Facts<'_>, call: &'f ExprCall) -> Option<Work<'f>> {
    if !makes_task(facts, &call.func) {
        return None;
    }
    let Expr::Call(coroutine) = call.args.first()? else {
        return None;
    };
    let (statement, bound) = definition(facts, &coroutine.func)?;
    let function = Def::of(statement)?;
    (function.is_async && !has_yield(function.body)).then(|| work(statement, bound, &coroutine.args))?
}

/// Not the method of a `TaskGroup`, which waits for what it makes.
fn makes_task(facts: &Facts<'_>, function: &Expr) -> bool {
    if matches!(
        facts.names.resolve(function).qualified(),
        Some("asyncio.create_task" | "asyncio.ensure_future")
    ) {
        return true;
    }
    let Expr::Attribute(method) = function else {
        return false;
    };
    let Expr::Call(maker) = &*method.value else {
        return false;
    };
    let of_loop = matches!(
        facts.names.resolve(&maker.func).qualified(),
        Some("asyncio.get_running_loop" | "asyncio.get_event_loop")
    );
    of_loop && method.attr.as_str() == "create_task"
}

fn work<'f>(statement: &'f Stmt, bound: bool, arguments: &'f [Expr]) -> Option<Work<'f>> {
    let function = Def::of(statement)?;
    let parameters = function.arguments.posonlyargs.iter().chain(&function.arguments.args);
    let parameters = parameters.map(|parameter| parameter.def.arg.as_str());
    let given = arguments.iter().zip(parameters.skip(usize::from(bound)));
    Some(Work {
        statement,
        function,
        given: given.collect(),
    })
}

fn work_of<'f>(facts: &'f Facts<'_>, expr: &'f Expr) -> Option<Work<'f>> {
    let Expr::Call(call) = expr else { return None };
    thread_of(facts, call).or_else(|| task_of(facts, call))
}

/// The definition that `self.method` or a name of the module stands for, and whether `self` is filled in.
pub(super) fn definition<'f>(facts: &'f Facts<'_>, function: &Expr) -> Option<(&'f Stmt, bool)> {
    if let Expr::Attribute(node) = function {
        let class = class_at(facts, node.range.start().to_u32())?;
        return is_self(&node.value)
            .then(|| method(class, &node.attr))?
            .map(|own| (own, true));
    }
    match facts.names.resolve(function) {
        Resolved::Local {
            bindings: [only], path, ..
        } if path.is_empty() => match only.kind {
            BindingKind::Def(definition) => Some((definition, false)),
            _ => None,
        },
        _ => None,
    }
}

fn class_at<'f>(facts: &'f Facts<'_>, at: u32) -> Option<&'f StmtClassDef> {
    match facts.names.scope(facts.names.enclosing_class(at)?).node {
        Some(Node::Stmt(Stmt::ClassDef(class))) => Some(class),
        _ => None,
    }
}

/// What tells the work to end: an attribute of `self`, or a local name.
#[derive(Clone, Copy)]
enum Signal<'s> {
    Attribute(&'s str),
    Name(&'s str),
}

/// Whether an expression of the work is the signal.
fn is_signal(work: &Work<'_>, signal: Signal<'_>, expr: &Expr) -> bool {
    let given = |wanted: &dyn Fn(&Expr) -> bool| {
        let mut given = work.given.iter();
        given.any(|(argument, parameter)| wanted(argument) && is_name(expr, parameter))
    };
    match signal {
        Signal::Attribute(attr) => is_own(expr, attr) || given(&|argument| is_own(argument, attr)),
        Signal::Name(name) => is_name(expr, name) || given(&|argument| is_name(argument, name)),
    }
}

/// `loops-until($a, $stop)`: the thread `$a` runs a loop that ends when `$stop` says so and for no other reason but
/// an exception. `$stop` is an event, a flag, or a queue that gives `None`; nobody else in the function has its name.
pub(super) fn loops_until(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(expr), Some(value)) = (scene.expr(arguments, 0), scene.value(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Some(work) = work_of(scene.facts, expr) else {
        return Truth::Unknown;
    };
    let signal = match &value {
        Value::Word(attr) => Signal::Attribute(attr),
        other => match other.word() {
            Some(name) => Signal::Name(name),
            None => return Truth::Unknown,
        },
    };
    if let Signal::Name(name) = signal
        && !is_shared_with_work_alone(scene, name, &work, expr)
    {
        return Truth::Unknown;
    }
    main_loop(work.function.body)
        .is_some_and(|statement| ends_by(&work, signal, statement))
        .into()
}

/// Whether the name is made by one call of the function, and given to no one but the work. The function may ask it, and
/// put things into it, but not tell the work to end.
fn is_shared_with_work_alone(scene: &Scene<'_, '_, '_>, name: &str, work: &Work<'_>, acquire: &Expr) -> bool {
    let names = &scene.facts.names;
    let scope = names.scope_at(scene.at().start);
    let made = matches!(
        names.bindings(name, scope),
        [only] if matches!(only.kind, BindingKind::Assign { value: Some(Expr::Call(_)) })
    );
    let mut places = removed(scene);
    places.extend([Node::Expr(acquire).span(), Node::Stmt(work.statement).span()]);
    places.extend(scene.facts.module.nodes().filter_map(|node| asked_name(node, name)));
    let mut loads = names.loads(name, scope).into_iter();
    made && loads.all(|load| places.iter().any(|place| place.contains(load.span)))
}

/// Where `queue.put(job)` and the like have the name.
fn asked_name(node: Node<'_>, name: &str) -> Option<Span> {
    let Node::Expr(Expr::Call(call)) = node else {
        return None;
    };
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let asks = match (method.attr.as_str(), &call.args[..]) {
        ("put" | "put_nowait", [first, ..]) => first.is_call_expr() || first.is_tuple_expr() || first.is_name_expr(),
        ("join" | "is_set" | "wait" | "qsize" | "empty", _) => true,
        _ => false,
    };
    (asks && is_name(&method.value, name)).then(|| Node::Expr(&method.value).span())
}

/// The first loop of a body that every run comes to.
fn main_loop(body: &[Stmt]) -> Option<&Stmt> {
    body.iter().find_map(|statement| match statement {
        Stmt::While(_) | Stmt::For(_) => Some(statement),
        Stmt::Try(node) => main_loop(&node.body),
        Stmt::With(node) => main_loop(&node.body),
        Stmt::AsyncWith(node) => main_loop(&node.body),
        _ => None,
    })
}

fn ends_by(work: &Work<'_>, signal: Signal<'_>, statement: &Stmt) -> bool {
    let signals = |expr: &Expr| is_signal(work, signal, expr);
    match statement {
        Stmt::While(node) if node.orelse.is_empty() => {
            let told = negated(&node.test).is_some_and(|test| is_told(test, &signals));
            if told || signals(&node.test) {
                return !exits(&node.body);
            }
            truth(&node.test) == Some(true) && ends_inside_by(node, &signals)
        }
        Stmt::For(node) if node.orelse.is_empty() => takes_until_none(&node.iter, &signals) && !exits(&node.body),
        _ => false,
    }
}

fn negated(test: &Expr) -> Option<&Expr> {
    match test {
        Expr::UnaryOp(node) if node.op == UnaryOp::Not => Some(&node.operand),
        _ => None,
    }
}

/// `stop.is_set()`, `stop.wait(1)`
fn is_told(test: &Expr, signals: &impl Fn(&Expr) -> bool) -> bool {
    let Expr::Call(call) = test else { return false };
    matches!(&*call.func, Expr::Attribute(asked) if matches!(asked.attr.as_str(), "is_set" | "wait") && signals(&asked.value))
}

/// `iter(queue.get, None)`
fn takes_until_none(iterable: &Expr, signals: &impl Fn(&Expr) -> bool) -> bool {
    let Expr::Call(call) = iterable else { return false };
    let [Expr::Attribute(get), end] = &call.args[..] else {
        return false;
    };
    is_name(&call.func, "iter") && get.attr.as_str() == "get" && signals(&get.value) && is_none(end)
}

/// `while True:` with `if stop.is_set(): break`, or `item = queue.get()` and `if item is None: break`.
fn ends_inside_by(node: &StmtWhile, signals: &impl Fn(&Expr) -> bool) -> bool {
    let (mut told, mut item) = (false, None);
    for statement in &node.body {
        match statement {
            Stmt::Assign(taken) if is_taken(&taken.value, signals) => {
                item = taken.targets.first().and_then(Expr::as_name_expr);
            }
            Stmt::If(check) if check.orelse.is_empty() && leaves(&check.body) => {
                let by_item = item.is_some_and(|item| is_none_test(&check.test, &item.id));
                let by_flag = negated(&check.test).is_some_and(signals);
                if !(by_item || by_flag || is_told(&check.test, signals)) {
                    return false;
                }
                told = true;
            }
            other if exits(std::slice::from_ref(other)) => return false,
            _ => {}
        }
    }
    told
}

/// `queue.get()`
fn is_taken(value: &Expr, signals: &impl Fn(&Expr) -> bool) -> bool {
    let Expr::Call(call) = value else { return false };
    matches!(&*call.func, Expr::Attribute(get) if get.attr.as_str() == "get" && signals(&get.value))
}

fn is_none_test(test: &Expr, name: &str) -> bool {
    let Expr::Compare(node) = test else { return false };
    let against_none = matches!((&node.ops[..], &node.comparators[..]), ([CmpOp::Is], [right]) if is_none(right));
    against_none && is_name(&node.left, name)
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(constant) if constant.value.is_none())
}

/// Whether a block ends with `break` or `return` and leaves nowhere before.
fn leaves(block: &[Stmt]) -> bool {
    let Some((last, before)) = block.split_last() else {
        return false;
    };
    matches!(last, Stmt::Break(_) | Stmt::Return(_)) && !exits(before)
}

/// Whether a loop's body may end the loop on purpose.
fn exits(body: &[Stmt]) -> bool {
    let nodes = body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    leaves_early(body) || nodes.into_iter().any(|node| matches!(node, Node::Stmt(Stmt::Raise(_))))
}

/// `halts($m, $a)`: `$a` makes a thread of a class of this module that derives from `threading.Thread` alone. Its `run` loops until the
/// method `$m`, which does nothing else, tells it to end; nobody else does, or releases what it works with.
pub(super) fn halts(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(name), Some(expr)) = (scene.word(arguments, 0), scene.expr(arguments, 1)) else {
        return Truth::Unknown;
    };
    let Expr::Call(call) = expr else {
        return Truth::Unknown;
    };
    let Some(class) = thread_class(scene.facts, call) else {
        return Truth::Unknown;
    };
    let (Some(run), Some(halt)) = (method(class, "run"), method(class, &name)) else {
        return Truth::Unknown;
    };
    let (Some(attr), Some(work)) = (told_by(halt), work(run, true, &[])) else {
        return Truth::No;
    };
    let loops = main_loop(work.function.body).is_some_and(|looped| ends_by(&work, Signal::Attribute(attr), looped));
    let alone = tellers(class, attr, &[]).eq([name.as_str()]) && is_private_to(scene, class, attr, &SIGNALS);
    let ended = is_ended_by_class(class, &[Node::Stmt(run)], "run") || is_ended_by_function(scene.facts, expr, &work);
    (loops && alone && !ended).into()
}

/// What may be asked of a signal.
const SIGNALS: [&str; 8] = [
    "is_set",
    "wait",
    "set",
    "clear",
    "get",
    "put",
    "put_nowait",
    "task_done",
];

/// The class of a thread, which starts and joins as threads do.
fn thread_class<'f>(facts: &'f Facts<'_>, call: &ExprCall) -> Option<&'f StmtClassDef> {
    let Resolved::Local {
        bindings: [only], path, ..
    } = facts.names.resolve(&call.func)
    else {
        return None;
    };
    let BindingKind::Class(Stmt::ClassDef(class)) = only.kind else {
        return None;
    };
    let is_thread = |base: &Expr| facts.names.resolve(base).qualified() == Some("threading.Thread");
    let plain = path.is_empty() && matches!(&class.bases[..], [base] if is_thread(base));
    let own_way = ["start", "join"].into_iter().any(|name| method(class, name).is_some());
    (plain && !own_way && class.decorator_list.is_empty()).then_some(class)
}

fn run_of_class<'f>(facts: &'f Facts<'_>, expr: &'f Expr) -> Option<Work<'f>> {
    let Expr::Call(call) = expr else { return None };
    work(method(thread_class(facts, call)?, "run")?, true, &[])
}

/// The attribute by which a method tells the loop to end, where that is all it does.
fn told_by(halt: &Stmt) -> Option<&str> {
    let Def { body, .. } = Def::of(halt)?;
    let is_text = |statement: &&Stmt| matches!(statement, Stmt::Expr(node) if node.value.is_constant_expr());
    let [only] = &body.iter().filter(|statement| !is_text(statement)).collect::<Vec<_>>()[..] else {
        return None;
    };
    let mut own = Node::Stmt(only).descendants().filter_map(|node| match node {
        Node::Expr(Expr::Attribute(node)) if is_self(&node.value) => Some(node.attr.as_str()),
        _ => None,
    });
    let attr = own.next()?;
    Node::Stmt(only)
        .descendants()
        .any(|node| tells(node, attr))
        .then_some(attr)
}

/// `runs($a)`: the site stands in the function that `$a` sets going.
pub(super) fn runs(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(work) = scene.expr(arguments, 0).and_then(|expr| work_of(scene.facts, expr)) else {
        return Truth::Unknown;
    };
    let names = &scene.facts.names;
    let anchor = scene.site.parts[0].span();
    let around = names
        .enclosing_function(anchor.start)
        .and_then(|id| names.scope(id).node);
    let own = Node::Stmt(work.statement).span();
    around.is_some_and(|node| node.span() == own).into()
}

/// `starts-task($a, kind)`: a call of `asyncio.create_task` or `ensure_future` on a coroutine of this module. `endless`:
/// it runs `while True:` without any way out. `works`: it has a loop that awaits.
pub(super) fn starts_task(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(Expr::Call(call)) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let Some(work) = task_of(scene.facts, call) else {
        return Truth::Unknown;
    };
    let endless = || match main_loop(work.function.body) {
        Some(Stmt::While(node)) => truth(&node.test) == Some(true) && !exits(&node.body) && awaits(&node.body),
        _ => false,
    };
    let works = || {
        let mut nodes = work
            .function
            .body
            .iter()
            .flat_map(|statement| Node::Stmt(statement).descendants());
        nodes.any(|node| match node {
            Node::Stmt(Stmt::While(node)) => awaits(&node.body),
            Node::Stmt(Stmt::For(node)) => awaits(&node.body),
            Node::Stmt(Stmt::AsyncFor(_)) => true,
            _ => false,
        })
    };
    match texts(arguments, 1).first() {
        Some(&"endless") => endless().into(),
        Some(&"works") => works().into(),
        _ => Truth::Unknown,
    }
}

fn awaits(body: &[Stmt]) -> bool {
    let mut nodes = body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| {
        matches!(
            node,
            Node::Expr(Expr::Await(_)) | Node::Stmt(Stmt::AsyncFor(_) | Stmt::AsyncWith(_))
        )
    })
}

/// `outlives($a)`: nobody but the thread or task `$a` releases what it works with, which would end it with an
/// exception: no other method of the class, and no `with` or release in the function.
pub(super) fn outlives(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 0) else {
        return Truth::Unknown;
    };
    let mut used = vec![Node::Expr(expr)];
    let work = match work_of(scene.facts, expr) {
        Some(work) => {
            used.push(Node::Stmt(work.statement));
            Some(work)
        }
        None => run_of_class(scene.facts, expr),
    };
    let Some(work) = work else { return Truth::Unknown };
    let class = class_at(scene.facts, Node::Expr(expr).span().start);
    let by_class = class.is_some_and(|class| is_ended_by_class(class, &used, work.function.name));
    let by_function = is_ended_by_function(scene.facts, expr, &work);
    (!by_class && !by_function).into()
}

/// `used`: what the work is made of; `name`: the method that it runs.
fn is_ended_by_class(class: &StmtClassDef, used: &[Node<'_>], name: &str) -> bool {
    let (mut attributes, mut methods) = (BTreeSet::new(), BTreeSet::from([name]));
    for node in used {
        note_own(class, *node, &mut attributes, &mut methods);
    }
    let others = class
        .body
        .iter()
        .filter(|other| Def::of(other).is_none_or(|other| !methods.contains(other.name)));
    let mut nodes = others.flat_map(|other| Node::Stmt(other).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => {
            let released = RELEASES.contains(&node.attr.as_str());
            released && attributes.iter().any(|attr| is_own(&node.value, attr))
        }
        Node::WithItem(item) => attributes.iter().any(|attr| is_own(&item.context_expr, attr)) && !is_lock(item),
        _ => false,
    })
}

/// `with self._lock:` ends nothing.
fn is_lock(item: &crate::python::ast::WithItem) -> bool {
    matches!(&item.context_expr, Expr::Attribute(node) if ["lock", "cond", "mutex"].iter().any(|word| node.attr.contains(word)))
}

/// The attributes of `self` that the node uses, and those that the methods use which it calls.
fn note_own<'a>(
    class: &'a StmtClassDef,
    node: Node<'a>,
    attributes: &mut BTreeSet<&'a str>,
    methods: &mut BTreeSet<&'a str>,
) {
    for expr in node.descendants().filter_map(Node::as_expr) {
        let Expr::Attribute(used) = expr else { continue };
        if !is_self(&used.value) {
            continue;
        }
        match method(class, &used.attr) {
            Some(own) if methods.insert(&used.attr) => note_own(class, Node::Stmt(own), attributes, methods),
            Some(_) => {}
            None => {
                attributes.insert(&used.attr);
            }
        }
    }
}

fn is_ended_by_function(facts: &Facts<'_>, acquire: &Expr, work: &Work<'_>) -> bool {
    let names = &facts.names;
    let at = Node::Expr(acquire).span().start;
    let Some(function) = names.enclosing_function(at) else {
        return false;
    };
    let Some(body) = names.scope(function).node else {
        return true;
    };
    let used = [Node::Expr(acquire), Node::Stmt(work.statement)];
    let loads = used
        .into_iter()
        .flat_map(Node::descendants)
        .filter_map(|node| match node {
            Node::Expr(Expr::Name(name)) if name.ctx == ExprContext::Load => Some(name),
            _ => None,
        });
    let mut local = loads.filter(|name| names.home(&name.id, names.scope_at(name.range.start().to_u32())) == function);
    local.any(|name| {
        let held = names
            .bindings(&name.id, function)
            .iter()
            .any(|binding| match binding.kind {
                BindingKind::With { .. } => true,
                BindingKind::Assign { value: Some(value) } => resource_of(facts, value).is_some(),
                _ => false,
            });
        held || body.descendants().any(|node| releases(node, &name.id))
    })
}

/// `owned-at-once($attr, $a)`: once the thread that `self.$attr` holds is started, or the task made, its function does nothing
/// more that may raise.
pub(super) fn owned_at_once(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let Some(expr) = scene.expr(arguments, 1) else {
        return Truth::Unknown;
    };
    let made = Node::Expr(expr).span();
    let names = &scene.facts.names;
    let Some(function) = names.enclosing_function(made.start).and_then(|id| names.scope(id).node) else {
        return Truth::Unknown;
    };
    let is_thread = matches!(expr, Expr::Call(call) if thread_of(scene.facts, call).is_some() || thread_class(scene.facts, call).is_some());
    let starts = function.descendants().filter_map(Node::as_expr).filter(|expr| {
        matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Attribute(start) if start.attr.as_str() == "start"))
    });
    let starts: Vec<Span> = starts.map(|expr| Node::Expr(expr).span()).collect();
    let from = match (is_thread, &starts[..]) {
        (false, _) => made.end,
        (true, [only]) if only.start > made.end => only.end,
        _ => return Truth::Unknown,
    };
    let later = function.descendants().filter_map(Node::as_expr);
    later
        .filter(|expr| Node::Expr(expr).span().start >= from)
        .all(|expr| is_quiet(Node::Expr(expr)))
        .into()
}

/// `kept-private($attr, word, …)`: `self.$attr` belongs to the class around the site, which has no bases: it gets
/// constants and what calls give, and outside of removed lines the module does no more with it than to test it
/// or to ask it for these attributes. Unknown in `__del__`, which releases nothing.
pub(super) fn kept_private(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(attr), Some((class, own))) = (scene.word(arguments, 0), home(scene.facts, scene.at())) else {
        return Truth::Unknown;
    };
    if !is_plain(class) || Def::of(own).is_none_or(|method| method.name == "__del__") {
        return Truth::Unknown;
    }
    is_private_to(scene, class, &attr, &texts(arguments, 1)).into()
}

fn is_private_to(scene: &Scene<'_, '_, '_>, class: &StmtClassDef, attr: &str, words: &[&str]) -> bool {
    let removed = removed(scene);
    let inside = Span::new(class.range.start().to_u32(), class.range.end().to_u32());
    let (mut all, mut known) = (0, 0);
    for node in scene.facts.module.nodes().filter(|node| is_kept(&removed, *node)) {
        let is_use = matches!(node, Node::Expr(Expr::Attribute(used)) if used.attr.as_str() == attr);
        if is_use && !inside.contains(node.span()) {
            if is_anothers(scene.facts, node) {
                continue;
            }
            return false;
        }
        all += usize::from(is_use);
        let own = |expr: &Expr| is_own(expr, attr) && inside.contains(Node::Expr(expr).span());
        known += known_uses(node, words, &|expr| {
            usize::from(own(expr) && is_kept(&removed, Node::Expr(expr)))
        });
    }
    all == known
}

/// Whether the attribute is one of `self` in a class that has nothing to do with others.
fn is_anothers(facts: &Facts<'_>, node: Node<'_>) -> bool {
    let of_self = matches!(node, Node::Expr(Expr::Attribute(used)) if is_self(&used.value));
    of_self && class_at(facts, node.span().start).is_some_and(is_plain)
}

/// What the rewrite takes away. A block that it takes out of a `try` stays.
fn removed(scene: &Scene<'_, '_, '_>) -> Vec<Span> {
    let mut spans = Vec::new();
    for part in &scene.site.parts {
        let lines = &scene.site.rewrite.hunks[part.hunk].lines;
        let removed = part
            .found
            .places
            .iter()
            .filter(|(line, _)| lines[**line].mark == Mark::Remove);
        let removed = removed.filter(|(_, place)| !matches!(place, Place::Block(_)));
        spans.extend(removed.filter_map(|(_, place)| place.span()));
    }
    spans
}

fn is_kept(removed: &[Span], node: Node<'_>) -> bool {
    !removed.iter().any(|span| span.contains(node.span()))
}

/// How often the node itself uses the attribute that `own` counts in a way that keeps it private.
fn known_uses(node: Node<'_>, words: &[&str], own: &dyn Fn(&Expr) -> usize) -> usize {
    let stored = |value: &Expr| value.is_call_expr() || value.is_constant_expr();
    match node {
        Node::Expr(Expr::Attribute(node)) if words.contains(&node.attr.as_str()) => own(&node.value),
        Node::Stmt(Stmt::Assign(node)) if stored(&node.value) => node.targets.iter().map(own).sum(),
        Node::Stmt(Stmt::AnnAssign(node)) if node.value.as_deref().is_none_or(stored) => own(&node.target),
        Node::Stmt(Stmt::If(node)) => own(&node.test),
        Node::Stmt(Stmt::While(node)) => own(&node.test),
        Node::Expr(Expr::UnaryOp(node)) if node.op == UnaryOp::Not => own(&node.operand),
        Node::Expr(Expr::BoolOp(node)) => node.values.iter().map(own).sum(),
        Node::Expr(Expr::Compare(node)) if node.comparators.iter().all(is_none) => own(&node.left),
        _ => 0,
    }
}

/// `told($stop)`: a method other than `__init__` tells the loop to end, on lines that stay: `self.$stop.set()`,
/// `self.$stop.put(None)`, `self.$stop = False`.
pub(super) fn told(scene: &mut Scene<'_, '_, '_>, arguments: &[Argument]) -> Truth {
    let (Some(attr), Some((class, _))) = (scene.word(arguments, 0), home(scene.facts, scene.at())) else {
        return Truth::Unknown;
    };
    let removed = removed(scene);
    tellers(class, &attr, &removed).next().is_some().into()
}

/// The methods other than `__init__` that tell the loop to end, on lines that stay.
fn tellers<'a>(class: &'a StmtClassDef, attr: &'a str, removed: &'a [Span]) -> impl Iterator<Item = &'a str> {
    let methods = class
        .body
        .iter()
        .filter_map(|statement| Some((statement, Def::of(statement)?.name)));
    let telling = methods.filter(move |(statement, name)| {
        let mut nodes = Node::Stmt(statement).descendants();
        *name != "__init__" && nodes.any(|node| is_kept(removed, node) && tells(node, attr))
    });
    telling.map(|(_, name)| name)
}

fn tells(node: Node<'_>, attr: &str) -> bool {
    match node {
        Node::Expr(Expr::Call(call)) => match (&*call.func, &call.args[..]) {
            (Expr::Attribute(method), []) => method.attr.as_str() == "set" && is_own(&method.value, attr),
            (Expr::Attribute(method), [end]) => {
                let puts = matches!(method.attr.as_str(), "put" | "put_nowait");
                puts && is_none(end) && is_own(&method.value, attr)
            }
            _ => false,
        },
        Node::Stmt(Stmt::Assign(node)) => {
            let falsy = matches!(&*node.value, Expr::Constant(constant) if constant.value == Constant::Bool(false));
            falsy && node.targets.iter().any(|target| is_own(target, attr))
        }
        _ => false,
    }
}
