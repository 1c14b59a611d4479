"""Calls into blind/tripbook.py."""

import zipfile

from blind import tripbook

TABLES = {
    "stops.txt": "stop_id,stop_name\nharbour,At the harbour\nmill,Old mill\nmill,Mill again\n",
    "routes.txt": "route_id,route_short_name\nr4,4\n",
    "trips.txt": "trip_id,route_id,service_id\nt1,r4,week\nt2,r4,week\nt3,r9,week\n",
    "stop_times.txt": "trip_id,stop_id,departure_time\n"
                      "t1,harbour,08:10:00\nt2,harbour,09:10:00\nt9,harbour,8:10:00\nt1,mill,soon\nt1,mill,8:20:00\n",
}


def _folder(box, **changed):
    for name, content in TABLES.items():
        content = changed.get(name[:-4], content)
        if content is not None:
            box.write("feed/" + name, content)
    return box.path("feed")


def _archive(box):
    with zipfile.ZipFile(box.path("feed.zip"), "w") as packed:
        for name, content in TABLES.items():
            packed.writestr(name, "\ufeff" + content)
    return box.path("feed.zip")


def loads_an_archive(box):
    tripbook.load_feed(_archive(box), box.path("trips.db"))
    list(tripbook.departures(box.path("trips.db"), "harbour", "08:00:00"))


def loads_a_folder_twice(box):
    tripbook.load_feed(_folder(box), box.path("trips.db"))
    tripbook.load_feed(_folder(box), box.path("trips.db"))
    box.take(tripbook.departures(box.path("trips.db"), "harbour", "08:00:00"))


def has_no_table(box):
    with box.raises(tripbook.FeedProblem):
        tripbook.load_feed(_folder(box, routes=None), box.path("trips.db"))


def has_no_column(box):
    with box.raises(tripbook.FeedProblem):
        tripbook.load_feed(_folder(box, trips="trip_id\n1\n"), box.path("trips.db"))


def ends_without_stop_times(box):
    with box.raises(tripbook.FeedProblem):
        tripbook.load_feed(_folder(box, stop_times="trip_id\n1\n"), box.path("trips.db"))


def is_no_archive(box):
    with box.raises(zipfile.BadZipFile):
        tripbook.load_feed(box.write("feed.zip", "rubbish"), box.path("trips.db"))


def finds_a_damaged_book(box):
    box.write("trips.db", "rubbish" * 100)
    with box.raises(Exception):
        tripbook.load_feed(_folder(box), box.path("trips.db"))


def gives_an_import_up(box):
    with box.using(tripbook.FeedImport(_archive(box), box.path("trips.db"))):
        pass


def sorts_in_runs(box):
    with box.using(tripbook.SortedRuns(2)) as runs:
        for item in (5, 3, 4, 1, 2):
            runs.add(item)
        list(runs)


def cannot_spill(box):
    with box.using(tripbook.SortedRuns(1)) as runs, box.raises(Exception):
        runs.add(lambda: None)


def spills_again_and_again(box):
    for number in box.rounds(4):
        with box.using(tripbook.SortedRuns(2)) as runs:
            for item in range(4):
                runs.add((number, item))
            box.take(runs, 3)


def passes_the_validator(box):
    tripbook.load_feed(_folder(box), box.path("trips.db"), ["/bin/echo", "fine"])


def fails_the_validator(box):
    with box.raises(tripbook.FeedProblem):
        tripbook.validate(["/bin/echo", "ERROR in"], box.path("feed"))
    with box.raises(tripbook.FeedProblem):
        tripbook.validate(["/bin/false"], box.path("feed"))


def asks_for_no_time(box):
    tripbook.load_feed(_folder(box), box.path("trips.db"))
    with box.raises(tripbook.BadRow):
        list(tripbook.departures(box.path("trips.db"), "harbour", "noon"))


def writes_a_book(box):
    with box.using(tripbook.TripBook(box.path("trips.db"))) as book:
        book.fill("INSERT INTO stop VALUES (?, ?)", [("a", "b")])
    with box.using(tripbook.RejectFile(box.path("rejects"))) as rejects:
        rejects.add("stops.txt", 1, "no")
