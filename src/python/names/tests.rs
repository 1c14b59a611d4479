//! Small modules whose comments say what holds there.

use super::*;
use crate::python::node::Node;
use crate::python::source::Source;

fn module(text: &str) -> Module {
    Module::parse("test.py", Source::from_text(text)).unwrap()
}

/// Each `name = meaning` in a comment says what the last chain of that spelling on the line
/// resolves to: a dotted name; `?` if unknown; the scope and the bindings of a local one. A meaning
/// with `|` lists the candidates.
fn check(text: &str) {
    let module = module(text);
    let names = Names::new(&module);
    let mut checked = 0;
    for (number, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.split_once("# ") else {
            continue;
        };
        for claim in comment.split("; ") {
            let (spelled, meaning) = claim.split_once(" = ").unwrap();
            let found = shown(&module, &names, number, spelled, meaning.contains('|'));
            assert_eq!(found, meaning, "{spelled} in line {} of\n{text}", number + 1);
            checked += 1;
        }
    }
    assert!(checked > 0, "no claims in\n{text}");
}

fn shown(module: &Module, names: &Names<'_>, line: usize, spelled: &str, candidates: bool) -> String {
    let here = |expr: &&Expr| {
        let span = Node::Expr(expr).span();
        module.lines.line_of(span.start) as usize == line && span.of(module.text()) == spelled
    };
    let exprs = module.nodes().filter_map(Node::as_expr).filter(here);
    let expr = exprs.max_by_key(|expr| expr.start().to_u32()).expect(spelled);
    if candidates {
        return names.candidates(expr).join("|");
    }
    match names.resolve(expr) {
        Resolved::Qualified(name) => name,
        Resolved::Unknown => "?".to_owned(),
        Resolved::Local { scope, bindings, path } => {
            let kinds: Vec<_> = bindings.iter().map(|binding| kind_name(&binding.kind)).collect();
            let dotted = [vec![kinds.join("+")], path].concat().join(".");
            format!("{} {dotted}", names.scope(scope).qualname)
        }
    }
}

fn kind_name(kind: &BindingKind<'_>) -> String {
    let debug = format!("{kind:?}");
    let word: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    word.to_lowercase()
}

#[test]
fn imports_resolve_to_what_they_import() {
    check(
        "\
import socket
import os.path
import concurrent.futures as cf, json
from tempfile import NamedTemporaryFile as Temp, mkdtemp
socket.socket()  # socket.socket = socket.socket
os.path.join  # os.path.join = os.path.join
os.open  # os.open = os.open
cf.ThreadPoolExecutor  # cf.ThreadPoolExecutor = concurrent.futures.ThreadPoolExecutor; cf = concurrent.futures
json.load  # json.load = json.load
Temp()  # Temp = tempfile.NamedTemporaryFile
mkdtemp()  # mkdtemp = tempfile.mkdtemp
",
    );
}

#[test]
fn relative_imports_keep_their_dots() {
    check(
        "\
from . import sibling
from .pkg.mod import name
from ..up import other as o
from ... import top
sibling.f  # sibling.f = .sibling.f
name  # name = .pkg.mod.name
o  # o = ..up.other
top  # top = ...top
",
    );
}

#[test]
fn builtins_count_unless_shadowed() {
    check(
        "\
open(p)  # open = builtins.open; p = ?
print(__name__)  # print = builtins.print; __name__ = ?
def f(input):
    input()  # input = ?
    max = 3
    return max  # max = f assign
def g():
    return max  # max = builtins.max
class C:
    def open(self):
        return open(1)  # open = builtins.open
    open(2)  # open = C def
",
    );
}

#[test]
fn a_shadowing_name_of_the_module_counts_everywhere() {
    check(
        "\
def f():
    return open(1)  # open = <module> def
def open(path):
    pass
",
    );
}

