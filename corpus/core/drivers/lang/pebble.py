"""Calls into lang/pebble.py."""

import io

from lang import pebble


def runs_programs(box):
    pebble.evaluate(["(add 1 2)", "(let x 3 (add x (mul 2 2)))", "(sub one 5 zero)"], io.StringIO())


def says_what_is_wrong(box):
    interpreter = pebble.Interpreter(steps=3)
    for text in ("(add 1", ")", "(fly 1)", "(let 1 2 3)", "(add x 1)", "(add (add (add (add 1 2) 3) 4) 5)", "(((add))"):
        interpreter.run(text)
        interpreter.failure()
    interpreter.session()


def reads_deep(box):
    top = pebble.read("(add (mul 2 (sub 3 1)) 4)")
    top.depth()
    pebble.print_outline("(add (mul 2 (sub 3 1)) 4)", io.StringIO())


def goes_on(box):
    interpreter = pebble.Interpreter(steps=100000)
    with box.using(pebble.StepTrace(interpreter)) as trace:
        for number in box.rounds(45):
            interpreter.run("(let word%d %d (add word%d 1))" % (number, number, number))
            trace.path()
            pebble.line_of("text %d" % number, 3)


def traces(box):
    interpreter = pebble.Interpreter()
    for _ in box.rounds(3):
        with box.using(pebble.StepTrace(interpreter)):
            interpreter.run("(add 1 2)")


def looks_at_the_collector(box):
    for _ in box.rounds(3):
        with box.using(pebble.CollectorNote()) as note:
            note.start()


def writes_transcripts(box):
    pebble.transcript("(add 1 2)")
