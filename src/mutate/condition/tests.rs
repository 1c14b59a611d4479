//! Rules of conditions that would make a page of cases too long: body by body, what is said of a name.

use crate::mutate::page::Pages;
use crate::mutate::{Index, mutants_of};
use crate::python::{Module, Source};

/// Whether `condition` holds for the body of a `with` on `open`, whose target is `handle`.
fn holds(condition: &str, module: &str) -> bool {
    let front = format!(
        "+++\npattern = \"never-released\"\neffect = \"safe\"\nlabel = \"$a\"\nwitness = \"unreleased\"\nwhere = ['{condition}']\n+++\n"
    );
    let page = format!("{front}# tried\n\n```rewrite\n-with $a as $n:\n-    $$b\n+$n = $a\n+$$b\n```\n");
    let pages = Pages::default()
        .with_files(&[("tried.md".to_owned(), page)])
        .expect("the page is valid");
    let module = Module::parse("module.py", Source::from_text(module)).expect("the module is Python");
    let index = Index::new([module.text()]);
    !mutants_of(&pages, &module, &index).is_empty()
}

fn holds_for(condition: &str, body: &str) -> bool {
    holds(
        condition,
        &format!("def work(path, other):\n    with open(path) as handle:\n        {body}\n"),
    )
}

fn check(condition: &str, yes: &[&str], no: &[&str]) {
    for body in yes {
        assert!(holds_for(condition, body), "{condition} says no of: {body}");
    }
    for body in no {
        assert!(!holds_for(condition, body), "{condition} says yes of: {body}");
    }
}

#[test]
fn what_hands_a_name_on() {
    check(
        "handed-on($n, $$b)",
        &[
            "return handle",
            "return other and handle",
            "yield handle, path",
            "alias = handle",
            "write = handle.write",
            "other[handle] = path",
            "other.append(handle)",
            "setattr(other, 'stream', handle)",
            "other(lambda: handle.read())",
            "def later(stream=handle): pass",
            "both = {handle: path}",
            "for stream in (handle, other): stream.read()",
            "sizes = [stream.tell() for stream in (handle, other)]",
            "if (alias := handle): pass",
            "other(args=(handle,))",
            "other.submit(print, handle)",
        ],
        &[
            "return handle.read()",
            "lines = list(handle)",
            "label = handle.name",
            "other(handle)",
            "print(path, file=handle)",
            "for line in handle: print(line)",
            "lines = [line for line in handle]",
            "raise ValueError(handle.name)",
        ],
    );
}

#[test]
fn what_releases_a_name() {
    check(
        "released($n, $$b)",
        &[
            "handle.close()",
            "other(handle.close)",
            "del handle",
            "with handle: pass",
            "other.enter_context(handle)",
            "io.TextIOWrapper(handle)",
            "codecs.getreader('utf-8')(handle)",
            "os.close(handle.fileno())",
            "loop.create_server(other, sock=handle)",
        ],
        &[
            "handle.read()",
            "other(handle)",
            "other.close()",
            "other.load(handle, path)",
        ],
    );
}

#[test]
fn what_a_callee_of_the_module_does_counts() {
    let after = |definition: &str, call: &str| {
        let module = format!("{definition}\n\ndef work(path):\n    with open(path) as handle:\n        {call}\n");
        holds("released($n, $$b)", &module)
    };
    assert!(after("def end(stream, note=None):\n    stream.close()", "end(handle)"));
    assert!(after(
        "def end(note, *, stream):\n    stream.close()",
        "end(1, stream=handle)"
    ));
    assert!(after("def end(*streams):\n    pass", "end(handle)"));
    assert!(after(
        "class Owner:\n    def __init__(self, stream):\n        self.stream = stream",
        "Owner(handle)"
    ));
    assert!(!after("def end(note, stream):\n    note.close()", "end(path, handle)"));
    assert!(!after(
        "class Counter:\n    def __init__(self, stream):\n        self.n = len(stream.read())",
        "Counter(handle)"
    ));
}

#[test]
fn what_may_raise() {
    check(
        "may-raise($$b)",
        &[
            "handle.read()",
            "try: handle.read()\n        except OSError: pass",
            "with suppress(OSError): handle.read()",
        ],
        &[
            "done = True",
            "pass",
            "try: handle.read()\n        except Exception: pass",
        ],
    );
}

