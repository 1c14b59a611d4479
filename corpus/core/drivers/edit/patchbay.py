"""Calls into edit/patchbay.py."""

import io

from edit import patchbay


def _bay():
    bay = patchbay.Patchbay()
    return bay, bay.module("oscillator"), bay.module("output")


def patches(box):
    bay, source, target = _bay()
    bay.cable(source, target)
    bay.try_cable(source, source)
    bay.trouble()
    bay.try_cable(source, target)
    source.set(3)
    target.set(-100)
    bay.block(32)
    source.loudest()
    bay.rack("left").mount(source)
    bay.rack("left").mount(target)
    bay.master(-6)
    bay.status()
    bay.draw(io.StringIO())


def refuses_a_loop(box):
    bay, source, _ = _bay()
    with box.raises(patchbay.PatchError):
        bay.cable(source, source)


def runs_for_long(box):
    bay, source, _ = _bay()
    for number in box.rounds(20):
        source.set(number % 6)
        bay.block(8)
        bay.store("preset %d" % number)
        patchbay.wave_table(90 - number)


def shows_changes(box):
    for _ in box.rounds(3):
        with box.using(patchbay.StatusLine(20)) as line:
            patchbay.WIRES.changed("something")
            line.text()


def logs(box):
    for _ in box.rounds(3):
        with box.using(patchbay.Console(io.StringIO())) as console:
            console.start()


def converts(box):
    for number in box.rounds(36):
        patchbay.gain(number)


def plays_scales(box):
    patchbay.scale(60, 8, io.StringIO())
    patchbay.wave_table(64)
    patchbay.wave_table(64)
    for number in box.rounds(130):
        patchbay.note_frequency(number)
