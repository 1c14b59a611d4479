//! Several things are released one after the other, and one that raises skips the rest; or a descriptor's number is
//! closed each time `close` is called, or `close` cannot be called twice.

use super::course::{self, own_nodes};
use super::memory::collection::{derives, is_self};
use super::obligation::{Fragile, Obligation, Skipped, Twice};
use super::report::{acquisition, finding, on_exception, participle, related};
use super::{Analysed, Info, PythonResourceDetector, primary, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::ast::{Expr, ExprAttribute, ExprCall, Operator, Ranged, Stmt, StmtClassDef};
use crate::python::names::{BindingKind, Def};
use crate::python::{Node, ScopeId, Span};

pub(super) struct FragileRelease;

impl PythonResourceDetector for FragileRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::FragileRelease,
            page: include_str!("pages/fragile-release.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::FragileRelease);
        let reports = all.filter_map(|obligation| {
            let fragile = module.owned(obligation).and_then(|owned| owned.fragile.as_ref());
            if let Some(fragile) = fragile {
                return in_method(module, obligation, fragile);
            }
            let skipped = obligation.fate.skipped.as_ref()?;
            let why = ", which is released first";
            Some(on_exception(module, Pattern::FragileRelease, obligation, skipped, why))
        });
        let statements = module.nodes().filter_map(Node::as_stmt);
        let farewells = statements.filter_map(|statement| farewell_first(module, statement));
        let statements = module.module.nodes().filter_map(Node::as_stmt);
        let in_turn = statements.filter_map(|statement| awaited_in_turn(module, statement));
        let classes = module.module.nodes().filter_map(Node::as_stmt);
        let again = classes.filter_map(|statement| run_again(module, statement.as_class_def_stmt()?));
        reports.chain(farewells).chain(in_turn).chain(again).collect()
    }
}

/// Methods that end an object's life.
const ENDINGS: [&str; 7] = [
    "close",
    "aclose",
    "disconnect",
    "shutdown",
    "stop",
    "__exit__",
    "__aexit__",
];

/// `close` of an object that was handed a connection: it takes leave of the other side, and then closes. Where the
/// other side is gone, the first raises.
fn farewell_first(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let def = Def::of(statement).filter(|def| ENDINGS.contains(&def.name))?;
    module.names.enclosing_class(statement.start().to_u32())?;
    let class = module.names.scope(module.names.scope_of(statement)?).parent?;
    let is_followed = |attribute: &str| is_followed(module, class, attribute);
    let blocks = unguarded_blocks(def.body);
    blocks.into_iter().find_map(|block| {
        let at = block
            .iter()
            .position(|one| closed(one).is_some_and(|attribute| !is_followed(attribute)))?;
        let attribute = closed(&block[at])?;
        let farewell = block[..at]
            .iter()
            .find_map(|one| farewell(module, class, one, attribute))?;
        Some(skips(module, def.name, farewell, attribute))
    })
}

/// Whether the class is seen to acquire what the attribute holds.
fn is_followed(module: &Analysed<'_>, class: ScopeId, attribute: &str) -> bool {
    let mut all = module.obligations().iter();
    all.any(|obligation| {
        let owner = module.names.enclosing_class(obligation.span.start);
        let is_here = owner.is_some_and(|owner| owner == class || derives(module, class, owner));
        is_here && obligation.kept_in_self() == Some(attribute)
    })
}

/// A coroutine that ends an object and waits for one part of it after the other: where it is cancelled in the first, or
/// that raises, nobody closes the others.
fn awaited_in_turn(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let def = Def::of(statement).filter(|def| def.is_async && ENDINGS.contains(&def.name))?;
    let class = module.names.enclosing_class(statement.start().to_u32())?;
    let in_chain = in_chain(def.body);
    let parts: Vec<_> = in_chain.iter().filter_map(|one| Some((closed(one)?, *one))).collect();
    let (first, _) = parts.iter().find(|(_, one)| is_awaited(one))?;
    let (last, at) = parts.last().filter(|(last, _)| last != first)?;
    if is_followed(module, class, last) {
        return None;
    }
    Some(Finding {
        span: called(at)?.range().into(),
        rule: Pattern::FragileRelease.id().to_owned(),
        patterns: vec![Pattern::FragileRelease],
        resource: None,
        confidence: Confidence::Medium,
        message: format!(
            "`{}` does not close `self.{last}` if it is cancelled, or fails, while it closes `self.{first}`",
            def.name
        ),
        suggestion: "shield it from cancellation, and close each in a `finally` or by an `AsyncExitStack`".to_owned(),
        related: Vec::new(),
    })
}

