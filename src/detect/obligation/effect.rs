//! What one step does to a handle that is held.

use std::collections::HashSet;

use super::bind::{bind, collected_in, container};
use super::boxes::Boxes;
use super::callee::{self, Treatment, treatment};
use super::capture::create;
use super::facts::{Tests, about_handle, learn};
use super::state::{Hold, State};
use super::{Doubt, Grade, Loss, Move, World, body, stack, summary};
use crate::detect::resources::Resource;
use crate::detect::text_at;
use crate::python::ast::{CmpOp, Expr, ExprAttribute, ExprCall, Ranged, Stmt};
use crate::python::flow::{EdgeKind, Kind, Step, StepId};
use crate::python::node::Node;
use crate::python::{ScopeId, Span};

/// Methods that put their argument into a container.
const CONTAINING: [&str; 7] = ["append", "appendleft", "add", "insert", "setdefault", "extend", "push"];

/// The state after a step, or how the obligation ends there.
pub(super) enum Outcome<'m> {
    Held(State<'m>),
    Released,
    Moved(Move<'m>),
    Lost(Loss),
}

/// What does not change along the paths of one obligation.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a, 'm> {
    pub(super) world: World<'a, 'm>,
    pub(super) resource: &'a Resource,
    /// `None` where a parameter is followed.
    pub(super) call: Option<&'m Expr>,
    pub(super) body: ScopeId,
    pub(super) tests: &'a Tests<'m>,
    /// The expressions that are called: looking up a method is judged with its call.
    pub(super) callees: &'a HashSet<*const Expr>,
    /// Calls whose result is there for one method that reads or writes: `Parser(f).parse()`.
    pub(super) readers: &'a HashSet<*const Expr>,
    /// Expressions that stand alone as statements: a coroutine that one of them makes never runs.
    pub(super) dropped: &'a HashSet<*const Expr>,
    /// Lists of the body whose whole life is in sight.
    pub(super) boxes: &'a Boxes<'m>,
    /// Iterables that their consumer may leave before their end.
    pub(super) abandoned: &'a HashSet<*const Expr>,
    /// Places of `raise` statements that say that nothing has been acquired.
    pub(super) excused: &'a HashSet<Span>,
    /// Calls whose result gets a name that handles have: `stream = decode(open(path))`.
    pub(super) adopted: &'a HashSet<*const Expr>,
    /// The pipe of a child that is followed.
    pub(super) stream: Option<&'static str>,
    /// `__init__`, `__enter__`, `start`: when it raises, `self` may have no owner who releases what it holds.
    pub(super) constructs: bool,
    /// `close`, `__exit__`: what an object holds is followed through a method that ends its life.
    pub(super) ending: bool,
    /// `@contextmanager`, a fixture: it gets control back after each `yield`.
    pub(super) managed: bool,
}

impl Setting<'_, '_> {
    pub(super) fn is_acquisition(&self, expr: &Expr) -> bool {
        self.call.is_some_and(|call| std::ptr::eq(call, expr))
    }
}

