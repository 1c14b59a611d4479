"""Calls into blind/confreg.py."""

import contextlib

from blind import confreg


def keeps_settings_over_restarts(box):
    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        web = registry.scope("web.public")
        web.set("port", 8081)
        web.set("name", "one")
        web.unset("name")
        registry.scope("web").set("name", "all")
        web.get("name")
        web.get("nothing")
        repr(list(registry.recent))
    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        registry.scope("web.public").get("port")


def compacts_its_journal(box):
    for _ in range(2):
        with box.using(confreg.SettingRegistry.open(box.path("conf"), 3)) as registry:
            for number in range(5):
                registry.scope("web").set("port", number)


def tells_watchers(box):
    told = []
    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        web = registry.scope("web")
        with box.using(web.watch("port", told.append)), box.using(web.watch(None, told.append)):
            web.set("port", 8081)
            web.set("name", "one")
        web.set("port", 8082)


def has_watchers_in_turn(box):
    told = []
    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        web = registry.scope("web")
        for number in box.rounds(60):
            with box.using(web.watch("port", told.append)):
                web.set("port", number)
    told.clear()


def has_a_watcher_that_fails(box):
    def fails(change):
        raise ValueError(change.path)

    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        with box.using(registry.scope("web").watch("port", fails)):
            with box.raises(ValueError):
                registry.scope("web").set("port", 1)


def is_closed_before_its_watchers(box):
    registry = confreg.SettingRegistry.open(box.path("conf"))
    web = registry.scope("web")
    watch = web.watch("port", print)
    with box.using(registry):
        pass
    with box.raises(confreg.Closed):
        web.set("port", 1)
    with box.using(watch):
        pass


def outlives_its_registry(box):
    registry = confreg.SettingRegistry.open(box.path("conf"))
    web = registry.scope("web")
    with box.using(registry):
        pass
    del registry
    with contextlib.suppress(confreg.Closed, ReferenceError):
        web.get("port")


def is_locked(box):
    with box.using(confreg.SettingRegistry.open(box.path("conf"))):
        with box.raises(confreg.Locked):
            confreg.SettingRegistry.open(box.path("conf"))


def has_a_damaged_journal(box):
    box.write("conf/journal", '["web", "port", 1]\nrubbish\n')
    with box.raises(confreg.CorruptJournal):
        confreg.SettingRegistry.open(box.path("conf"))


def cannot_be_written(box):
    with box.using(confreg.SettingRegistry.open(box.path("conf"), 1)) as registry:
        with box.raises(TypeError):
            registry.scope("web").set("port", {1, 2})


def has_too_many_scopes(box):
    with box.using(confreg.SettingRegistry.open(box.path("conf"))) as registry:
        with box.raises(confreg.ConfigError):
            for number in range(confreg.MOST_SCOPES + 1):
                registry.scope(f"s{number}")
