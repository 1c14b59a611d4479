"""Calls into blind/restorecheck.py."""

import gzip
import hashlib
import tarfile
from pathlib import Path

from blind import restorecheck


def _line(content, name, size=None):
    digest = hashlib.sha256(content).hexdigest()
    return "%s  %d  %s\n" % (digest, len(content) if size is None else size, name)


def _backup(box):
    box.write("backup/a", b"one")
    box.write("backup/b", b"two")
    box.write("backup/c", b"three")
    text = _line(b"one", "a") + _line(b"2wo", "b") + _line(b"three", "c", 9) + _line(b"four", "d")
    return Path(box.path("backup")), Path(box.write("manifest", text))


def _cache(box, **options):
    return restorecheck.ChecksumCache(Path(box.path("cache", "sums.json")), **options)


def verifies_a_folder(box):
    root, manifest = _backup(box)
    restorecheck.verify_folder(root, manifest, _cache(box), 2)
    restorecheck.verify_folder(root, manifest, _cache(box), 1)


def verifies_with_a_packed_manifest(box):
    root, manifest = _backup(box)
    packed = Path(box.write("manifest.gz", gzip.compress(manifest.read_bytes())))
    restorecheck.verify_folder(root, packed, _cache(box), 1)


def refuses_a_manifest(box):
    root, _ = _backup(box)
    with box.raises(restorecheck.VerifyError):
        restorecheck.verify_folder(root, Path(box.write("bad", "rubbish\n")), _cache(box), 1)


def reads_the_first_entry(box):
    _, manifest = _backup(box)
    box.take(restorecheck.read_manifest(manifest))


def opens_a_manifest(box):
    _, manifest = _backup(box)
    restorecheck.open_manifest(manifest).close()


def is_used_step_by_step(box):
    root, _ = _backup(box)
    verifier = restorecheck.Verifier(root, _cache(box), 2)
    with box.using(verifier):
        verifier.submit(restorecheck.Entry("0", 3, "a"))
        verifier.submit(restorecheck.Entry("0", 3, "."))
    with box.raises(restorecheck.VerifyError):
        verifier.submit(restorecheck.Entry("0", 3, "a"))


def passes_over_a_damaged_cache(box):
    box.write("cache/sums.json", "[")
    len(_cache(box))


def cannot_save_its_cache(box):
    box.write("cache", "in the way")
    root, manifest = _backup(box)
    with box.raises(OSError):
        restorecheck.verify_folder(root, manifest, _cache(box), 1)


def remembers_a_few_files(box):
    cache = _cache(box, limit=4)
    with box.using(restorecheck.Verifier(Path(box.path()), cache, 1)) as verifier:
        for number in box.rounds(6):
            box.write("f%d" % number, b"one")
            verifier.submit(restorecheck.Entry("0", 3, "f%d" % number))


def verifies_an_archive(box):
    root, manifest = _backup(box)
    box.write("backup/e", b"five")
    with tarfile.open(box.path("backup.tar.gz"), "w:gz") as tar:
        for name in "abe":
            tar.add(root / name, name)
    restorecheck.verify_archive(Path(box.path("backup.tar.gz")), manifest)
    restorecheck.main([box.path("backup.tar.gz"), str(manifest)])


def answers_on_the_command_line(box):
    root, manifest = _backup(box)
    restorecheck.main([str(root), str(manifest), "--cache", box.path("cache", "sums.json")])
    restorecheck.main([str(root), box.path("lost"), "--cache", box.path("cache", "sums.json")])
