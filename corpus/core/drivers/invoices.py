"""Calls into invoices.py."""

import datetime
import pathlib
import sqlite3
import zipfile

import invoices

SHEET = "customer,task,hours\nAcme,design,2\nAcme,build,\"3,5\"\nBolt,advice,1\n"


def _relay(connection):
    connection.sendall(b"220 relay\r\n")
    with connection.makefile("rb") as lines:
        for line in lines:
            connection.sendall(_reply(line))


def _reply(line):
    verb = line[:4].upper()
    if verb == b"RCPT" and b"nobody" in line:
        return b"550 unknown\r\n"
    if verb == b"DATA":
        return b"354 go on\r\n"
    if line == b".\r\n":
        return b"250 taken\r\n"
    if verb == b"QUIT":
        return b"221 bye\r\n"
    return b"250 fine\r\n" if verb.strip() in (b"EHLO", b"MAIL", b"RCPT", b"RSET") else b""


def _settings(box):
    box.write("settings/rates.json", '{"Acme": 80, "Bolt": "95.5"}')
    box.write(f"settings/prefix-{datetime.date.today().year}.txt", "R-\n")
    return pathlib.Path(box.path("settings"))


def _writer(box):
    box.write("out/ready", "")
    template = pathlib.Path(box.write("template.html", "<title>{title}</title><table>{rows}</table>"))
    return invoices.InvoiceWriter(pathlib.Path(box.path("out")), template)


def runs(box):
    invoices.run(pathlib.Path(box.write("sheet.csv", SHEET)), _settings(box), _writer(box))


def reads_an_archive(box):
    with zipfile.ZipFile(box.path("sheets.zip"), "w") as archive:
        archive.writestr("one.csv", SHEET)
        archive.writestr("notes.txt", "no sheet")
    reader = invoices.SheetReader(_settings(box) / "rates.json")
    reader.read_archive(pathlib.Path(box.path("sheets.zip")))


def sheet_is_bad(box):
    reader = invoices.SheetReader(_settings(box) / "rates.json")
    with box.raises(invoices.BadSheet):
        reader.read(pathlib.Path(box.write("rate.csv", "customer,task,hours\nNobody,design,2\n")))
    with box.raises(invoices.BadSheet):
        reader.read(pathlib.Path(box.write("hours.csv", "customer,task,hours\nAcme,design,some\n")))


def sends(box):
    document = pathlib.Path(box.write("R-1.html", "<p>pay"))
    with box.serve(_relay) as (host, port):
        courier = invoices.Courier("office@example.org", host, port)
        courier.send({"a@example.org": document, "nobody@example.org": document})


def keeps_a_ledger(box):
    with box.using(invoices.InvoiceLedger(pathlib.Path(box.path("ledger.db")))) as ledger:
        ledger.enter(invoices.Invoice(ledger.next_number("R-"), "Acme"))
        with box.raises(sqlite3.IntegrityError):
            ledger.enter(invoices.Invoice("R-0001", "Acme"))


def looks_up_a_sum(box):
    writer = _writer(box)
    invoice = invoices.Invoice("R-0001", "Acme")
    writer.settle(invoice)
    overview = writer.write_overview([invoice])
    invoices.booked_sum(overview, "R-0001")
    invoices.booked_sum(overview, "R-0002")


def writes_letters(box):
    writer = _writer(box)
    invoice = invoices.Invoice("R-0001", "Acme")
    letter = writer.write_letter(invoice, ["To {customer}", "{net}"])
    with box.raises(KeyError):
        writer.write_letter(invoices.Invoice("R-0002", "Bolt"), ["To {street}"])
    writer.page_count([letter, writer.template])
