"""Calls into blind/confhound.py."""

import os
import signal
import threading

from blind import confhound


def _hound(box, **options):
    os.makedirs(box.path("conf"), exist_ok=True)
    os.makedirs(box.path("state"), exist_ok=True)
    return confhound.ConfHound(box.path("conf"), box.path("state", "settings"), **options)


def _conf(box, number, value):
    box.write("conf/%02d.conf" % number, "[database]\nname = %s\n" % value)


def sees_changes(box):
    told = []
    with box.using(_hound(box)) as hound:
        _conf(box, 1, "one")
        box.write("conf/README", "not read")
        with box.using(hound.observe(told.append, "database")), box.using(hound.observe(told.append, "web")):
            hound.check()
            hound.check()
            _conf(box, 2, "another")
            hound.check()


def starts_with_what_was_good(box):
    box.write("state/settings", '{"database": {"name": "one"}}')
    with box.using(_hound(box)) as hound:
        hound.check()
    box.write("state/settings", "rubbish")
    with box.using(_hound(box)):
        pass


def finds_rubbish(box):
    with box.using(_hound(box)) as hound:
        box.write("conf/a.conf", "rubbish")
        hound.check()
        box.write("conf/a.conf", b"#" * (confhound.SIZE_LIMIT + 1))
        hound.check()


def goes_over_to_a_new_folder(box):
    with box.using(_hound(box)) as hound:
        os.rename(box.path("conf"), box.path("old"))
        _conf(box, 1, "one")
        hound.check()


def runs_hooks(box):
    with box.using(_hound(box, hook=["sh", "-c", "cat; exit 3"])) as hound:
        _conf(box, 1, "one")
        hound.check()
    confhound.run_hook(["/bin/cat"], ["database"], 1.0)
    confhound.run_hook(["sleep", "5"], ["database"], 0.01)


def has_a_failing_observer(box):
    def stumble(changes):
        raise ValueError("no")

    with box.using(_hound(box)) as hound:
        observer = hound.observe(stumble)
        try:
            _conf(box, 1, "one")
            hound.check()
        finally:
            observer.cancel()
        observer.cancel()


def watches_in_a_thread(box):
    seen = threading.Event()
    with box.using(_hound(box, interval=0.01)) as hound:
        with box.using(hound.observe(lambda changes: seen.set())):
            hound.start()
            _conf(box, 1, "one")
            with confhound.looks_on_hangup(hound):
                os.kill(os.getpid(), signal.SIGHUP)
            seen.wait(0.1)


def gives_changes(box):
    with box.using(_hound(box, interval=0.01)) as hound:
        with box.using(hound.observe(None, "never")):
            list(hound.changes("database", 0.001))
            hound.start()
            _conf(box, 1, "one")
            box.take(hound.changes(None, 0.01))


def is_watched_already(box):
    with box.using(_hound(box)):
        with box.raises(confhound.AlreadyWatched):
            _hound(box)


def finds_no_folder(box):
    with box.raises(OSError):
        confhound.ConfHound(box.path("nowhere"), box.path("settings"))
    with box.raises(OSError):
        confhound.ConfHound(box.path(), box.path("nowhere", "settings"))


def pokes_a_fifo(box):
    with box.using(confhound.ReloadFifo(box.path("fifo"))) as fifo:
        fifo.poke()
        fifo.drain()
    with box.using(confhound.ConfFolder(box.path())) as folder:
        folder.stamps()
    with box.using(confhound.GoodSettings(box.path("good"))) as good:
        good.save({})
        good.load()


def observes_again_and_again(box):
    with box.using(_hound(box)) as hound:
        for number in box.rounds(4):
            _conf(box, 1, "v%d" % number)
            with box.using(hound.observe(lambda changes: None)):
                hound.check()
            box.take(hound.changes(None, 0.0))