#[test]
fn an_alias_assigned_once_is_followed() {
    check(
        "\
import gzip, socket
o = open
opener: object = gzip.open
S = socket
again = o
class Owner: pass
Alias = Owner
twice = open
twice = gzip.open
same = open
same = open
handle = open(1)
def f(p):
    o(1)  # o = builtins.open
    opener(1)  # opener = gzip.open
    S.create_connection(1)  # S.create_connection = socket.create_connection
    Alias.make()  # Alias.make = <module> class.make
    twice(1)  # twice = <module> assign+assign
    twice(2)  # twice = builtins.open|gzip.open
    same(1)  # same = builtins.open
    handle.close()  # handle.close = <module> assign.close
    mine = p
    mine.x  # mine.x = f assign.x
    (w := open)(1)  # w = builtins.open
",
    );
}

#[test]
fn the_right_hand_side_of_a_shadowing_assignment_is_the_outer_name() {
    check(
        "\
open = open
def f():
    return open  # open = builtins.open
class C:
    str = str
    int(1)  # int = builtins.int
    int = 3
    int  # int = C assign
    str  # str = builtins.str
a = b  # b = ?
b = a
a.x  # a.x = <module> assign.x
",
    );
}

#[test]
fn an_endless_alias_ends() {
    check(
        "\
def f():
    return a.x  # a.x = <module> assign.x
a = b
b = a
def g():
    return c  # c = <module> assign+assign
c = d
c = d
d = c
d = c
",
    );
}

#[test]
fn two_imports_of_a_name_are_unknown_but_candidates() {
    check(
        "\
try:
    import simplejson as json
except ImportError:
    import json
try:
    import ssl
except ImportError:
    ssl = None
try:
    from lz import open as lzopen
except ImportError:
    def lzopen(p): pass
if ssl:
    from os import path
else:
    from os import path
json.load  # json.load = ?; json.load = simplejson.load|json.load
ssl.wrap  # ssl.wrap = ssl.wrap
lzopen  # lzopen = ?
path.join  # path.join = os.path.join
",
    );
}

#[test]
fn a_star_import_may_bring_anything_that_is_not_bound() {
    check(
        "\
from os.path import *
from . import *
import socket
open(1)  # open = ?; open = os.path.open|.open|builtins.open
socket.socket  # socket.socket = socket.socket
join  # join = ?; join = os.path.join|.join
def f():
    x = 1
    return x  # x = f assign
",
    );
}

#[test]
fn class_scopes_are_skipped_by_functions_inside() {
    check(
        "\
name = open
class C:
    name = 1
    name  # name = C assign
    def method(self):
        name  # name = builtins.open
        return [name for _ in name]  # name = builtins.open
    inside = [name for _ in name]  # name = C assign
    lazy = lambda: name  # name = builtins.open
",
    );
}

#[test]
fn global_and_nonlocal_bind_elsewhere() {
    check(
        "\
def outer():
    count = 0
    def inner():
        nonlocal count
        global shared
        count = 1
        shared = 2
        def deepest():
            return shared, count  # shared = <module> assign; count = outer assign+assign
        return count  # count = outer assign+assign
    return shared  # shared = <module> assign
def g():
    global json
    import json
json.load  # json.load = json.load
def h():
    open = 1
    def i():
        global open
        return open  # open = builtins.open
    return open  # open = h assign
",
    );
}

#[test]
fn comprehensions_have_their_own_targets_and_walrus_binds_outside() {
    check(
        "\
import x, y
def f(data):
    found = [x for x in data if (last := x)]  # data = ?
    last  # last = f assign
    x.a  # x.a = x.a
    [y for y in y.items]  # y.items = y.items
    return [y.z for y in data]  # y.z = f.<locals>.<listcomp> for.z
print([top := 1 for _ in 'ab'])
top  # top = <module> assign
",
    );
}

