"""Outline documents: nested headings in an indented text file, with numbering, undo and views that follow changes.

    groceries
        fruit
        bread
    errands

A document owns its nodes from the top down. Nodes look upwards through weak references only, so that a branch
which is cut off goes away at once, however large it is. Views are told of changes as long as they live.
"""

import os
import weakref
from collections import deque
from functools import cached_property, lru_cache

INDENT = 4
UNDO_DEPTH = 30
RECENT_SEARCHES = 8


class OutlineError(ValueError):
    """The text is no outline."""

    def __init__(self, message, line):
        super().__init__("line %d: %s" % (line, message))
        self.line = line


@lru_cache(maxsize=128)
def slug(title):
    """The title as it stands in links."""
    words = "".join(c if c.isalnum() else " " for c in title.lower()).split()
    return "-".join(words)


@lru_cache(maxsize=32)
def bullet(depth, width):
    return "%s%s " % (" " * (depth * width), "-*+"[depth % 3])


class Node:
    """A heading and what is below it."""

    def __init__(self, title, parent=None):
        self.title = title
        self.children = []
        self._parent = None
        if parent is not None:
            parent.adopt(self)

    def adopt(self, child):
        child.attach(self)
        self.children.append(child)
        return child

    def attach(self, parent):
        self._parent = weakref.ref(parent)

    def detach(self):
        above = self.parent
        if above is not None:
            above.children.remove(self)
        self._parent = None

    @property
    def parent(self):
        return None if self._parent is None else self._parent()

    @cached_property
    def link(self):
        return "#" + slug(self.title)

    @cached_property
    def words(self):
        return frozenset(self.title.lower().split())

    def depth(self):
        steps, node = 0, self.parent
        while node is not None:
            steps += 1
            node = node.parent
        return steps

    def path(self):
        """Titles from the top to here."""
        titles = []
        node = self
        while node is not None:
            titles.append(node.title)
            node = node.parent
        return "/".join(reversed(titles))

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


class Cursor:
    """Where the user is; knows its document without keeping it."""

    def __init__(self, document, node):
        self.document = weakref.proxy(document)
        self.node = node

    def to_parent(self):
        above = self.node.parent
        if above is not None:
            self.node = above
        return self.node.title

    def rename(self, title):
        self.document.rename(self.node, title)


class View:
    """Something that shows a document."""

    def __init__(self, document):
        self.lines = 0
        self._missed = None
        self._too_deep = None
        self._on_change = weakref.WeakMethod(self.refresh)
        document.watch(self._on_change)

    def refresh(self, document):
        try:
            self.lines = document.count()
        except RecursionError as error:
            self._too_deep = str(error)

    def jump(self, document, path):
        try:
            return document.find(path)
        except KeyError as error:
            self._missed = repr(error)
            return None


class Document:
    """One outline, from a file or empty."""

    def __init__(self, title="untitled"):
        self.root = Node(title)
        self.cursor = Cursor(self, self.root)
        self.searches = []
        self._undo = deque(maxlen=UNDO_DEPTH)
        self._trail = deque((), maxlen=20)
        self._watchers = []

    def watch(self, callback):
        self._watchers = [kept for kept in self._watchers if kept() is not None]
        self._watchers.append(callback)

    def changed(self):
        for reference in self._watchers:
            callback = reference()
            if callback is not None:
                callback(self)

    def add(self, parent, title):
        node = parent.adopt(Node(title))
        self._undo.append(("remove", node.path()))
        self.changed()
        return node

    def rename(self, node, title):
        self._undo.append(("rename", node.title))
        node.title = title
        for name in ("link", "words"):
            node.__dict__.pop(name, None)
        self.changed()

    def remove(self, node):
        self._undo.append(("add", node.path()))
        node.detach()
        self.changed()

    def find(self, path):
        node = self.root
        for title in path.split("/"):
            for child in node.children:
                if child.title == title:
                    node = child
                    break
            else:
                raise KeyError(path)
        self._trail.append(path)
        return node

    def search(self, word):
        """Paths of all headings with the word; remembers the last searches."""
        self.searches.append(word)
        if len(self.searches) > RECENT_SEARCHES:
            self.searches.pop(0)
        hits = []
        for node in self.root.walk():
            if word.lower() in node.words:
                hits.append(node.path())
        return tuple(hits)

    def count(self):
        return sum(1 for _ in self.root.walk())

    def contents(self):
        """A table of links."""
        rows = []
        for node in self.root.walk():
            rows.append("%s%s %s" % (bullet(node.depth(), 2), node.title, node.link))
        return "\n".join(rows)

    def longest_title(self):
        widths = []
        for node in self.root.walk():
            widths.append(len(node.title))
        return max(widths)


def parse(lines, title="untitled"):
    document = Document(title)
    stack = [document.root]
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        indent = len(line) - len(line.lstrip(" "))
        depth, rest = divmod(indent, INDENT)
        if rest:
            raise OutlineError("indented by %d" % indent, number)
        if depth >= len(stack):
            raise OutlineError("too deep for what stands above", number)
        del stack[depth + 1 :]
        stack.append(stack[depth].adopt(Node(text)))
    return document


def load(path):
    with open(path, encoding="utf-8") as source:
        return parse(source, os.path.basename(path))


def save(document, path):
    beside = path + ".new"
    with open(beside, "w", encoding="utf-8") as target:
        for node in document.root.walk():
            depth = node.depth()
            if depth:
                target.write(" " * (INDENT * (depth - 1)) + node.title + "\n")
    os.replace(beside, path)


def first_heading(path):
    with open(path, encoding="utf-8") as source:
        for line in source:
            if line.strip():
                return line.strip()
    return None
