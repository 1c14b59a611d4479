"""Calls into blind/snapshotter.py."""

import json
import tarfile
import zipfile
from pathlib import Path

from blind import snapshotter


def _path(box, *parts):
    return Path(box.path(*parts))


def _tree(box):
    box.write("tree/one.txt", "1" * 1000)
    box.write("tree/deep/two.txt", "2")
    box.write("tree/deep/skip.tmp", "3")
    box.write("store/unrelated.txt", "")
    return snapshotter.SnapshotWriter(_path(box, "tree"), _path(box, "store"), "tree", ("*.tmp",))


def _zip_with(box, name, manifest, **members):
    path = _path(box, name)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(snapshotter.MANIFEST, manifest)
    return path


def makes_and_restores_a_tar(box):
    path = _tree(box).write()
    with box.using(snapshotter.Snapshot(path)) as snapshot:
        snapshot.verify()
        snapshot.restore(_path(box, "restored"))
        snapshot.to_zip(_path(box, "converted.zip"))


def makes_and_restores_a_zip(box):
    path = _tree(box).write("zip")
    with box.using(snapshotter.Snapshot(path)) as snapshot:
        snapshot.verify()
        snapshot.restore(_path(box, "restored"))


def snapshots_what_is_not_there(box):
    box.write("store/unrelated.txt", "")
    writer = snapshotter.SnapshotWriter(_path(box, "missing"), _path(box, "store"), "tree")
    with box.raises(OSError):
        writer.write()


def refuses_what_is_no_snapshot(box):
    with zipfile.ZipFile(_path(box, "empty.zip"), "w"):
        pass
    with tarfile.open(_path(box, "empty.tar.gz"), "w:gz"):
        pass
    wrong = (_path(box, "empty.zip"), _path(box, "empty.tar.gz"), Path(box.write("text.zip", "text")),
             Path(box.write("text.tar.gz", "text")), _zip_with(box, "bad.zip", "no json"))
    for path in wrong:
        with box.raises(snapshotter.SnapshotError):
            snapshotter.Snapshot(path)


def refuses_a_manifest_that_is_a_folder(box):
    with tarfile.open(_path(box, "odd.tar.gz"), "w:gz") as archive:
        info = tarfile.TarInfo(snapshotter.MANIFEST)
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    with box.raises(snapshotter.SnapshotError):
        snapshotter.Snapshot(_path(box, "odd.tar.gz"))


def finds_wrong_and_missing_files(box):
    path = _zip_with(box, "bad.zip", json.dumps({"a": "0", "b": "0"}), a="content")
    with box.using(snapshotter.Snapshot(path)) as snapshot:
        snapshot.verify()
        with box.raises(KeyError):
            snapshot.to_zip(_path(box, "converted.zip"))


def does_not_unpack_outside(box):
    path = _zip_with(box, "bad.zip", json.dumps({"../a": "0"}), **{"../a": "content"})
    with box.using(snapshotter.Snapshot(path)) as snapshot:
        with box.raises(snapshotter.SnapshotError):
            snapshot.restore(_path(box, "restored"))


def prunes(box):
    for day in range(3):
        box.write(f"store/tree-2024010{day}T000000.zip", "")
    box.write("store/other.zip", "")
    snapshotter.prune(_path(box, "store"), "tree", keep=1)
    snapshotter.prune(_path(box, "store"), "tree", keep=0)


def prunes_nothing(box):
    box.write("store/tree-20240101T000000.zip", "")
    for _ in box.rounds(2):
        snapshotter.prune(_path(box, "store"), "tree", keep=100)


def runs_from_the_command_line(box):
    writer = _tree(box)
    snapshotter.main(["create", str(box.path("tree")), str(box.path("store")), "--zip"])
    path = str(writer.write())
    snapshotter.main(["verify", path])
    snapshotter.main(["restore", path, str(box.path("restored"))])
    snapshotter.main(["verify", str(box.path("missing.zip"))])
