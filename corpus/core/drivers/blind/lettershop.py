"""Calls into blind/lettershop.py."""

import os

from blind import lettershop

LETTER = "To: $to\n\nYour meter shows $count.\n"
ROWS = [{"to": "one@example.org", "count": 3}, {"to": "two@example.org", "count": 4}]
MAILER = ["cat"]


def _shop(box, mailer=MAILER, **options):
    return lettershop.LetterShop(box.path("spool"), mailer, lock_patience=0.002, **options)


def _job(box, name="june", letter=LETTER, rows=ROWS):
    os.makedirs(box.path("spool", "tmp"), exist_ok=True)
    os.makedirs(box.path("spool", "in"), exist_ok=True)
    lettershop.spool_letters(box.path("spool"), name, letter, rows)


def sends_letters(box):
    _job(box)
    with box.using(_shop(box)) as shop:
        shop.work()
        shop.work()


def works_until_it_is_told_to_quit(box):
    with box.using(_shop(box)) as shop:
        _job(box, rows=ROWS[:1])
        lettershop.ring(box.path("spool"), b"q")
        shop.run(0.01)


def goes_on_where_it_was(box):
    folder = os.path.dirname(box.write("spool/work/june/letter.txt", LETTER))
    box.write("spool/work/june/rows.csv", "to,count\none@example.org,3\ntwo@example.org,4\n")
    box.write("spool/work/june/progress", ".")
    with box.using(_shop(box)) as shop:
        shop.work()
    os.path.exists(folder)


def fails_with_bad_jobs(box):
    box.write("spool/in/april/letter.txt", LETTER)
    box.write("spool/in/may/letter.txt", LETTER)
    box.write("spool/in/may/rows.csv", "")
    _job(box, letter="$salutation")
    with box.using(_shop(box)) as shop:
        shop.work()


def has_a_mailer_that_fails(box):
    _job(box)
    with box.using(_shop(box, ["sh", "-c", "echo full >&2; exit 75"])) as shop:
        shop.work()


def has_a_mailer_that_hangs(box):
    _job(box)
    with box.using(_shop(box, ["sleep", "5"], patience=0.005)) as shop:
        shop.work()


def has_no_mailer(box):
    _job(box)
    with box.using(_shop(box, ["/nonexistent/mailer"])) as shop:
        with box.raises(OSError):
            shop.work()


def is_the_second_one(box):
    with box.using(_shop(box)):
        with box.raises(lettershop.SpoolError):
            _shop(box)


def finds_old_locks(box):
    box.write("spool/daemon.lock", "")
    with box.raises(lettershop.SpoolError):
        _shop(box)
    box.write("spool/daemon.lock", "99999999\n")
    with box.using(_shop(box)):
        pass


def draws_serials(box):
    serials = lettershop.Serials(box.path("serials"))
    serials.draw(3)
    serials.draw(1)


def keeps_copies(box):
    with box.using(lettershop.SentBox(box.path("sent.mbox"))) as copies:
        copies.keep(b"To: one@example.org\n\nHello\n")


def cannot_lock_its_copies(box):
    box.write("sent.mbox", "")
    box.write("sent.mbox.lock", "")
    with box.raises(Exception):
        lettershop.SentBox(box.path("sent.mbox"))


def rings_for_nobody(box):
    lettershop.ring(box.path())
    os.mkfifo(box.path("bell"))
    lettershop.ring(box.path())
    with box.raises(OSError):
        lettershop.ring(box.write("file", ""))


def cannot_spool(box):
    os.makedirs(box.path("spool", "tmp"))
    with box.raises(IndexError):
        lettershop.spool_letters(box.path("spool"), "june", LETTER, [])


def sends_job_after_job(box):
    with box.using(_shop(box)) as shop:
        for number in box.rounds(3):
            _job(box, f"job{number}", rows=ROWS[:1])
            shop.work()
