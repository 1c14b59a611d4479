"""Calls into settings.py."""

import dbm
import gzip
import os
import zipfile
from pathlib import Path

import settings


def _files(box):
    box.write("conf/10-web.ini", "[web]\nport = 8080\ntoken = @secret:web\n")
    box.write("conf/20-log.json", '{"log": {"level": "info"}}')
    box.write("conf/30.env", '# environment\nWEB__HOST = "localhost"\n\n')
    box.write("conf/.hidden", "")
    os.mkdir(box.path("conf", "old"))
    with zipfile.ZipFile(box.path("conf", "40.zip"), "w") as packed:
        packed.writestr("a.conf", "[mail]\nhost = localhost\n")
        packed.writestr("README", "")
    with dbm.open(box.path("keys"), "n") as keys:
        keys[b"web"] = b"xyz"
    return Path(box.path("conf"))


def loads_every_layer(box):
    folder = _files(box)
    layered = settings.Settings(Path(box.path("keys")))
    layered.load_defaults(Path(box.write("defaults.json.gz", gzip.compress(b'{"web": {"port": 80}}'))))
    layered.load_folder(folder)
    layered.load_file(folder / "missing.ini")
    layered.get("web.port")
    layered.get("web.token")
    layered.get("web.nothing", "none")
    layered.check({"web.port", "log.level"})
    layered.save(Path(box.path("effective.json")))


def misses_a_secret(box):
    folder = _files(box)
    layered = settings.Settings(Path(box.path("keys")))
    layered.load_file(Path(box.write("x.ini", "[web]\ntoken = @secret:other\n")))
    with box.raises(settings.SettingsError):
        layered.get("web.token")
    layered.load_file(folder / "10-web.ini")
    layered.get("web.token")


def refuses_other_defaults(box):
    with box.raises(settings.SettingsError):
        settings.Settings().load_defaults(Path(box.write("defaults.zip", "")))


def complains_about_lines(box):
    layered = settings.Settings()
    with box.raises(settings.SettingsError):
        layered.load_file(Path(box.write("bad.env", "HOST\nPORT=1\n")))
    with box.raises(FileNotFoundError):
        layered.load_file(Path(box.path("missing.ini")), required=True)


def refuses_a_broken_archive(box):
    box.write("conf/a.zip", "no archive")
    with box.raises(zipfile.BadZipFile):
        settings.Settings().load_folder(Path(box.path("conf")))


def cannot_save_into_nothing(box):
    os.mkdir(box.path("target"))
    with box.raises(OSError):
        settings.Settings().save(Path(box.path("target")))


def loads_from_a_server(box):
    def server(connection):
        request = connection.recv(4096)
        if b"/good" in request:
            connection.sendall(b'HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}')
        else:
            connection.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")

    with box.serve(server) as (host, port):
        layered = settings.Settings()
        layered.load_remote(f"http://{host}:{port}/good")
        with box.raises(settings.SettingsError):
            layered.load_remote(f"http://{host}:{port}/bad")


def watches_files(box):
    folder = _files(box)
    settings.fingerprint([folder / "10-web.ini", folder / "20-log.json"])
    settings.line_of(folder / "30.env", "WEB__HOST")
    settings.line_of(folder / "30.env", "WEB__PORT")


def exports_the_environment(box):
    folder = _files(box)
    layered = settings.Settings(Path(box.path("keys")))
    layered.load_file(folder / "10-web.ini")
    layered.export_environment(Path(box.path("web.env")))
    layered.load_file(Path(box.write("x.ini", "[web]\nkey = @secret:other\n")))
    with box.raises(settings.SettingsError):
        layered.export_environment(Path(box.path("x.env")))


def copies_secrets(box):
    _files(box)
    settings.Settings(Path(box.path("keys"))).copy_secrets(["web"], Path(box.path("others")))