/// A method that ends an object, which a `with`, a finalizer or the end of the program runs as well, and that gives
/// back each time what the object has once.
fn run_again(module: &Analysed<'_>, class: &StmtClassDef) -> Option<Finding> {
    let methods: Vec<_> = class.body.iter().filter_map(Def::of).collect();
    let ending = methods
        .iter()
        .filter(|def| ENDINGS[..6].contains(&def.name) && is_run_besides(module, class, &methods, def.name));
    ending.into_iter().find_map(|def| {
        let is_reported = module.obligations().iter().any(|obligation| {
            let fragile = module.owned(obligation).and_then(|owned| owned.fragile.as_ref());
            let is_here = Span::from(class.range()).contains(obligation.span);
            is_here && fragile.is_some_and(|fragile| fragile.twice.is_some() && fragile.method == def.name)
        });
        let (at, what) = own_nodes(def.body).find_map(|node| given_back(module, class, node))?;
        // What the method takes itself it may give back.
        let takes = own_nodes(def.body).any(|node| match node {
            Node::Expr(Expr::Attribute(node)) => {
                let is_it = node
                    .value
                    .as_attribute_expr()
                    .is_some_and(|lock| lock.attr.as_str() == what);
                is_it && node.attr.as_str() == "acquire"
            }
            _ => false,
        });
        (!is_reported && !takes && !asks(def, what)).then(|| twice(module, def.name, at, what))
    })
}

/// Whether the method asks the object for anything else than that, or catches what it meets.
fn asks(def: &Def<'_>, what: &str) -> bool {
    let is_about_self = |expr: &Expr| {
        let parts = || {
            Node::Expr(expr)
                .descendants()
                .filter_map(|part| part.as_expr()?.as_attribute_expr())
        };
        // `self.shared.users == 0` asks for no more than that either.
        let counts: Vec<_> = parts().filter(|part| part.attr.as_str() == what).collect();
        let is_of_count = |part: &ExprAttribute| counts.iter().any(|count| count.range().contains_range(part.range()));
        parts().any(|part| is_self(&part.value) && !is_of_count(part))
    };
    own_nodes(def.body).any(|node| match node {
        Node::Stmt(Stmt::If(node)) => is_about_self(&node.test),
        Node::Stmt(Stmt::While(node)) => is_about_self(&node.test),
        Node::Stmt(Stmt::Try(node)) => !node.handlers.is_empty(),
        Node::WithItem(item) => item.context_expr.is_call_expr(),
        Node::Expr(Expr::IfExp(node)) => is_about_self(&node.test),
        Node::Expr(expr @ Expr::BoolOp(_)) => is_about_self(expr),
        _ => false,
    })
}

/// Whether something else than its users runs the method: leaving a `with`, a finalizer, the end of the program.
fn is_run_besides(module: &Analysed<'_>, class: &StmtClassDef, methods: &[Def<'_>], name: &str) -> bool {
    let is_method = |expr: &Expr| {
        let method = expr.as_attribute_expr();
        method.is_some_and(|method| method.attr.as_str() == name && is_self(&method.value))
    };
    let calls = |node: Node<'_>| matches!(node, Node::Expr(Expr::Call(call)) if is_method(&call.func));
    // `close` may run what leaving the `with` does.
    let is_exit = name == "__exit__";
    let by_itself = methods.iter().filter(|def| {
        let runs = ["__exit__", "__aexit__", "__del__"].contains(&def.name) || (is_exit && def.name == "close");
        runs && def.name != name
    });
    let mut inner = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    by_itself.into_iter().any(|def| own_nodes(def.body).any(calls))
        || inner.any(|node| match node {
            Node::Expr(Expr::Call(call)) => {
                let is_registered = call.args.first().is_some_and(is_method);
                is_registered && module.names.resolve(&call.func).qualified() == Some("atexit.register")
            }
            _ => false,
        })
}

