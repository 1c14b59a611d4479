"""Calls into editor/outline.py."""

import sys

from editor import outline

TEXT = "groceries\n    fruit\n        red apples\n    bread\n\nerrands\n"


def reads_and_writes(box):
    path = box.write("list.outline", TEXT)
    document = outline.load(path)
    outline.save(document, box.path("copy.outline"))
    outline.first_heading(path)
    document.contents()
    document.longest_title()


def finds_no_heading(box):
    outline.first_heading(box.write("empty.outline", "\n\n"))


def refuses_text(box):
    with box.raises(outline.OutlineError):
        outline.load(box.write("odd.outline", "a\n  b\n"))
    with box.raises(outline.OutlineError):
        outline.load(box.write("deep.outline", "a\n            b\n"))


def edits(box):
    document = outline.parse(TEXT.splitlines(), "list")
    view = outline.View(document)
    milk = document.add(document.find("groceries"), "milk")
    document.rename(milk, "oat milk")
    document.search("milk")
    document.contents()
    document.cursor.to_parent()
    document.cursor.rename("list")
    view.jump(document, "groceries/fruit")
    view.jump(document, "nowhere")
    document.remove(milk)


def is_too_deep_to_count(box):
    document = outline.Document()
    view = outline.View(document)
    node = document.root
    for _ in range(sys.getrecursionlimit()):
        node = node.adopt(outline.Node("below"))
    document.changed()
    view.refresh(document)


def edits_one_document_for_long(box):
    document = outline.Document()
    first = document.add(document.root, "first")
    for number in box.rounds(40):
        document.find("first")
        document.search("word %d" % number)
        document.rename(first, "first")


def links_many_titles(box):
    for number in box.rounds(140):
        outline.slug("Title %d" % number)
        outline.bullet(number, 2)


def a_view_comes_and_goes(box):
    document = outline.Document()
    outline.View(document)
    document.add(document.root, "first")
    outline.View(document)
    document.add(document.root, "second")
