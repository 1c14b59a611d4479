"""Calls into blind/sealedconf.py."""

import os
from pathlib import Path

from blind import sealedconf


def _conf(box, **options):
    return box.using(sealedconf.SealedConf(box.path("conf"), **options))


def _key(box, content=b"k" * 32, mode=0o600):
    os.chmod(box.write("conf/key", content), mode)


def changes_settings(box):
    _key(box)
    with _conf(box) as conf:
        with conf.changing() as values:
            values["port"] = 80
        with conf.changing() as values:
            values["port"] = 80
        conf.get("port")


def makes_a_key(box):
    with _conf(box) as conf:
        conf.get("port", 8080)


def makes_no_change_if_the_block_fails(box):
    _key(box)
    with _conf(box) as conf:
        with box.raises(Exception):
            with conf.changing() as values:
                values["port"] = 80
                box.fail()


def keeps_secrets(box):
    _key(box)
    with _conf(box) as conf:
        conf.put_secret("mail", b"swordfish")
        conf.secret("mail")
        os.close(conf.secret_pipe("mail"))
        with box.raises(sealedconf.ConfError):
            conf.secret("web")


def refuses_a_changed_secret(box):
    _key(box)
    box.write("conf/secrets.json", '{"mail": ["c3dvcmQ=", "00"]}')
    with _conf(box) as conf:
        with box.raises(sealedconf.Tampered):
            conf.secret_pipe("mail")


def refuses_a_secret_too_long_for_a_pipe(box):
    _key(box)
    with _conf(box) as conf:
        conf.put_secret("blob", bytes(70_000))
        with box.raises(sealedconf.ConfError):
            conf.secret_pipe("blob")


def refuses_a_key_others_may_read(box):
    _key(box, mode=0o644)
    with box.raises(sealedconf.ConfError):
        sealedconf.SealedConf(box.path("conf"))


def refuses_a_short_key(box):
    _key(box, b"short")
    with box.raises(sealedconf.ConfError):
        sealedconf.SealedConf(box.path("conf"))


def refuses_damaged_settings(box):
    _key(box)
    box.write("conf/settings.json", "{")
    with _conf(box) as conf:
        with box.raises(sealedconf.ConfError):
            conf.get("port")


def finds_the_store_locked(box):
    _key(box)
    with _conf(box, wait=0.001) as conf:
        with box.using(sealedconf.StoreLock(box.path("conf"))) as lock:
            lock.acquire()
            with box.raises(sealedconf.Busy):
                conf.put_secret("mail", b"swordfish")
            lock.release()
        conf.put_secret("mail", b"swordfish")


def turns_the_trail_over(box):
    _key(box)
    box.write("conf/trail.log", "1 1 changed settings.json\n" * 3000)
    with _conf(box) as conf:
        with conf.changing() as values:
            values["port"] = 80


def edits_settings(box):
    _key(box)
    with _conf(box) as conf:
        conf.edit(lambda path: Path(path).write_text('{"port": 81}'))
        conf.edit(lambda path: Path(path).write_text("rubbish"))
