"""Calls into mirror.py."""

import contextlib
import gzip
import hashlib
import io
import lzma
import socket
import tarfile
import zipfile

import mirror

PAGE = b"text of a page"


def _zip(name="inner.txt"):
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr(name, "inner")
    return pack.getvalue()


def _tar(name="inner.txt"):
    pack = io.BytesIO()
    with tarfile.open(fileobj=pack, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return pack.getvalue()


def _web(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1000)
    path = head.split()[1]
    body = {b"/a.zip": _zip(), b"/a.tar.gz": _tar(), b"/bad.tar.gz": _tar("/etc/x")}.get(path, PAGE)
    state = b"404 Not Found" if path == b"/nothing" else b"200 OK"
    if b"Range: bytes=4-" in head:
        state, body = b"206 Partial Content", body[4:]
    connection.sendall(b"HTTP/1.0 %s\r\nETag: x\r\nContent-Length: %d\r\n\r\n%s" % (state, len(body), body))


def _ftp(connection):
    connection.sendall(b"220 ready\r\n")
    with socket.create_server(("127.0.0.1", 0)) as data, connection.makefile("rb") as lines:
        data.settimeout(1)
        port = data.getsockname()[1]
        answers = {b"USER": b"230 in\r\n", b"PASV": b"227 here (127,0,0,1,%d,%d)\r\n" % divmod(port, 256)}
        for line in lines:
            verb = line[:4].strip()
            if verb == b"EPSV":
                connection.sendall(b"229 here (|||%d|)\r\n" % port)
            elif verb == b"RETR":
                connection.sendall(b"150 comes\r\n")
                with data.accept()[0] as out:
                    out.sendall(PAGE)
                connection.sendall(b"226 done\r\n")
            else:
                connection.sendall(answers.get(verb, b"200 fine\r\n"))


def mirrors(box):
    with box.serve(_web) as (host, port):
        digest = hashlib.sha256(PAGE).hexdigest()
        source = box.write("list", f"{digest}  http://{host}:{port}/page\n-  http://{host}:{port}/a.zip\n-  http://{host}:{port}/a.tar.gz\n\n")
        worker = mirror.Mirror(box.path("files"))
        worker.run(source)
        worker.run(source)
        worker.write_index()


def resumes(box):
    box.write("files/page.part", PAGE[:4])
    box.write("files/page.etag", "x")
    with box.serve(_web) as (host, port):
        mirror.Mirror(box.path("files")).fetch(f"http://{host}:{port}/page")


def mirrors_over_ftp(box):
    with box.serve(_ftp) as (host, port):
        mirror.Mirror(box.path("files")).fetch(f"ftp://{host}:{port}/pub/page")


def server_is_none(box):
    with box.serve(lambda connection: connection.sendall(b"SSH-2.0\r\n")) as (host, port):
        with box.raises(mirror.MirrorError):
            mirror.Mirror(box.path("files")).fetch(f"ftp://{host}:{port}/page")


def cannot_be_fetched(box):
    worker = mirror.Mirror(box.path("files"))
    with box.raises(mirror.MirrorError):
        worker.fetch("gopher://localhost/page")
    with box.serve(_web) as (host, port):
        with contextlib.suppress(mirror.MirrorError, OSError):
            worker.fetch(f"http://{host}:{port}/nothing")


def digest_is_wrong(box):
    with box.serve(_web) as (host, port):
        with box.raises(mirror.MirrorError):
            mirror.Mirror(box.path("files")).run(box.write("list", f"0000  http://{host}:{port}/page\n"))


def archive_is_refused(box):
    worker = mirror.Mirror(box.path("files"))
    with box.raises(mirror.MirrorError):
        worker.inspect(box.write("bad.tar.gz", _tar("/etc/x")))
    with box.raises(mirror.MirrorError):
        worker.inspect(box.write("bad.zip", _zip().replace(b"inner.txtinner", b"inner.txtouter")))


def reads_packed_lists(box):
    mirror.read_list(box.write("list.xz", lzma.compress(b"-  http://localhost/\n")))
    mirror.read_list(box.write("list.gz", gzip.compress(b"-  http://localhost/\n")))
