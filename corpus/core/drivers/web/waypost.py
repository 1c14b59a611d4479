"""Calls into web/waypost.py."""

import io
import logging

from web import waypost


def _site():
    site = waypost.Site("Lighthouse")
    site.root.route("/", lambda request: "home")
    users = waypost.Group("/users", site.root)
    users.route("/<name>", lambda request, name: name.upper())
    users.route("/<name>/<number>", lambda request, name, number: str(int(number)))
    return site


def answers(box):
    site = _site()
    with box.using(waypost.HitCounter()) as hits:
        for path in ("/", "/users/seven", "/users/seven/3", "/users/seven/x", "/nowhere.json"):
            request = waypost.Request("GET", path, "c1")
            request.wants
            site.handle(request)
        hits.top()
    site.slowest()
    site.missing()
    site.index(io.StringIO())


def is_slow(box):
    site = waypost.Site("Harbour", patience=-1.0)
    site.root.route("/", lambda request: "home")
    site.handle(waypost.Request("GET", "/"))


def moves_groups(box):
    site = _site()
    group = waypost.Group("/old", site.root)
    group.route("/x", lambda request: "x")
    group.move_out()
    site.handle(waypost.Request("GET", "/old/x"))


def is_asked_for_long(box):
    site = _site()
    for number in box.rounds(34):
        site.handle(waypost.Request("GET", "/users/u%d" % number, "cookie %d" % number))
        site.handle(waypost.Request("GET", "/no/%d" % number))


def splits_and_compiles(box):
    for number in box.rounds(32):
        waypost.split_path("/a/%d" % number)
        waypost.rule_pattern("/a/<x%d>" % number)


def counts(box):
    for _ in box.rounds(3):
        with box.using(waypost.HitCounter()):
            pass


def logs_to_a_file(box):
    logging.getLogger("waypost.access").setLevel(logging.INFO)
    site = _site()
    for number in box.rounds(3):
        with box.using(waypost.AccessLog(box.path("access"))):
            site.handle(waypost.Request("GET", "/"))


def runs_dry(box):
    site = _site()
    waypost.dry_run(site, [waypost.Request("GET", "/"), waypost.Request("GET", "/users/guest")])