/// `self._lock.release()`, `Pool.users -= 1`, `os.unlink(self.path)`
fn given_back<'m>(module: &Analysed<'_>, class: &StmtClassDef, node: Node<'m>) -> Option<(Span, &'m str)> {
    match node {
        Node::Stmt(Stmt::AugAssign(count)) if count.op == Operator::Sub && count.value.is_constant_expr() => {
            let counter = count.target.as_attribute_expr()?;
            Some((node.span(), &counter.attr))
        }
        Node::Expr(Expr::Call(call)) if call.args.is_empty() => {
            let method = call
                .func
                .as_attribute_expr()
                .filter(|method| method.attr.as_str() == "release")?;
            let lock = method.value.as_attribute_expr().filter(|lock| is_self(&lock.value))?;
            is_lock(module, class, &lock.attr).then_some((node.span(), lock.attr.as_str()))
        }
        // `shutil.rmtree(self._folder)`
        Node::Expr(Expr::Call(call)) if call.keywords.is_empty() => {
            let [Expr::Attribute(path)] = call.args.as_slice() else {
                return None;
            };
            let resolved = module.names.resolve(&call.func);
            let removes = ["os.unlink", "os.remove", "os.rmdir", "shutil.rmtree"];
            let is_removed = resolved.qualified().is_some_and(|name| removes.contains(&name));
            (is_removed && is_self(&path.value)).then_some((node.span(), path.attr.as_str()))
        }
        _ => None,
    }
}

/// Whether the class makes a lock or semaphore for the attribute, or is handed what is called one.
fn is_lock(module: &Analysed<'_>, class: &StmtClassDef, attribute: &str) -> bool {
    let stored = class
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    let made = stored.filter_map(|node| match node {
        Node::Stmt(Stmt::Assign(assign)) => {
            let target = assign.targets.first()?.as_attribute_expr()?;
            let call = assign.value.as_call_expr()?;
            (target.attr.as_str() == attribute).then_some(module.names.resolve(&call.func))
        }
        _ => None,
    });
    let is_of_threads = |name: &str| {
        let of = ["threading.", "asyncio.", "multiprocessing."];
        let kinds = ["Lock", "RLock", "Semaphore", "BoundedSemaphore"];
        of.iter().any(|of| name.starts_with(of)) && kinds.iter().any(|kind| name.ends_with(kind))
    };
    let made: Vec<_> = made.collect();
    let lower = attribute.to_lowercase();
    let mut words = lower.split('_');
    let is_said = words.any(|word| ["lock", "mutex", "sem", "semaphore"].contains(&word));
    // A lock of another class may be one that can be released twice.
    let mut kinds = made.iter();
    (made.is_empty() && is_said && !is_of_own_class(module, class, attribute))
        || kinds.any(|resolved| resolved.qualified().is_some_and(is_of_threads))
}