/// The effect of a step on its normal way out.
pub(super) fn apply<'m>(setting: Setting<'_, 'm>, step: &Step<'m>, state: State<'m>) -> Outcome<'m> {
    match step.kind {
        Kind::Evaluate(expr) => evaluate(setting, expr, state),
        Kind::Bind { target, value } => bind(setting, target, value, state),
        Kind::BindName(name) => unbind(name, Loss::Rebound, state),
        Kind::Delete(Expr::Name(name)) => unbind(&name.id, Loss::Deleted, state),
        Kind::Delete(Expr::Attribute(node)) => match state.kept_as(node) {
            Some(name) => unbind(name, Loss::Deleted, state),
            None => Outcome::Held(state),
        },
        Kind::Return(Some(value)) if is_pipe(setting, value, &state) => Outcome::Moved(Move::Returned),
        Kind::Return(Some(value)) if state.carries(value) => {
            // `return closing(connect())`: its `with` releases what the handle's own would not.
            let is_like_the_handle = |hold: Hold| !hold.wrapped || setting.resource.with_releases;
            let whole = state
                .holds(value)
                .is_some_and(|hold| hold.part.is_none() && is_like_the_handle(hold));
            let item = || item_of(setting, value, &state).map_or(Move::Container, Move::ReturnedAs);
            Outcome::Moved(if whole { Move::Returned } else { item() })
        }
        Kind::Collect(whole)
            if setting.dropped.contains(&std::ptr::from_ref(whole))
                && state.flies_in(step.span)
                && carried_by_element(&step.kind, &state) =>
        {
            Outcome::Lost(Loss::Dropped)
        }
        Kind::Collect(whole)
            if state.flies_in(step.span)
                && setting.boxes.comprehensions.contains(&std::ptr::from_ref(whole))
                && carried_by_element(&step.kind, &state) =>
        {
            let mut state = state;
            state.end_flight();
            state.iterated = Some((whole, Hold::IN_LIST));
            Outcome::Held(state)
        }
        Kind::Collect(whole) if state.flies_in(step.span) && carried_by_element(&step.kind, &state) => {
            Outcome::Moved(collected(setting, whole))
        }
        Kind::Enter(item) if is_pipe(setting, &item.context_expr, &state) => Outcome::Released,
        Kind::Enter(item) => match state.holds(&item.context_expr) {
            Some(hold) if (hold.wrapped && !state.is_path) || setting.resource.with_releases => Outcome::Released,
            Some(_) if item.optional_vars.is_some() => Outcome::Held(entered(step.span, state)),
            Some(_) => settle(step.span, entered(step.span, state)),
            _ => settle(step.span, state),
        },
        Kind::Create(node) => create(setting, node, state),
        Kind::Next(iterable) if setting.resource.ends_itself && state.is_flying(iterable) => {
            Outcome::Held(iterated(iterable, state))
        }
        Kind::Next(_) | Kind::Discard(_) | Kind::Return(_) | Kind::Raise(_) | Kind::Collect(_) => {
            settle(step.span, state)
        }
        Kind::Opaque(_) => Outcome::Moved(Move::Elsewhere),
        _ => Outcome::Held(state),
    }
}

/// Which item of the tuple it is: `return file, size`.
fn item_of(setting: Setting<'_, '_>, value: &Expr, state: &State<'_>) -> Option<usize> {
    let is_it = |item: &Expr| {
        let hold = state.holds(item);
        hold.is_some_and(|hold| !hold.wrapped && hold.part.is_none())
    };
    let items = &value.as_tuple_expr()?.elts;
    (!setting.world.table.only_named_releases).then(|| items.iter().position(is_it))?
}

/// `process.stdout` of a child whose pipes are followed.
pub(super) fn is_pipe(setting: Setting<'_, '_>, expr: &Expr, state: &State<'_>) -> bool {
    let Expr::Attribute(node) = expr else { return false };
    let is_stream = match setting.stream {
        Some(stream) => node.attr.as_str() == stream,
        None => ["stdin", "stdout", "stderr"].contains(&node.attr.as_str()),
    };
    setting.resource.kind == "pipe" && is_stream && state.holds(&node.value).is_some()
}

/// The same, or a display of it: `Thread(target=read, args=(process.stdout,))`.
fn carries_pipe(setting: Setting<'_, '_>, expr: &Expr, state: &State<'_>) -> bool {
    is_pipe(setting, expr, state)
        || match expr {
            Expr::Tuple(node) => node.elts.iter().any(|one| is_pipe(setting, one, state)),
            Expr::List(node) => node.elts.iter().any(|one| is_pipe(setting, one, state)),
            Expr::Dict(node) => node.values.iter().any(|one| is_pipe(setting, one, state)),
            _ => false,
        }
}

/// The `with` of a connection ends a transaction and leaves the connection open.
fn entered(span: Span, mut state: State<'_>) -> State<'_> {
    state.entered = Some(span);
    state
}

/// `for entry in os.scandir(path):` holds it without a name.
fn iterated<'m>(iterable: &'m Expr, mut state: State<'m>) -> State<'m> {
    if let Some((_, hold)) = state.flight {
        state.iterated = Some((iterable, hold));
    }
    state.end_flight();
    state
}

fn carried_by_element(kind: &Kind<'_>, state: &State<'_>) -> bool {
    match kind {
        Kind::Collect(Expr::ListComp(node)) => state.carries(&node.elt),
        Kind::Collect(Expr::SetComp(node)) => state.carries(&node.elt),
        Kind::Collect(Expr::GeneratorExp(node)) => state.carries(&node.elt),
        Kind::Collect(Expr::DictComp(node)) => state.carries(&node.value),
        _ => false,
    }
}

/// The truth of a branch, and what taking it teaches.
pub(super) fn branch<'m>(
    setting: Setting<'_, 'm>,
    id: StepId,
    test: &Expr,
    way: EdgeKind,
    state: &State<'m>,
) -> Option<State<'m>> {
    let taken = way == EdgeKind::True;
    let about_pipe = || asks_for_pipe(setting, test, state).then_some(true);
    if about_handle(test, state)
        .or_else(about_pipe)
        .is_some_and(|truth| truth != taken)
    {
        return None;
    }
    let mut after = state.clone();
    if let Some((number, positive)) = setting.tests.asked_at(id) {
        let holds = taken == positive;
        match state.facts.iter().find(|(known, _)| *known == number) {
            _ if setting.tests.is_for_key(number) => learn(&mut after.facts, number, holds),
            Some((_, known)) if *known != holds => return None,
            None if setting.tests.is_asked_again(number) => learn(&mut after.facts, number, holds),
            _ => {}
        }
    }
    if let Some(number) = setting.tests.shown_at(id, taken) {
        learn(&mut after.facts, number, true);
    }
    Some(after)
}