#[test]
fn where_a_name_is_used_once() {
    check(
        "uses-once($n, $$b)",
        &[
            "handle.read()",
            "x = [line for line in handle]",
            "x = other(handle) if path else None",
        ],
        &[
            "pass",
            "other(handle, handle)",
            "x = [path for line in other if line in handle]",
            "other(lambda: handle)",
        ],
    );
}

/// Whether every path of `body` settles `conn`, which `open(path)` has given.
fn settles(body: &str) -> bool {
    let front = "+++\npattern = \"never-released\"\neffect = \"safe\"\nlabel = \"$a\"\nwitness = \"unreleased\"\nwhere = ['settled($n, $a)']\n+++\n";
    let page = format!("{front}# tried\n\n```rewrite\n-$n = $a\n-$$b\n+$n = $a\n+pass\n+$$b\n```\n");
    let pages = Pages::default()
        .with_files(&[("tried.md".to_owned(), page)])
        .expect("the page is valid");
    let text = format!("class C:\n  def work(self, path, other):\n    conn = open(path)\n    {body}\n");
    let module = Module::parse("module.py", Source::from_text(text)).expect("the module is Python");
    !mutants_of(&pages, &module, &Index::new([module.text()])).is_empty()
}

#[test]
fn where_every_path_settles() {
    for body in [
        "conn.close()",
        "return conn",
        "return path, conn",
        "self.conn = conn",
        "other.append(conn)",
        "with conn: other(conn)",
        "try: other(conn)\n    finally: conn.close()",
        "try: other(conn)\n    finally:\n      if conn is not None: conn.close()",
        "try: other(conn)\n    except BaseException:\n      conn.close()\n      raise\n    return conn",
        "try: other(conn)\n    except:\n      conn.close()\n      raise\n    else: conn.close()",
        "if path: conn.close()\n    else: return conn",
        "size = len(path)\n    self.size = size\n    conn.close()",
        "stack = other\n    stack = path\n    conn.close()",
        "while True:\n      try: other(conn)\n      except Exception: break\n    conn.close()",
    ] {
        assert!(settles(body), "not settled: {body}");
    }
    for body in [
        "pass",
        "other(conn)\n    conn.close()",
        "return other(conn)",
        "conn = other",
        "del conn",
        "if path: conn.close()",
        "try: other(conn)\n    except OSError:\n      conn.close()\n      raise\n    return conn",
        "try: other(conn)\n    except Exception: pass\n    conn.flush()\n    conn.close()",
        "alias = conn\n    alias.close()",
        "def later(): conn.close()\n    return later",
        "for line in other: conn = open(line)\n    conn.close()",
        "yield path\n    conn.close()",
        "try: yield path\n    except Exception:\n      conn.close()\n      raise\n    conn.close()",
    ] {
        assert!(!settles(body), "settled: {body}");
    }
}

#[test]
fn what_is_quiet() {
    check(
        "quiet($$b)",
        &[
            "pass",
            "size = 1",
            "other.size = path.size",
            "if path is None: other = path",
        ],
        &[
            "other()",
            "size = path[0]",
            "size = path + 1",
            "name = f'{path}'",
            "for line in other: pass",
        ],
    );
}

#[test]
fn what_raises_more_than_an_os_error() {
    check(
        "raises-beyond($$b, $n)",
        &[
            "other(handle)",
            "x = path[0]",
            "assert path",
            "raise ValueError(path)",
            "handle = int(path)",
        ],
        &[
            "handle.read()",
            "raise OSError(path)",
            "raise",
            "raise other(path)",
            "x = path[1:]",
            "other.warning(path)",
            "x = len(path)",
        ],
    );
}

#[test]
fn what_reads_to_the_end() {
    check(
        "reads-all($n, $$b)",
        &[
            "text = handle.read()",
            "return handle.read().strip()",
            "lines = handle.readlines()",
        ],
        &[
            "head = handle.read(64)",
            "other(handle)",
            "line = handle.readline()",
            "text = other.read()",
        ],
    );
}

#[test]
fn what_an_acquisition_takes_from_its_function() {
    let function = |call: &str| {
        format!(
            "import os\nROOT = os.curdir\ndef work(self, path, mode):\n    with open({call}) as handle:\n        handle.read()\n"
        )
    };
    let taken = ["path", "os.path.join(ROOT, path)", "f'{path}.gz', 'rb'", "path, path"];
    let not_taken = [
        "path, mode",
        "ROOT",
        "self.path",
        "self",
        "[name for name in path][0]",
        "(path := mode)",
    ];
    for call in taken {
        assert!(holds("input($n, $a)", &function(call)), "{call}");
    }
    for call in not_taken {
        assert!(!holds("input($n, $a)", &function(call)), "{call}");
    }
    assert!(holds("parameter(path)", &function("path")));
    assert!(!holds("parameter(handle)", &function("path")));
    assert!(!holds("parameter(ROOT)", &function("path")));
}