#[test]
fn every_kind_of_binding_is_known() {
    check(
        "\
def f(a, /, b, *c, d=1, **e):
    for i, (j, *k) in a: i; j; k  # i = f for; j = f for; k = f for
    with a as m, b as (n, o): m; n; o  # m = f with; n = f with; o = f with
    try: pass
    except (OSError) as p: p  # p = f except; OSError = builtins.OSError
    q += 1; q  # q = f augassign
    del r; r  # r = f del
    s: int; s  # s = f annotated
    match a:
        case [t, *u] | {'k': v, **w} | (C(x=y) as z): t; u; v; w; y; z  # t = f match; u = f match; v = f match; w = f match; y = f match; z = f match
    async def aa(): pass
    class bb: pass
    aa; bb; c; d; e  # aa = f def; bb = f class; c = ?; d = ?; e = ?
    import cc.dd; cc  # cc = cc
    g = h = a.x; g; h  # g = f assign; h = f assign
    ee.x = 1; ee[0] = 2  # ee = ?
    while (l := 1): l  # l = f assign
",
    );
}

#[test]
fn decorators_defaults_and_annotations_belong_outside() {
    check(
        "\
import deco, T
class Owner:
    open = 1
    @deco.wrap(open)  # deco.wrap = deco.wrap; open = Owner assign
    def open2(self, deco=deco.x, *, y: T.a = T.b) -> T.c: deco; T  # deco.x = deco.x; T.a = T.a; T.b = T.b; T.c = T.c; deco = ?
    call = lambda deco=deco.x: deco.y  # deco.x = deco.x; deco.y = ?
",
    );
}

#[test]
fn type_parameters_have_a_scope_around_the_header() {
    check(
        "\
def f[T: int, *Ts, **P](a: T = T) -> Ts: T; P  # Ts = <module> typeparam; T = <module> typeparam; P = <module> typeparam
class C[U](Base[U]):  # U = <module> typeparam; Base = ?
    attr = 1
    def m[V](self, a: attr): return attr, V, U  # V = C typeparam; U = <module> typeparam
type X[W] = list[W]  # W = <module> typeparam; list = builtins.list
X  # X = <module> assign
",
    );
}

#[test]
fn private_names_belong_to_their_class() {
    check(
        "\
__helper = open
class _C:
    __helper = 1
    __helper  # __helper = _C assign
    def m(self):
        return __helper  # __helper = ?
def f():
    return __helper  # __helper = builtins.open
",
    );
}

#[test]
fn names_in_f_strings_count() {
    check(
        "\
import json
def f(a):
    b = 1
    return f'{json.dumps(a)} {b!r:>{b}}'  # json.dumps = json.dumps; b = f assign
",
    );
}

#[test]
fn expressions_that_are_no_chains_are_unknown() {
    check("import a\na.b().c  # a.b().c = ?; a.b() = ?; a.b = a.b\n");
}

/// The qualname, kind and parent of every scope.
#[test]
fn scopes_are_named_as_python_names_them() {
    let text = "\
class A:
    class B:
        def m(self):
            def inner(): return lambda: [x for x in y]
def f():
    class C:
        async def n[T](self): pass
    global g
    def g():
        def h(): pass
";
    let module = module(text);
    let names = Names::new(&module);
    let mut found: Vec<_> = names
        .scopes()
        .filter(|(_, scope)| scope.kind != ScopeKind::TypeParams)
        .map(|(_, scope)| scope.qualname.as_str())
        .collect();
    found.sort_unstable();
    let expected = [
        "<module>",
        "A",
        "A.B",
        "A.B.m",
        "A.B.m.<locals>.inner",
        "A.B.m.<locals>.inner.<locals>.<lambda>",
        "A.B.m.<locals>.inner.<locals>.<lambda>.<locals>.<listcomp>",
        "f",
        "f.<locals>.C",
        "f.<locals>.C.n",
        "g",
        "g.<locals>.h",
    ];
    assert_eq!(found, expected);
}

