"""Monthly invoice run: reads the time sheets, works out the amounts, writes and sends the documents."""

from __future__ import annotations

import csv
import datetime
import decimal
import html
import io
import json
import logging
import smtplib
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path

log = logging.getLogger('invoices')

CENT = Decimal('0.01')


@dataclass
class Position:
    text: str
    hours: Decimal
    rate: Decimal


@dataclass
class Invoice:
    number: str
    customer: str
    positions: list[Position] = field(default_factory=list)
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)


class BadSheet(ValueError):
    """A time sheet cannot be read."""


def _template_text(path: Path) -> str:
    """The HTML frame, with the placeholders ``{title}`` and ``{rows}``."""
    with path.open(encoding='utf-8') as template:
        return template.read()


def _number_prefix(folder: Path) -> str:
    year = datetime.date.today().year
    name = f'prefix-{year}.txt'
    with open(folder / name, encoding='ascii') as handle:
        return handle.readline()


class InvoiceLedger:
    """Numbers and sums of all invoices ever written; one connection for a whole run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as setup, setup:
            setup.execute('CREATE TABLE IF NOT EXISTS invoice (number TEXT PRIMARY KEY, customer TEXT, net TEXT)')
        self._db = sqlite3.connect(path)

    def __enter__(self) -> InvoiceLedger:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def next_number(self, prefix: str) -> str:
        row = self._db.execute('SELECT count(*) FROM invoice WHERE number LIKE ?', (prefix + '%',)).fetchone()
        return f'{prefix}{row[0] + 1:04d}'

    def enter(self, invoice: Invoice) -> None:
        with self._db:
            self._db.execute('INSERT INTO invoice VALUES (?, ?, ?)', (invoice.number, invoice.customer, str(invoice.net)))


def booked_sum(overview: Path, number: str) -> str | None:
    """The net sum that an overview gives for an invoice."""
    with open(overview, encoding='utf-8', newline='') as handle:
        for row in csv.DictReader(handle, delimiter=';'):
            if row['number'] == number:
                return row['net']
    return None


class SheetReader:
    """Time sheets: CSV with the columns customer, task, hours; rates come from a JSON file."""

    def __init__(self, rates: Path) -> None:
        with rates.open('rb') as handle:
            stored = json.load(handle)
        self.rates = {customer: Decimal(str(rate)) for customer, rate in stored.items()}

    def read(self, path: Path) -> dict[str, list[Position]]:
        """The positions of each customer."""
        result: dict[str, list[Position]] = {}
        with path.open(encoding='utf-8-sig', newline='') as sheet:
            for row in csv.DictReader(sheet):
                customer = (row.get('customer') or '').strip()
                if customer not in self.rates:
                    raise BadSheet(f'{path}: no rate for {customer!r}')
                try:
                    hours = Decimal(row['hours'].replace(',', '.'))
                except (decimal.InvalidOperation, KeyError, AttributeError):
                    raise BadSheet(f'{path}: hours of {customer} are no number') from None
                result.setdefault(customer, []).append(Position(row['task'], hours, self.rates[customer]))
        return result

    def read_archive(self, path: Path) -> dict[str, list[Position]]:
        """The same for a zip file full of sheets."""
        result: dict[str, list[Position]] = {}
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix='sheets-') as scratch:
            for name in archive.namelist():
                if name.endswith('.csv'):
                    sheet = Path(archive.extract(name, scratch))
                    for customer, positions in self.read(sheet).items():
                        result.setdefault(customer, []).extend(positions)
        return result


class InvoiceWriter:
    """Writes the documents of a run into a folder."""

    def __init__(self, folder: Path, template: Path, tax_rate: str = '19') -> None:
        self.folder = folder
        self.template = template
        self.tax_rate = Decimal(tax_rate)

    def settle(self, invoice: Invoice) -> None:
        """Fill in the sums, rounded half up as the law wants it."""
        with decimal.localcontext() as context:
            context.rounding = decimal.ROUND_HALF_UP
            context.prec = 20
            net = sum((position.hours * position.rate for position in invoice.positions), Decimal(0))
            invoice.net = net.quantize(CENT)
            invoice.tax = (invoice.net * self.tax_rate / 100).quantize(CENT)

    def write_html(self, invoice: Invoice) -> Path:
        path = self.folder / f'{invoice.number}.html'
        with io.StringIO() as rows:
            for position in invoice.positions:
                rows.write(f'<tr><td>{html.escape(position.text)}<td>{position.hours}<td>{position.rate}\n')
            rows.write(f'<tr><th>net<td><td>{invoice.net}\n<tr><th>tax<td><td>{invoice.tax}\n')
            page = _template_text(self.template).replace('{rows}', rows.getvalue())
        with path.open('w', encoding='utf-8') as out:
            out.write(page.replace('{title}', html.escape(f'{invoice.number} {invoice.customer}')))
        return path

    def write_overview(self, invoices: list[Invoice]) -> Path:
        path = self.folder / 'overview.csv'
        out = open(path, 'w', encoding='utf-8', newline='')
        try:
            writer = csv.writer(out, delimiter=';')
            writer.writerow(['number', 'customer', 'net', 'tax'])
            for invoice in invoices:
                writer.writerow([invoice.number, invoice.customer, invoice.net, invoice.tax])
        finally:
            out.close()
        return path

    def write_letter(self, invoice: Invoice, lines: list[str]) -> Path:
        """A covering letter; none is left behind if its text cannot be filled in."""
        path = self.folder / f'{invoice.number}.txt'
        letter = open(path, 'w', encoding='utf-8')
        written = False
        try:
            for line in lines:
                letter.write(line.format(customer=invoice.customer, net=invoice.net) + '\n')
            written = True
        finally:
            if written:
                letter.close()
                path.chmod(0o640)
            else:
                letter.close()
                path.unlink()
        return path

    def page_count(self, paths: list[Path]) -> int:
        """Pages that the printer will need, at sixty lines each."""
        pages = 0
        for path in paths:
            with open(path, encoding='utf-8') as document:
                pages += sum(1 for _ in document) // 60 + 1
        return pages

    def pack(self, paths: list[Path]) -> Path:
        """One zip file for the tax office."""
        target = self.folder / 'documents.zip'
        archive = zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED)
        try:
            for path in paths:
                archive.write(path, path.name)
        finally:
            archive.close()
        return target


class Courier:
    """Sends documents by mail over the local relay."""

    def __init__(self, sender: str, host: str = 'localhost', port: int = 25) -> None:
        self.sender = sender
        self.host = host
        self.port = port

    def send(self, recipients: dict[str, Path]) -> list[str]:
        """Send each recipient the document; who could not be reached."""
        refused = []
        with smtplib.SMTP(self.host, self.port, timeout=30) as relay:
            relay.ehlo_or_helo_if_needed()
            for recipient, path in recipients.items():
                message = EmailMessage()
                message['From'], message['To'], message['Subject'] = self.sender, recipient, f'Invoice {path.stem}'
                with open(path, encoding='utf-8') as document:
                    message.add_alternative(document.read(), subtype='html')
                try:
                    relay.send_message(message)
                except smtplib.SMTPRecipientsRefused:
                    log.warning('%s was refused', recipient)
                    refused.append(recipient)
        return refused


def run(sheet: Path, settings: Path, writer: InvoiceWriter) -> Path:
    """One invoice for each customer of a sheet; the packed documents."""
    positions = SheetReader(settings / 'rates.json').read(sheet)
    prefix = _number_prefix(settings).strip()
    invoices, paths = [], []
    with InvoiceLedger(settings / 'ledger.db') as ledger:
        for customer, entries in sorted(positions.items()):
            invoice = Invoice(ledger.next_number(prefix), customer, entries)
            writer.settle(invoice)
            paths.append(writer.write_html(invoice))
            ledger.enter(invoice)
            invoices.append(invoice)
        log.info('%d invoices in %s', len(invoices), ledger.path)
    paths.append(writer.write_overview(invoices))
    return writer.pack(paths)