/// Whether an annotation says that the attribute, or the parameter that becomes it, is of a class of this module.
fn is_of_own_class(module: &Analysed<'_>, class: &StmtClassDef, attribute: &str) -> bool {
    let is_own = |annotation: &Expr| {
        let mut parts = Node::Expr(annotation).descendants().filter_map(Node::as_expr);
        parts.any(|part| {
            let bindings = part
                .as_name_expr()
                .map(|name| module.names.bindings(&name.id, ScopeId::MODULE));
            let mut kinds = bindings.into_iter().flatten().map(|binding| &binding.kind);
            kinds.any(|kind| matches!(kind, BindingKind::Class(_)))
        })
    };
    let is_it = |target: &Expr| {
        target
            .as_attribute_expr()
            .is_some_and(|node| node.attr.as_str() == attribute)
    };
    let inner = || {
        let body = class.body.iter();
        body.flat_map(|statement| Node::Stmt(statement).descendants())
    };
    let handed: Vec<&str> = inner()
        .filter_map(|node| match node {
            Node::Stmt(Stmt::Assign(assign)) if assign.targets.iter().any(is_it) => {
                assign.value.as_name_expr().map(|name| name.id.as_str())
            }
            _ => None,
        })
        .collect();
    inner().any(|node| match node {
        Node::Stmt(Stmt::AnnAssign(assign)) => is_it(&assign.target) && is_own(&assign.annotation),
        Node::Arg(arg) => handed.contains(&arg.arg.as_str()) && arg.annotation.as_deref().is_some_and(is_own),
        _ => false,
    })
}

fn twice(module: &Analysed<'_>, method: &str, at: Span, what: &str) -> Finding {
    let line = module.line(at.start);
    Finding {
        span: at,
        rule: Pattern::FragileRelease.id().to_owned(),
        patterns: vec![Pattern::FragileRelease],
        resource: None,
        confidence: Confidence::Medium,
        message: format!(
            "a second call of `{method}` gives `{what}` back again on line {line}, and more than users run it"
        ),
        suggestion: format!("let `{method}` ask first whether it has run"),
        related: Vec::new(),
    }
}

/// The statements of a body and of an `if` in it, in their order.
fn in_chain<'m>(body: &'m [Stmt]) -> Vec<&'m Stmt> {
    let inner = |statement: &'m Stmt| match statement {
        Stmt::If(node) => in_chain(&node.body),
        other => vec![other],
    };
    body.iter().flat_map(inner).collect()
}

fn is_awaited(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Expr(node) if node.value.is_await_expr())
}

/// The body and those of an `if` or `with` in it, to any depth.
fn unguarded_blocks(body: &[Stmt]) -> Vec<&[Stmt]> {
    let mut found = vec![body];
    for statement in body {
        match statement {
            Stmt::If(node) => found.extend(unguarded_blocks(&node.body)),
            // A `suppress` guards.
            Stmt::With(node) if !node.items.iter().any(|item| item.context_expr.is_call_expr()) => {
                found.extend(unguarded_blocks(&node.body));
            }
            _ => {}
        }
    }
    found
}

/// The call that a statement is, awaited or not.
fn called(statement: &Stmt) -> Option<&ExprCall> {
    match statement {
        Stmt::Expr(node) => match &*node.value {
            Expr::Await(node) => node.value.as_call_expr(),
            value => value.as_call_expr(),
        },
        _ => None,
    }
}

/// The attribute that `self.sock.close()` closes.
fn closed(statement: &Stmt) -> Option<&str> {
    let method = called(statement)?.func.as_attribute_expr()?;
    let object = method
        .value
        .as_attribute_expr()
        .filter(|object| is_self(&object.value))?;
    ["close", "aclose"]
        .contains(&method.attr.as_str())
        .then_some(object.attr.as_str())
}

/// `self.sock.shutdown(SHUT_RDWR)`, `self.sock.sendall(b"QUIT")`, `self.send_goodbye()`
fn farewell<'m>(module: &Analysed<'_>, class: ScopeId, statement: &'m Stmt, attribute: &str) -> Option<&'m ExprCall> {
    let call = called(statement)?;
    let method = call.func.as_attribute_expr()?;
    let sends = method.attr.trim_start_matches('_').starts_with("send");
    let talks = match &*method.value {
        object if is_self(object) => sends && !is_forgiving(course::method(module, class, &method.attr)),
        Expr::Attribute(object) => {
            let is_socket = method.attr.as_str() == "shutdown" && !call.args.is_empty();
            is_self(&object.value) && object.attr.as_str() == attribute && (sends || is_socket)
        }
        _ => false,
    };
    talks.then_some(call)
}

