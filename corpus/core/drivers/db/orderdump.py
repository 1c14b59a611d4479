"""Calls into db/orderdump.py."""

import psycopg
from db import orderdump

ORDERS = [(1, "Hansen", 120, "2024-03-01"), (2, "Okafor", 80, "2024-03-02"), (3, "Hansen", 15, "2024-03-02")]


def _dump(box, **answers):
    psycopg.answers.clear()
    psycopg.answers.update({"FROM orders WHERE": ORDERS, "count(*)": [(3,)], "EXCEPT": [(3,), (2,)]})
    psycopg.answers.update(answers)
    return orderdump.OrderDump("dbname=shop", str(box.path()))


def dumps_and_reads_back(box):
    dump = _dump(box)
    dump.dump("monday.gz")
    dump.dump("tuesday.gz")
    dump.sizes(["monday.gz", "tuesday.gz"])
    dump.sums(["monday.gz", "tuesday.gz"])
    dump.as_csv("monday.gz", str(box.path("monday.csv")))
    dump.unbooked()


def dumps_nothing(box):
    psycopg.answers.clear()
    dump = orderdump.OrderDump("dbname=shop", str(box.path()))
    dump.dump("empty.gz")
    dump.sizes(["empty.gz"])


def stops_early(box):
    _dump(box)
    box.take(orderdump.changed_orders("dbname=shop", ""), 2)


def cannot_reach_the_database(box):
    with box.raises(psycopg.OperationalError):
        orderdump.OrderDump("down", str(box.path())).dump("never.gz")
    with box.raises(psycopg.OperationalError):
        orderdump.ChangeFeed("down")


def opens_sessions(box):
    _dump(box)
    with box.using(orderdump.order_session("dbname=shop")) as conn:
        conn.execute("SELECT 1")
    with box.using(orderdump.order_session("dbname=shop", read_only=False)) as conn:
        conn.execute("SELECT 1")


def refuses_a_session(box):
    _dump(box, **{"TIME ZONE": psycopg.Error("no such zone")})
    with box.raises(psycopg.Error):
        orderdump.order_session("dbname=shop")


def polls_for_changes(box):
    _dump(box)
    with box.using(orderdump.ChangeFeed("dbname=shop")) as feed:
        feed.poll()
        psycopg.answers["FROM orders WHERE"] = psycopg.OperationalError("gone")
        feed.poll()
        feed.close()
        feed.reconnect()
        feed.reconnect()


def stages_receipts(box):
    dump = _dump(box)
    dump.take_receipts(str(box.write("booked.csv", "1;ok\n2;ok\n")))
    dump.take_receipts(str(box.write("none.csv", "\n")))


def refuses_damaged_receipts(box):
    dump = _dump(box)
    with box.raises(orderdump.DumpError):
        dump.take_receipts(str(box.write("bad.csv", "one;ok\n")))


def staging_fails_in_the_block(box):
    _dump(box)
    with box.raises(Exception), orderdump.staging_table("dbname=shop") as cursor:
        cursor.execute("INSERT INTO booked_staging VALUES (1)")
        box.fail()


def refuses_a_broken_dump(box):
    dump = _dump(box)
    box.write("broken.gz", "not packed")
    with box.raises(OSError):
        dump.as_csv("broken.gz", str(box.path("broken.csv")))


def reports_to_the_ledger(box):
    dump = _dump(box)
    dump.note_watermark("2024-03-02")

    def ledger(connection):
        connection.recv(100)
        connection.sendall(b"thanks\n")

    with box.serve(ledger) as address:
        dump.report(address)
        dump.report(address, wanted=False)


def ledger_is_gone(box):
    with box.raises(OSError):
        orderdump.reach_ledger(("127.0.0.1", 1), timeout=0.2)
    with box.raises(OSError):
        orderdump.reach_ledger(("127.0.0.1", 1), timeout=0.2, keep_alive=False)
