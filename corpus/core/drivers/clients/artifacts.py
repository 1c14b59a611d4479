"""Calls into clients/artifacts.py."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import socket
import zipfile

import httpx
import requests
from clients import artifacts

BASE = "http://localhost"


def _content():
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json"), '{"version": 1}')
    return pack.getvalue()


def _client(box, whoami=200, body=None):
    content = _content()
    description = {"digest": hashlib.sha256(content).hexdigest()}
    requests.answers.clear()
    requests.answers.update({"/whoami": (whoami, b"me"), "/motd": (200, b"hello\n"), "/notify": (200, b"")})
    requests.answers["/artifact/tool.zip"] = (200, json.dumps(description).encode())
    requests.answers["/upload/new"] = (201, b"")
    requests.answers["/upload/old"] = (409, b"")
    requests.answers["/list"] = (200, b"# names\ntool.zip\nother.zip\n")
    httpx.answers.clear()
    httpx.answers["/content/tool.zip"] = (200, body or content)
    box.write("token", "secret\n")
    config = f"[artifacts]\nserver = {BASE}\ncache = {box.path('cache')}\ntoken = {box.path('token')}\n"
    return artifacts.ArtifactClient.from_config(pathlib.Path(box.write("config", config)))


@contextlib.contextmanager
def _connected(box, client):
    with box.using(client):
        client.connect()
        yield client


def _tells(body):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"news", ("127.0.0.1", body["port"]))
    return 200, b""


def downloads(box):
    with _connected(box, _client(box)) as client:
        client.motd()
        client.download("tool.zip")
        path = client.download("tool.zip")
        artifacts.manifest_of(path)
        client.damaged()
        box.write("cache/tool.zip", "rubbish")
        client.damaged()
        client.download("tool.zip")
        client.unpack("tool.zip", ["/bin/cat"])
        os.makedirs(box.path("out"))
        client.export(["tool.zip"], pathlib.Path(box.path("out")))
        client.renew("other")
        box.write("cache/tool.zip", "")
        with box.raises(artifacts.ArtifactError):
            client.unpack("tool.zip", ["/bin/cat"])


def artifact_is_missing(box):
    with _connected(box, _client(box)) as client:
        with box.raises(artifacts.ArtifactError):
            client.download("nothing.zip")


def digest_is_wrong(box):
    with _connected(box, _client(box, body=b"rubbish")) as client:
        with box.raises(artifacts.DigestMismatch):
            client.download("tool.zip")


def token_is_refused(box):
    with box.raises(artifacts.Unauthorized):
        _client(box, whoami=401).renew("x")
    with box.raises(requests.HTTPError):
        _client(box, whoami=500).renew("x")


def uploads(box):
    with _connected(box, _client(box)) as client:
        paths = [pathlib.Path(box.write(name, "text")) for name in ("new", "old")]
        client.upload(paths, pathlib.Path(box.path("report.bz2")))


def waits_for_news(box):
    with _connected(box, _client(box)) as client:
        client.await_news(wanted=False)
        client.await_news()
        requests.answers["/notify"] = _tells
        client.await_news()


def reads_lines(box):
    _client(box)
    list(artifacts.remote_lines(BASE + "/list"))
    box.take(artifacts.remote_lines(BASE + "/list"))


def index_starts_over(box):
    with box.using(artifacts.ArtifactIndex(pathlib.Path(box.path("index.db")))) as index:
        index.put("a", "1")
        index.start_over()
        index.digest("a")
        index.close()
        index.start_over()
        index.start_over()


def cache_is_a_file(box):
    client = _client(box)
    box.write("cache", "text")
    with box.raises(OSError), _connected(box, client):
        pass


def port_is_taken(box):
    with artifacts.wake_socket() as sock, box.raises(OSError):
        artifacts.wake_socket(sock.getsockname()[1])


def block_fails(box):
    with box.raises(RuntimeError), artifacts.streaming_client(BASE):
        box.fail()