/// Whether the method catches what it meets, and does not raise it anew.
fn is_forgiving(method: Option<Def<'_>>) -> bool {
    let mut inner = method.into_iter().flat_map(|def| own_nodes(def.body));
    inner.any(|node| match node {
        Node::Stmt(Stmt::Try(node)) => {
            let handlers = node
                .handlers
                .iter()
                .flat_map(|handler| Node::Handler(handler).descendants());
            let mut raises = handlers.filter(|node| matches!(node, Node::Stmt(Stmt::Raise(_))));
            !node.handlers.is_empty() && raises.next().is_none()
        }
        _ => false,
    })
}

fn skips(module: &Analysed<'_>, method: &str, farewell: &ExprCall, attribute: &str) -> Finding {
    let what = text_at(module.module.text(), farewell.func.range().into());
    Finding {
        span: farewell.range().into(),
        rule: Pattern::FragileRelease.id().to_owned(),
        patterns: vec![Pattern::FragileRelease],
        resource: None,
        confidence: Confidence::Medium,
        message: format!(
            "`{method}` does not close `self.{attribute}` if `{what}` raises, as it does once the other side is gone"
        ),
        suggestion: format!("close `self.{attribute}` in a `finally`"),
        related: Vec::new(),
    }
}

/// Whether what raises stands in one block with the release that it skips, and nothing but releases in between: a
/// release before the use of a handle is no part of its own.
pub(super) fn is_in_sequence(module: &Analysed<'_>, obligation: &Obligation<'_>, skipped: &Skipped) -> bool {
    let released = &obligation.fate.released_at;
    let around = module.names.scope(obligation.body).node;
    let whole = module.module.body.as_slice();
    let inner: Vec<_> = match around {
        Some(node) => node.descendants().collect(),
        None => whole.iter().flat_map(|one| Node::Stmt(one).descendants()).collect(),
    };
    let blocks = inner.iter().flat_map(|node| node.blocks());
    blocks.chain([whole]).any(|block| {
        let place = |at: Span| block.iter().position(|one| Span::from(one.range()).contains(at));
        let Some(first) = place(skipped.at) else { return false };
        released
            .iter()
            .filter_map(|at| place(*at))
            .any(|last| first < last && block[first..=last].iter().all(is_plain))
    })
}

/// `a.close()`, `await b.aclose()`, `if c: c.close()`, `d = None`
fn is_plain(statement: &Stmt) -> bool {
    match statement {
        Stmt::If(node) => node.body.iter().chain(&node.orelse).all(is_plain),
        Stmt::Assign(node) => !node.value.is_call_expr(),
        other => matches!(other, Stmt::Expr(_) | Stmt::Delete(_) | Stmt::Pass(_)),
    }
}

fn in_method<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>, fragile: &Fragile) -> Option<Finding> {
    let attribute = obligation.on_self()?;
    let (what, done) = (acquisition(obligation), participle(obligation));
    let (method, line) = (&fragile.method, module.line(fragile.at.start));
    let message = match fragile.twice {
        Some(Twice::Closes) => {
            format!("{what} is kept as `self.{attribute}`, and a second call of `{method}` closes its number again")
        }
        Some(Twice::GivesBack) => {
            format!("{what} is kept as `self.{attribute}`, and a second call of `{method}` gives it back again")
        }
        Some(Twice::Fails) => {
            format!("{what} is kept as `self.{attribute}`, and a second call of `{method}` fails on line {line}")
        }
        None => {
            format!("{what} is kept as `self.{attribute}`, and `{method}` does not get it {done} if line {line} raises")
        }
    };
    let confidence = if fragile.is_likely {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let mut finding = finding(Pattern::FragileRelease, obligation, confidence, message);
    finding.suggestion = match fragile.twice {
        Some(Twice::Fails) => format!("let `{method}` ask first whether it has run"),
        Some(_) => format!("take it out of `self.{attribute}` before, and ask whether it is there"),
        None => format!("put the release of `self.{attribute}` into a `finally`, or use an `ExitStack`"),
    };
    finding.related.push(related(fragile.at, "here"));
    Some(finding)
}
