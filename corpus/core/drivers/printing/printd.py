"""Calls into printing/printd.py."""

import os
from contextlib import suppress

from printing import printd

PRINT, REFUSE = ["/bin/cat"], ["/bin/false"]


def _job(box, name="job", text=b"one\ftwo"):
    return printd.Job("guest", name, box.write(name, text))


def prints(box):
    listeners = printd.Listeners()
    with box.using(printd.Accounts(box.path("accounts"), listeners)) as accounts:
        with box.using(printd.Printer(PRINT, listeners)) as printer:
            printer.submit(_job(box))
        accounts.save()
        accounts.total()


def a_job_fails(box):
    with box.using(printd.Printer(REFUSE, printd.Listeners(), 1)) as printer:
        printer.print_now(_job(box))
        printer.print_now(_job(box, "other", b"one"))


def prints_at_once(box):
    with box.using(printd.Printer(PRINT, printd.Listeners())) as printer:
        printer.print_now(_job(box))


def keeps_notes(box):
    with box.using(printd.Printer(PRINT, printd.Listeners())) as printer:
        for number in box.rounds(22):
            printer.note("note %d" % number)
            printer.submit(printd.Job("guest", "job %d" % number, "/nowhere"))
        printer.remembers("job 0")


def charges_many(box):
    listeners = printd.Listeners()
    job = _job(box)
    job.size
    job.fail("no")
    for _ in box.rounds(3):
        with box.using(printd.Accounts(box.path("accounts"), listeners)):
            listeners.tell(job)


def spools(box):
    spooler = printd.Spooler(box.path())
    with printd.job_log(spooler.take("guest", "text", [b"a", b"b"])) as log:
        log.warning("slow")
    job = spooler.take("guest", "text", [])
    spooler.drop(job)
    spooler.drop(job)


def makes_banners(box):
    for number in box.rounds(44):
        printd.banner("guest", "title %d" % number)
        printd.user_folder("user %d" % number)


def logs_jobs(box):
    job = _job(box)
    for _ in box.rounds(2):
        with printd.job_log(job):
            pass


def converts(box):
    printd.convert_all(["/bin/cat"], ["one", "two"])
    printd.booklet([b"1", b"2", b"3"], box.path("booklet"))
    printd.wake(["/bin/true"])


def tests(box):
    printd.self_test(box.path("status"))
    printd.test_page(box.path("device"), box.path("log"))


def the_log_is_full(box):
    with suppress(OSError):
        printd.test_page(box.path("device"), "/dev/full")


def is_full_and_closed(box):
    device = printd.Device(box.path("device"), "/dev/full")
    with suppress(OSError):
        with box.using(device):
            device.page(b"x")


def says_last_words(box):
    for _ in box.rounds(2):
        with box.using(printd.LastWords(box.path("end"))) as words:
            words.start()
            words.write()
    os.path.exists(box.path("end"))
