"""Calls into blind/vaultindex.py."""

import io
import tarfile
import zipfile

from blind import vaultindex


def _tar(path, mode, **members):
    with tarfile.open(path, mode) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1700000000
            tar.addfile(info, io.BytesIO(content))


def _vault(box, *archives):
    box.write("vault/plain.txt", "text")
    if "a.tar.gz" in archives:
        _tar(box.path("vault", "a.tar.gz"), "w:gz", one=b"1" * 500, two=b"2")
    if "b.tar" in archives:
        _tar(box.path("vault", "b.tar"), "w", three=b"3")
    if "c.zip" in archives:
        with zipfile.ZipFile(box.path("vault", "c.zip"), "w") as archive:
            archive.writestr("folder/", "")
            archive.writestr("two", "222")
    return box.path("vault"), box.path("vault.vix")


def indexes_a_vault(box):
    box.write("vault/deep/other.txt", "more text")
    box.write("vault/.hidden", "")
    root, target = _vault(box, "a.tar.gz", "b.tar", "c.zip")
    vaultindex.build(root, target)
    with box.using(vaultindex.VaultIndex(target, root)) as index:
        len(index)
        list(index.find("two"))
        list(index.find("nothing"))


def sorts_in_runs(box):
    root, target = _vault(box, "a.tar.gz", "c.zip")
    vaultindex.build(root, target, run_length=2)


def leaves_damaged_archives_out(box):
    root, target = _vault(box, "a.tar.gz")
    box.write("vault/bad.zip", "no archive")
    box.write("vault/bad.tar", "no archive")
    with open(box.path("vault", "a.tar.gz"), "rb") as whole:
        box.write("vault/cut.tar.gz", whole.read(40))
    vaultindex.build(root, target)


def has_nowhere_to_put_the_index(box):
    root, target = _vault(box)
    box.write("vault.vix/file", "in the way")
    with box.raises(OSError):
        vaultindex.build(root, target)


def opens_members(box):
    root, target = _vault(box, "a.tar.gz", "c.zip")
    vaultindex.build(root, target)
    with box.using(vaultindex.VaultIndex(target, root)) as index:
        for number in range(len(index)):
            with box.using(index.open_member(index[number])) as stream:
                stream.read()


def opens_members_that_are_gone(box):
    root, target = _vault(box, "b.tar")
    vaultindex.build(root, target)
    _tar(box.path("vault", "b.tar"), "w", four=b"4")
    with box.using(vaultindex.VaultIndex(target, root)) as index:
        for record in index.find("three"):
            with box.raises(KeyError):
                index.open_member(record)
        with box.raises(IndexError):
            index[1000]


def refuses_what_is_no_index(box):
    cut_off = vaultindex.MAGIC + b"\x09\0\0\0" + b"\0" * 8
    for content in (b"", b"NOPE" + b"\0" * 20, cut_off):
        with box.raises(vaultindex.VaultError):
            vaultindex.VaultIndex(box.write("bad.vix", content), box.path())
    with box.raises(OSError):
        vaultindex.VaultIndex(box.path("missing.vix"), box.path())


def looks_only_at_the_beginning(box):
    root, _ = _vault(box, "a.tar.gz", "c.zip")
    box.take(vaultindex.archives_below(root))
    for archive in ("a.tar.gz", "c.zip", "plain.txt"):
        box.take(vaultindex.records_of(root, archive))
    with box.using(vaultindex.RunSorter(2)) as sorter:
        for record in vaultindex.tar_records(root, "a.tar.gz"):
            sorter.add(record)
        box.take(sorter.merged())
