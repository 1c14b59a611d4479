"""A bot for chat rooms: commands, a memory of what was said, karma, quotes and reminders.

The wire is somebody else's: ``Bot.hear(room, nick, text)`` takes a line, and ``Bot.unsent`` holds the answers.
"""

import logging
import re
from collections import defaultdict, deque
from functools import cached_property, lru_cache
from weakref import WeakMethod, proxy, ref

logger = logging.getLogger("roombot")
PREFIX = "!"
BACKLOG = 30


class CommandError(Exception):
    """Shown to the one who asked."""


@lru_cache(maxsize=25)
def words_of(line):
    return tuple(re.findall(r"\w+", line.lower()))


@lru_cache(50)
def fold_nick(nick: str) -> str:
    """Case and trailing decoration do not count: ``Ann_``, ``ann|away``."""
    return nick.split("|")[0].rstrip("_").casefold()


class Wiretap:
    """Who wants to see all lines, the bot's own included."""

    def __init__(self):
        self._taps = []

    def attach(self, tap):
        self._taps.append(tap)

    def detach(self, tap):
        self._taps.remove(tap)

    def pass_on(self, room, line):
        for tap in tuple(self._taps):
            tap(room, line)


def to_log(room, line):
    logger.debug("%s %s", room, line)


TAPS = Wiretap()


class Reminder:
    def __init__(self, lines_left, ring):
        self._lines_left = lines_left
        self._ring = ring

    def line_passed(self):
        self._lines_left -= 1
        if self._lines_left == 0:
            ring = self._ring()
            if ring is not None:
                ring()


class Nap:
    """A bot that has heard much gets tired."""

    def __init__(self, length, doze_off):
        self._length = length
        self._heard = 0
        self._doze_off = doze_off

    def line_heard(self):
        self._heard += 1
        if self._heard < self._length:
            return
        self._heard = 0
        doze_off = self._doze_off()
        if doze_off is not None:
            doze_off()


class Topic:
    def __init__(self, holder, text):
        self._holder = holder
        self.text = text

    def headline(self):
        holder = self._holder()
        return self.text if holder is None else "%s: %s" % (holder.title, self.text)


class Member:
    def __init__(self, nick, place):
        self.nick = nick
        self._place = ref(place)
        self._said = 0

    @cached_property
    def key(self):
        return fold_nick(self.nick)

    def speak(self):
        self._said += 1
        place = self._place()
        if place is not None and self._said % 100 == 0:
            place.answer("%s, you talk a lot" % self.nick)


class Room:
    """A room as the bot knows it."""

    def __init__(self, bot, title):
        self.title = title
        self._bot = ref(bot)
        self._members = {}
        self._backlog = deque(maxlen=BACKLOG)
        self._topic = Topic(ref(self), "nothing yet")
        self._reminder = Reminder(10, WeakMethod(self._stretch))

    def _stretch(self):
        self.answer("stand up and stretch")

    def member(self, nick):
        key = fold_nick(nick)
        if key not in self._members:
            member = Member(nick, self)
            self._members[key] = member
        return self._members[key]

    def answer(self, text):
        bot = self._bot()
        if bot is not None:
            bot.send(self.title, text)

    def note(self, nick, text):
        self.member(nick).speak()
        self._backlog.append("<%s> %s" % (nick, text))
        self._reminder.line_passed()

    def headline(self):
        return self._topic.headline()

    def search(self, word):
        found = []
        for line in self._backlog:
            if word in words_of(line):
                found.append(line)
        return " | ".join(found) or "nothing"


class Quotes:
    LIMIT = 18

    def __init__(self, bot):
        self._bot = bot
        self._quotes = []

    def add(self, text):
        self._quotes.append(text)
        self._forget()
        self._bot.send("quotes", "%d quotes" % len(self._quotes))

    def add_many(self, texts):
        self._quotes.extend(texts)
        self._forget()

    def _forget(self):
        while len(self._quotes) > self.LIMIT:
            self._quotes.pop(0)

    def pick(self, number):
        return self._quotes[number % len(self._quotes)]


class Bot:
    def __init__(self, nick):
        self.nick = nick
        self.unsent = []
        self.complaint = None
        self._quotes = Quotes(proxy(self))
        self._rooms = {}
        self._karma = defaultdict(int)
        self._flood = deque([], maxlen=12)
        self._nap = Nap(40, WeakMethod(self._doze))
        self._load_error = None

    def _doze(self):
        self.send("#naps", "I nap for a moment")

    @cached_property
    def address(self):
        return re.compile(r"%s[:,]\s*" % re.escape(self.nick), re.IGNORECASE)

    def room(self, title):
        if title not in self._rooms:
            self._rooms[title] = Room(self, title)
        return self._rooms[title]

    def send(self, title, text):
        self.unsent.append((title, text))
        if len(self.unsent) > 50:
            del self.unsent[0]
        TAPS.pass_on(title, text)

    def hear(self, title, nick, text):
        room = self.room(title)
        room.note(nick, text)
        TAPS.pass_on(title, text)
        self._flood.append(nick)
        self._nap.line_heard()
        text = self.address.sub("", text)
        if not text.startswith(PREFIX):
            return False
        try:
            room.answer(self.command(room, nick, text[len(PREFIX):].split()))
        except (CommandError, IndexError) as error:
            self.complaint = str(error)
            room.answer("no idea, %s" % nick)
        return True

    def command(self, room, nick, words):
        name, rest = words[0], words[1:]
        if name == "karma":
            self._karma[fold_nick(rest[0])] += 1
            return "%s has %d" % (rest[0], self._karma[fold_nick(rest[0])])
        if name == "quote":
            if rest:
                self._quotes.add(" ".join(rest))
            return self._quotes.pick(len(nick))
        if name == "search":
            return room.search(rest[0].lower())
        if name == "topic":
            return room.headline()
        if name == "flood":
            return "%d of %d" % (self._flood.count(nick), len(self._flood))
        raise CommandError("no command is called %s" % name)

    def load_quotes(self, path):
        """One a line, ``#`` begins a comment."""
        quotes = []
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    quotes.append(line.strip())
        self._quotes.add_many(tuple(quotes))
        return len(quotes)


    def try_load(self, path):
        try:
            return self.load_quotes(path)
        except OSError as error:
            self._load_error = str(error)
            return 0

    def load_error(self):
        return "" if self._load_error is None else self._load_error

    def print_karma(self, out):
        rows = []
        for nick, points in self._karma.items():
            rows.append("%-12s%4d" % (nick, points))
        out.write("\n".join(sorted(rows)))


class Session:
    """A transcript for as long as somebody looks."""

    def __init__(self, write):
        self._write = write
        self._lines = 0
        TAPS.attach(self._line)

    def _line(self, room, line):
        self._lines += 1
        self._write("%s %s\n" % (room, line))

    def __exit__(self, *exc_info):
        TAPS.detach(self._line)

    def __enter__(self):
        return self


class Blame:
    """Writes what the bot complains of to a stream, while it is open."""

    def __init__(self, stream):
        self._handler = logging.StreamHandler(stream)
        self._log = logging.getLogger("roombot")
        self._log.addHandler(self._handler)

    def close(self):
        self._log.removeHandler(self._handler)
        self._handler.flush()


TAPS.attach(to_log)
logger.addHandler(logging.NullHandler())