#[test]
fn what_stands_around_a_site() {
    let body = "    with open('a') as handle:\n        handle.read()\n";
    let inner = "        with open('a') as handle:\n            handle.read()\n";
    let managed = format!("from contextlib import contextmanager\n@contextmanager\ndef work():\n{body}");
    let wanted = "decorated(\"contextlib.contextmanager\")";
    assert!(holds(wanted, &managed));
    assert!(!holds(&format!("not {wanted}"), &managed));
    assert!(holds(&format!("not {wanted}"), &format!("def work():\n{body}")));
    assert!(holds(
        &format!("not {wanted}"),
        &format!("@staticmethod\ndef work():\n{body}")
    ));
    assert!(!holds(
        &format!("not {wanted}"),
        &format!("from m import scoped\n@scoped\ndef work():\n{body}")
    ));

    let case =
        |base: &str, parameter: &str| format!("import unittest\nclass T({base}):\n    def test({parameter}):\n{inner}");
    assert!(holds("in-testcase()", &case("unittest.TestCase", "self")));
    assert!(!holds("in-testcase()", &case("unittest.TestCase", "cls")));
    assert!(!holds("in-testcase()", &case("object", "self")));
    assert!(!holds("in-testcase()", &format!("def test(self):\n{body}")));

    assert!(holds("runs-once()", &format!("if True:\n{body}")));
    assert!(!holds("runs-once()", &format!("for name in 'ab':\n{body}")));
    assert!(!holds("runs-once()", &format!("def work():\n{body}")));
    assert!(!holds("runs-once()", &format!("class Work:\n{body}")));
}

#[test]
fn what_the_end_of_a_with_does() {
    let of = |call: &str| {
        format!("import sqlite3, ftplib, http.client\ndef work(path):\n    with {call} as held:\n        print(held)\n")
    };
    for (word, call) in [
        ("releases", "open(path)"),
        ("more", "ftplib.FTP(path)"),
        ("keeps", "sqlite3.connect(path)"),
        ("absent", "http.client.HTTPConnection(path)"),
    ] {
        assert!(holds(&format!("exit($a, {word})"), &of(call)), "{call}");
        assert!(!holds(&format!("not exit($a, {word})"), &of(call)), "{call}");
    }
    assert!(!holds("exit($a, keeps)", &of("path()")));
}

#[test]
fn what_an_instance_is_known_by() {
    let of = |before: &str| {
        format!(
            "from contextlib import ExitStack\ndef work(path, stack: ExitStack, other):\n    {before}\n    with stack as held:\n        print(held)\n"
        )
    };
    let wanted = "instance($a, \"contextlib.ExitStack\")";
    assert!(holds(wanted, &of("pass")));
    assert!(holds(wanted, &of("stack = ExitStack()")));
    assert!(!holds(wanted, &of("stack = other")));
}

#[test]
fn what_a_reader_expects_to_leave_a_block() {
    check(
        "escapes($$b)",
        &[
            "return",
            "other(handle)",
            "other.fetch()",
            "int(path)",
            "raise ValueError(path)",
            "del other[path]",
            "import other",
            "yield",
            "if path:\n            raise KeyError\n        other = path",
            "try:\n            other()\n        except OSError:\n            pass",
            "try:\n            other()\n        finally:\n            other = None",
            "for name in path:\n            other(name)",
            "with open(other) as second: pass",
        ],
        &[
            "pass",
            "other.count += 1",
            "other[path] = len(path)",
            "other.items.append(path)",
            "path = other.get(path, 0) + 1",
            "while other: other.pop()",
            "assert other",
            "other.debug('x')",
            "for name in path:\n            if name:\n                continue",
            "try:\n            other()\n        except Exception:\n            pass",
        ],
    );
    let of = |body: &str| format!("{body}\ndef work(path):\n    with open(path) as handle:\n        step(handle)\n");
    assert!(holds(
        "escapes($$b)",
        &of("def step(stream):\n    raise ValueError(stream)")
    ));
    assert!(!holds("escapes($$b)", &of("def step(stream):\n    return stream.name")));
    assert!(!holds("escapes($$b)", &of("class step:\n    count = 0")));
    assert!(!holds(
        "escapes($$b)",
        &of("def step(stream):\n    return step(stream)")
    ));
}
