"""Calls into gui/widgets.py."""

import logging

from gui import widgets

logging.getLogger("widgets").setLevel(logging.DEBUG)


def _window():
    window = widgets.Window("mail")
    window.body.put(widgets.Label("from", "somebody"))
    window.body.put(widgets.Widget("panel")).put(widgets.Label("size", "12"))
    return window


def draws(box):
    window = _window()
    window.draw()
    window.tick()
    window.scroll(["a", "b", "c"], 2)
    window.focus(window.find("body.panel.size"))
    window.find("body.panel").route()
    widgets.Theme("plain").margin


def misses_a_part(box):
    _window().find("body.nothing")


def hides_a_part(box):
    window = _window()
    window.find("body.panel").visible = False
    window.draw()


def does_not_fit(box):
    window = _window()
    window.body.put(widgets.Label("wide", "x" * 99))
    window.draw()


def is_used_for_long(box):
    window = _window()
    for number in box.rounds(34):
        window.key("k%d" % number)
        window.heading("page %d" % number)
        window.draw()
        widgets.text_width("text %d" % number)


def measures_many(box):
    for number in box.rounds(135):
        widgets.rule(number, "thin")
        widgets.text_width("text %d" % number)
    widgets.widest(["a", "bb"])
    widgets.widest([])


def answers(box):
    shortcuts = widgets.Shortcuts()
    for _ in box.rounds(3):
        with box.using(widgets.Dialog(shortcuts, {"y": True})) as dialog:
            dialog.open()
            shortcuts.press("y")
            shortcuts.press("n")


def logs(box):
    for _ in box.rounds(3):
        with box.using(widgets.DebugLog()) as log:
            log.start()
            log.texts()


def logs_much(box):
    with box.using(widgets.DebugLog()) as log:
        log.start()
        for number in box.rounds(34):
            widgets.widest(["text %d" % number])


def dumps_and_loads(box):
    widgets.dump(_window(), box.path("window"))
    widgets.load(box.path("window"), "copy").draw()