/// `if child.stdout:`, `if child.stdout is not None:`
fn asks_for_pipe(setting: Setting<'_, '_>, test: &Expr, state: &State<'_>) -> bool {
    match test {
        Expr::Compare(node) => {
            let is_not = matches!(node.ops.as_slice(), [CmpOp::IsNot | CmpOp::NotEq]);
            is_not && is_pipe(setting, &node.left, state)
        }
        other => is_pipe(setting, other, state),
    }
}

/// The value in flight has been consumed by something that did not take it over.
fn settle(outer: Span, mut state: State<'_>) -> Outcome<'_> {
    if state.flies_in(outer) {
        state.end_flight();
        if state.is_lost() {
            return Outcome::Lost(Loss::Dropped);
        }
    }
    Outcome::Held(state)
}

fn unbind<'m>(name: &str, how: Loss, mut state: State<'m>) -> Outcome<'m> {
    if state.held_by(name).is_none() {
        return Outcome::Held(state);
    }
    state.remove(name);
    if state.is_lost() {
        lost(how, &state)
    } else {
        Outcome::Held(state)
    }
}

/// A generator that has handed the handle out does not owe it alone any more.
pub(super) fn lost<'m>(how: Loss, state: &State<'m>) -> Outcome<'m> {
    if state.yielded {
        Outcome::Moved(Move::Yielded)
    } else {
        Outcome::Lost(how)
    }
}

fn evaluate<'m>(setting: Setting<'_, 'm>, expr: &'m Expr, mut state: State<'m>) -> Outcome<'m> {
    if setting.is_acquisition(expr) {
        // The acquisition runs again: this one's handle is the older one.
        state.end_flight();
        let is_collecting = state.iterated.is_some_and(|(_, hold)| hold == Hold::IN_LIST);
        return if state.iterated.is_some() && !is_collecting {
            lost(Loss::Rebound, &state)
        } else if is_collecting {
            Outcome::Held(state)
        } else if state.names.is_empty() {
            lost(Loss::Dropped, &state)
        } else {
            Outcome::Held(state)
        };
    }
    let span = Span::from(expr.range());
    if state.is_path
        && state.flies_in(span)
        && let Some(hold) = state.holds(expr)
    {
        state.fly(expr, hold);
        return Outcome::Held(state);
    }
    match expr {
        Expr::Call(call) => evaluate_call(setting, expr, call, state),
        Expr::Await(node) if setting.resource.kind == "task" && state.holds(&node.value).is_some() => Outcome::Released,
        // `if os.fork() > 0:` asks where it is.
        Expr::Compare(_) if setting.resource.kind == "child" => Outcome::Held(state),
        // `self.__dict__.update(f.__dict__)` makes another of it.
        Expr::Attribute(node) if node.attr.as_str() == "__dict__" && state.holds(&node.value).is_some() => {
            Outcome::Moved(Move::Elsewhere)
        }
        Expr::Attribute(_) | Expr::Await(_) | Expr::Starred(_) => Outcome::Held(state),
        Expr::Subscript(_) if state.holds(expr).is_some() => Outcome::Held(state),
        Expr::Yield(node) => match node.value.as_deref() {
            Some(value) if state.flies_in(span) && state.carries(value) => Outcome::Moved(Move::Yielded),
            Some(value) if state.carries(value) => {
                state.yielded = !setting.managed || hands_out_path(value, &state);
                Outcome::Held(state)
            }
            _ => settle(span, state),
        },
        _ => settle(span, state),
    }
}

/// A context manager that yields a path and never removes it leaves that to its user.
fn hands_out_path(value: &Expr, state: &State<'_>) -> bool {
    state.is_path && state.holds(value).is_some_and(|hold| !hold.wrapped)
}

