"""Rewrites a module's tree so that each call, await and iteration passes through the witness.

Positions are kept: a site is a place in the text, and a label can be found by it. Knows nothing of what calls mean.
"""

import ast
import functools

CALL, AWAIT, AWAIT_CALL, ITERATE, ITERATE_ASYNC = "call", "await", "await-call", "iterate", "iterate-async"

HELPERS = {
    CALL: "_leakbench_call",
    AWAIT: "_leakbench_await",
    AWAIT_CALL: "_leakbench_await_call",
    ITERATE: "_leakbench_iterate",
    ITERATE_ASYNC: "_leakbench_iterate_async",
}
DRIVER_CALL, DRIVER_VALUE = "_leakbench_driver_call", "_leakbench_driver_value"

# They look at the frame that calls them.
FRAME_READERS = {"super", "locals", "vars", "globals", "dir", "eval", "exec", "__import__", "breakpoint"}


# Nothing is called in them.
_LEAVES = {ast.Name, ast.Constant, ast.Load, ast.Store, ast.Del, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass}


class Site:
    """A place of the module where something is called, awaited or iterated."""

    __slots__ = ("kind", "line", "column", "end_line", "end_column", "lines", "function")

    def __init__(self, kind, node, lines, function):
        self.kind = kind
        self.line, self.column = node.lineno, node.col_offset
        self.end_line, self.end_column = node.end_lineno, node.end_col_offset
        self.lines = lines
        self.function = function

    @property
    def text(self):
        if self.line > len(self.lines):
            return ""
        line = self.lines[self.line - 1]
        if self.line != self.end_line:
            return line.strip()
        return line.encode("utf-8")[self.column : self.end_column].decode("utf-8", "replace")

    @property
    def span(self):
        return (self.line, self.column), (self.end_line, self.end_column)


def _name_of(node):
    return node.id if isinstance(node, ast.Name) else ""


class _Rewriter(ast.NodeTransformer):
    def __init__(self, lines):
        self.sites = []
        self.definitions = []
        self.lines = lines
        self.functions = []

    def visit(self, node):
        kind = type(node)
        if kind in _LEAVES:
            return node
        method = getattr(self, "visit_" + kind.__name__, None)
        return method(node) if method else self.generic_visit(node)

    def _function(self, node):
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.args = self._arguments(node.args)
        self.functions.append(node.name)
        self.definitions.append(Definition(".".join(self.functions), node))
        node.body = [self.visit(item) for item in node.body]
        self.functions.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node):
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.bases = [self.visit(item) for item in node.bases]
        node.keywords = [self.visit(item) for item in node.keywords]
        self.functions.append(node.name)
        self.definitions.append(Definition(".".join(self.functions), node))
        node.body = [self.visit(item) for item in node.body]
        self.functions.pop()
        return node

    def _arguments(self, arguments):
        # Annotations are left as they are: nothing runs through them.
        arguments.defaults = [self.visit(item) for item in arguments.defaults]
        arguments.kw_defaults = [item and self.visit(item) for item in arguments.kw_defaults]
        return arguments

    def visit_Lambda(self, node):
        node.args = self._arguments(node.args)
        node.body = self.visit(node.body)
        return node

    def visit_AnnAssign(self, node):
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_JoinedStr(self, node):
        # A helper that stands inside an f-string has no place of its own before Python 3.12; it needs none.
        return self.generic_visit(node)

    def _helper(self, kind, node, first):
        self.sites.append(Site(kind, node, self.lines, ".".join(self.functions)))
        name = ast.copy_location(ast.Name(HELPERS[kind], ast.Load()), node)
        number = ast.copy_location(ast.Constant(len(self.sites) - 1), node)
        return ast.copy_location(ast.Call(name, [number, *first], []), node)

    def _call(self, kind, node):
        function = self.visit(node.func)
        arguments = [self.visit(item) for item in node.args]
        keywords = [self.visit(item) for item in node.keywords]
        made = self._helper(kind, node, [function, *arguments])
        made.keywords = keywords
        return made

    def visit_Call(self, node):
        if _name_of(node.func) in FRAME_READERS:
            return self.generic_visit(node)
        return self._call(CALL, node)

    def visit_Await(self, node):
        if isinstance(node.value, ast.Call) and _name_of(node.value.func) not in FRAME_READERS:
            node.value = self._call(AWAIT_CALL, node.value)
        else:
            node.value = self._helper(AWAIT, node.value, [self.visit(node.value)])
        return node

    def _for(self, kind, node):
        place = node.iter
        self.generic_visit(node)
        node.iter = self._helper(kind, place, [node.iter])
        return node

    def visit_For(self, node):
        return self._for(ITERATE, node)

    def visit_AsyncFor(self, node):
        return self._for(ITERATE_ASYNC, node)

    def visit_comprehension(self, node):
        return self._for(ITERATE_ASYNC if node.is_async else ITERATE, node)


class _DriverRewriter(ast.NodeTransformer):
    """A driver's calls tell what belongs to the driver; they are never made to fail."""

    def visit_Call(self, node):
        if _name_of(node.func) in FRAME_READERS:
            return self.generic_visit(node)
        self.generic_visit(node)
        name = ast.copy_location(ast.Name(DRIVER_CALL, ast.Load()), node)
        return ast.copy_location(ast.Call(name, [node.func, *node.args], node.keywords), node)

    def visit_Await(self, node):
        self.generic_visit(node)
        name = ast.copy_location(ast.Name(DRIVER_VALUE, ast.Load()), node)
        return ast.copy_location(ast.Call(name, [node], []), node)


class Compiled:
    """A module, rewritten: its code, its sites, and its definitions, outer ones first."""

    def __init__(self, text, path):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        rewriter = _Rewriter(text.split("\n"))
        self.code = compile(rewriter.visit(ast.parse(text, path)), path, "exec", dont_inherit=True)
        self.sites, self.definitions = rewriter.sites, rewriter.definitions


class Definition:
    """A function or class of the module; `path` is its qualified name without `<locals>`."""

    __slots__ = ("path", "node", "first_line")

    def __init__(self, path, node):
        self.path = path
        self.node = node
        self.first_line = min([node.lineno] + [item.lineno for item in node.decorator_list])

    def header_holds(self, line):
        return self.first_line <= line < self.node.body[0].lineno or line == self.node.lineno


@functools.lru_cache(maxsize=8)
def compiled(text, path):
    return Compiled(text, path)


@functools.lru_cache(maxsize=8)
def compile_driver(text, path):
    tree = _DriverRewriter().visit(ast.parse(text, path))
    return compile(tree, path, "exec", dont_inherit=True)
