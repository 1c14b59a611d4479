//! Text in, text out: graphs as lines, and answers about marked statements.

use super::*;
use crate::python::parse::parse_suite;
use crate::python::span::offset;

/// One line per reachable step: number, what it does, `>` where it goes. `!` marks exceptions, `+`
/// and `-` the two ways of a branch.
fn drawn(code: &str) -> String {
    let body = parse_suite(code).unwrap();
    let suppress = |context: &Expr| matches!(context, Expr::Call(call) if call.func.as_name_expr().is_some_and(|name| &name.id == "suppress"));
    let options = Options {
        swallows: &suppress,
        ..Options::default()
    };
    let graph = Graph::with_options(&body, &options);
    let reachable = graph.reachable();
    let mut out = String::new();
    for id in graph.ids().filter(|id| reachable[*id as usize]) {
        let label = label(&graph, id, code);
        if id > Graph::JUMPED && !label.is_empty() {
            let next: Vec<_> = graph
                .out(id)
                .iter()
                .flat_map(|edge| ends(&graph, *edge, code))
                .collect();
            out.extend([id.to_string(), format!(" {label} > "), next.join(" "), "\n".to_owned()]);
        }
    }
    out
}

fn label(graph: &Graph<'_>, id: StepId, code: &str) -> String {
    let step = graph.step(id);
    let text = step.span.of(code);
    match &step.kind {
        Kind::Join
        | Kind::Dispatch(_)
        | Kind::Entry
        | Kind::Nothing
        | Kind::Load(_)
        | Kind::Discard(_)
        | Kind::Create(_) => String::new(),
        Kind::End => "end".into(),
        Kind::Returned => "returned".into(),
        Kind::Raised => "raised".into(),
        Kind::Jumped => "jumped".into(),
        Kind::Leave(_, way) => format!("leave {text} {way:?}").to_lowercase(),
        Kind::BindName(name) => format!("bind {name}"),
        Kind::Catch(_) => text.lines().next().unwrap_or("").to_owned(),
        other => {
            let debug = format!("{other:?}").to_lowercase();
            let word = debug.split(['(', ' ']).next().unwrap_or("").to_owned();
            format!("{word} {text}")
        }
    }
}

fn ends(graph: &Graph<'_>, edge: Edge, code: &str) -> Vec<String> {
    let mark = match edge.kind {
        EdgeKind::Normal => "",
        EdgeKind::Exception => "!",
        EdgeKind::True => "+",
        EdgeKind::False => "-",
    };
    let label = label(graph, edge.to, code);
    if edge.to <= Graph::JUMPED {
        return vec![format!("{mark}{label}")];
    }
    if !label.is_empty() {
        return vec![format!("{mark}{}", edge.to)];
    }
    let next = graph.out(edge.to).iter().flat_map(|next| ends(graph, *next, code));
    next.map(|end| format!("{mark}{}", end.trim_start_matches('!')))
        .collect()
}

#[track_caller]
fn check(code: &str, expected: &str) {
    let drawn = drawn(code);
    let trimmed: Vec<_> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(drawn.lines().collect::<Vec<_>>(), trimmed, "\n{drawn}");
}

/// The span of the statement whose first line ends in `# here`.
fn here(code: &str, body: &[Stmt]) -> Span {
    let mark = offset(code.find("# here").unwrap());
    let line = code[..mark as usize].rfind('\n').map_or(0, |at| offset(at + 1));
    let found = crate::python::walk(body)
        .filter_map(Node::as_stmt)
        .map(|statement| Node::Stmt(statement).span());
    found
        .filter(|span| span.start >= line && span.start < mark)
        .min()
        .unwrap()
}

fn live(code: &str) -> bool {
    let body = parse_suite(code).unwrap();
    let Stmt::FunctionDef(function) = &body[0] else {
        panic!("a function")
    };
    Graph::of_body(&function.body).live_after("f", here(code, &function.body))
}

#[track_caller]
fn ask(question: fn(&[Stmt]) -> bool, yes: &[&str], no: &[&str]) {
    for (codes, answer) in [(yes, true), (no, false)] {
        for code in codes {
            assert_eq!(question(&parse_suite(code).unwrap()), answer, "{code}");
        }
    }
}

#[test]
fn a_call_may_raise_and_a_binding_may_not() {
    check(
        "f = open(p)\nf.read()\n",
        "7 evaluate open(p) > 8 !raised
         8 bind f > 10
         10 evaluate f.read > 11 !raised
         11 evaluate f.read() > end !raised",
    );
}

#[test]
fn a_finally_body_stands_once_per_way_out() {
    check(
        "try:\n    if a: return b()\n    c()\nfinally:\n    d()\n",
        "7 branch a > +9 -13
         9 evaluate b() > 10 !23
         10 return return b() > 20
         13 evaluate c() > 17 !23
         17 evaluate d() > end !raised
         20 evaluate d() > returned !raised
         23 evaluate d() > raised !raised",
    );
}

#[test]
fn every_handler_may_match_and_only_exception_stops_ordinary_ones() {
    check(
        "try:\n    a()\nexcept KeyError as e:\n    b()\nelse:\n    c()\n",
        "8 evaluate a() > 11 !13 !raised
         11 evaluate c() > end !raised
         13 except KeyError as e: > 15
         15 bind e > 17
         17 evaluate b() > end !raised",
    );
    check(
        "try:\n    yield\nexcept Exception:\n    b()\n",
        "7 evaluate yield > end !9 !raised
         9 except Exception: > 12
         12 evaluate b() > end !raised",
    );
}