#[test]
fn offsets_lie_in_the_scope_in_which_names_resolve() {
    let text = "\
@deco
class A(base):
    attr = 1
    def m(self, x=default):
        return [item for item in first if (lambda: leaf)]
after
";
    let module = module(text);
    let names = Names::new(&module);
    let at = |word: &str| crate::python::span::offset(text.find(word).unwrap());
    let kind = |word: &str| names.scope(names.scope_at(at(word))).kind;
    assert_eq!(kind("deco"), ScopeKind::Module);
    assert_eq!(kind("base"), ScopeKind::Module);
    assert_eq!(kind("attr"), ScopeKind::Class);
    assert_eq!(kind("default"), ScopeKind::Class);
    assert_eq!(kind("return"), ScopeKind::Function);
    assert_eq!(kind("item"), ScopeKind::Comprehension);
    assert_eq!(kind("first"), ScopeKind::Function);
    assert_eq!(kind("leaf"), ScopeKind::Lambda);
    assert_eq!(kind("after"), ScopeKind::Module);
    assert_eq!(names.qualname_at(at("leaf")), "A.m");
    assert_eq!(names.qualname_at(at("default")), "A");
    assert_eq!(names.qualname_at(at("after")), "<module>");
    assert_eq!(names.enclosing_class(at("leaf")), names.enclosing_class(at("attr")));
    assert_eq!(names.enclosing_function(at("attr")), None);
    let function = names.enclosing_function(at("leaf")).unwrap();
    assert_eq!(names.scope(function).qualname, "A.m");
}

#[test]
fn a_decorated_first_statement_lies_in_the_body() {
    let text = "class A:\n    @deco({1: 2}, lambda: x)\n    def m(self): pass\n";
    let module = module(text);
    let names = Names::new(&module);
    let at = crate::python::span::offset(text.find("deco").unwrap());
    assert_eq!(names.qualname_at(at), "A");
}

/// The uses of `name` at module level or in `f`: `load`, `STORE`, with `'` where nested.
fn check_uses(text: &str, name: &str, expected: &str) {
    let module = module(text);
    let names = Names::new(&module);
    let scope = names.scopes().find(|(_, scope)| scope.qualname == "f");
    let scope = scope.map_or(ScopeId::MODULE, |(id, _)| id);
    let show = |each: &Use| {
        assert_eq!(each.span.of(text), name, "span of a use in\n{text}");
        let line = module.lines.line_of(each.span.start) + 1;
        let nested = if each.nested { "'" } else { "" };
        let kind = format!("{:?}", each.kind).to_lowercase();
        format!("{line} {kind}{nested}")
    };
    let found: Vec<_> = names.uses(name, scope).iter().map(show).collect();
    assert_eq!(found.join(", "), expected, "{name} in\n{text}");
}

#[test]
fn uses_are_found_in_everything_nested() {
    check_uses(
        "\
def f(x):
    x += 1
    print(x, [x for y in x])
    return lambda: x, (x for y in x)
    def g():
        nonlocal x
        x = 1
        def h(x): return x
    del x
x = 2
",
        "x",
        "1 store, 2 load, 2 store, 3 load, 3 load, 3 load, 4 load', 4 load', 4 load, 6 declare', 7 store', 9 delete",
    );
}

#[test]
fn every_binding_knows_the_span_of_its_name() {
    check_uses(
        "import a as x, b.c as x\nimport x.y\n",
        "x",
        "1 store, 1 store, 2 store",
    );
    check_uses("from a import (x, b as x)\n", "x", "1 store, 1 store");
    check_uses(
        "@d\nasync def x(): pass\n@d\nclass x(b): pass\n",
        "x",
        "2 store, 4 store",
    );
    check_uses("try: pass\nexcept (e) as x: pass\n", "x", "2 store");
    check_uses("try: pass\nexcept* e as x: pass\n", "x", "2 store");
    check_uses(
        "match a:\n  case x: pass\n  case (b.c() as x) | [*x]: pass\n  case {1: d, **x}: pass\n",
        "x",
        "2 store, 3 store, 3 store, 4 store",
    );
    check_uses("def f(x: int = 1, *a): pass\n", "x", "1 store");
    check_uses("def f(a, *x): pass\n", "x", "1 store");
    check_uses("def f():\n  global y, x\n  x = 1\n", "x", "2 declare', 3 store'");
    check_uses("x: int\nx: int = 1\n(x): int\n", "x", "1 declare, 2 store, 3 load");
    check_uses(
        "def f():\n    y: int\n    if (x := 1): pass\n    with a as x: pass\n",
        "x",
        "3 store, 4 store",
    );
    check_uses("class A:\n    x\nx = 1\n", "x", "2 load, 3 store");
    check_uses("type x[T] = T\n", "x", "1 store");
}

