"""Import of fixed-width ledger extracts into the staging database.

An extract has one record per line: a header ``H``, details ``D`` and a trailer
``T`` with the control total.  It may be plain, gzipped, or zipped (one member).
Malformed lines go to a rejects file; staging happens only if the totals match.
"""

import argparse
import contextlib
import csv
import gzip
import hashlib
import io
import logging
import sqlite3
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, TextIO

LOGGER = logging.getLogger("ledger.import")

EXTRACT_ENCODING = "latin-1"
SPOOL_LIMIT = 4 * 1024 * 1024
STAGING_DDL = (
    "CREATE TABLE IF NOT EXISTS ledger_staging"
    " (extract_id TEXT, account TEXT, booked_on TEXT, amount TEXT, memo TEXT)"
)


class ExtractError(Exception):
    """The extract as a whole cannot be imported."""


class RecordError(ValueError):
    """A single record is malformed."""


def _parse_date(text: str) -> str:
    return datetime.strptime(text, "%Y%m%d").date().isoformat()


def _parse_amount(text: str) -> str:
    return str(Decimal(text).scaleb(-2))


@dataclass(frozen=True)
class FieldSpec:
    name: str
    start: int
    width: int
    convert: Callable[[str], str] = str
    required: bool = True

    def extract(self, line: str) -> str:
        raw = line[self.start:self.start + self.width].strip()
        if not raw and self.required:
            raise RecordError(f"{self.name} is empty")
        try:
            return self.convert(raw)
        except (ValueError, InvalidOperation) as exc:
            raise RecordError(f"{self.name}: cannot convert {raw!r}") from exc


DETAIL_LAYOUT = (
    FieldSpec("account", 1, 10),
    FieldSpec("booked_on", 11, 8, _parse_date),
    FieldSpec("amount", 19, 12, _parse_amount),
    FieldSpec("memo", 31, 30, required=False),
)


@dataclass
class ImportReport:
    source: str
    accepted: int = 0
    rejected: int = 0
    total: Decimal = Decimal(0)
    reasons: Dict[str, int] = field(default_factory=dict)

    def note_reject(self, reason: str) -> None:
        self.rejected += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def write(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("source", "accepted", "rejected", "total"))
            writer.writerow((self.source, self.accepted, self.rejected, self.total))
            for reason, count in sorted(self.reasons.items()):
                writer.writerow(("reject", reason, count, ""))


class RejectSink:
    """Rejects file that is only created once there is something to reject."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: Optional[TextIO] = None

    def __enter__(self) -> "RejectSink":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def reject(self, number: int, line: str, reason: str) -> None:
        if self._stream is None:
            self._stream = open(self._path, "w", encoding=EXTRACT_ENCODING)
        self._stream.write(f"{number:07d}|{reason}|{line}\n")

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class StagingGateway:
    def __init__(self, database: Path) -> None:
        self._database = database

    def is_known(self, extract_id: str) -> bool:
        connection = sqlite3.connect(self._database)
        try:
            connection.execute(STAGING_DDL)
            query = "SELECT COUNT(*) FROM ledger_staging WHERE extract_id = ?"
            return connection.execute(query, (extract_id,)).fetchone()[0] > 0
        finally:
            connection.close()

    def load(self, extract_id: str, rows: Iterator[list]) -> int:
        with contextlib.closing(sqlite3.connect(self._database)) as connection:
            connection.execute(STAGING_DDL)
            with connection:  # one transaction per extract
                for row in rows:
                    connection.execute(
                        "INSERT INTO ledger_staging VALUES (?, ?, ?, ?, ?)", [extract_id, *row]
                    )
            return connection.total_changes


class LedgerImporter:
    def __init__(self, gateway: StagingGateway, output_dir: Path) -> None:
        self._gateway, self._output_dir = gateway, output_dir

    def run(self, source: Path, *, force: bool = False) -> ImportReport:
        extract_id = self._fingerprint(source)
        if self._gateway.is_known(extract_id) and not force:
            raise ExtractError(f"{source.name} has been imported before")
        report = ImportReport(source.name)
        rejects = self._output_dir / f"{source.stem}.rejects"
        try:
            with self._open_extract(source) as extract, RejectSink(rejects) as sink, \
                    tempfile.SpooledTemporaryFile(SPOOL_LIMIT, "w+", newline="",
                                                  encoding="utf-8") as spool:
                self._validate(extract, spool, sink, report)
                spool.seek(0)
                self._gateway.load(extract_id, csv.reader(spool))
        finally:
            report.write(self._output_dir / f"{source.stem}.report.csv")
        LOGGER.info("%s: %d accepted, %d rejected", source, report.accepted, report.rejected)
        return report

    @staticmethod
    def _fingerprint(source: Path) -> str:
        digest = hashlib.sha256()
        with open(source, "rb") as stream:
            while block := stream.read(65536):
                digest.update(block)
        return digest.hexdigest()

    @contextlib.contextmanager
    def _open_extract(self, source: Path) -> Iterator[TextIO]:
        if source.suffix.lower() == ".zip":
            with zipfile.ZipFile(source) as archive:
                members = archive.namelist()
                if len(members) != 1:
                    raise ExtractError(f"{source.name}: expected one member, got {len(members)}")
                with archive.open(members[0]) as raw, \
                        io.TextIOWrapper(raw, encoding=EXTRACT_ENCODING) as text:
                    yield text
        elif source.suffix.lower() == ".gz":
            with gzip.open(source, "rt", encoding=EXTRACT_ENCODING) as text:
                yield text
        else:
            with source.open("r", encoding=EXTRACT_ENCODING) as text:
                yield text

    def _validate(self, extract, spool, sink: RejectSink, report: ImportReport) -> None:
        writer = csv.writer(spool)
        trailer = None
        for number, line in enumerate((raw.rstrip("\r\n") for raw in extract), start=1):
            kind = line[:1]
            if number == 1 and kind != "H":
                raise ExtractError("extract does not start with a header")
            if kind == "D":
                try:
                    row = [spec.extract(line) for spec in DETAIL_LAYOUT]
                except RecordError as exc:
                    sink.reject(number, line, str(exc))
                    report.note_reject(str(exc))
                    continue
                writer.writerow(row)
                report.accepted += 1
                report.total += Decimal(row[2])
            elif kind == "T":
                trailer = line
            elif number > 1:
                sink.reject(number, line, "unknown record type")
                report.note_reject("unknown record type")
        if trailer is None:
            raise ExtractError("extract has no trailer")
        if trailer[1:8] != f"{report.accepted + report.rejected:07d}":
            raise ExtractError("control total of the trailer does not match")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description="import ledger extracts")
    parser.add_argument("database", type=Path)
    parser.add_argument("extract", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path())
    args = parser.parse_args(argv)
    importer = LedgerImporter(StagingGateway(args.database), args.output)
    status = 0
    for extract in args.extract:
        try:
            importer.run(extract)
        except (ExtractError, OSError, EOFError, zipfile.BadZipFile, sqlite3.Error) as exc:
            LOGGER.error("%s: %s", extract, exc)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