#[test]
fn a_with_leaves_on_every_way_and_suppress_swallows() {
    check(
        "for x in y:\n    with a() as f, suppress(E):\n        break\n",
        "6 next y > !raised +7 -end
         7 bind x > 9
         9 evaluate a() > 10 !raised
         10 enter a() > 12 !raised
         12 bind f > 15
         15 evaluate suppress(E) > 16 !23
         16 enter suppress(E) > 20 !23
         20 leave suppress(e) break > 22 !23
         22 leave a() break > end !raised
         23 leave a() raise > raised !raised",
    );
}

#[test]
fn tests_are_taken_apart() {
    check(
        "while not a or b:\n    pass\nelse:\n    c = 1 if d else 2\n",
        "7 branch a > +9 -7
         9 branch b > +7 -12
         12 branch d > +13 -13
         13 bind c > end",
    );
}

#[test]
fn loads_count_on_every_path_after_the_statement() {
    assert!(live("def g():\n    f = 1  # here\n    return f\n"));
    assert!(!live("def g():\n    f = 1  # here\n    f = 2\n    return f\n"));
    assert!(!live(
        "def g():\n    with a() as f:  # here\n        f.read()\n    return 1\n"
    ));
    assert!(live(
        "def g():\n    while a:\n        print(f)\n        with b() as f:  # here\n            pass\n"
    ));
    assert!(!live(
        "def g():\n    while a:\n        f = 1\n        with b() as f:  # here\n            pass\n"
    ));
    assert!(live(
        "def g():\n    try:\n        f = b()  # here\n    finally:\n        print(f)\n"
    ));
    assert!(!live("def g():\n    f = b()  # here\n    del f\n"));
    assert!(live("def g():\n    f = b()  # here\n    f += 1\n"));
}

#[test]
fn nested_scopes_and_global_names_load_at_any_time() {
    assert!(live("def g():\n    h = lambda: f\n    f = 1  # here\n    h()\n"));
    assert!(!live("def g():\n    h = lambda f: f\n    f = 1  # here\n    h()\n"));
    assert!(live("def g():\n    global f\n    f = 1  # here\n"));
    assert!(live(
        "def g():\n    f = 1  # here\n    class C:\n        def h(self):\n            return f\n"
    ));
    assert!(!live(
        "def g():\n    f = 1  # here\n    def h():\n        f = 2\n        return lambda: f\n"
    ));
}

#[test]
fn falling_through() {
    ask(
        falls_through,
        &[
            "a()\n",
            "while a:\n    pass\n",
            "while True:\n    if a: break\n",
            "try:\n    raise E\nexcept E:\n    pass\n",
            "match a:\n    case 1: return\n",
        ],
        &[
            "return\n",
            "while True:\n    a()\n",
            "if a: return\nelse: raise E\n",
            "continue\n",
            "try:\n    a()\nfinally:\n    return\n",
            "match a:\n    case 1: return\n    case _: raise E\n",
        ],
    );
}

#[test]
fn leaving_early() {
    ask(
        leaves_early,
        &[
            "if a: return\n",
            "for x in y: pass\nelse: break\n",
            "with a: continue\n",
        ],
        &["for x in y: break\n", "def g(): return\n", "raise E\n"],
    );
}

#[test]
fn raising_and_yielding() {
    ask(
        may_raise,
        &[
            "a()\n",
            "a.b\n",
            "a[0]\n",
            "a + b\n",
            "a == b\n",
            "import a\n",
            "for x in y: pass\n",
            "del a.b\n",
            "a, b = c\n",
            "raise E\n",
            "f'{a}'\n",
            "a.b = c\n",
            "async def g(x=a()): pass\n",
        ],
        &[
            "a = b\n",
            "a = b is None or not c\n",
            "pass\n",
            "a, b = b, a\n",
            "x = -1\n",
            "del a\n",
            "g = lambda: a()\n",
            "def g(x=1): a()\n",
            "a = [b, (c, 1)]\n",
            "x: List[int] = 1\n",
        ],
    );
    ask(
        has_yield,
        &["x = yield\n", "if (yield from a): pass\n"],
        &["def g(): yield\n", "g = lambda: (yield)\n"],
    );
}

/// On the stack of a worker thread, and in time: nothing here is quadratic.
#[test]
fn huge_bodies_are_built() {
    let lines = |depths: Vec<usize>, line: &str| -> String {
        depths
            .into_iter()
            .flat_map(|depth| [" ".repeat(depth), line.to_owned()])
            .collect()
    };
    let tries = lines((0..1_000).collect(), "try:\n")
        + &lines(vec![1_000], "a()\n")
        + &lines((0..1_000).rev().collect(), "finally: b()\n");
    let finals: Vec<_> = (0..40)
        .map(|depth| lines(vec![depth], "try: a()\n") + &lines(vec![depth], "finally:\n"))
        .collect();
    let long = "if a.b(): return c\nelif d: e = f()\n".repeat(5_000);
    let elifs = format!("if a: b()\n{}", "elif a: b()\n".repeat(2_500));
    let sum = format!("x = a{}\n", " + a".repeat(2_500));
    let returns = format!(
        "try:\n{}finally:\n{}",
        " if a: return b\n".repeat(2_000),
        " c()\n".repeat(2_000)
    );
    for code in [
        tries,
        finals.concat() + &" ".repeat(40) + "a()\n",
        long,
        elifs,
        sum,
        returns,
    ] {
        let build = move || {
            let body = parse_suite(&code).unwrap();
            let graph = Graph::of_body(&body);
            assert!(graph.steps.len() < 120_000, "{}", graph.steps.len());
        };
        let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(build);
        worker.unwrap().join().unwrap();
    }
}