fn evaluate_call<'m>(setting: Setting<'_, 'm>, expr: &'m Expr, call: &'m ExprCall, state: State<'m>) -> Outcome<'m> {
    let span = Span::from(expr.range());
    if let Expr::Attribute(method) = &*call.func
        && releases_self(setting, method, &state)
    {
        return Outcome::Released;
    }
    if let Expr::Attribute(method) = &*call.func
        && let Some(hold) = state.holds(&method.value)
    {
        return call_method(setting, expr, &method.attr, hold, state);
    }
    if let Expr::Attribute(method) = &*call.func
        && method.attr.as_str() == "close"
        && is_pipe(setting, &method.value, &state)
    {
        return Outcome::Released;
    }
    let values = || call.keywords.iter().map(|keyword| &keyword.value);
    let arguments = || call.args.iter().chain(values());
    if arguments().any(|one| is_bound_release(setting, one, &state)) && !stack::is_forgotten(setting, call) {
        return Outcome::Moved(stack::registered(setting, call));
    }
    let is_own_release = |one: &Expr| {
        one.as_attribute_expr()
            .is_some_and(|method| releases_self(setting, method, &state))
    };
    if callee::registers(&call.func) && arguments().any(is_own_release) {
        return Outcome::Moved(Move::Registered);
    }
    if arguments().any(|one| is_pid(setting, one, &state)) {
        return pass_pid(super::tail(&call.func), state);
    }
    if arguments().any(|one| is_name_of_temporary(setting, one, &state)) && removes_after_failure(call, &state) {
        return Outcome::Released;
    }
    let state = match arguments().find(|one| is_bound_method(one, &state)) {
        Some(method) if keeps_callable(setting, call, method) => with_doubt(Doubt::Captured, state),
        _ => state,
    };
    let Some(argument) = arguments().find(|one| state.carries(one) || carries_pipe(setting, one, &state)) else {
        return settle(span, state);
    };
    hand_to(setting, (expr, call), argument, state)
}

/// The handle is an argument of the call.
fn hand_to<'m>(
    setting: Setting<'_, 'm>,
    (expr, call): (&'m Expr, &'m ExprCall),
    argument: &Expr,
    mut state: State<'m>,
) -> Outcome<'m> {
    let span = Span::from(expr.range());
    let is_list = argument.is_list_expr() || argument.is_tuple_expr() || argument.is_set_expr();
    let treatment = match if is_list && !state.is_path {
        callee::treatment_of_items(setting.world, call, argument)
    } else {
        treatment(setting.world, call, argument)
    } {
        _ if state.is_path && callee::names_a_removal(super::tail(&call.func)) => Treatment::Releases,
        _ if state.is_path && is_address(setting, argument) => Treatment::Keeps,
        Treatment::Unknown if setting.adopted.contains(&std::ptr::from_ref(expr)) => Treatment::MayWrap,
        // An object that has a child speaks with it.
        Treatment::Unknown if setting.resource.kind == "pipe" && callee::is_like_a_class(super::tail(&call.func)) => {
            Treatment::Keeps
        }
        // Whoever has a task can wait for it.
        _ if setting.resource.kind == "task" => Treatment::Keeps,
        Treatment::Registers if stack::is_forgotten(setting, call) => Treatment::Passes,
        other => other,
    };
    match treatment {
        Treatment::Releases if ends_another(setting, call, argument, &state) => Outcome::Held(state),
        Treatment::Releases => Outcome::Released,
        Treatment::MayWrap if state.is_path => settle_with_doubt(span, Doubt::Passed, state),
        Treatment::Passes => {
            let hold = state.holds(argument).unwrap_or(Hold {
                wrapped: true,
                part: None,
            });
            state.fly(expr, hold);
            Outcome::Held(state)
        }
        Treatment::Wraps => {
            let part = state.holds(argument).and_then(|hold| hold.part);
            state.fly(expr, Hold { wrapped: true, part });
            Outcome::Held(state)
        }
        Treatment::MayWrap => {
            state.doubt = state.doubt.max(Doubt::Passed);
            state.fly(
                expr,
                Hold {
                    wrapped: true,
                    part: None,
                },
            );
            Outcome::Held(state)
        }
        // `Unpickler(f).load()`: what might have kept it is gone after that.
        Treatment::Keeps if setting.readers.contains(&std::ptr::from_ref(expr)) => {
            settle_with_doubt(span, Doubt::Passed, state)
        }
        Treatment::Keeps if setting.boxes.takes(call) => {
            if let Some(list) = setting.boxes.list_of(call) {
                state.add(list, Hold::IN_LIST);
                state.end_flight();
            }
            Outcome::Held(state)
        }
        Treatment::Keeps if is_taken_back(setting, call, argument) => settle(span, state),
        Treatment::Keeps => Outcome::Moved(match &*call.func {
            Expr::Attribute(method) if CONTAINING.contains(&method.attr.as_str()) => container(setting, &method.value),
            _ => Move::Passed,
        }),
        Treatment::Registers => Outcome::Moved(stack::registered(setting, call)),
        Treatment::Borrows => settle_with_doubt(span, Doubt::None, state),
        // Who is handed each item of a list may keep it.
        Treatment::Unknown if state.names.iter().any(|(_, hold)| *hold == Hold::IN_LIST) => {
            Outcome::Moved(Move::Passed)
        }
        Treatment::Unknown => settle_with_doubt(span, Doubt::Passed, state),
    }
}

