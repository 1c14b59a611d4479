"""Calls into game/arena.py."""

import io

from game import arena


def plays_some_turns(box):
    feed = arena.Feed()
    field = arena.Arena(12, feed)
    with box.using(arena.Hud(feed, height=3)) as hud:
        field.muster("scout", 1, 1)
        field.muster("guard", 2, 2, power=9)
        script = arena.Script(field)
        script.run("march scout 2,1\nstrike guard\n\nstrike scout\n")
        for _ in range(4):
            field.end_turn()
        hud.lines(field)
        feed.latest("strike")
        script.state()


def musters(box):
    field = arena.Arena(12, arena.Feed())
    field.muster_all("scout 1,2\nguard 3,4")
    field.muster_all("scout here")
    field.muster_fault()
    for _ in range(7):
        field.end_turn()
    arena.print_field(field, io.StringIO())


def stops_at_a_bad_order(box):
    field = arena.Arena(12, arena.Feed())
    field.muster("scout", 1, 1)
    field.muster("far", 11, 11)
    script = arena.Script(field)
    for text in ("march scout 9,9", "march nobody 1,2", "dance scout", "hm", "strike scout"):
        script.run(text)
        script.state()


def goes_on_for_long(box):
    feed = arena.Feed()
    field = arena.Arena(500, feed)
    runner = field.muster("runner", 0, 0)
    with box.using(arena.Hud(feed, height=4)) as hud:
        for number in box.rounds(60):
            runner.place = arena.Place(number, 0)
            runner.march(arena.Place(number + 1, 0))
            field.ground(runner.place)
            hud.lines(field)


def reads_many_orders(box):
    for number in box.rounds(60):
        arena.order_pattern("verb%d" % number)
        arena.damage(number, 3)


def opens_and_closes_displays(box):
    feed = arena.Feed()
    for _ in box.rounds(3):
        with box.using(arena.Hud(feed)):
            feed.publish(arena.Happening(1, "note", "hello"))


def replays(box):
    arena.replay("march scout 1,2\nmarch guard 3,3")
    arena.replay("halt")
