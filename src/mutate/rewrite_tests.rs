//! What the engine makes of a rewrite, apart from any page: a rewrite and a module go in, a text comes out.

use super::index::Index;
use super::{Pages, mutants_of};
use crate::python::{Module, Source};

/// The mutants that a rewrite makes of a module; its label is `$n`.
fn rewritten(rewrite: &str, module: &str) -> Vec<String> {
    let front = "+++\npattern = \"never-released\"\neffect = \"safe\"\nlabel = \"$n\"\nwitness = \"unreleased\"\n+++\n";
    let page = format!("{front}# tried\n\n```rewrite\n{rewrite}\n```\n");
    let pages = Pages::default()
        .with_files(&[("tried.md".to_owned(), page)])
        .expect("the page is valid");
    let module = Module::parse("module.py", Source::from_text(module)).expect("the module is Python");
    let mutants = mutants_of(&pages, &module, &Index::new([module.text()]));
    mutants.iter().map(|mutant| mutant.edits.apply(module.text())).collect()
}

#[track_caller]
fn check(rewrite: &str, module: &str, expected: &[&str]) {
    assert_eq!(rewritten(rewrite, module), expected, "{rewrite}\non\n{module}");
}

const DROP_STOP: &str = " $n = start()\n $$rest\n@@ function @@\n-$n.stop()";

/// `body` in a function, before and after `x.stop()` is deleted.
#[track_caller]
fn stop_goes(body: &str, expected: Option<&str>) {
    let in_function = |body: &str| format!("def work(a):\n    x = start()\n{body}    return a\n");
    let expected = expected.map(in_function);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(DROP_STOP, &in_function(body), &expected);
}

#[test]
fn an_emptied_finally_vanishes() {
    stop_goes(
        "    try:\n        x.run()\n    except OSError:\n        pass\n    finally:\n        x.stop()  # always\n",
        Some("    try:\n        x.run()\n    except OSError:\n        pass\n    # always\n"),
    );
    stop_goes(
        "    try:\n        x.run()\n    except OSError: pass\n    finally: x.stop()\n",
        Some("    try:\n        x.run()\n    except OSError: pass\n"),
    );
}

#[test]
fn a_try_without_handlers_gives_its_body() {
    stop_goes(
        "    try:\n        # once\n        x.run(\n            a)\n    finally:\n        x.stop()\n",
        Some("    # once\n    x.run(\n        a)\n"),
    );
    stop_goes(
        "    try:  # hard\n        x.run()\n    finally:\n        # soft\n        x.stop()\n",
        Some("    # hard\n    x.run()\n    # soft\n"),
    );
    stop_goes("    try: x.run()\n    finally: x.stop()\n", Some("    x.run()\n"));
}

#[test]
fn an_emptied_else_vanishes() {
    let kept = "    for b in a:\n        print(b)\n";
    stop_goes(&format!("{kept}    else:\n        x.stop()\n"), Some(kept));
    let kept = "    while a.more():\n        print(a)\n";
    stop_goes(&format!("{kept}    else:\n        x.stop()\n"), Some(kept));
    let kept = "    if a.more():\n        print(a)\n";
    stop_goes(&format!("{kept}    else:\n        x.stop()\n"), Some(kept));
    let kept = "    try:\n        print(a)\n    except OSError:\n        pass\n";
    stop_goes(&format!("{kept}    else:\n        x.stop()\n"), Some(kept));
}

#[test]
fn an_emptied_if_vanishes_when_its_test_does_nothing() {
    stop_goes("    if x is not None:\n        x.stop()\n", Some(""));
    stop_goes("    if x: x.stop()\n", Some(""));
    stop_goes("    if x.poll():\n        x.stop()\n", None);
    stop_goes("    if a:\n        print(a)\n    elif x:\n        x.stop()\n", None);
    stop_goes("    if x:\n        x.stop()\n    else:\n        print(a)\n", None);
}

#[test]
fn what_would_stay_empty_declines() {
    stop_goes("    with a:\n        x.stop()\n", None);
    stop_goes("    for b in a:\n        x.stop()\n", None);
    stop_goes("    try:\n        x.stop()\n    except OSError:\n        pass\n", None);
    stop_goes(
        "    try:\n        print(a)\n    except OSError:\n        x.stop()\n",
        None,
    );
    stop_goes("    with a:\n        if x:\n            x.stop()\n", None);
    stop_goes("    print(a); x.stop()\n", None);
}

#[test]
fn a_def_that_is_emptied_keeps_a_pass() {
    let page = " $n = 1\n@@ module @@\n-print($n)";
    check(
        page,
        "size = 1\ndef show():\n    # here\n    print(size)\n\nshow()\n",
        &["size = 1\ndef show():\n    # here\n    pass\n\nshow()\n"],
    );
    check(
        page,
        "size = 1\ndef show(): print(size)\n",
        &["size = 1\ndef show(): pass\n"],
    );
    check(
        page,
        "size = 1\nclass Show:\n    def show(self):\n        '''Shows.'''\n        print(size)\n",
        &["size = 1\nclass Show:\n    def show(self):\n        '''Shows.'''\n"],
    );
}