#[test]
fn loads_and_stores_are_told_apart() {
    let module = module("x = 1\nx += x\ndel x\n");
    let names = Names::new(&module);
    assert_eq!(names.loads("x", ScopeId::MODULE).len(), 2);
    assert_eq!(names.stores("x", ScopeId::MODULE).len(), 3);
    assert_eq!(names.uses("y", ScopeId::MODULE), []);
}

#[test]
fn a_scope_lists_the_names_its_own_text_binds() {
    let module =
        module("class C:\n    def __f(self):\n        global g\n        a = g = b\n        lambda c: (d := c)\n");
    let names = Names::new(&module);
    let all: Vec<_> = names.scopes().map(|(id, _)| names.names_in(id).join(" ")).collect();
    assert_eq!(all, ["C", "_C__f", "a self", "c d"]);
}

#[test]
fn generators_are_told_by_their_own_yields() {
    let text = "\
def a(): yield
async def b(): [(yield x)]
def c(): return lambda: (yield)
def d():
    def e(): yield from x
def g(): return (x for x in y)
";
    let module = module(text);
    let names = Names::new(&module);
    let found: Vec<_> = module.body.iter().map(|each| names.is_generator(each)).collect();
    assert_eq!(found, [true, true, false, false, false]);
    assert!(is_async(&module.body[1]) && !is_async(&module.body[0]));
}

#[test]
fn a_fresh_name_stands_nowhere_in_the_text() {
    let module =
        module("def handle(stream, *, key): 'mode: \\nfile'; x.attr; f(kw=1); f'{inner}' # remark\nhandle_2\n");
    let names = Names::new(&module);
    assert_eq!(names.fresh("handle"), "handle_3");
    for taken in [
        "stream", "key", "mode", "file", "attr", "kw", "inner", "remark", "open", "class",
    ] {
        assert_eq!(names.fresh(taken), format!("{taken}_2"));
    }
    assert_eq!(names.fresh("other"), "other");
}

/// `|` marks where the import goes.
fn check_import_point(marked: &str) {
    let text = marked.replacen('|', "", 1);
    let at = import_point(&module(&text)) as usize;
    assert_eq!(format!("{}|{}", &text[..at], &text[at..]), marked);
}

#[test]
fn imports_go_before_the_first_import_or_after_the_prologue() {
    for marked in [
        "|",
        "|x = 1\n",
        "|x = 1\nif x:\n    import os\n",
        "|b'no docstring'\n",
        "|from .__future__ import x\n",
        "'doc'|",
        "'doc'\n|",
        "'doc'\n|x = 1\n",
        "'doc'\n\n|import os\n",
        "'doc'\nx = 1\n|import os\n",
        "'doc'\r\nx = 1\r\n|import os\r\n",
        "'doc'; import os\n|import b\n",
        "# only\n|",
        "\n# coding: utf-8\n|x = 1\n",
        "#!/usr/bin/python\n# coding: utf-8\n|\n# about f\ndef f(): pass\n",
        "# one\n'''doc\nmore''' # two\nfrom __future__ import (a,\n  b) ; x = (\n)\n\n|import os\n",
        "# one\n'''doc\nmore''' # two\nfrom __future__ import (a,\n  b) ; x = (\n)\n|\ny = 1\n",
        "from __future__ import a; import os\n|",
        "x = 1; import os\n|import sys\n",
        "# needed first, it sets things up\nimport a\n|import b\n",
    ] {
        check_import_point(marked);
    }
}
