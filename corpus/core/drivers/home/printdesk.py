"""Calls into home/printdesk.py."""

import os
from contextlib import suppress

from home import printdesk


def prices(box):
    printdesk.price_of(3)
    printdesk.price_of(3, colour=True)


def keeps_a_ledger(box):
    box.write("desk/readme", "")
    with box.using(printdesk.Ledger(box.path("desk"))) as ledger:
        ledger.enter("desk 4", 3, 12)
        ledger.enter("desk 4", 1, 4)
        ledger.total("desk 4")


def spools(box):
    box.write("desk/readme", "")
    with box.using(printdesk.Spool(box.path("desk"))) as spool:
        spool.put("page-1", b"%!PS")
        spool.put("page-2", b"%!PS")


def spools_nothing(box):
    box.write("desk/readme", "")
    with box.using(printdesk.Spool(box.path("desk"))) as spool:
        with box.raises(printdesk.JobRefused):
            spool.put("page-1", b"")


def queues(box):
    path = box.path("queue.db")
    printdesk.submit(path, ["desk 4", "bert"])
    printdesk.drain(path)


def queues_by_hand(box):
    with box.using(printdesk.JobQueue(box.path("queue.db"))) as queue:
        queue.push("desk 4")
        queue.pop()
        queue.pop()


def counts(box):
    counter = printdesk.Counter(box.write("counter", "17\n"))
    counter.begin()
    counter.pages()


def proofs(box):
    box.write("desk/readme", "")
    with box.using(printdesk.Proofs(box.path("desk"))) as proofs:
        proofs.text(["one", "two"])


def proofs_with_pictures(box):
    box.write("desk/readme", "")
    with box.using(printdesk.Proofs(box.path("desk"))) as proofs:
        proofs.picture("a", b"GIF")
        proofs.picture("b", b"GIF")


def takes_paper(box):
    box.write("desk/readme", "")
    with box.using(printdesk.PaperStock(box.path("desk"))) as stock:
        stock.take("a4", 0)
        stock.take("a4", 3)
        stock.take("a3", 2)


def orders_on_a_full_disk(box):
    box.write("desk/readme", "")
    os.symlink("/dev/full", box.path("desk/orders.txt"))
    with suppress(OSError):
        with box.using(printdesk.PaperStock(box.path("desk"))) as stock:
            stock.take("a4", 3)


def finds_the_busiest(box):
    printdesk.busiest(box.write("rows", "desk 4,3,12\nbert,1,4\n"))
