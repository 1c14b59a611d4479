"""Calls into chat/roombot.py."""

import io

from chat import roombot


def talks(box):
    bot = roombot.Bot("robby")
    for text in ("hello", "!karma guest", "robby: !karma Ann_", "!quote so it goes", "!quote", "!search hello"):
        bot.hear("#garden", "guest", text)
    bot.hear("#garden", "other|away", "!topic")
    bot.hear("#garden", "other", "!flood")
    for number in range(40):
        bot.hear("#garden", "other", "line %d" % number)
    bot.print_karma(io.StringIO())


def does_not_understand(box):
    bot = roombot.Bot("robby")
    bot.hear("#garden", "guest", "!fly")
    bot.hear("#garden", "guest", "!search")


def talks_for_long(box):
    bot = roombot.Bot("robby")
    for number in box.rounds(60):
        bot.hear("#garden", "guest", "line %d" % number)
        bot.hear("#garden", "guest", "!quote number %d" % number)


def knows_many(box):
    for number in box.rounds(55):
        roombot.words_of("line %d" % number)
        roombot.fold_nick("Nick%d_" % number)


def knows_members(box):
    room = roombot.Room(roombot.Bot("robby"), "#garden")
    for number in box.rounds(3):
        room.member("Nick%d_" % number).key


def loads_quotes(box):
    bot = roombot.Bot("robby")
    path = box.write("quotes", "# mine\nso it goes\n\nit was a dark night\n")
    for _ in box.rounds(12):
        bot.load_quotes(path)


def cannot_load_quotes(box):
    bot = roombot.Bot("robby")
    bot.try_load(box.path("none"))
    bot.load_error()


def writes_transcripts(box):
    out = io.StringIO()
    bot = roombot.Bot("robby")
    for _ in box.rounds(3):
        with box.using(roombot.Session(out.write)):
            bot.hear("#garden", "guest", "hello")


def writes_complaints(box):
    for _ in box.rounds(3):
        with box.using(roombot.Blame(io.StringIO())):
            pass