#[test]
fn a_hunk_of_a_function_needs_one() {
    check(DROP_STOP, "x = start()\nx.run()\nx.stop()\n", &[]);
    check(
        " $n = start()\n@@ class each @@\n-$n.stop()",
        "x = start()\nx.stop()\n",
        &[],
    );
}

#[test]
fn handlers_are_a_list() {
    let keep = " $n = start()\n try:\n     $$body\n except $$before: ...\n except OSError:\n-    $n.stop()\n     raise\n except $$after: ...";
    check(
        keep,
        "x = start()\ntry:\n    x.run()\nexcept KeyError:\n    pass\nexcept OSError:\n    x.stop()\n    raise\n",
        &["x = start()\ntry:\n    x.run()\nexcept KeyError:\n    pass\nexcept OSError:\n    raise\n"],
    );
    let drop = " $n = start()\n-try:\n-    $$body\n-except $$handlers: ...\n+$$body";
    check(
        drop,
        "x = start()\ntry:\n    x.run()\nexcept KeyError:\n    pass\nexcept (OSError, TypeError) as e:\n    raise\n",
        &["x = start()\nx.run()\n"],
    );
    let wrap = " $n = start()\n-try:\n-    $$body\n-except $$handlers: ...\n+for _ in $n:\n+    try:\n+        $$body\n+    except $$handlers: ...";
    check(
        wrap,
        "x = start()\ntry:\n    x.run()\nexcept KeyError:\n    pass\nexcept OSError:\n    raise\n",
        &[
            "x = start()\nfor _ in x:\n    try:\n        x.run()\n    except KeyError:\n        pass\n    except OSError:\n        raise\n",
        ],
    );
}

#[test]
fn the_last_statement_of_a_def_can_go() {
    check(
        DROP_STOP,
        "def work():\n    x = start()\n    x.stop()\n\nprint(1)\n",
        &["def work():\n    x = start()\n\nprint(1)\n"],
    );
}

#[test]
fn later_hunks_see_what_one_has_bound() {
    check(
        " $n = start()\n $$rest\n@@ function @@\n-$n.$stop()\n+end($n)\n@@ module @@\n+def end(it):\n+    it.$stop()",
        "def work():\n    x = start()\n    x.halt()\n    return 1\n",
        &["def end(it):\n    it.halt()\n\n\ndef work():\n    x = start()\n    end(x)\n    return 1\n"],
    );
}

#[test]
fn keywords_come_and_go() {
    let gone = " $n = start()\n-use($$a, size=$s)\n+use($$a)";
    check(
        gone,
        "x = start()\nuse(1, size=2, b=3)\n",
        &["x = start()\nuse(1, b=3)\n"],
    );
    check(gone, "x = start()\nuse((1), size=2)\n", &["x = start()\nuse(1)\n"]);
    check(gone, "x = start()\nuse(size=2)\n", &["x = start()\nuse()\n"]);
    let more = " $n = start()\n-use($$a)\n+use($$a, size=2)";
    check(
        more,
        "x = start()\nuse(\n    1, b=3)\n",
        &["x = start()\nuse(1, b=3, size=2)\n"],
    );
    check(more, "x = start()\nuse()\n", &["x = start()\nuse(size=2)\n"]);
}

#[test]
fn aligned_lines_follow_their_expression() {
    let unwrap = "-with $a as $n:\n-    $$b\n+$n = $a\n+$$b";
    check(
        unwrap,
        "with start(1,\n           2) as x:\n    x.run(3,\n          4)\n",
        &["x = start(1,\n          2)\nx.run(3,\n      4)\n"],
    );
    check(
        unwrap,
        "if 1:\n    with start(\n        1,\n        2,\n    ) as x:\n        x.run()\n",
        &["if 1:\n    x = start(\n        1,\n        2,\n    )\n    x.run()\n"],
    );
}

#[test]
fn decorators_are_a_list() {
    let page = " @$$above\n-@cache($$size)\n+@cache(maxsize=None)\n @$$below\n def $n($$p):\n     $$body";
    check(
        page,
        "@first\n@cache(5)  # five\n@last\nasync def f(a):\n    return a\n",
        &["@first\n@cache(maxsize=None)  # five\n@last\nasync def f(a):\n    return a\n"],
    );
    check(page, "@first\ndef f(a):\n    return a\n", &[]);
    let gone = " @$$above\n-@cache\n @$$below\n def $n($$p):\n     $$body";
    check(
        gone,
        "class C:\n    @property\n    @cache\n    def f(self):\n        return 1\n",
        &["class C:\n    @property\n    def f(self):\n        return 1\n"],
    );
}
