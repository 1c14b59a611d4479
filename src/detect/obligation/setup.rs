//! Which steps still belong to setting a resource up: a second acquisition, `connect`, a wrapper. When one
//! of them fails, the resource is held by somebody who has not yet begun to guard it.

use super::callee::{Treatment, treatment};
use super::effect::Setting;
use super::state::State;
use super::{Cause, acquire};
use crate::python::ast::{Expr, ExprCall};
use crate::python::flow::{Kind, Step};

/// Methods that bring a handle into the state in which it is used.
const METHODS: [&str; 25] = [
    "connect",
    "connect_ex",
    "bind",
    "listen",
    "login",
    "starttls",
    "ehlo",
    "helo",
    "do_handshake",
    "handshake",
    "authenticate",
    "auth",
    "auth_password",
    "setsockopt",
    "set_tunnel",
    "set_inheritable",
    "start_client",
    "open_session",
    "get_pty",
    "invoke_shell",
    "register",
    "truncate",
    "initialize",
    "handle_handshake",
    "select_db",
];

/// What sort of step raises.
pub(super) fn cause(setting: Setting<'_, '_>, step: &Step<'_>, state: &State<'_>) -> Cause {
    match step.kind {
        Kind::Raise(_) => Cause::Use,
        Kind::Next(iterable) if state.holds(iterable).is_some() => Cause::Use,
        Kind::Evaluate(Expr::Yield(_) | Expr::YieldFrom(_)) => Cause::Yield,
        Kind::Evaluate(expr) => of_expression(setting, expr, state),
        _ => Cause::Operation,
    }
}

fn of_expression(setting: Setting<'_, '_>, expr: &Expr, state: &State<'_>) -> Cause {
    match expr {
        Expr::Await(node) => of_expression(setting, &node.value, state),
        Expr::Call(call) => of_call(setting, expr, call, state),
        _ => Cause::Operation,
    }
}

fn of_call(setting: Setting<'_, '_>, expr: &Expr, call: &ExprCall, state: &State<'_>) -> Cause {
    let method = call.func.as_attribute_expr();
    let on_handle = method.is_some_and(|method| state.holds(&method.value).is_some());
    let values = call.keywords.iter().map(|keyword| &keyword.value);
    let argument = call.args.iter().chain(values).find(|one| state.carries(one));
    let is_setup = METHODS.contains(&super::tail(&call.func));
    let adopts = |argument: &Expr| {
        let treatment = treatment(setting.world, call, argument);
        matches!(treatment, Treatment::Wraps | Treatment::Passes | Treatment::Keeps)
    };
    let sets_up = acquire::acquires(setting.world, expr)
        || (is_setup && (on_handle || argument.is_some()))
        || argument.is_some_and(adopts);
    if sets_up {
        Cause::Setup
    } else if on_handle || argument.is_some() {
        Cause::Use
    } else {
        Cause::Call
    }
}
