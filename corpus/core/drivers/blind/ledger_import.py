"""Calls into blind/ledger_import.py."""

import gzip
import zipfile
from pathlib import Path

from blind import ledger_import


def _path(box, *parts):
    return Path(box.path(*parts))


def _detail(account="4711", day="20240131", amount="1250", memo="rent"):
    return f"D{account:<10}{day:<8}{amount:<12}{memo:<30}\r\n"


def _extract(*lines, count=None):
    number = len(lines) if count is None else count
    return "".join(("HDEMO\r\n", *lines, f"T{number:07d}\r\n"))


GOOD = _extract(_detail(), _detail(amount="-99", memo=""))


def _importer(box):
    return ledger_import.LedgerImporter(ledger_import.StagingGateway(_path(box, "staging.db")), _path(box))


def _run(box, name, content):
    return _importer(box).run(Path(box.write(name, content)))


def _fails(box, content):
    with box.raises(ledger_import.ExtractError):
        _run(box, "march.txt", content)


def imports_a_plain_extract(box):
    importer = _importer(box)
    source = Path(box.write("march.txt", GOOD))
    importer.run(source)
    with box.raises(ledger_import.ExtractError):
        importer.run(source)
    importer.run(source, force=True)


def imports_with_rejects(box):
    lines = _detail(amount="x"), _detail(day="20241399"), _detail(account=""), "?what\r\n", _detail()
    _run(box, "march.txt", _extract(*lines))


def imports_a_gzipped_extract(box):
    _run(box, "march.gz", gzip.compress(GOOD.encode("latin-1")))


def imports_a_zipped_extract(box):
    with zipfile.ZipFile(_path(box, "march.zip"), "w") as archive:
        archive.writestr("march.txt", GOOD)
    _importer(box).run(_path(box, "march.zip"))


def finds_two_members(box):
    with zipfile.ZipFile(_path(box, "march.zip"), "w") as archive:
        archive.writestr("march.txt", GOOD)
        archive.writestr("april.txt", GOOD)
    with box.raises(ledger_import.ExtractError):
        _importer(box).run(_path(box, "march.zip"))


def finds_no_header(box):
    _fails(box, _detail() + "T0000001\r\n")


def finds_no_trailer(box):
    _fails(box, "HDEMO\r\n" + _detail(account="") + _detail())


def finds_a_wrong_control_total(box):
    _fails(box, _extract(_detail(), count=5))


def runs_from_the_command_line(box):
    good, bad = box.write("good.txt", GOOD), box.write("bad.zip", "no archive")
    ledger_import.main([str(box.path("staging.db")), str(good), str(bad), "--output", str(box.path())])
