"""Calls into bundle.py."""

import io
import json
import os
import pathlib
import tarfile

import bundle


def _tree(box, **settings):
    settings = {"name": "tool", "version": "1.2", "exclude": ["*.tmp"], **settings}
    box.write("tree/bundle.json", json.dumps(settings))
    box.write("tree/.bundleignore", "dist\n\n")
    box.write("tree/src/main.py", "VERSION = '@VERSION@'\n")
    box.write("tree/src/a.tmp", "scratch")
    box.write("tree/x", "y")
    return pathlib.Path(box.path("tree"))


def builds(box):
    bundle.build(_tree(box), box.path("dist"))


def archive_differs(box):
    root = _tree(box)
    packer = bundle.Packer(bundle.Tree(root), box.path("dist"))
    path = packer.tarball()
    box.write("tree/x", "z")
    packer.unpack_check(path)


def archive_is_of_another_tree(box):
    root = _tree(box)
    packer = bundle.Packer(bundle.Tree(root), box.path("dist"))
    with tarfile.open(box.path("dist", "other.tar.gz"), "w:gz") as other:
        for name in ("bundle.json", ".bundleignore", "src/main.py", "x"):
            member = tarfile.TarInfo("tool-1.2/" + name)
            other.addfile(member, io.BytesIO())
    packer.unpack_check(pathlib.Path(box.path("dist", "other.tar.gz")))


def nothing_is_signed_off(box):
    packer = bundle.Packer(bundle.Tree(_tree(box)), box.path("dist"))
    with box.raises(bundle.BuildError):
        packer.sign_off([])


def description_lacks_a_version(box):
    root = _tree(box)
    box.write("tree/bundle.json", '{"name": "tool"}')
    with box.raises(bundle.BuildError):
        bundle.Tree(root)


def tree_has_no_ignore_file(box):
    root = _tree(box)
    os.unlink(box.path("tree", ".bundleignore"))
    bundle.Tree(root)


def phase_fails(box):
    with box.raises(RuntimeError), bundle.Phase("pack", io.StringIO()):
        box.fail()


def has_no_revision(box):
    bundle.revision(box.path())


def has_a_revision(box):
    os.chmod(box.write("bin/git", "#!/bin/sh\necho 0123456\n"), 0o700)
    before = os.environ["PATH"]
    os.environ["PATH"] = box.path("bin") + os.pathsep + before
    try:
        bundle.revision(box.path())
    finally:
        os.environ["PATH"] = before


def compares_builds(box):
    packer = bundle.Packer(bundle.Tree(_tree(box)), box.path("dist"))
    paths = [box.write(name, text) for name, text in (("a", "same"), ("b", "same"), ("c", "other"), ("d", "same, longer"))]
    for other in paths:
        packer.same_bytes(paths[0], other)


def inflates_the_tarball(box):
    packer = bundle.Packer(bundle.Tree(_tree(box)), box.path("dist"))
    packer.inflate(packer.tarball())
    with box.raises(OSError):
        packer.inflate(pathlib.Path(box.write("x.tar.gz", "no gzip file")))


def finds_the_version(box):
    packer = bundle.Packer(bundle.Tree(_tree(box)), box.path("dist"))
    packer.sign_off([packer.zipball()])
    bundle.listed_version(box.path("dist"), "tool")
    bundle.listed_version(box.path("dist"), "other")


def lists_changes(box):
    os.chmod(box.write("bin/git", "#!/bin/sh\necho src/main.py\nexit $(cat code)\n"), 0o700)
    before = os.environ["PATH"]
    os.environ["PATH"] = box.path("bin") + os.pathsep + before
    try:
        box.write("code", "0")
        bundle.changed_paths(box.path())
        box.write("code", "1")
        with box.raises(bundle.BuildError):
            bundle.changed_paths(box.path())
    finally:
        os.environ["PATH"] = before
