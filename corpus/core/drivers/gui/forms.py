"""Calls into gui/forms.py."""

import io
import logging

from gui import forms

ROWS = [("name", "text"), ("price", "amount"), ("post_code", "postcode"), ("size", "small | large")]


def fills_in_a_form(box):
    form = forms.Form(ROWS)
    seen = []
    with box.using(forms.FormView(form, seen.append)) as view:
        view.update("name", "A lamp")
        view.update("price", "12,5")
        view.update("post_code", "04177")
        view.update("size", "small")
        forms.FOCUS.emit("name")
    form.check()
    form["size"].enter("huge")
    form.check()
    form.render()
    form.steps()
    form["size"].choices
    form.idle()


def says_what_is_wrong(box):
    logging.getLogger("forms").setLevel(logging.INFO)
    form = forms.Form(ROWS)
    form["price"].enter("many")
    form["post_code"].enter("none")
    forms.check_aloud(form)
    form["price"].problem()
    form["name"].problem()


def types_for_long(box):
    form = forms.Form(ROWS)
    for number in box.rounds(24):
        form["name"].enter("lamp %d" % number)
        form.hint("try %d" % number)


def opens_views(box):
    form = forms.Form(ROWS)
    for _ in box.rounds(3):
        with box.using(forms.FormView(form, print)):
            pass


def keeps_drafts(box):
    with box.using(forms.Drafts(box.path("drafts"))) as drafts:
        form = forms.Form(ROWS)
        for number in box.rounds(20):
            drafts.keep("form %d" % number, form)


def cannot_save_drafts(box):
    drafts = forms.Drafts(box.path("sub", "drafts"))
    drafts.try_save()
    drafts.state()
    box.write("sub/other", "")
    drafts.try_save()
    drafts.close()


def makes_drafts_again(box):
    for _ in box.rounds(3):
        with box.using(forms.Drafts(box.path("drafts"))):
            pass


def parses_many(box):
    for number in box.rounds(44):
        forms.title_of("field_%d" % number)
        forms.parse_amount("%d,5" % number)


def asks_for_many_codes(box):
    for number in box.rounds(130):
        forms.is_postcode("%05d" % number)


def prints(box):
    forms.print_all([forms.Form(ROWS), forms.Form(ROWS)], io.StringIO())