/// What the comprehension becomes: `self.files = [open(path) for path in paths]`.
fn collected<'m>(setting: Setting<'_, 'm>, whole: &'m Expr) -> Move<'m> {
    let inner = |value: &Expr| match value {
        Expr::Call(call) => call.args.first().is_some_and(|first| std::ptr::eq(first, whole)),
        other => std::ptr::eq(other, whole),
    };
    let target = body::nodes_of(setting.world, setting.body).find_map(|node| match node {
        Node::Stmt(Stmt::Assign(node)) if inner(&node.value) => node.targets.first(),
        Node::Stmt(Stmt::AnnAssign(node)) if node.value.as_deref().is_some_and(inner) => Some(&*node.target),
        _ => None,
    });
    target.map_or(Move::Container, |target| collected_in(setting, target))
}

/// `f"file://{path}"` is for a browser, which reads it when it likes.
fn is_address(setting: Setting<'_, '_>, argument: &Expr) -> bool {
    text_at(setting.world.module.text(), argument.range().into()).contains("file:")
}

/// `os.remove(os.path.join(folder, "x"))` leaves the folder there, and `os.remove` is not for folders at all.
fn ends_another(setting: Setting<'_, '_>, call: &ExprCall, argument: &Expr, state: &State<'_>) -> bool {
    let known = setting.world.names.resolve(&call.func);
    let is_for_others = known.qualified().is_some_and(|name| {
        let own = setting.resource.functions.iter().any(|function| function == name);
        setting.world.table.releases_by_function(name) && !own
    });
    state.is_path && (is_for_others || state.holds(argument).is_some_and(|hold| hold.wrapped))
}

/// `child.pid`
fn is_pid(setting: Setting<'_, '_>, argument: &Expr, state: &State<'_>) -> bool {
    let Expr::Attribute(node) = argument else { return false };
    setting.resource.kind == "child" && node.attr.as_str() == "pid" && state.holds(&node.value).is_some()
}

/// Whoever has the number of a child can wait for it: `os.waitpid(child.pid, 0)`.
fn pass_pid<'m>(callee: &str, state: State<'m>) -> Outcome<'m> {
    match callee {
        "kill" | "killpg" | "print" | "str" | "debug" | "info" | "getpgid" => Outcome::Held(state),
        _ if callee.contains("wait") => Outcome::Released,
        _ => Outcome::Moved(Move::Passed),
    }
}

/// `self.close()` in a constructor, or another method of the class that releases what `self` holds.
fn releases_self(setting: Setting<'_, '_>, method: &ExprAttribute, state: &State<'_>) -> bool {
    let Some(attribute) = state.on_self() else { return false };
    let is_own = match &*method.value {
        Expr::Name(name) => name.id.as_str() == "self",
        Expr::Call(call) => call.func.as_name_expr().is_some_and(|name| name.id.as_str() == "super"),
        _ => false,
    };
    let by_name = if setting.resource.is_receiver() {
        is_release(setting, &method.attr)
    } else {
        callee::names_a_release(&method.attr)
    };
    is_own && (by_name || summary::releases(setting.world, method, attribute, &setting.resource.release))
}

fn settle_with_doubt(span: Span, doubt: Doubt, state: State<'_>) -> Outcome<'_> {
    settle(span, with_doubt(doubt, state))
}

pub(super) fn with_doubt(doubt: Doubt, mut state: State<'_>) -> State<'_> {
    state.doubt = state.doubt.max(doubt);
    state
}

/// `f.name` of a temporary file.
fn is_name_of_temporary(setting: Setting<'_, '_>, argument: &Expr, state: &State<'_>) -> bool {
    let Expr::Attribute(node) = argument else { return false };
    setting.resource.kind == "temporary-file" && node.attr.as_str() == "name" && state.holds(&node.value).is_some()
}

/// Whoever removes the file when something has failed has thought of the failure, and the handle is not missed.
fn removes_after_failure(call: &ExprCall, state: &State<'_>) -> bool {
    state.raised != Grade::Nothing && callee::names_a_removal(super::tail(&call.func))
}

/// `f.write`, to be called by others.
fn is_bound_method(argument: &Expr, state: &State<'_>) -> bool {
    const DATA: [&str; 6] = ["stdin", "stdout", "stderr", "name", "pid", "buf"];
    argument
        .as_attribute_expr()
        .is_some_and(|node| !DATA.contains(&node.attr.as_str()) && state.holds(&node.value).is_some())
}

/// Whether the callee calls it later: `Thread(target=server.serve_forever)`.
fn keeps_callable(setting: Setting<'_, '_>, call: &ExprCall, method: &Expr) -> bool {
    let is_partial = super::tail(&call.func) == "partial";
    let treatment = treatment(setting.world, call, method);
    !is_partial && matches!(treatment, Treatment::Keeps | Treatment::Registers)
}

/// Methods that put something somewhere, and those that take it out again.
const TAKEN_BACK: [(&str, &str); 4] = [
    // An event loop that is set to be run here is nobody else's.
    ("set_event_loop", "run_until_complete"),
    ("addHandler", "removeHandler"),
    ("register", "unregister"),
    ("add_reader", "remove_reader"),
];

/// `logger.addHandler(h)` in a body that says `logger.removeHandler(h)` as well.
fn is_taken_back(setting: Setting<'_, '_>, call: &ExprCall, argument: &Expr) -> bool {
    let tail = super::tail(&call.func);
    let Some((_, back)) = TAKEN_BACK.iter().find(|(puts, _)| *puts == tail) else {
        return false;
    };
    let text = |expr: &Expr| text_at(setting.world.module.text(), expr.range().into());
    let mut inner = body::nodes_of(setting.world, setting.body).filter_map(Node::as_expr);
    inner.any(|expr| {
        let call = expr.as_call_expr().filter(|call| super::tail(&call.func) == *back);
        call.is_some_and(|call| {
            let receiver = call.func.as_attribute_expr().map(|method| &*method.value);
            call.args.iter().chain(receiver).any(|one| text(one) == text(argument))
        })
    })
}

/// `stack.callback(f.close)`, `stack.callback(lambda: f.close())`
pub(super) fn is_bound_release(setting: Setting<'_, '_>, argument: &Expr, state: &State<'_>) -> bool {
    let method = match argument {
        Expr::Lambda(lambda) => lambda.body.as_call_expr().map(|call| &*call.func),
        other => Some(other),
    };
    let Some(Expr::Attribute(node)) = method else {
        return false;
    };
    state.holds(&node.value).is_some() && is_release(setting, &node.attr)
}

pub(super) fn is_release(setting: Setting<'_, '_>, method: &str) -> bool {
    method == "__exit__" || method == "__aexit__" || setting.resource.release.iter().any(|release| release == method)
}

fn call_method<'m>(
    setting: Setting<'_, 'm>,
    expr: &'m Expr,
    method: &str,
    hold: Hold,
    mut state: State<'m>,
) -> Outcome<'m> {
    if state.is_path && hold.wrapped {
        return settle(Span::from(expr.range()), state);
    }
    if setting.dropped.contains(&std::ptr::from_ref(expr)) && setting.resource.awaited.iter().any(|one| one == method) {
        return settle(Span::from(expr.range()), state);
    }
    // `fd.__index__()` is the number that it was.
    if method == "__index__" {
        state.fly(expr, hold);
        return Outcome::Held(state);
    }
    if is_release(setting, method) || (hold.wrapped && ["close", "aclose", "detach"].contains(&method)) {
        return Outcome::Released;
    }
    if (method == "__enter__" || method == "__aenter__") && (hold.wrapped || setting.resource.with_releases) {
        let hold = Hold {
            wrapped: hold.wrapped,
            part: hold.part,
        };
        state.fly(expr, hold);
        return Outcome::Held(state);
    }
    settle(Span::from(expr.range()), state)
}
